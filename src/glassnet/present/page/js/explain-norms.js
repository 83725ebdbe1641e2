// BatchNorm and LayerNorm.

import { indexOf, numberOf } from "./anatomy.js";
import { term } from "./terms.js";
import { mark } from "./text.js";

const NORM_EQUATION = "x̂ = (x − μ) / √(v + ε),  y = γ·x̂ + β";

const explainNorm = (node, at, mean, variance, note, more = {}) => {
  const channel = at % node.shape.at(-1);
  const x = node.before.y[at];
  const { epsilon } = node.settings;
  const [gamma, beta] = ["gamma", "beta"].map((key) => node.model.parameter(node.path, key)[channel]);
  const normal = (x - mean) / Math.sqrt(variance + epsilon);
  return {
    title: [mark("{kind}: channel {channel}"), { kind: node.type, channel: indexOf(node.shape, at).join(", ") }],
    equation: NORM_EQUATION,
    lines: [
      ["x̂ = ", term(normal), " = (", term(x, numberOf(node.before, at)), " − ", term(mean), ") / √(", term(variance), " + ", term(epsilon), ")"],
      ["y = ", term(gamma), "·", term(normal), " + ", term(beta)],
    ],
    note: [note], value: gamma * normal + beta, ...more,
  };
};

export const explainBatchNorm = (node, at) => {
  const channel = at % node.shape.at(-1);
  const [mean, variance] = ["mean", "variance"].map((key) => node.model.parameter(node.path, key)[channel]);
  return explainNorm(node, at, mean, variance, mark("The running mean and variance from training are used, as in prediction."));
};

export const explainLayerNorm = (node, at) => {
  const width = node.shape.at(-1);
  const first = at - (at % width);
  const row = node.before.y.subarray(first, first + width);
  const mean = row.reduce((a, b) => a + b, 0) / width;
  const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / width;
  const picture = { title: [mark("the channels at this position")], values: row, shape: [1, width, 1], source: (k) => numberOf(node.before, first + k), chosen: at - first };
  return explainNorm(node, at, mean, variance, mark("Mean and variance over the channels at this position."), { pictures: [picture] });
};
