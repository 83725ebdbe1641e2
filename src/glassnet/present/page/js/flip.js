// The smallest change of an image that was found to flip the answer.

const MOST_STEPS = 60;
const HALVINGS = 12;

/**
 * Pixels near `pixels` that the network answers with class `target`, as { pixels, change, steps }; null if none was found.
 *
 * As DeepFool (Moosavi-Dezfooli, Fawzi and Frossard, 2016) goes: f = loss(target) − loss(answer) is linearised at each step,
 * r = −f·∇f / ‖∇f‖², over the pixels that are not at their limit already; then the change is shrunk while the answer holds.
 */
export const flipTo = (model, pixels, target) => {
  const bytes = pixels instanceof Uint8Array;
  const top = bytes ? 255 : 1;
  if (model.see(pixels).index === target) return null;
  const scale = model.lowered("show").seen.findLast(({ images }) => images)?.scale ?? 1; // the gradient is by scaled pixels
  const start = Float64Array.from(pixels);
  const now = start.slice();
  const fed = (share) => pixels.constructor.from(now, (x, i) => {
    const value = start[i] + share * (x - start[i]);
    return bytes ? Math.round(value) : value;
  });
  const flipped = (image) => model.see(image).index === target;
  let steps = 0;
  while (!flipped(fed(1))) {
    if (steps === MOST_STEPS) return null;
    const image = fed(1);
    const wanted = model.learn(image, target);
    const { loss, image: gradient } = model.learn(image, wanted.index);
    const f = wanted.loss - loss;
    const slope = Float64Array.from(wanted.image, (g, i) => {
      const d = scale * (g - gradient[i]);
      return (d > 0 && now[i] <= 0) || (d < 0 && now[i] >= top) ? 0 : d;
    });
    const square = slope.reduce((sum, d) => sum + d * d, 0);
    if (!(square > 0) || !Number.isFinite(square)) return null;
    const size = (1.02 + 0.02 * steps) * Math.max(f, 1e-3) / square; // further than the line says, more so the longer it takes
    const most = Math.min(1, (0.5 * top) / (size * Math.max(...slope.map(Math.abs))));
    slope.forEach((d, i) => { now[i] = Math.min(top, Math.max(0, now[i] - most * size * d)); });
    steps += 1;
  }
  let [less, enough] = [0, 1];
  for (let i = 0; i < HALVINGS; i += 1) {
    const share = (less + enough) / 2;
    if (flipped(fed(share))) enough = share;
    else less = share;
  }
  const found = fed(enough);
  return { pixels: found, change: Float32Array.from(found, (x, i) => (x - start[i]) * (bytes ? 1 : 255)), steps };
};
