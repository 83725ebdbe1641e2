import { backgroundWithin } from "./background.js";
import { grownBy } from "./filters.js";
import { noiseOf } from "./find.js";
import { clamped, quantileOf, roundEven } from "./numbers.js";
import { findParts, oneOf } from "./parts.js";
import { reducedTo } from "./resample.js";

const CUT_SIDE = 120; // the longer side of the piece of the page in which a character is measured
const CUT_MARGIN = 0.25; // around the box, as a share of its longer side

/** The map of labels at the pixels of a piece of the page: that of the nearest pixel of the reduced page. */
const labelsWithin = (view, labels, piece, [top, left, bottom, right]) => {
  const place = (i, size, from, to, most) =>
    Math.min(Math.trunc((from + ((i + 0.5) * (to - from)) / size) * view.factor), most - 1);
  const made = new Int32Array(piece.values.length);
  const columns = Int32Array.from({ length: piece.width }, (_, x) => place(x, piece.width, left, right, view.width));
  for (let y = 0; y < piece.height; y += 1) {
    const row = place(y, piece.height, top, bottom, view.height) * view.width;
    for (let x = 0; x < piece.width; x += 1) made[y * piece.width + x] = labels[row + columns[x]];
  }
  return made;
};

/** Of a page without its background, the part around a character, at most 120 pixels long, and where it lies. */
const pieceAround = (plane, view, sign, box) => {
  const edges = box.map((edge) => edge / view.factor);
  const margin = CUT_MARGIN * Math.max(edges[2] - edges[0], edges[3] - edges[1]) + 1;
  const [top, left] = [edges[0], edges[1]].map((edge) => Math.trunc(Math.max(0, edge - margin)));
  const bottom = Math.ceil(Math.min(plane.height, edges[2] + margin));
  const right = Math.ceil(Math.min(plane.width, edges[3] + margin));
  const values = backgroundWithin(view.c, plane.width, plane.height, [top, left, bottom, right]);
  const [width, height] = [right - left, bottom - top];
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      values[at] = sign * Math.fround(plane.values[(top + y) * plane.width + left + x] - values[at]);
    }
  }
  return [reducedTo({ values, width, height }, CUT_SIDE)[0], [top, left, bottom, right]];
};

/**
 * How much ink each pixel around a character has, 0 … 1, background and all other characters taken away, as in
 * glassnet.data.prepare.cut_out: a plane, and `within`, the part of the page that it shows; null where nothing is left.
 */
export const cutOut = (plane, view, found, one) => {
  const [piece, within] = pieceAround(plane, view, found.sign, one.box);
  const { width, height } = piece;
  const owner = labelsWithin(view, found.labels, piece, within);
  const mine = oneOf(one.labels);
  const values = piece.values.slice();
  const isMine = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i += 1) {
    if (mine(owner[i])) isMine[i] = 1;
    else if (owner[i] > 0) values[i] = 0;
  }
  const noise = noiseOf(values);
  const threshold = Math.max(0.35 * one.peak, Math.min(3 * noise, 0.6 * one.peak));
  const { labels, parts } = findParts({ values, width, height }, threshold);
  const touched = new Uint8Array(parts.length + 1);
  for (let i = 0; i < values.length; i += 1) if (isMine[i] === 1) touched[labels[i]] = 1;
  const kept = parts.filter((part) => touched[part.label] === 1);
  if (kept.length === 0) return null;
  const most = Math.max(...kept.map((part) => part.mass));
  const isSolid = oneOf(kept.filter((part) => part.mass >= 0.03 * most).map((part) => part.label));
  const solid = new Uint8Array(values.length);
  for (let i = 0; i < values.length; i += 1) if (labels[i] > 0 && isSolid(labels[i])) solid[i] = 1;
  const full = quantileOf(values.filter((_, i) => solid[i] === 1), 0.75);
  const faint = Math.min(Math.max(0.12 * full, 2 * noise), 0.5 * full);
  const near = grownBy(solid, width, height, Math.max(1, roundEven(0.03 * Math.max(width, height))));
  const [start, span] = [Math.fround(faint), Math.fround(full - faint)];
  const ink = new Float32Array(values.length);
  for (let i = 0; i < ink.length; i += 1) if (near[i] === 1) ink[i] = clamped(Math.fround(values[i] - start) / span, 0, 1);
  return { values: ink, width, height, within };
};
