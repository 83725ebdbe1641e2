import { roundEven } from "./numbers.js";

// Resizing as Pillow does it: each value is a weighted mean of those under a filter as wide as the reduction. A plane is
// { values, width, height }; bytes are summed in fixed point, floats in double precision, as in Pillow's Resample.c.

const FIXED = 22; // bits after the point of a byte's weights

const sinc = (x) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

const RESAMPLING = {
  box: { support: 0.5, at: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: (x) => Math.max(0, 1 - Math.abs(x)) },
  lanczos: { support: 3, at: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** For each of `wanted` values: where its inputs begin, how many there are, and their weights, which sum to 1. */
const weightsFor = (size, from, to, wanted, filter, bytes) => {
  const scale = Math.fround(Math.fround(to) - Math.fround(from)) / wanted;
  const wide = Math.max(scale, 1);
  const support = filter.support * wide;
  const most = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(wanted);
  const counts = new Int32Array(wanted);
  const weights = new Float64Array(wanted * most);
  for (let i = 0; i < wanted; i += 1) {
    const centre = Math.fround(from) + (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(size, Math.trunc(centre + support + 0.5)) - start;
    let sum = 0;
    for (let k = 0; k < count; k += 1) {
      const weight = filter.at((k + start - centre + 0.5) * (1 / wide));
      weights[i * most + k] = weight;
      sum += weight;
    }
    for (let k = 0; k < count && sum !== 0; k += 1) {
      const weight = weights[i * most + k] / sum;
      weights[i * most + k] = bytes ? Math.trunc(weight * 2 ** FIXED + (weight < 0 ? -0.5 : 0.5)) : weight;
    }
    starts[i] = start;
    counts[i] = count;
  }
  return { starts, counts, weights, most };
};

const stored = (into, at, sum, bytes) => {
  into[at] = bytes ? Math.min(255, Math.max(0, (sum + 2 ** (FIXED - 1)) >> FIXED)) : sum;
};

const acrossRows = ({ values, width, height }, from, to, wanted, filter) => {
  const bytes = values instanceof Uint8Array;
  const { starts, counts, weights, most } = weightsFor(width, from, to, wanted, filter, bytes);
  const made = new values.constructor(wanted * height);
  for (let y = 0; y < height; y += 1) {
    for (let i = 0; i < wanted; i += 1) {
      const first = y * width + starts[i];
      let sum = 0;
      for (let k = 0; k < counts[i]; k += 1) sum += values[first + k] * weights[i * most + k];
      stored(made, y * wanted + i, sum, bytes);
    }
  }
  return { values: made, width: wanted, height };
};

const downColumns = ({ values, width, height }, from, to, wanted, filter) => {
  const bytes = values instanceof Uint8Array;
  const { starts, counts, weights, most } = weightsFor(height, from, to, wanted, filter, bytes);
  const made = new values.constructor(width * wanted);
  const sums = new Float64Array(width);
  for (let i = 0; i < wanted; i += 1) {
    sums.fill(0);
    for (let k = 0; k < counts[i]; k += 1) {
      const weight = weights[i * most + k];
      const row = (starts[i] + k) * width;
      for (let x = 0; x < width; x += 1) sums[x] += values[row + x] * weight;
    }
    for (let x = 0; x < width; x += 1) stored(made, i * width + x, sums[x], bytes);
  }
  return { values: made, width, height: wanted };
};

/** A plane of `width` × `height` from the part `[left, top, right, bottom]` of another; `filter`: box, bilinear or lanczos. */
export const resampled = (plane, width, height, filter, box) => {
  const [left, top, right, bottom] = box ?? [0, 0, plane.width, plane.height];
  const across = (one) =>
    width === plane.width && left === 0 && right === width
      ? one
      : acrossRows(one, left, right, width, RESAMPLING[filter]);
  const down = (one) =>
    height === plane.height && top === 0 && bottom === height
      ? one
      : downColumns(one, top, bottom, height, RESAMPLING[filter]);
  const less = plane.height - height; // Pillow 13 goes down the columns first where there is much less height
  return less > 0 && less > 2 * (plane.width - width) ? across(down(plane)) : down(across(plane));
};

/** The plane with its longer side at most `longest`, each value the mean of its area; and the factor, at most 1. */
export const reducedTo = (plane, longest) => {
  const factor = longest / Math.max(plane.height, plane.width);
  if (factor >= 1) return [plane, 1];
  const [width, height] = [plane.width, plane.height].map((side) => Math.max(1, roundEven(side * factor)));
  return [resampled(plane, width, height, "box"), factor];
};

const squeezed = (plane, width, height, box) => {
  const [left, top, right, bottom] = box ?? [0, 0, plane.width, plane.height];
  const ratios = [(right - left) / width, (bottom - top) / height];
  const whole = ratios.every((ratio) => ratio >= 1 && Number.isInteger(ratio));
  return resampled(plane, width, height, whole ? "box" : "lanczos", box);
};

/** A plane of bytes at the network's size: all of it ("stretch"), whole on black ("pad"), or its middle ("crop"). */
export const fittedTo = (plane, width, height, fit) => {
  if (plane.width === width && plane.height === height) return plane;
  const [wide, high] = [width / plane.width, height / plane.height];
  if (fit === "pad") {
    const scale = Math.min(wide, high);
    const [w, h] = [plane.width, plane.height].map((side) => Math.max(1, roundEven(side * scale)));
    const inner = squeezed(plane, w, h);
    const [left, top] = [(width - w) >> 1, (height - h) >> 1];
    const values = new Uint8Array(width * height);
    for (let y = 0; y < h; y += 1) values.set(inner.values.subarray(y * w, (y + 1) * w), (top + y) * width + left);
    return { values, width, height };
  }
  if (fit === "crop") {
    const scale = Math.max(wide, high);
    const [w, h] = [Math.min(plane.width, width / scale), Math.min(plane.height, height / scale)];
    const [left, top] = [(plane.width - w) / 2, (plane.height - h) / 2];
    return squeezed(plane, width, height, [left, top, left + w, top + h]);
  }
  return squeezed(plane, width, height);
};
