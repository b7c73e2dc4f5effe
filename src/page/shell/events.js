// The events of the case as a list of any length: lines are asked for where they are looked at.

import { at, grouped, make, save, show } from "./dom.js";
import { Shown } from "./progress.js";
import { lineOf } from "./trouble.js";

const ROW = 22;
// What all browsers take as the height of an element; a longer list is scrolled in larger steps.
const MOST_HEIGHT = 8_000_000;
// Lines that are asked for together, and how many such parts are kept.
const PART = 200;
const KEPT = 40;

const list = at("lines");
const rows = at("rows");
const shown = new Shown(at("events-working").querySelector("progress"), at("events-left"));

let host = null;
let count = 0;
let first = 0;
let active = 0;
let expected = -1;
// Grows with each list, so that what comes late is not shown in the next one.
let generation = 0;
let parts = new Map();
let isListed = false;

const visible = () => Math.max(1, Math.floor(list.clientHeight / ROW));
const lastFirst = () => Math.max(0, count - visible());
const height = () => Math.min(count * ROW, MOST_HEIGHT);
const room = () => Math.max(0, height() - list.clientHeight);
const isScaled = () => count * ROW > MOST_HEIGHT;

const topOf = (line) => {
  if (!isScaled()) {
    return line * ROW;
  }
  return lastFirst() === 0 ? 0 : (line / lastFirst()) * room();
};

// A part of the list, once it is there.
const part = (number) => {
  const known = parts.get(number);
  if (known) {
    // The last used is the last to go.
    parts.delete(number);
    parts.set(number, known);
    return known;
  }
  const asked = { lines: null };
  parts.set(number, asked);
  if (parts.size > KEPT) {
    parts.delete(parts.keys().next().value);
  }
  const of = generation;
  host.ask({ ask: "lines", format: "text", from: number * PART, count: PART }).then(
    (answer) => {
      if (of === generation) {
        asked.lines = answer.text().split("\n");
        draw();
      }
    },
    () => parts.delete(number),
  );
  return asked;
};

const draw = () => {
  const last = Math.min(count, first + visible() + 2);
  const drawn = [];
  for (let line = first; line < last; line += 1) {
    const { lines } = part(Math.floor(line / PART));
    const row = make("div", lines ? (lines[line % PART] ?? "") : "…");
    row.id = `page-line-${line}`;
    row.setAttribute("role", "option");
    row.setAttribute("aria-posinset", String(line + 1));
    row.setAttribute("aria-setsize", String(count));
    row.setAttribute("aria-selected", String(line === active));
    row.dataset.line = String(line);
    drawn.push(row);
  }
  rows.replaceChildren(...drawn);
  rows.style.transform = `translateY(${isScaled() ? list.scrollTop : first * ROW}px)`;
  if (active >= first && active < last) {
    list.setAttribute("aria-activedescendant", `page-line-${active}`);
  } else {
    list.removeAttribute("aria-activedescendant");
  }
};

const scrollTo = (line) => {
  first = Math.min(Math.max(0, line), lastFirst());
  list.scrollTop = topOf(first);
  expected = list.scrollTop;
  draw();
};

// One JSON object in lines, without reading its numbers: some have more digits than JavaScript keeps.
const indented = (json) => {
  let text = "";
  let depth = 0;
  let isString = false;
  const line = () => `\n${"  ".repeat(depth)}`;
  for (let place = 0; place < json.length; place += 1) {
    const character = json[place];
    if (isString) {
      text += character;
      if (character === "\\") {
        place += 1;
        text += json[place] ?? "";
      }
      isString = character !== '"';
    } else if (character === "{" || character === "[") {
      depth += 1;
      text += character + (/[}\]]/u.test(json[place + 1] ?? "") ? "" : line());
    } else if (character === "}" || character === "]") {
      depth -= 1;
      text += (/[{[]/u.test(json[place - 1] ?? "") ? "" : line()) + character;
    } else if (character === ",") {
      text += character + line();
    } else {
      isString = character === '"';
      text += character === ":" ? ": " : character;
    }
  }
  return text;
};

let wanted = -1;

