// The playground: settings, a trial that is trained in slices of a frame, and what is seen of it.

import { makeAnswer } from "./answer.js";
import { openBundle } from "./bundle.js";
import { chart } from "./chart.js";
import { make, makeVoice } from "./dom.js";
import { arrange, button, showFinding } from "./arrangement.js";
import { findingsOf } from "./findings.js";
import { makeClassImages, makeFirstWeights, makePlane, planeOf } from "./looks.js";
import { makePad } from "./pad.js";
import { prepareOne } from "./prepare.js";
import { EXAMPLES, makeSettings } from "./settings.js";
import { lacking } from "./support.js";
import { makeConfusion, makeLayerTable } from "./tables.js";
import { mark, say, words } from "./text.js";
import { Examination, Trial } from "./trial.js";

const PAUSE = 120; // milliseconds between two looks at everything
const POINTS = 400; // at most, of a curve
const SLICE = 12; // milliseconds of work in a frame
const SPREAD = 1.06, LEAST = 8; // a curve's next point: so many times the steps before, so many more at least

const stage = document.getElementById("page");
const announce = makeVoice();
const playground = { trial: null, running: false, until: 0 };
let pack = null;
let parts = null; // the panels

/** A new trial with the chosen settings; the one before is forgotten. Of several resets at once, the last counts. */
const reset = () => {
  stop();
  const settings = parts.settings.read();
  latest = renew(settings);
  return latest;
};

let latest = null; // what the last reset promised
const renew = async (settings) => {
  const before = latest;
  const made = await Trial.create(pack, settings);
  await before;
  adopt(made, settings);
};

const adopt = (trial, settings) => {
  Object.assign(playground, { trial, points: [], lowest: Infinity, until: settings.epochs, probed: [], rate: 0, examined: 0 });
  trial.plane = new Examination(trial.model, pack.plane, new Int32Array(pack.plane.length / trial.model.features));
  parts.test.replaceChildren();
  measure();
};

/** A point of the curves: the losses now. */
const examine = () => {
  const { trial, points } = playground;
  if (points.at(-1)?.taken === trial.taken) return;
  const [train, validation] = [trial.parts.train.take(), trial.parts.validation.take()];
  points.push({ taken: trial.taken, at: trial.epochs, train, validation });
  playground.lowest = Math.min(playground.lowest, validation.loss);
  if (points.length > POINTS) playground.points = points.filter((_, i) => i % 2 === 0 || i === points.length - 1);
};

/** Look at the trial, without a step: losses, images, tables, and the diagnosis. */
const measure = () => {
  examine();
  const { trial } = playground;
  const { train, validation } = playground.points.at(-1);
  const finite = trial.finite() && Number.isFinite(train.loss);
  const activations = trial.activations();
  const found = findingsOf({
    finite, activations, validation, loss: train.loss, accuracy: train.accuracy, classes: train.classes, taken: trial.taken,
    start: trial.start, gradients: trial.gradients, symmetric: trial.symmetric(), change: Math.max(0, ...trial.probes),
    lowest: playground.lowest, nearest: pack.header.sizes[trial.settings.images],
  });
  if (!finite) stop();
  playground.found = { ...found, train: train.accuracy, validation: validation.accuracy, loss: train.loss };
  showFinding(parts.finding, found);
  drawCurves();
  showCounts();
  parts.weights.show(trial);
  parts.classes.show(trial);
  parts.plane.show(trial.plane.take().classes, validation.classes);
  parts.layers.show(playground.probed.length ? playground.probed : trial.weights().map((one) => ({ ...one, ...sizeOfWeights(trial, one) })), activations);
  parts.confusion.show(trial.parts.validation.labels, validation.classes);
  answerDrawing();
};

const sizeOfWeights = (trial, { from, to }) =>
  ({ size: Math.sqrt(trial.model.parameters.subarray(from, to).reduce((sum, value) => sum + value * value, 0)), gradient: 0, change: 0 });

const drawCurves = () => {
  const { points, until } = playground;
  const lines = (key) => [
    { name: mark("training"), kind: "train", points: points.map(({ at, train }) => [at, finiteOr(train[key])]) },
    { name: mark("validation"), kind: "validation", points: points.map(({ at, validation }) => [at, finiteOr(validation[key])]) },
  ];
  const most = Math.max(Math.min(until, 10 * playground.trial.epochs), playground.trial.epochs, 1);
  chart(parts.loss, { title: mark("Loss"), lines: lines("loss"), most, show: (value) => value.toPrecision(3) });
  chart(parts.accuracy, { title: mark("Accuracy"), lines: lines("accuracy"), most, scale: 100, unit: " %", show: (value) => `${(100 * value).toFixed(1)} %` });
};
const finiteOr = (value) => (Number.isFinite(value) ? value : null);

const showCounts = () => {
  const { trial, rate } = playground;
  const [steps, epochs] = [trial.taken.toLocaleString("en"), trial.epochs.toFixed(1)];
  parts.counts.replaceChildren(rate
    ? say("epoch {epochs}, step {steps}, {rate} steps a second", { epochs, steps, rate: Math.round(rate).toLocaleString("en") })
    : say("epoch {epochs}, step {steps}", { epochs, steps }));
};

