// Layers that act on each value by itself: activations, scaling, Flatten, Dropout; and softmax.

import { indexOf, numberOf } from "./anatomy.js";
import { term, sigmoidOf, totalOf } from "./terms.js";
import { mark } from "./text.js";

/** The standard normal distribution function, by a series or a continued fraction: to 1e-14. */
const normalCdf = (z) => {
  const a = Math.abs(z);
  if (a > 38) return z > 0 ? 1 : 0;
  const density = Math.exp(-0.5 * z * z) / Math.sqrt(2 * Math.PI);
  if (a < 4) {
    let [term, sum] = [z, z];
    for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) {
      term *= (z * z) / k;
      sum += term;
    }
    return 0.5 + density * sum;
  }
  let tail = a;
  for (let k = 60; k > 0; k -= 1) tail = a + k / tail;
  return z > 0 ? 1 - density / tail : density / tail;
};

const titleOfValue = (node, at) => [mark("{kind}: value {unit}"), { kind: node.type, unit: indexOf(node.shape, at).join(", ") }];

const explainActivation = (equation, f, written) => (node, at) => {
  const x = node.before.y[at];
  const given = (z) => f(z, node.settings);
  const value = given(x);
  return {
    title: titleOfValue(node, at), equation, curve: { f: given, x },
    lines: [["a = ", ...written(term(x, numberOf(node.before, at)), node.settings, x)]], value,
  };
};

export const explainSigmoid = explainActivation("a = σ(z) = 1 / (1 + e^(−z))", sigmoidOf, (x) => ["σ(", x, ")"]);
export const explainTanh = explainActivation("a = tanh z", Math.tanh, (x) => ["tanh(", x, ")"]);
export const explainReLU = explainActivation("a = max(z, 0)", (z) => Math.max(z, 0), (x) => ["max(", x, ", 0)"]);
export const explainLeakyReLU = explainActivation(
  "a = z (z > 0),  s·z (z ≤ 0)", (z, { slope }) => (z > 0 ? z : slope * z),
  (x, { slope }, z) => (z > 0 ? [x] : [term(slope), "·", x]));
export const explainGELU = explainActivation(
  "a = z·Φ(z)", (z) => z * normalCdf(z), (x, _, z) => [x, "·", term(normalCdf(z))]);
export const explainSwish = explainActivation("a = z·σ(z)", (z) => z * sigmoidOf(z), (x, _, z) => [x, "·", term(sigmoidOf(z))]);

const explainPointwise = (equation, written, note = null) => (node, at) => {
  const x = node.before.y[at];
  const [parts, value] = written(term(x, numberOf(node.before, at)), node, at, x);
  return { title: titleOfValue(node, at), equation, lines: [["y = ", ...parts]], note: note && [note], value };
};

const unchanged = (x, node, at, value) => [[x], value];
const bytesToPixels = explainPointwise("y = x / 255", (x, node, at, value) => [[x, " / 255"], value / 255], mark("Scales bytes 0…255 to 0…1."));
const pixelsAsTheyAre = explainPointwise("y = x", unchanged);

const areBytes = ({ type, before, y }) => (type === "Image" ? y instanceof Uint8Array : ["Flatten", "Dropout"].includes(type) && areBytes(before));

export const explainPixels = (node, at) => (areBytes(node.before) ? bytesToPixels : pixelsAsTheyAre)(node, at);
export const explainFlatten = explainPointwise("y = x", unchanged, mark("The same number at another index: the input is flattened into one row."));
export const explainDropout = explainPointwise("y = x", unchanged, mark("Dropout is off outside training: values are unchanged."));
export const explainScale = explainPointwise("y = a·x + c", (x, { settings: { factor, offset } }, at, value) =>
  [[term(factor), "·", x, " + ", term(offset)], factor * value + offset]);
export const explainStandardize = explainPointwise("y = (x − μ) / s", (x, node, at, value) => {
  const [mean, std] = ["mean", "std"].map((key) => node.settings[key][at]);
  return [["(", x, " − ", term(mean), ") / ", term(std)], (value - mean) / std];
}, mark("Mean and standard deviation of this position over the training images."));

export const explainSoftmax = (node, at) => {
  const width = node.shape.at(-1);
  const first = at - (at % width);
  const z = node.before.y.subarray(first, first + width);
  const most = z.reduce((a, b) => Math.max(a, b), -Infinity);
  const powers = Float64Array.from(z, (value) => Math.exp(value - most));
  const [total, own] = [totalOf(powers), powers[at - first]];
  return {
    title: titleOfValue(node, at), equation: "aⱼ = e^(zⱼ − max z) / Σ e^(z − max z)",
    lines: [["a = e^(", term(z[at - first], numberOf(node.before, at)), " − ", term(most), ") / ", term(total)], ["a = ", term(own), " / ", term(total)]],
    terms: { values: powers, parts: (k) => ["e^(", term(z[k], numberOf(node.before, first + k)), " − ", term(most), ")"], before: [] },
    value: own / total,
  };
};

/** The image itself: nothing lies before it. */
export const explainImage = (node, at) => {
  const [row, column, channel] = indexOf(node.shape, at);
  const note = mark("A pixel of the image, as the network is fed it: nothing lies before it.");
  return { title: [mark("Pixel in row {row}, column {column}, channel {channel}"), { row, column, channel }], note: [note], value: node.y[at] };
};
