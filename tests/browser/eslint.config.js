import js from "@eslint/js";

const readonly = (list) => Object.fromEntries(list.map((name) => [name, "readonly"]));

const rules = {
  ...js.configs.recommended.rules,
  curly: "error",
  eqeqeq: "error",
  "no-eval": "error",
  "no-implied-eval": "error",
  "no-param-reassign": "error",
  "no-shadow": "error",
  "no-unused-expressions": "error",
  "no-var": "error",
  "prefer-const": "error",
  "prefer-template": "error",
  "require-unicode-regexp": "error",
};

export default [
  {
    // What stands in the page: one script, in strict mode.
    files: ["**/script/*.js"],
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: "script",
      globals: readonly(["document", "navigator", "Event", "setTimeout"]),
    },
    rules,
  },
  {
    // The page that reads traces, and its worker.
    files: ["src/page/shell/*.js"],
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: "module",
      globals: readonly([
        "Blob", "CSSStyleSheet", "DOMParser", "DecompressionStream", "File", "FormData", "ResizeObserver", "Response", "TextDecoder",
        "TextEncoder", "URL", "WebAssembly", "Worker", "addEventListener", "atob", "crypto", "document", "navigator", "performance",
        "postMessage", "setTimeout", "window",
      ]),
    },
    rules,
  },
  {
    // What drives it.
    files: ["**/*.mjs", "**/*.config.js"],
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: "module",
      globals: readonly([
        "Blob", "Buffer", "DOMParser", "DataTransfer", "DragEvent", "Event", "HTMLAnchorElement", "Image", "TextDecoder", "URL", "WebAssembly", "Worker",
        "clearInterval", "console", "document", "fetch", "getComputedStyle", "navigator", "performance", "process", "requestAnimationFrame", "setInterval",
        "setTimeout", "window",
      ]),
    },
    rules,
  },
];
