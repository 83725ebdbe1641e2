// How the values of a layer lie on a canvas: channels as tiles, units as cells, the last few with their numbers.

import { greatestSize, shaderOf } from "./shades.js";

const FIGURES = 20; // units up to so many are written as numbers

const sideOf = (channels) => (channels === 1 ? 140 : channels <= 3 ? 112 : channels <= 16 ? 84 : channels <= 40 ? 60 : channels <= 80 ? 44 : 30);

/** A tile for each channel of [rows, columns, channels], in `room` CSS pixels; a sequence fills the width. */
const tilesIn = ([height, width, channels], room, side, sequence) => {
  const most = Math.max(1, Math.floor(room / width));
  const zoom = Math.min(most, sequence ? 18 : Math.max(1, Math.min(side > 100 ? 40 : 18, Math.round(side / Math.max(width, height)))));
  const gap = channels > 1 ? Math.ceil(3 / zoom) : 0;
  const across = Math.max(1, Math.min(channels, Math.floor((room / zoom + gap) / (width + gap))));
  const down = Math.ceil(channels / across);
  const columns = across * (width + gap) - gap;
  const rows = down * (height + gap) - gap;
  const cornerOf = (channel) => [(channel % across) * (width + gap), Math.floor(channel / across) * (height + gap)];
  const grid = [across * width, down * height];
  const cellOf = (column, row) => {
    const channel = Math.floor(row / height) * across + Math.floor(column / width);
    if (column < 0 || row < 0 || column >= grid[0] || row >= grid[1] || channel >= channels) return null;
    return ((row % height) * width + (column % width)) * channels + channel;
  };
  const gridOf = (at) => {
    const channel = at % channels;
    const pixel = Math.floor(at / channels);
    return [(channel % across) * width + (pixel % width), Math.floor(channel / across) * height + Math.floor(pixel / width)];
  };
  return {
    width: columns * zoom, height: rows * zoom, zoom,
    boxOf: (at) => {
      const [x, y] = cornerOf(at % channels);
      const pixel = Math.floor(at / channels);
      return { x: (x + (pixel % width)) * zoom, y: (y + Math.floor(pixel / width)) * zoom, width: zoom, height: zoom };
    },
    cellAt: (x, y) => {
      const [column, row] = [Math.floor(x / zoom), Math.floor(y / zoom)];
      const [inside, under] = [column % (width + gap), row % (height + gap)];
      if (inside >= width || under >= height) return null;
      return cellOf(Math.floor(column / (width + gap)) * width + inside, Math.floor(row / (height + gap)) * height + under);
    },
    step: (at, dx, dy) => { const [column, row] = gridOf(at); return cellOf(column + dx, row + dy); },
    channelBox: (channel, { top, left, rows: high, columns: wide }) => {
      const [x, y] = cornerOf(channel);
      return { x: (x + left) * zoom, y: (y + top) * zoom, width: wide * zoom, height: high * zoom };
    },
    across, channels,
    paint: (canvas, values, fed, shades, most = greatestSize(values)) => {
      if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
      const context = canvas.getContext("2d");
      const image = context.createImageData(columns, rows);
      const pixels = new Uint32Array(image.data.buffer);
      const shade = shaderOf(values, fed, shades, most);
      for (let y = 0, k = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1) {
          for (let channel = 0; channel < channels; channel += 1, k += 1) {
            const [left, top] = [channel % across, (channel / across) | 0];
            pixels[(top * (height + gap) + y) * columns + left * (width + gap) + x] = shade(values[k]);
          }
        }
      }
      context.putImageData(image, 0, 0);
    },
  };
};

/** A cell for each of `count` units; up to 20 with their numbers. */
const unitsIn = (count, room) => {
  const figures = count <= FIGURES;
  const wide = figures ? Math.max(46, Math.min(64, Math.floor(room / Math.max(count, 1)))) : count <= 300 ? 16 : 9;
  const high = figures ? 26 : wide;
  const gap = wide < 10 ? 1 : 2;
  let across = Math.max(1, Math.min(count, Math.floor(room / wide)));
  if (!figures && across >= 16 && across < count) across -= across % 8;
  const down = Math.ceil(count / across);
  const boxOf = (at) => ({ x: (at % across) * wide, y: Math.floor(at / across) * high, width: wide - gap, height: high - gap });
  const cellOf = (column, row) => (column >= 0 && row >= 0 && column < across && row * across + column < count ? row * across + column : null);
  return {
    width: across * wide, height: down * high, boxOf,
    cellAt: (x, y) => cellOf(Math.floor(x / wide), Math.floor(y / high)),
    step: (at, dx, dy) => cellOf((at % across) + dx, Math.floor(at / across) + dy),
    paint: (canvas, values, fed, shades) => {
      const density = Math.min(2, window.devicePixelRatio || 1);
      const [width, height] = [Math.round(across * wide * density), Math.round(down * high * density)];
      if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
      const context = canvas.getContext("2d");
      context.setTransform(density, 0, 0, density, 0, 0);
      context.clearRect(0, 0, across * wide, down * high);
      const most = greatestSize(values) || 1;
      context.font = "12px ui-monospace, Consolas, 'DejaVu Sans Mono', monospace";
      context.textAlign = "center";
      context.textBaseline = "middle";
      for (let at = 0; at < count; at += 1) {
        const box = boxOf(at);
        const share = values[at] / most;
        context.fillStyle = shades.css(share);
        context.fillRect(box.x, box.y, box.width, box.height);
        if (!figures) continue;
        const strong = Math.abs(share) > 0.45;
        context.fillStyle = strong === shades.dark ? "#0d1117" : shades.dark ? "#e6edf3" : strong ? "#ffffff" : "#24292f";
        context.fillText(shortFigure(values[at]), box.x + box.width / 2, box.y + box.height / 2 + 1, box.width - 4);
      }
    },
  };
};

/** The layout of a layer's values in `room` CSS pixels: { width, height, boxOf(at), cellAt(x, y), step(at, dx, dy), paint(…) }. */
export const cellsOf = (picture, count, room, { side = null, sequence = false } = {}) =>
  (picture ? tilesIn(picture, room, side ?? sideOf(picture[2]), sequence) : unitsIn(count, room));

const minus = (text) => text.replace("-", "−");

/** A number in few digits. */
export const shortFigure = (value) => {
  const size = Math.abs(value);
  if (value === 0 || (size < 0.005 && size >= 0)) return value === 0 ? "0" : minus(value.toExponential(0));
  return minus(size >= 1000 ? value.toExponential(1) : value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2));
};

/** A number in six digits, as the trace writes it. */
export const figureText = (value) => {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return minus(String(value));
  const text = value.toPrecision(6);
  return minus(text.includes("e") ? String(Number(text)) : text.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, ""));
};
