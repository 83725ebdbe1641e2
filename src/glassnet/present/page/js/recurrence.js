// The states and gates of a recurrent layer at every time step; the kernels keep only what the next layer needs.

import { sigmoidOf } from "./terms.js";

export const GATES = { SimpleRNN: ["a"], LSTM: ["i", "f", "g", "o"], GRU: ["r", "z", "n"] };
const unrolledNodes = new WeakMap();

/** Arrays (steps, units) by name: "h"; each gate ("i") and what goes into it ("i.into"); the cell "c"; the GRU's inner product "m". */
export const unrolled = (node) => {
  if (!unrolledNodes.has(node.y)) unrolledNodes.set(node.y, unroll(node));
  return unrolledNodes.get(node.y);
};

const unroll = (node) => {
  const { before: source, model, path, type, settings: { units, activation }, inner } = node;
  const [weight, recurrent, bias] = ["weight", "recurrent_weight", "bias"].map((key) => model.parameter(path, key));
  const gates = GATES[type];
  const wide = gates.length * units;
  const steps = inner[0];
  const width = source.y.length / steps;
  const extra = { LSTM: ["c"], GRU: ["m"] }[type] ?? [];
  const found = Object.fromEntries(["h", ...extra, ...gates, ...gates.map((gate) => `${gate}.into`)].map((name) => [name, new Float32Array(steps * units)]));
  const product = (into, values, first, count, matrix) => {
    for (let k = 0; k < count; k += 1) {
      const x = values[first + k];
      if (x === 0) continue;
      for (let j = 0, at = k * wide; j < wide; j += 1) into[j] += x * matrix[at + j];
    }
  };
  const inside = type === "GRU" ? model.parameter(path, "recurrent_bias") : null;
  for (let t = 0; t < steps; t += 1) {
    const now = Float64Array.from(bias);
    const step = type === "GRU" ? new Float64Array(wide) : now;
    product(now, source.y, t * width, width, weight);
    if (t > 0) product(step, found.h, (t - 1) * units, units, recurrent);
    for (let u = 0; u < units; u += 1) {
      const at = t * units + u;
      const before = t > 0 ? found.h[at - units] : 0;
      if (type === "GRU") {
        const [r, z] = [0, 1].map((g) => now[g * units + u] + step[g * units + u]);
        const m = step[2 * units + u] + inside[u];
        const into = now[2 * units + u];
        const [reset, update] = [sigmoidOf(r), sigmoidOf(z)];
        const n = Math.tanh(into + reset * m);
        store(found, at, { r: reset, z: update, n, m, "r.into": r, "z.into": z, "n.into": into, h: (1 - update) * n + update * before });
      } else if (type === "LSTM") {
        const [zi, zf, zg, zo] = [0, 1, 2, 3].map((g) => now[g * units + u]);
        const [i, f, g, o] = [sigmoidOf(zi), sigmoidOf(zf), Math.tanh(zg), sigmoidOf(zo)];
        const c = f * (t > 0 ? found.c[at - units] : 0) + i * g;
        store(found, at, { i, f, g, o, c, "i.into": zi, "f.into": zf, "g.into": zg, "o.into": zo, h: o * Math.tanh(c) });
      } else {
        const a = activation === "relu" ? Math.max(now[u], 0) : Math.tanh(now[u]);
        store(found, at, { a, "a.into": now[u], h: a });
      }
    }
  }
  return found;
};

const store = (found, at, values) => {
  for (const name in values) found[name][at] = values[name];
};
