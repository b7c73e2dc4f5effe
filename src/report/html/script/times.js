// Times in the zone of the report, in UTC, or as the server's clock showed them.
{
  const page = document.documentElement.dataset;

  // The time as RFC 3339 without zone, so many minutes ahead of UTC; decimals stay as they are.
  const moved = (time, ahead) => {
    const [whole, decimals = ""] = time.replace("Z", "").split(".");
    const at = new Date(`${whole}Z`);
    if (Number.isNaN(at.getTime())) {
      return null;
    }
    at.setTime(at.getTime() + ahead * 60000);
    return `${at.toISOString().slice(0, 19)}.${decimals}`;
  };

  // The part of it that stood there before.
  const like = (text, iso) => {
    if (/^\d{4}-\d\d-\d\d /u.test(text)) {
      return iso.slice(0, 19).replace("T", " ");
    }
    return iso.slice(11, 11 + text.length);
  };

  const forms = { minute: [11, 16], second: [11, 19], day: [0, 10] };

  const nameOf = (ahead) => {
    if (ahead === 0) {
      return "UTC";
    }
    const minutes = Math.abs(ahead);
    return `UTC${ahead > 0 ? "+" : "-"}${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`;
  };

  const show = (ahead) => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const iso = moved(time.dateTime, ahead);
      if (iso !== null) {
        time.textContent = like(time.textContent, iso);
      }
    }
    for (const label of document.querySelectorAll("text[data-time]")) {
      const iso = moved(label.dataset.time, ahead);
      const form = forms[label.dataset.form];
      if (iso !== null && form) {
        label.textContent = iso.slice(...form);
      }
    }
    for (const name of document.querySelectorAll(".zone")) {
      name.textContent = nameOf(ahead);
    }
    document.getElementById("content").dispatchEvent(new Event("zone"));
  };

  const server = "server" in page ? Number(page.server) : null;
  const zones = [...new Set([Number(page.zone), 0, server].filter((ahead) => ahead !== null))];
  if (zones.length > 1) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "zone-button";
    let at = 0;
    const offer = () => {
      const next = zones[(at + 1) % zones.length];
      const whose = next === server ? "the server's time, " : "";
      button.textContent = `Tables and pictures in ${whose}${nameOf(next)}`;
    };
    button.addEventListener("click", () => {
      at = (at + 1) % zones.length;
      show(zones[at]);
      offer();
    });
    offer();
    document.querySelector("nav").append(button);
  }
}
