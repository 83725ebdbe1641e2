// Texts in both languages, as in the reports: both are in the page, and the language button shows one.

const CHINESE = JSON.parse(document.getElementById("texts").textContent);
const labelled = new WeakMap();

/** The text itself, marked for the catalogue where it is not shown at once: `say(mark("…"))`. */
export const mark = (english) => english;

/** A text, or a pair {en, zh}, as a pair with its {names}, or {name:.1f}, filled with `values`: numbers, texts, or pairs. */
export const both = (text, values = {}) => {
  const pair = typeof text === "object" ? text : { en: text, zh: CHINESE[text] ?? text };
  const fill = (language) =>
    pair[language].replace(/\{(\w+)(?::\.(\d)f)?\}/g, (whole, name, digits) => {
      const value = values[name]?.[language] ?? values[name] ?? whole;
      return digits === undefined ? value : Number(value).toFixed(digits);
    });
  return { en: fill("en"), zh: fill("zh") };
};

/** "en" or "zh": the language that is shown now. The event "language" of the document tells of a change. */
export const language = () => document.documentElement.dataset.lang;

/** A text in the language that is shown now. */
export const words = (text, values) => both(text, values)[language()];

/** A text as an element that shows it in the language of the page: <span><span class="en">…</span>…</span>. */
export const say = (text, values) => {
  const pair = both(text, values);
  const element = document.createElement("span");
  if (pair.en === pair.zh) {
    element.textContent = pair.en;
    return element;
  }
  for (const [name, tag] of [["en", "en"], ["zh", "zh-Hans"]]) {
    const part = document.createElement("span");
    part.className = name;
    part.lang = tag;
    part.textContent = pair[name];
    element.append(part);
  }
  return element;
};

/** Sets an attribute, the aria-label unless another is named, and keeps it in the language of the page; the element. */
export const label = (element, text, values, attribute = "aria-label") => {
  const pairs = labelled.get(element) ?? {};
  pairs[attribute] = both(text, values);
  labelled.set(element, pairs);
  element.setAttribute("data-labelled", "");
  element.setAttribute(attribute, pairs[attribute][language()]);
  return element;
};

document.addEventListener("language", () => {
  for (const element of document.querySelectorAll("[data-labelled]")) {
    for (const [attribute, pair] of Object.entries(labelled.get(element))) {
      element.setAttribute(attribute, pair[language()]);
    }
  }
});
