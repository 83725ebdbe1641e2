// Learn: the right answer, the loss, the gradient by each layer, and one step of the optimizer.

import { mountDrawings } from "./collect.js";
import { make } from "./dom.js";
import { action, answerLine, classChoice, lazily, named, normOf, sameNumbers, shareText, shortNumber, signedPicture, smallBars } from "./small.js";
import { label, mark, say } from "./text.js";
import { changesOf, keepWeights, replaceWeights } from "./weights.js";

const LEARNT = mark("steps of learning: {count}");
const MOST_FILTERS = 16;
const NARROW = "(max-width: 720px)"; // as in learn.css: there a row of the table is a block
const BESIDE = 500; // CSS pixels of the table's other columns, about
const [LAYER, NORM, BY_OUTPUT, BY_WEIGHTS] = [mark("Layer"), mark("Norm"), mark("Gradient by its output"), mark("Norm of the gradient by its weights")];

/**
 * One step of the run's optimizer on one image, by the gradient that is shown: the program that shows every layer runs with the
 * optimizer of the one that trains, so dropout is off and running statistics stay.
 */
export const stepOn = (model, pixels, right, rate) => {
  const { machine, program } = model;
  const lowered = model.lowered("train");
  const { end } = machine;
  const moments = () => machine.allocate(4 * model.entry.parameters);
  const before = Object.fromEntries(["rates", "keep_gradient"].map((name) => [name, program.get(name)]));
  program.set({
    training: 1, rates: machine.put(Float64Array.of(rate)), m: lowered.moments > 0 ? moments() : 0, v: lowered.moments > 1 ? moments() : 0,
    param_groups: machine.put(lowered.param_groups), param_group_count: lowered.groups, options_at: machine.put(lowered.options),
    square_sums: machine.allocate(8 * lowered.square_sums), optimizer: lowered.optimizer, clip_norm: lowered.clip_norm, past_steps: 0,
  });
  model.learn(pixels, right);
  program.set({ training: 0, ...before });
  machine.release(end);
};

/** A number field for a learning rate. */
export const rateField = (model) => {
  const start = model.lowered("train").rate || 0.001;
  return make("input", { type: "number", min: 0, step: "any", value: Number(start.toPrecision(3)), inputMode: "decimal" });
};

/** The view, for networks with a program to train. */
export const mountLearn = (section, page) => {
  const { model } = page;
  if (!model.entry.programs.train) return false;
  const right = classChoice(model.classes);
  const rate = rateField(model);
  const loss = make("p", { className: "told", role: "status" });
  const flow = make("tbody", { role: "rowgroup" });
  const filters = make("div", { className: "filters" });
  const both = make("div", { className: "pair" });
  const refusal = make("p", { className: "refusal", role: "alert" });
  const past = []; // what Undo goes back to
  let version = 0; // of the weights, after the last step or undo
  const lossNow = () => model.learn(page.pixels, Number(right.value)).loss;
  const outcome = (text, seen, at, before = null) => make("div", {}, make("p", { className: "head" }, say(text, { loss: shortNumber(at) })),
    answerLine(model.classes, seen), smallBars(model.classes, seen.probabilities, { wanted: [Number(right.value)], before }));

  const undo = action(mark("Take the step back"), () => {
    const { steps, weights } = past.pop();
    version = changesOf(model).version + 1;
    both.replaceChildren();
    replaceWeights(page, weights, steps);
  });
  const step = action(mark("One step"), () => {
    const size = Number(rate.value);
    const fits = size > 0 && Number.isFinite(size);
    refusal.replaceChildren(...(fits ? [] : [say("The learning rate must be a number above 0.")]));
    if (!fits || page.empty) return;
    const weights = model.parameters.slice();
    const [before, from] = [model.see(page.pixels), lossNow()];
    stepOn(model, page.pixels, Number(right.value), size);
    if (!model.parameters.every(Number.isFinite)) {
      model.parameters.set(weights);
      refusal.replaceChildren(say("This step made weights that are no numbers, and was taken back; try a smaller rate."));
      return;
    }
    past.push({ steps: stepsNow(page), weights });
    version = changesOf(model).version + 1;
    keepWeights(page, { kind: "step", text: LEARNT, values: { count: 1 } });
    const after = model.see(page.pixels);
    both.replaceChildren(outcome(mark("Before: loss {loss}"), before, from),
      outcome(mark("After: loss {loss}"), after, lossNow(), before.probabilities));
  });

  const show = lazily(section, () => {
    if (page.empty) return;
    const learnt = model.learn(page.pixels, Number(right.value));
    loss.replaceChildren(say("Loss {loss}; probability of the right answer {share}.",
      { loss: shortNumber(learnt.loss), share: shareText(learnt.probabilities[right.value]) }));
    flow.replaceChildren(...flowRows(model, learnt, section.clientWidth - (matchMedia(NARROW).matches ? 0 : BESIDE)));
    showFilters(filters, model, learnt.gradients);
  });
  let chosen = false; // the right answer, by hand
  right.addEventListener("change", () => { chosen = true; both.replaceChildren(); show(); });

  const heads = [LAYER, NORM, BY_OUTPUT, BY_WEIGHTS].map((text) => make("th", { scope: "col", role: "columnheader" }, say(text)));
  section.append(
    make("p", { className: "how" }, say("Name the right answer. The loss says how wrong the network is; its gradient goes back "
      + "layer by layer and says how each weight would have to change.")),
    make("div", { className: "tools" }, named(mark("Right answer"), right), named(mark("Learning rate"), rate), step, undo),
    make("p", { className: "hint" }, say("One step of the run's optimizer on this one image, its moments beginning at zero; "
      + "without dropout, and with the running statistics as they are.")),
    refusal, loss, both,
    make("h3", {}, say("The gradient on its way back")),
    label(make("div", { className: "scroll", tabIndex: 0, role: "region" }, make("table", { className: "flow", role: "table" },
      make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads)), flow)),
    "The gradient on its way back"),
    make("h3", {}, say("Gradient by the weights of the first layer, unit by unit")), filters);
  mountDrawings(section, page, right);

  let image = null;
  page.onChange(() => {
    if (!sameNumbers(page.pixels, image)) {
      if (page.label !== null || page.empty || !chosen) {
        right.value = String(page.label ?? page.seen.index);
        chosen = false;
      }
      both.replaceChildren();
      image = page.pixels;
    }
    if (changesOf(model).version !== version) past.length = 0;
    undo.disabled = past.length === 0;
    show();
  });
  return true;
};

