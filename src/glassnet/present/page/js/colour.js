// Bytes of an image, [r, g, b, alpha] for each pixel or one grey value, as planes; the arithmetic is Pillow's.

const isGrey = ({ data, width, height }) => data.length === width * height;

const luminance = (r, g, b) => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;

const over = (value, alpha, ground) => {
  const sum = value * 128 * alpha + ground * 128 * (255 - alpha) + (0x80 << 7);
  return ((sum >> 8) + sum) >> 15;
};

/** Planes of bytes: one of grey, or with `channels` 3 of red, green and blue; transparent pixels on `ground`, 0 or 255. */
export const planesOf = (image, channels, ground = 255) => {
  const { data, width, height } = image;
  const count = width * height;
  if (isGrey(image)) return Array.from({ length: channels }, () => ({ values: Uint8Array.from(data), width, height }));
  const planes = Array.from({ length: channels }, () => ({ values: new Uint8Array(count), width, height }));
  for (let i = 0; i < count; i += 1) {
    const alpha = data[4 * i + 3];
    const r = over(data[4 * i], alpha, ground);
    const g = over(data[4 * i + 1], alpha, ground);
    const b = over(data[4 * i + 2], alpha, ground);
    if (channels === 1) planes[0].values[i] = luminance(r, g, b);
    else [r, g, b].forEach((value, channel) => (planes[channel].values[i] = value));
  }
  return planes;
};

/** What transparent pixels are put on so that the drawn ones are seen, 255 (white) or 0 (black); null where there are none. */
export const groundFor = (image) => {
  if (isGrey(image)) return null;
  const { data } = image;
  let [light, covered, least] = [0, 0, 255];
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3];
    least = Math.min(least, alpha);
    light += luminance(data[i], data[i + 1], data[i + 2]) * alpha;
    covered += alpha;
  }
  if (least === 255) return null;
  return light > 127.5 * covered ? 0 : 255;
};
