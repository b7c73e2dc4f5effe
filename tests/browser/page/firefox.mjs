// The page in Firefox: what may differ from Chromium.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";

import * as on from "./browser.mjs";

let firefox;
let server;
const pictures = join(on.WORK, "pictures");
before(async () => {
  mkdirSync(pictures, { recursive: true });
  server = await on.serve();
  firefox = await on.launch("firefox");
});
after(async () => {
  await firefox?.close();
  server?.close();
});

const leak = join(on.FIXTURES, "synthetic/leak.etl");
const cases = [leak, join(on.FIXTURES, "synthetic/compressed.etl"), join(on.FIXTURES, "side/system.evtx")];

for (const place of ["disk", "server"]) {
  test(`three fixtures, chosen and dropped, opened from ${place}: the JSON is the program's`, async (context) => {
    const { page, troubles } = await on.open(firefox, place === "disk" ? on.onDisk : server.address);
    for (const file of cases) {
      const expected = on.program(["analyze", "--quiet", "-f", "json"], [file]);
      for (const give of [on.choose, on.dropChosen]) {
        await give(page, [file]);
        assert.equal(await on.settled(page), "report", `${basename(file)}: ${JSON.stringify(await on.trouble(page))}`);
        assert.ok((await on.saved(page, "json")).text === expected.text, basename(file));
        await page.$eval("#page-again", (button) => button.click());
      }
    }
    context.diagnostic(`${cases.map((file) => basename(file)).join(", ")} from ${place}: equal`);
    assert.deepEqual(troubles, []);
    await page.close();
  });
}

test("text is told, events are listed, work is cancelled", async () => {
  const { page, troubles } = await on.open(firefox, on.onDisk);
  const hello = join(on.WORK, "hello.txt");
  writeFileSync(hello, "hello, this is no listing\n");
  await on.choose(page, [hello]);
  assert.equal(await on.settled(page), "error");
  assert.equal((await on.trouble(page)).reasons.join("\n"), on.program(["analyze", "--quiet"], [hello]).messages);
  await page.screenshot({ path: join(pictures, "error-firefox.png") });
  await on.choose(page, [leak]);
  assert.equal(await on.settled(page), "report");
  await page.screenshot({ path: join(pictures, "report-firefox.png") });
  await page.$eval("#page-tab-events", (tab) => tab.click());
  await page.waitForFunction(() => document.getElementById("page-count").textContent === "301 events" && !document.getElementById("page-rows").textContent.includes("…"));
  const lines = await page.$$eval("#page-rows [role=option]", (rows) => rows.map((row) => row.textContent));
  const failures = on.program(["events", "--quiet"], [leak]).text.trimEnd().split("\n");
  assert.deepEqual(lines, failures.slice(0, lines.length));
  await page.screenshot({ path: join(pictures, "events-firefox.png") });
  const large = join(on.WORK, "large-firefox.etl");
  assert.equal(spawnSync(on.SYNTH, ["afd", "--size", "192MiB", "--out", large]).status, 0);
  await on.choose(page, [large]);
  await page.waitForFunction(() => document.getElementById("page-doing").textContent === "Analyzing" && document.getElementById("page-progress").value > 0, { timeout: 60_000, polling: 20 });
  const started = Date.now();
  await page.$eval("#page-cancel", (button) => button.click());
  await page.waitForFunction(() => !document.getElementById("page-empty").hidden);
  assert.ok(Date.now() - started < 2000);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("no request leaves", async (context) => {
  const { page } = await on.open(firefox, server.address);
  const answers = await page.evaluate(async () => {
    const tried = await Promise.allSettled([fetch("http://example.com/"), fetch("/other")]);
    return tried.map(({ status }) => status);
  });
  assert.deepEqual(answers, ["rejected", "rejected"]);
  await page.close();
  // Of all tests of this file.
  context.diagnostic(`the proxy was asked: ${JSON.stringify(firefox.asked)}; the server: ${JSON.stringify([...new Set(server.asked)])}`);
  assert.deepEqual(firefox.asked, []);
  assert.deepEqual([...new Set(server.asked)].filter((path) => path !== "/favicon.ico"), ["/outofports.html"]);
});
