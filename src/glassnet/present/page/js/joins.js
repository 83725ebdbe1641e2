// Lines from the inputs of a dense layer to one of its units, by the largest products; frames around the window of a convolution.

import { make } from "./dom.js";
import { countOf, explanationOf } from "./explanations.js";

const LINES = 24;
const FRAMES = 64; // channels whose window is framed

/** The inputs with the largest products for a unit of a dense layer, largest first, as [input, product]. */
const strongestInputs = (node, unit, most = LINES) => {
  const { before: { y: x }, model } = node;
  const [units] = node.shape;
  const weight = model.parameter(node.path, "weight");
  const found = [];
  let least = 0;
  for (let k = 0; k < x.length; k += 1) {
    const product = x[k] * weight[k * units + unit];
    const size = Math.abs(product);
    if (size <= least) continue;
    let place = found.length;
    while (place > 0 && Math.abs(found[place - 1][1]) < size) place -= 1;
    found.splice(place, 0, [k, product]);
    if (found.length > most) found.pop();
    if (found.length === most) least = Math.abs(found[most - 1][1]);
  }
  return found;
};

/** An overlay between the figure of a layer and that of its input, as { element, draw(number, shades), arrange() }. */
export const makeJoins = (figure, source) => {
  const element = make("canvas", { className: "joins", "aria-hidden": "true" });
  figure.element.append(element);
  let [from, to, size] = [null, null, null];

  const arrange = () => {
    const home = figure.element.getBoundingClientRect();
    const [above, below] = [source.canvas.getBoundingClientRect(), figure.canvas.getBoundingClientRect()];
    const [left, right] = [Math.min(above.left, below.left), Math.max(above.right, below.right)];
    size = { width: right - left, height: below.bottom - above.top };
    element.style.left = `${left - home.left}px`;
    element.style.top = `${above.top - home.top}px`;
    element.style.width = `${size.width}px`;
    element.style.height = `${size.height}px`;
    from = { x: above.left - left, y: 0 };
    to = { x: below.left - left, y: below.top - above.top };
  };

  const draw = (chosen, shades) => {
    if (!size) return;
    const density = Math.min(2, window.devicePixelRatio || 1);
    [element.width, element.height] = [size.width * density, size.height * density];
    const context = element.getContext("2d");
    context.scale(density, density);
    if (!chosen || countOf(figure.node) <= chosen.at) return;
    if (figure.node.type === "Dense") drawLines(context, chosen, shades);
    else drawFrame(context, explanationOf(chosen), shades, chosen);
  };

  const middle = (layout, at, place) => {
    const box = layout.boxOf(at);
    return [place.x + box.x + box.width / 2, place.y + box.y + box.height / 2, box.height / 2];
  };
  const drawLines = (context, { at }, shades) => {
    const strongest = strongestInputs(figure.node, at);
    const most = Math.abs(strongest[0]?.[1] ?? 1);
    const [endX, endY, half] = middle(figure.layout(), at, to);
    for (const [input, product] of strongest.reverse()) {
      const share = product / most;
      const [x, y] = middle(source.layout(), input, from);
      context.globalAlpha = 0.25 + 0.6 * Math.abs(share);
      context.strokeStyle = shades.css(share > 0 ? 0.85 : -0.85);
      context.lineWidth = 0.6 + 2 * Math.abs(share);
      context.beginPath();
      context.moveTo(x, y);
      const bend = (endY - half - y) / 2;
      context.bezierCurveTo(x, y + bend, endX, endY - half - bend, endX, endY - half);
      context.stroke();
    }
  };
  const drawFrame = (context, { window: box }, shades, { at }) => {
    const layout = source.layout();
    if (!box || !layout.channelBox) return;
    const shared = figure.node.type === "Conv2D";
    const channels = shared ? Math.min(FRAMES, layout.channels) : 1;
    context.strokeStyle = shades.dark ? "#ffd24a" : "#d97706";
    context.lineWidth = 1.5;
    for (let i = 0; i < channels; i += 1) {
      const { x, y, width, height } = layout.channelBox(shared ? i : at % layout.channels, box);
      context.strokeRect(from.x + x, from.y + y, width, height);
    }
  };
  return { element, arrange, draw };
};