// The fields of the event at hand; of several that are passed quickly the last.
const tellFields = async () => {
  wanted = active;
  const of = generation;
  const answer = await host.ask({ ask: "lines", format: "ndjson", from: active, count: 1 });
  if (of === generation && wanted === active) {
    at("fields").textContent = indented(answer.text().trimEnd());
    show(at("event"), true);
  }
};

const choose = (line) => {
  active = Math.min(Math.max(0, line), count - 1);
  if (active < first) {
    scrollTo(active);
  } else if (active >= first + visible()) {
    scrollTo(active - visible() + 1);
  } else {
    draw();
  }
  tellFields().catch(() => {});
};

const clear = () => {
  generation += 1;
  parts = new Map();
  count = 0;
  isListed = false;
  show(list, false);
  show(at("event"), false);
  show(at("event-download"), false);
  rows.replaceChildren();
  at("remarks").replaceChildren();
  at("count").textContent = "";
  at("events-wrong").textContent = "";
};

const find = async () => {
  clear();
  const of = generation;
  const fields = Object.fromEntries(new FormData(at("filter")));
  const filter = { ...fields, all: fields.all !== "" };
  shown.begin();
  show(at("events-working"), true);
  host.watch(shown);
  isListed = true;
  try {
    const answer = await host.ask({ ask: "events", filter, ...host.look() });
    if (of !== generation) {
      return;
    }
    if (answer.code === 2) {
      at("events-wrong").textContent = answer.text();
      return;
    }
    const { events, remarks } = JSON.parse(answer.text());
    count = events;
    active = 0;
    at("count").textContent = events === 1 ? "1 event" : `${grouped(events)} events`;
    at("remarks").replaceChildren(...remarks.map((remark) => make("li", remark)));
    show(list, events > 0);
    show(at("event-download"), events > 0);
    at("height").style.height = `${height()}px`;
    scrollTo(0);
  } catch (error) {
    if (of === generation) {
      isListed = false;
      at("events-wrong").textContent = error.why === "cancelled" ? "Cancelled." : lineOf(error, host.files());
    }
  } finally {
    if (of === generation) {
      show(at("events-working"), false);
    }
  }
};

const types = { ndjson: "application/x-ndjson", csv: "text/csv", text: "text/plain" };

const download = async () => {
  const { format } = Object.fromEntries(new FormData(at("event-download")));
  try {
    const answer = await host.ask({ ask: "event_file", format });
    if (answer.code === 2) {
      throw new Error(answer.text());
    }
    save(host.fileName(`events.${format === "text" ? "txt" : format}`), types[format], answer.parts);
  } catch (error) {
    at("events-wrong").textContent = lineOf(error, host.files());
  }
};

/** Makes the list work. `of` is the case: what can be asked, and how it is to be shown. */
export const startEvents = (of) => {
  host = of;
  list.addEventListener("scroll", () => {
    // Where the list itself has scrolled, it knows better which line is the first.
    if (Math.abs(list.scrollTop - expected) >= 1) {
      expected = -1;
      const line = isScaled() ? (list.scrollTop / room()) * lastFirst() : list.scrollTop / ROW;
      first = Math.min(Math.max(0, Math.floor(line)), lastFirst());
    }
    draw();
  });
  rows.addEventListener("click", (event) => {
    const row = event.target.closest("[data-line]");
    if (row) {
      choose(Number(row.dataset.line));
    }
  });
  const keys = {
    ArrowDown: () => active + 1,
    ArrowUp: () => active - 1,
    PageDown: () => active + visible(),
    PageUp: () => active - visible(),
    Home: () => 0,
    End: () => count - 1,
    Enter: () => active,
  };
  list.addEventListener("keydown", (event) => {
    const to = keys[event.key];
    if (to && count > 0 && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      choose(to());
    }
  });
  at("filter").addEventListener("submit", (event) => {
    event.preventDefault();
    find();
  });
  at("event-download").addEventListener("submit", (event) => {
    event.preventDefault();
    download();
  });
  at("events-cancel").addEventListener("click", () => host.cancel());
  new ResizeObserver(() => count > 0 && draw()).observe(list);
};

/** Forgets the list: another case, or another look. */
export const clearEvents = clear;

/** Lists the failures, where nothing is listed yet. */
export const openEvents = () => {
  if (!isListed) {
    find();
  }
};
