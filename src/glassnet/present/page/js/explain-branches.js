// Residual and Concatenate: which branch a number comes from.

import { flatIndex, indexOf, numberOf } from "./anatomy.js";
import { term } from "./terms.js";
import { mark } from "./text.js";

/** What comes out of a branch: its last layer, or its input where it has no layers. */
const endOfBranch = (node, branch) => node.branches[branch].at(-1) ?? node.before;
const JOINED_TITLE = mark("{kind}: the branches are joined");

export const explainResidual = (node, at) => {
  const [block, beside] = [0, 1].map((branch) => endOfBranch(node, branch));
  const [f, p] = [block.y[at], beside.y[at]];
  return {
    title: [JOINED_TITLE, { kind: node.type }], equation: "y = F(x) + P(x)",
    lines: [["y = ", term(f, numberOf(block, at)), " + ", term(p, numberOf(beside, at))]],
    note: [node.branches[1].length ? mark("F is the block, P the other branch.") : mark("F is the block, P the input itself.")],
    value: f + p,
  };
};

export const explainConcatenate = (node, at) => {
  const index = indexOf(node.shape, at);
  let [branch, channel] = [0, index.at(-1)];
  while (channel >= endOfBranch(node, branch).shape.at(-1)) {
    channel -= endOfBranch(node, branch).shape.at(-1);
    branch += 1;
  }
  const end = endOfBranch(node, branch);
  const place = flatIndex(end.shape, [...index.slice(0, -1), channel]);
  return {
    title: [JOINED_TITLE, { kind: node.type }], equation: "y = F(x)", lines: [["y = ", term(end.y[place], numberOf(end, place))]],
    note: [mark("It comes from branch {branch}."), { branch }], value: end.y[place],
  };
};
