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

/** A canvas of an image's own size, H×W×C bytes with 1 or 3 channels, as an element that CSS enlarges. */
export const imageOf = (pixels, [height, width, channels = 1], canvas = make("canvas")) => {
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i += 1) {
    for (let c = 0; c < 3; c += 1) image.data[4 * i + c] = pixels[channels === 1 ? i : channels * i + c];
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(image, 0, 0);
  return canvas;
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
