// Initial weights, by the formulas of glassnet.nn.initializers.

import { randomBelow } from "./trainer.js";

const WHOLE = 2 ** 32;

/** Uniform numbers in 0…1, without 0, and normal numbers by Box and Muller's transform. */
export const randomNumbers = (seed) => {
  const below = randomBelow(seed);
  const uniform = () => (below(WHOLE) + 0.5) / WHOLE;
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) };
};

const fansOf = (shape) => {
  const window = shape.slice(0, -2).reduce((a, b) => a * b, 1);
  return [window * shape.at(-2), window * shape.at(-1)];
};

/** By name, a function of the random numbers and the fans that draws one weight. */
export const INITIALIZERS = {
  Normal: ({ normal }) => normal(),
  LecunNormal: ({ normal }, [into]) => normal() / Math.sqrt(into),
  GlorotUniform: ({ uniform }, [into, out]) => (2 * uniform() - 1) * Math.sqrt(6 / (into + out)),
  HeNormal: ({ normal }, [into]) => normal() * Math.sqrt(2 / into),
  HeUniform: ({ uniform }, [into]) => (2 * uniform() - 1) * Math.sqrt(6 / into),
  Uniform: ({ uniform }) => (2 * uniform() - 1) * 0.05,
  Zeros: () => 0,
};

/** An orthogonal square matrix: normal numbers, each row made orthogonal to those before (Gram and Schmidt). */
const orthogonal = (numbers, side) => {
  const rows = [];
  while (rows.length < side) {
    const row = Float64Array.from({ length: side }, numbers.normal);
    for (const other of [...rows, ...rows]) { // twice, for the rounding of the first time
      const along = row.reduce((sum, value, i) => sum + value * other[i], 0);
      other.forEach((value, i) => { row[i] -= along * value; });
    }
    const size = Math.hypot(...row);
    rows.push(row.map((value) => value / size));
  }
  return rows.flatMap((row) => [...row]);
};

/**
 * Draws all parameters of a model: weights by the initializer, recurrent weights orthogonal, biases zero, or N(0, 1) as the
 * weights of the MNIST tutorial.
 */
export const drawParameters = (model, name, seed) => {
  const numbers = randomNumbers(seed);
  for (const { path, parameters } of model.layers) {
    for (const [key, { shape }] of Object.entries(parameters)) {
      const values = model.parameter(path, key);
      if (key === "recurrent_weight") values.set(orthogonal(numbers, shape[0]));
      else if (key === "bias") values.forEach((_, i) => { values[i] = name === "Normal" ? numbers.normal() : 0; });
      else {
        const fans = fansOf(shape);
        values.forEach((_, i) => { values[i] = INITIALIZERS[name](numbers, fans); });
      }
    }
  }
};
