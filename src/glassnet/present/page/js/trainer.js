import { Program } from "./engine.js";

/** Training steps of a model on images in the page, by the program that Python lowered for it. */
export class Trainer {
  /** `images`: rows of bytes or floats as the network takes them; `labels`: class indices. */
  constructor(model, images, labels, { program = "train", batch = 10, seed = 1 } = {}) {
    const { machine, layout } = model;
    const lowered = model.lowered(program);
    this.model = model;
    this.count = labels.length;
    this.batch = Math.min(batch, lowered.capacity, this.count);
    this.steps = Math.ceil(this.count / this.batch);
    this.random = randomBits(seed);
    this.below = randomBelow(seed);
    this.past = 0;
    const size = model.entry.parameters;
    this.order = machine.put(BigInt64Array.from(labels, (_, i) => BigInt(i)));
    this.rates = machine.allocate(8 * this.steps);
    this.keys = machine.allocate(8 * this.steps * Math.max(1, lowered.keys));
    this.losses = machine.allocate(8 * this.count);
    this.classes = machine.allocate(8 * this.count);
    this.gradient = machine.allocate(4 * size);
    this.keyCount = lowered.keys;
    this.program = new Program(machine, lowered, layout, model.state);
    this.groups = machine.put(lowered.param_groups);
    this.program.set({
      images: machine.put(images), labels: machine.put(BigInt64Array.from(labels, BigInt)), order: this.order,
      rates: this.rates, keys: this.keys, losses: this.losses, classes: this.classes, gradient: this.gradient,
      m: lowered.moments > 0 ? machine.allocate(4 * size) : 0, v: lowered.moments > 1 ? machine.allocate(4 * size) : 0,
      param_groups: this.groups, param_group_count: lowered.groups, options_at: machine.put(lowered.options),
      square_sums: machine.allocate(8 * lowered.square_sums), optimizer: lowered.optimizer, clip_norm: lowered.clip_norm,
      training: 1, images_in_order: this.count, batch_size: this.batch, plain: lowered.augmented ? 0 : 1,
    });
    this.step = this.steps; // an epoch begins with the next step
  }

  /** Set "l1", "l2" or "decay" of the weights; biases have none. */
  penalise(name, value) {
    const { penalised } = this.model.entry;
    const { layout, machine, lowered } = this.program;
    const view = new DataView(machine.buffer);
    for (let i = 0; i < lowered.groups; i++) if (penalised[i]) view.setFloat64(this.groups + i * layout.group_size + layout.group[name], value, true);
  }

  /** Shuffle the images, and set the rate of the steps of the next epoch. */
  beginEpoch(rate) {
    const { buffer } = this.model.machine;
    const order = new Int32Array(buffer, this.order, 2 * this.count); // the lower half of each int64 first; the upper is 0
    for (let i = this.count - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [order[2 * i], order[2 * j]] = [order[2 * j], order[2 * i]];
    }
    new Float64Array(buffer, this.rates, this.steps).fill(rate);
    const keys = new BigUint64Array(buffer, this.keys, this.steps * this.keyCount);
    keys.forEach((_, i) => { keys[i] = this.random(); });
    this.step = 0;
  }

  /** At most so many steps, within this epoch; how many were taken. `keepGradient`: read it from `gradients` afterwards. */
  run(rate, most, keepGradient = false) {
    if (this.step >= this.steps) this.beginEpoch(rate);
    const last = Math.min(this.steps, this.step + most);
    new Float64Array(this.model.machine.buffer, this.rates, this.steps).fill(rate, this.step);
    this.program.set({ past_steps: this.past, keep_gradient: Number(keepGradient) });
    this.program.run(this.step, last);
    const taken = last - this.step;
    this.step = last;
    if (last >= this.steps) this.past += this.steps;
    return taken;
  }

  get gradients() { return this.model.machine.floats(this.gradient, this.model.entry.parameters); }

  /** Mean loss and accuracy over the steps first … last of this epoch, as they were before each step. */
  progress(first, last) {
    const [from, to] = [first * this.batch, Math.min(this.count, last * this.batch)];
    const { buffer } = this.model.machine;
    const losses = new Float64Array(buffer, this.losses, this.count);
    const classes = new BigInt64Array(buffer, this.classes, this.count);
    const order = new BigInt64Array(buffer, this.order, this.count);
    const labels = this.labelsView();
    let loss = 0, right = 0;
    for (let i = from; i < to; i++) {
      loss += losses[i];
      right += Number(classes[i] === labels[Number(order[i])]);
    }
    return { loss: loss / (to - from), accuracy: right / (to - from) };
  }

  labelsView() {
    const at = this.program.get("labels");
    return new BigInt64Array(this.model.machine.buffer, at, this.count);
  }
}

/** A generator of whole numbers below a bound, each as likely but for 2⁻³² of the bound: sfc32 (Doty-Humphrey, PractRand). */
export function randomBelow(seed) {
  let [a, b, c, counter] = [0, seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, 1];
  const next = () => {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  return (bound) => Math.floor((next() / 2 ** 32) * bound);
}

/** A generator of 64 random bits: SplitMix64 (Steele, Lea and Flood, 2014). */
export function randomBits(seed) {
  let state = BigInt(seed);
  const wrap = (x) => BigInt.asUintN(64, x);
  return () => {
    state = wrap(state + 0x9e3779b97f4a7c15n);
    let z = state;
    z = wrap((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = wrap((z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
}
