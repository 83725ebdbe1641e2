// What an explanation is made of. It is plain data:
//   title, note   [text, values] in both languages
//   equation      in symbols, as the trace has it
//   lines         the equation in numbers: lists of texts and numbers { value, source }, the source being the number it came from
//   terms         of a sum: { values, parts(k) → [texts and numbers], before } or nothing
//   pictures      [{ title, values, shape [rows, columns, channels], source(k), chosen, names }]
//   curve         { f, x } of an activation
//   value         what all this comes to, computed here

/** A number in a line, with the number of the network that it is. */
export const term = (value, source = null) => ({ value, source });

/** Σ x·w: `count` products, x(k) and w(k) their factors, source(k) where x comes from; `before`: what is added to them. */
export const productsOf = (count, x, w, source, before = []) => {
  const values = Float64Array.from({ length: count }, (_, k) => x(k) * w(k));
  return { values, parts: (k) => [term(x(k), source(k)), "·", term(w(k))], before };
};

export const totalOf = (values) => values.reduce((sum, value) => sum + value, 0);

/** Row and column where the window of an output begins, in the padding too; and the window's sides. */
export const windowOf = (node, row, column) => {
  const { settings, inner } = node;
  const [rows, columns] = settings.kernel_size ?? settings.pool_size;
  const [down, across] = settings.strides;
  const margin = (size, window, stride) => {
    if (settings.padding === "valid") return 0;
    return Math.floor(Math.max((Math.ceil(size / stride) - 1) * stride + window - size, 0) / 2);
  };
  return { top: row * down - margin(inner[0], rows, down), left: column * across - margin(inner[1], columns, across), rows, columns };
};

/** The places (i, j) of a window that lie inside the image, with its pixel's row and column. */
export const placesOf = ({ top, left, rows, columns }, [height, width]) => {
  const found = [];
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) {
      const [r, c] = [top + i, left + j];
      if (r >= 0 && c >= 0 && r < height && c < width) found.push({ i, j, r, c });
    }
  }
  return found;
};

export const sigmoidOf = (z) => 1 / (1 + Math.exp(-z));
