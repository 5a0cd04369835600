/* Pictures stand behind the scripts, by number: what is above is shown before they are read. */
let arePicturesThere = false;

function show(image) {
  const source = document.getElementById("picture-" + image.dataset.number);
  if (source) image.src = source.textContent;
  else if (arePicturesThere)
    image.replaceWith(make("span", { className: "missing", role: "img", ariaLabel: image.alt }, "no picture"));
}

document.addEventListener("DOMContentLoaded", () => {
  arePicturesThere = true;
  document.querySelectorAll("img:not([src])").forEach(show);
});

/* A picture that a click, or Enter, shows as large as the window. */
function picture(key, alt, caption) {
  if (key === null) return make("span", { className: "missing", role: "img", ariaLabel: alt }, "no picture");
  const image = make("img", { alt, decoding: "async" });
  image.dataset.number = key;
  const button = make("button", { className: "picture", type: "button", title: "Enlarge" }, image);
  button.onclick = () => image.src && enlarge(image, caption);
  show(image);
  return button;
}

function enlarge(image, caption) {
  const dialog = make(
    "dialog", { className: "enlarged", onclick: () => dialog.close(), onclose: () => dialog.remove() },
    make("img", { src: image.src, alt: image.alt }),
    make("p", { dir: "auto" }, caption),
    make("button", { type: "button", ariaLabel: "Close" }, "\u00d7"),
  );
  document.body.append(dialog);
  dialog.showModal();
}
