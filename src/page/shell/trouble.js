// What went wrong, and what to do: as the command line says it.

import { Failed } from "./session.js";
import { MAX_CASE_BYTES, MAX_FILE_BYTES, TooLarge } from "./held.js";
import { at, copyButton, make, show, size } from "./dom.js";

const quoted = (name) => (/^[\w.\\/-]+$/u.test(name) ? name : `"${name}"`);

/** The program's command for files: what people give, folders once. */
const command = (files) => {
  const names = files.map(({ path, isInFolder }) => (isInFolder ? path.split("/")[0] : path));
  return `outofports analyze ${[...new Set(names)].map(quoted).join(" ")} -o report.html`;
};

const commandLine = (text) => {
  const pre = make("pre", make("code", text));
  pre.className = "command";
  pre.append(copyButton("Copy", () => text));
  return pre;
};

const useTheProgram = (files) => [
  make("p", "The program reads files of any size, on the same computer:"),
  commandLine(command(files)),
];

// What may be sent: where the program stopped, and nothing of the case.
const details = (panic, files) =>
  [
    document.querySelector("meta[name=generator]").content,
    `place: ${panic.place || "not told"}`,
    `message: ${panic.message || "not told"}`,
    `trap: ${panic.trap || "none"}`,
    `step: ${panic.step || "none"}`,
    `memory: ${size(panic.memory ?? 0)}`,
    `files: ${files.map(({ path, file }) => `${/\.[a-z0-9]{1,5}$/iu.exec(path)?.[0] ?? "no ending"}, ${size(file.size)}`).join("; ")}`,
    `browser: ${navigator.userAgent}`,
  ].join("\n");

const told = (error, files) => {
  if (error instanceof TooLarge) {
    const large = error.files.filter(({ bytes }) => bytes > MAX_FILE_BYTES);
    const reasons = large.map(({ path, bytes }) => `${path}: ${size(bytes)} are more than a page can hold in one piece (${size(MAX_FILE_BYTES)})`);
    if (error.bytes > MAX_CASE_BYTES) {
      reasons.push(`The files have ${size(error.bytes)} together, more than a page can hold (${size(MAX_CASE_BYTES)})`);
    }
    return { title: "Too large for a page", reasons, advice: useTheProgram(error.files) };
  }
  if (error instanceof Failed && error.why === "memory") {
    const reasons = ["There is not memory enough in this tab to read the case"];
    return { title: "Too large for this tab", reasons, advice: useTheProgram(files) };
  }
  if (error instanceof Failed && error.why === "panic") {
    const text = details(error.panic, files);
    const pre = make("pre", text);
    pre.tabIndex = 0;
    pre.setAttribute("role", "region");
    pre.setAttribute("aria-label", "Details");
    return {
      title: "The program failed",
      reasons: ["This is a fault of the program, not of your files. It has stopped; the page can go on with another case."],
      advice: [
        make("p", "These details help to find it. They tell nothing that the files hold, and not their names:"),
        pre,
        make("p", copyButton("Copy the details", () => text)),
        ...useTheProgram(files),
      ],
    };
  }
  return { title: "No report", reasons: error.message.split("\n"), advice: [] };
};

/** Shows why there is no report. */
export const showTrouble = (error, files) => {
  const { title, reasons, advice } = told(error, files);
  at("error-title").textContent = title;
  at("reasons").replaceChildren(...reasons.map((reason) => make("li", reason)));
  at("advice").replaceChildren(...advice);
  show(at("error"), true);
  document.title = `${title} · outofports`;
  at("error-title").focus();
};

/** The same in a line, beside what is shown. */
export const lineOf = (error, files) => {
  const { title, reasons } = told(error, files);
  return title === "No report" ? reasons.join(" ") : `${title}: ${reasons.join(" ")}`;
};
