// The entry of the page of test_page_explanations.py: every number of its networks, recomputed.

import { Anatomy, numberOf } from "./anatomy.js";
import { openBundle } from "./bundle.js";
import { countOf, explanationOf, kindsOfLayers, valueOf, valuesOf } from "./explanations.js";
import { Model } from "./model.js";
import { GATES } from "./recurrence.js";
import { totalOf } from "./terms.js";

/** Every number of a network, and of the gates inside it: the farthest recomputed value, the refused sources. */
const check = (model, pixels) => {
  const anatomy = new Anatomy(model);
  anatomy.look(pixels, model.see(pixels));
  const found = { kinds: {}, worst: [0, ""], sources: [0, 0, ""] };
  const wrong = (what) => { found.sources = [found.sources[0], found.sources[1] + 1, what]; };
  const recurrent = (node, part) => [...GATES[node.type].map((gate) => `${gate}.into`), ...part];
  for (const node of [anatomy.input, ...anatomy.nodes.values(), ...anatomy.chain.filter((one) => one.answers)]) {
    const more = { SimpleRNN: ["h"], LSTM: ["h", "c"], GRU: ["h", "m"] }[node.type];
    for (const part of ["y", ...(more ? recurrent(node, more) : [])]) {
      const values = valuesOf(node, part);
      const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (let at = 0; at < countOf(node, part); at += 1) {
        const explained = explanationOf(numberOf(node, at, part));
        const wanted = valueOf(numberOf(node, at, part));
        const sizes = explained.terms ? totalOf(explained.terms.values.map(Math.abs)) : 0;
        const error = Math.abs(explained.value - wanted) / (Math.abs(wanted) + 1e-2 * sizes + 1e-3 * largest || 1);
        if (!(error <= found.worst[0])) found.worst = [error, `${node.name} ${part} ${at}: ${explained.value} for ${wanted}`];
        const parts = [...(explained.lines ?? []).flat()];
        const written = Math.min(50, explained.terms?.values.length ?? 0);
        for (let k = 0; k < written; k += 1) parts.push(...explained.terms.parts(k));
        for (const { value, source } of parts) {
          if (!source) continue;
          found.sources[0] += 1;
          const there = valueOf(source);
          if (!(Math.abs(there - value) <= 1e-6 * Math.abs(there))) wrong(`${node.name} ${part} ${at}`);
        }
        const leads = parts.some(({ source }) => source) || explained.pictures?.length || explained.terms?.values.length === 0;
        if (node.type !== "Image" && !leads && wanted !== 0) wrong(`${node.name} ${part} ${at} comes from nowhere`);
      }
      found.kinds[node.type] = (found.kinds[node.type] ?? 0) + values.length;
    }
  }
  return found;
};

window.tested = (async () => {
  const { header, arrays, module } = await openBundle(document.getElementById("bundle").textContent);
  const found = [];
  for (const entry of header.models) {
    const model = await Model.create(module, entry, arrays, header.context);
    found.push(check(model, model.samples.images));
  }
  return { found, kinds: kindsOfLayers() };
})();
