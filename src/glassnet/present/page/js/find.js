import { backgroundWithin, fitBackground } from "./background.js";
import { smoothed } from "./filters.js";
import { medianOf, quantileOf } from "./numbers.js";
import { boxAround, boxGaps, findParts, longerSide, oneOf } from "./parts.js";
import { reducedTo } from "./resample.js";

// Finding ink on a page: its polarity and one character, as in glassnet.data.find. All grey levels are of 0 … 255.

const LEAST_CONTRAST = 8; // less is no ink
export const LEAST_PEAK = 16; // the darkest tenth of a stroke has more
const SMALL_PAGE = 100; // pixels: below, noise is not smoothed, as strokes may be one pixel wide
const ALONG_EDGE = 0.9; // of a part's longer side: with more pixels at the edge it is a table or a shadow
export const THRESHOLD_STEP = 1.4; // from one to the next, where ink touches what is darker than the page
const SPECK_SHARE = 0.02; // of the largest part's ink: less is a speck

const sized = (view) => Math.min(view.width, view.height);

/** The standard deviation of the noise of values of which most are ground: 1.4826 times the median deviation. */
export const noiseOf = (values) => {
  const ordered = values.slice();
  const middle = medianOf(ordered);
  for (let i = 0; i < ordered.length; i += 1) ordered[i] = Math.abs(ordered[i] - middle);
  return 1.4826 * medianOf(ordered);
};

/** The largest size of a value. */
export const largestOf = (values) => {
  let most = 0;
  for (let i = 0; i < values.length; i += 1) most = Math.max(most, Math.abs(values[i]));
  return most;
};

/**
 * The page reduced to `size` pixels, smoothed a little, its background subtracted: a plane with `seen` (before that), `factor`,
 * `c` of the background, the standard deviation of its `noise`, and `spread`, between which the background lies.
 */
export const viewOf = (plane, size) => {
  const [reduced, factor] = reducedTo(plane, size);
  const small = sized(reduced) > SMALL_PAGE ? smoothed(reduced) : reduced;
  const { width, height } = small;
  const c = fitBackground(small);
  const surface = backgroundWithin(c, width, height, [0, 0, height, width]);
  const values = new Float32Array(surface.length);
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i += 1) {
    values[i] = small.values[i] - surface[i];
    if (surface[i] < low) low = surface[i];
    if (surface[i] > high) high = surface[i];
  }
  let noise = noiseOf(values);
  if (sized(small) <= SMALL_PAGE) noise = Math.min(noise, largestOf(values) / 10); // ink may cover half of a small image
  return { values, width, height, seen: reduced, factor, c, noise, spread: Math.fround(high - low) };
};

const isLarge = (parts) => parts.some((part) => longerSide(part.box) > 3);

const heaviest = (parts) => parts.reduce((most, part) => Math.max(most, part.mass), 0);

/** The first of those found whose largest part has the most ink. */
const withMostInk = (found) => found.reduce((best, one) => (heaviest(one.parts) > heaviest(best.parts) ? one : best));

/** { sign, labels, parts }: the polarity whose largest part has more ink, and its parts (those inside the image, if any). */
export const polarityOf = (view) => {
  let threshold = Math.max(4 * view.noise, LEAST_CONTRAST);
  const seen = [-1, 1].map((sign) => ({ sign, ...findParts(view, threshold, sign) }));
  for (const most of [0, ALONG_EDGE]) {
    const inside = seen
      .map((one) => ({ ...one, parts: one.parts.filter((part) => part.edge <= most * longerSide(part.box)) }))
      .filter((one) => isLarge(one.parts));
    if (inside.length > 0) return withMostInk(inside);
  }
  if (sized(view) <= SMALL_PAGE) return withMostInk(seen); // cut out closely
  for (const largest = largestOf(view.values); Math.fround(threshold) < largest; ) {
    threshold *= THRESHOLD_STEP;
    for (const sign of [-1, 1]) {
      const { labels, parts } = findParts(view, threshold, sign);
      const inside = parts.filter((part) => part.edge === 0);
      if (isLarge(inside)) return { sign, labels, parts: inside };
    }
  }
  return { sign: -1, labels: seen[0].labels, parts: [] };
};

/** How far full ink of the parts is from the background: the 90th percentile. */
export const peakOf = (view, sign, labels, parts) => {
  const [top, left, bottom, right] = boxAround(parts.map((part) => part.box));
  const mine = oneOf(parts.map((part) => part.label));
  const levels = [];
  for (let y = top; y < bottom; y += 1) {
    for (let at = y * view.width + left; at < y * view.width + right; at += 1) {
      if (mine(labels[at])) levels.push(sign * view.values[at]);
    }
  }
  return quantileOf(Float32Array.from(levels), 0.9);
};

/**
 * The character with the most ink, its parts joined over gaps of up to `gap` of its longer side: { sign, labels, lines }, one
 * line of one character { labels, box, peak }; null on a blank page.
 */
export const findOne = (view, gap) => {
  const { sign, labels, parts } = polarityOf(view);
  if (parts.length === 0) return null;
  const main = parts.reduce((best, part) => (part.mass > best.mass ? part : best));
  let others = parts.filter((part) => part.mass >= SPECK_SHARE * main.mass && part !== main);
  let { box } = main;
  const chosen = [main];
  const side = longerSide(main.box);
  for (;;) {
    const from = box;
    const near = others.filter((part) => Math.max(...boxGaps(part.box, from)) < gap * side);
    if (near.length === 0) break;
    others = others.filter((part) => !near.includes(part));
    chosen.push(...near);
    box = boxAround([box, ...near.map((part) => part.box)]);
  }
  const peak = peakOf(view, sign, labels, [main]);
  if (peak < Math.max(LEAST_PEAK, 6 * view.noise)) return null;
  return { sign, labels, lines: [[{ labels: chosen.map((part) => part.label), box, peak }]] };
};
