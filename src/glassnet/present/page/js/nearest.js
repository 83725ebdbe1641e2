// The training images that are nearest to the current one, in the values of the last hidden layer.

import { imageOf, make } from "./dom.js";
import { label, say } from "./text.js";

const SHOWN_NEAREST = 8;
const NEAREST_PAUSE = 250; // milliseconds without a change
const NEAREST_WORK = 8; // milliseconds at a time

/** The values that go into the last layer with weights; those of the image where there is no other. */
const hiddenOf = (anatomy) => anatomy.chain.findLast((node) => node.size)?.before ?? anatomy.input;

/** The panel as { element, changed() }: all samples are computed once, in slices, and anew when the weights have changed. */
export const makeNearest = (page, anatomy) => {
  const { model } = page;
  const { samples } = model;
  const hidden = hiddenOf(anatomy);
  const place = anatomy.order.indexOf(hidden) - 1;
  const list = make("ol", { className: "nearest" });
  const element = make("section", { "aria-labelledby": "nearest-title" },
    make("h3", { id: "nearest-title" }, say("The nearest training images")),
    make("p", { className: "how" }, hidden.type === "Image"
      ? say("By the distance of their pixels, among {count} training images of this page.", { count: samples.count })
      : say("By the distance of the {units} values of {name}, which the last layer decides on, among {count} training images of this page.", { units: hidden.shape.join(" × "), name: hidden.name, count: samples.count })),
    list);
  const pixelsOf = (i) => samples.images.subarray(i * model.features, (i + 1) * model.features);
  let [known, done, stamp, waiting] = [[], 0, NaN, 0];

  /** A number that changes with the weights. */
  const stampOf = () => {
    const weights = model.parameters;
    let sum = 0;
    for (let i = 0; i < weights.length; i += 1) sum += weights[i] * ((i & 1023) + 1);
    return sum;
  };
  const distance = (a, b) => {
    let sum = 0;
    for (let k = 0; k < a.length; k += 1) sum += (a[k] - b[k]) ** 2;
    return Math.sqrt(sum);
  };
  const work = () => {
    if (page.model !== model) return; // another one was chosen
    const until = performance.now() + NEAREST_WORK;
    while (done < samples.count && performance.now() < until) {
      const pixels = pixelsOf(done);
      known[done] = place < 0 ? pixels : model.see(pixels).values[place];
      done += 1;
    }
    if (done < samples.count) waiting = setTimeout(work, 4);
    else show();
  };
  const show = () => {
    if (page.empty || !page.seen) { list.replaceChildren(); return; }
    const mine = place < 0 ? page.pixels : page.seen.values[place];
    const order = known.map((values, i) => [distance(values, mine), i]).sort((a, b) => a[0] - b[0]).slice(0, SHOWN_NEAREST);
    list.replaceChildren(...order.map(([far, i]) => {
      const pixels = pixelsOf(i);
      const name = model.classes[samples.labels[i]];
      const button = make("button", { type: "button" }, imageOf(pixels, model.shape, { white: pixels instanceof Uint8Array ? 255 : 1 }));
      label(button, "Training image of {name}, at distance {distance}", { name, distance: far.toFixed(2) });
      button.addEventListener("click", () => page.show(pixels.slice(), samples.labels[i]));
      return make("li", {}, button, make("b", {}, name), make("small", {}, far.toFixed(2)));
    }));
    list.dataset.ready = "yes";
  };
  const changed = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      const now = stampOf();
      if (now !== stamp) [known, done, stamp] = [[], 0, now];
      work();
    }, NEAREST_PAUSE);
  };
  return { element, changed };
};
