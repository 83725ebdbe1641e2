// What was done to the weights of a model: views change them, and one line says what differs from the trained network.

import { make } from "./dom.js";
import { mark, say } from "./text.js";

const known = new WeakMap();

/** A model's changes: `steps`, texts {text, values} of what its `base` is; `damage`, those of what *Break it* did to that. */
export const changesOf = (model) => {
  if (!known.has(model)) known.set(model, { base: model.saved, steps: [], damage: [], version: 0 });
  return known.get(model);
};

/** The weights are now what they are, after `step`: the damage is part of them. Steps of one `kind` are counted as one. */
export const keepWeights = (page, step) => {
  const changes = changesOf(page.model);
  const steps = [...changes.steps, ...changes.damage];
  const last = steps.at(-1);
  if (last && last.kind && last.kind === step.kind) step = { ...step, values: { count: last.values.count + 1 } };
  setBase(changes, page.model.parameters.slice(), [...steps.slice(0, last?.kind && last.kind === step.kind ? -1 : undefined), step]);
  page.refresh();
};

/** The weights become `values`, whatever was done before; without a step they are the trained ones. */
export const replaceWeights = (page, values, steps = []) => {
  page.model.parameters.set(values);
  setBase(changesOf(page.model), steps.length ? values : page.model.saved, steps);
  page.refresh();
};

const setBase = (changes, base, steps) => Object.assign(changes, { base, steps, damage: [], version: changes.version + 1 });

/** The weights become the base, changed by `change(model)`; `damage` says how. */
export const damageWeights = (page, change, damage) => {
  const { model } = page;
  const changes = changesOf(model);
  model.parameters.set(changes.base);
  change(model);
  Object.assign(changes, { damage, version: changes.version + 1 });
  page.refresh();
};

/** Runs `look` with other weights, and puts back those that were. */
export const withWeights = (model, values, look) => {
  const before = model.parameters.slice();
  model.parameters.set(values);
  try {
    return look();
  } finally {
    model.parameters.set(before);
  }
};

let line = null;

/** The line at the foot of the window that says what is changed, with a button back to the trained network. */
export const followChanges = (page) => {
  if (!line) {
    const text = make("p", { role: "status" });
    const back = make("button", { type: "button" }, say("Back to the trained network"));
    back.addEventListener("click", () => replaceWeights(page, page.model.saved));
    line = { element: make("div", { className: "changed view" }, text, back), text };
  }
  document.querySelector("main").append(line.element);
  page.onChange(({ model }) => {
    const { steps, damage } = changesOf(model);
    const all = [...steps, ...damage];
    line.element.hidden = all.length === 0;
    line.text.replaceChildren(say(mark("The network is changed:")), " ",
      ...all.flatMap(({ text, values }, i) => [...(i ? [say("; ")] : []), say(text, values)]));
  });
};