/** What is done to the weights now, as `replaceWeights` takes it. */
const stepsNow = (page) => {
  const { steps, damage } = changesOf(page.model);
  return [...steps, ...damage];
};

/** A cell of the table; its head is shown in it where the table is too narrow for a row of heads. */
const flowCell = (head, ...children) => make("td", { role: "cell" }, // roles are given because CSS makes blocks of them there
  ...(children.length ? [make("small", { "aria-hidden": "true" }, say(head)), ...children] : []));

/** A layer a row, the last first: the gradient of the loss by its output as a picture in `room` CSS pixels, and norms. */
const flowRows = (model, { deltas, gradients }, room) => {
  const { seen } = model.lowered("show");
  const norms = deltas.map((delta) => (delta ? normOf(delta) : 0));
  const most = Math.max(...norms, Number.MIN_VALUE);
  return seen.map(({ path, shape }, i) => {
    const layer = model.layers.find((one) => one.path === path);
    const bar = make("i");
    bar.style.transform = `scaleX(${norms[i] ? Math.max(0, 1 + Math.log10(norms[i] / most) / 6) : 0})`;
    const picture = deltas[i] ? signedPicture(deltas[i], shape, Math.max(room, 200)) : null;
    if (picture) label(picture, "Gradient of the loss by the output of layer {name}", { name: layer.name });
    const arrays = Object.entries(layer.parameters).filter(([, { at }]) => at < gradients.length);
    const parts = arrays.map(([key, { at, shape: sides }]) => {
      const size = sides.reduce((a, b) => a * b, 1);
      return make("div", {}, make("code", {}, key), ` ${shortNumber(normOf(gradients.subarray(at, at + size)))}`);
    });
    return make("tr", { role: "row" }, make("th", { scope: "row", role: "rowheader" }, layer.name),
      flowCell(NORM, make("span", { className: "norm", "aria-hidden": "true" }, bar), shortNumber(norms[i])),
      flowCell(BY_OUTPUT, picture ?? say("none: nothing before it learns")),
      flowCell(BY_WEIGHTS, ...parts));
  }).reverse();
};

/** The gradient by the weights of each unit or filter of the first layer with weights, those with the largest first. */
const showFilters = (place, model, gradients) => {
  const first = model.layers.find((layer) => layer.parameters.weight);
  if (!first) return;
  const { at, shape } = first.parameters.weight;
  const units = shape.at(-1);
  const size = shape.reduce((a, b) => a * b, 1) / units;
  const [height, width, channels] = model.shape;
  const sides = shape.length === 4 ? shape.slice(0, 3) : size === height * width * channels ? [height, width, channels] : [size];
  const [rows, columns, depth = 1] = sides.length === 1 ? [1, size] : sides;
  const of = (unit) => Float32Array.from({ length: rows * columns }, (_, place) => {
    let sum = 0; // over the input's channels
    for (let c = 0; c < depth; c += 1) sum += gradients[at + (place * depth + c) * units + unit];
    return sum;
  });
  const all = Array.from({ length: units }, (_, unit) => ({ unit, values: of(unit) }));
  for (const one of all) one.norm = normOf(one.values);
  all.sort((a, b) => b.norm - a.norm);
  place.replaceChildren(...all.slice(0, MOST_FILTERS).map(({ unit, values, norm }) =>
    make("figure", {}, label(signedPicture(values, [rows, columns]), "Gradient by the weights of unit {unit}", { unit }),
      make("figcaption", {}, `${unit} · ${shortNumber(norm)}`))));
};
