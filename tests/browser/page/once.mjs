// Opens the page from disk, gives it one file, and saves the report as JSON: PAGE=PAGE node once.mjs FILE OUT. For .ci/release-try.

import { writeFileSync } from "node:fs";

import { choose, launch, onDisk, open, saved, settled } from "./browser.mjs";

const [file, out] = process.argv.slice(2);
const chromium = await launch("chromium");
try {
  const { page, troubles } = await open(chromium, onDisk);
  await choose(page, [file]);
  const how = await settled(page, 600_000);
  if (how !== "report" || troubles.length > 0) {
    throw new Error(`the page ends with ${how}; ${troubles.join("; ")}`);
  }
  const { text } = await saved(page, "json");
  writeFileSync(out, text);
  if (chromium.asked.length > 0) {
    throw new Error(`the browser asked for ${chromium.asked.join("; ")}`);
  }
} finally {
  await chromium.close();
}
