// Filters of a plane { values, width, height }, as SciPy's ndimage has them.

/** Position i of a line mirrored at its edges, which repeats the first and last values. */
const mirrored = (i, size) => {
  const turned = ((i % (2 * size)) + 2 * size) % (2 * size);
  return Math.min(turned, 2 * size - 1 - turned);
};

/** A Gaussian with a standard deviation of 0.7 at 0, 1, 2 and 3, where it is cut off; the whole sums to 1. */
const GAUSSIAN = [0, 1, 2, 3].map((i) => Math.exp((-0.5 / (0.7 * 0.7)) * i * i));
const GAUSSIAN_SUM = 2 * (GAUSSIAN[3] + GAUSSIAN[2] + GAUSSIAN[1]) + GAUSSIAN[0];

/** Smoothed by a Gaussian with a standard deviation of 0.7 pixels, mirrored at the edges. */
export const smoothed = ({ values, width, height }) => {
  const [w0, w1, w2, w3] = GAUSSIAN.map((weight) => weight / GAUSSIAN_SUM);
  const down = new Float32Array(values.length);
  for (let y = 0; y < height; y += 1) {
    const [a3, a2, a1, b, c1, c2, c3] = [-3, -2, -1, 0, 1, 2, 3].map((k) => mirrored(y + k, height) * width);
    for (let x = 0; x < width; x += 1) {
      const outer = values[b + x] * w0 + (values[a3 + x] + values[c3 + x]) * w3;
      down[b + x] = outer + (values[a2 + x] + values[c2 + x]) * w2 + (values[a1 + x] + values[c1 + x]) * w1;
    }
  }
  const made = new Float32Array(values.length);
  const line = new Float32Array(width + 6);
  for (let y = 0, at = 0; y < height; y += 1, at += width) {
    line.set(down.subarray(at, at + width), 3);
    for (let i = 0; i < 3; i += 1) {
      line[i] = down[at + mirrored(i - 3, width)];
      line[width + 3 + i] = down[at + mirrored(width + i, width)];
    }
    for (let x = 0; x < width; x += 1) {
      const outer = line[x + 3] * w0 + (line[x] + line[x + 6]) * w3;
      made[at + x] = outer + (line[x + 1] + line[x + 5]) * w2 + (line[x + 2] + line[x + 4]) * w1;
    }
  }
  return { values: made, width, height };
};

/** Which pixels lie within `steps` of those marked, going up, down, left or right. */
export const grownBy = (marked, width, height, steps) => {
  const away = new Int32Array(marked.length).fill(width + height);
  for (let at = 0; at < away.length; at += 1) if (marked[at] === 1) away[at] = 0;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      if (x > 0 && away[at - 1] + 1 < away[at]) away[at] = away[at - 1] + 1;
      if (y > 0 && away[at - width] + 1 < away[at]) away[at] = away[at - width] + 1;
    }
  }
  for (let y = height - 1, at = width * height - 1; y >= 0; y -= 1) {
    for (let x = width - 1; x >= 0; x -= 1, at -= 1) {
      if (x < width - 1 && away[at + 1] + 1 < away[at]) away[at] = away[at + 1] + 1;
      if (y < height - 1 && away[at + width] + 1 < away[at]) away[at] = away[at + width] + 1;
    }
  }
  const near = new Uint8Array(away.length);
  for (let at = 0; at < near.length; at += 1) if (away[at] <= steps) near[at] = 1;
  return near;
};

/** The largest value within `radius` pixels of each; the plane grows by the radius on each side. */
export const thickened = ({ values, width, height }, radius) => {
  const whole = Math.ceil(radius);
  const [wide, high] = [width + 2 * whole, height + 2 * whole];
  const made = new Float32Array(wide * high);
  const row = new Float32Array(wide + 2 * whole); // the row's largest value within `reach` of each place
  for (let y = 0; y < height; y += 1) {
    row.fill(0);
    row.set(values.subarray(y * width, (y + 1) * width), 2 * whole);
    const source = row.slice();
    let reach = 0;
    for (let dy = whole; dy >= 0; dy -= 1) {
      while ((reach + 1) ** 2 + dy * dy <= radius * radius) {
        reach += 1;
        for (let x = whole; x < wide + whole; x += 1) {
          row[x] = Math.max(row[x], source[x - reach], source[x + reach]);
        }
      }
      if (dy > radius) continue;
      for (const line of dy === 0 ? [y + whole] : [y + whole - dy, y + whole + dy]) {
        for (let x = 0; x < wide; x += 1) {
          const value = row[x + whole];
          if (value > made[line * wide + x]) made[line * wide + x] = value;
        }
      }
    }
  }
  return { values: made, width: wide, height: high };
};
