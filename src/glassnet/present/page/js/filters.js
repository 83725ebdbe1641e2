// Filters of a plane { values, width, height }, as SciPy's ndimage has them.

/** Smoothed by a Gaussian, cut off at four standard deviations, mirrored at the edges. */
export const smoothed = ({ values, width, height }, sigma) => {
  const radius = Math.trunc(4 * sigma + 0.5);
  const weights = Float64Array.from({ length: radius + 1 }, (_, i) => Math.exp((-0.5 / (sigma * sigma)) * i * i));
  const sum = weights.reduce((a, b) => a + 2 * b, -weights[0]);
  weights.forEach((weight, i) => (weights[i] = weight / sum));
  const pass = (source, lines, size, lineStep, step) => {
    const made = new Float32Array(source.length);
    const line = new Float64Array(size + 2 * radius);
    for (let j = 0; j < lines; j += 1) {
      for (let i = -radius; i < size + radius; i += 1) {
        const turned = (((i % (2 * size)) + 2 * size) % (2 * size));
        line[i + radius] = source[j * lineStep + Math.min(turned, 2 * size - 1 - turned) * step];
      }
      for (let i = 0; i < size; i += 1) {
        let total = line[i + radius] * weights[0];
        for (let k = radius; k > 0; k -= 1) total += (line[i + radius - k] + line[i + radius + k]) * weights[k];
        made[j * lineStep + i * step] = total;
      }
    }
    return made;
  };
  const down = pass(values, width, height, 1, width);
  return { values: pass(down, height, width, width, 1), width, height };
};

/** Which pixels lie within `steps` of those marked, going up, down, left or right. */
export const grownBy = (marked, width, height, steps) => {
  const far = width + height;
  const away = Int32Array.from(marked, (mark) => (mark ? 0 : far));
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
  return away.map((distance) => (distance <= steps ? 1 : 0));
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
