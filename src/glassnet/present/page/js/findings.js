// The diagnosis in the playground: rules and bounds of glassnet.analysis.diagnosis, on what a trial has measured.

import { both, mark } from "./text.js";

const HUGE = 0.3, LARGE = 0.1, TINY = 1e-4; // changes of a weight matrix in one step, relative to its norm
const SATURATED = 0.9, DEAD = 0.6; // shares that are a finding
const GROWTH = 300; // ratio of the gradients of the last and the first weights
const ONE_CLASS = 0.95; // of the predictions
const GAP = 0.1, SHORT = 0.05; // in accuracy
const FEW = 1000; // steps

const whole = (share) => String(Math.round(100 * share));
const brief = (value) => String(Number(value.toPrecision(3)));

const LOWER = mark("Lower the learning rate.");
const SMALLER = mark("Start with smaller weights: GlorotUniform, which depends on the number of inputs.");

/** Each gives { title, seen, values, cause, advice } or null, causes before their consequences. */
const RULES = [
  ({ finite }) => !finite && {
    title: mark("The loss is not finite"), seen: mark("Weights have become infinite or NaN."), advice: [LOWER],
    cause: mark("The training diverged: each step overshot the minimum by more than the one before, until numbers overflowed."),
  },
  ({ symmetric, falls_short }) => symmetric && falls_short && {
    title: mark("All units are equal"), seen: mark("All units of a hidden layer have the same weights."),
    cause: mark("Units with equal weights get equal gradients and stay equal: the layer is no better than a single unit."),
    advice: [mark("Start with random weights: HeNormal before a ReLU, GlorotUniform before sigmoid or tanh.")],
  },
  ({ start, falls_short }) => inactive(start.activations, falls_short, true),
  ({ change, loss, start, falls_short }) => falls_short && change > (loss > start.loss ? LARGE : HUGE) && {
    title: mark("The learning rate is too high"), advice: [LOWER],
    seen: mark("A single step changed a weight matrix by {change} % of its norm (1 % or less is usual); the loss was {start} before the first step and is {loss}."),
    values: { change: whole(change), start: brief(start.loss), loss: brief(loss) },
    cause: mark("The steps are too large: they overshoot the minimum of the loss."),
  },
  ({ activations, falls_short }) => inactive(activations, falls_short, false),
  ({ gradients, falls_short, accuracy }) => {
    const [first, last] = [gradients[0], gradients.at(-1)];
    return falls_short && accuracy < 0.5 && gradients.length > 2 && last > 0 && first * GROWTH <= last && {
      title: mark("Vanishing gradients"),
      seen: mark("Before the first step the RMS gradient was {times} times smaller for the first weights than for the last, over {count} layers."),
      values: { times: brief(last / first), count: gradients.length },
      cause: mark("Each layer reduces the gradient (a sigmoid to a quarter or less), so almost none of it is left for the first layers, and they do not learn."),
      advice: [mark("Use ReLU with HeNormal instead of sigmoid or tanh, or fewer layers.")],
    };
  },
  ({ change, falls_short, loss, start, taken }) => falls_short && taken > 50 && change < TINY && loss > 0.1 * start.loss && {
    title: mark("The learning rate is too low"),
    seen: mark("No recent step changed a weight matrix by more than {change} of its norm (0.001 to 0.01 is usual)."), values: { change: change.toExponential(0) },
    cause: mark("The steps are so small that the weights are still close to their initial values."),
    advice: [mark("Multiply the learning rate by 10 or more.")],
  },
  ({ classes, taken, falls_short }) => {
    const counts = new Array(10).fill(0);
    classes.forEach((one) => { counts[one] += 1; });
    const most = Math.max(...counts);
    return falls_short && taken > 200 && most >= ONE_CLASS * classes.length && {
      title: mark("Always the same answer"), seen: mark("{share} % of the training images are classified as {name}."),
      values: { share: whole(most / classes.length), name: String(counts.indexOf(most)) },
      cause: mark("The network predicts one class for every image: it has learnt the class frequencies, nothing from the images."),
      advice: [mark("Try a learning rate ten times higher and one ten times lower; remove the penalty.")],
    };
  },
];

const inactive = (activations, falls_short, isStart) => {
  const worst = activations.reduce((best, one) => (one.share > (best?.share ?? -1) ? one : best), null);
  if (!worst || !falls_short || worst.share < (worst.kind === "dead" ? DEAD : SATURATED)) return null;
  const when = both(isStart ? mark("before the first step") : mark("now"));
  const values = { share: whole(worst.share), layer: `${worst.layer.type} ${worst.layer.path}`, when };
  return worst.kind === "dead" ? {
    title: mark("Dead ReLUs"), seen: mark("{share} % of the units of {layer} output zero for every image checked, {when}."), values,
    cause: mark("A ReLU that outputs zero for every image has zero gradient, so its weights are no longer updated."),
    advice: [mark("Use HeNormal, and a lower learning rate.")],
  } : {
    title: mark("Saturated units"), seen: mark("{share} % of the outputs of {layer} are within 1 % of their bounds, {when}."), values,
    cause: mark("The inputs of these units are too large. Their derivative is almost zero, so the layer hardly learns."),
    advice: isStart ? [SMALLER] : [LOWER, SMALLER],
  };
};

/** The symptoms, where no cause was found, and how it stands. */
const SYMPTOMS = [
  ({ taken }) => taken === 0 && {
    title: mark("Not trained yet"), seen: mark("The weights are those of the start. Guessing would reach 10 %."), calm: true,
  },
  ({ accuracy, validation, lowest }) => accuracy - validation.accuracy >= GAP + 0.03 && {
    title: mark("Overfitting"),
    seen: mark("Accuracy {train} % on training images, {validation} % on validation images; the validation loss is {loss}, its lowest was {low}."),
    values: { train: whole(accuracy), validation: whole(validation.accuracy), loss: brief(validation.loss), low: brief(lowest) },
    cause: mark("The network has memorized its training images, and generalizes less well to new ones."),
    advice: [mark("Use more images, an L2 penalty, or a smaller network; or stop earlier.")],
  },
  ({ falls_short, taken, accuracy, nearest }) => falls_short && {
    title: taken < FEW ? mark("Still learning") : mark("Below the baseline"),
    seen: mark("Accuracy {accuracy} % on training images after {taken} steps; the nearest training image alone gives {near} % of validation images the right class."),
    values: { accuracy: whole(accuracy), taken: taken.toLocaleString("en"), near: whole(nearest) },
    advice: [mark("Train longer, or try another learning rate.")], calm: true,
  },
  ({ validation, nearest }) => ({
    title: mark("It has learnt"), calm: true,
    seen: mark("{validation} % of the validation images are classified correctly; the nearest training image alone reaches {near} %."),
    values: { validation: (100 * validation.accuracy).toFixed(1), near: (100 * nearest).toFixed(1) },
  }),
];

/** What is to be said of a trial now: the causes, or else a symptom. */
export const findingsOf = (measured) => {
  const facts = { ...measured, falls_short: !(measured.accuracy >= measured.nearest - SHORT) };
  for (const rule of RULES) {
    const found = rule(facts);
    if (found) return found;
  }
  return SYMPTOMS.reduce((found, rule) => found || rule(facts), null);
};
