// One layer on a canvas: its values as tiles or cells, each of which can be pointed at and walked to by arrow keys.

import { indexOf, isRecurrent, nameOf, numberOf, shapeOf } from "./anatomy.js";
import { figureText, cellsOf } from "./cells.js";
import { make, makeVoice } from "./dom.js";
import { countOf, valueOf, valuesOf } from "./explanations.js";
import { label, say } from "./text.js";

const STEPS_OF_KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * The figure of a layer as { node, element, canvas, arrange(room), draw(shades), mark(number), boxOf(number) };
 * `onChoose(number)` is called for the one that is clicked or entered, `onVisit(number)` for the one that is walked to.
 */
export const makeLayerFigure = (node, { onChoose }) => {
  const part = isRecurrent(node) && !node.settings.return_sequences ? "h" : "y";
  const shape = shapeOf(node, part);
  const picture = part === "h" ? [...shape, 1] : node.picture;
  const sequence = shape.length === 2;
  const count = countOf(node, part);
  const canvas = make("canvas", { tabIndex: 0, role: "application" });
  const here = make("i", { className: "here", hidden: true });
  const readout = make("output", { className: "readout" });
  const size = shape.length === 1 && node.shape.length === 1 ? String(count) : shape.join(" × ");
  const about = node.size
    ? say("{shape} · {count} parameters", { shape: size, count: node.size.toLocaleString("en") })
    : size;
  const caption = make("figcaption", {},
    make("b", {}, node.type === "Image" ? say("The image, as the network is fed it") : node.name), " ", make("small", {}, about), readout);
  const notes = sequence && isRecurrent(node) ? [make("p", { className: "axis" }, say("Each row is a time step, each column a unit."))] : [];
  const element = make("figure", { className: "layer" }, caption, ...notes, make("div", { className: "cells" }, canvas, here));
  element.dataset.path = node.path;
  label(canvas, "{name}: {count} values, {shape}. Arrow keys walk through them, Enter shows the sum behind one.", { name: node.name, count, shape: size });
  const announce = makeVoice();
  let layout = null;
  let at = null;

  const number = (place) => numberOf(node, place, part);
  const told = (place) => `${nameOf(number(place))} = ${figureText(valueOf(number(place)))}`;

  const visit = (place) => {
    at = place;
    here.hidden = place === null || !layout;
    readout.value = place === null || !node.y ? "" : told(place);
    if (here.hidden) return;
    const box = layout.boxOf(place);
    for (const key of ["left", "top"]) here.style[key] = `${box[key === "left" ? "x" : "y"]}px`;
    for (const key of ["width", "height"]) here.style[key] = `${box[key]}px`;
  };

  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return layout.cellAt(((event.clientX - box.left) * layout.width) / box.width, ((event.clientY - box.top) * layout.height) / box.height);
  };
  canvas.addEventListener("pointermove", (event) => {
    const place = placeOf(event);
    readout.value = place === null ? "" : told(place);
  });
  canvas.addEventListener("pointerleave", () => { readout.value = at === null ? "" : told(at); });
  canvas.addEventListener("click", (event) => {
    const place = placeOf(event);
    if (place !== null) onChoose(number(place));
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (["Enter", " "].includes(event.key)) onChoose(number(at ?? 0));
    else if (event.key in STEPS_OF_KEYS) visit(at === null ? 0 : layout.step(at, ...STEPS_OF_KEYS[event.key]) ?? at);
    else if (event.key === "Home") visit(0);
    else if (event.key === "End") visit(count - 1);
    else return;
    event.preventDefault();
    if (at !== null) announce(told(at), 60);
  });

  const arrange = (room) => {
    layout = cellsOf(picture, count, room, { sequence });
    canvas.style.width = `${layout.width}px`;
    canvas.style.height = `${layout.height}px`;
    canvas.classList.toggle("tiles", picture !== null);
    visit(at);
  };
  const draw = (shades) => {
    layout.paint(canvas, valuesOf(node, part), node.fed, shades);
    if (at !== null) readout.value = told(at);
  };
  /** Show which number is meant; null for none of this layer. A last state stands in the last row. */
  const marked = (chosen) => {
    if (chosen === null || chosen.node !== node) return visit(null);
    if (chosen.part === part) return visit(chosen.at);
    return visit(chosen.part === "y" ? count - countOf(node) + chosen.at : part === "h" || node.settings.return_sequences ? chosen.at : null);
  };
  return { node, element, canvas, arrange, draw, marked, layout: () => layout, rowOf: (place) => indexOf(shape, place)[0] };
};
