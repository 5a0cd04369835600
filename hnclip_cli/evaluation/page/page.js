"use strict";

const gallery = document.getElementById("gallery");

if (gallery) {
  const cards = [...gallery.querySelectorAll("article")];
  const score = /\d+\.\d{3}/g; // nobody searches for digits of scores
  const texts = cards.map((card) => card.textContent.replace(score, " ").toLowerCase());
  const selects = [...gallery.querySelectorAll("select")];
  const search = document.getElementById("search");
  const form = gallery.querySelector("form");

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    cards.forEach((card, index) => {
      const fits =
        selects.every((select) => !select.value || card.dataset[select.id] === select.value) &&
        words.every((word) => texts[index].includes(word));
      card.hidden = !fits;
      shown += fits;
    });
    document.getElementById("count").textContent = `${shown} shown`;
    document.getElementById("empty").hidden = shown > 0;
  };

  form.addEventListener("input", filter);
  form.addEventListener("change", filter); // some browsers tell of a select only so
  form.addEventListener("submit", (event) => event.preventDefault());
  filter(); // browsers bring back what was typed before a reload
}
