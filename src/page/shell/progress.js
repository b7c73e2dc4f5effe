// How far a job is, in words and as a bar.

import { size, span } from "./dom.js";

const words = {
  read: "Reading",
  analyze: "Analyzing",
  report: "Analyzing",
  events: "Finding events",
  info: "Looking at all records",
};

// After so many seconds a guess is worth something.
const GUESS_AFTER = 1;

/** Shows progress in a <progress> and a text; `heading`, where there is one, says what is done. */
export class Shown {
  #bar;
  #text;
  #heading;
  #step = "";
  #since = 0;

  constructor(bar, text, heading = null) {
    this.#bar = bar;
    this.#text = text;
    this.#heading = heading;
  }

  /** Before anything is known. */
  begin(title) {
    this.#step = "";
    this.#bar.removeAttribute("value");
    this.#text.textContent = "";
    if (this.#heading) {
      this.#heading.textContent = title;
    }
  }

  /** What the worker says. */
  tell({ step, done, total }) {
    const now = performance.now();
    if (step !== this.#step || done === 0) {
      this.#step = step;
      this.#since = now;
      if (this.#heading) {
        this.#heading.textContent = words[step] ?? "Working";
      }
    }
    if (total === 0) {
      this.#bar.removeAttribute("value");
      return;
    }
    this.#bar.max = total;
    this.#bar.value = done;
    const seconds = (now - this.#since) / 1000;
    const left = seconds > GUESS_AFTER && done > 0 ? `, about ${span((seconds * (total - done)) / done)} left` : "";
    this.#text.textContent = `${size(done)} of ${size(total)}${left}`;
  }
}
