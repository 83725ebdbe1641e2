import { hasSimd } from "./engine.js";

const ARRAYS = { F32: Float32Array, F64: Float64Array, F16: Uint16Array, U8: Uint8Array, BOOL: Uint8Array, I8: Int8Array,
  I32: Int32Array, I64: BigInt64Array };

/** Numbers from the first bytes of all, the second bytes of all, and so on. */
const fromPlanes = (bytes, kind) => {
  const size = kind.BYTES_PER_ELEMENT;
  const count = bytes.length / size;
  const joined = new Uint8Array(bytes.length);
  for (let plane = 0; plane < size; plane += 1) {
    for (let i = 0; i < count; i += 1) joined[i * size + plane] = bytes[plane * count + i];
  }
  return new kind(joined.buffer);
};

/** The header, the arrays and the compiled kernels of a bundle that bundle.py wrote. */
export async function openBundle(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const content = await new Response(stream).arrayBuffer();
  const length = Number(new DataView(content).getBigUint64(0, true));
  const { __metadata__: metadata, ...table } = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 8, length)));
  const arrays = {};
  for (const [name, { dtype, data_offsets: [first, end] }] of Object.entries(table)) {
    arrays[name] = fromPlanes(new Uint8Array(content, 8 + length + first, end - first), ARRAYS[dtype]);
  }
  const header = JSON.parse(metadata.page);
  return { header, arrays, module: await WebAssembly.compile(hasSimd() ? arrays.wasm : arrays.scalar) };
}
