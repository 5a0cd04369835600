/* A card a record: chosen by filters, sorted, and put into the page as somebody scrolls to them. */
const CHUNK = 24;
const SORTS = [["", "as in the file"], ["low", "lowest margin first"], ["high", "highest margin first"]];
const FILTERS = { benchmark: "Benchmark", subset: "Subset", kind: "Kind", status: "Outcome" };

const gallery = document.getElementById("gallery");
if (gallery) showCards(data.cards);

function showCards(cards) {
  cards.forEach((card, number) => (card.number = number));
  const areScored = cards.some((card) => marginOf(card, {}) !== undefined);
  const canLabel = data.labels && cards.some((card) => card.captions.some((one) => one.number !== undefined));
  if (canLabel) labels.load();

  const list = make("div", { className: "cards" });
  const end = make("div", { className: "end" });
  const count = make("output", { id: "count" });
  const empty = make("p", { id: "empty", hidden: true }, "Nothing matches.");
  const form = filterForm(cards, areScored, canLabel);
  const inputs = [...form.querySelectorAll("select, input")];
  let state = {}, found = [], num_shown = 0, texts;

  const margins = areScored && histogram((from, to) => {
    Object.assign(state, { from, to });
    fill();
    update();
  });
  if (margins) {
    margins.scale(cards.map((card) => marginOf(card, {})).filter((margin) => margin !== undefined));
  }

  /* ---- which cards, in which order */
  const words = (card) => {
    texts ||= cards.map((one) =>
      [one.id, one.benchmark, one.subset, ...one.captions.map(({ text, kind }) => `${plain(text)} ${kind || ""}`)]
        .join(" ").toLowerCase());
    return texts[card.number];
  };
  const fits = (card) => {
    const searched = (state.search || "").toLowerCase().split(/\s+/).filter(Boolean);
    return (
      (!state.id || card.id === state.id) &&
      Object.keys(FILTERS).every((name) => !state[name] || valuesOf(card, name, state).includes(state[name])) &&
      (!state.label || card.captions.some((one) => isShown(card, one, state) && one.number !== undefined)) &&
      searched.every((word) => words(card).includes(word))
    );
  };
  const isWithin = (card) => {
    const margin = marginOf(card, state);
    return (!state.from || margin >= +state.from) && (!state.to || margin <= +state.to);
  };

  function update() {
    const fitting = cards.filter(fits);
    found = fitting.filter(isWithin);
    const order = { low: 1, high: -1 }[state.sort];
    const known = (card) => marginOf(card, state) ?? order * Infinity;
    if (order) found.sort((a, b) => order * (known(a) - known(b)) || a.number - b.number);
    if (margins)
      margins.update(
        fitting.map((card) => marginOf(card, state)).filter((margin) => margin !== undefined),
        state.from || "", state.to || "",
      );
    count.textContent = found.length === cards.length ? `${found.length} shown` : `${found.length} of ${cards.length} shown`;
    empty.hidden = found.length > 0;
    list.replaceChildren();
    num_shown = 0;
    more();
    address.write(state);
  }

  /* ---- cards come as they are scrolled to */
  function more() {
    const next = found.slice(num_shown, num_shown + CHUNK);
    num_shown += next.length;
    list.append(...next.map((card) => cardOf(card, state, canLabel)));
    end.hidden = num_shown >= found.length;
  }
  const watch = new IntersectionObserver((entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    more();
    watch.unobserve(end); // it tells of changes, and the end may still be in sight
    watch.observe(end);
  }, { rootMargin: "1500px" });
  watch.observe(end);

  /* ---- the form, the address */
  function fill() {
    for (const input of inputs) input.value = state[input.id] || "";
  }
  function read() {
    state = { ...state, ...Object.fromEntries(inputs.map((input) => [input.id, input.value.trim()])) };
    delete state.id; // a link to one card: done with it
    update();
  }
  function open() {
    state = address.read();
    fill();
    update();
  }
  let waiting;
  form.oninput = () => {
    clearTimeout(waiting);
    waiting = setTimeout(read, 80);
  };
  form.onchange = read; // some browsers tell of a select only so
  form.onsubmit = (event) => event.preventDefault();
  form.onreset = () => {
    state = {};
    setTimeout(update);
  };
  window.onhashchange = open;

  form.append(make("span", { className: "tell" }, count, make("button", { type: "reset" }, "Reset")));
  gallery.append(form, ...(margins ? [margins.plot] : []));
  if (canLabel) gallery.append(...labelTools(cards, list, () => more()));
  gallery.append(list, end, empty);
  open();
}

/* ---- what is asked of a card */

function isShown(card, caption, state) {
  if (caption.number === undefined) return true;
  const label = state.label && (labels.of(card, caption) || "none");
  return (card.kind || !state.kind || caption.kind === state.kind) && (!state.label || state.label === label);
}

/* By how much its true side wins; of negatives the closest that is shown. */
function marginOf(card, state) {
  if (card.margin !== undefined) return card.margin;
  const [first, ...others] = card.captions;
  if (!first || !first.scores) return undefined;
  const scores = others.filter((caption) => isShown(card, caption, state)).map((caption) => caption.scores[0].at(-1));
  return scores.length ? first.scores[0].at(-1) - Math.max(...scores) : undefined;
}

function statusOf(card, state) {
  const margin = marginOf(card, state);
  return card.status || (margin === undefined ? "" : margin > 0 ? "right" : margin === 0 ? "tie" : "wrong");
}

function valuesOf(card, name, state = {}) {
  if (name === "status") return [statusOf(card, state)];
  if (name !== "kind" || card.kind !== undefined) return [card[name]];
  return card.captions.map((caption) => caption.kind);
}

function filterForm(cards, areScored, canLabel) {
  const form = make("form", { className: "filters" });
  for (const [name, title] of Object.entries(FILTERS)) {
    const counts = new Map();
    for (const card of cards)
      for (const value of new Set(valuesOf(card, name)))
        if (value) counts.set(value, (counts.get(value) || 0) + 1);
    if (counts.size < 2) continue;
    const options = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([value, n]) => [value, `${value} (${n})`]);
    form.append(choice(name, title, [["", "all"], ...options]));
  }
  if (canLabel)
    form.append(choice("label", "Label", [["", "all"], ...Object.keys(LABELS).map((name) => [name, name]), ["none", "none yet"]]));
  form.append(make("label", {}, "Search", make("input", { type: "search", id: "search", placeholder: "words, id" })));
  if (areScored) {
    form.append(choice("sort", "Sort", SORTS));
    for (const [id, title] of [["from", "Margin from"], ["to", "to"]])
      form.append(make("label", { className: "bound" }, title, make("input", { type: "number", step: "any", id })));
  }
  return form;
}
