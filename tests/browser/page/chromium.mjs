// The page as people use it, in Chromium: opened from disk and from a server, with nothing but what they drop.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";

import * as on from "./browser.mjs";
import { moduleOf, panics } from "./module.mjs";

let chromium;
let server;
const pictures = join(on.WORK, "pictures");
before(async () => {
  rmSync(on.WORK, { recursive: true, force: true });
  mkdirSync(pictures, { recursive: true });
  server = await on.serve();
  chromium = await on.launch("chromium");
});
after(async () => {
  await chromium?.close();
  server?.close();
});

const made = (name, bytes) => {
  const path = join(on.WORK, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, bytes);
  return path;
};

const command = (name, args, options = {}) => {
  const run = spawnSync(name, args, { encoding: "utf8", ...options });
  assert.equal(run.status, 0, `${name} ${args.join(" ")}: ${run.stderr}`);
  return run.stdout;
};

const leak = join(on.FIXTURES, "synthetic/leak.etl");
const netstat = join(on.FIXTURES, "side/netstat-anobq-english.txt");
const tasklist = join(on.FIXTURES, "side/tasklist-svc-german-850.txt");

// Drops a case, and compares what comes of it with what the program says. Gives the program's exit code.
const compare = async (page, paths) => {
  await on.drop(page, paths);
  const state = await on.settled(page);
  const expected = on.program(["analyze", "--quiet", "-f", "json"], paths);
  const name = paths.map((path) => basename(path)).join(", ");
  if (expected.code === 2) {
    assert.equal(state, "error", name);
    const { reasons } = await on.trouble(page);
    assert.equal(reasons.join("\n"), expected.messages, name);
  } else {
    assert.equal(state, "report", `${name}: ${JSON.stringify(await on.trouble(page))}`);
    const { text } = await on.saved(page, "json");
    assert.ok(text === expected.text, `${name}: the JSON differs`);
    const isTold = await page.$eval("#page-unusable", (box) => !box.hidden);
    // A damaged trace is told in the report.
    assert.ok(expected.code === 1 || !isTold, `${name}: ${expected.code}`);
  }
  return expected.code;
};

for (const place of ["disk", "server"]) {
  test(`each fixture and corpus trace, opened from ${place}: the JSON is the program's`, async (context) => {
    const { page, troubles } = await on.open(chromium, place === "disk" ? on.onDisk : server.address);
    const files = [...on.filesBelow(on.FIXTURES, [".etl", ".txt", ".csv", ".evtx"]), ...on.filesBelow(on.CORPUS, [".etl"])].filter((path) => !path.includes("/synth/"));
    assert.ok(files.length > 40, `${files.length} files`);
    const codes = {};
    for (const file of files) {
      const code = await compare(page, [file]);
      codes[code] = (codes[code] ?? 0) + 1;
    }
    context.diagnostic(`${files.length} files dropped from ${place}, JSON or reasons equal; by exit code ${JSON.stringify(codes)}`);
    assert.deepEqual(troubles, []);
    await page.close();
  });
}

test("a folder, archives, and several files are cases too", async (context) => {
  const { page, troubles } = await on.open(chromium, on.onDisk);
  const folder = join(on.WORK, "case");
  mkdirSync(join(folder, "listings"), { recursive: true });
  copyFileSync(leak, join(folder, "server.etl"));
  copyFileSync(netstat, join(folder, "listings/netstat.txt"));
  copyFileSync(tasklist, join(folder, "listings/tasklist.txt"));
  writeFileSync(join(folder, "holiday.png"), Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), Buffer.alloc(3 << 20, 7)]));
  writeFileSync(join(folder, "notes.txt"), "nothing that is known\n");
  assert.equal(await compare(page, [folder]), 0);
  command("python3", ["-m", "zipfile", "-c", "../case.zip", "server.etl", "listings", "notes.txt"], { cwd: folder });
  command("gcab", ["-c", "-z", "../case.cab", "server.etl"], { cwd: folder });
  command("zstd", ["-qf", "server.etl", "-o", "../server.etl.zst"], { cwd: folder });
  made("server.etl.gz", gzipSync(readFileSync(leak)));
  for (const name of ["case.zip", "case.cab", "server.etl.zst", "server.etl.gz"]) {
    assert.equal(await compare(page, [join(on.WORK, name)]), 0, name);
  }
  const beside = [join(folder, "server.etl"), made("case/netstat.txt", readFileSync(netstat)), join(folder, "notes.txt")];
  assert.equal(await compare(page, beside), 1);
  context.diagnostic("folder, .zip, .cab, .zst, .gz, trace with side files: equal");
  assert.deepEqual(troubles, []);
  await page.close();
});

