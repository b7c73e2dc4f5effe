// The library's HTML report, made a part of this page.

import { enhance } from "report:enhance";

import { at, make } from "./dom.js";

let margin = null;

/** Puts a report into the page. Its scripts and styles are those of the page; what else it brings is text and pictures. */
export const showReport = (html) => {
  // Styles are taken out before the text is read: the policy of this page would refuse them, and say so.
  const styles = [];
  const text = html.replace(/<style>([^]*?)<\/style>/gu, (_, style) => {
    styles.push(style);
    return "";
  });
  const report = new DOMParser().parseFromString(text, "text/html");
  for (const element of report.querySelectorAll("script, meta, base, link, iframe, object, embed")) {
    element.remove();
  }
  const { zone, server } = report.documentElement.dataset;
  const page = document.documentElement.dataset;
  page.zone = zone;
  if (server === undefined) {
    delete page.server;
  } else {
    page.server = server;
  }
  // The page has a main part already.
  const content = make("div", ...report.querySelector("main").childNodes);
  content.id = "content";
  const parts = [report.querySelector("svg.fills, .fills"), report.querySelector("header"), content, report.querySelector("footer"), report.getElementById("said")];
  at("content").replaceChildren(...parts.filter((part) => part !== null).map((part) => document.adoptNode(part)));
  // The name of the case in the margin of paper: a style of its own for each report.
  margin ??= new CSSStyleSheet();
  margin.replaceSync(styles[1] ?? "");
  document.adoptedStyleSheets = [margin];
  document.title = `${report.title} · outofports`;
  enhance();
};

/** Takes it away. */
export const clearReport = () => {
  at("content").replaceChildren();
  document.adoptedStyleSheets = [];
  document.title = "outofports";
};
