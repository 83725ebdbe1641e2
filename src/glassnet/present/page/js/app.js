// The page put together: the drawing, its preparation, the answer, and the views.

import { makeAnswer } from "./answer.js";
import { openBundle } from "./bundle.js";
import { make } from "./dom.js";
import { hasSimd } from "./engine.js";
import { showFacts } from "./facts.js";
import { Model } from "./model.js";
import { makePad } from "./pad.js";
import { makePreparation } from "./preparation.js";
import { prepareOne } from "./prepare.js";
import { makeSamples } from "./samples.js";
import { lacking } from "./support.js";
import { mark, say } from "./text.js";
import { VIEWS } from "./views.js";
import { followChanges } from "./weights.js";

/**
 * What views share: all `models` and the chosen `model`; the current `pixels` as the network is fed them, the answer `seen`
 * (that of model.see), the training image's class `label` or null, whether the pad is `empty`. `onChange(callback)` is called
 * with the page at each change; `show(pixels, label)` shows an image of the network's own size; `refresh()` asks the network again,
 * as after a change of its weights; `preparedFor(model)` is the drawing as another of the models is fed it, { pixels, prepared }.
 */
const page = { models: [], model: null, pixels: null, seen: null, label: null, empty: true };
const content = document.getElementById("page");
let listeners = [];
let drawn = null; // what the pad gave last

const pad = makePad((drawing) => { drawn = drawing; prepare(); });
const answer = makeAnswer();
const preparation = makePreparation(() => prepare());
const samples = makeSamples((i) => showSample(i));

const prepare = () => {
  const { model } = page;
  if (!model || !drawn) return;
  const { pixels, prepared } = preparedFor(model);
  page.label = drawn.source?.label ?? null;
  page.empty = drawn.empty;
  page.pixels = pixels;
  preparation.show(model, prepared);
  refresh();
};

/** The drawing as a network is fed it, and how it came to be: a training image of its size as it is, all else prepared. */
const preparedFor = (model) => {
  const { source, image } = drawn;
  if (source?.pixels.length === model.features) return { pixels: source.pixels, prepared: asIs(source.pixels, model.shape) };
  const prepared = prepareOne(image, model.style, model.shape, { mode: preparation.mode() });
  const takesBytes = model.samples.images instanceof Uint8Array;
  return { pixels: takesBytes ? prepared.pixels : Float32Array.from(prepared.pixels, (byte) => byte / 255), prepared };
};

/** A training image: the network is fed it as it was in training. */
const asIs = (pixels, [height, width, channels]) => {
  const values = pixels instanceof Uint8Array ? Float32Array.from(pixels, (byte) => byte / 255) : pixels;
  const steps = [{ text: mark("the pixels as they are, without preparation") }];
  return { pixels, kind: "unchanged", steps, box: null, stages: [{ name: "fed", width, height, channels, values }] };
};

const refresh = () => {
  page.seen = page.model.see(page.pixels);
  answer.show(page.model, page.seen, page.empty);
  for (const listener of listeners) {
    try {
      listener(page);
    } catch (error) {
      reportError(error); // the other views go on
    }
  }
};

const showImage = (pixels, name = null) => pad.show(samples.canvasOf(pixels), { pixels, label: name });
const showSample = (i) => showImage(samples.pixelsOf(i), page.model.samples.labels[i]);

/** The views of the chosen model, each in a section, and their names in the header. */
const mountViews = () => {
  listeners = [];
  document.querySelectorAll("main > .view").forEach((section) => section.remove());
  const links = [];
  for (const { id, title, mount } of VIEWS) {
    const section = make("section", { id, className: "view", "aria-labelledby": `${id}-title` },
      make("h2", { id: `${id}-title` }, say(title)));
    document.querySelector("main").append(section);
    if (mount(section, page) === false) section.remove();
    else links.push(make("a", { href: `#${id}` }, say(title)));
  }
  followChanges(page);
  document.querySelector(".bar nav").replaceChildren(...links);
};

const choose = (model) => {
  const first = page.model === null || String(page.model.shape) !== String(model.shape);
  page.model = model;
  samples.show(model);
  mountViews();
  showFacts(content, model);
  if (first || drawn?.source) showSample(0);
  else prepare();
};

const chooser = () => {
  const select = make("select", {}, ...page.models.map((model, i) => make("option", { value: i }, model.name)));
  select.addEventListener("change", () => choose(page.models[select.value]));
  return make("p", { className: "chooser" }, make("label", {}, say("Network"), " ", select));
};

const start = async () => {
  const missing = lacking();
  if (missing) throw { text: missing };
  const { header, arrays, module } = await openBundle(document.getElementById("bundle").textContent);
  page.models = await Promise.all(header.models.map((entry) => Model.create(module, entry, arrays, header.context)));
  content.replaceChildren(
    ...(page.models.length > 1 ? [chooser()] : []),
    make("p", { className: "about" }),
    ...(hasSimd() ? [] : [make("p", { className: "note" }, say("This browser's WebAssembly has no SIMD: the network runs more slowly here."))]),
    make("div", { className: "stage" }, pad.element, answer.element, preparation.element),
    samples.element,
  );
  choose(page.models[0]);
  setTimeout(warmUp, 300);
};

/** Prepare a drawing a few times, so that the browser has compiled that before the first stroke. */
const warmUp = () => {
  const image = samples.canvasOf(page.pixels).getContext("2d").getImageData(0, 0, page.model.shape[1], page.model.shape[0]);
  for (let i = 0; i < 8; i += 1) prepareOne(image, page.model.style, page.model.shape, { mode: "ink" });
};

Object.assign(page, { show: showImage, refresh, preparedFor, onChange: (callback) => { listeners.push(callback); } });

const ready = start().catch((error) => {
  const hint = say("Current versions of Chrome, Edge, Firefox and Safari can show this page.");
  const text = error.text ? [say(error.text), " ", hint] : [say("The network can't be opened: {reason}", { reason: error.message })];
  content.replaceChildren(make("p", { className: "refusal", role: "alert" }, ...text));
  throw error;
});
ready.catch(() => {}); // told above

window.glassnet = {
  ready,
  get classes() { return page.models[0].classes; },
  /** The class of the raw bytes of one image of the network's size, and the probabilities of all. */
  predict: (bytes) => {
    const { index, probabilities } = page.models[0].see(bytes);
    return { index, probabilities: Array.from(probabilities) };
  },
};
