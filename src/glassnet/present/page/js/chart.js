// A chart of lines over a number such as the epoch, drawn anew with each change: it is small.
import { say, label, words } from "./text.js";
import { make } from "./dom.js";

const HIGH = 250, LEFT = 46, RIGHT = 10, TOP = 10, BOTTOM = 26;

const drawn = (name, attributes, ...children) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

/** Round numbers from low to high, about `count` of them, and the number of their decimals. */
export const ticksOf = (low, high, count) => {
  const rough = (high - low) / count || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k += 1) ticks.push(k * step);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
};

const pathOf = (points, x, y) => {
  let path = "", apart = true;
  for (const [at, value] of points) {
    if (value === null) { apart = true; continue; }
    path += `${apart ? "M" : "L"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    apart = false;
  }
  return path;
};

const near = (points, at) => points.filter((point) => point[1] !== null).reduce(
  (best, point) => (best && Math.abs(best[0] - at) <= Math.abs(point[0] - at) ? best : point), null);

/** A small line without axes; `points`: numbers or null. */
export const sparkline = (points) => {
  const known = points.filter((value) => value !== null && value > 0).map(Math.log10);
  const low = Math.min(...known), high = Math.max(...known), span = high - low || 1;
  const places = points.map((value, k) => [k, value > 0 ? Math.log10(value) : null]);
  const path = pathOf(places, (k) => 1 + (k * 108) / Math.max(1, points.length - 1), (v) => 22 - (20 * (v - low)) / span);
  return drawn("svg", { viewBox: "0 0 110 24", "aria-hidden": "true" }, drawn("path", { d: path }));
};

/**
 * Draws into a figure. `title`, and each line's `name`: texts or pairs; `lines`: { name, kind, points: [[x, y]], faint },
 * the colour being that of the class of-KIND; `most`: the last place of x; `ring`: a point that is marked; `show`: a value as
 * text; `scale`, `unit`: of the axis.
 */
export const chart = (figure, { title, lines, most, ring = null, show = (value) => value.toPrecision(4), scale = 1, unit = "" }) => {
  const wide = Math.max(260, figure.clientWidth || 480);
  const shown = lines.filter((line) => line.points.some((point) => point[1] !== null));
  const values = shown.flatMap((line) => line.points.map((point) => point[1])).filter((value) => value !== null);
  let low = Math.min(...values), high = Math.max(...values);
  if (!values.length) [low, high] = [0, 1];
  const rim = (high - low || Math.abs(high) || 1) * 0.06;
  low = low >= 0 ? Math.max(0, low - rim) : low - rim;
  high = scale === 100 ? Math.min(1, high + rim) : high + rim;
  const last = Math.max(most, 1), first = Math.min(1, ...shown.flatMap((line) => line.points.map((point) => point[0])));
  const x = (at) => LEFT + ((at - first) / Math.max(last - first, 1e-9)) * (wide - LEFT - RIGHT);
  const y = (value) => HIGH - BOTTOM - ((value - low) / (high - low || 1)) * (HIGH - TOP - BOTTOM);
  const svg = drawn("svg", { viewBox: `0 0 ${wide} ${HIGH}`, role: "img" });
  const across = ticksOf(low * scale, high * scale, 4);
  for (const tick of across.ticks) {
    const height = y(tick / scale);
    svg.append(drawn("line", { class: "grid", x1: LEFT, x2: wide - RIGHT, y1: height, y2: height }));
    svg.append(drawn("text", { x: LEFT - 6, y: height + 4, "text-anchor": "end" }, tick.toFixed(across.digits) + unit));
  }
  for (const tick of ticksOf(first, last, 6).ticks.filter(Number.isInteger)) {
    svg.append(drawn("text", { x: x(tick), y: HIGH - 8, "text-anchor": "middle" }, String(tick)));
  }
  for (const line of shown) {
    const group = drawn("g", { class: `of-${line.kind}` });
    group.append(drawn("path", { d: pathOf(line.points, x, y), class: line.faint ? "faint" : "" }));
    const end = line.points.findLast((point) => point[1] !== null);
    if (!line.faint && end) group.append(drawn("circle", { cx: x(end[0]), cy: y(end[1]), r: 3 }));
    svg.append(group);
  }
  if (ring) {
    svg.append(drawn("g", { class: "of-best" }, drawn("circle", { cx: x(ring[0]), cy: y(ring[1]), r: 6, class: "ring" })));
  }
  const keys = shown.map((line) => make("span", { className: `key of-${line.kind}` }, make("span", {}, say(line.name))));
  const caption = make("figcaption", {}, make("b", {}, say(title)), ...keys);
  const told = shown.filter((line) => !line.faint).map((line) => {
    const end = line.points.findLast((point) => point[1] !== null);
    return `${words(line.name)} ${show(end[1])}`;
  });
  label(svg, { en: `${words(title)}: ${told.join(", ")}`, zh: `${words(title)}：${told.join("，")}` });
  figure.classList.add("chart");
  figure.replaceChildren(caption, svg);
  hover(svg, shown, { wide, x, first, show, scale: (wide - LEFT - RIGHT) / Math.max(last - first, 1e-9) });
};

/** The values at the place of the pointer, beside a line. */
const hover = (svg, lines, { wide, x, first, show, scale }) => {
  const layer = drawn("g", { "aria-hidden": "true" });
  svg.append(layer);
  svg.addEventListener("pointerleave", () => layer.replaceChildren());
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = first + (((event.clientX - box.left) * wide) / box.width - LEFT) / scale;
    const found = lines.filter((line) => !line.faint).map((line) => [line, near(line.points, at)]).filter((pair) => pair[1]);
    if (!found.length) return;
    const place = x(found[0][1][0]), right = place > wide / 2;
    layer.replaceChildren(drawn("line", { class: "cursor", x1: place, x2: place, y1: TOP, y2: HIGH - BOTTOM }));
    const rows = [words("epoch {epoch}", { epoch: found[0][1][0] }), ...found.map(([line, point]) => `${words(line.name)} ${show(point[1])}`)];
    rows.forEach((text, k) => layer.append(drawn("text", {
      x: place + (right ? -8 : 8), y: TOP + 14 + 16 * k, "text-anchor": right ? "end" : "start",
    }, text)));
  });
};
