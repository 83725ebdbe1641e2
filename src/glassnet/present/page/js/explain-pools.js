// Pooling: the largest value of a window, or the mean.

import { flatIndex, indexOf, numberOf } from "./anatomy.js";
import { term, placesOf, totalOf, windowOf } from "./terms.js";
import { mark } from "./text.js";

const explainPooling = (node, channel, box, isMax, whole) => {
  const { before: source, inner } = node;
  const places = placesOf(box, inner).map((place) => ({ ...place, at: flatIndex(inner, [place.r, place.c, channel]) }));
  const values = Float64Array.from(places, ({ at }) => source.y[at]);
  const seen = new Float32Array(box.rows * box.columns);
  const sources = new Array(seen.length).fill(null);
  places.forEach(({ i, j, at }) => {
    seen[i * box.columns + j] = source.y[at];
    sources[i * box.columns + j] = numberOf(source, at);
  });
  let best = 0;
  values.forEach((value, k) => { if (value > values[best]) best = k; });
  const won = places[best];
  const pictures = [{
    title: [mark("the window")], values: seen, shape: [box.rows, box.columns, 1], source: (k) => sources[k],
    chosen: isMax ? won.i * box.columns + won.j : null,
  }];
  const terms = { values, parts: (k) => [term(values[k], numberOf(source, places[k].at))], before: [] };
  const pixel = `${won.r}, ${won.c}, ${channel}`;
  if (isMax) {
    const note = whole ? mark("Pixel {pixel} is the largest of the channel.") : mark("Pixel {pixel} is the largest of the window.");
    const lines = [["y = ", term(values[best], numberOf(source, won.at))]];
    return { equation: whole ? "y = max x" : "y[p, q] = max x[i, j]", lines, pictures, note: [note, { pixel }], window: box, value: values[best] };
  }
  const [total, n] = [totalOf(values), values.length];
  return {
    equation: whole ? "y = Σ x / n" : "y[p, q] = Σ x[i, j] / n", lines: [["y = ", term(total), ` / ${n}`]],
    terms, pictures, window: box, value: total / n,
  };
};

const explainWindow = (isMax) => (node, at) => {
  const [p, q, channel] = indexOf(node.shape, at);
  const title = [mark("{kind}: window {window}, channel {channel}"), { kind: node.type, window: `${p}, ${q}`, channel }];
  return { title, ...explainPooling(node, channel, windowOf(node, p, q), isMax, false) };
};

const explainWhole = (isMax) => (node, at) => {
  const [rows, columns] = node.inner;
  const title = [mark("{kind}: channel {channel}"), { kind: node.type, channel: at }];
  return { title, ...explainPooling(node, at, { top: 0, left: 0, rows, columns }, isMax, true) };
};

export const explainMaxPool = explainWindow(true);
export const explainAveragePool = explainWindow(false);
export const explainGlobalMaxPool = explainWhole(true);
export const explainGlobalAveragePool = explainWhole(false);
