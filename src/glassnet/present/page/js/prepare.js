import { groundFor, planesOf } from "./colour.js";
import { cutOut } from "./cut.js";
import { thickened } from "./filters.js";
import { findOne, viewOf } from "./find.js";
import { fullInk, inkBox, inkCentre, strokeWidth } from "./ink.js";
import { clamped, medianOf, roundEven } from "./numbers.js";
import { framePositions } from "./parts.js";
import { fittedTo, resampled } from "./resample.js";

// An image becomes what the network was trained on, as `glassnet predict --prepare` makes it (glassnet.data.prepare).

const ONE_CHARACTER = 400; // the longer side at which one character is looked for
const JOINED_GAP = 0.35; // of its longer side: parts of the one character on an image are joined over such gaps
const UNEVEN_GROUND = 12; // grey levels: a background that varies by less needs no word

const step = (text, values = {}) => ({ text, values });

/** Levels 0 … 255 as 0 … 1. */
const shares = (values) => {
  const made = new Float32Array(values.length);
  for (let i = 0; i < made.length; i += 1) made[i] = values[i] / 255;
  return made;
};

/** Whether a plane of bytes is as the training images are: ground, size and place of its ink. */
export const looksTrained = (grey, style) => {
  const { width, height } = grey;
  const values = shares(grey.values);
  const border = Float32Array.from(framePositions(width, height), (at) => values[at]);
  if (Math.abs(medianOf(border) - style.ground) > Math.abs(style.contrast) / 4) return false;
  const [ground, sign] = [Math.fround(style.ground), Math.sign(style.contrast)];
  const strength = { values: values.map((value) => Math.max(sign * Math.fround(value - ground), 0)), width, height };
  const full = fullInk(strength);
  if (full < Math.abs(style.contrast) / 4) return false;
  const ink = { values: strength.values.map((value) => Math.min(Math.fround(value / full), 1)), width, height };
  const box = inkBox(ink);
  if (box === null) return false;
  const [y, x] = centreOf(ink, box, style);
  const slack = 0.05 * Math.max(width, height);
  const side = Math.max(box[2] - box[0], box[3] - box[1]);
  const near = Math.hypot(y - style.y, x - style.x) <= style.off + slack;
  return near && style.least - slack <= side && side <= style.most + slack;
};

const centreOf = (ink, box, style) =>
  style.centring === "mass" ? inkCentre(ink) : [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];

/** Pixels of the cut for one of the network's, along y and x. */
const scalesOf = ([top, left, bottom, right], style) => {
  if (style.stretched) return [(bottom - top) / style.height, (right - left) / style.width];
  const scale = Math.max(bottom - top, right - left) / style.side;
  return [scale, scale];
};

const boxOrAll = (ink) => inkBox(ink) ?? [0, 0, ink.height, ink.width];

const paddedBy = ({ values, width, height }, pad) => {
  const [wide, high] = [width + 2 * pad, height + 2 * pad];
  const made = new Float32Array(wide * high);
  for (let y = 0; y < height; y += 1) {
    made.set(values.subarray(y * width, (y + 1) * width), (y + pad) * wide + pad);
  }
  return { values: made, width: wide, height: high };
};

/**
 * The ink of a cut, 0 … 1, scaled to the size that it has in training, and centred likewise or, with `kept`, the [y, x] of its
 * box's centre as shares of the page, left where it was drawn; and what was done.
 */
const placedInk = (cut, style, [height, width], kept = null) => {
  const steps = [];
  let ink = cut;
  let box = boxOrAll(ink);
  let [scaleY, scaleX] = scalesOf(box, style);
  const now = strokeWidth(ink) / Math.min(scaleY, scaleX);
  if (now < style.thin) {
    ink = thickened(ink, ((style.stroke - now) * Math.min(scaleY, scaleX)) / 2);
    box = boxOrAll(ink);
    [scaleY, scaleX] = scalesOf(box, style);
    steps.push(step("strokes thickened from {now:.1f} to {then:.1f} pixels", { now, then: style.stroke }));
  }
  let [y, x] = centreOf(ink, box, style);
  let [toY, toX] = [style.y, style.x];
  if (kept !== null) {
    [y, x] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
    const [halfY, halfX] = [(box[2] - box[0]) / scaleY / 2, (box[3] - box[1]) / scaleX / 2];
    [toY, toX] = [clamped(kept[0] * height, halfY, height - halfY), clamped(kept[1] * width, halfX, width - halfX)];
  }
  const pad = Math.trunc(Math.max(height * scaleY, width * scaleX)) + 2;
  const [startY, startX] = [y + pad - toY * scaleY, x + pad - toX * scaleX];
  const part = [startX, startY, startX + width * scaleX, startY + height * scaleY];
  const small = resampled(paddedBy(ink, pad), width, height, "bilinear", part);
  steps.push(
    style.stretched
      ? step("scaled so that it fills {height:.0f} × {width:.0f} pixels", { height: style.height, width: style.width })
      : step("scaled so that its longer side is {side:.0f} pixels", { side: style.side }),
  );
  if (kept === null) steps.push(step(style.centring === "mass" ? "centred by mass" : "centred by its box"));
  const full = Math.fround(Math.max(fullInk(small), 0.5));
  return [small.values.map((value) => clamped(Math.fround(value / full), 0, 1)), steps];
};

