// What the files of the case hold.

import { at, make, save, show } from "./dom.js";
import { Shown } from "./progress.js";
import { lineOf } from "./trouble.js";

const shown = new Shown(at("info-working").querySelector("progress"), at("info-left"));

let host = null;
let isAsked = false;
let generation = 0;

/** Forgets it: another case, or another look. */
export const clearInfo = () => {
  generation += 1;
  isAsked = false;
  show(at("info-text"), false);
  show(at("info-save"), false);
  show(at("info-working"), false);
  at("info-wrong").textContent = "";
};

const ask = (format) => {
  const width = window.innerWidth < 640 ? 60 : 100;
  return host.ask({ ask: "info", format, width, ...host.look() });
};

const BOLD = "\u001b[1m";
const PLAIN = "\u001b[0m";

// Text of the program, whose headings stand between escape sequences.
const withHeadings = (text) =>
  text.split(BOLD).flatMap((piece, number) => {
    const end = number === 0 ? -1 : piece.indexOf(PLAIN);
    return end < 0 ? [piece] : [make("strong", piece.slice(0, end)), piece.slice(end + PLAIN.length)];
  });

/** Shows it, where it is not shown yet. */
export const openInfo = async () => {
  if (isAsked) {
    return;
  }
  clearInfo();
  isAsked = true;
  const of = generation;
  shown.begin();
  show(at("info-working"), true);
  host.watch(shown);
  try {
    const answer = await ask("text");
    if (of !== generation) {
      return;
    }
    if (answer.code === 2) {
      at("info-wrong").textContent = answer.text();
      return;
    }
    at("info-text").replaceChildren(...withHeadings(answer.text()));
    show(at("info-text"), true);
    show(at("info-save"), true);
  } catch (error) {
    if (of === generation) {
      isAsked = false;
      at("info-wrong").textContent = error.why === "cancelled" ? "Cancelled." : lineOf(error, host.files());
    }
  } finally {
    if (of === generation) {
      show(at("info-working"), false);
    }
  }
};

/** Makes it work. */
export const startInfo = (of) => {
  host = of;
  at("info-cancel").addEventListener("click", () => host.cancel());
  at("info-save").addEventListener("click", async () => {
    try {
      const answer = await ask("json");
      save(host.fileName("info.json"), "application/json", [answer.bytes]);
    } catch (error) {
      at("info-wrong").textContent = lineOf(error, host.files());
    }
  });
};
