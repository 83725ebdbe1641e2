import { quantileOf } from "./numbers.js";

// Measures of a plane of ink: 0 for the ground, 1 for full ink, as in glassnet.data.ink. A box is [top, left, bottom, right].

const INK_LEVEL = 0.4; // where ink begins
const SOLID_SHARE = 0.3; // below this share of the maximum, a pixel says nothing of how dark the ink is

/** The value of full ink: the 80th percentile of what is above 0.3 of the maximum; 0 for an empty image. */
export const fullInk = ({ values }) => {
  let largest = 0;
  for (const value of values) if (value > largest) largest = value;
  if (largest <= 0) return 0;
  const least = Math.fround(SOLID_SHARE * largest);
  return quantileOf(values.filter((value) => value > least), 0.8);
};

const inkCrossings = (profile) => {
  const level = Math.fround(INK_LEVEL);
  const first = profile.findIndex((value) => value >= level);
  if (first < 0) return null;
  let last = profile.length - 1;
  while (profile[last] < level) last -= 1;
  const before = first > 0 ? profile[first - 1] : 0;
  const after = last + 1 < profile.length ? profile[last + 1] : 0;
  return [
    first + 0.5 - (profile[first] - INK_LEVEL) / (profile[first] - before),
    last + 0.5 + (profile[last] - INK_LEVEL) / (profile[last] - after),
  ];
};

/** The box of the ink in fractions of pixels: where the largest value of a row or column crosses 0.4; null without ink. */
export const inkBox = ({ values, width, height }) => {
  const rows = new Float32Array(height);
  const columns = new Float32Array(width);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const value = values[y * width + x];
      if (value > rows[y]) rows[y] = value;
      if (value > columns[x]) columns[x] = value;
    }
  }
  const [down, across] = [inkCrossings(rows), inkCrossings(columns)];
  return down === null || across === null ? null : [down[0], across[0], down[1], across[1]];
};

/** The centre of mass, [y, x]. */
export const inkCentre = ({ values, width, height }) => {
  let [mass, down, across] = [0, 0, 0];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const value = values[y * width + x];
      mass += value;
      down += value * (y + 0.5);
      across += value * (x + 0.5);
    }
  }
  return [down / mass, across / mass];
};

/** 2·area / perimeter, with Σ ink for the area and Σ |∇ ink| for the perimeter: the mean width of long strokes. */
export const strokeWidth = ({ values, width, height }) => {
  const at = (y, x) => (y < 0 || x < 0 || y >= height || x >= width ? 0 : values[y * width + x]);
  let [area, perimeter] = [0, 0];
  for (let y = -1; y < height; y += 1) {
    for (let x = -1; x < width; x += 1) {
      const value = at(y, x);
      const [down, right] = [at(y + 1, x) - value, at(y, x + 1) - value];
      area += value;
      perimeter += Math.sqrt(down * down + right * right);
    }
  }
  return (2 * area) / Math.max(perimeter, 1e-9);
};
