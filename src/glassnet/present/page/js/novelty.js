// How far an image is from the training images in the hidden layers, as glassnet.runtime.novelty measures it.

const REGIONS = 3; // a feature map is averaged over at most 3 × 3 regions

/** IEEE half-precision numbers, given as their 16 bits, as floats. */
export const fromHalves = (bits) => {
  const made = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i += 1) {
    const [exponent, fraction] = [(bits[i] >> 10) & 31, bits[i] & 1023];
    const size = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
    made[i] = bits[i] & 0x8000 ? -size : size;
  }
  return made;
};

/** The output of a layer as means over regions of all its axes but the last, scaled to length 1. */
const regionFeatures = (output, shape) => {
  let values = output;
  let outer = 1;
  shape.slice(0, -1).forEach((size, axis) => {
    const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
    const count = Math.min(REGIONS, size);
    const means = new Float64Array(outer * count * inner);
    for (let o = 0; o < outer; o += 1) {
      for (let i = 0; i < count; i += 1) {
        const [from, to] = [Math.floor((i * size) / count), Math.ceil(((i + 1) * size) / count)];
        const at = (o * count + i) * inner;
        for (let k = from; k < to; k += 1) {
          for (let j = 0; j < inner; j += 1) means[at + j] += values[(o * size + k) * inner + j] / (to - from);
        }
      }
    }
    values = means;
    outer *= count;
  });
  const made = Float64Array.from(values);
  const length = Math.max(Math.sqrt(made.reduce((sum, value) => sum + value * value, 0)), 1e-12);
  return made.map((value) => value / length);
};

/**
 * A function from every layer's output to { novelty, nearest }: novelty above 1 means that the image is none of what the network
 * was trained on; `nearest` are the indices of the training images that are nearest, the nearest first.
 *
 * `known`: of glassnet.runtime.novelty.Novelty, `mean` (F), `components` (F × D; float16 as 16 bits), `references` (N × D), `step`,
 * `outside` and `limit`; and `depths`, after how many layers the features are taken, with the outputs' `shapes` there. Of the first
 * `shown` references alone the `count` nearest are told: those whose images the page has.
 */
export const makeNovelty = (known, count = 5, shown = Infinity) => {
  const { mean, components, references, step, outside, limit, depths, shapes } = known;
  const weights = components instanceof Uint16Array ? fromHalves(components) : components;
  const size = weights.length / mean.length;
  const images = references.length / size;
  const lengths = new Float64Array(size); // squared, of the columns
  weights.forEach((weight, i) => (lengths[i % size] += weight * weight));
  return (outputs) => {
    const z = new Float64Array(size);
    let rest = 0; // the square of what is outside the components
    let feature = 0;
    depths.forEach((depth, place) => {
      for (const value of regionFeatures(outputs[depth - 1], shapes[place])) {
        const x = value - mean[feature];
        for (let d = 0; d < size; d += 1) z[d] += x * weights[feature * size + d];
        rest += x * x;
        feature += 1;
      }
    });
    z.forEach((value, d) => (rest -= (value * value) / lengths[d]));
    let least = Infinity;
    const nearest = [];
    const distances = new Float64Array(images);
    for (let i = 0, at = 0; i < images; i += 1) {
      for (let d = 0; d < size; d += 1, at += 1) distances[i] += (z[d] - step * references[at]) ** 2;
      least = Math.min(least, distances[i]);
      if (i >= shown || (nearest.length === count && distances[i] >= distances[nearest[count - 1]])) continue;
      let place = nearest.length;
      while (place > 0 && distances[nearest[place - 1]] > distances[i]) place -= 1;
      nearest.splice(place, 0, i);
      nearest.length = Math.min(nearest.length, count);
    }
    return { novelty: Math.sqrt(least + outside * outside * Math.max(rest, 0)) / limit, nearest };
  };
};
