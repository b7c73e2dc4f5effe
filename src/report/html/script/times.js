// Times in UTC, or as the server's clock showed them.
{
  const bias = Number(document.documentElement.dataset.bias);
  const isKnown = "bias" in document.documentElement.dataset && Number.isFinite(bias);

  // The time as RFC 3339 without zone, so many minutes before UTC; decimals stay as they are.
  const moved = (time, minutes) => {
    const [whole, decimals = ""] = time.replace("Z", "").split(".");
    const at = new Date(`${whole}Z`);
    if (Number.isNaN(at.getTime())) {
      return null;
    }
    at.setMinutes(at.getMinutes() - minutes);
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

  const show = (minutes, zone) => {
    for (const time of document.querySelectorAll("time[datetime]")) {
      const iso = moved(time.dateTime, minutes);
      if (iso !== null) {
        time.textContent = like(time.textContent, iso);
      }
    }
    for (const label of document.querySelectorAll("text[data-time]")) {
      const iso = moved(label.dataset.time, minutes);
      const form = forms[label.dataset.form];
      if (iso !== null && form) {
        label.textContent = iso.slice(...form);
      }
    }
    for (const name of document.querySelectorAll(".zone")) {
      name.textContent = zone;
    }
    document.dispatchEvent(new Event("zone"));
  };

  if (isKnown && bias !== 0) {
    const ahead = Math.abs(bias);
    const minutes = String(ahead % 60).padStart(2, "0");
    const server = `UTC${bias < 0 ? "+" : "-"}${Math.floor(ahead / 60)}:${minutes}`;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "zone-button";
    let isServer = false;
    const name = () => {
      button.textContent = isServer ? "Tables and pictures in UTC" : `Tables and pictures in the server's time (${server})`;
    };
    button.addEventListener("click", () => {
      isServer = !isServer;
      show(isServer ? bias : 0, isServer ? server : "UTC");
      name();
    });
    name();
    document.querySelector("nav").append(button);
  }
}
