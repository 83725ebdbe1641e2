// The drawing pad: mouse, touch, pen and keyboard; undo, clear, width; images from files.

import { make } from "./dom.js";
import { fileButton, readImage, takeFiles } from "./files.js";
import { SIDE, followKeys } from "./keys.js";
import { label, say } from "./text.js";

const PAPER = 128; // pixels a side of what is prepared: more take longer and tell the network no more

const drawFrom = (context, points, from) => {
  context.strokeStyle = context.fillStyle = "#000";
  context.lineCap = context.lineJoin = "round";
  for (let i = from; i < points.length; i += 1) {
    const [x, y, width] = points[i];
    context.beginPath();
    if (i === 0) {
      context.arc(x, y, width / 2, 0, 7);
      context.fill();
    } else {
      context.lineWidth = width;
      context.moveTo(points[i - 1][0], points[i - 1][1]);
      context.lineTo(x, y);
      context.stroke();
    }
  }
};

const drawPicture = (context, picture) => {
  const scale = Math.min(SIDE / picture.width, SIDE / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  context.imageSmoothingEnabled = scale < 1;
  context.drawImage(picture, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
};

/**
 * The pad as { element, show(picture, source), clear(), undo() }. `onImage({ image, empty, source })` is called at most once
 * a frame: `image` is the ImageData of the pad, dark ink on white, or of the picture in its own size; `source` what `show` got.
 */
export const makePad = (onImage) => {
  const actions = []; // strokes { points } and pictures { picture, source }; one with `fresh` begins an empty sheet
  const paper = make("canvas", { width: PAPER, height: PAPER }).getContext("2d", { willReadFrequently: true });
  const sheet = make("canvas", { tabIndex: 0, role: "application" });
  const screen = sheet.getContext("2d");
  const pen = make("span", { className: "pen", "aria-hidden": "true" });
  const refusal = make("p", { className: "refusal", role: "alert" });
  const width = make("input", { type: "range", min: 6, max: 44, value: 20 });
  let pointer = null;
  let stroke = null; // that is being drawn
  let frame = 0;

  const visible = () => actions.slice(Math.max(0, actions.findLastIndex((action) => action.fresh)));
  const picture = () => visible().find((action) => action.picture);
  const contexts = () => [[paper, PAPER / SIDE], [screen, sheet.width / SIDE]];

  const redraw = () => {
    const density = Math.max(1, Math.min(3, window.devicePixelRatio || 1));
    sheet.width = sheet.height = Math.round(SIDE * density);
    paper.fillStyle = "#fff";
    paper.fillRect(0, 0, SIDE, SIDE);
    for (const [context, scale] of contexts()) {
      context.setTransform(scale, 0, 0, scale, 0, 0);
      for (const action of visible()) {
        if (action.picture) drawPicture(context, action.picture);
        else drawFrom(context, action.points, 0);
      }
    }
    tell();
  };

  const tell = () => {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      const shown = picture();
      const source = shown?.picture;
      const image = source
        ? source.getContext("2d").getImageData(0, 0, source.width, source.height)
        : paper.getImageData(0, 0, PAPER, PAPER);
      const empty = !shown && !visible().some((action) => action.points.length);
      onImage({ image, empty, source: shown?.source ?? null });
    });
  };

  const begin = () => {
    refusal.replaceChildren();
    const fresh = Boolean(picture());
    stroke = { points: [], fresh };
    actions.push(stroke);
    if (fresh) redraw();
  };

  const extend = (points) => {
    const from = stroke.points.length;
    stroke.points.push(...points);
    for (const [context] of contexts()) drawFrom(context, stroke.points, from);
    tell();
  };

  const pointsOf = (event) => {
    const box = sheet.getBoundingClientRect();
    const coalesced = event.getCoalescedEvents?.() ?? [];
    return (coalesced.length ? coalesced : [event]).map((one) => {
      const pressed = one.pointerType === "pen" && one.pressure > 0 ? 0.4 + 1.2 * one.pressure : 1;
      return [((one.clientX - box.left) * SIDE) / box.width, ((one.clientY - box.top) * SIDE) / box.height, width.value * pressed];
    });
  };

  sheet.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    sheet.setPointerCapture(pointer);
    lift();
    begin();
    extend(pointsOf(event));
  });
  sheet.addEventListener("pointermove", (event) => { if (event.pointerId === pointer) extend(pointsOf(event)); });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
    sheet.addEventListener(name, (event) => { if (event.pointerId === pointer) pointer = stroke = null; });
  }

  const clear = () => {
    if (visible().some((action) => action.picture || action.points.length)) actions.push({ points: [], fresh: true });
    refusal.replaceChildren();
    redraw();
  };
  const undo = () => {
    if (pointer !== null) return;
    actions.pop();
    redraw();
  };
  const show = (canvas, source = null) => {
    refusal.replaceChildren();
    actions.push({ picture: canvas, source, points: [], fresh: true });
    redraw();
  };
  const take = async (file) => {
    try {
      show(await readImage(file));
    } catch (error) {
      if (!error.text) throw error;
      refusal.replaceChildren(say(error.text));
    }
  };

  const end = () => { stroke = null; };
  const lift = followKeys(sheet, pen, { begin, extend, clear, undo, end, width: () => Number(width.value) });
  const hint = say("Draw with mouse, finger, pen or arrow keys; or drop, paste or open an image.");
  label(sheet, "Drawing pad. Arrow keys move the pen, Shift makes the steps small, Space lowers or lifts it, Ctrl+Z undoes.");
  const button = (text, act) => {
    const made = make("button", { type: "button" }, text);
    made.addEventListener("click", act);
    return made;
  };
  const element = make("div", { className: "pad" },
    make("div", { className: "sheet" }, sheet, pen),
    make("div", { className: "tools" },
      button(say("Undo"), undo), button(say("Clear"), clear), fileButton(say("Open …"), take), fileButton(say("Camera"), take, true),
      make("label", { className: "width" }, say("Pen"), width)),
    make("p", { className: "hint" }, hint), refusal);
  takeFiles(element, take);
  let density = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
  const rescaled = () => {
    redraw();
    density = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    density.addEventListener("change", rescaled, { once: true });
  };
  density.addEventListener("change", rescaled, { once: true });
  redraw();
  return { element, show, clear, undo };
};
