// A button beside each command copies it, as one line.
{
  const said = document.getElementById("said");

  const copy = async (text) => {
    if (navigator.clipboard) {
      try {
        await navigator.clipboard.writeText(text);
        return true;
      } catch {
        // Not allowed: the older way may be.
      }
    }
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const isDone = document.execCommand("copy");
    area.remove();
    return isDone;
  };

  for (const command of document.querySelectorAll("pre.command")) {
    const code = command.querySelector("code");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${code.textContent}`);
    button.addEventListener("click", async () => {
      const isDone = await copy(code.textContent);
      button.textContent = isDone ? "Copied" : "Not copied";
      said.textContent = button.textContent;
      button.focus();
      setTimeout(() => {
        button.textContent = "Copy";
      }, 2000);
    });
    command.append(button);
  }
}
