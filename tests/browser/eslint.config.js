import js from "@eslint/js";

const names = (list) => Object.fromEntries(list.map((name) => [name, "readonly"]));

export default [
  {
    // What stands in the page: one script, in strict mode.
    files: ["**/script/*.js"],
    ...js.configs.all,
    languageOptions: {
      ecmaVersion: 2022,
      sourceType: "script",
      globals: names(["document", "navigator", "Event", "setTimeout"]),
    },
  },
];
