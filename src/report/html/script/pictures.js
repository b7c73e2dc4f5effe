// A mark around one step of each picture over time, with the values of that step: by pointer, and by arrow keys.
{
  const SVG = "http://www.w3.org/2000/svg";

  const follow = (figure) => {
    const drawings = [...figure.querySelectorAll("svg[data-plot]")];
    const table = figure.querySelector("table");
    if (drawings.length === 0 || !table) {
      return;
    }
    // What stands in a folded table has no innerText.
    const columns = [...table.tHead.rows[0].cells].map((heading) => {
      const unit = heading.querySelector("small")?.textContent ?? "";
      const text = heading.textContent.replace(/\s+/gu, " ").trim();
      return { name: unit && text.endsWith(unit) ? text.slice(0, -unit.length).trim() : text, unit };
    });
    // The rows in the order of time, however the table is sorted later.
    const rows = [...table.tBodies[0].rows];
    let step = rows.length - 1;

    const told = document.createElement("p");
    told.className = "told";
    told.tabIndex = 0;
    told.setAttribute("role", "slider");
    told.setAttribute("aria-label", `Moment: ${figure.querySelector("figcaption").textContent}`);
    told.setAttribute("aria-valuemin", "0");
    told.setAttribute("aria-valuemax", String(rows.length - 1));
    told.setAttribute("aria-valuenow", String(step));
    told.setAttribute("aria-valuetext", "Arrow keys move through time");
    told.textContent = "Point at the picture, or use the arrow keys here, to read the values of a moment.";
    drawings.at(-1).closest(".picture").after(told);

    const marks = drawings.map((drawing) => {
      const mark = document.createElementNS(SVG, "rect");
      mark.setAttribute("class", "hair");
      mark.setAttribute("visibility", "hidden");
      drawing.append(mark);
      return mark;
    });

    const tell = () => {
      const zone = table.querySelector(".zone")?.textContent ?? "";
      const cells = [...rows[step].cells].map((cell) => cell.textContent.trim());
      const values = columns.slice(1).map(({ name, unit }, index) => `${name}: ${cells[index + 1]} ${unit}`.trim());
      const text = `From ${cells[0]} ${zone}: ${values.join(" · ")}`;
      told.textContent = text;
      told.setAttribute("aria-valuenow", String(step));
      told.setAttribute("aria-valuetext", text);
    };

    const move = (to) => {
      step = Math.min(Math.max(to, 0), rows.length - 1);
      drawings.forEach((drawing, index) => {
        const [left, top, width, height, steps] = drawing.dataset.plot.split(" ").map(Number);
        const place = {
          x: left + (width * step) / steps,
          y: top,
          width: width / steps,
          height,
          visibility: "visible",
        };
        for (const [name, value] of Object.entries(place)) {
          marks[index].setAttribute(name, String(value));
        }
      });
      tell();
    };

    for (const drawing of drawings) {
      drawing.addEventListener("pointermove", (event) => {
        const [left, , width, , steps] = drawing.dataset.plot.split(" ").map(Number);
        const box = drawing.getBoundingClientRect();
        const x = ((event.clientX - box.left) / box.width) * drawing.viewBox.baseVal.width;
        move(Math.floor(((x - left) / width) * steps));
      });
    }
    const keys = {
      ArrowLeft: () => step - 1,
      ArrowDown: () => step - 1,
      ArrowRight: () => step + 1,
      ArrowUp: () => step + 1,
      PageDown: () => step - 10,
      PageUp: () => step + 10,
      Home: () => 0,
      End: () => rows.length - 1,
    };
    told.addEventListener("keydown", (event) => {
      const to = keys[event.key];
      if (to && !event.ctrlKey && !event.altKey && !event.metaKey) {
        event.preventDefault();
        move(to());
      }
    });
    document.getElementById("content").addEventListener("zone", () => {
      if (marks[0].getAttribute("visibility") === "visible") {
        tell();
      }
    });
  };

  for (const figure of document.querySelectorAll("figure")) {
    follow(figure);
  }
}
