// Break it: units off, fewer bits, noise in weights and image; and the smallest change of the image that flips the answer.

import { breakable, canSwitchOff, distorted, perturb, quantise, switchOff } from "./damage.js";
import { imageOf, make } from "./dom.js";
import { flipTo } from "./flip.js";
import { action, answerLine, classChoice, inBytes, lazily, named, pictureOf, sameNumbers, shortNumber, signedPicture, smallBars } from "./small.js";
import { label, mark, say } from "./text.js";
import { changesOf, damageWeights } from "./weights.js";

const OFF = mark("units or filters off: {count}");
const ROUNDED = mark("weights rounded to {bits} bits");
const NOISY = mark("noise of {percent} % on the weights");
const ALL_BITS = 9; // the place of the slider for bits where nothing is rounded
const MOST_UNITS = 512;
const MOST_BUTTONS = 60; // one for each class; of more classes one is chosen from a list

const sliderOf = (text, min, max, value, step = 1) => {
  const input = make("input", { type: "range", min, max, step });
  input.value = value;
  const figure = make("output");
  return { input, figure, element: named(text, input, figure), get value() { return Number(input.value); } };
};

/** The view. */
export const mountBreak = (section, page) => {
  section.append(make("p", { className: "how" }, say("Damage the network or the image, and watch the answer. Nothing is lost: "
    + "the trained network comes back at a click.")));
  mountWeights(section, page);
  mountImage(section, page);
  mountFlip(section, page);
  return true;
};

/** Units off, bits, noise: the weights are made anew from their base at each change. */
const mountWeights = (section, page) => {
  const { model } = page;
  const layers = breakable(model);
  const off = new Map(layers.map((layer) => [layer.path, new Set()]));
  const bits = sliderOf(mark("Bits of the weights"), 1, ALL_BITS, ALL_BITS);
  const noise = sliderOf(mark("Noise on the weights"), 0, 100, 0);
  let [seed, version] = [1, 0];

  const clear = () => {
    for (const units of off.values()) units.clear();
    [bits.input.value, noise.input.value] = [ALL_BITS, 0];
  };
  const apply = () => {
    const count = [...off.values()].reduce((sum, units) => sum + units.size, 0);
    const damage = [
      ...(bits.value < ALL_BITS ? [{ text: ROUNDED, values: { bits: bits.value } }] : []),
      ...(noise.value > 0 ? [{ text: NOISY, values: { percent: noise.value } }] : []),
      ...(count ? [{ text: OFF, values: { count } }] : []),
    ];
    version = changesOf(model).version + 1;
    damageWeights(page, () => {
      if (bits.value < ALL_BITS) quantise(model, bits.value);
      if (noise.value > 0) perturb(model, noise.value / 100, seed);
      for (const layer of layers) for (const unit of off.get(layer.path)) switchOff(model, layer, unit);
    }, damage);
  };
  for (const { input } of [bits, noise]) input.addEventListener("input", apply);

  const choice = make("select", {}, ...layers.map((layer, i) => make("option", { value: i }, `${layer.name} (${layer.outputShape.at(-1)})`)));
  const grid = make("div", { className: "units" });
  const hint = make("p", { className: "hint" });
  const build = () => {
    const layer = layers[choice.value];
    const able = canSwitchOff(model, layer);
    const units = Math.min(MOST_UNITS, layer.outputShape.at(-1));
    grid.replaceChildren(...Array.from({ length: able ? units : 0 }, (_, unit) => {
      const button = make("button", { type: "button", "aria-pressed": "false" }, ...filterOf(model, layer, unit), String(unit));
      label(button, "Unit {unit} off", { unit });
      button.addEventListener("click", () => {
        const mine = off.get(layer.path);
        if (!mine.delete(unit)) mine.add(unit);
        apply();
      });
      return button;
    }));
    hint.replaceChildren(able
      ? say("A unit that is off gives 0 after its activation: its weights, its bias and the γ and β of a "
        + "normalisation behind it "
        + "become 0; before a sigmoid, bias or β becomes −200.")
      : say("Units of this layer can't be switched off: without a bias, a sigmoid is 0.5 at least in places where "
        + "it should be 0."));
    press();
  };
  const press = () => {
    const mine = off.get(layers[choice.value]?.path);
    [...grid.children].forEach((button, unit) => button.setAttribute("aria-pressed", mine.has(unit)));
  };
  choice.addEventListener("change", build);

  section.append(make("h3", {}, say("The network")),
    make("div", { className: "tools" }, bits.element, noise.element,
      action(mark("Other noise"), () => { seed += 1; apply(); })));
  if (layers.length) {
    const all = (whole) => {
      const units = off.get(layers[choice.value].path);
      units.clear();
      if (whole) for (let unit = 0; unit < grid.children.length; unit += 1) units.add(unit);
      apply();
    };
    section.append(make("div", { className: "tools" }, named(mark("Units and filters of layer"), choice),
      action(mark("All off"), () => all(true)), action(mark("All on"), () => all(false))), hint, grid);
    build();
  }
  page.onChange(() => {
    if (changesOf(model).version !== version) {
      version = changesOf(model).version;
      clear();
    }
    bits.figure.replaceChildren(...(bits.value < ALL_BITS ? [String(bits.value)] : [say("32, as trained")]));
    noise.figure.textContent = `${noise.value} %`;
    press();
  });
};

