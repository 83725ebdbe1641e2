// Drawings with their right answers: collected, downloaded, and trained on in the page.

import { imageOf, make } from "./dom.js";
import { action, inBytes, named, shareText, shortNumber } from "./small.js";
import { label, mark, say } from "./text.js";
import { Trainer } from "./trainer.js";
import { changesOf, keepWeights } from "./weights.js";
import { folderNames, zipped } from "./zip.js";

const collections = new Map(); // by shape and classes, so that networks of the same task share them
const TRAINING_SLICE = 40; // ms of training between two pictures
const MOST_REPEATS = 20;

const drawingsFor = ({ shape, classes }) => {
  const key = JSON.stringify([shape, classes]);
  if (!collections.has(key)) collections.set(key, []);
  return collections.get(key);
};

/** Every second training image of the page is rehearsed with the drawings; the others only measure. */
const samplesOf = (model, odd) => {
  const size = model.features;
  const chosen = Array.from({ length: model.samples.count }, (_, i) => i).filter((i) => i % 2 === odd);
  return chosen.map((i) => ({ pixels: model.samples.images.subarray(i * size, (i + 1) * size), label: model.samples.labels[i] }));
};

const rightOf = (model, images) => images.filter(({ pixels, label: one }) => model.see(pixels).index === one).length;

/** Trains on drawings and rehearsed images; after each slice, `tell({epoch, epochs, loss})`, and end unless `going()`. */
export const trainOn = async (model, drawings, rehearsed, { epochs, rate, tell, going }) => {
  const repeats = Math.min(MOST_REPEATS, Math.max(1, Math.round(rehearsed.length / (2 * drawings.length))));
  const images = [...rehearsed, ...Array.from({ length: repeats }, () => drawings).flat()];
  const all = new (model.entry.bytes ? Uint8Array : Float32Array)(images.length * model.features);
  images.forEach(({ pixels }, i) => all.set(pixels, i * model.features));
  const { end } = model.machine;
  const trainer = new Trainer(model, all, images.map((image) => image.label), { batch: 32 });
  try {
    for (let epoch = 1; epoch <= epochs; epoch += 1) {
      do {
        const begun = performance.now();
        do trainer.run(rate, 1); while (trainer.step < trainer.steps && performance.now() - begun < TRAINING_SLICE);
        tell({ epoch, epochs, loss: trainer.progress(0, trainer.step).loss });
        await new Promise((done) => { setTimeout(done); });
        if (!going()) return false;
      } while (trainer.step < trainer.steps);
    }
  } finally {
    model.machine.release(end);
  }
  return true;
};

const pngOf = (pixels, shape) =>
  new Promise((done) => { imageOf(inBytes(pixels), shape).toBlob(async (blob) => done(new Uint8Array(await blob.arrayBuffer())), "image/png"); });

/** The drawings as the zip that `glassnet train` takes: a folder for each class. */
export const drawingsZip = async (model, drawings) => {
  const folders = folderNames(model.classes);
  const entries = await Promise.all(drawings.map(async ({ pixels, label: one }, i) => (
    { name: `${folders[one]}/drawing-${String(i + 1).padStart(3, "0")}.png`, bytes: await pngOf(pixels, model.shape) })));
  return zipped(entries);
};

