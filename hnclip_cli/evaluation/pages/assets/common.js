"use strict";

/* What hnclip wrote into the page. Texts in it come from anywhere: they are shown as text only. */
const data = JSON.parse(document.getElementById("data").textContent);

/* An element with properties or attributes; children that are strings become text, never HTML. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/* A drop-down list under its title; options are pairs of value and text. */
function choice(id, title, options) {
  const select = make("select", { id });
  for (const [value, text] of options) select.append(make("option", { value }, text));
  return make("label", {}, title, select);
}

function percent(fraction) {
  return `${(100 * fraction).toFixed(3)}%`;
}

/* About so many round numbers from low to high, and how many decimals they need. */
function ticks(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((one) => one >= raw * 0.999);
  const found = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) found.push(n * step);
  return { values: found, decimals: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function number(value, decimals) {
  return (value + 0).toFixed(decimals).replace("-", "\u2212");
}

/* What is chosen stands in the address, so that it can be kept and sent: #kind=swap-noun&sort=low */
const address = {
  read() {
    const text = location.hash.slice(1);
    return Object.fromEntries(text.includes("=") ? new URLSearchParams(text) : []);
  },
  write(state) {
    const chosen = Object.entries(state).filter(([, value]) => value !== "" && value !== undefined);
    const text = new URLSearchParams(chosen).toString();
    if (text === location.hash.slice(1) || (!text && !location.hash.includes("="))) return;
    history.replaceState(null, "", text ? "#" + text : location.pathname + location.search);
  },
};
