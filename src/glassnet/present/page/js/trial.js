// One training in the playground: a network, its trainer, and what is measured of it.

import { Program } from "./engine.js";
import { drawParameters } from "./initial.js";
import { Model } from "./model.js";
import { Trainer } from "./trainer.js";

const WATCHED = 64; // training images whose layers' outputs are looked at
const FLAT = 0.01; // of its range: so near to its bounds, a sigmoid or tanh is saturated
const PORTION = 2; // milliseconds between two looks at the clock

const norm = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));

/** The losses and classes of fixed images under a model, many at a time. */
export class Examination {
  constructor(model, images, labels) {
    const { machine, layout } = model;
    const lowered = model.lowered("losses");
    this.machine = machine;
    this.labels = labels;
    this.count = labels.length;
    this.steps = Math.ceil(this.count / lowered.capacity);
    this.program = new Program(machine, lowered, layout, model.state);
    this.losses = machine.allocate(8 * this.count);
    this.classes = machine.allocate(8 * this.count);
    this.program.set({
      images: machine.put(images), labels: machine.put(BigInt64Array.from(labels, BigInt)), losses: this.losses,
      order: machine.put(BigInt64Array.from(labels, (_, i) => BigInt(i))), classes: this.classes,
      images_in_order: this.count,
    });
  }

  /** Mean loss, without the penalty, accuracy, and the class of each image (a view). */
  take() {
    this.program.run(0, this.steps);
    const { buffer } = this.machine;
    const found = new Int32Array(buffer, this.classes, 2 * this.count); // the lower half of each int64 first
    const classes = this.labels.map((_, i) => found[2 * i]);
    const right = classes.reduce((sum, one, i) => sum + Number(one === this.labels[i]), 0);
    const loss = new Float64Array(buffer, this.losses, this.count).reduce((a, b) => a + b, 0) / this.count;
    return { loss, accuracy: right / this.count, right, count: this.count, classes };
  }
}

export class Trial {
  /** `pack`: the opened bundle; `settings`: as settings.js reads them. */
  static async create({ header, arrays, module }, settings) {
    const entry = structuredClone(header.networks[settings.network]);
    const { options, ...optimizer } = header.optimizers[settings.optimizer];
    Object.assign(entry.programs.train, optimizer).arrays.options = "options";
    const size = header.shape[0] * header.shape[1];
    const [images, labels] = [arrays["train.images"].slice(0, size * settings.images), arrays["train.labels"].slice(0, settings.images)];
    Object.assign(entry, { key: "n", shape: header.shape, bytes: true, style: header.style, samples: labels.length });
    const own = { "n.state": new Float32Array(entry.parameters), "n.samples": images, "n.labels": labels, "n.options": Uint8Array.from(options) };
    for (const [name, array] of Object.entries(arrays)) own[`n.${name}`] ??= array;
    return new Trial(await Model.create(module, entry, own, header.context), settings);
  }

  constructor(model, settings) {
    Object.assign(this, { model, settings, taken: 0, spent: 0, portion: 1, probes: [] });
    drawParameters(model, settings.initializer, settings.seed);
    const { images, labels } = model.samples;
    this.trainer = new Trainer(model, images, labels, { batch: settings.batch, seed: settings.seed });
    this.trainer.penalise("l2", settings.l2);
    this.parts = {
      train: new Examination(model, images, labels),
      validation: new Examination(model, model.array("validation.images"), model.array("validation.labels")),
    };
    this.start = { activations: this.activations(), ...this.parts.train.take() };
    this.gradients = this.firstGradients();
  }

  get epochs() { return this.taken / this.trainer.steps; }

  /** At most so many steps, and none after the time `until`; `spent` counts the milliseconds. */
  slice(until, most) {
    const [begun, last] = [performance.now(), this.taken + most];
    let now = begun;
    while (this.taken < last && now < until) {
      this.taken += this.trainer.run(this.settings.rate, Math.min(this.portion, last - this.taken));
      const passed = performance.now() - now;
      now += passed;
      if (passed < PORTION / 2) this.portion = Math.min(1000, 2 * this.portion);
      else if (passed > PORTION) this.portion = Math.max(1, this.portion >> 1);
    }
    this.spent += now - begun;
  }

