// Short ways to elements.

/** The element with an id, which begins with "page-". */
export const at = (id) => document.getElementById(`page-${id}`);

/** A new element with text or other elements in it. */
export const make = (name, ...inside) => {
  const element = document.createElement(name);
  element.append(...inside);
  return element;
};

/** Shows an element, or hides it. */
export const show = (element, isShown) => {
  element.hidden = !isShown;
};

/** Tells those who do not see the page. */
export const say = (text) => {
  at("said").textContent = text;
};

/** A number with a comma between groups of three digits, as reports have it. */
export const grouped = (number) => String(Math.round(number)).replace(/\B(?=(\d{3})+$)/gu, ",");

/** A size for people. */
export const size = (bytes) => (bytes < 1 << 20 ? `${grouped(Math.ceil(bytes / 1024))} KiB` : `${grouped(bytes / (1 << 20))} MiB`);

/** A span of time for people. */
export const span = (seconds) => {
  if (seconds < 90) {
    return `${Math.max(1, Math.round(seconds))} s`;
  }
  return `${Math.round(seconds / 60)} min`;
};

/** Puts text on the clipboard; gives whether that went well. */
export const copy = async (text) => {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not allowed: the older way may be.
  }
  const area = make("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  return isDone;
};

/** A button that copies a text. */
export const copyButton = (title, text) => {
  const button = make("button", title);
  button.type = "button";
  button.addEventListener("click", async () => {
    button.textContent = (await copy(text())) ? "Copied" : "Not copied";
    say(button.textContent);
    setTimeout(() => {
      button.textContent = title;
    }, 2000);
  });
  return button;
};

/** Lets the browser save parts as a file. */
export const save = (name, type, parts) => {
  const address = URL.createObjectURL(new Blob(parts, { type }));
  const link = make("a");
  link.href = address;
  link.download = name;
  link.click();
  // The browser has taken it by then; it holds the bytes as long as the address is there.
  setTimeout(() => URL.revokeObjectURL(address), 60000);
};
