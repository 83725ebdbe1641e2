// Dense and Conv2D: sums of products.

import { flatIndex, indexOf, numberOf } from "./anatomy.js";
import { term, placesOf, productsOf, totalOf, windowOf } from "./terms.js";
import { mark } from "./text.js";

const biasOf = (node, unit) => (node.keys.includes("bias") ? node.model.parameter(node.path, "bias")[unit] : null);
const startOf = (bias) => (bias === null ? [] : [term(bias)]);

export const explainDense = (node, at) => {
  const { before: source, model } = node;
  const [units] = node.shape;
  const weight = model.parameter(node.path, "weight");
  const count = source.y.length;
  const bias = biasOf(node, at);
  const terms = productsOf(count, (k) => source.y[k], (k) => weight[k * units + at], (k) => numberOf(source, k), startOf(bias));
  const pictures = [];
  if (source.picture) {
    const common = { shape: source.picture, source: (k) => numberOf(source, k) };
    pictures.push(
      { title: [mark("the inputs xᵢ")], values: source.y, fed: source.fed, ...common },
      { title: [mark("the weights of unit {unit}"), { unit: at }], values: Float32Array.from({ length: count }, (_, k) => weight[k * units + at]), ...common },
      { title: [mark("their products, which are summed")], values: terms.values, ...common },
    );
  }
  return {
    title: [mark("Dense: unit {unit} of {units}"), { unit: at, units }],
    equation: bias === null ? "zⱼ = Σᵢ xᵢ·wᵢⱼ" : "zⱼ = Σᵢ xᵢ·wᵢⱼ + bⱼ",
    terms, pictures, value: totalOf(terms.values) + (bias ?? 0),
  };
};

export const explainConv2D = (node, at) => {
  const { before: source, model, inner } = node;
  const [p, q, filter] = indexOf(node.shape, at);
  const filters = node.shape[2];
  const [, , channels] = inner;
  const weight = model.parameter(node.path, "weight");
  const box = windowOf(node, p, q);
  const bias = biasOf(node, filter);
  const inside = placesOf(box, inner).flatMap(({ i, j, r, c }) => Array.from({ length: channels }, (_, channel) => ({
    x: flatIndex(inner, [r, c, channel]), w: ((i * box.columns + j) * channels + channel) * filters + filter,
    k: (i * box.columns + j) * channels + channel,
  })));
  const terms = productsOf(inside.length, (k) => source.y[inside[k].x], (k) => weight[inside[k].w],
    (k) => numberOf(source, inside[k].x), startOf(bias));
  const size = box.rows * box.columns * channels;
  const [seen, products] = [new Float32Array(size), new Float32Array(size)];
  const sources = new Array(size).fill(null);
  inside.forEach(({ x, k }, order) => {
    seen[k] = source.y[x];
    products[k] = terms.values[order];
    sources[k] = numberOf(source, x);
  });
  const common = { shape: [box.rows, box.columns, channels], source: (k) => sources[k] };
  return {
    title: [mark("Conv2D: filter {filter} at row {row}, column {column}"), { filter, row: p, column: q }],
    equation: `z[p, q] = Σ x[p·s + i, q·t + j]·W[i, j]${bias === null ? "" : " + b"}`,
    terms,
    pictures: [
      { title: [mark("the patch")], values: seen, fed: source.fed, ...common },
      { title: [mark("the filter")], values: Float32Array.from({ length: size }, (_, k) => weight[k * filters + filter]), ...common },
      { title: [mark("their products, which are summed")], values: products, ...common },
    ],
    note: [mark("Each tile is one channel. The sum goes over the window and all channels; outside the image lie zeros.")],
    window: box,
    value: totalOf(terms.values) + (bias ?? 0),
  };
};
