// Tables of the playground: the layers' gradients and steps, and the confusion matrix.

import { make } from "./dom.js";
import { mark, say } from "./text.js";

/** A table that can be scrolled, by keys too, where it is too wide. */
const scrolled = (table, labelledby) =>
  make("div", { className: "scroll", tabIndex: 0, role: "group", "aria-labelledby": labelledby }, table);

const HEADS = [mark("Layer"), mark("‖W‖"), mark("‖∂L/∂W‖"), mark("step ‖ΔW‖/‖W‖"), mark("no gradient")];
const figure = (value) => (value === 0 ? "0" : value < 0.001 || value >= 10000 ? value.toExponential(1) : value.toPrecision(3));
const lengthOf = (value) => Math.max(0, Math.min(1, (Math.log10(value) + 7) / 7)); // 1e-7 … 1

/** The layers with weights: { element, show(probed, activations) }. */
export const makeLayerTable = () => {
  const body = make("tbody");
  const heads = HEADS.map((text) => make("th", { scope: "col" }, say(text)));
  const table = make("table", { className: "layers" }, make("thead", {}, make("tr", {}, ...heads)), body);
  const element = scrolled(table, "layers-title");
  const show = (probed, activations) => {
    const rows = probed.map(({ layer, key, size, gradient, change }, i) => {
      const bar = make("i");
      bar.style.transform = `scaleX(${lengthOf(gradient)})`;
      const next = probed.slice(i + 1).find((one) => one.layer !== layer)?.layer.path ?? "~";
      const after = key === "recurrent_weight" ? null
        : activations.find((one) => Number(one.layer.path) > Number(layer.path) && Number(one.layer.path) < (Number(next) || Infinity));
      const share = after ? Math.round(100 * after.share) : 0;
      const state = !after ? "–" : after.kind === "dead" ? say("{share} % dead", { share }) : say("{share} % saturated", { share });
      return make("tr", {},
        make("th", { scope: "row" }, `${layer.name}${key === "recurrent_weight" ? " ↻" : ""}`),
        make("td", {}, figure(size)),
        make("td", {}, make("span", { className: "flow", "aria-hidden": "true" }, bar), figure(gradient)),
        make("td", {}, figure(change)),
        make("td", { className: after && after.share >= 0.6 ? "bad" : "" }, state));
    });
    body.replaceChildren(...rows);
  };
  return { element, show };
};

/** Counts of validation images by class and answer: { element, show(labels, found) }. */
export const makeConfusion = (names) => {
  const cells = names.map(() => names.map(() => make("td")));
  const head = make("tr", {}, make("td"), ...names.map((name) => make("th", { scope: "col" }, name)));
  const rows = names.map((name, i) => make("tr", {}, make("th", { scope: "row" }, name), ...cells[i]));
  const caption = make("caption", {}, say("Down: the label. Across: the network's answer."));
  const table = make("table", { className: "confusion" }, caption, make("thead", {}, head), make("tbody", {}, ...rows));
  const element = scrolled(table, "confusion-title");
  const show = (labels, found) => {
    const counts = names.map(() => new Array(names.length).fill(0));
    labels.forEach((one, i) => { counts[one][found[i]] += 1; });
    counts.forEach((row, i) => {
      const all = row.reduce((a, b) => a + b, 0) || 1;
      row.forEach((count, j) => {
        cells[i][j].textContent = count || "";
        cells[i][j].className = i === j ? "right" : count ? "wrong" : "";
        cells[i][j].style.setProperty("--share", count / all);
      });
    });
  };
  return { element, show };
};
