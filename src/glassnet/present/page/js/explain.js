// The panel with the sum behind a number, and the way that led to it.

import { indexOf, nameOf, shapeOf } from "./anatomy.js";
import { figureText, cellsOf } from "./cells.js";
import { make } from "./dom.js";
import { explanationOf, valueOf } from "./explanations.js";
import { shadesNow } from "./shades.js";
import { label, say } from "./text.js";

const SHOWN_TERMS = 10;
const MORE_TERMS = 40;
const FEW_CHANNELS = 4; // images of more stand below the terms
const sameNumber = (a, b) => a.node === b.node && a.part === b.part && a.at === b.at;

/** The panel as { element, open(number), follow(number), refresh(), close() }; `onShow(number)` tells which number it shows, or null. */
export const makePanel = (onShow) => {
  let trail = [];
  let terms = SHOWN_TERMS;
  const crumbs = make("ol", { className: "crumbs" });
  const body = make("div", { className: "sum-body" });
  const close = make("button", { type: "button", className: "close" }, "✕");
  label(close, "Close");
  const title = make("h3", { id: "sum-title", tabIndex: -1 });
  const element = make("section", { className: "sum", "aria-labelledby": "sum-title" },
    make("div", { className: "sum-head" }, make("nav", {}, crumbs), close), title, body);
  label(element.querySelector("nav"), "The way to this number");

  const go = (number) => {
    const place = trail.findIndex((one) => sameNumber(one, number));
    trail = place >= 0 ? trail.slice(0, place + 1) : [...trail, number];
    terms = SHOWN_TERMS;
    show();
    title.focus({ preventScroll: true });
  };
  const link = (number, text) => {
    const made = make("button", { type: "button", className: "number", title: nameOf(number) }, text);
    made.addEventListener("click", () => go(number));
    return made;
  };
  const written = (parts) => parts.map((part, k) => {
    if (typeof part === "string") return part;
    const text = figureText(part.value);
    const after = typeof parts[k - 1] === "string" ? parts[k - 1].trimEnd() : "";
    const shown = text.startsWith("−") && after && !/[=(]$/.test(after) ? `(${text})` : text;
    return part.source ? link(part.source, shown) : make("span", { className: "figure" }, shown);
  });

  const pictureFigure = ({ title: words, values, shape, source, chosen, fed }) => {
    const canvas = make("canvas", { role: "img", className: "tiles" });
    const room = Math.min(380, Math.max(220, element.clientWidth - 40));
    const layout = cellsOf(shape, values.length, room, { side: shape[2] === 1 ? 128 : 36, sequence: shape[0] === 1 });
    canvas.style.width = `${layout.width}px`;
    canvas.style.height = `${layout.height}px`;
    layout.paint(canvas, values, fed, shadesNow());
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      const k = layout.cellAt(event.clientX - box.left, event.clientY - box.top);
      if (k !== null && source(k)) go(source(k));
    });
    const here = make("i", { className: "here", hidden: typeof chosen !== "number" });
    if (typeof chosen === "number") {
      const box = layout.boxOf(chosen);
      Object.assign(here.style, { left: `${box.x}px`, top: `${box.y}px`, width: `${box.width}px`, height: `${box.height}px` });
    }
    label(canvas, ...words);
    return make("figure", {}, make("div", { className: "cells" }, canvas, here), make("figcaption", {}, say(...words)));
  };

  const curveFigure = ({ f, x }) => {
    const [width, height, density] = [180, 96, 2];
    const canvas = make("canvas", { width: width * density, height: height * density, className: "curve", role: "img" });
    label(canvas, "The activation function, and this value on it");
    const context = canvas.getContext("2d");
    context.scale(density, density);
    const shades = shadesNow();
    const reach = Math.max(3, Math.min(50, 1.25 * Math.abs(x)));
    const ys = Array.from({ length: width + 1 }, (_, i) => f(((2 * i) / width - 1) * reach));
    const [low, high] = [Math.min(0, ...ys), Math.max(0.1, ...ys)];
    const down = (y) => height - 6 - ((height - 12) * (y - low)) / (high - low);
    const across = (value) => (width * (value / reach + 1)) / 2;
    context.strokeStyle = shades.dark ? "#4a525c" : "#c4ccd4";
    context.strokeRect(0, down(0), width, 0);
    context.strokeRect(across(0), 0, 0, height);
    context.strokeStyle = shades.css(0.8);
    context.lineWidth = 2;
    context.beginPath();
    ys.forEach((y, i) => context.lineTo(i, down(y)));
    context.stroke();
    context.fillStyle = shades.css(-0.9);
    context.beginPath();
    context.arc(across(Math.max(-reach, Math.min(reach, x))), down(f(x)), 5, 0, 7);
    context.fill();
    return make("figure", {}, canvas);
  };

  const termsTable = ({ values, parts, before }) => {
    const order = Array.from(values.keys()).filter((k) => values[k] !== 0).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a]));
    const shown = order.slice(0, terms);
    const most = Math.abs(values[order[0]] ?? 1);
    const row = (what, value, share) => {
      const bar = make("i", { className: share < 0 ? "below" : "above" });
      bar.style.width = `${Math.abs(100 * share)}%`;
      return make("tr", {}, make("td", {}, ...what), make("td", { className: "product" }, figureText(value)), make("td", { className: "share", "aria-hidden": "true" }, bar));
    };
    const rows = shown.map((k) => row(parts(k).length === 1 && !parts(k)[0].source ? parts(k) : [...named(parts(k)), ...written(parts(k))], values[k], values[k] / most));
    const rest = order.slice(terms);
    if (rest.length) rows.push(row([say("{count} smaller terms", { count: rest.length })], rest.reduce((sum, k) => sum + values[k], 0), 0));
    const zeros = values.length - order.length;
    if (zeros) rows.push(row([say("{count} terms are 0", { count: zeros })], 0, 0));
    for (const { value } of before) rows.push(row([say("the bias")], value, value / Math.max(most, Math.abs(value))));
    const head = make("tr", {}, make("th", { scope: "col" }, say("Term, the largest first")), make("th", { scope: "col" }, say("Value")), make("td"));
    const table = make("table", { className: "terms" }, make("thead", {}, head), make("tbody", {}, ...rows));
    if (!rest.length) return [table];
    const more = make("button", { type: "button" }, say("More terms"));
    more.addEventListener("click", () => { terms += MORE_TERMS; show(); });
    return [table, more];
  };
  const named = (parts) => {
    const from = parts.find((part) => part.source)?.source;
    return from ? [make("small", { className: "from" }, nameOf(from))] : [];
  };

  const show = () => {
    const number = trail.at(-1) ?? null;
    element.classList.toggle("open", number !== null);
    onShow(number);
    if (!number?.node.y) return;
    const explained = explanationOf(number);
    const value = valueOf(number);
    crumbs.replaceChildren(...trail.map((one, k) =>
      make("li", {}, k === trail.length - 1 ? make("span", { "aria-current": "location" }, nameOf(one)) : link(one, nameOf(one)))));
    title.replaceChildren(make("span", { className: "name" }, nameOf(number)), " = ", make("b", {}, figureText(value)));
    const { lines = [], pictures = [], terms: sum, note, curve, equation } = explained;
    const images = pictures.length ? [make("div", { className: "sum-pictures" }, ...pictures.map(pictureFigure))] : [];
    const many = pictures.some(({ shape }) => shape[2] > FEW_CHANNELS);
    body.replaceChildren(
      make("p", { className: "what" }, say(...explained.title), ...answerOf(number)),
      ...(equation ? [make("p", { className: "equation" }, equation)] : []),
      ...lines.map((parts) => make("p", { className: "line" }, ...written(parts))),
      ...(curve ? [curveFigure(curve)] : []),
      ...(many ? [] : images), ...(sum ? termsTable(sum) : []), ...(many ? images : []),
      ...(note ? [make("p", { className: "how" }, say(...note))] : []));
  };
  const answerOf = ({ node, at, part }) => {
    const { classes } = node.model ?? {};
    const shape = shapeOf(node, part);
    if (!node.isAnswer || shape.length !== 1 || shape[0] !== classes.length) return [];
    return [" · ", say("class {name}", { name: classes[indexOf(shape, at)[0]] })];
  };

  const shut = () => { trail = []; show(); };
  close.addEventListener("click", shut);
  element.addEventListener("keydown", (event) => {
    if (event.key === "Escape") shut();
    else if (event.key === "Backspace" && trail.length > 1) go(trail.at(-2));
  });
  return {
    element, refresh: show, close: shut, current: () => trail.at(-1) ?? null,
    open: (number) => { trail = []; go(number); },
    follow: (number) => { trail = number ? [number] : []; show(); },
  };
};
