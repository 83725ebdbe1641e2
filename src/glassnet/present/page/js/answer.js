// The answer: the class, and the probabilities of all classes as bars.

import { make, makeVoice } from "./dom.js";
import { say, words } from "./text.js";

const [MOST_BARS, BEST] = [15, 10]; // all classes, or of more than 15 the most probable ones
const percent = (share) => (100 * share).toFixed(share >= 0.9995 || share < 0.0005 ? 0 : 1);

/** The panel as { element, show(model, seen, empty) }. */
export const makeAnswer = () => {
  const name = make("strong");
  const share = make("span", { className: "share" });
  const bars = make("ol", { className: "bars" });
  const novel = make("p", { className: "novel" });
  const element = make("section", { className: "answer", "aria-labelledby": "answer-title" },
    make("h2", { id: "answer-title" }, say("The network's answer")),
    make("p", { className: "best" }, name, " ", share), bars, novel);
  const announce = makeVoice();
  let rows = [];
  let shown = null;

  const build = (model) => {
    shown = model;
    rows = Array.from({ length: model.classes.length > MOST_BARS ? BEST : model.classes.length }, () => {
      const [word, bar, figure] = [make("span", { className: "name" }), make("i"), make("span", { className: "figure" })];
      return { row: make("li", {}, word, make("span", { className: "bar", "aria-hidden": "true" }, bar), figure), word, bar, figure };
    });
    bars.classList.toggle("many", model.classes.length > 10);
    bars.replaceChildren(...rows.map(({ row }) => row));
  };

  const show = (model, seen, empty) => {
    if (shown !== model) build(model);
    const { probabilities, index } = seen;
    const all = model.classes.length > MOST_BARS;
    const order = [...model.classes.keys()];
    if (all) order.sort((a, b) => probabilities[b] - probabilities[a]);
    element.classList.toggle("empty", empty);
    name.textContent = empty ? "–" : model.classes[index];
    share.textContent = empty ? "" : `${percent(probabilities[index])} %`;
    rows.forEach(({ row, word, bar, figure }, place) => {
      const one = order[place];
      if (word.textContent !== model.classes[one]) word.textContent = model.classes[one]; // an assignment lays the page out anew
      bar.style.transform = `scaleX(${empty ? 0 : probabilities[one]})`;
      figure.textContent = empty ? "" : `${percent(probabilities[one])} %`;
      row.classList.toggle("first", one === index && !empty);
    });
    showNovelty(novel, empty ? null : seen.novelty);
    if (!empty) announce(words("Answer: {name}, {share} %.", { name: name.textContent, share: percent(probabilities[index]) }), 700);
  };
  return { element, show };
};

/** Whether the image is like the training data: `novelty` is { value, alarms, validated }, 1 being the limit; or nothing. */
const showNovelty = (place, novelty) => {
  place.hidden = !novelty;
  if (!novelty) return;
  place.classList.toggle("yes", novelty.value > 1);
  const figures = { value: novelty.value.toFixed(2), share: ((100 * novelty.alarms) / novelty.validated).toFixed(1) };
  place.replaceChildren(novelty.value > 1
    ? say("Perhaps none of these: unlike the training images (novelty {value}, limit 1; {share} % of images like them exceed it).", figures)
    : say("Like the training images (novelty {value}; above 1 it is perhaps none of these).", figures));
};
