// How each kind of layer explains a number of its output.

import { shapeOf } from "./anatomy.js";
import { explainConcatenate, explainResidual } from "./explain-branches.js";
import { explainBatchNorm, explainLayerNorm } from "./explain-norms.js";
import { explainAveragePool, explainGlobalAveragePool, explainGlobalMaxPool, explainMaxPool } from "./explain-pools.js";
import { explainRecurrent } from "./explain-recurrent.js";
import { explainConv2D, explainDense } from "./explain-sums.js";
import { explainDropout, explainFlatten, explainGELU, explainImage, explainLeakyReLU, explainPixels, explainReLU } from "./explain-values.js";
import { explainScale, explainSigmoid, explainSoftmax, explainStandardize, explainSwish, explainTanh } from "./explain-values.js";
import { unrolled } from "./recurrence.js";

const EXPLANATIONS = {
  Image: explainImage, Flatten: explainFlatten, Pixels: explainPixels, Scale: explainScale, Standardize: explainStandardize,
  Dense: explainDense, Conv2D: explainConv2D, Dropout: explainDropout,
  MaxPool2D: explainMaxPool, AveragePool2D: explainAveragePool,
  GlobalMaxPool2D: explainGlobalMaxPool, GlobalAveragePool2D: explainGlobalAveragePool,
  BatchNorm: explainBatchNorm, LayerNorm: explainLayerNorm,
  Sigmoid: explainSigmoid, Tanh: explainTanh, ReLU: explainReLU, LeakyReLU: explainLeakyReLU, GELU: explainGELU, Swish: explainSwish,
  Softmax: explainSoftmax,
  SimpleRNN: explainRecurrent, LSTM: explainRecurrent, GRU: explainRecurrent,
  Residual: explainResidual, Concatenate: explainConcatenate,
};

/** The sum behind a number { node, part, at } (terms.js says what it is made of). */
export const explanationOf = ({ node, part, at }) => EXPLANATIONS[node.type](node, at, part);

/** The names of the kinds of layers that are explained. */
export const kindsOfLayers = () => Object.keys(EXPLANATIONS);

/** The values of an array of a layer: its output, or a recurrent layer's states and gates. */
export const valuesOf = (node, part = "y") => (part === "y" ? node.y : unrolled(node)[part]);

/** The number that a number owes most to: the source of its largest term; null for a pixel. */
export const mainSource = (number) => {
  const { terms, lines = [], pictures = [] } = explanationOf(number);
  if (!terms) return lines.flat().find(({ source }) => source)?.source ?? pictures[0]?.source(pictures[0].chosen) ?? null;
  let best = 0;
  terms.values.forEach((value, k) => { if (Math.abs(value) > Math.abs(terms.values[best])) best = k; });
  if (!terms.values.length) return null;
  return terms.parts(best).find(({ source }) => source)?.source ?? null;
};

/** The number itself, as the kernels computed it (gates: as computed here). */
export const valueOf = ({ node, part, at }) => valuesOf(node, part)[at];

/** How many numbers an array has. */
export const countOf = (node, part = "y") => shapeOf(node, part).reduce((a, b) => a * b, 1);
