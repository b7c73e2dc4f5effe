// The page: takes a case, has it analyzed, shows what comes of it.

import { clearEvents, openEvents, startEvents } from "./events.js";
import { openExplain, startExplain } from "./explain.js";
import { chosen, dropped, pasted } from "./files.js";
import { Held } from "./held.js";
import { clearInfo, openInfo, startInfo } from "./info.js";
import { Shown } from "./progress.js";
import { clearReport, showReport } from "./report.js";
import { lineOf, showTrouble } from "./trouble.js";
import { at, copyButton, make, save, say, show, size } from "./dom.js";

const tabs = ["report", "events", "info", "explain"];
const working = new Shown(at("progress"), at("left"), at("doing"));
const redrawing = new Shown(at("redraw").querySelector("progress"), at("redraw-left"));

let held = null;
let summary = null;
let watching = working;
let pastedSoFar = 0;
// There is something to save, and to look at in another way.
let hasReport = false;
// Grows with each case and each wish, so that what comes late is not shown.
let generation = 0;

// --- Tabs ---

const opened = { events: openEvents, info: openInfo, explain: openExplain };

const select = (name) => {
  for (const tab of tabs) {
    const button = at(`tab-${tab}`);
    button.setAttribute("aria-selected", String(tab === name));
    button.tabIndex = tab === name ? 0 : -1;
    show(at(tab), tab === name);
  }
  // Explanations depend on no case.
  show(at("bar"), hasReport && name !== "explain");
  opened[name]?.();
};

const isAble = (name) => at(`tab-${name}`).getAttribute("aria-disabled") !== "true";

const enable = (areAble) => {
  hasReport = areAble;
  show(at("bar"), areAble && at("explain").hidden);
  for (const name of ["events", "info"]) {
    if (areAble) {
      at(`tab-${name}`).removeAttribute("aria-disabled");
    } else {
      at(`tab-${name}`).setAttribute("aria-disabled", "true");
    }
  }
};

const move = (event) => {
  const able = tabs.filter(isAble);
  const here = able.findIndex((name) => event.target === at(`tab-${name}`));
  const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: able.length - 1 }[event.key];
  if (here >= 0 && to !== undefined) {
    event.preventDefault();
    const name = able[(to + able.length) % able.length];
    select(name);
    at(`tab-${name}`).focus();
  }
};

// --- How things are shown ---

const option = (name) => at("options").elements[name].value.trim();

