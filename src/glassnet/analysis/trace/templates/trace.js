(() => {
"use strict";
const root = document.documentElement, meaning = document.getElementById("meaning");
let pinned = null;
function mark(node) {
  document.querySelectorAll(".hot").forEach(one => one.classList.remove("hot"));
  meaning.replaceChildren();
  if (!node) return;
  const step = node.closest(".step"), key = node.dataset.s;
  if (!step) return;
  step.querySelectorAll("[data-s]").forEach(one => { if (one.dataset.s === key) one.classList.add("hot"); });
  const sign = step.querySelector(".eq [data-s='" + key + "'][data-en]");
  const name = document.createElement("b"), text = document.createElement("span");
  const quantity = node.querySelector("[data-q]") || node;
  name.textContent = sign ? sign.textContent : "";
  text.textContent = (sign ? "  " + sign.dataset[root.dataset.lang] : "") +
    (quantity.dataset.q ? "   [" + quantity.dataset.q + " = " + quantity.textContent + "]" : "");
  meaning.append(name, text);
}
const at = event => event.target.closest ? event.target.closest("[data-s]") : null;
const focused = () => document.activeElement.closest("[data-s]");
document.addEventListener("pointerover", event => { if (event.pointerType === "mouse") mark(at(event) || pinned || focused()); });
document.addEventListener("focusin", event => mark(at(event)));
// Not "click": by then the line with the meaning may lie over the symbol.
document.addEventListener("pointerdown", event => { if (!event.target.closest("button")) { pinned = at(event); mark(pinned); } });
document.addEventListener("keydown", event => { if (event.key === "Escape") { pinned = null; document.activeElement.blur(); mark(null); } });
document.addEventListener("language", () => mark(pinned || focused()));
})();
