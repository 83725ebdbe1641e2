// What the page of a training shows of the network: its first weights as images, the health of its layers, the diagnosis.
import { label, mark, say } from "./text.js";
import { make } from "./dom.js";
import { sparkline } from "./chart.js";

// Blue below 0, white at 0, red above: ColorBrewer's RdBu, as in the reports.
const SCALE = [[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]];
const COLOURS = Array.from({ length: 256 }, (_, value) => {
  const place = (Math.max(1, value) - 1) / 63.5, k = Math.min(3, Math.floor(place));
  return SCALE[k].map((from, c) => Math.round(from + (SCALE[k + 1][c] - from) * (place - k)));
});

/** The weights of the first units of a layer, each as an image. */
export const showUnits = (weights) => {
  const about = document.getElementById("about-weights"), units = document.getElementById("units");
  if (!weights) {
    about.replaceChildren(say(mark("The weights of this network can't be drawn as images.")));
    return;
  }
  const { layer, shown, total, height, width } = weights;
  about.replaceChildren(say(
    mark("{layer}, {shown} of {total} units: blue weights are negative, red ones positive."), { layer, shown, total }));
  const bytes = Uint8Array.from(atob(weights.pixels), (letter) => letter.charCodeAt(0));
  while (units.children.length > shown) units.lastChild.remove();
  while (units.children.length < shown) {
    const number = units.children.length;
    const canvas = label(make("canvas", { role: "img" }), mark("weights of unit {number}"), { number });
    units.append(make("figure", {}, canvas, make("figcaption", {}, String(number))));
  }
  for (let unit = 0; unit < shown; unit += 1) {
    const canvas = units.children[unit].firstChild, image = new ImageData(width, height);
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    for (let i = 0; i < width * height; i += 1) {
      image.data.set(COLOURS[bytes[unit * width * height + i]], 4 * i);
      image.data[4 * i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }
};

const short = (value) => (value === null ? "–" : Number(value.toPrecision(3)).toString());
const share = (value) => `${(100 * value).toFixed(0)} %`;

/** A row for each layer with weights. */
export const showHealth = (layers) => {
  const rows = layers.map((layer) => {
    const units = layer.saturated ?? layer.dead;
    const row = make("tr", {}, make("th", { scope: "row" }, layer.name),
      ...["weight", "gradient", "update"].map((name) => make("td", {}, short(layer[name]))),
      make("td", { className: "trail" }, ...(layer.trail.length > 1 ? [sparkline(layer.trail)] : ["–"])),
      make("td", {}, units === null ? "–" : share(units)));
    return row;
  });
  document.getElementById("health").replaceChildren(...rows);
};

/** The diagnosis of the epochs so far. */
export const showFindings = (diagnosis) => {
  const paragraph = (text, values) => make("p", { className: "how" }, say(text, values));
  const place = document.getElementById("findings");
  if (diagnosis.problem) {
    place.replaceChildren(paragraph(diagnosis.problem));
    return;
  }
  const found = diagnosis.findings.map((finding) => make("div", { className: "finding" }, make("h3", {}, say(finding.title)),
    make("dl", {}, ...finding.parts.flatMap((part) => [make("dt", {}, say(part.name)), make("dd", {}, say(part.text))]))));
  if (!found.length) found.push(make("p", {}, say(diagnosis.verdict)));
  place.replaceChildren(paragraph(mark("After epoch {epoch}:"), { epoch: diagnosis.epoch }), ...found,
    ...diagnosis.remarks.map((remark) => paragraph(remark)));
};