/** The bytes of ink, 0 … 1, on the ground of the training images. */
const bytesOf = (strength, style) => {
  const [ground, contrast] = [Math.fround(style.ground), Math.fround(style.contrast)];
  return Uint8Array.from(strength, (value) => {
    const level = clamped(Math.fround(ground + Math.fround(contrast * value)), 0, 1);
    return roundEven(Math.fround(255 * level));
  });
};

const drawnStage = ({ seen, width, height }) => ({ name: "drawn", width, height, values: shares(seen.values) });

/** How much ink there is once the background is taken away: 1 where it is full. */
const bareStage = ({ values, width, height }, sign, peak) => {
  const ink = new Float32Array(values.length);
  const scale = sign / peak;
  for (let i = 0; i < ink.length; i += 1) {
    const share = scale * values[i];
    if (share > 0) ink[i] = share < 1 ? share : 1;
  }
  return { name: "without background", width, height, values: ink };
};

const fedStage = (pixels, [height, width, channels]) => ({ name: "fed", width, height, channels, values: shares(pixels) });

/** One character of a page as the network takes it; null where nothing is left of it. */
export const preparedFrom = (plane, view, found, one, style, shape, centred = true) => {
  const cut = cutOut(plane, view, found, one);
  if (cut === null) return null;
  const [top, left, bottom, right] = one.box.map((edge) => edge / view.factor);
  const kept = centred ? null : [(top + bottom) / 2 / plane.height, (left + right) / 2 / plane.width];
  const [strength, done] = placedInk(cut, style, shape, kept);
  const pixels = bytesOf(strength, style);
  const box = [
    roundEven(left),
    roundEven(top),
    Math.min(plane.width, roundEven(right)),
    Math.min(plane.height, roundEven(bottom)),
  ];
  const steps = [
    step(found.sign > 0 ? "light ink on dark" : "dark ink on light"),
    ...(view.spread > UNEVEN_GROUND ? [step("shading of {levels:.0f} grey levels removed", { levels: view.spread })] : []),
    step("ink of {wide} × {high} pixels at {left}, {top}", {
      wide: box[2] - box[0],
      high: box[3] - box[1],
      left: box[0],
      top: box[1],
    }),
    ...done,
  ];
  const { values, width, height } = cut;
  const cutStage = { name: "cut out", width, height, values };
  const stages = [drawnStage(view), bareStage(view, found.sign, one.peak), cutStage, fedStage(pixels, shape)];
  return { pixels, kind: "ink", steps, box, stages };
};

const blankOne = (view, style, shape) => {
  const pixels = new Uint8Array(shape[0] * shape[1]).fill(roundEven(255 * style.ground));
  const steps = [step("blank: no ink was found")];
  return { pixels, kind: "blank", steps, box: null, stages: [drawnStage(view), fedStage(pixels, shape)] };
};

const resizedOne = (image, style, shape, mode, fit) => {
  const [height, width, channels] = shape;
  const planes = planesOf(image, channels).map((plane) => fittedTo(plane, width, height, fit).values);
  const pixels = new Uint8Array(height * width * channels);
  planes.forEach((values, channel) => values.forEach((value, i) => (pixels[i * channels + channel] = value)));
  const same = mode === "none" || (image.width === width && image.height === height);
  const why =
    style === null
      ? "only resized: the model file does not say what its training images look like"
      : "only resized, as the training images were: they are not ink on a plain ground";
  const kind = same ? "unchanged" : "resized";
  return { pixels, kind, steps: same ? [] : [step(why)], box: null, stages: [fedStage(pixels, shape)] };
};

/** The steps of what was done before ink was looked for: transparent pixels put on a ground. */
const afterGround = (ground, made) => {
  if (ground === null) return made;
  const text = ground === 255 ? "transparent background put on white" : "transparent background put on black";
  return { ...made, steps: [step(text), ...made.steps] };
};

/**
 * An image { data, width, height }, of RGBA or of grey bytes, as the network takes it, `shape` [H, W, C]: { pixels, kind, steps,
 * box, stages }. `style`: the fields of ImageStyle, or null. `mode`: "auto" leaves images that look like training images, "ink"
 * always looks for ink, "cropped" does too but leaves it where it was drawn, "none" only resizes (by `fit`); where the network was
 * not trained on ink, all modes do. A step is a text of the catalogue and its figures. A stage is { name, width, height, values }.
 */
export const prepareOne = (image, style, shape, { mode = "auto", fit = "stretch" } = {}) => {
  if (mode === "none" || style === null || !style.ink) return resizedOne(image, style, shape, mode, fit);
  const ground = groundFor(image);
  const [grey] = planesOf(image, 1, ground ?? 255);
  const fits = image.width === shape[1] && image.height === shape[0];
  if (mode === "auto" && ground === null && fits && looksTrained(grey, style)) {
    return { pixels: grey.values, kind: "unchanged", steps: [], box: null, stages: [fedStage(grey.values, shape)] };
  }
  const plane = { ...grey, values: Float32Array.from(grey.values) };
  const view = viewOf(plane, ONE_CHARACTER);
  const found = findOne(view, Math.max(JOINED_GAP, 1.3 * style.gap_y, 1.3 * style.gap_x));
  const made =
    found && preparedFrom(plane, view, found, found.lines[0][0], style, shape, mode !== "cropped");
  return afterGround(ground, made ?? blankOne(view, style, shape));
};
