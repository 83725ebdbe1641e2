// Values as colours: blue above zero, orange below, the page's own background at zero; images as they are fed in greys.

const STEPS = 256;
const LIGHT = { zero: [246, 248, 250], above: [9, 74, 158], below: [190, 70, 0] };
const DARK = { zero: [28, 33, 41], above: [121, 190, 255], below: [255, 157, 77] };
const BEND = 0.75; // below 1: small values are seen, too

const isDark = () => {
  const { theme } = document.documentElement.dataset;
  return theme === "dark" || (theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
};

const tablesOf = ({ zero, above, below }) => {
  const signed = new Uint32Array(2 * STEPS + 1);
  const bytes = new Uint8ClampedArray(signed.buffer);
  for (let i = -STEPS; i <= STEPS; i += 1) {
    const share = (Math.abs(i) / STEPS) ** BEND;
    const end = i < 0 ? below : above;
    for (let c = 0; c < 3; c += 1) bytes[4 * (i + STEPS) + c] = zero[c] + share * (end[c] - zero[c]);
    bytes[4 * (i + STEPS) + 3] = 255;
  }
  return { signed, css: (share) => { const at = 4 * (Math.round(share * STEPS) + STEPS); return `rgb(${bytes[at]} ${bytes[at + 1]} ${bytes[at + 2]})`; } };
};
const shadesOfThemes = { light: tablesOf(LIGHT), dark: tablesOf(DARK) };

/** The colours of the theme that is shown now: `signed`, a table of 513 pixels; css(share), share from -1 to 1; `dark`. */
export const shadesNow = () => {
  const dark = isDark();
  return { ...shadesOfThemes[dark ? "dark" : "light"], dark, STEPS };
};

/** The largest absolute value: what has the full colour. */
export const greatestSize = (values) => {
  let most = 0;
  for (let i = 0; i < values.length; i += 1) {
    const size = values[i] < 0 ? -values[i] : values[i];
    if (size > most) most = size;
  }
  return most;
};

const greys = Uint32Array.from({ length: 256 }, (_, g) => (0xff000000 | (g << 16) | (g << 8) | g) >>> 0);

/** The function from a value to a pixel; images as they are fed (`fed`) keep black and white. */
export const shaderOf = (values, fed, shades, most = greatestSize(values)) => {
  if (fed) {
    const scale = most > 1.5 ? 1 : 255;
    return (value) => greys[Math.max(0, Math.min(255, (value * scale) | 0))];
  }
  const { signed } = shades;
  const scale = most > 0 ? STEPS / most : 0;
  return (value) => signed[STEPS + Math.round(value * scale)];
};

/** Calls back when the theme changes. */
export const onTheme = (callback) => {
  new MutationObserver(callback).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", callback);
};

const painters = new WeakMap();

/** Paints a canvas in the colours of the theme by paint(shades), now and, while it is in the page, when the theme changes. */
export const paintThemed = (canvas, paint) => {
  canvas.classList.add("themed");
  painters.set(canvas, paint);
  paint(shadesNow());
};
onTheme(() => {
  const shades = shadesNow();
  for (const canvas of document.querySelectorAll("canvas.themed")) painters.get(canvas)(shades);
});
