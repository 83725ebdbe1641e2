// Small pictures of numbers that several views show: bars of probabilities, signed numbers as colours.

import { cellsOf } from "./cells.js";
import { imageOf, make } from "./dom.js";
import { paintThemed } from "./shades.js";
import { say } from "./text.js";

/** A share in per cent, as text. */
export const shareText = (share) => `${(100 * share).toFixed(share >= 0.9995 || share < 0.0005 ? 0 : 1)} %`;

/** A number with three significant digits. */
export const shortNumber = (x) => {
  if (!Number.isFinite(x)) return String(x);
  if (x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e5)) return x.toExponential(1).replace("-", "−");
  return String(Number(x.toPrecision(3))).replace("-", "−");
};

/** The classes with the largest probabilities, at most so many, those of `wanted` first among equals, in their own order. */
export const leading = (probabilities, most, wanted = []) => {
  const order = [...probabilities.keys()].sort((a, b) =>
    Number(wanted.includes(b)) - Number(wanted.includes(a)) || probabilities[b] - probabilities[a]);
  return order.slice(0, most).sort((a, b) => a - b);
};

/** Bars of probabilities of some classes; `before`: other probabilities, shown as a mark on each bar. */
export const smallBars = (classes, probabilities, { most = 10, wanted = [], before = null } = {}) => {
  const best = probabilities.indexOf(Math.max(...probabilities));
  const rows = leading(probabilities, most, [best, ...wanted]).map((one) => {
    const bar = make("i");
    bar.style.transform = `scaleX(${probabilities[one]})`;
    const track = make("span", { className: "bar", "aria-hidden": "true" }, bar);
    if (before) {
      const was = make("u");
      was.style.left = `${100 * before[one]}%`;
      track.append(was);
    }
    const row = make("li", {}, make("span", { className: "name" }, classes[one]), track,
      make("span", { className: "figure" }, shareText(probabilities[one])));
    row.classList.toggle("first", one === best);
    return row;
  });
  return make("ol", { className: "shares" }, ...rows);
};

/** The answer in one line: the class and its probability. */
export const answerLine = (classes, { index, probabilities }) =>
  make("p", { className: "told" }, make("strong", {}, classes[index]), ` ${shareText(probabilities[index])}`);

/** Bytes of an image that a network is fed as bytes or as floats. */
export const inBytes = (pixels) => (pixels instanceof Uint8Array ? pixels : Uint8Array.from(pixels, (x) => Math.round(255 * x)));

/** An image as the network is fed it, as a canvas with its text for a screen reader set by the caller. */
export const pictureOf = (pixels, shape) => imageOf(inBytes(pixels), shape, { canvas: make("canvas", { className: "pixels", role: "img" }) });

const MOST_TILES = 32;
const TILE = 32; // CSS pixels of a channel's side, about

/**
 * Signed numbers of a shape as a canvas, in the colours and the layout of *See through*; of many channels the first. It is as
 * wide as it needs in `room` CSS pixels; without a room, one pixel a number, and CSS says how wide.
 */
export const signedPicture = (values, shape, room = 0) => {
  const [rows, columns, channels = 1] = shape;
  const tiles = Math.min(channels, MOST_TILES);
  const shown = tiles === channels ? values : values.filter((_, i) => i % channels < tiles);
  const picture = shape.length === 1 ? null : [rows, columns, tiles];
  const layout = cellsOf(picture, shown.length, room, { side: TILE });
  const canvas = make("canvas", { className: picture ? "pixels" : "", role: "img" });
  if (room) canvas.style.width = `${layout.width}px`;
  paintThemed(canvas, (shades) => layout.paint(canvas, shown, false, shades));
  return canvas;
};

/** Whether two arrays hold the same numbers. */
export const sameNumbers = (a, b) => a === b || (Boolean(a && b) && a.length === b.length && a.every((x, i) => x === b[i]));

/** The Euclidean norm. */
export const normOf = (values) => {
  let total = 0;
  for (const value of values) total += value * value;
  return Math.sqrt(total);
};

/** A button that does something. */
export const action = (text, act, properties = {}) => {
  const button = make("button", { type: "button", ...properties }, say(text));
  button.addEventListener("click", act);
  return button;
};

/** A field with its name: <label>name field</label>. */
export const named = (text, field, ...after) => make("label", { className: "field" }, say(text), " ", field, ...after);

/** A choice among the classes. */
export const classChoice = (classes) =>
  make("select", {}, ...classes.map((name, i) => make("option", { value: i }, name)));

/** Calls `act` when a section is in view or nearly so, at most once in `pause` ms, after the last of several calls. */
export const lazily = (section, act, pause = 120) => {
  let [seen, wanted, timer] = [false, false, 0];
  const later = () => {
    clearTimeout(timer);
    if (seen && wanted) timer = setTimeout(() => { wanted = false; act(); }, pause);
  };
  const watcher = new IntersectionObserver((entries) => { seen = entries.at(-1).isIntersecting; later(); }, { rootMargin: "200px" });
  watcher.observe(section);
  return () => { wanted = true; later(); };
};