test("a listing is pasted beside a trace", async () => {
  const { page, troubles } = await on.open(chromium, on.onDisk);
  await on.drop(page, [leak]);
  assert.equal(await on.settled(page), "report");
  await page.click("#page-add-listing");
  const text = readFileSync(netstat, "utf8");
  await page.$eval("#page-text", (area, to) => (area.value = to), text);
  await page.click("#page-paste button[value=add]");
  await page.waitForFunction(() => document.getElementById("page-bar").hidden);
  assert.equal(await on.settled(page), "report");
  const folder = join(on.WORK, "pasted");
  mkdirSync(folder, { recursive: true });
  copyFileSync(leak, join(folder, "leak.etl"));
  writeFileSync(join(folder, "pasted.txt"), text.replaceAll("\r\n", "\n"));
  const expected = on.program(["analyze", "--quiet", "-f", "json"], [join(folder, "leak.etl"), join(folder, "pasted.txt")]);
  assert.ok((await on.saved(page, "json")).text === expected.text);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("text, nothing, and what is meant to harm are told as on the command line", async (context) => {
  const { page, troubles } = await on.open(chromium, on.onDisk);
  const random = Buffer.alloc(200_000);
  for (let at = 0, state = 1; at < random.length; at += 1) {
    state = (state * 1103515245 + 12345) % 2147483648;
    random[at] = state >> 16;
  }
  const whole = readFileSync(leak);
  const lying = Buffer.from(whole);
  // The sizes and offsets of every buffer header say the most there is.
  for (let at = 0; at + 72 < lying.length; at += 65536) {
    lying.fill(0xff, at + 4, at + 8);
    lying.fill(0xff, at + 0x30, at + 0x34);
  }
  // Four layers, of which the inner ones hold gigabytes of zeros.
  let bomb = gzipSync(Buffer.alloc(600 << 20), { level: 9 });
  for (let layer = 0; layer < 3; layer += 1) {
    bomb = gzipSync(bomb, { level: 9 });
  }
  const files = [
    made("hello.txt", "hello, this is no listing\n"),
    made("empty.etl", ""),
    made("random.etl", random),
    made("lying.etl", lying),
    made("cut.etl", whole.subarray(0, Math.floor(whole.length * 0.6))),
    made("bomb.etl.gz", bomb),
    made("<img src=x onerror=alert(1)>.etl", whole.subarray(0, 200_000)),
    made("page.html", "<!doctype html><title>no trace</title>"),
    made("flight.blg", Buffer.concat([Buffer.alloc(16, 1), Buffer.from("PDH counters", "utf16le"), Buffer.alloc(2 << 20, 1)])),
  ];
  for (const file of files) {
    const code = await compare(page, [file]);
    context.diagnostic(`${basename(file)}: exit code ${code}${code === 2 ? `: ${(await on.trouble(page)).reasons[0].slice(0, 150)}` : ""}`);
  }
  assert.deepEqual(troubles, []);
  await page.close();
});

test("a panic is told without data, and the rest of a case is read", async (context) => {
  const { page } = await on.open(chromium, on.onDisk);
  const folder = join(on.WORK, "panic");
  mkdirSync(folder, { recursive: true });
  copyFileSync(leak, join(folder, "report.etl"));
  command("gcab", ["-c", "-z", "secret-server.cab", "report.etl"], { cwd: folder });
  const bytes = readFileSync(join(folder, "secret-server.cab"));
  const damaged = panics(moduleOf(on.PAGE), "secret-server.cab", bytes);
  assert.ok(damaged, "no damage makes the cabinet reader panic any more");
  writeFileSync(join(folder, "secret-server.cab"), damaged);
  await on.drop(page, [join(folder, "secret-server.cab")]);
  assert.equal(await on.settled(page), "error");
  const { title, advice } = await on.trouble(page);
  assert.equal(title, "The program failed");
  const text = await page.$eval("#page-advice pre:not(.command)", (pre) => pre.textContent);
  assert.ok(!text.includes("secret") && text.includes("place: ") && advice.includes("Copy the details"), text);
  context.diagnostic(`details: ${text.replaceAll("\n", " | ")}`);
  // Beside another file the page goes on without it.
  await on.drop(page, [join(folder, "secret-server.cab"), leak, netstat]);
  assert.equal(await on.settled(page), "report");
  const told = await page.$eval("#page-unusable", (box) => box.textContent);
  assert.match(told, /secret-server\.cab: the program failed at it/u);
  assert.match(await page.$eval("#page-content h1", (h1) => h1.textContent), /Port exhaustion: yes/u);
  await page.close();
});

test("too large is said before reading, with the command", async (context) => {
  const { page, troubles } = await on.open(chromium, on.onDisk);
  const large = join(on.WORK, "large server.etl");
  copyFileSync(leak, large);
  truncateSync(large, 2 ** 31 + 5);
  await on.drop(page, [large]);
  const started = Date.now();
  assert.equal(await on.settled(page), "error");
  assert.ok(Date.now() - started < 5000);
  const { title, reasons, advice } = await on.trouble(page);
  rmSync(large);
  assert.equal(title, "Too large for a page");
  assert.match(advice, /outofports analyze "large server\.etl" -o report\.html/u);
  context.diagnostic(`${title}: ${reasons.join("; ")}: ${advice.slice(0, 130)}`);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("work is cancelled in the middle, and the page stays responsive meanwhile", async (context) => {
  const { page, troubles } = await on.open(chromium, on.onDisk);
  const large = join(on.WORK, "large.etl");
  command(on.SYNTH, ["afd", "--size", "256MiB", "--out", large]);
  await page.evaluate(() => {
    window.longest = 0;
    let last = performance.now();
    const look = () => {
      const now = performance.now();
      window.longest = Math.max(window.longest, now - last);
      last = now;
      window.looking = setTimeout(look, 5);
    };
    look();
  });
  await on.drop(page, [large]);
  // In the middle of the analysis.
  await page.waitForFunction(() => document.getElementById("page-doing").textContent === "Analyzing" && document.getElementById("page-progress").value > 0, { timeout: 60_000, polling: 20 });
  const longest = await page.evaluate(() => window.longest);
  const told = await page.$eval("#page-left", (left) => left.textContent);
  const started = Date.now();
  await page.click("#page-cancel");
  await page.waitForFunction(() => !document.getElementById("page-empty").hidden);
  const took = Date.now() - started;
  assert.ok(took < 1000, `${took} ms`);
  for (let tries = 0; page.workers().length > 0; tries += 1) {
    assert.ok(tries < 40, "the worker has ended");
    await new Promise((done) => setTimeout(done, 50));
  }
  // And to the end.
  await on.drop(page, [large]);
  assert.equal(await on.settled(page), "report");
  const expected = on.program(["analyze", "--quiet", "-f", "json"], [large]);
  assert.ok((await on.saved(page, "json")).text === expected.text);
  context.diagnostic(`cancelled at "${told}" within ${took} ms; the page was busy for ${Math.round(longest)} ms at most`);
  // Milliseconds, where the machine has nothing else to do; a page that did the work itself would be busy all the time.
  assert.ok(longest < 3000, `${longest} ms`);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("options and what is saved are those of the command line", async () => {
  const { page, troubles } = await on.open(chromium, on.onDisk);
  const folder = join(on.WORK, "options");
  mkdirSync(folder, { recursive: true });
  copyFileSync(leak, join(folder, "leak.etl"));
  const file = join(folder, "leak.etl");
  await on.drop(page, [file]);
  assert.equal(await on.settled(page), "report");
  const same = async (format, ending, ...options) => {
    await on.settled(page);
    const out = join(folder, `out.${ending}`);
    on.program(["analyze", "--quiet", "-o", out, ...options], [file]);
    const { name, text } = await on.saved(page, format);
    assert.ok(text === readFileSync(out, "utf8"), `${format} ${options}`);
    return name;
  };
  const all = async (...options) => {
    const names = [];
    for (const [format, ending] of [["html", "html"], ["markdown", "md"], ["json", "json"], ["csv", "csv"], ["text", "txt"]]) {
      names.push(await same(format, ending, ...options));
    }
    return names;
  };
  assert.deepEqual(await all(), ["leak.html", "leak.md", "leak.json", "leak.csv", "leak.txt"]);
  await same("csv timeline", "csv", "--table", "timeline");
  await on.set(page, "[name=zone]", "server");
  await all("--tz", "server");
  await on.set(page, "[name=zone]", "other");
  await on.set(page, "[name=offset]", "+05:30");
  await all("--tz", "+05:30");
  assert.match(await page.$eval("#page-content .zone", (zone) => zone.textContent), /UTC\+5:30/u);
  await on.set(page, "[name=zone]", "utc");
  await on.set(page, "[name=redact]", "names");
  assert.equal((await all("--redact"))[0], "report.html");
  await on.set(page, "[name=redact]", "images");
  await all("--redact=images");
  await on.set(page, "[name=redact]", "");
  await on.set(page, "[name=pool]", "1024:20000");
  await all("--pool", "1024:20000");
  await on.set(page, "[name=pool]", "many");
  await on.settled(page);
  assert.match(await page.$eval("#page-wrong", (wrong) => wrong.textContent), /expected START:COUNT/u);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("the report in the page is that of the file, and lives", async () => {
  const { page, troubles } = await on.open(chromium, on.onDisk);
  await on.drop(page, [leak]);
  assert.equal(await on.settled(page), "report");
  const html = (await on.saved(page, "html")).text;
  const texts = await page.evaluate((report) => {
    const there = new DOMParser().parseFromString(report.replace(/<style>[^]*?<\/style>/gu, ""), "text/html");
    const plain = (element) => [...element.querySelectorAll("h1, h2, h3, p:not(.told), td, th, li, dt, svg text")].map((one) => one.textContent.replace(/\s+/gu, " ").trim());
    // As it was before scripts made buttons: those have their own texts.
    const here = document.getElementById("page-content").cloneNode(true);
    here.querySelectorAll(".copy, .told, .tools, .zone-button").forEach((one) => one.remove());
    there.querySelectorAll("script, style, .skip").forEach((one) => one.remove());
    return [plain(here), plain(there.body)];
  }, html);
  assert.ok(texts[0].length > 200);
  assert.deepEqual(texts[0].filter(Boolean), texts[1].filter(Boolean));
  assert.ok((await page.$$("#page-content pre.command .copy")).length > 5, "commands to copy");
  assert.ok((await page.$$("#page-content th button")).length > 5, "tables to sort");
  const told = await page.$("#pool-0 .told");
  await told.focus();
  await page.keyboard.press("Home");
  assert.match(await told.evaluate((element) => element.textContent), /^From /u);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("a file is saved to disk", async () => {
  const { page } = await on.open(chromium, server.address, { saves: true });
  const session = await chromium.browser.target().createCDPSession();
  const folder = join(on.WORK, "downloads");
  mkdirSync(folder, { recursive: true });
  await session.send("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: folder, eventsEnabled: true });
  const isDone = new Promise((done) => {
    session.on("Browser.downloadProgress", ({ state }) => state === "completed" && done());
  });
  await on.drop(page, [leak]);
  assert.equal(await on.settled(page), "report");
  await page.select("#page-download select", "json");
  await page.click("#page-download button");
  await isDone;
  const expected = on.program(["analyze", "--quiet", "-f", "json"], [leak]);
  assert.ok(readFileSync(join(folder, "leak.json"), "utf8") === expected.text);
  await page.close();
});

const linesThere = (page) => page.$$eval("#page-rows [role=option]", (rows) => rows.map((row) => row.textContent));

test("events: filters, the last line, keys, fields, and what is saved", async (context) => {
  const { page, troubles } = await on.open(chromium, on.onDisk);
  await on.drop(page, [leak]);
  assert.equal(await on.settled(page), "report");
  await page.click("#page-tab-events");
  const listed = () => page.waitForFunction(() => document.getElementById("page-events-working").hidden && document.getElementById("page-count").textContent !== "" && !document.getElementById("page-rows").textContent.includes("…"));
  await listed();
  assert.equal(await page.$eval("#page-count", (count) => count.textContent), "301 events");
  const failures = on.program(["events", "--quiet"], [leak]).text.trimEnd().split("\n");
  const first = await linesThere(page);
  assert.deepEqual(first, failures.slice(0, first.length));
  await page.select("#page-filter [name=all]", "all");
  await page.click("#page-filter button");
  await listed();
  const all = on.program(["events", "--quiet", "--all"], [leak]).text.trimEnd().split("\n");
  assert.equal((await page.$eval("#page-count", (count) => count.textContent)).replace(/[^0-9]/gu, ""), String(all.length));
  await page.focus("#page-lines");
  await page.keyboard.press("End");
  await listed();
  assert.equal((await linesThere(page)).at(-1), all.at(-1));
  const selected = () => page.$eval("#page-rows [aria-selected=true]", (row) => row.textContent);
  assert.equal(await selected(), all.at(-1));
  await page.keyboard.press("PageUp");
  await page.keyboard.press("ArrowUp");
  await listed();
  assert.ok(all.includes(await selected()));
  // In the middle, by scrolling: lines stand where they belong.
  const middle = await page.$eval("#page-lines", (list) => (list.scrollTop = 12345 * 22) / 22);
  await page.waitForFunction(() => document.querySelector("#page-rows [data-line='12350']"));
  await listed();
  assert.equal((await linesThere(page))[0], all[middle]);
  await page.click("#page-rows [data-line='12350']");
  await page.waitForFunction(() => document.querySelector("#page-fields").textContent.includes("{"));
  await page.waitForFunction((text) => JSON.parse(document.getElementById("page-fields").textContent).time === text.split(" ")[0], {}, all[12350]);
  await page.select("#page-event-download select", "ndjson");
  const { name, text } = await on.savedBy(page, "#page-event-download button");
  assert.equal(name, "leak.events.ndjson");
  assert.ok(text === on.program(["events", "--quiet", "--all", "-f", "ndjson"], [leak]).text);
  for (const [field, value, args] of [
    ["provider", "tcpip", ["--provider", "tcpip"]],
    ["process", "w3wp", ["--process", "w3wp"]],
    ["status", "10055", ["--status", "10055"]],
    ["since", "2026-03-10T09:50:00Z", ["--since", "2026-03-10T09:50:00Z"]],
  ]) {
    await page.$eval("#page-filter", (form) => form.reset());
    await page.$eval(`#page-filter [name=${field}]`, (input, to) => (input.value = to), value);
    await page.click("#page-filter button");
    await listed();
    const lines = on.program(["events", "--quiet", ...args], [leak]).text.split("\n").length - 1;
    assert.equal((await page.$eval("#page-count", (count) => count.textContent)).replace(/[^0-9]/gu, ""), String(lines), field);
  }
  await page.$eval("#page-filter [name=since]", (input) => (input.value = "yesterday"));
  await page.click("#page-filter button");
  await page.waitForFunction(() => document.getElementById("page-events-wrong").textContent.includes("is not a time"));
  context.diagnostic(`${all.length} lines of the leak: first, middle and last are the program's`);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("a million lines are scrolled", async (context) => {
  const { page, troubles } = await on.open(chromium, on.onDisk);
  const file = join(on.WORK, "million.etl");
  command(on.SYNTH, ["afd", "--size", "128MiB", "--out", file]);
  await on.drop(page, [file]);
  assert.equal(await on.settled(page), "report");
  await page.click("#page-tab-events");
  const listed = () => page.waitForFunction(() => document.getElementById("page-events-working").hidden && document.getElementById("page-count").textContent !== "" && !document.getElementById("page-rows").textContent.includes("…"), { timeout: 120_000 });
  await listed();
  await page.select("#page-filter [name=all]", "all");
  const started = Date.now();
  await page.click("#page-filter button");
  await listed();
  const took = Date.now() - started;
  const count = await page.$eval("#page-count", (text) => Number(text.textContent.replace(/[^0-9]/gu, "")));
  assert.ok(count > 1_000_000, `${count} events`);
  const waits = [];
  for (const place of [1, 0.5, 0.123, 0.999, 0]) {
    const jump = Date.now();
    await page.$eval("#page-lines", (list, part) => (list.scrollTop = part * (list.scrollHeight - list.clientHeight)), place);
    // The list has heard of it.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await listed();
    waits.push(Date.now() - jump);
    const first = await page.$eval("#page-rows [data-line]", (row) => Number(row.dataset.line));
    assert.ok(Math.abs(first - place * count) < 0.001 * count, `${first} at ${place}`);
  }
  await page.focus("#page-lines");
  await page.keyboard.press("End");
  await listed();
  assert.equal(await page.$eval("#page-rows [aria-selected=true]", (row) => Number(row.dataset.line)), count - 1);
  for (let step = 0; step < 30; step += 1) {
    await page.keyboard.press("ArrowUp");
  }
  await listed();
  assert.equal(await page.$eval("#page-rows [aria-selected=true]", (row) => Number(row.dataset.line)), count - 31);
  context.diagnostic(`${count} lines listed in ${took} ms; jumps to anywhere shown within ${waits.join(", ")} ms`);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("info and explain say what the program says", async () => {
  const { page, troubles } = await on.open(chromium, on.onDisk);
  await page.click("#page-tab-explain");
  await page.type("#page-code", "10055");
  await page.waitForFunction(() => document.querySelectorAll("#page-codes details[open]").length > 0);
  const [explained] = JSON.parse(on.program(["explain", "-f", "json", "10055"]).text);
  assert.ok((await page.$eval("#page-codes", (codes) => codes.textContent)).includes(explained.explanation.replaceAll("`", "")));
  await page.$eval("#page-code", (input) => (input.value = ""));
  await page.type("#page-code", "port_exhuasted");
  await page.waitForFunction(() => document.getElementById("page-explain-said").textContent.startsWith("no report has the code port_exhuasted"));
  await on.drop(page, [leak]);
  assert.equal(await on.settled(page), "report");
  await page.click("#page-tab-info");
  await page.waitForSelector("#page-info-text:not([hidden])");
  assert.equal(await page.$eval("#page-info-text", (text) => text.textContent), on.program(["info", "--quiet"], [leak]).text);
  assert.ok((await on.savedBy(page, "#page-info-save")).text === on.program(["info", "--quiet", "-f", "json"], [leak]).text);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("everything works by keys alone", async () => {
  const { page, troubles } = await on.open(chromium, on.onDisk);
  await on.drop(page, [leak]);
  assert.equal(await on.settled(page), "report");
  await page.focus("#page-tab-report");
  const keys = [["ArrowRight", "events"], ["ArrowRight", "info"], ["End", "explain"], ["ArrowRight", "report"], ["ArrowLeft", "explain"], ["Home", "report"]];
  for (const [key, tab] of keys) {
    await page.keyboard.press(key);
    assert.equal(await page.evaluate(() => document.activeElement.id), `page-tab-${tab}`);
    assert.ok(await page.$eval(`#page-${tab}`, (panel) => !panel.hidden));
  }
  const wanted = await page.$$eval("#page-bar summary, #page-bar select, #page-bar button, #page-bar input", (all) => all.filter((one) => one.checkVisibility()).length);
  const reached = new Set();
  for (let step = 0; step < 40; step += 1) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const element = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const isSeen = outlineStyle !== "none" && outlineWidth !== "0px";
      return element.closest("#page-bar") ? `${element.name || element.id || element.textContent} ${isSeen}` : "";
    });
    if (at) {
      assert.match(at, / true$/u);
      reached.add(at);
    }
  }
  assert.equal(reached.size, wanted);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("axe-core finds nothing, and pictures of each state are taken", async (context) => {
  let states = 0;
  for (const width of [1280, 400]) {
    for (const scheme of ["light", "dark"]) {
      const { page, troubles } = await on.open(chromium, on.onDisk, { width, scheme });
      const look = async (state) => {
        assert.deepEqual(await on.violations(page), [], `${state} ${width} ${scheme}`);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        assert.ok(wide <= 0, `${state} ${width}: ${wide} pixels too wide`);
        await page.screenshot({ path: join(pictures, `${state}-${width}-${scheme}.png`) });
        states += 1;
      };
      await look("empty");
      await page.click("#page-paste-open");
      await look("paste");
      await page.click("#page-paste button[value=cancel]");
      await on.drop(page, [leak]);
      await on.settled(page);
      await look("report");
      await page.click("#page-tab-events");
      await page.waitForFunction(() => document.getElementById("page-count").textContent !== "" && !document.getElementById("page-rows").textContent.includes("…"));
      await page.focus("#page-lines");
      await page.keyboard.press("ArrowDown");
      await page.waitForSelector("#page-event:not([hidden])");
      await look("events");
      await page.click("#page-tab-info");
      await page.waitForSelector("#page-info-text:not([hidden])");
      await look("info");
      await page.click("#page-tab-explain");
      await page.waitForSelector("#page-codes details");
      await look("explain");
      await on.drop(page, [made("hello.txt", "hello, this is no listing\n")]);
      await on.settled(page);
      await look("error");
      await on.drop(page, [join(on.WORK, "large.etl")]);
      await page.waitForFunction(() => document.getElementById("page-progress").value > 0, { polling: 10 });
      await look("working");
      assert.deepEqual(troubles, []);
      await page.close();
    }
  }
  context.diagnostic(`${states} states without violations`);
});

test("paper shows the report, and nothing of the page around it", async () => {
  const { page } = await on.open(chromium, on.onDisk);
  await on.drop(page, [leak]);
  await on.settled(page);
  await page.emulateMediaType("print");
  for (const selector of ["#page-head", "#page-bar", "#page-content nav"]) {
    assert.equal(await page.$eval(selector, (element) => getComputedStyle(element).display), "none", selector);
  }
  assert.ok(await page.$eval("#page-content h1", (h1) => h1.checkVisibility()));
  const pdf = await page.pdf({ format: "A4" });
  assert.ok(pdf.length > 20_000);
  writeFileSync(join(pictures, "report.pdf"), pdf);
  await page.close();
});

test("no request leaves, and none could", async (context) => {
  const { page, troubles } = await on.open(chromium, server.address);
  const refused = await page.evaluate(async () => {
    const violated = [];
    document.addEventListener("securitypolicyviolation", (event) => violated.push(event.effectiveDirective));
    const tries = [fetch("http://example.com/"), fetch("/other")];
    const answers = await Promise.allSettled(tries);
    const image = new Image();
    image.src = "http://example.com/x.png";
    navigator.sendBeacon("http://example.com/beacon");
    const script = document.createElement("script");
    script.textContent = "window.injected = true";
    document.body.append(script);
    const code = "fetch('http://example.com/').then(() => postMessage('sent'), () => postMessage('refused'))";
    const worker = new Worker(URL.createObjectURL(new Blob([code])));
    const ofWorker = await new Promise((done) => {
      worker.onmessage = ({ data }) => done(data);
    });
    await new Promise((done) => setTimeout(done, 300));
    return { answers: answers.map(({ status }) => status), violated: [...new Set(violated)].sort(), injected: window.injected ?? false, ofWorker };
  });
  assert.deepEqual(refused.answers, ["rejected", "rejected"]);
  assert.equal(refused.ofWorker, "refused");
  assert.equal(refused.injected, false);
  assert.ok(["connect-src", "img-src", "script-src-elem"].every((directive) => refused.violated.includes(directive)), `${refused.violated}`);
  assert.ok(troubles.length > 0, "what was refused is on the console");
  await page.close();
  context.diagnostic(`refused by the policy: ${refused.violated.join(", ")}; a worker's fetch: ${refused.ofWorker}`);
  // Of all tests of this file.
  context.diagnostic(`the proxy was asked: ${JSON.stringify(chromium.asked)}; the server: ${JSON.stringify([...new Set(server.asked)])}`);
  assert.deepEqual(chromium.asked, []);
  assert.deepEqual([...new Set(server.asked)].filter((path) => path !== "/favicon.ico"), ["/outofports.html"]);
  const [, policy] = /Content-Security-Policy" content="([^"]+)"/u.exec(readFileSync(on.PAGE, "utf8"));
  assert.match(policy, /^default-src 'none'; script-src 'sha256-[^']+' 'wasm-unsafe-eval'; worker-src blob:; style-src 'sha256-[^']+'; img-src data:; connect-src 'none'; base-uri 'none'; form-action 'none'$/u);
  context.diagnostic(`policy: ${policy}`);
});
