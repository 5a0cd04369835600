/* Labels by buttons and by keys. */
const KEYS = { g: "good", o: "odd", f: "false" };

function labelButtons(card, caption) {
  const box = make("span", { className: "labels", role: "group", ariaLabel: "label" });
  const mark = () => {
    const given = labels.of(card, caption);
    for (const button of box.children) button.ariaPressed = String(button.value === given);
  };
  for (const [value, { text, title }] of Object.entries(LABELS)) {
    const button = make("button", { type: "button", value, title }, text);
    button.onclick = () => {
      labels.set(card, caption, value);
      mark();
      box.dispatchEvent(new Event("label", { bubbles: true }));
    };
    box.append(button);
  }
  mark();
  return box;
}

/* What stands above the cards; keys move from negative to negative and label them. */
function labelTools(cards, list, more) {
  const told = make("output", { id: "labeled" });
  const tell = () => (told.textContent = `${labels.count()} labeled`);
  const button = make("button", { type: "button", id: "export", onclick: () => labels.download(cards) }, "Export labels (TSV)");
  const keys = [["j k", "next, previous"], ["g", "good"], ["o", "odd"], ["f", "false negative"], ["u", "no label"], ["Enter", "enlarge"], ["/", "search"]];
  const help = make("p", { className: "keys" });
  for (const [key, text] of keys) help.append(make("kbd", {}, key), ` ${text}  `);

  let current = null;
  const choose = (line, scrolls = true) => {
    if (!line) return;
    current?.classList.remove("current");
    current = line;
    current.classList.add("current");
    if (scrolls) current.scrollIntoView({ block: "center" });
  };
  const move = (by) => {
    let lines = [...list.querySelectorAll(".negative")];
    const place = current?.isConnected ? lines.indexOf(current) + by : 0;
    if (place >= lines.length) {
      more();
      lines = [...list.querySelectorAll(".negative")];
    }
    choose(lines[Math.max(0, Math.min(lines.length - 1, place))]);
  };
  const given = (value) => {
    const buttons = [...(current?.querySelectorAll(".labels button") || [])];
    const button = buttons.find((one) => (value ? one.value === value : one.ariaPressed === "true"));
    if (button && !(value && button.ariaPressed === "true")) button.click();
    if (button && value) move(1);
  };
  list.addEventListener("label", tell);
  list.addEventListener("click", (event) => choose(event.target.closest(".negative"), false));
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target.closest?.("input, select, textarea, dialog");
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "j" || key === "k") move(key === "j" ? 1 : -1);
    else if (KEYS[key]) given(KEYS[key]);
    else if (key === "u") given("");
    else if (key === "enter" && event.target === document.body) current?.closest("article").querySelector(".picture")?.click();
    else if (key === "/") document.getElementById("search").focus();
    else return;
    event.preventDefault();
  });
  tell();
  return [make("div", { className: "labeling" }, button, told, help)];
}
