// Reads the files of a case into the module's memory, and answers what the page asks. It does one thing at a time; to stop it,
// the page ends it.

// What shows whether a file is to be read whole: as much as the library looks at.
const SNIFFED_BYTES = 1 << 20;
// Milliseconds between two messages about progress.
const TOLD_EVERY = 100;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

let exports = null;
let panic = null;
let parts = [];
let step = "";
let toldAt = 0;

// Addresses above 2 GiB come as negative numbers.
const memory = (at, bytes) => new Uint8Array(exports.memory.buffer, at >>> 0, bytes >>> 0);

const tell = (done, total) => {
  const now = performance.now();
  if (now - toldAt >= TOLD_EVERY || done === 0) {
    toldAt = now;
    postMessage({ type: "progress", step, done: Math.min(done, total), total, memory: exports.memory.buffer.byteLength });
  }
};

const page = {
  random: (at, bytes) => {
    // 65,536 bytes at most are drawn at once.
    for (let done = 0; done < bytes; done += 65536) {
      crypto.getRandomValues(memory((at >>> 0) + done, Math.min(65536, bytes - done)));
    }
  },
  panicked: (message, messageBytes, place, placeBytes) => {
    panic = { message: decoder.decode(memory(message, messageBytes)), place: decoder.decode(memory(place, placeBytes)) };
  },
  progress: (read, expected) => tell(read, expected),
  part: (at, bytes) => parts.push(memory(at, bytes).slice()),
};

// zip brings a library that needs functions of its own, for packing with a password. Nothing here packs, so nothing calls them.
const importsOf = (module) => {
  const all = { page };
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    if (from !== "page") {
      all[from] ??= {};
      all[from][name] = () => {
        throw new Error(`${name} was called`);
      };
    }
  }
  return all;
};

class NoMemory extends Error {}

const write = (room, bytes) => {
  const at = room(bytes.length) >>> 0;
  if (at === 0 && bytes.length > 0) {
    throw new NoMemory();
  }
  memory(at, bytes.length).set(bytes);
};

// Copies the first bytes of a file into the room for files.
const copy = async (file, bytes, told) => {
  const at = exports.file_room(bytes) >>> 0;
  if (at === 0 && bytes > 0) {
    throw new NoMemory();
  }
  // Piece by piece: a browser holds few of them at once, and gives them faster than slices.
  const reader = file.slice(0, bytes).stream().getReader();
  let done = 0;
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    memory(at + done, piece.value.length).set(piece.value);
    done += piece.value.length;
    told(done);
  }
  if (done !== bytes) {
    throw new Error("it became shorter while it was read");
  }
};

const isWorthReading = async ({ file, path }) => {
  await copy(file, Math.min(file.size, SNIFFED_BYTES), () => {});
  write(exports.room, encoder.encode(path));
  return exports.is_worth_reading() === 1;
};

// Looks at the first bytes of each file, and says how much of it is to be read.
const look = async (files) => {
  const looked = [];
  for (const one of files) {
    let bytes = one.file.size;
    try {
      bytes = bytes <= SNIFFED_BYTES || (await isWorthReading(one)) ? bytes : SNIFFED_BYTES;
      looked.push({ ...one, bytes });
    } catch (error) {
      looked.push({ ...one, bytes: 0, unreadable: error instanceof NoMemory ? "there is not memory enough" : error.message });
    }
  }
  return looked;
};

const read = async (files) => {
  step = "read";
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let before = 0;
  tell(0, total);
  for (const { file, path, isInFolder, bytes } of files) {
    await copy(file, bytes, (done) => tell(before + done, total));
    write(exports.room, encoder.encode(path));
    exports.add(isInFolder ? 1 : 0);
    before += bytes;
  }
};

const ask = (request) => {
  step = request.ask;
  toldAt = 0;
  parts = [];
  write(exports.room, encoder.encode(JSON.stringify(request)));
  const code = exports.ask();
  const output = memory(exports.output(), exports.output_bytes()).slice();
  return { code, output, parts };
};

const done = {
  start: ({ module }) => {
    exports = new WebAssembly.Instance(module, importsOf(module)).exports;
    return {};
  },
  look: async ({ files }) => ({ files: await look(files) }),
  read: async ({ files }) => {
    await read(files);
    return {};
  },
  ask: ({ request }) => ask(request),
};

// One after the other, in the order in which they came.
let turn = Promise.resolve();
addEventListener("message", ({ data }) => {
  turn = turn.then(async () => {
    try {
      const answer = await done[data.type](data);
      // What is large changes hands, and is not copied.
      const large = [answer.output, ...(answer.parts ?? [])].filter((one) => one !== undefined).map(({ buffer }) => buffer);
      postMessage({ type: "done", id: data.id, ...answer }, large);
    } catch (error) {
      // A program that gets no memory stops without a panic; a browser says it in its own words.
      const isTrap = error instanceof WebAssembly.RuntimeError;
      const isStopped = isTrap && panic === null && /unreachable/u.test(error.message);
      const isMemory = error instanceof NoMemory || isStopped || /(?:memory|buffer|array).*(?:alloc|size|length)|alloc.*memory/iu.test(error.message);
      const bytes = exports?.memory.buffer.byteLength ?? 0;
      const isFault = isTrap || /call stack|too much recursion/iu.test(error.message);
      const why = isMemory ? "memory" : isFault ? "panic" : "error";
      const stack = why === "panic" ? String(error.message) : "";
      postMessage({ type: "failed", id: data.id, why, message: error.message, panic: { ...panic, trap: stack, memory: bytes, step } });
    }
  });
});
