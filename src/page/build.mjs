// Makes the page of the module: node build.mjs MODULE.wasm OUT.html
// One file: program, styles and scripts are in it. The same input gives the same bytes.

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { constants, gzipSync } from "node:zlib";

import { build } from "esbuild";

const [modulePath, out] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const report = join(root, "src/report/html");
const read = (...path) => readFileSync(join(...path), "utf8");

// Scripts and styles of the report, as the report itself names them.
const parts = (kind) => {
  const names = [...read(report, "mod.rs").matchAll(/include_str!\("((?:script|style)\/[^"]+)"\)/gu)].map(([, name]) => name);
  const found = names.filter((name) => name.startsWith(`${kind}/`));
  if (found.length === 0) {
    throw new Error(`the report has no ${kind}`);
  }
  return found.map((name) => read(report, name)).join("");
};

// The report's scripts run once in a report; here they run for each report that is shown.
mkdirSync(dirname(out), { recursive: true });
const enhance = join(resolve(dirname(out)), "enhance.js");
writeFileSync(enhance, `export const enhance = () => {\n${parts("script")}};\n`);

const bundle = async (name) => {
  const { outputFiles } = await build({
    entryPoints: [join(here, "shell", name)],
    bundle: true,
    write: false,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    alias: { "report:enhance": enhance },
    absWorkingDir: here,
  });
  return `\n${outputFiles[0].text}`;
};

const hash = (text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const style = `\n${parts("style")}\n${read(here, "shell/page.css")}`;
const script = await bundle("main.js");
const worker = await bundle("worker.js");
const module = readFileSync(modulePath);
const packed = gzipSync(module, { level: constants.Z_BEST_COMPRESSION, memLevel: 9 });
// Which system packed it is told in this byte; that must make no other page.
packed[9] = 255;
const [, version] = /^version = "([^"]+)"/mu.exec(read(root, "Cargo.toml"));

// What is not named is forbidden: no request leaves. A worker from this file, which inherits the policy; WebAssembly, but no
// evaluation of scripts; the one script and the styles by their hashes.
const policy = [
  "default-src 'none'",
  `script-src ${hash(script)} 'wasm-unsafe-eval'`,
  "worker-src blob:",
  `style-src ${hash(style)}`,
  // The icon, which is in the file.
  "img-src data:",
  "connect-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const values = { policy, version, style, worker, module: packed.toString("base64"), script };
const page = read(here, "shell/page.html").replace(/\{\{(\w+)\}\}/gu, (whole, name) => {
  if (values[name] === undefined) {
    throw new Error(`nothing is known of ${whole}`);
  }
  if (/<\/(?:script|style)/iu.test(values[name])) {
    throw new Error(`${name} would end its element`);
  }
  return values[name];
});
writeFileSync(out, page);

const row = (name, bytes) => console.log(`${String(bytes).padStart(10)}  ${name}`);
row("module", module.length);
row("module, packed", packed.length);
row("module, packed, as text", values.module.length);
row("script", script.length);
row("worker", worker.length);
row("style", style.length);
row("page", Buffer.byteLength(page));
console.log(`content security policy: ${policy}`);
