// Where the panels of the playground stand.

import { make } from "./dom.js";
import { mark, say } from "./text.js";

/** A button with a text in both languages. */
export const button = (text, act, className = "") => {
  const made = make("button", { type: "button", className }, say(text));
  made.addEventListener("click", act);
  return made;
};
const part = (id, title, ...children) => make("section", { id, className: "view", "aria-labelledby": `${id}-title` },
  make("h2", { id: `${id}-title` }, say(title)), ...children);

/** A finding in words: what is seen, the cause, and what to do. */
export const showFinding = (panel, found) => {
  const text = [found.seen, found.cause].filter(Boolean).map((one) => make("p", {}, say(one, found.values)));
  const advice = (found.advice ?? []).map((one) => make("li", {}, say(one)));
  panel.className = found.calm ? "finding calm" : "finding";
  panel.replaceChildren(make("h2", {}, say(found.title)), ...text, ...(advice.length ? [make("ul", {}, ...advice)] : []));
};

/** Puts the panels `parts` and the buttons of the examples into the page, and links to its sections into the header. */
export const arrange = (stage, parts, examples, arrays, { stepOnce, reset, openTest }) => {
  stage.replaceChildren(
    make("p", { className: "about" }, say("Networks learn {train} scanned digits of 8×8 pixels in this page, computed by the kernels of glassnet. {validation} other images measure how well.",
      { train: "1,259", validation: arrays["validation.labels"].length })),
    make("div", { className: "examples", role: "group", "aria-labelledby": "examples-title" },
      make("span", { id: "examples-title" }, say("Examples")), ...examples), parts.example,
    make("div", { className: "play" }, parts.settings.element,
      make("div", { className: "live" },
        make("div", { className: "run" }, parts.train, button(mark("Step"), stepOnce), button(mark("Reset"), reset), parts.counts),
        parts.finding, make("div", { className: "charts" }, parts.loss, parts.accuracy))),
    make("div", { className: "pair" },
      part("weights", mark("First weights"), parts.weights.element),
      part("plane", mark("A plane of images"),
        make("p", { className: "how" }, say("Each point is an 8×8 image, coloured by the network's answer: the plane in which the classes' mean images lie farthest apart. Validation digits stand where they fall on it; red ones are classified wrongly.")),
        parts.plane.element)),
    part("classes", mark("What speaks for each class"),
      make("p", { className: "how" }, say("−∂loss/∂pixel at the mean training image, if that class were right: ink in blue pixels speaks for it, in orange ones against it. Each image has its own scale.")),
      parts.classes.element),
    make("div", { className: "pair" },
      part("layers", mark("Layers"),
        make("p", { className: "how" }, say("Of the latest measured step. “No gradient”: outputs of the activation after it within 1 % of their bounds, or ReLUs that are zero for all images checked.")),
        parts.layers.element),
      part("confusion", mark("Validation images"), parts.confusion.element)),
    part("draw", mark("Draw a digit"), make("div", { className: "stage" }, parts.pad.element, parts.answer.element)),
    part("test", mark("Test images"),
      make("p", {}, say("{count} images are kept for the end. Whoever looks at them to choose settings no longer measures anything: choose by the validation images, then open the test set once.", { count: arrays["test.labels"].length })),
      button(mark("Open the test set"), openTest), parts.test),
  );
  document.querySelector(".bar nav").replaceChildren(...[...stage.querySelectorAll(".view")].map((section) =>
    make("a", { href: `#${section.id}` }, section.querySelector("h2").firstChild.cloneNode(true))));
};
