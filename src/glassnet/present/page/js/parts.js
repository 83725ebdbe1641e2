// The connected parts of a plane of ink, as in glassnet.data.parts. Boxes are [top, left, bottom, right] in whole pixels.

/** The positions of the outermost rows and columns. */
export const framePositions = (width, height) => {
  const found = [];
  for (let x = 0; x < width; x += 1) found.push(x);
  for (let x = 0; x < width; x += 1) found.push((height - 1) * width + x);
  for (let y = 1; y < height - 1; y += 1) found.push(y * width, (y + 1) * width - 1);
  return found;
};

const rootOf = (parents, label) => {
  let root = label;
  while (parents[root] !== root) root = parents[root];
  parents[label] = root;
  return root;
};

/**
 * The 8-connected parts of `sign`·plane above the threshold: { labels, parts }, with 0 in `labels` for no ink, and of each part
 * its label, its box, the sum of its ink, and how many of its pixels lie at the image's edge.
 */
export const findParts = ({ values, width, height }, threshold, sign = 1) => {
  const labels = new Int32Array(values.length);
  const parents = [0];
  const least = Math.fround(threshold);
  for (let at = 0; at < labels.length; at += 1) {
    if (!(sign * values[at] > least)) continue;
    const x = at % width;
    let mine = x > 0 ? labels[at - 1] : 0;
    const above = at - width; // below 0 in the first row, where the loop ends before it begins
    const last = above < 0 ? -width - 1 : above + (x < width - 1 ? 1 : 0);
    for (let i = x > 0 ? above - 1 : above; i <= last; i += 1) {
      const other = labels[i];
      if (other === 0 || other === mine) continue;
      if (mine === 0) mine = other;
      else {
        const [a, b] = [rootOf(parents, mine), rootOf(parents, other)];
        parents[Math.max(a, b)] = Math.min(a, b);
      }
    }
    if (mine === 0) mine = parents.push(parents.length) - 1;
    labels[at] = mine;
  }
  const numbers = new Int32Array(parents.length);
  const parts = [];
  for (let at = 0; at < labels.length; at += 1) {
    if (labels[at] === 0) continue;
    const [x, y] = [at % width, Math.trunc(at / width)];
    const root = rootOf(parents, labels[at]);
    if (numbers[root] === 0) {
      numbers[root] = parts.push({ label: parts.length + 1, box: [y, x, y + 1, x + 1], mass: 0, edge: 0 });
    }
    labels[at] = numbers[root];
    const part = parts[labels[at] - 1];
    part.mass += sign * values[at];
    if (x < part.box[1]) part.box[1] = x;
    if (x >= part.box[3]) part.box[3] = x + 1;
    part.box[2] = y + 1;
  }
  for (const at of framePositions(width, height)) if (labels[at] > 0) parts[labels[at] - 1].edge += 1;
  return { labels, parts };
};

/** The vertical and the horizontal gap between two boxes, below 0 where they overlap. */
export const boxGaps = (a, b) => [Math.max(a[0] - b[2], b[0] - a[2]), Math.max(a[1] - b[3], b[1] - a[3])];

/** The box around boxes. */
export const boxAround = (boxes) => [
  Math.min(...boxes.map((box) => box[0])),
  Math.min(...boxes.map((box) => box[1])),
  Math.max(...boxes.map((box) => box[2])),
  Math.max(...boxes.map((box) => box[3])),
];

/** The longer side of a box. */
export const longerSide = (box) => Math.max(box[2] - box[0], box[3] - box[1]);

/** A test whether a label is one of those given. */
export const oneOf = (labels) => {
  const known = new Set(labels);
  if (known.size === 1) {
    const [only] = known;
    return (label) => label === only;
  }
  return (label) => known.has(label);
};
