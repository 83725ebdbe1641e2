// What *Break it* does to weights and images: units off, fewer bits, noise; turned, shifted, noisy images.

import { randomBits } from "./trainer.js";

const NEVER_ZERO = ["Sigmoid"]; // activations that are not 0 at 0: their input is made so low that they are
const LOW = -200;
const PASSING = ["BatchNorm", "LayerNorm", "Dropout"];

/** Layers with units that can be switched off: all with weights but the one whose outputs are the classes. */
export const breakable = (model) => {
  const weighted = model.layers.filter((layer) => layer.parameters.weight);
  return weighted.slice(0, -1);
};

/** The layers right behind one, in the same branch. */
const behind = (model, layer) => {
  const stem = layer.path.replace(/\d+$/, "");
  const place = Number(layer.path.slice(stem.length));
  const found = [];
  for (let i = place + 1; ; i += 1) {
    const next = model.layers.find(({ path }) => path === `${stem}${i}`);
    if (!next) return found;
    found.push(next);
    if (!PASSING.includes(next.type)) return found;
  }
};

/** Sets every number that makes a unit: its weights and bias, and those of the normalisation behind, so that its output is 0. */
export const switchOff = (model, layer, unit) => {
  const units = layer.outputShape.at(-1);
  const after = behind(model, layer);
  const low = after.some(({ type }) => NEVER_ZERO.includes(type)) ? LOW : 0;
  const norms = after.filter(({ parameters }) => parameters.gamma);
  for (const [key, { shape }] of Object.entries(layer.parameters)) {
    const array = model.parameter(layer.path, key);
    for (let i = unit; i < array.length; i += units) array[i] = key === "bias" && !norms.length && shape.at(-1) === units ? low : 0;
  }
  for (const { path } of norms) {
    model.parameter(path, "gamma")[unit] = 0;
    model.parameter(path, "beta")[unit] = low;
  }
};

/** Whether it can be: a unit before a sigmoid needs a bias, or a normalisation, for its output to become 0. */
export const canSwitchOff = (model, layer) => {
  const after = behind(model, layer);
  const sigmoid = after.some(({ type }) => NEVER_ZERO.includes(type));
  return !sigmoid || Boolean(layer.parameters.bias) || after.some(({ parameters }) => parameters.gamma);
};

/** Each weight array (running statistics are left) changed by `change(array, name)`. */
const eachArray = (model, change) => {
  for (const { path, parameters } of model.layers) {
    for (const [key, { at }] of Object.entries(parameters)) if (at < model.entry.parameters) change(model.parameter(path, key), key);
  }
};

/** Weights rounded to 2ᵇⁱᵗˢ − 1 evenly spaced values from −max to max of their array; one bit keeps sign and mean size. */
export const quantise = (model, bits) => eachArray(model, (array, key) => {
  if (!key.includes("weight")) return;
  if (bits === 1) {
    const mean = array.reduce((sum, x) => sum + Math.abs(x), 0) / array.length;
    array.forEach((x, i) => { array[i] = Math.sign(x) * mean; });
    return;
  }
  const most = array.reduce((found, x) => Math.max(found, Math.abs(x)), 0);
  const step = most / (2 ** (bits - 1) - 1);
  if (step) array.forEach((x, i) => { array[i] = Math.round(x / step) * step; });
});

/** A generator of standard normal numbers (Box and Muller, 1958). */
export const normals = (seed) => {
  const bits = randomBits(seed);
  const uniform = () => (Number(bits() >> 11n) + 0.5) / 2 ** 53;
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
};

/** Normal noise added to the weights, of `share` of the root mean square of their array. */
export const perturb = (model, share, seed) => {
  const normal = normals(seed);
  eachArray(model, (array, key) => {
    if (!key.includes("weight")) return;
    const size = share * Math.sqrt(array.reduce((sum, x) => sum + x * x, 0) / array.length);
    array.forEach((x, i) => { array[i] = x + size * normal(); });
  });
};

/** The median of each channel on the border. */
const groundOf = (pixels, [height, width, channels]) => Array.from({ length: channels }, (_, c) => {
  const values = [];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += y % (height - 1) && width > 1 ? width - 1 : 1) values.push(pixels[(y * width + x) * channels + c]);
  }
  return values.sort((a, b) => a - b)[values.length >> 1];
});

/** An image turned by `turn` degrees about its centre, moved by `right` and `down` pixels, with noise of `noise` grey levels. */
export const distorted = (pixels, shape, { turn = 0, right = 0, down = 0, noise = 0, seed = 1 }) => {
  const [height, width, channels] = shape;
  const bytes = pixels instanceof Uint8Array;
  const top = bytes ? 255 : 1;
  const ground = groundOf(pixels, shape);
  const [cos, sin] = [Math.cos((turn * Math.PI) / 180), Math.sin((turn * Math.PI) / 180)];
  const [middleX, middleY] = [(width - 1) / 2, (height - 1) / 2];
  const at = (x, y, c) => (x < 0 || y < 0 || x >= width || y >= height ? ground[c] : pixels[(y * width + x) * channels + c]);
  const normal = normals(seed);
  const result = new pixels.constructor(pixels.length);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [dx, dy] = [x - middleX - right, y - middleY - down];
      const [fromX, fromY] = [middleX + cos * dx + sin * dy, middleY - sin * dx + cos * dy];
      const [left, above] = [Math.floor(fromX), Math.floor(fromY)];
      const [partX, partY] = [fromX - left, fromY - above];
      for (let c = 0; c < channels; c += 1) {
        const upper = (1 - partX) * at(left, above, c) + partX * at(left + 1, above, c);
        const lower = (1 - partX) * at(left, above + 1, c) + partX * at(left + 1, above + 1, c);
        const value = (1 - partY) * upper + partY * lower + (noise ? (noise * top * normal()) / 255 : 0);
        const kept = Math.min(top, Math.max(0, value));
        result[(y * width + x) * channels + c] = bytes ? Math.round(kept) : kept;
      }
    }
  }
  return result;
};