/** The part of *Learn* with the collected drawings; `right`: the choice of the right answer. */
export const mountDrawings = (section, page, right) => {
  const { model } = page;
  const drawings = drawingsFor(model);
  const list = make("ul", { className: "collection" });
  const epochs = make("input", { type: "number", min: 1, max: 1000, value: 5 });
  const start = Number((model.lowered("train").rate || 0.001).toPrecision(3));
  const rate = make("input", { type: "number", min: 0, step: "any", value: start, inputMode: "decimal" });
  const progress = make("p", { className: "told", role: "status" });
  const result = make("div", { className: "result" });
  let running = false;

  const add = action(mark("Add this drawing"), () => {
    if (page.empty) return;
    drawings.push({ pixels: page.pixels.slice(), label: Number(right.value) });
    show();
  });
  const train = action(mark("Train on the drawings"), () => {
    if (running) running = false;
    else retrain();
  });
  const download = action(mark("Download as a zip"), async () => {
    const link = make("a", { href: URL.createObjectURL(await drawingsZip(model, drawings)), download: "drawings.zip" });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  });

  const show = () => {
    const removed = (drawing) => { drawings.splice(drawings.indexOf(drawing), 1); show(); add.focus(); };
    list.replaceChildren(...model.classes.flatMap((name, i) => {
      const mine = drawings.filter((drawing) => drawing.label === i);
      if (mine.length === 0) return [];
      return [make("li", {}, make("strong", {}, name), ` ${mine.length} `, ...mine.map((drawing) => {
        const button = make("button", { type: "button" }, imageOf(inBytes(drawing.pixels), model.shape));
        button.addEventListener("click", () => removed(drawing));
        return label(label(button, "Remove this drawing of {name}", { name }), "Remove this drawing of {name}", { name }, "title");
      }))];
    }));
    train.disabled = download.disabled = drawings.length === 0;
  };

  const retrain = async () => {
    const [count, size] = [Math.round(Number(epochs.value)), Number(rate.value)];
    if (!(count >= 1 && count <= 1000 && size > 0 && Number.isFinite(size))) {
      progress.replaceChildren(say("Epochs must be between 1 and 1000, and the learning rate a number above 0."));
      return;
    }
    const [mine, rehearsed, held] = [[...drawings], samplesOf(model, 0), samplesOf(model, 1)];
    const before = [rightOf(model, mine), rightOf(model, held)];
    const begun = performance.now();
    const weights = model.parameters.slice();
    const { version } = changesOf(model);
    running = true;
    train.replaceChildren(say("Stop"));
    const tell = ({ epoch, epochs: all, loss }) => {
      progress.replaceChildren(say("Epoch {epoch} of {all}: loss {loss}", { epoch, all, loss: shortNumber(loss) }));
    };
    const going = () => running && page.model === model && changesOf(model).version === version;
    const whole = await trainOn(model, mine, rehearsed, { epochs: count, rate: size, tell, going });
    running = false;
    train.replaceChildren(say("Train on the drawings"));
    const finite = model.parameters.every(Number.isFinite);
    const elsewhere = page.model !== model || changesOf(model).version !== version;
    if (elsewhere || !finite) {
      if (page.model !== model || !finite) model.parameters.set(weights);
      progress.replaceChildren(finite ? say("Ended: the weights were changed elsewhere.")
        : say("The weights became no numbers, and were put back; try a smaller rate."));
      if (page.model === model) page.refresh();
      return;
    }
    keepWeights(page, { text: DRAWN, values: { count: mine.length } });
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    progress.replaceChildren(whole ? say("Trained in {seconds} seconds.", { seconds }) : say("Stopped after {seconds} seconds.", { seconds }));
    const line = (text, [was, is], total) => make("li", {}, say(text), ` ${was} → ${is} / ${total} (${shareText(is / total)})`);
    result.replaceChildren(make("ul", {},
      line(mark("drawings, all of them trained on:"), [before[0], rightOf(model, mine)], mine.length),
      line(mark("training images of the page that this training left out:"), [before[1], rightOf(model, held)], held.length)),
    make("p", { className: "hint" }, say("{count} others of the page's training images were trained on along with "
      + "the drawings, so that the network does not forget. "
      + "How well it knows your hand, only a new drawing tells.", { count: rehearsed.length })));
  };

  section.append(
    make("h3", {}, say("Teach it your drawings")),
    make("p", { className: "how" }, say("Collect a few drawings of each class with their right answer, as chosen "
      + "above; then train on them here, or "
      + "download them and train a network of your own with glassnet train drawings.zip.")),
    make("div", { className: "tools" }, add, named(mark("Epochs"), epochs), named(mark("Learning rate"), rate), train, download),
    list, progress, result);
  show();
};

const DRAWN = mark("trained on drawings: {count}");
