// The case that the page shows: its files, and a session that has read them.

import { Failed, Session } from "./session.js";

/** What a file may have at most: Rust addresses a byte less than 2 GiB in one piece on this target. Measured in both browsers. */
export const MAX_FILE_BYTES = 2000 * 2 ** 20;
/** What the files of a case may have at most, of the 4 GiB of a module's memory; the analysis needs the rest. */
export const MAX_CASE_BYTES = 3 * 2 ** 30;

/** The case is larger than what a page can hold. */
export class TooLarge extends Error {
  constructor(files, bytes) {
    super("too large");
    this.files = files;
    this.bytes = bytes;
  }
}

/** The files of a case, and who can be asked about them. */
export class Held {
  #session = null;
  #reading = null;
  #told;

  /** `told` hears how far a job is. */
  constructor(files, told) {
    this.files = files;
    /** Files at which the program itself failed, or that the browser could not read: a sentence each. */
    this.leftOut = [];
    this.#told = told;
  }

  #open() {
    const session = new Session((progress) => this.#told(progress));
    this.#session = session;
    this.#reading = (async () => {
      const looked = await session.look(this.files);
      const readable = looked.filter(({ unreadable }) => unreadable === undefined);
      const unreadable = looked.filter((one) => one.unreadable !== undefined);
      this.leftOut.push(...unreadable.map((one) => `${one.path}: the browser cannot read it: ${one.unreadable}; not used`));
      this.files = readable;
      const bytes = readable.reduce((sum, one) => sum + one.bytes, 0);
      if (bytes > MAX_CASE_BYTES || readable.some((one) => one.bytes > MAX_FILE_BYTES)) {
        throw new TooLarge(readable, bytes);
      }
      await session.read(readable);
    })();
    // Whoever asks is told.
    this.#reading.catch(() => {});
  }

  /** Asks something about the case. What was cancelled or has failed is read again first. */
  async ask(request) {
    if (!this.#session?.isAlive) {
      this.#open();
    }
    const session = this.#session;
    try {
      await this.#reading;
      return await session.ask(request);
    } catch (error) {
      // After a panic a module is of no use, nor is one with half of the files.
      session.end();
      throw error;
    }
  }

  /** As `ask`; where the program fails at some of several files, goes on without them. */
  async askWithout(request) {
    try {
      return await this.ask(request);
    } catch (error) {
      if (error.why !== "panic" || this.files.length < 2) {
        throw error;
      }
      const bad = await this.#culprits(this.files, request);
      if (bad.length === 0 || bad.length === this.files.length) {
        throw error;
      }
      this.leftOut.push(...bad.map((one) => `${one.path}: the program failed at it, which is a fault of the program; not used`));
      this.files = this.files.filter((one) => !bad.includes(one));
      return this.ask(request);
    }
  }

  // Of files with which the program fails, those with which it fails alone: halves are tried, so that few tries are needed.
  async #culprits(files, request) {
    if (files.length === 1) {
      return files;
    }
    const middle = files.length >> 1;
    const bad = [];
    for (const half of [files.slice(0, middle), files.slice(middle)]) {
      const tried = new Held(half, this.#told);
      // To be ended by whoever ends this one.
      this.#session = tried;
      try {
        await tried.ask(request);
      } catch (error) {
        if (!(error instanceof Failed) || error.why !== "panic") {
          throw error;
        }
        bad.push(...(await this.#culprits(half, request)));
      } finally {
        tried.end();
      }
    }
    return bad;
  }

  /** Ends whatever is being done. */
  end() {
    this.#session?.end();
  }

  /** Whether it is being asked, or can be. */
  get isAlive() {
    return this.#session?.isAlive ?? false;
  }
}