/** The weights of a unit or filter of a first layer as a picture. */
const filterOf = (model, layer, unit) => {
  const { at, shape } = layer.parameters.weight;
  const units = shape.at(-1);
  const [height, width, channels] = model.shape;
  const sides = shape.length === 4 && shape[2] <= 3 ? shape.slice(0, 2) : shape.length === 2 && shape[0] === height * width * channels ? [height, width] : null;
  if (!sides) return [];
  const depth = shape.reduce((a, b) => a * b, 1) / units / sides[0] / sides[1];
  const values = Float32Array.from({ length: sides[0] * sides[1] }, (_, i) => model.saved[at + i * depth * units + unit]);
  const picture = signedPicture(values, sides);
  picture.removeAttribute("role");
  picture.setAttribute("aria-hidden", "true");
  return [picture];
};

/** The image turned, moved, with noise. */
const mountImage = (section, page) => {
  const { model } = page;
  const [height, width] = model.shape;
  const turn = sliderOf(mark("Turn"), -180, 180, 0, 5);
  const right = sliderOf(mark("Move right"), -(width >> 1), width >> 1, 0);
  const down = sliderOf(mark("Move down"), -(height >> 1), height >> 1, 0);
  const noise = sliderOf(mark("Noise on the image"), 0, 128, 0, 4);
  const all = { turn, right, down, noise };
  const picture = label(make("canvas", { className: "pixels", role: "img" }), "The image as it is fed to the network now");
  const outcome = make("div", { className: "outcome", role: "status" });
  let [seed, pixels] = [1, null];
  const show = () => {
    const values = Object.fromEntries(Object.entries(all).map(([name, slider]) => [name, slider.value]));
    const plain = Object.values(values).every((value) => value === 0);
    pixels = plain ? page.pixels : distorted(page.pixels, model.shape, { ...values, seed });
    imageOf(inBytes(pixels), model.shape, { canvas: picture });
    const seen = model.see(pixels);
    outcome.replaceChildren(answerLine(model.classes, seen),
      smallBars(model.classes, seen.probabilities, { before: plain ? null : page.seen.probabilities }));
    turn.figure.textContent = `${values.turn}°`;
    for (const [name, unit] of [["right", " px"], ["down", " px"], ["noise", ""]]) all[name].figure.textContent = `${values[name]}${unit}`;
  };
  const later = lazily(section, show, 30);
  for (const { input } of Object.values(all)) input.addEventListener("input", show);
  const back = action(mark("As it was"), () => { for (const { input } of Object.values(all)) input.value = 0; show(); });
  section.append(make("h3", {}, say("The image")),
    make("div", { className: "spoilt" }, picture, outcome, make("div", { className: "tools column" }, ...Object.values(all).map(({ element }) => element),
      make("div", { className: "tools" }, action(mark("Other noise"), () => { seed += 1; show(); }), back,
        action(mark("Show it on the whole page"), () => {
          const kept = pixels.slice();
          for (const { input } of Object.values(all)) input.value = 0;
          page.show(kept, page.label);
        })))));
  page.onChange(later);
};

/** The smallest change that was found to flip the answer to a class. */
const mountFlip = (section, page) => {
  const { model } = page;
  const targets = make("div", { className: "tools targets" });
  const result = make("div", { className: "flip", role: "status" });
  const find = (target) => {
    if (page.empty) return;
    if (page.seen.index === target) return;
    const found = flipTo(model, page.pixels, target);
    if (!found) {
      result.replaceChildren(make("p", {}, say("No change was found that makes it {name}: the gradient by the image "
        + "leads nowhere.", { name: model.classes[target] })));
      return;
    }
    const { pixels, change, steps } = found;
    const seen = model.see(pixels);
    const most = change.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const mean = Math.sqrt(change.reduce((sum, x) => sum + x * x, 0) / change.length);
    const figure = (canvas, text, wide = text) => make("figure", {}, label(canvas, wide), make("figcaption", {}, say(text)));
    result.replaceChildren(
      make("div", { className: "pictures" },
        figure(pictureOf(page.pixels, model.shape), mark("this image")),
        figure(signedPicture(sumOfChannels(change, model.shape), model.shape.slice(0, 2)), mark("the change")),
        figure(pictureOf(pixels, model.shape), mark("this image, changed"))),
      answerLine(model.classes, seen),
      make("p", { className: "hint" }, say("The smallest change found, in {steps} steps: at most {most} of 255 grey "
        + "levels at a pixel, {mean} in the root mean square. "
        + "Others may be smaller. Blue is brighter, orange darker.", { steps, most: shortNumber(most), mean: shortNumber(mean) })),
      action(mark("Show it on the whole page"), () => page.show(pixels, page.label)));
  };
  const many = model.classes.length > MOST_BUTTONS;
  const choice = classChoice(model.classes);
  const start = action(mark("Change the image"), () => find(Number(choice.value)));
  const buttons = many ? [] : model.classes.map((name, target) => {
    const button = make("button", { type: "button" }, name);
    label(button, "Change the image until the answer is {name}", { name });
    button.addEventListener("click", () => find(target));
    return button;
  });
  targets.append(...(many ? [label(choice, "The answer that the image is changed to"), start] : buttons));
  section.append(make("h3", {}, say("The smallest change that flips the answer")),
    make("p", { className: "how" }, say("Choose a class: a few steps along the gradient by the image make the "
      + "network answer it, with as little change as was found.")),
    targets, result);
  let asked = null;
  page.onChange(() => {
    buttons.forEach((button, i) => { button.disabled = page.empty || i === page.seen.index; });
    start.disabled = page.empty;
    const { version } = changesOf(model);
    if (version !== asked?.version || !sameNumbers(page.pixels, asked.pixels)) result.replaceChildren();
    asked = { version, pixels: page.pixels };
  });
};

const sumOfChannels = (values, [height, width, channels]) => Float32Array.from({ length: height * width }, (_, i) => {
  let sum = 0;
  for (let c = 0; c < channels; c += 1) sum += values[i * channels + c];
  return sum;
});
