// See through: every layer at every stroke, and the sum behind any number.

import { Anatomy, numberOf } from "./anatomy.js";
import { make } from "./dom.js";
import { makePanel } from "./explain.js";
import { mainSource } from "./explanations.js";
import { makeJoins } from "./joins.js";
import { makeLayerFigure } from "./layer-figure.js";
import { makeNearest } from "./nearest.js";
import { makeSaliency } from "./saliency.js";
import { onTheme, shadesNow } from "./shades.js";
import { say } from "./text.js";

const JOINED = ["Dense", "Conv2D", "MaxPool2D", "AveragePool2D"];

/** The layers in a row as figures; those of branches side by side, above what joins them. */
const figuresOf = (chain, made, options) => chain.flatMap((node) => {
  const figure = makeLayerFigure(node, options);
  made.push(figure);
  if (!node.branches.length) return [figure.element];
  const branches = node.branches.map((branch, b) => make("div", { className: "branch" },
    make("p", { className: "axis" }, branch.length ? say("branch {branch}", { branch: b }) : say("branch {branch}: the input itself", { branch: b })),
    ...figuresOf(branch, made, options)));
  made.splice(made.indexOf(figure), 1);
  made.push(figure); // after its branches, as it is computed
  return [make("div", { className: "branches" }, ...branches), figure.element];
});

/** For each layer with joins, the number in it that the chosen one owes most to. */
const wayDown = (chosen) => {
  const found = new Map();
  for (let number = chosen; number; number = mainSource(number)) {
    if (JOINED.includes(number.node.type)) found.set(number.node, number);
  }
  return found;
};

export const mountSee = (section, page) => {
  const anatomy = new Anatomy(page.model);
  anatomy.last.isAnswer = true;
  const logits = anatomy.last.answers ? anatomy.last.before : null;
  if (logits) logits.isAnswer = true;
  const figures = [];
  const visible = new Set();
  let [shades, follows, isVisible] = [shadesNow(), true, false];

  const panel = makePanel((number) => {
    for (const figure of figures) figure.marked(number);
    drawJoins();
  });
  const choose = (number) => { follows = false; panel.open(number); };
  const list = make("div", { className: "layers" }, ...figuresOf([anatomy.input, ...anatomy.chain], figures, { onChoose: choose }));
  const byNode = new Map(figures.map((figure) => [figure.node, figure]));
  const joins = figures.filter(({ node }) => JOINED.includes(node.type) && byNode.has(node.before))
    .map((figure) => ({ figure, joins: makeJoins(figure, byNode.get(figure.node.before)) }));
  const saliency = makeSaliency(page);
  const nearest = makeNearest(page, anatomy);
  const see = make("div", { className: "see" }, list, panel.element);
  section.append(
    make("p", { className: "how" }, say("Each layer, with the values that it has for this image: blue above zero, orange below, stronger for larger ones. Click any number, or walk to it with the arrow keys and press Enter: you see the sum behind it, down to the pixels.")),
    see,
    make("div", { className: "beside" }, saliency.element, nearest.element));

  const drawJoins = () => {
    if (!anatomy.last.y || !joins.some(({ figure }) => visible.has(figure))) return;
    const chosen = follows ? null : panel.current();
    const ways = new Map([...wayDown(answerNumber()), ...(chosen ? wayDown(chosen) : [])]);
    for (const { figure, joins: overlay } of joins) {
      if (visible.has(figure)) overlay.draw(ways.get(figure.node) ?? null, shades);
    }
  };
  const answerNumber = () => {
    if (!page.seen) return null;
    const count = anatomy.last.shape.reduce((a, b) => a * b, 1);
    return numberOf(anatomy.last, Math.min(page.seen.index, count - 1));
  };
  const drawAll = () => {
    if (!anatomy.last.y) return;
    for (const figure of visible) figure.draw(shades);
    const isBeside = Boolean(panel.element.dataset.shown); // else it lies over the page, wherever that is scrolled to
    if (isBeside && !isVisible) return;
    if (isBeside && follows) panel.follow(answerNumber());
    else panel.refresh();
  };
  const arrange = () => {
    for (const figure of figures) figure.arrange(Math.max(180, figure.element.clientWidth));
    for (const one of joins) one.joins.arrange();
    drawAll();
  };

  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const figure = figures.find(({ element }) => element === target);
      if (!isIntersecting) visible.delete(figure);
      else if (!visible.has(figure)) {
        visible.add(figure);
        if (anatomy.last.y) figure.draw(shades);
      }
    }
    drawJoins();
  }, { rootMargin: "80px" });
  for (const { element } of figures) watcher.observe(element);
  new IntersectionObserver((entries) => {
    isVisible = entries.at(-1).isIntersecting;
    if (isVisible) drawAll();
  }, { rootMargin: "-40px" }).observe(see); // less than that shows no figure of the panel
  let width = 0;
  new ResizeObserver(() => {
    const wide = matchMedia("(min-width: 1000px)").matches;
    panel.element.dataset.shown = wide ? "yes" : "";
    if (list.clientWidth !== width) {
      width = list.clientWidth;
      arrange();
    }
  }).observe(section);
  onTheme(() => {
    shades = shadesNow();
    if (section.isConnected) drawAll();
  });

  page.onChange(() => {
    anatomy.look(page.pixels, page.seen);
    drawAll();
    saliency.changed();
    nearest.changed();
  });
  return true;
};
