// From the drawing to what the network is fed: the stages, and which of them are used.

import { imageOf, make, stretched } from "./dom.js";
import { label, mark, say } from "./text.js";

const MODES = {
  none: mark("Raw"),
  cropped: mark("Cropped"),
  auto: mark("Centred"),
};
const STAGES = {
  drawn: mark("drawn"),
  "without background": mark("without background"),
  "cut out": mark("cut out"),
  fed: mark("what the network is fed"),
};

/** The panel as { element, mode(), show(model, prepared) }; `onMode` is called when another way is chosen. */
export const makePreparation = (onMode) => {
  let mode = "auto";
  const choice = make("fieldset", { className: "modes" }, make("legend", { className: "unseen" }, say("Preparation")));
  for (const [name, text] of Object.entries(MODES)) {
    const input = make("input", { type: "radio", name: "mode", value: name, checked: name === mode });
    input.addEventListener("change", () => { mode = name; onMode(); });
    choice.append(make("label", {}, input, say(text)));
  }
  const stages = make("ol", { className: "stages" });
  const steps = make("p", { className: "steps" });
  const element = make("section", { className: "preparation", "aria-labelledby": "preparation-title" },
    make("h2", { id: "preparation-title" }, say("From drawing to input")), choice, stages, steps);

  const show = (model, prepared) => {
    choice.hidden = !model.style?.ink;
    while (stages.children.length > prepared.stages.length) stages.lastChild.remove();
    prepared.stages.forEach((stage, place) => {
      const text = STAGES[stage.name];
      let item = stages.children[place];
      if (item?.dataset.name !== stage.name) {
        const made = make("li", {}, label(make("canvas", { role: "img" }), text), make("small", {}, say(text)));
        made.dataset.name = stage.name;
        if (item) item.replaceWith(made);
        else stages.append(made);
        item = made;
      }
      const { width, height, channels = 1 } = stage;
      item.classList.toggle("tiny", width < 100);
      const shape = [height, width, channels];
      const values = stage.name === "fed" ? stretched(stage.values, shape, 1) : stage.values;
      imageOf(values, shape, { white: 1, canvas: item.firstChild });
    });
    const texts = prepared.steps.flatMap(({ text, values }, place) => [...(place ? [say("; ")] : []), say(text, values)]);
    steps.replaceChildren(...texts);
  };
  return { element, mode: () => mode, show };
};
