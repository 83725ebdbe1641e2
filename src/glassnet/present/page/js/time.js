// Time: the same drawing, seen by the network after some epochs of its training.

import { make } from "./dom.js";
import { action, lazily, leading, shareText, shortNumber } from "./small.js";
import { label, mark, say, words } from "./text.js";
import { changesOf, replaceWeights, withWeights } from "./weights.js";

const EPOCH = mark("weights after epoch {epoch}");
const MOST_COLUMNS = 10;

/** The kept epochs of a model, the trained network at its place among them: { epoch, weights() }, weights null if trained. */
export const epochsOf = (model) => {
  const { epochs, arrays, trained } = model.entry.snapshots;
  const [steps, scales] = [model.array("snapshots"), model.array("snapshot_scales")];
  const weightsOf = (row) => () => {
    const weights = model.saved.slice();
    arrays.forEach(([at, size], i) => {
      const scale = scales[row * arrays.length + i];
      for (let place = at; place < at + size; place += 1) weights[place] += scale * steps[row * weights.length + place];
    });
    return weights;
  };
  const all = epochs.map(({ epoch }, row) => ({ epoch, weights: weightsOf(row) }));
  all.push({ epoch: trained ?? Infinity, weights: null });
  return all.sort((a, b) => a.epoch - b.epoch);
};

/** The view, for runs that kept snapshots. */
export const mountTime = (section, page) => {
  const { model } = page;
  const about = model.entry.snapshots;
  if (!about?.epochs.length) return false;
  const all = epochsOf(model);
  const trained = all.findIndex(({ weights }) => weights === null);
  let chosen = trained;
  const slider = label(make("input", { type: "range", min: 0, max: all.length - 1, value: trained, className: "epochs" }), "Epoch");
  const told = make("p", { className: "told", role: "status" });
  const list = make("div", { className: "times" });
  const nameOf = (i) => (i === trained ? say("trained") : i === 0 && all[i].epoch === 0 ? say("untrained") : say("epoch {epoch}", { epoch: all[i].epoch }));

  const choose = (i) => {
    chosen = i;
    const { epoch, weights } = all[i];
    if (weights) replaceWeights(page, weights(), [{ text: EPOCH, values: { epoch }, epoch }]);
    else replaceWeights(page, model.saved);
  };
  slider.addEventListener("input", () => choose(Number(slider.value)));
  const cells = all.map((_, i) => {
    const button = make("button", { type: "button" }, make("span", { className: "when" }, nameOf(i)));
    button.addEventListener("click", () => choose(i));
    list.append(button);
    return button;
  });

  const show = lazily(section, () => {
    const seen = all.map(({ weights }) => withWeights(model, weights ? weights() : model.saved, () => model.see(page.pixels)));
    const shown = leading(seen.at(trained).probabilities, MOST_COLUMNS, seen.map(({ index }) => index));
    seen.forEach(({ probabilities, index }, i) => {
      const bars = make("span", { className: "columns", "aria-hidden": "true" }, ...shown.map((one) => {
        const bar = make("i", { className: one === index ? "first" : "" });
        bar.style.transform = `scaleY(${probabilities[one]})`;
        return make("span", {}, bar, make("small", {}, [...model.classes[one]].slice(0, 2).join("")));
      }));
      cells[i].replaceChildren(make("span", { className: "when" }, nameOf(i)), bars,
        make("span", { className: "what" }, make("strong", {}, model.classes[index]), ` ${shareText(probabilities[index])}`));
    });
  });

  const rows = [...about.epochs];
  const worst = rows.reduce((a, b) => (Math.abs(b.shown - b.accuracy) > Math.abs(a.shown - a.accuracy) ? b : a));
  section.append(
    make("p", { className: "how" }, say("The same drawing, seen by the network as it learnt. Choose an epoch, and "
      + "the whole page shows the network of then.")),
    make("div", { className: "tools" }, slider, action(mark("Trained network"), () => choose(trained))), told, list,
    make("p", { className: "hint" }, say("Other epochs are kept as differences from the trained network, rounded to "
      + "{bits} bits; on the {count} training "
      + "images of this page, rounding changes the accuracy by at most {most} percentage points (epoch {epoch}: "
        + "{exact} → {shown}).",
    { bits: about.bits, count: model.samples.count, most: shortNumber(100 * Math.abs(worst.shown - worst.accuracy)), epoch: worst.epoch,
      exact: shareText(worst.accuracy), shown: shareText(worst.shown) }),
    ...(about.kept > rows.length
      ? [" ", say("{count} of the {kept} kept epochs fit in this page.", { count: rows.length, kept: about.kept })] : [])));
  let image = null;
  page.onChange(() => {
    const { steps, damage } = changesOf(model);
    const epoch = steps[0]?.epoch;
    chosen = steps.length + damage.length === 0 ? trained : all.findIndex((one) => one.weights && one.epoch === epoch);
    if (chosen >= 0) slider.value = chosen;
    slider.setAttribute("aria-valuetext", chosen < 0 ? "" : words(chosen === trained ? mark("trained") : mark("epoch {epoch}"), all[chosen]));
    cells.forEach((cell, i) => cell.setAttribute("aria-pressed", i === chosen));
    const accuracy = chosen === trained ? about.accuracy : about.epochs.find((row) => row.epoch === all[chosen]?.epoch)?.shown;
    told.replaceChildren(...(chosen < 0 ? [say("The weights are of none of these epochs.")]
      : [nameOf(chosen), ": ", say("accuracy on the training images of this page {share}", { share: shareText(accuracy) })]));
    if (image !== page.pixels) {
      image = page.pixels;
      show();
    }
  });
  return true;
};
