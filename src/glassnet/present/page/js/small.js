// Small pictures of numbers that several views show: bars of probabilities, signed numbers as colours.

import { imageOf, make } from "./dom.js";
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

/** How numbers of a shape are laid out: { width, height, at(x, y) } with −1 where nothing is. */
const layoutOf = (shape) => {
  if (shape.length === 3) {
    const [height, width, channels] = shape;
    const tiles = Math.min(channels, MOST_TILES);
    const across = Math.min(tiles, width > 40 ? 4 : 8);
    const at = (x, y) => {
      const [tileX, tileY] = [Math.floor(x / (width + 1)), Math.floor(y / (height + 1))];
      const [innerX, innerY, tile] = [x % (width + 1), y % (height + 1), tileY * across + tileX];
      return innerX === width || innerY === height || tile >= tiles ? -1 : (innerY * width + innerX) * channels + tile;
    };
    return { width: across * (width + 1) - 1, height: Math.ceil(tiles / across) * (height + 1) - 1, at };
  }
  if (shape.length === 2) return { width: shape[1], height: shape[0], at: (x, y) => y * shape[1] + x };
  const count = shape[0] ?? 1;
  const width = Math.min(count, count <= 512 ? 64 : Math.ceil(Math.sqrt(2 * count)));
  return { width, height: Math.ceil(count / width), at: (x, y) => (y * width + x < count ? y * width + x : -1) };
};

/** Signed numbers of a shape as a canvas: red below zero, blue above, white at it; of many channels the first. */
export const signedPicture = (values, shape) => {
  const { width, height, at } = layoutOf(shape);
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  const pixels = new Uint8Array(3 * width * height);
  for (let i = 0; i < width * height; i += 1) {
    const place = at(i % width, Math.floor(i / width));
    const share = place < 0 || most === 0 ? 0 : values[place] / most;
    const [red, green, blue] = share < 0 ? [24, 128, 138] : [222, 144, 30]; // what is taken from white
    const strength = Math.abs(share) ** 0.6;
    pixels.set([255 - red * strength, 255 - green * strength, 255 - blue * strength], 3 * i);
    if (place < 0) pixels.set([128, 128, 128], 3 * i);
  }
  return imageOf(pixels, [height, width, 3], { canvas: make("canvas", { className: "pixels signed", role: "img" }) });
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
