// Which pixels the answer hangs on: the gradient of the loss by the image, and what covering them does.

import { imageOf, make } from "./dom.js";
import { greatestSize, onTheme, shadesNow } from "./shades.js";
import { label, say } from "./text.js";

const COVER_PAUSE = 200; // milliseconds without a change before these are computed
const COVER_SLICE = 10; // milliseconds of work before the page may breathe

/** The largest other class, the one that the answer is weighed against. */
const rivalOf = (probabilities, chosen) => {
  let rival = chosen === 0 ? 1 : 0;
  probabilities.forEach((p, k) => { if (k !== chosen && p > probabilities[rival]) rival = k; });
  return rival;
};

/** Signed values over the image in grey, in the two colours. */
const overlaid = (canvas, pixels, map, [height, width, channels], shades) => {
  const grey = new Uint8ClampedArray(3 * height * width);
  const scale = pixels instanceof Uint8Array ? 1 : 255;
  const sums = new Float32Array(height * width);
  for (let i = 0; i < sums.length; i += 1) {
    if (map.length === sums.length) sums[i] = map[i];
    else for (let c = 0; c < channels; c += 1) sums[i] += map[i * channels + c];
  }
  const most = greatestSize(sums) || 1;
  for (let i = 0; i < sums.length; i += 1) {
    let mean = 0;
    for (let c = 0; c < channels; c += 1) mean += (pixels[i * channels + c] * scale) / channels;
    const share = sums[i] / most;
    const colour = shades.css(share > 0 ? 1 : -1).match(/\d+/g);
    const alpha = Math.min(1, Math.abs(share) ** 0.7);
    for (let c = 0; c < 3; c += 1) grey[3 * i + c] = (1 - alpha) * mean * 0.75 + alpha * colour[c];
  }
  imageOf(grey, [height, width, 3], { canvas });
};

/** The panel as { element, changed() }. */
export const makeSaliency = (page) => {
  const { model } = page;
  const gradient = label(make("canvas", { role: "img" }), "The gradient over the image");
  const covered = label(make("canvas", { role: "img" }), "What covering each place does, over the image");
  const choice = make("select");
  choice.append(make("option", { value: "" }), ...model.classes.map((name, k) => make("option", { value: k }, name)));
  label(choice.firstChild, "the network's answer", {}, "label");
  const [about, share] = [make("p"), make("p")];
  const element = make("section", { className: "saliency", "aria-labelledby": "saliency-title" },
    make("h3", { id: "saliency-title" }, say("What the answer hangs on")),
    make("label", {}, say("For the class"), " ", choice),
    make("div", { className: "maps" },
      make("figure", {}, gradient, make("figcaption", {}, say("Gradient"), about)),
      make("figure", {}, covered, make("figcaption", {}, say("Covering"), share))));
  let [waiting, round, kept] = [0, 0, null];

  const compute = () => {
    round += 1;
    if (!page.seen || page.empty || page.model !== model) return;
    const { probabilities, index } = page.seen;
    const chosen = choice.value === "" ? index : Number(choice.value);
    const rival = rivalOf(probabilities, chosen);
    const first = model.learn(page.pixels, chosen);
    const second = model.learn(page.pixels, rival);
    const names = { name: model.classes[chosen], other: model.classes[rival] };
    if (first.image && second.image) kept = { map: first.image.map((g, i) => second.image[i] - g), pixels: page.pixels };
    about.replaceChildren(say("Blue: a little more light there speaks for {name} against {other}; orange: against it. It tells of small changes only, not of what the network would do without a pixel.", names));
    share.replaceChildren(say("Blue: covering the place lowers the probability of {name}; orange: it raises it.", names));
    paint();
    cover(chosen, round);
  };
  const paint = () => {
    if (kept?.map) overlaid(gradient, kept.pixels, kept.map, model.shape, shadesNow());
    if (kept?.fall) overlaid(covered, kept.pixels, kept.fall, model.shape, shadesNow());
  };

  /** Each place covered by a square of the image's darkest value, in slices; the fall of the class's logarithmic probability. */
  const cover = (chosen, mine) => {
    const [height, width, channels] = model.shape;
    const pixels = page.pixels;
    const side = Math.max(2, Math.round(Math.max(height, width) / 7));
    const step = Math.max(1, Math.round(Math.max(height, width) / 14));
    const ground = pixels.reduce((low, value) => Math.min(low, value), Infinity);
    const logOf = (probabilities) => Math.log(Math.max(probabilities[chosen], 1e-12));
    const whole = logOf(page.seen.probabilities);
    const [fall, count] = [new Float32Array(height * width), new Float32Array(height * width)];
    const places = [];
    for (let y = 0; y < height; y += step) for (let x = 0; x < width; x += step) places.push([y - side / 2 | 0, x - side / 2 | 0]);
    const inside = ([y, x], visit) => {
      for (let r = Math.max(0, y); r < Math.min(height, y + side); r += 1) {
        for (let c = Math.max(0, x); c < Math.min(width, x + side); c += 1) visit(r * width + c);
      }
    };
    const work = () => {
      if (mine !== round || page.model !== model) return;
      const until = performance.now() + COVER_SLICE;
      while (places.length && performance.now() < until) {
        const place = places.pop();
        const image = pixels.slice();
        let differs = false;
        inside(place, (i) => { for (let k = i * channels; k < (i + 1) * channels; k += 1) { differs ||= image[k] !== ground; image[k] = ground; } });
        const lost = differs ? whole - logOf(model.see(image).probabilities) : 0;
        inside(place, (i) => { fall[i] += lost; count[i] += 1; });
      }
      if (places.length) { setTimeout(work, 4); return; }
      kept = { ...kept, pixels, fall: fall.map((sum, i) => sum / Math.max(1, count[i])) };
      element.dataset.covered = "yes";
      paint();
    };
    delete element.dataset.covered;
    setTimeout(work, 4);
  };

  const changed = () => {
    round += 1;
    clearTimeout(waiting);
    waiting = setTimeout(compute, COVER_PAUSE);
  };
  choice.addEventListener("change", compute);
  onTheme(paint);
  return { element, changed };
};
