// Images of what a network in the playground has learnt: its first weights, its classes, and a plane of images.

import { cellsOf } from "./cells.js";
import { make } from "./dom.js";
import { paintThemed } from "./shades.js";
import { label, say } from "./text.js";

const COLOURS = [[78, 121, 167], [242, 142, 43], [89, 161, 79], [225, 87, 89], [118, 183, 178], [219, 180, 40], [176, 122, 161],
  [255, 135, 165], [156, 117, 95], [128, 130, 140]]; // of the classes
const CELLS = 48; // of the plane, along each side
const REACH = 2.3; // of the plane, from its middle, in units of a pixel's range

/** Values as blue (positive) and orange (negative) on a canvas, `most` as the full colour. */
const signed = (canvas, values, width, height, most) => {
  const layout = cellsOf([height, width, 1], values.length, width);
  paintThemed(canvas, (shades) => layout.paint(canvas, values, false, shades, most));
};

const largest = (values) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** The first layer's weights, an image for each unit: { element, show(trial) }. */
export const makeFirstWeights = () => {
  const images = make("div", { className: "units", role: "img" });
  const note = make("p", { className: "how" });
  const element = make("div", {}, note, images);
  let shown = null;
  const layout = (trial) => {
    const { layer, shape } = trial.weights()[0];
    const [units, rows] = [shape.at(-1), shape.slice(0, -1)];
    const side = layer.type === "Dense" ? trial.model.shape.slice(0, 2) : rows.slice(0, 2);
    if (layer.type === "SimpleRNN") return { layer, units, count: 1, side: [shape[0], units] };
    return { layer, units, count: units, side };
  };
  const show = (trial) => {
    const { layer, units, count, side: [height, width] } = layout(trial);
    if (shown !== trial.model.name) {
      shown = trial.model.name;
      images.replaceChildren(...Array.from({ length: count }, () => make("canvas")));
      images.className = `units ${count > 40 ? "many" : ""} ${layer.type === "SimpleRNN" ? "matrix" : ""}`;
      label(images, "The weights of the first layer as images");
      note.replaceChildren(layer.type === "Dense"
        ? say("Each image is a unit of the first layer: blue pixels excite it, orange ones inhibit it. One scale for all.")
        : layer.type === "Conv2D"
          ? say("Each image is a filter of 3×3 weights: blue is positive, orange negative. One scale for all.")
          : say("The matrix from a row of 8 pixels (down) to the units (across): blue is positive, orange negative."));
    }
    const weight = trial.model.parameter(layer.path, "weight");
    const most = largest(weight);
    [...images.children].forEach((canvas, unit) => {
      const values = count === 1 ? weight.slice() : Float32Array.from({ length: height * width }, (_, i) => weight[i * units + unit]);
      signed(canvas, values, width, height, most);
    });
  };
  return { element, show };
};

/** For each class, how the mean training image would have to change: { element, show(trial) }. */
export const makeClassImages = (names) => {
  const canvases = names.map(() => make("canvas", { "aria-hidden": "true" }));
  const images = make("ul", { className: "classes" }, ...names.map((name, i) => make("li", {}, canvases[i], make("small", {}, name))));
  const show = (trial) => {
    const { model } = trial;
    const mean = model.mean ??= meanOf(model);
    names.forEach((_, i) => {
      const { image } = model.learn(mean, i);
      signed(canvases[i], image.map((value) => -value), model.shape[1], model.shape[0], largest(image));
    });
  };
  return { element: images, show };
};

const meanOf = (model) => {
  const { images, count } = model.samples;
  const mean = new Float64Array(model.features);
  images.forEach((value, i) => { mean[i % model.features] += value / count; });
  return Uint8Array.from(mean, Math.round);
};

/** The images of a plane, as the network is fed them: bytes, row by row. `axes`: two directions, one after the other. */
export const planeOf = (mean, axes) => {
  const size = mean.length;
  const images = new Uint8Array(CELLS * CELLS * size);
  for (let cell = 0; cell < CELLS * CELLS; cell += 1) {
    const a = REACH * ((2 * ((cell % CELLS) + 0.5)) / CELLS - 1);
    const b = REACH * ((2 * (Math.floor(cell / CELLS) + 0.5)) / CELLS - 1);
    for (let i = 0; i < size; i += 1) {
      images[cell * size + i] = Math.max(0, Math.min(255, Math.round(mean[i] + 255 * (a * axes[i] + b * axes[size + i]))));
    }
  }
  return images;
};

/** The plane coloured by the network's answer, with the validation digits where they lie on it: { element, show(classes, found) }. */
export const makePlane = (names, mean, axes, images, labels) => {
  const size = mean.length;
  const canvas = make("canvas", { className: "plane", role: "img" });
  const points = Array.from(labels, (_, n) => [0, 1].map((axis) => {
    let at = 0;
    for (let i = 0; i < size; i += 1) at += ((images[n * size + i] - mean[i]) / 255) * axes[axis * size + i];
    return (at / REACH + 1) / 2;
  }));
  const cells = make("canvas", { width: CELLS, height: CELLS });
  const show = (classes, found) => {
    const image = new ImageData(CELLS, CELLS);
    classes.forEach((one, i) => {
      image.data.set(COLOURS[one], 4 * i);
      image.data[4 * i + 3] = 105;
    });
    cells.getContext("2d").putImageData(image, 0, 0);
    const side = Math.round((canvas.clientWidth || 360) * Math.min(3, window.devicePixelRatio || 1));
    if (canvas.width !== side) canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    context.clearRect(0, 0, side, side);
    context.drawImage(cells, 0, 0, side, side);
    context.textAlign = "center";
    context.textBaseline = "middle";
    points.forEach(([x, y], n) => {
      const right = found[n] === labels[n];
      context.font = `${right ? 500 : 700} ${side / (right ? 36 : 26)}px system-ui, sans-serif`;
      context.fillStyle = right ? style.color : style.getPropertyValue("outline-color");
      context.fillText(names[labels[n]], x * side, y * side);
    });
    const wrong = points.filter((_, n) => found[n] !== labels[n]).length;
    label(canvas, "A plane of images, coloured by the network's answer, with {count} validation digits, {wrong} of them classified wrongly",
      { count: points.length, wrong });
  };
  return { element: canvas, show };
};
