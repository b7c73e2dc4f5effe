// The module of the page, in Node: to find what makes it panic.

import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";
import { gunzipSync } from "node:zlib";

/** The module that a page holds. */
export const moduleOf = (path) => {
  const [, text] = /id="page-module">([^<]+)</u.exec(readFileSync(path, "utf8"));
  return new WebAssembly.Module(gunzipSync(Buffer.from(text, "base64")));
};

const isPanic = (module, name, bytes) => {
  let hasPanicked = false;
  const nothing = () => {};
  const page = {
    random: (at, length) => webcrypto.getRandomValues(new Uint8Array(instance.exports.memory.buffer, at, length)),
    panicked: () => {
      hasPanicked = true;
    },
    progress: nothing,
    part: nothing,
  };
  const imports = { page };
  for (const { module: from, name: of } of WebAssembly.Module.imports(module)) {
    if (from !== "page") {
      imports[from] ??= {};
      imports[from][of] = nothing;
    }
  }
  const instance = new WebAssembly.Instance(module, imports);
  const { room, file_room: fileRoom, add, ask, memory } = instance.exports;
  const write = (to, data) => {
    // Memory may grow, and then is another.
    const at = to(data.length);
    new Uint8Array(memory.buffer, at, data.length).set(data);
  };
  try {
    write(fileRoom, bytes);
    write(room, Buffer.from(name));
    add(0);
    write(room, Buffer.from('{"ask":"analyze"}'));
    ask();
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError)) {
      throw error;
    }
  }
  return hasPanicked;
};

/** The file with one byte of its first 96 damaged so that the module panics; null where none does. */
export const panics = (module, name, bytes) => {
  for (let at = 0; at < 96; at += 1) {
    for (const damage of [0xff, 0x07]) {
      const damaged = Buffer.from(bytes);
      damaged[at] = damage;
      if (isPanic(module, name, damaged)) {
        return damaged;
      }
    }
  }
  return null;
};
