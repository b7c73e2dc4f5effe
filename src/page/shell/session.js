// The worker that holds a case, and what is asked of it.

import { at } from "./dom.js";

let compiled = null;

/** The module, unpacked and compiled once. */
const theModule = () => {
  compiled ??= (async () => {
    const text = at("module").textContent.trim();
    const packed = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return WebAssembly.compile(await new Response(stream).arrayBuffer());
  })();
  return compiled;
};

let address = null;

/** Where the worker's script is. */
const theWorker = () => {
  address ??= URL.createObjectURL(new Blob([at("worker").textContent], { type: "text/javascript" }));
  return address;
};

/** Why something has no answer: `why` is "memory", "panic", "error" or "cancelled". */
export class Failed extends Error {
  constructor(why, message, panic = {}) {
    super(message);
    this.why = why;
    this.panic = panic;
  }
}

const decoder = new TextDecoder();

/** A worker with a module of its own. `onProgress` is told what it does, how far it is, and how much there is to do. */
export class Session {
  #worker;
  #waiting = new Map();
  #next = 0;
  #ready;

  constructor(onProgress) {
    this.#worker = new Worker(theWorker());
    this.#worker.addEventListener("message", ({ data }) => {
      if (data.type === "progress") {
        onProgress(data);
        return;
      }
      const { resolve, reject } = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if (data.type === "done") {
        resolve(data);
      } else {
        reject(new Failed(data.why, data.message, data.panic));
      }
    });
    // What the browser says where it ends a worker, or cannot start it.
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#end(new Failed("panic", event.message ?? "", { place: "worker", message: event.message ?? "" }));
    });
    this.#ready = theModule().then((module) => this.#call("start", { module }));
    // Whoever waits for it is told.
    this.#ready.catch(() => {});
  }

  #call(type, body) {
    return new Promise((resolve, reject) => {
      if (!this.#worker) {
        reject(new Failed("cancelled", "cancelled"));
        return;
      }
      const id = this.#next;
      this.#next += 1;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ type, id, ...body });
    });
  }

  /** Looks at the beginning of files. */
  async look(files) {
    await this.#ready;
    return (await this.#call("look", { files })).files;
  }

  /** Reads files into the case. */
  async read(files) {
    await this.#ready;
    await this.#call("read", { files });
  }

  /** Asks something of the case: { code, text(), bytes, parts }. */
  async ask(request) {
    await this.#ready;
    const { code, output, parts } = await this.#call("ask", { request });
    return { code, bytes: output, parts, text: () => decoder.decode(output) };
  }

  #end(failed) {
    this.#worker?.terminate();
    this.#worker = null;
    for (const { reject } of this.#waiting.values()) {
      reject(failed);
    }
    this.#waiting.clear();
  }

  /** Ends the worker, whatever it is about; what was asked fails as cancelled. */
  end() {
    this.#end(new Failed("cancelled", "cancelled"));
  }

  /** Whether it can be asked. */
  get isAlive() {
    return this.#worker !== null;
  }
}
