// A zip archive of stored entries, and names of folders that every system takes.

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? 0xedb88320 ^ (rest >>> 1) : rest >>> 1;
  return rest;
});

/** The CRC-32 of bytes, as zip and PNG use it. */
export const crc32 = (bytes) => {
  let rest = 0xffffffff;
  for (const byte of bytes) rest = TABLE[(rest ^ byte) & 255] ^ (rest >>> 8);
  return (rest ^ 0xffffffff) >>> 0;
};

const UTF8 = 0x800; // the flag for names in UTF-8
const DAY = (1 << 5) | 1; // 1 January 1980: the same drawings give the same bytes

/** Fields of 2 and 4 bytes, [width, value], as bytes. */
const fields = (...parts) => {
  const view = new DataView(new ArrayBuffer(parts.reduce((total, [width]) => total + width, 0)));
  let at = 0;
  for (const [width, value] of parts) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return new Uint8Array(view.buffer);
};

/** The archive of `entries` { name, bytes } as a Blob. */
export const zipped = (entries) => {
  const [parts, directory] = [[], []];
  let at = 0;
  for (const { name, bytes } of entries) {
    const path = new TextEncoder().encode(name);
    const common = [[2, 20], [2, UTF8], [2, 0], [2, 0], [2, DAY], [4, crc32(bytes)], [4, bytes.length], [4, bytes.length],
      [2, path.length], [2, 0]];
    const head = fields([4, 0x04034b50], ...common);
    parts.push(head, path, bytes);
    directory.push(fields([4, 0x02014b50], [2, 20], ...common, [2, 0], [2, 0], [2, 0], [4, 0], [4, at]), path);
    at += head.length + path.length + bytes.length;
  }
  const size = directory.reduce((total, part) => total + part.length, 0);
  const count = entries.length;
  const end = fields([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, at], [2, 0]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
};

const RESERVED = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|train|training|test|testing|val|valid|validation|dev|__macosx|@eadir)(?=\.|$)/i;

/** Names of folders for classes: what some system does not take is replaced, and no two are alike. */
export const folderNames = (classes) => {
  const taken = new Set();
  return classes.map((name) => {
    const plain = name.normalize("NFC").replace(/[\u0000-\u001f\u007f<>:"/\\|?*]/g, "_").replace(/^[. ]+|[. ]+$/g, "").slice(0, 80);
    const safe = plain === "" ? "class" : RESERVED.test(plain) ? `_${plain}` : plain;
    let found = safe;
    for (let i = 2; taken.has(found.toLowerCase()); i += 1) found = `${safe}_${i}`;
    taken.add(found.toLowerCase());
    return found;
  });
};
