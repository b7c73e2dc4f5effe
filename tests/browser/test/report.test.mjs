// The HTML report as its readers use it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { address, launch, open, violations } from "./browser.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

const cellsOf = (page, table, column) =>
  page.$$eval(
    `#${table} tbody tr:not([hidden])`,
    (rows, index) => rows.map((row) => row.cells[index].textContent.trim()),
    column,
  );

const columnOf = (page, table, title) =>
  page.$$eval(
    `#${table} thead th`,
    (headings, wanted) => headings.findIndex((heading) => heading.textContent.trim().startsWith(wanted)),
    title,
  );

const numbers = (texts) => texts.map((text) => Number(text.replaceAll(",", "")));
const isDescending = (list) => list.every((number, at) => at === 0 || list[at - 1] >= number);

test("the verdict is read at a glance", async () => {
  const { page, troubles } = await open(browser, "leak");
  assert.equal(await page.$eval("h1", (h1) => h1.textContent.trim()), "✖ Port exhaustion: yes, TCP over IPv4");
  assert.match(await page.$eval(".lead", (lead) => lead.textContent), /^MeterSync\.Agent\.exe \(PID 7312\) held 16,300 of 16,384/u);
  const isSeen = await page.$eval("h1", (h1) => h1.getBoundingClientRect().bottom < window.innerHeight / 4);
  assert.ok(isSeen, "at the top of the first screen");
  assert.equal((await page.$$(".numbers a")).length, 4);
  for (const link of await page.$$(".numbers a")) {
    const target = await link.evaluate((element) => element.getAttribute("href"));
    assert.ok(await page.$(target), `${target} is there`);
  }
  assert.deepEqual(troubles, []);
  await page.close();
});

