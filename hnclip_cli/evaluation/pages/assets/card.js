/* What is shown of one record. */
const STATUS = {
  right: "the true caption scores highest",
  wrong: "a false caption scores higher",
  tie: "a tie, which counts as wrong",
  lost: "right with A, wrong with B",
  gained: "wrong with A, right with B",
};
const MARKS = { "-1": "del", 1: "ins" };

function cardOf(card, state, canLabel) {
  const caption = card.captions.length ? plain(card.captions[0].text) : "";
  const article = make("article", {}, picturesOf(card, caption));
  article.dataset.number = card.number;
  const lines = card.captions.filter((one) => isShown(card, one, state));
  const body = make("div", { className: "captions" }, ...lines.map((one) => captionOf(card, one, canLabel)));
  if (card.left_out) body.append(make("p", { className: "more" }, `and ${card.left_out} more captions`));
  article.append(body, footerOf(card, state));
  return article;
}

function picturesOf(card, caption) {
  const box = make("div", { className: "pictures" });
  const several = card.pictures.length > 1;
  card.pictures.forEach((key, index) => {
    const alt = several ? `Image ${index + 1}` : `Described as: ${caption}`;
    const figure = make("figure", {}, picture(key, alt, several ? alt : caption));
    if (several) figure.append(make("figcaption", {}, String(index + 1)));
    box.append(figure);
  });
  for (const key of card.negative_pictures || [])
    box.append(make("figure", {}, picture(key, "Negative image", "Negative image"), make("figcaption", {}, "negative")));
  box.classList.toggle("several", box.childElementCount > 1);
  return box;
}

/* A caption: what changed in it, its scores, and which of them is the highest of its image. */
function captionOf(card, caption, canLabel) {
  const line = make("div", { className: "line" });
  const isAlone = card.pictures.length < 2, isTrue = caption.true.length > 0;
  const isScored = caption.scores !== undefined;
  if (isScored) line.append(scoresOf(caption, isAlone));
  if (isAlone) line.classList.add(isTrue ? "true" : "false");
  if (isAlone && isScored) line.append(make("b", {}, isTrue ? "true" : "false"), " ");
  line.append(textOf(caption.text));
  const below = make("div", { className: "below" });
  if (canLabel && caption.number !== undefined) {
    line.classList.add("negative");
    line.dataset.number = caption.number;
    below.append(labelButtons(card, caption));
  }
  if (caption.kind && !card.kind) below.append(make("span", { className: "kind" }, caption.kind));
  if (below.childElementCount) line.append(below);
  return line;
}

/* A text with its changes marked; between what is gone and the next word stands a space. */
function textOf(text) {
  const span = make("span", { className: "text", dir: "auto" });
  let before = 0;
  for (const [mark, part] of typeof text === "string" ? [[0, text]] : text) {
    const word = part.trimStart();
    const space = part.slice(0, part.length - word.length) || (before < 0 && /^[\p{L}\p{N}]/u.test(word) ? " " : "");
    span.append(space, mark ? make(MARKS[mark], {}, word) : word);
    before = mark;
  }
  return span;
}

function scoresOf(caption, isAlone) {
  const box = make("span", { className: isAlone ? "scores alone" : "scores" });
  caption.scores.forEach((values, image) => {
    const wins = caption.wins.includes(image), matches = caption.true.includes(image);
    const score = make("span", { className: "score" }, values.map((value) => value.toFixed(3)).join(" \u2192 "));
    score.classList.toggle("match", matches);
    if (wins) {
      score.classList.add("wins");
      score.title = isAlone ? "the highest score" : `the highest score of image ${image + 1}`;
      score.prepend(make("i", { ariaLabel: "highest: " }, "\u25b2"), " ");
    }
    box.append(score);
  });
  return box;
}

function footerOf(card, state) {
  const footer = make("footer");
  const names = [card.benchmark, card.subset, card.kind].filter(Boolean);
  for (const name of new Set(names)) footer.append(make("span", {}, name));
  const status = statusOf(card, state);
  if (status) footer.append(make("span", { className: "status " + status, title: STATUS[status] || "" }, status));
  const link = "#" + new URLSearchParams({ id: card.id });
  footer.append(make("a", { href: link, title: "A link to this card" }, make("code", {}, card.id)));
  return footer;
}
