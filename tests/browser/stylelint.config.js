export default {
  extends: ["stylelint-config-standard"],
  rules: {
    // Classes are those of the JSON report where there are such.
    "selector-class-pattern": "^[a-z][a-z0-9_-]*$",
  },
};