/** Frames of training: steps and points of the curves; now and then all is looked at. */
const go = async () => {
  await latest;
  const { trial } = playground;
  if (playground.running) return;
  if (!trial.finite()) return;
  if (trial.epochs >= playground.until) playground.until = trial.epochs + parts.settings.read().epochs;
  playground.running = true;
  showRunning();
  const [begun, since] = [performance.now(), trial.taken];
  let measured = begun;
  const frame = () => {
    if (!playground.running || playground.trial !== trial) return;
    const end = Math.round(playground.until * trial.trainer.steps);
    work(trial, end);
    const now = performance.now();
    const done = trial.taken >= end;
    playground.rate = ((trial.taken - since) * 1000) / (now - begun);
    if (done || now - measured >= PAUSE) {
      if (!done) playground.probed = trial.probe();
      measure();
      measured = performance.now();
    }
    if (done) stop();
    else requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
};

/** Train for a frame, up to the step `end`; points of the curves take at most a third of the time, but for the first. */
const work = (trial, end) => {
  const until = performance.now() + SLICE;
  while (performance.now() < until && trial.taken < end) {
    const last = playground.points.at(-1);
    const next = Math.max(last.taken + LEAST, Math.ceil(SPREAD * last.taken));
    const most = trial.taken < next ? next : trial.taken + LEAST;
    trial.slice(until, Math.min(end, most) - trial.taken);
    if (trial.taken < next || (trial.taken > 10 * LEAST && trial.spent < 2 * playground.examined)) continue;
    const at = performance.now();
    examine();
    playground.examined = performance.now() - at;
    trial.spent = 0;
  }
};

const stop = () => {
  if (!playground.running) return;
  playground.running = false;
  showRunning();
  const { found } = playground;
  if (found) announce(`${words(found.title)}. ${words(mark("Validation accuracy {share} %"), { share: (100 * found.validation).toFixed(1) })}`);
};
const showRunning = () => {
  parts.train.replaceChildren(say(playground.running ? mark("Pause") : mark("Train")));
  parts.train.setAttribute("aria-pressed", String(playground.running));
};

const stepOnce = async () => {
  stop();
  await latest;
  playground.rate = 0;
  playground.probed = playground.trial.probe();
  measure();
};

const openTest = () => {
  const { right, count, accuracy } = playground.trial.test();
  parts.test.replaceChildren(say("{right} of {count} test images are classified correctly ({share} %), after {steps} steps.",
    { right, count, share: (100 * accuracy).toFixed(1), steps: playground.trial.taken.toLocaleString("en") }));
};

let drawing = null;
const answerDrawing = () => {
  const { trial } = playground;
  if (!drawing || !trial) return;
  const { pixels } = prepareOne(drawing.image, trial.model.style, trial.model.shape, { mode: "auto" });
  parts.answer.show(trial.model, trial.model.see(pixels), drawing.empty);
};

/** All panels, for the classes and widths of the bundle. */
const build = () => {
  const { header, arrays } = pack;
  const { classes } = Object.values(header.networks)[0];
  const size = header.shape[0] * header.shape[1];
  const mean = new Float64Array(size);
  arrays["train.images"].forEach((value, i) => { mean[i % size] += value / arrays["train.labels"].length; });
  pack.plane = planeOf(mean, arrays.axes);
  const changed = (isLive) => {
    parts.example.replaceChildren();
    if (!isLive) return reset();
    const settings = parts.settings.read();
    const { trial } = playground;
    Object.assign(trial.settings, { rate: settings.rate, l2: settings.l2 });
    trial.trainer.penalise("l2", settings.l2);
    playground.until = Math.max(settings.epochs, trial.epochs);
    drawCurves();
  };
  parts = {
    settings: makeSettings(header.widths, changed),
    train: button(mark("Train"), () => (playground.running ? stop() : go()), "main"),
    counts: make("p", { className: "counts" }), finding: make("section", { className: "finding" }), example: make("p", { className: "example" }),
    loss: make("figure"), accuracy: make("figure"), test: make("p", { className: "result", role: "status" }),
    weights: makeFirstWeights(), classes: makeClassImages(classes), layers: makeLayerTable(), confusion: makeConfusion(classes),
    plane: makePlane(classes, mean, arrays.axes, arrays["validation.images"], arrays["validation.labels"]),
    answer: makeAnswer(), pad: makePad((drawn) => { drawing = drawn; answerDrawing(); }),
  };
  const examples = EXAMPLES.map(({ title, text, settings }) => button(title, async () => {
    parts.settings.write(settings);
    await reset();
    parts.example.replaceChildren(say(text));
    go();
  }));
  arrange(stage, parts, examples, arrays, { stepOnce, reset, openTest });
};

const begin = async () => {
  const missing = lacking();
  if (missing) throw { text: missing };
  pack = await openBundle(document.getElementById("bundle").textContent);
  build();
  await reset();
};
const ready = begin().catch((error) => {
  stage.replaceChildren(make("p", { className: "refusal", role: "alert" },
    error.text ? say(error.text) : say("The playground can't be opened: {reason}", { reason: error.message })));
  throw error;
});
ready.catch(() => {}); // told above

window.glassnet = {
  ready,
  get classes() { return playground.trial.model.classes; },
  get playground() { return playground; },
  /** A trial with its own settings, for tests and the console. */
  trial: (settings) => Trial.create(pack, { ...parts.settings.read(), ...settings }),
  predict: (bytes) => {
    const { index, probabilities } = playground.trial.model.see(bytes);
    return { index, probabilities: Array.from(probabilities) };
  },
};
