// The network as a tree of layers, each with the values that it has for the current image.

const RECURRENT = ["SimpleRNN", "LSTM", "GRU"];
const POINTWISE = ["Pixels", "Scale", "Standardize", "Sigmoid", "Tanh", "ReLU", "LeakyReLU", "GELU", "Swish", "Dropout", "BatchNorm"];
const AS_FED = ["Image", "Pixels", "Flatten", "Dropout"];

/** The layers of a model: `input`, `chain` (those in a row), `nodes` (all, by path), `last`. `look(pixels, seen)` gives them values. */
export class Anatomy {
  constructor(model) {
    this.model = model;
    const [height, width, channels] = model.shape;
    this.input = { path: "", name: "image", type: "Image", shape: model.shape, picture: [height, width, channels], fed: true, branches: [] };
    this.nodes = new Map();
    for (const layer of model.layers) {
      const { path, type, name, settings } = layer;
      const keys = Object.keys(layer.parameters);
      const node = { path, type, name, settings, keys, shape: layer.outputShape, inner: layer.inputShape, branches: [], model };
      node.size = Object.values(layer.parameters)
        .reduce((sum, { shape, trained }) => sum + (trained ? shape.reduce((a, b) => a * b, 1) : 0), 0);
      this.nodes.set(path, node);
    }
    this.chain = this.row("", this.input);
    this.last = this.chain.at(-1) ?? this.input;
    const { last: link, activation_in_loss: inside, link: linked } = model.entry;
    if (linked && !inside) {
      const node = { path: "answer", type: link, name: link.toLowerCase(), settings: {}, keys: [], shape: this.last.shape, size: 0 };
      this.chain.push(this.joined({ ...node, inner: node.shape, branches: [], model, answers: true }, this.last));
      this.last = this.chain.at(-1);
    }
    this.order = [this.input, ...model.lowered("show").seen.map(({ path }) => this.nodes.get(path))];
    if (linked) this.order.push(this.last);
  }

  /** The layers whose paths are `before` and a number, each with the one whose values it takes. */
  row(before, source) {
    const found = [];
    for (let i = 0; this.nodes.has(`${before}${i}`); i += 1) {
      const node = this.joined(this.nodes.get(`${before}${i}`), source);
      if (["Residual", "Concatenate"].includes(node.type)) {
        for (let b = 0; b < (node.type === "Residual" ? 2 : Infinity); b += 1) {
          const branch = this.row(`${node.path}.${b}.`, source);
          if (!branch.length && !this.isBranch(node, b)) break;
          node.branches.push(branch);
        }
      }
      found.push(node);
      source = node;
    }
    return found;
  }

  /** Whether a layer of branches has a branch b: one without layers passes its input on. */
  isBranch(node, b) {
    if (node.type === "Residual") return b < 2;
    return b < this.model.layers.find(({ path }) => path === node.path).branches;
  }

  joined(node, source) {
    node.before = source;
    node.picture = gridOfLayer(node);
    node.fed = AS_FED.includes(node.type) && (source.fed || source.type === "Image");
    return node;
  }

  look(pixels, seen) {
    this.input.y = pixels;
    seen.values.forEach((values, i) => { this.order[i + 1].y = values; });
    if (this.last.answers) this.last.y = Float32Array.from(this.model.activated(seen.raw));
  }
}

/** The rows, columns and channels that a layer's values are drawn as; null where they are units in a row. */
const gridOfLayer = ({ type, shape, before }) => {
  if (shape.length === 3) return shape;
  if (shape.length === 2) return [...shape, 1];
  if (type === "Flatten" && before.shape.length > 1) return before.picture;
  return POINTWISE.includes(type) ? before.picture : null;
};

export const isRecurrent = ({ type }) => RECURRENT.includes(type);

/** A number of the network: value `at` of a layer's output, or of another array `part` of it. */
export const numberOf = (node, at, part = "y") => ({ node, part, at });

export const flatIndex = (shape, index) => index.reduce((at, i, axis) => at * shape[axis] + i, 0);

export const indexOf = (shape, at) => {
  const index = [];
  for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
    index.unshift(at % shape[axis]);
    at = Math.floor(at / shape[axis]);
  }
  return index;
};

/** The shape of an array `part` of a layer: a recurrent one has states and gates at each time step. */
export const shapeOf = (node, part = "y") => (part === "y" ? node.shape : [node.inner[0], node.settings.units]);

/** dense1.y[3]: as the trace names numbers. */
export const nameOf = ({ node, part, at }) => {
  const index = indexOf(shapeOf(node, part), at).join(", ");
  return node.type === "Image" ? `image[${index}]` : `${node.name}.${part}[${index}]`;
};
