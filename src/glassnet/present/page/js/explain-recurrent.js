// SimpleRNN, LSTM and GRU: the gates of a unit at a time step, and the sums that go into them.

import { indexOf, numberOf, shapeOf } from "./anatomy.js";
import { GATES, unrolled } from "./recurrence.js";
import { term, productsOf, sigmoidOf, totalOf } from "./terms.js";
import { mark } from "./text.js";

/** The sum that goes into a gate: xₜ·W + hₜ₋₁·U + b; of the GRU's candidate the state's product m is a sum of its own. */
const explainGateSum = (node, gate, t, u, column, withInput, withState, key) => {
  const { before: source, model, path, settings: { units }, inner } = node;
  const wide = GATES[node.type].length * units;
  const steps = inner[0];
  const width = withInput ? source.y.length / steps : 0;
  const [weight, recurrent] = ["weight", "recurrent_weight"].map((name) => model.parameter(path, name));
  const { h } = unrolled(node);
  const earlier = withState && t > 0 ? units : 0;
  const bias = model.parameter(path, key)[key === "bias" ? column : u];
  const isInput = (k) => k < width;
  const terms = productsOf(
    width + earlier,
    (k) => (isInput(k) ? source.y[t * width + k] : h[(t - 1) * units + k - width]),
    (k) => (isInput(k) ? weight[k * wide + column] : recurrent[(k - width) * wide + column]),
    (k) => (isInput(k) ? numberOf(source, t * width + k) : numberOf(node, (t - 1) * units + k - width, "h")), [term(bias)]);
  const equation = !withInput ? "m = hₜ₋₁·Uₙ + b′" : withState ? `z_${gate} = xₜ·W + hₜ₋₁·U + b` : "zₙ = xₜ·Wₙ + bₙ";
  return { equation, terms, value: totalOf(terms.values) + bias, pictures: [] };
};

const explainGateOf = (node, part, t, u) => {
  const gates = GATES[node.type];
  const gate = part === "m" ? "n" : part.split(".")[0];
  const column = gates.indexOf(gate) * node.settings.units + u;
  const isCandidate = node.type === "GRU" && gate === "n";
  return explainGateSum(node, gate, t, u, column, part !== "m", !isCandidate || part === "m", part === "m" ? "recurrent_bias" : "bias");
};

const explainState = (node, at, t) => {
  const found = unrolled(node);
  const { units, activation } = node.settings;
  const n = (part, place = at) => term(found[part][place], numberOf(node, place, part));
  const sum = (gate) => n(`${gate}.into`);
  const before = (part) => (t > 0 ? n(part, at - units) : term(0));
  const shut = (gate, f = "σ") => [`${gate} = `, term(found[gate][at]), ` = ${f}(`, sum(gate), ")"];
  if (node.type === "SimpleRNN") {
    const [open, close] = activation === "relu" ? ["max(", ", 0)"] : ["tanh(", ")"];
    return {
      equation: activation === "relu" ? "hₜ = max(z_a, 0)" : "hₜ = tanh z_a", lines: [["h = ", open, sum("a"), close]],
      value: activation === "relu" ? Math.max(found["a.into"][at], 0) : Math.tanh(found["a.into"][at]),
    };
  }
  if (node.type === "LSTM") {
    const [i, f, g, o] = ["i", "f", "g", "o"].map((gate) => (gate === "g" ? Math.tanh : sigmoidOf)(found[`${gate}.into`][at]));
    const c = f * before("c").value + i * g;
    return {
      equation: "i, f, o = σ(z),  g = tanh z,  cₜ = f·cₜ₋₁ + i·g,  hₜ = o·tanh cₜ",
      lines: [
        shut("i"), shut("f"), shut("g", "tanh"), shut("o"),
        ["c = ", term(c), " = ", term(f), "·", before("c"), " + ", term(i), "·", term(g)],
        ["h = ", term(o), "·tanh(", term(c), ")"],
      ],
      note: [mark("i: input gate, f: forget gate, g: candidate, o: output gate, c: the cell.")],
      value: o * Math.tanh(c), cell: c,
    };
  }
  const [r, z] = ["r", "z"].map((gate) => sigmoidOf(found[`${gate}.into`][at]));
  const candidate = Math.tanh(found["n.into"][at] + r * found.m[at]);
  return {
    equation: "r, z = σ(z),  n = tanh(zₙ + r·m),  hₜ = (1 − z)·n + z·hₜ₋₁",
    lines: [
      shut("r"), shut("z"), ["n = ", term(candidate), " = tanh(", sum("n"), " + ", term(r), "·", n("m"), ")"],
      ["h = (1 − ", term(z), ")·", term(candidate), " + ", term(z), "·", before("h")],
    ],
    note: [mark("r: reset gate, z: update gate, n: candidate, m: hₜ₋₁·Uₙ + b′, before the reset gate.")],
    value: (1 - z) * candidate + z * before("h").value,
  };
};

/** `part`: "y" or "h" for a state, "c" for a cell, "i.into" for what goes into a gate, "m". */
export const explainRecurrent = (node, at, part) => {
  const { units, return_sequences: all } = node.settings;
  const steps = node.inner[0];
  const place = part === "y" && !all ? (steps - 1) * units + at : at;
  const [t, u] = indexOf(shapeOf(node, "h"), place);
  const title = [mark("{kind}: unit {unit} at step {step} of 0…{last}"), { kind: node.type, unit: u, step: t, last: steps - 1 }];
  if (part.includes(".") || part === "m") return { title, ...explainGateOf(node, part, t, u) };
  const found = explainState(node, place, t);
  if (part !== "c") return { title, ...found };
  return { title, ...found, lines: found.lines.slice(0, -1), value: found.cell };
};
