// Elements, and what a screen reader is told.

/** An element with its properties (className, type, …) and children; attributes with a hyphen or "role" are set as such. */
export const make = (tag, properties = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
};

const kept = new WeakMap(); // each canvas's ImageData, and its pixels as numbers

/** A canvas of an image's own size, H×W×C numbers 0 … `white` with 1 or 3 channels, as an element that CSS enlarges. */
export const imageOf = (pixels, [height, width, channels = 1], { white = 255, canvas = make("canvas") } = {}) => {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (kept.get(canvas)?.image.width !== width || kept.get(canvas).image.height !== height) {
    [canvas.width, canvas.height] = [width, height];
    const image = context.createImageData(width, height);
    kept.set(canvas, { image, words: new Uint32Array(image.data.buffer) });
  }
  const { image, words } = kept.get(canvas);
  const scale = 255 / white;
  for (let i = 0; i < words.length; i += 1) {
    if (channels === 1) words[i] = 0xff000000 | (0x010101 * ((pixels[i] * scale + 0.5) | 0));
    else {
      const [red, green, blue] = [0, 1, 2].map((c) => (pixels[3 * i + c] * scale + 0.5) | 0);
      words[i] = 0xff000000 | (blue << 16) | (green << 8) | red;
    }
  }
  context.putImageData(image, 0, 0);
  return canvas;
};

/** The numbers of a drawing of little contrast over the whole range, as the reports show it; of other images as they are. */
export const stretched = (pixels, [, , channels = 1], white = 255) => {
  const [low, high] = pixels.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [white, 0]);
  const range = high - low;
  if (channels !== 1 || range === 0 || range >= 0.9 * white) return pixels;
  return Float32Array.from(pixels, (value) => ((value - low) * white) / range);
};

/** A function that tells a screen reader a text, after a pause without another one. */
export const makeVoice = () => {
  const voice = make("p", { className: "unseen", role: "status" });
  let waiting = 0;
  return (text, pause = 0) => {
    if (!voice.isConnected) document.querySelector("main").append(voice);
    clearTimeout(waiting);
    waiting = setTimeout(() => { voice.textContent = text; }, pause);
  };
};
