// Large traces in both browsers, beside the program: time, and memory. Run by hand: .ci/page --large

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import * as on from "./browser.mjs";

mkdirSync(on.WORK, { recursive: true });
const sizes = (process.env.SIZES ?? "1GiB,1536MiB,2000MiB").split(",");
const browsers = (process.env.BROWSERS ?? "chromium,firefox").split(",");

/** Memory of a process and all that it started, in MiB: what each holds alone, and a share of what they hold together. */
const memoryOf = (pid) => {
  const parents = new Map();
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/u.test(entry))) {
    try {
      const [, rest] = readFileSync(`/proc/${name}/stat`, "latin1").split(") ");
      parents.set(Number(name), Number(rest.split(" ")[1]));
    } catch {
      // It has ended.
    }
  }
  const isBelow = (process_) => process_ === pid || (parents.has(process_) && parents.get(process_) > 0 && isBelow(parents.get(process_)));
  const each = [...parents.keys()].filter(isBelow).map((process_) => {
    try {
      const [, kilobytes] = /^Pss:\s+(\d+)/mu.exec(readFileSync(`/proc/${process_}/smaps_rollup`, "utf8"));
      return Number(kilobytes) / 1024;
    } catch {
      return 0;
    }
  });
  // The tab's process is the largest.
  return { tab: Math.max(...each), all: each.reduce((sum, one) => sum + one, 0) };
};

const timed = (args) => {
  const started = Date.now();
  const run = spawnSync(on.PROGRAM, args, { maxBuffer: 1 << 30 });
  return { seconds: (Date.now() - started) / 1000, text: run.stdout.toString() };
};

for (const size of sizes) {
  const file = join(on.WORK, `large-${size}.etl`);
  if (!existsSync(file)) {
    const run = spawnSync(on.SYNTH, ["packets", "--size", size, "--out", file], { stdio: "inherit" });
    if (run.status !== 0) {
      throw new Error(`no trace of ${size}`);
    }
  }
  // The first brings the file into memory.
  timed(["analyze", "--quiet", "-f", "json", file]);
  const native = timed(["analyze", "--quiet", "-f", "json", file]);
  const one = timed(["analyze", "--quiet", "--threads", "1", "-f", "json", file]);
  console.log(`${size}: the program: ${native.seconds.toFixed(1)} s; on one thread ${one.seconds.toFixed(1)} s`);
  const expected = on.program(["analyze", "--quiet", "-f", "json"], [file]).text;
  for (const name of browsers) {
    const driven = await on.launch(name);
    const { page, troubles } = await on.open(driven, on.onDisk);
    const before = memoryOf(driven.browser.process().pid);
    let most = before;
    let reading = 0;
    const started = Date.now();
    await on.choose(page, [file]);
    const watching = setInterval(() => {
      const now = memoryOf(driven.browser.process().pid);
      most = { tab: Math.max(most.tab, now.tab), all: Math.max(most.all, now.all) };
    }, 500);
    page
      .waitForFunction(() => document.getElementById("page-doing").textContent === "Analyzing", { timeout: 600_000, polling: 50 })
      .then(() => {
        reading = (Date.now() - started) / 1000;
      })
      .catch(() => {});
    const state = await on.settled(page, 1_200_000);
    const seconds = (Date.now() - started) / 1000;
    const is = state === "report" ? `JSON ${(await on.saved(page, "json")).text === expected ? "equal" : "DIFFERS"}` : JSON.stringify(await on.trouble(page));
    let events = "";
    if (state === "report") {
      const listing = Date.now();
      await page.$eval("#page-tab-events", (tab) => tab.click());
      await page.select("#page-filter [name=all]", "all");
      await page.$eval("#page-filter button", (button) => button.click());
      await page.waitForFunction(() => !document.getElementById("page-events-working").hidden, { timeout: 60_000 });
      await page.waitForFunction(() => document.getElementById("page-events-working").hidden, { timeout: 1_200_000 });
      const listed = ((Date.now() - listing) / 1000).toFixed(1);
      const jumping = Date.now();
      await page.$eval("#page-lines", (list) => {
        list.scrollTop = list.scrollHeight;
      });
      await page.waitForFunction(() => !document.getElementById("page-rows").textContent.includes("…"), { timeout: 60_000, polling: 20 });
      const count = await page.$eval("#page-count", (text) => text.textContent);
      events = `; ${count} listed in ${listed} s, the last on screen after ${Date.now() - jumping} ms ${await page.$eval("#page-events-wrong", (wrong) => wrong.textContent)}`;
    }
    clearInterval(watching);
    console.log(
      `${size} in ${name}: ${is}, ${seconds.toFixed(1)} s (of these ${reading.toFixed(1)} s reading); ` +
        `memory of the tab ${Math.round(most.tab)} MiB (before: ${Math.round(before.tab)}), of the whole browser ${Math.round(most.all)} MiB${events}`,
    );
    if (troubles.length > 0) {
      console.log(troubles.join("\n"));
    }
    await driven.close();
  }
  if (!process.env.KEEP) {
    rmSync(file);
  }
}
