// Order statistics and rounding as NumPy and Python define them.

/** The value of rank `k` (from 0) of numbers, whose order is changed: Hoare's selection. */
const selected = (values, k) => {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[k];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < pivot) i += 1;
      while (pivot < values[j]) j -= 1;
      if (i <= j) {
        const kept = values[i];
        values[i] = values[j];
        values[j] = kept;
        i += 1;
        j -= 1;
      }
    }
    if (j < k) low = i;
    if (k < i) high = j;
  }
  return values[k];
};

/** The quantile 0 … 1 by linear interpolation, in the precision of the typed array; its order is changed. */
export const quantileOf = (values, share) => {
  const rounded = values instanceof Float32Array ? Math.fround : Number;
  const at = (values.length - 1) * share;
  const rank = Math.floor(at);
  const t = at - rank;
  const a = selected(values, rank);
  let b = a; // the next larger: all after `rank` are at least `a`
  if (rank + 1 < values.length) {
    b = Infinity;
    for (let i = rank + 1; i < values.length; i += 1) if (values[i] < b) b = values[i];
  }
  const span = rounded(b - a);
  return t < 0.5 ? rounded(a + rounded(span * rounded(t))) : rounded(b - rounded(span * rounded(1 - t)));
};

/** The median; the order of the typed array is changed. */
export const medianOf = (values) => {
  const rounded = values instanceof Float32Array ? Math.fround : Number;
  const half = values.length >> 1;
  const upper = selected(values, half);
  if (values.length % 2 === 1) return upper;
  let lower = -Infinity;
  for (let i = 0; i < half; i += 1) if (values[i] > lower) lower = values[i];
  return rounded(rounded(lower + upper) / 2);
};

/** The nearest whole number, halves to the even one. */
export const roundEven = (x) => {
  const down = Math.floor(x);
  if (x - down !== 0.5) return Math.round(x);
  return down % 2 === 0 ? down : down + 1;
};

/** The value within `least` and `most`. */
export const clamped = (value, least, most) => Math.min(Math.max(value, least), most);
