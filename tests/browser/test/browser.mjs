// Starts the browser, and opens reports in it.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import puppeteer from "puppeteer-core";

const REPORTS = process.env.REPORTS ?? "../../target/browser/reports";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The address of a report. */
export const address = (name) => pathToFileURL(join(REPORTS, `${name}.html`)).href;

/** A browser; the sandbox needs rights that root in a container lacks. */
export const launch = () =>
  puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });

/** Opens a report; `troubles` collects what the console says, errors, and requests other than for the file. */
export const open = async (browser, name, { width = 1280, scheme = "light", scripts = true } = {}) => {
  const page = await browser.newPage();
  const troubles = [];
  page.on("console", (message) => troubles.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => troubles.push(`error: ${error.message}`));
  page.on("request", (request) => {
    if (request.url() !== address(name)) {
      troubles.push(`request: ${request.url()}`);
    }
  });
  await page.setJavaScriptEnabled(scripts);
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: scheme },
    { name: "prefers-reduced-motion", value: "reduce" },
  ]);
  await page.setViewport({ width, height: 900 });
  await page.goto(address(name));
  return { page, troubles };
};

/** What axe-core finds wrong, a line each. It is put in beside the page's policy, which forbids any other script. */
export const violations = async (page) => {
  const session = await page.createCDPSession();
  await session.send("Runtime.evaluate", { expression: AXE });
  const found = await page.evaluate(async () => {
    const { passes, violations: list } = await window.axe.run(document);
    if (passes.length < 15) {
      return [`only ${passes.length} rules were tried`];
    }
    return list.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 160)} ${node.failureSummary}`));
  });
  await session.detach();
  return found;
};
