/* What a reader says of each negative: kept by the browser where it keeps anything for a file. */
const LABELS = {
  good: { text: "good", title: "false of the photograph, and reads well" },
  odd: { text: "odd", title: "reads wrong" },
  false: { text: "false negative", title: "it is true of the photograph" },
};

const labels = {
  place: "hnclip show " + data.draw,
  given: {},
  load() {
    try {
      labels.given = JSON.parse(localStorage.getItem(labels.place)) || {};
    } catch {
      labels.given = {};
    }
  },
  of(card, caption) {
    return labels.given[`${card.number}/${caption.number}`] || "";
  },
  set(card, caption, label) {
    const key = `${card.number}/${caption.number}`;
    if (label && labels.given[key] !== label) labels.given[key] = label;
    else delete labels.given[key];
    try {
      localStorage.setItem(labels.place, JSON.stringify(labels.given));
    } catch {
      document.getElementById("export").title = "Export before you close the page.";
    }
  },
  count() {
    return Object.keys(labels.given).length;
  },
  /* A line a label: the record's id, which of its negatives, and both texts. */
  rows(cards) {
    const rows = [["id", "negative", "kind", "label", "caption", "text"]];
    for (const card of cards)
      for (const caption of card.captions)
        if (caption.number !== undefined && labels.of(card, caption))
          rows.push([
            card.id, caption.number, caption.kind, labels.of(card, caption),
            plain(card.captions[0].text), plain(caption.text),
          ]);
    return rows.map((row) => row.join("\t") + "\n").join("");
  },
  download(cards) {
    const blob = new Blob([labels.rows(cards)], { type: "text/tab-separated-values" });
    const link = make("a", { href: URL.createObjectURL(blob), download: "labels.tsv" });
    link.click();
    URL.revokeObjectURL(link.href);
  },
};

/* A text without what is gone from it. */
function plain(text) {
  return typeof text === "string" ? text : text.filter(([mark]) => mark >= 0).map(([, part]) => part).join("");
}