// Minutes ahead of UTC as an offset, at the time of the case.
const localOffset = () => {
  const begin = summary?.begin ? new Date(summary.begin) : new Date();
  const ahead = -begin.getTimezoneOffset();
  const minutes = Math.abs(ahead);
  const two = (number) => String(number).padStart(2, "0");
  return `${ahead < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
};

const look = () => {
  const zones = { local: localOffset, other: () => option("offset") || "utc" };
  const zone = option("zone");
  return { zone: zones[zone]?.() ?? zone, redact: option("redact") };
};

// --- The case ---

const sections = ["empty", "working", "error"];

const only = (name) => {
  for (const section of sections) {
    show(at(section), section === name);
  }
};

const tellUnusable = () => {
  const lines = [...summary.unusable, ...held.leftOut];
  const box = at("unusable");
  show(box, lines.length > 0);
  const title = make("p", make("strong", "Not everything could be used:"));
  box.replaceChildren(title, make("ul", ...lines.map((line) => make("li", line))));
};

const report = async (format, table = "") =>
  held.ask({ ask: "report", format, table, pool: option("pool"), ...look() });

const analyze = async () => {
  generation += 1;
  const of = generation;
  clearReport();
  clearEvents();
  clearInfo();
  summary = null;
  enable(false);
  show(at("unusable"), false);
  at("wrong").textContent = "";
  select("report");
  only("working");
  watching = working;
  const files = held.files;
  working.begin(files.length === 1 ? `Reading ${files[0].path}` : `Reading ${files.length} files`);
  const named = files.slice(0, 8).map(({ path, file }) => make("li", `${path}, ${size(file.size)}`));
  const more = files.length > 8 ? [make("li", `and ${files.length - 8} more`)] : [];
  at("files").replaceChildren(...named, ...more);
  at("doing").focus();
  try {
    const analyzed = await held.askWithout({ ask: "analyze", pool: option("pool") });
    if (of !== generation) {
      return;
    }
    if (analyzed.code === 2) {
      throw new Error([...held.leftOut, analyzed.text()].join("\n"));
    }
    summary = JSON.parse(analyzed.text());
    await draw(of);
    say(`The report is there: ${document.querySelector("#page-content h1").textContent.trim()}`);
    at("main").focus();
    window.scrollTo(0, 0);
  } catch (error) {
    if (of !== generation) {
      return;
    }
    if (error.why === "cancelled") {
      again();
      say("Cancelled");
      return;
    }
    only("error");
    showTrouble(error, held.files);
  }
};

// Shows the report as it is wished for.
const draw = async (of) => {
  const answer = await report("html");
  if (of !== generation) {
    return;
  }
  if (answer.code === 2) {
    throw new Error(answer.text());
  }
  only("");
  showReport(answer.text());
  at("options").elements.zone.querySelector("[value=server]").disabled = !summary.knows_server_zone;
  tellUnusable();
  enable(true);
};

const take = (files) => {
  if (files.length === 0) {
    return;
  }
  held?.end();
  held = new Held(files, (progress) => watching.tell(progress));
  analyze();
};

const add = (files) => take([...(held?.files ?? []), ...files]);

const again = () => {
  generation += 1;
  held?.end();
  held = null;
  summary = null;
  pastedSoFar = 0;
  clearReport();
  clearEvents();
  clearInfo();
  enable(false);
  show(at("unusable"), false);
  select("report");
  only("empty");
  at("choose").focus();
};

// Another look at the same case.
const redraw = async () => {
  show(at("offset"), option("zone") === "other");
  if (!summary) {
    return;
  }
  generation += 1;
  const of = generation;
  at("wrong").textContent = "";
  clearEvents();
  clearInfo();
  watching = redrawing;
  redrawing.begin();
  show(at("redraw"), true);
  try {
    await draw(of);
    opened[tabs.find((name) => !at(name).hidden)]?.();
    say("The report is shown anew");
  } catch (error) {
    if (of === generation) {
      at("wrong").textContent = lineOf(error, held.files);
    }
  } finally {
    if (of === generation) {
      show(at("redraw"), false);
    }
  }
};

const types = { html: ["html", "text/html"], markdown: ["md", "text/markdown"], json: ["json", "application/json"], csv: ["csv", "text/csv"], text: ["txt", "text/plain"] };

// The name of the first file, unless names are replaced.
const fileName = (rest) => {
  const base = option("redact") ? "report" : held.files[0].path.split("/").at(-1).replace(/\.[^.]*$/u, "");
  return `${base || "report"}.${rest}`;
};

const download = async () => {
  const [format, table = ""] = at("download").elements.format.value.split(" ");
  const [ending, type] = types[format];
  try {
    const answer = await report(format, table);
    if (answer.code === 2) {
      throw new Error(answer.text());
    }
    save(fileName(table ? `${table}.${ending}` : ending), type, [answer.bytes]);
    say("Saved");
  } catch (error) {
    at("wrong").textContent = lineOf(error, held.files);
  }
};

// On a narrow screen the answer comes first.
at("bar").open = window.innerWidth > 640;

// --- What people do ---

const host = {
  ask: (request) => held.ask(request),
  look,
  files: () => held?.files ?? [],
  fileName,
  watch: (shown) => {
    watching = shown;
  },
  cancel: () => held?.end(),
};

startEvents(host);
startInfo(host);
startExplain();

for (const name of tabs) {
  at(`tab-${name}`).addEventListener("click", () => {
    if (isAble(name)) {
      select(name);
    }
  });
}
at("tabs").addEventListener("keydown", move);

// Whether what is chosen or pasted joins the case.
let joins = false;
const choose = (input, isMore) => {
  joins = isMore;
  at(input).click();
};
at("choose").addEventListener("click", () => choose("input", false));
at("error-choose").addEventListener("click", () => choose("input", false));
at("choose-folder").addEventListener("click", () => choose("input-folder", false));
at("more").addEventListener("click", () => choose("input", true));
for (const input of ["input", "input-folder"]) {
  at(input).addEventListener("change", () => {
    const files = chosen(at(input));
    if (joins) {
      add(files);
    } else {
      take(files);
    }
  });
}

const paste = () => {
  at("text").value = "";
  at("paste").showModal();
};
at("paste-open").addEventListener("click", paste);
at("add-listing").addEventListener("click", paste);
at("error-paste").addEventListener("click", paste);
at("paste").addEventListener("close", () => {
  const text = at("text").value;
  if (at("paste").returnValue === "add" && text.trim() !== "") {
    pastedSoFar += 1;
    add([pasted(text, pastedSoFar)]);
  }
});

at("again").addEventListener("click", again);
at("cancel").addEventListener("click", () => held?.end());
at("print").addEventListener("click", () => window.print());
at("download").addEventListener("submit", (event) => {
  event.preventDefault();
  download();
});
at("options").addEventListener("submit", (event) => event.preventDefault());
at("options").addEventListener("change", redraw);

const isOfFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
for (const name of ["dragenter", "dragover"]) {
  document.addEventListener(name, (event) => {
    if (isOfFiles(event)) {
      event.preventDefault();
      document.body.classList.add("page-over");
    }
  });
}
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) {
    document.body.classList.remove("page-over");
  }
});
document.addEventListener("drop", async (event) => {
  document.body.classList.remove("page-over");
  if (!isOfFiles(event)) {
    return;
  }
  // Or the browser would leave the page, and show the file.
  event.preventDefault();
  if (at("paste").open) {
    return;
  }
  try {
    take(await dropped(event.dataTransfer));
  } catch (error) {
    only("error");
    showTrouble(new Error(`What was dropped cannot be read: ${error.message}`), []);
  }
});

// The commands of the first page are copied as those of a report are.
for (const command of document.querySelectorAll("#page-empty pre.command")) {
  const text = command.querySelector("code").textContent;
  const button = copyButton("Copy", () => text);
  button.className = "copy";
  button.setAttribute("aria-label", `Copy: ${text}`);
  command.append(button);
}
