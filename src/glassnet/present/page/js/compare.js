// Compare: several networks on one drawing, each fed it in its own way.

import { make } from "./dom.js";
import { action, answerLine, lazily, pictureOf, shareText, shortNumber, smallBars } from "./small.js";
import { label, mark, say } from "./text.js";

const MEASURED = 20; // ms
const MOST_SHOWN = 24;

/** Milliseconds that a network takes for an image, over at least MEASURED of them. */
const timeOf = (model, pixels) => {
  const begun = performance.now();
  let count = 0;
  do {
    model.see(pixels);
    count += 1;
  } while (performance.now() - begun < MEASURED);
  return (performance.now() - begun) / count;
};

const sameTask = (a, b) => String(a.classes) === String(b.classes) && String(a.shape) === String(b.shape) && a.entry.bytes === b.entry.bytes;

/** The view, for a page of several networks. */
export const mountCompare = (section, page) => {
  if (page.models.length < 2) return false;
  const told = make("p", { className: "told", role: "status" });
  const cards = make("div", { className: "compared" });
  const parts = page.models.map((model) => {
    const part = { model, body: make("div"), time: make("p", { className: "hint" }), took: null };
    cards.append(make("article", {}, make("h3", {}, model.name), part.body, part.time));
    return part;
  });
  const measure = lazily(section, () => {
    for (const part of parts) {
      part.took = timeOf(part.model, page.preparedFor(part.model).pixels);
      part.time.replaceChildren(say("{time} ms an image, {parameters} parameters",
        { time: shortNumber(part.took), parameters: part.model.entry.parameters.toLocaleString("en") }));
    }
  }, 600);
  const show = lazily(section, () => {
    const all = parts.map(({ model }) => {
      const { pixels } = page.preparedFor(model);
      return { model, pixels, seen: model === page.model ? page.seen : model.see(pixels) };
    });
    const answers = all.map(({ model, seen }) => model.classes[seen.index]);
    const agree = answers.every((name) => name === answers[0]);
    const classes = all.every(({ model }) => String(model.classes) === String(all[0].model.classes));
    const apart = classes ? all[0].model.classes.map((_, i) => {
      const shares = all.map(({ seen }) => seen.probabilities[i]);
      return Math.max(...shares) - Math.min(...shares);
    }) : [];
    const widest = apart.indexOf(Math.max(...apart));
    told.replaceChildren(page.empty ? say("Draw something.") : agree ? say("They agree: {name}.", { name: answers[0] })
      : say("They differ: {names}.", { names: answers.join(" / ") }),
    ...(classes && !page.empty ? [" ", say("Furthest apart at {name}: by {share}.",
      { name: all[0].model.classes[widest], share: shareText(apart[widest]) })] : []));
    all.forEach(({ model, pixels, seen }, i) => {
      const novelty = seen.novelty ? [make("p", { className: "hint" },
        say("Novelty {value}; above 1 it is perhaps none of these.", { value: seen.novelty.value.toFixed(2) }))] : [];
      const fed = label(pictureOf(pixels, model.shape), "What {name} is fed", { name: model.name });
      parts[i].body.replaceChildren(make("div", { className: "spoilt" }, fed, answerLine(model.classes, seen)),
        smallBars(model.classes, seen.probabilities, { wanted: classes ? [widest] : [] }), ...novelty);
    });
    measure();
  });

  section.append(told, cards);
  const rivals = page.models.filter((model) => sameTask(model, page.model));
  if (rivals.length > 1) section.append(...disagreements(page, rivals));
  page.onChange(show);
  return true;
};

/** A button that asks the networks of the same task about the page's training images, and shows where they differ. */
const disagreements = (page, rivals) => {
  const place = make("div", { role: "status" });
  const { model } = page;
  const { images, labels, count } = model.samples;
  const pixelsOf = (i) => images.subarray(i * model.features, (i + 1) * model.features);
  const look = () => {
    const rows = Array.from({ length: count }, (_, i) => rivals.map((rival) => rival.see(pixelsOf(i)).index));
    const apart = rows.flatMap((row, i) => (row.some((one) => one !== row[0]) ? [i] : []));
    const scores = rivals.map((rival, k) => make("li", {}, `${rival.name}: ${rows.filter((row, i) => row[k] === labels[i]).length} / ${count}`));
    place.replaceChildren(make("p", {}, say("They differ on {apart} of {count} training images of {name}; right "
      + "are:", { apart: apart.length, count, name: model.name })),
      make("ul", {}, ...scores),
      make("div", { className: "samples" }, ...apart.slice(0, MOST_SHOWN).map((i) => {
        const picture = pictureOf(pixelsOf(i), model.shape);
        picture.removeAttribute("role");
        const button = make("button", { type: "button" }, picture);
        label(button, "Training image of {name}, answered {answers}",
          { name: model.classes[labels[i]], answers: rows[i].map((one) => model.classes[one]).join(" / ") });
        button.addEventListener("click", () => page.show(pixelsOf(i).slice(), labels[i]));
        return button;
      })));
  };
  return [make("h3", {}, say("Where they differ")), action(mark("Ask them about the training images"), look), place];
};