  /** One step that is measured: for each layer with weights their norm, that of the gradient, and the step relative to them. */
  probe() {
    const before = this.model.parameters.slice();
    this.taken += this.trainer.run(this.settings.rate, 1, true);
    const [after, gradients] = [this.model.parameters, this.trainer.gradients];
    const found = this.weights().map(({ layer, key, from, to }) => {
      const [old, size] = [before.subarray(from, to), norm(before.subarray(from, to))];
      const step = norm(old.map((value, i) => after[from + i] - value));
      return { layer, key, size, gradient: norm(gradients.subarray(from, to)), change: step / (size || 1) };
    });
    this.probes.push(Math.max(...found.map(({ change }) => change)));
    if (this.probes.length > 10) this.probes.shift();
    return found;
  }

  /** The weight matrices: their layer and where they lie among the parameters. */
  weights() {
    return this.model.layers.flatMap((layer) => Object.entries(layer.parameters)
      .filter(([key]) => key !== "bias")
      .map(([key, { at, shape }]) => ({ layer, key, shape, from: at, to: at + shape.reduce((a, b) => a * b, 1) })));
  }

  /** The RMS of the gradient by each weight matrix before the first step, over some images. */
  firstGradients() {
    const { images, labels } = this.model.samples;
    const size = this.model.features;
    const sum = new Float64Array(this.model.entry.parameters);
    const count = Math.min(WATCHED, labels.length);
    for (let i = 0; i < count; i += 1) {
      this.model.learn(images.subarray(i * size, (i + 1) * size), labels[i]).gradients.forEach((value, k) => { sum[k] += value / count; });
    }
    return this.weights().filter(({ key }) => key === "weight")
      .map(({ from, to }) => norm(sum.subarray(from, to)) / Math.sqrt(to - from));
  }

  /** Of each hidden activation: the share of saturated outputs, or of dead units. */
  activations() {
    const { model } = this;
    const size = model.features;
    const count = Math.min(WATCHED, model.samples.count);
    const { seen } = model.lowered("show");
    const watched = seen.map(({ path }, place) => ({ layer: model.layers.find((one) => one.path === path), place }))
      .filter(({ layer, place }) => ["Sigmoid", "Tanh", "ReLU"].includes(layer.type) && place < seen.length - 1)
      .map(({ layer, place }) => ({ layer, place, flat: 0, all: 0, active: new Uint8Array(layer.outputShape.at(-1)) }));
    for (let i = 0; i < count; i += 1) {
      const { values } = model.see(model.samples.images.subarray(i * size, (i + 1) * size));
      for (const watch of watched) {
        const [low, high] = [watch.layer.type === "Tanh" ? -1 : 0, 1];
        const rim = FLAT * (high - low);
        values[watch.place].forEach((value, k) => {
          watch.flat += Number(value < low + rim || value > high - rim);
          watch.active[k % watch.active.length] |= Number(value > 0);
          watch.all += 1;
        });
      }
    }
    return watched.map(({ layer, flat, all, active }) => (layer.type === "ReLU"
      ? { layer, kind: "dead", share: active.filter((one) => !one).length / active.length }
      : { layer, kind: "saturated", share: flat / all }));
  }

  /** Whether all units of a hidden layer still have equal weights. */
  symmetric() {
    return this.weights().slice(0, -1).some(({ key, shape, from, to }) => {
      const [values, units] = [this.model.parameters.subarray(from, to), shape.at(-1)];
      const most = values.reduce((a, value) => Math.max(a, Math.abs(value)), 0);
      return key === "weight" && units > 1 && values.every((value, i) => Math.abs(value - values[i - (i % units)]) <= 1e-3 * most);
    });
  }

  finite() { return this.model.parameters.every(Number.isFinite); }

  /** The share of the test images that are classified correctly. */
  test() { return new Examination(this.model, this.model.array("test.images"), this.model.array("test.labels")).take(); }
}
