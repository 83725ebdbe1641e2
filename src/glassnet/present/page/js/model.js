import { Machine, Program } from "./engine.js";
import { makeNovelty } from "./novelty.js";

const sizeOf = (shape) => shape.reduce((a, b) => a * b, 1);
const logistic = (x) => 1 / (1 + Math.exp(-x));

/** A network that was trained in Python: its layers, its weights, and the program that computes every layer of one image. */
export class Model {
  /** From an entry of the bundle's header, the bundle's arrays and the compiled module. */
  static async create(module, entry, arrays, layout) {
    return new Model(await Machine.create(module), entry, arrays, layout);
  }

  constructor(machine, entry, arrays, layout) {
    Object.assign(this, { machine, entry, arrays, layout });
    Object.assign(this, { name: entry.name, classes: entry.classes, shape: entry.shape, layers: entry.layers });
    this.style = entry.style;
    this.saved = this.array("state");
    this.state = machine.put(this.saved);
    this.samples = { images: this.array("samples"), labels: this.array("labels"), count: entry.samples };
    this.features = sizeOf(entry.shape);
    this.novelty = entry.novelty && makeNovelty({
      ...entry.novelty, mean: this.array("mean"), components: this.array("components"), references: this.array("references"),
    });
    this.program = new Program(machine, this.lowered("show"), layout, this.state);
    this.outermost = this.lowered("show").seen.map(({ path }) => !path.includes("."));
    const order = machine.put(new BigInt64Array(1));
    this.input = machine.allocate((entry.bytes ? 1 : 4) * this.features);
    this.label = machine.put(new BigInt64Array(1));
    this.loss = machine.put(new Float64Array(1));
    this.gradient = machine.allocate(4 * entry.parameters);
    this.outputs = machine.allocate(4 * entry.outputs);
    this.program.set({
      order, images: this.input, labels: this.label, losses: this.loss, classes: machine.put(new BigInt64Array(1)),
      gradient: this.gradient, outputs: this.outputs, images_in_order: 1,
    });
  }

  /** One of this model's arrays in the bundle. */
  array(name) { return this.arrays[`${this.entry.key}.${name}`]; }

  /** A program of the bundle, by its key, with its arrays. */
  lowered(key) {
    const program = this.entry.programs[key];
    const arrays = Object.fromEntries(Object.entries(program.arrays).map(([name, place]) => [name, this.array(place)]));
    return { ...program, ...arrays };
  }

  /** A layer's parameter or running statistic, as it is in memory: writing to it changes the network. */
  parameter(path, key) {
    const { at, shape } = this.layers.find((layer) => layer.path === path).parameters[key];
    return this.machine.floats(this.state + 4 * at, sizeOf(shape));
  }

  get parameters() { return this.machine.floats(this.state, this.saved.length); }

  /** Back to the weights that training ended with. */
  reset() { this.parameters.set(this.saved); }

  /** Every layer's output for an image, the raw outputs, and the probabilities of the classes. */
  see(pixels) {
    this.feed(pixels);
    this.program.set({ instructions: this.lowered("show").forward });
    this.program.run(0, 1);
    return this.answer(pixels);
  }

  /** The same with loss and gradients: by the parameters, by each layer's output (null before the first layer with weights), by the image. */
  learn(pixels, label) {
    this.feed(pixels);
    new BigInt64Array(this.machine.buffer, this.label, 1)[0] = BigInt(label);
    this.program.set({ instructions: this.lowered("show").instructions });
    this.program.run(0, 1);
    const { seen, input_gradient: dx } = this.lowered("show");
    return {
      ...this.answer(pixels),
      loss: new Float64Array(this.machine.buffer, this.loss, 1)[0],
      gradients: this.machine.floats(this.gradient, this.entry.parameters).slice(),
      deltas: seen.map(({ gradient, shape }) => (gradient < 0 ? null : this.program.place(gradient, sizeOf(shape)).slice())),
      image: dx < 0 ? null : this.program.place(dx, this.features).slice(),
    };
  }

  feed(pixels) {
    const { bytes } = this.entry;
    const target = bytes ? this.machine.bytes(this.input, this.features) : this.machine.floats(this.input, this.features);
    target.set(pixels);
  }

  answer(pixels) {
    const values = this.lowered("show").seen.map(({ at, scale, shape, images }) =>
      images ? Float32Array.from(pixels, (x) => x * scale) : this.program.place(at, sizeOf(shape)).slice());
    const raw = this.machine.floats(this.outputs, this.entry.outputs).slice();
    const probabilities = this.probabilities(raw);
    if (this.entry.activation_in_loss) values.push(Float32Array.from(this.activated(raw)));
    let index = 0;
    if (raw.length === 1) index = Number(raw[0] > this.entry.threshold);
    else raw.forEach((z, i) => { if (z > raw[index]) index = i; });
    return { values, raw, probabilities, index, novelty: this.novelty ? this.noveltyOf(values) : null };
  }

  /** How unlike the training images an image is, 1 being the limit, which `alarms` of `validated` images like them exceed. */
  noveltyOf(values) {
    const outputs = values.filter((_, i) => this.outermost[i]);
    return { ...this.entry.novelty, value: this.novelty(outputs).novelty };
  }

  /** What the last activation makes of the raw outputs, in double precision. */
  activated(raw) {
    const { last, link } = this.entry;
    if (!link) return Float64Array.from(raw);
    if (last === "Sigmoid") return Float64Array.from(raw, logistic);
    const most = Math.max(...raw);
    const powers = Float64Array.from(raw, (z) => Math.exp(z - most));
    const total = powers.reduce((a, b) => a + b, 0);
    return powers.map((p) => p / total);
  }

  /** Probabilities of the classes: the softmax, or sigmoids divided by their sum; a single one is that of class 1. */
  probabilities(raw) {
    const a = this.activated(raw);
    if (a.length === 1) return Float64Array.of(1 - a[0], a[0]);
    const total = a.reduce((x, y) => x + y, 0);
    return total > 0 ? a.map((x) => x / total) : a.map(() => 1 / a.length);
  }
}
