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
    // What drives it.
    files: ["**/*.mjs", "**/*.config.js"],
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: "module",
      globals: readonly(["document", "window", "navigator", "getComputedStyle", "process", "URL"]),
    },
    rules,
  },
];
