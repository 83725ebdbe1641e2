// Some of the training images, to start from.

import { imageOf, make, stretched } from "./dom.js";
import { label, say } from "./text.js";

const SHOWN = 20;

/** The panel as { element, show(model), pixelsOf(i), canvasOf(pixels) }; `onSample(i)` is called for the one that is chosen. */
export const makeSamples = (onSample) => {
  const list = make("div", { className: "samples" });
  const more = make("button", { type: "button" }, say("Others"));
  const element = make("section", { className: "start", "aria-labelledby": "samples-title" },
    make("header", {}, make("h2", { id: "samples-title" }, say("Training images")), more), list);
  let [model, from] = [null, 0];

  const pixelsOf = (i) => {
    const size = model.shape.reduce((a, b) => a * b, 1);
    return model.samples.images.slice(i * size, (i + 1) * size);
  };
  const canvasOf = (pixels) => {
    const white = pixels instanceof Uint8Array ? 255 : 1;
    return imageOf(stretched(pixels, model.shape, white), model.shape, { white });
  };

  const fill = () => {
    const count = Math.min(SHOWN, model.samples.count);
    const chosen = Array.from({ length: count }, (_, i) => (from + i) % model.samples.count);
    list.replaceChildren(...chosen.map((i) => {
      const button = make("button", { type: "button" }, canvasOf(pixelsOf(i)));
      label(button, "Training image of {name}", { name: model.classes[model.samples.labels[i]] });
      button.addEventListener("click", () => onSample(i));
      return button;
    }));
    more.hidden = model.samples.count <= SHOWN;
  };
  more.addEventListener("click", () => { from = (from + SHOWN) % model.samples.count; fill(); });
  const show = (shown) => { [model, from] = [shown, 0]; fill(); };
  return { element, show, canvasOf, pixelsOf };
};
