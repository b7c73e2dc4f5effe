// What codes mean. Asked in a worker of its own, which holds no case: it answers while a large trace is read.

import { Session } from "./session.js";
import { at, make, show } from "./dom.js";

let session = null;
let all = null;

const ask = async (code) => {
  session ??= new Session(() => {});
  return session.ask({ ask: "explain", code });
};

const title = ({ kind, code, name }) => {
  if (!name) {
    return code;
  }
  return kind === "event" ? `${name} ${code}` : `${code} ${name}`;
};

const words = (kind) => kind.replaceAll("_", " ");

// Text with code between backticks.
const withCode = (text) => text.split("`").map((piece, number) => (number % 2 === 1 ? make("code", piece) : piece));

const sourceOf = (source) => {
  const is = make("p", "Source: ", source);
  is.className = "note";
  return is;
};

const entry = (one, isOpen) => {
  const summary = make("summary", make("code", title(one)), " ", ...withCode(one.meaning));
  const see = one.see.length > 0 ? [make("p", `See also: ${one.see.join(", ")}`)] : [];
  const details = make("details", summary, make("p", ...withCode(one.explanation)), ...see, ...one.sources.map(sourceOf));
  details.open = isOpen;
  return details;
};

const draw = (list, isOpen) => {
  const kinds = [...new Set(list.map(({ kind }) => kind))];
  const sections = kinds.map((kind) => {
    const heading = make("h2", words(kind)[0].toUpperCase() + words(kind).slice(1));
    return make("section", heading, ...list.filter((one) => one.kind === kind).map((one) => entry(one, isOpen)));
  });
  at("codes").replaceChildren(...sections);
};

const look = async () => {
  const text = at("code").value.trim();
  const lower = text.toLowerCase();
  const found = all.filter((one) => `${title(one)} ${one.meaning}`.toLowerCase().includes(lower));
  if (text === "" || found.length > 0) {
    draw(found, text !== "" && found.length <= 3);
    at("explain-said").textContent = text === "" ? `${found.length} codes` : `${found.length} of ${all.length} codes`;
    return;
  }
  // A number of a status that no list has, or nothing: the library says what is like it.
  const answer = await ask(text);
  if (at("code").value.trim() === text) {
    draw(answer.code === 2 ? [] : JSON.parse(answer.text()), true);
    at("explain-said").textContent = answer.code === 2 ? answer.text() : "";
  }
};

/** Shows the list of codes. */
export const openExplain = async () => {
  if (all === null) {
    at("explain-said").textContent = "Loading";
    try {
      all = JSON.parse((await ask("")).text());
    } catch (error) {
      at("explain-said").textContent = `This browser cannot run the page: ${error.message}`;
      return;
    }
  }
  show(at("codes"), true);
  await look();
};

/** Makes the search work. */
export const startExplain = () => {
  at("code").addEventListener("input", () => {
    if (all !== null) {
      look();
    }
  });
};
