import { medianOf } from "./numbers.js";

// The background of a page: c₀ + c₁x + c₂y + c₃x² + c₄xy + c₅y², x and y from −1 to 1, as in glassnet.data.background.

const GROUND_SAMPLES = 100; // along the longer side
const GROUND_ROUNDS = 15;
const RIDGE = 1e-6; // keeps the equations solvable for an image of one row
const POWERS = [[0, 0], [1, 0], [0, 1], [2, 0], [1, 1], [0, 2]]; // of x and y

const placesAlong = (size, from, to, stride = 1) =>
  Float64Array.from({ length: Math.ceil((to - from) / stride) }, (_, i) => (2 * (from + i * stride) + 1) / size - 1);

/** The solution of a small linear system, by elimination with partial pivoting. */
const solved = (matrix, wanted) => {
  const rows = matrix.map((row, i) => [...row, wanted[i]]);
  const n = rows.length;
  for (let i = 0; i < n; i += 1) {
    let best = i;
    for (let j = i + 1; j < n; j += 1) if (Math.abs(rows[j][i]) > Math.abs(rows[best][i])) best = j;
    [rows[i], rows[best]] = [rows[best], rows[i]];
    for (let j = i + 1; j < n; j += 1) {
      const factor = rows[j][i] / rows[i][i];
      for (let k = i; k <= n; k += 1) rows[j][k] -= factor * rows[i][k];
    }
  }
  const found = new Float64Array(n);
  for (let i = n - 1; i >= 0; i -= 1) {
    let rest = rows[i][n];
    for (let k = i + 1; k < n; k += 1) rest -= rows[i][k] * found[k];
    found[i] = rest / rows[i][i];
  }
  return found;
};

/** Σ w·xⁱ·yʲ and Σ w·v·xⁱ·yʲ over the samples, with the weights 1/(1 + (r/2s)²)² of their residuals. */
const weightedMoments = (values, xs, ys, rest, spread) => {
  const moments = Array.from({ length: 5 }, () => new Float64Array(5));
  const products = Array.from({ length: 3 }, () => new Float64Array(3));
  for (let j = 0; j < ys.length; j += 1) {
    let [s0, s1, s2, s3, s4, v0, v1, v2] = [0, 0, 0, 0, 0, 0, 0, 0];
    for (let i = 0; i < xs.length; i += 1) {
      const at = j * xs.length + i;
      const x = xs[i];
      const ratio = rest[at] / (2 * spread);
      const root = 1 / (1 + ratio * ratio);
      const w = root * root;
      const wx = w * x;
      const wxx = wx * x;
      s0 += w;
      s1 += wx;
      s2 += wxx;
      s3 += wxx * x;
      s4 += wxx * x * x;
      v0 += w * values[at];
      v1 += wx * values[at];
      v2 += wxx * values[at];
    }
    let power = 1;
    for (let k = 0; k < 5; k += 1) {
      [s0, s1, s2, s3, s4].forEach((sum, i) => (moments[i][k] += sum * power));
      if (k < 3) [v0, v1, v2].forEach((sum, i) => (products[i][k] += sum * power));
      power *= ys[j];
    }
  }
  return [moments, products];
};

/** c of the background, fitted to most of the pixels by iteratively reweighted least squares. */
export const fitBackground = ({ values, width, height }) => {
  const stride = Math.max(1, Math.floor(Math.max(width, height) / GROUND_SAMPLES));
  const [ys, xs] = [placesAlong(height, 0, height, stride), placesAlong(width, 0, width, stride)];
  const count = xs.length * ys.length;
  const seen = new Float64Array(count);
  for (let j = 0; j < ys.length; j += 1) {
    for (let i = 0; i < xs.length; i += 1) seen[j * xs.length + i] = values[j * stride * width + i * stride];
  }
  let c = Float64Array.of(medianOf(seen.slice()), 0, 0, 0, 0, 0);
  const [rest, sizes] = [new Float64Array(count), new Float64Array(count)];
  for (let round = 0; round < GROUND_ROUNDS; round += 1) {
    for (let j = 0, at = 0; j < ys.length; j += 1) {
      const y = ys[j];
      const [constant, linear] = [c[0] + c[2] * y + c[5] * y * y, c[1] + c[4] * y];
      for (let i = 0; i < xs.length; i += 1, at += 1) {
        rest[at] = seen[at] - (constant + (linear + c[3] * xs[i]) * xs[i]);
        sizes[at] = Math.abs(rest[at]);
      }
    }
    const spread = 1.4826 * medianOf(sizes) + 2;
    const [moments, products] = weightedMoments(seen, xs, ys, rest, spread);
    const matrix = POWERS.map(([i, j], row) =>
      POWERS.map(([k, l], column) => moments[i + k][j + l] + (row === column ? RIDGE * count : 0)),
    );
    const found = solved(matrix, POWERS.map(([i, j]) => products[i][j]));
    const change = Math.max(...found.map((value, i) => Math.abs(value - c[i])));
    c = found;
    if (change < 0.05) break;
  }
  return c;
};

/** The surface within a box [top, left, bottom, right] of a page of that size, whatever size it was fitted at. */
export const backgroundWithin = (c, width, height, [top, left, bottom, right]) => {
  const [ys, xs] = [placesAlong(height, top, bottom), placesAlong(width, left, right)];
  const values = new Float32Array(ys.length * xs.length);
  for (let j = 0, at = 0; j < ys.length; j += 1) {
    const y = ys[j];
    for (let i = 0; i < xs.length; i += 1, at += 1) {
      const x = xs[i];
      values[at] = c[0] + c[1] * x + c[2] * y + c[3] * x * x + c[4] * x * y + c[5] * y * y;
    }
  }
  return values;
};
