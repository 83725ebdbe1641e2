// Images that are dropped, pasted, chosen or photographed.

import { make } from "./dom.js";
import { both, mark } from "./text.js";

const MOST_MEGAPIXELS = 40;
const MOST_DRAWN = 16e6; // pixels: some phones have no larger canvas

const DAMAGED = mark("{name} can't be read as an image. It may be damaged.");

const loaded = (url) => new Promise((resolve, reject) => {
  const image = new Image();
  image.onload = () => resolve(image);
  image.onerror = () => reject(new Error("image"));
  image.src = url;
});

/** The image of a file as a canvas. Rejects with { text }, a text in both languages, if it is none or too large. */
export const readImage = async (file) => {
  const refuse = (text, values) => { throw { text: both(text, { name: file.name || "?", ...values }) }; };
  if (!file.type.startsWith("image/")) refuse(mark("{name} is not an image. PNG, JPEG, WebP, GIF and BMP are accepted."));
  const url = URL.createObjectURL(file);
  try {
    const image = await loaded(url).catch(() => refuse(DAMAGED));
    const { naturalWidth: width, naturalHeight: height } = image;
    const megapixels = (width * height) / 1e6;
    if (!megapixels) refuse(mark("{name} has no size in pixels. Save it as PNG or JPEG."));
    if (megapixels > MOST_MEGAPIXELS) {
      refuse(mark("{name} has {megapixels} megapixels; at most {most} are accepted. Make it smaller, or cut out the part you want."),
        { megapixels: megapixels.toFixed(1), most: MOST_MEGAPIXELS });
    }
    await image.decode().catch(() => refuse(DAMAGED));
    const scale = Math.min(1, Math.sqrt(MOST_DRAWN / (width * height)));
    const canvas = make("canvas", { width: Math.round(width * scale), height: Math.round(height * scale) });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return canvas;
  } finally {
    URL.revokeObjectURL(url);
  }
};

/** Calls `take(file)` for a file that is dropped anywhere on the page or pasted, and marks `target` while one is dragged. */
export const takeFiles = (target, take) => {
  const first = (files) => [...files].find((file) => file.type.startsWith("image/")) ?? files[0];
  const over = (is) => target.classList.toggle("over", is);
  document.addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    if (event.dataTransfer.files.length) take(first(event.dataTransfer.files));
  });
  document.addEventListener("paste", (event) => {
    const files = event.clipboardData?.files ?? [];
    if (files.length) {
      event.preventDefault();
      take(first(files));
    }
  });
};

/** A button that lets the user choose an image file, or with `camera` take a photograph. */
export const fileButton = (text, take, camera = false) => {
  const input = make("input", { type: "file", accept: "image/*", hidden: true });
  if (camera) input.setAttribute("capture", "environment");
  input.addEventListener("change", () => {
    if (input.files.length) take(input.files[0]);
    input.value = ""; // so that the same file can be chosen again
  });
  const button = make("button", { type: "button" }, text);
  button.addEventListener("click", () => input.click());
  return make("span", { className: camera ? "camera" : "" }, button, input);
};
