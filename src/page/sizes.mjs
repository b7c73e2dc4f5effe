// What a module is made of: node sizes.mjs MODULE.wasm
// By section, and code by crate, which the names of functions tell where they were not stripped.

import { readFileSync } from "node:fs";

const bytes = readFileSync(process.argv[2]);
let at = 8;

const number = () => {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at];
    at += 1;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) {
      return value;
    }
  }
};

const text = () => {
  const length = number();
  at += length;
  return bytes.toString("utf8", at - length, at);
};

const SECTIONS = ["custom", "types", "imports", "functions", "tables", "memories", "globals", "exports", "start", "elements", "code", "data", "data count"];
const sections = new Map();
const bodies = [];
const names = new Map();
let imported = 0;

while (at < bytes.length) {
  const id = bytes[at];
  at += 1;
  const size = number();
  const end = at + size;
  const name = id === 0 ? `custom: ${text()}` : SECTIONS[id];
  sections.set(name, (sections.get(name) ?? 0) + size);
  if (id === 2) {
    for (let left = number(); left > 0; left -= 1) {
      text();
      text();
      const kind = bytes[at];
      at += 1;
      if (kind === 0) {
        imported += 1;
        number();
      } else {
        throw new Error("an import that is no function");
      }
    }
  } else if (id === 10) {
    for (let left = number(); left > 0; left -= 1) {
      const length = number();
      bodies.push(length);
      at += length;
    }
  } else if (name === "custom: name") {
    while (at < end) {
      const kind = bytes[at];
      at += 1;
      const behind = number() + at;
      for (let left = kind === 1 ? number() : 0; left > 0; left -= 1) {
        const function_ = number();
        names.set(function_, text());
      }
      at = behind;
    }
  }
  at = end;
}

// Crates in a mangled name, in their order: `C`, a number that tells versions apart, the name's length, the name.
const cratesOf = (mangled) =>
  [...mangled.matchAll(/C(?:s[0-9A-Za-z]*_)?(\d+)_?([a-z]\w*)/gu)].map(([, length, rest]) => rest.slice(0, Number(length)));

const row = (size, name) => console.log(`${String(size).padStart(10)}  ${name}`);
[...sections].sort(([, one], [, other]) => other - one).forEach(([name, size]) => row(size, name));
if (names.size > 0) {
  const crates = new Map();
  bodies.forEach((size, position) => {
    const named = cratesOf(names.get(imported + position) ?? "");
    // Code of the standard library that was made for another crate counts as that one's.
    const crate = named.find((name) => !["core", "alloc", "std"].includes(name)) ?? named[0] ?? "(other)";
    crates.set(crate, (crates.get(crate) ?? 0) + size);
  });
  console.log("\ncode by crate");
  [...crates].sort(([, one], [, other]) => other - one).slice(0, 20).forEach(([name, size]) => row(size, name));
}