test("tables sort, and stay where they are", async () => {
  const { page, troubles } = await open(browser, "five-hundred");
  await page.$$eval("details", (all) => all.forEach((one) => (one.open = true)));
  const column = await columnOf(page, "processes", "Failed binds");
  const width = () => page.$eval("#processes thead th", (heading) => heading.getBoundingClientRect().width);
  const widthBefore = await width();
  const heading = await page.$(`#processes thead th:nth-child(${column + 1}) button`);
  await heading.click();
  const most = numbers(await cellsOf(page, "processes", column));
  assert.ok(most.length >= 500 && isDescending(most), `${most.slice(0, 20)}`);
  await heading.focus();
  await page.keyboard.press("Enter");
  assert.ok(isDescending(numbers(await cellsOf(page, "processes", column)).reverse()));
  assert.equal(await page.$eval("#processes th[aria-sort]", (th) => th.getAttribute("aria-sort")), "ascending");
  assert.ok(Math.abs((await width()) - widthBefore) <= 1);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("tables filter, and say how much is left", async () => {
  const { page, troubles } = await open(browser, "five-hundred");
  await page.$$eval("details", (all) => all.forEach((one) => (one.open = true)));
  const filter = await page.$("input[aria-label^='Filter: Every process']");
  await filter.type("tenant-07");
  const names = await cellsOf(page, "processes", 0);
  assert.equal(names.length, 10);
  assert.ok(names.every((name) => name === "tenant-07.exe"));
  assert.equal(await page.$eval("#said", (said) => said.textContent), `10 of ${await page.$$eval("#processes tbody tr", (all) => all.length)} rows`);
  await filter.click({ count: 3 });
  await page.keyboard.press("Backspace");
  assert.ok((await cellsOf(page, "processes", 0)).length >= 500);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("a command is copied as one line", async () => {
  const { page, troubles } = await open(browser, "leak", { width: 400 });
  await browser.defaultBrowserContext().overridePermissions(address("leak"), ["clipboard-read", "clipboard-write"]);
  const commands = await page.$$("pre.command");
  assert.ok(commands.length > 5);
  for (const command of commands) {
    await page.bringToFront();
    const button = await command.$("button");
    await button.click();
    await page.waitForFunction((element) => element.textContent === "Copied", {}, button);
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, await command.$eval("code", (code) => code.textContent));
    assert.ok(!copied.includes("\n") && !copied.includes("Copy"), copied);
  }
  assert.deepEqual(troubles, []);
  await page.close();
});

test("values are read from the picture with arrow keys, and are those of its table", async () => {
  const { page, troubles } = await open(browser, "leak");
  const told = await page.$("#pool-0 .told");
  await told.focus();
  await page.keyboard.press("Home");
  const first = await told.evaluate((element) => element.textContent);
  await page.keyboard.press("ArrowRight");
  const second = await told.evaluate((element) => element.getAttribute("aria-valuetext"));
  const rows = await page.$$eval("#values-0 tbody tr", (all) => all.map((row) => [...row.cells].map((cell) => cell.textContent.trim())));
  for (const [text, row] of [[first, rows[0]], [second, rows[1]]]) {
    assert.ok(text.startsWith(`From ${row[0]} UTC`), text);
    assert.ok(row.slice(1).every((value) => text.includes(`: ${value}`)), text);
  }
  // By pointer: the right end of the picture is its last step.
  const box = await (await page.$("#pool-0 .wide svg")).boundingBox();
  await page.mouse.move(box.x + box.width * 0.77, box.y + box.height / 2);
  const last = await told.evaluate((element) => element.textContent);
  assert.ok(last.startsWith(`From ${rows.at(-1)[0]} UTC`), last);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("times switch to the server's and back", async () => {
  // The simulated server keeps UTC: here is the report of one that is an hour ahead.
  const text = readFileSync(new URL(address("leak")), "utf8").replace('data-server="0"', 'data-server="60"');
  const page = await browser.newPage();
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(error.message));
  await page.setContent(text);
  const failure = () => page.$eval(".numbers time", (time) => time.textContent);
  const tick = () => page.$eval("text[data-form='minute']", (label) => label.textContent);
  const utc = [await failure(), await tick()];
  const button = await page.$(".zone-button");
  assert.match(await button.evaluate((element) => element.textContent), /the server's time, UTC\+1:00/u);
  await button.click();
  const hour = (time) => `${String((Number(time.slice(0, 2)) + 1) % 24).padStart(2, "0")}${time.slice(2)}`;
  assert.deepEqual([await failure(), await tick()], utc.map(hour));
  assert.ok(await page.$$eval(".zone", (names) => names.every((name) => name.textContent === "UTC+1:00")));
  await button.click();
  assert.deepEqual([await failure(), await tick()], utc);
  assert.deepEqual(troubles, []);
  await page.close();
});

test("everything is reached by Tab, and seen where it is", async () => {
  for (const width of [1280, 400]) {
    const { page, troubles } = await open(browser, "leak", { width });
    await page.$$eval("details", (all) => all.forEach((one) => (one.open = true)));
    const wanted = await page.$$eval("a[href], button, input, summary, [tabindex='0']", (all) => {
      const seen = all.filter((element) => element.checkVisibility());
      seen.forEach((element, at) => {
        element.dataset.tab = String(at);
      });
      return seen.length;
    });
    const reached = new Set();
    for (let tab = 0; tab < wanted + 5; tab += 1) {
      await page.keyboard.press("Tab");
      const here = await page.evaluate(() => {
        const element = document.activeElement;
        const style = getComputedStyle(element);
        return { tab: element.dataset.tab, isOutlined: style.outlineStyle !== "none", html: element.outerHTML.slice(0, 120) };
      });
      if (here.tab !== undefined) {
        assert.ok(here.isOutlined, `focus shows at ${here.html}`);
        reached.add(here.tab);
      }
    }
    assert.equal(reached.size, wanted, `of ${wanted} at ${width} pixels`);
    assert.deepEqual(troubles, []);
    await page.close();
  }
});

test("axe-core finds what is wrong", async () => {
  const { page } = await open(browser, "no-afd");
  await page.$eval("h1", (heading) => {
    heading.style.color = "#ddd";
    heading.parentElement.setAttribute("role", "nonsense");
  });
  const found = await violations(page);
  assert.deepEqual(found.map((line) => line.split(":")[0]).sort(), ["aria-roles", "color-contrast"]);
  await page.close();
});

for (const name of ["leak", "five-hundred", "no-afd", "listing-alone-leak"]) {
  for (const scheme of ["light", "dark"]) {
    for (const width of [1280, 400]) {
      test(`axe-core finds nothing wrong: ${name}, ${scheme}, ${width} pixels`, async () => {
        const { page, troubles } = await open(browser, name, { width, scheme });
        if (name === "leak") {
          await page.$$eval("details", (all) => all.forEach((one) => (one.open = true)));
        }
        assert.deepEqual(await violations(page), []);
        assert.deepEqual(troubles, []);
        await page.close();
      });
    }
  }
}

test("nothing lies beside the page on the narrowest screen", async () => {
  for (const name of ["leak", "farm", "no-afd", "two-pools-two-outages"]) {
    const { page } = await open(browser, name, { width: 320 });
    await page.$$eval("details", (all) => all.forEach((one) => (one.open = true)));
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(wide <= 0, `${name}: ${wide} pixels`);
    const cut = await page.$$eval(".picture.narrow svg", (all) =>
      all.flatMap((svg) => {
        const box = svg.getBoundingClientRect();
        const texts = [...svg.querySelectorAll("text")];
        return texts.filter((text) => {
          const here = text.getBoundingClientRect();
          return here.left < box.left - 1 || here.right > box.right + 1;
        }).map((text) => text.textContent);
      }),
    );
    assert.deepEqual(cut, [], `${name}: labels lie in their picture`);
    await page.close();
  }
});

test("labels of pictures lie in them, and do not cover each other", async () => {
  for (const name of ["leak", "farm", "two-pools-two-outages", "twelve-outages", "five-hundred", "range-narrowed"]) {
    for (const width of [1280, 400]) {
      const { page } = await open(browser, name, { width });
      const wrong = await page.$$eval("figure svg[data-plot]", (all) =>
        all.filter((svg) => svg.checkVisibility()).flatMap((svg) => {
          const box = svg.getBoundingClientRect();
          const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
          const outside = texts.filter(([, here]) => here.left < box.left - 1 || here.right > box.right + 1);
          const over = texts.flatMap(([text, one], at) =>
            texts.slice(at + 1).filter(([, other]) => {
              const across = Math.min(one.right, other.right) - Math.max(one.left, other.left);
              const along = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
              return across > 1 && along > 0.4 * Math.min(one.height, other.height);
            }).map(([second]) => `${text} / ${second}`),
          );
          return [...outside.map(([text]) => text), ...over];
        }),
      );
      assert.deepEqual(wrong, [], `${name} at ${width} pixels`);
      await page.close();
    }
  }
});

test("without scripts nothing essential is missing", async () => {
  for (const name of ["leak", "five-hundred", "no-afd"]) {
    const texts = [];
    for (const scripts of [true, false]) {
      const { page, troubles } = await open(browser, name, { scripts });
      // Scripts off in the page; the debugger still reads.
      const session = await page.createCDPSession();
      const expression = `(() => {
        const copy = document.body.cloneNode(true);
        copy.querySelectorAll("script, .tools, .copy, .told, .zone-button, #said, .hair").forEach((one) => one.remove());
        return copy.textContent.replace(/\\s+/gu, " ");
      })()`;
      await session.send("Emulation.setScriptExecutionDisabled", { value: false });
      const { result } = await session.send("Runtime.evaluate", { expression });
      texts.push(result.value);
      const seen = await session.send("Runtime.evaluate", {
        expression: `[...document.querySelectorAll("h1, h2, .lead, .numbers, figure, .steps, .command, table, summary")]
          .filter((one) => !one.closest("details:not([open])") && !one.checkVisibility()).map((one) => one.outerHTML.slice(0, 80)).join()`,
      });
      assert.equal(seen.result.value, "", `${name}: what is hidden, scripts ${scripts}`);
      assert.deepEqual(troubles, []);
      await page.close();
    }
    assert.equal(texts[0], texts[1], name);
    assert.ok(texts[1].length > 2000);
  }
});

test("paper shows what is folded on screens", async () => {
  const { page } = await open(browser, "leak");
  await page.emulateMediaType("print");
  const hidden = await page.$$eval("details :is(table, dl, ul)", (all) =>
    all.filter((one) => !one.checkVisibility({ contentVisibilityAuto: true }) || one.getBoundingClientRect().height === 0).length,
  );
  assert.equal(hidden, 0);
  const pdf = await page.pdf({ format: "A4", preferCSSPageSize: true });
  assert.ok(pdf.length > 10_000);
  await page.close();
});
