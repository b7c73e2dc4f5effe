// Tables sort by their headings; long ones can be filtered.
{
  const FILTERED_FROM = 8;
  const said = document.getElementById("said");

  // What a cell sorts by: its time, its number, or its text.
  const key = (cell, isNumber) => {
    const time = cell.querySelector("time");
    if (time) {
      return time.dateTime;
    }
    const text = cell.textContent.trim();
    if (!isNumber) {
      return text.toLowerCase();
    }
    if (text === "" || text === "-") {
      return -Infinity;
    }
    // "<0.1 %" is less than "0.1 %".
    const sign = text.startsWith("<") ? -0.05 : 0;
    const number = Number.parseFloat(text.replace(/[<,+\s]/gu, ""));
    const factor = { s: 1, min: 60, h: 3600, d: 86400 }[/ (s|min|h|d)$/u.exec(text)?.[1]] ?? 1;
    return Number.isNaN(number) ? -Infinity : number * factor + sign;
  };

  const compare = (one, other) => {
    if (typeof one === "number" && typeof other === "number") {
      return one === other ? 0 : one - other;
    }
    return String(one).localeCompare(String(other));
  };

  // Columns keep their widths, so that nothing jumps.
  const hold = (table) => {
    if (table.classList.contains("held") || !table.tHead.offsetHeight) {
      return;
    }
    const headings = [...table.tHead.rows[0].cells];
    const widths = headings.map((heading) => heading.getBoundingClientRect().width);
    headings.forEach((heading, column) => {
      heading.style.width = `${widths[column]}px`;
    });
    table.classList.add("held");
  };

  const sort = (table, heading) => {
    hold(table);
    const column = heading.cellIndex;
    const isNumber = heading.classList.contains("n");
    const before = heading.getAttribute("aria-sort");
    const first = isNumber ? "descending" : "ascending";
    const second = isNumber ? "ascending" : "descending";
    const order = before === first ? second : first;
    for (const other of table.tHead.rows[0].cells) {
      other.removeAttribute("aria-sort");
    }
    heading.setAttribute("aria-sort", order);
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [key(row.cells[column], isNumber), row]);
    rows.sort((one, other) => compare(one[0], other[0]) * (order === "ascending" ? 1 : -1));
    body.append(...rows.map(([, row]) => row));
    said.textContent = `Sorted by ${heading.innerText.trim()}, ${order}`;
  };

  const filter = (table, text) => {
    hold(table);
    const wanted = text.trim().toLowerCase();
    let shown = 0;
    for (const row of table.tBodies[0].rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted);
      shown += row.hidden ? 0 : 1;
    }
    return shown;
  };

  for (const table of document.querySelectorAll("table")) {
    const rows = table.tBodies[0].rows.length;
    if (rows > 1) {
      table.classList.add("sortable");
      const drawn = [...table.tBodies[0].rows].flatMap((row) => [...row.cells]).filter((cell) => cell.querySelector("svg"));
      const isDrawn = new Set(drawn.map((cell) => cell.cellIndex));
      for (const heading of [...table.tHead.rows[0].cells].filter((cell) => !isDrawn.has(cell.cellIndex))) {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...heading.childNodes);
        button.addEventListener("click", () => sort(table, heading));
        heading.append(button);
      }
    }
    if (rows >= FILTERED_FROM) {
      const tools = document.createElement("p");
      tools.className = "tools";
      const label = document.createElement("label");
      const input = document.createElement("input");
      input.type = "search";
      label.append("Filter ", input);
      const count = document.createElement("span");
      const tell = (shown) => {
        count.textContent = `${shown} of ${rows} rows`;
        said.textContent = count.textContent;
      };
      input.addEventListener("input", () => tell(filter(table, input.value)));
      tools.append(label, count);
      input.setAttribute("aria-label", `Filter: ${table.caption.textContent}`);
      count.textContent = `${rows} rows`;
      table.parentElement.before(tools);
    }
  }
}
