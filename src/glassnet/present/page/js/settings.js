// What can be chosen in the playground, and examples that choose all of it.

import { make } from "./dom.js";
import { label, mark, say } from "./text.js";

const numbers = (...values) => values.map((value) => [value, String(value)]);

/** Fields by group: name, text, and choices as [value, text]; `live`: a change goes on with the training. */
const GROUPS = [
  { title: mark("Network"), fields: [
    { name: "architecture", text: mark("Architecture"), choices: [["dense-0", mark("no hidden layer")], ["dense-1", mark("1 hidden layer")],
      ["dense-2", mark("2 hidden layers")], ["dense-5", mark("5 hidden layers")], ["conv-1", mark("convolution, pooling")],
      ["rnn-1", mark("recurrent, row by row")]] },
    { name: "width", text: mark("Units or filters"), choices: numbers(4, 5, 8, 10, 16, 30, 32, 100) },
    { name: "activation", text: mark("Activation"), choices: [["Sigmoid", "Sigmoid"], ["Tanh", "Tanh"], ["ReLU", "ReLU"]] },
    { name: "loss", text: mark("Loss"), choices: [["Quadratic", mark("quadratic, sigmoid outputs")], ["SoftmaxCrossEntropy", mark("softmax cross-entropy")]] },
    { name: "initializer", text: mark("Initial weights"), choices: [["Normal", mark("N(0, 1), biases too")], ["LecunNormal", "LecunNormal"],
      ["GlorotUniform", "GlorotUniform"], ["HeNormal", "HeNormal"], ["HeUniform", "HeUniform"], ["Uniform", mark("uniform in ±0.05")],
      ["Zeros", mark("all zero")]] },
    { name: "seed", text: mark("Seed"), choices: null },
  ] },
  { title: mark("Training"), fields: [
    { name: "optimizer", text: mark("Optimizer"), choices: [["SGD", "SGD"], ["momentum", mark("SGD, momentum 0.9")], ["Adam", "Adam"]] },
    { name: "rate", text: mark("Learning rate"), live: true, choices: numbers(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100) },
    { name: "batch", text: mark("Mini-batch"), choices: numbers(1, 5, 10, 20, 50, 100) },
    { name: "l2", text: mark("L2 penalty"), live: true, choices: [[0, "0"], [0.00001, "0.00001"], ...numbers(0.0001, 0.001, 0.01, 0.1)] },
    { name: "images", text: mark("Images"), choices: numbers(30, 100, 300, 1259) },
    { name: "epochs", text: mark("Epochs"), live: true, choices: [...numbers(1, 10, 30, 100, 300, 1000, 3000)] },
  ] },
];

const FIRST = { architecture: "dense-1", width: 30, activation: "Sigmoid", loss: "SoftmaxCrossEntropy", initializer: "GlorotUniform", seed: 1,
  optimizer: "SGD", rate: 1, batch: 10, l2: 0, images: 1259, epochs: 30 };

/** Examples: settings that differ from the first, and what there is to see. */
export const EXAMPLES = [
  { title: mark("A good start"), text: mark("One hidden layer of 30 sigmoids. It learns most digits within a second."), settings: {} },
  { title: mark("Learning slowdown"), settings: { loss: "Quadratic", initializer: "Normal", rate: 0.3, epochs: 100 },
    text: mark("Quadratic loss and initial weights from N(0, 1): outputs that are badly wrong lie where the sigmoid is flat, so learning starts slowly. Change the loss to softmax cross-entropy and compare.") },
  { title: mark("Rate 100"), settings: { loss: "Quadratic", initializer: "Normal", rate: 100 },
    text: mark("Each step overshoots. After a few, the sigmoids are saturated, gradients vanish, and nothing more is learnt.") },
  { title: mark("Dying ReLUs"), settings: { architecture: "dense-2", activation: "ReLU", initializer: "HeNormal", rate: 3 },
    text: mark("Too large a step pushes ReLUs to where they are zero for every image. Their gradient is zero, too, so they never return.") },
  { title: mark("Vanishing gradients"), settings: { architecture: "dense-5", rate: 0.3 },
    text: mark("Five layers of sigmoids: each reduces the gradient, so almost none reaches the first layer. Choose ReLU and HeNormal to see the difference.") },
  { title: mark("Equal weights"), settings: { initializer: "Zeros", rate: 1 },
    text: mark("All weights start at zero. The units of the hidden layer get equal gradients and stay equal: thirty of them are worth one.") },
  { title: mark("Overfitting"), settings: { architecture: "dense-2", width: 100, activation: "ReLU", initializer: "HeNormal", optimizer: "Adam", rate: 0.01, images: 30, epochs: 1000 },
    text: mark("A large network learns 30 images by heart. Others it classifies less well, and the validation loss rises.") },
  { title: mark("Convolution"), settings: { architecture: "conv-1", width: 8, activation: "ReLU", initializer: "HeNormal", rate: 0.1 },
    text: mark("Eight filters of 3×3 pixels look at every place of the image. Look at the filters below.") },
];

/** The form as { element, read(), write(settings) }; `onChange(isLive)` is called after a change. */
export const makeSettings = (widths, onChange) => {
  const inputs = {};
  const element = make("form", { className: "settings" });
  element.addEventListener("submit", (event) => event.preventDefault());
  label(element, "Settings");
  for (const { title, fields } of GROUPS) {
    const group = make("fieldset", {}, make("legend", {}, say(title)));
    for (const { name, text, choices, live } of fields) {
      const input = choices ? make("select", { name }) : make("input", { name, type: "number", min: 0, max: 999999, step: 1 });
      for (const [value, word] of choices ?? []) input.append(label(make("option", { value }), word, {}, "label"));
      input.addEventListener("change", () => { restrict(); onChange(Boolean(live)); });
      group.append(make("label", {}, make("span", {}, say(text)), input));
      inputs[name] = input;
    }
    element.append(group);
  }

  /** Only what the architecture has can be chosen. */
  const restrict = () => {
    const [kind, hidden] = inputs.architecture.value.split("-");
    const allowed = widths[kind];
    for (const option of inputs.width.options) option.hidden = option.disabled = !allowed.includes(Number(option.value));
    if (inputs.width.selectedOptions[0]?.disabled) {
      const wanted = Number(inputs.width.value);
      inputs.width.value = allowed.reduce((best, one) => (Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best));
    }
    const sigmoid = inputs.activation.options[0];
    sigmoid.hidden = sigmoid.disabled = kind === "rnn";
    if (inputs.activation.selectedOptions[0]?.disabled) inputs.activation.value = "Tanh";
    inputs.width.disabled = inputs.activation.disabled = hidden === "0";
    const seed = Math.floor(Number(inputs.seed.value));
    inputs.seed.value = Number.isFinite(seed) ? Math.min(999999, Math.max(0, seed)) : 1;
  };

  const read = () => {
    const settings = {};
    for (const [name, input] of Object.entries(inputs)) {
      settings[name] = ["architecture", "activation", "loss", "initializer", "optimizer"].includes(name) ? input.value : Number(input.value);
    }
    const [kind, hidden] = settings.architecture.split("-");
    const parts = hidden === "0" ? [0, ""] : [settings.width, settings.activation];
    settings.network = [kind, hidden, ...parts, settings.loss].join("-");
    return settings;
  };
  const write = (settings) => {
    for (const [name, value] of Object.entries({ ...FIRST, ...settings })) inputs[name].value = value;
    restrict();
  };
  write({});
  return { element, read, write };
};
