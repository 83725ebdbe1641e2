import { hasSimd } from "./support.js";

const ARRAYS = { F32: Float32Array, F64: Float64Array, F16: Uint16Array, U8: Uint8Array, BOOL: Uint8Array, I8: Int8Array,
  I32: Int32Array, I64: BigInt64Array };

/** The header, the arrays and the compiled kernels of a bundle that bundle.py wrote. */
export async function openBundle(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const content = await new Response(stream).arrayBuffer();
  const length = Number(new DataView(content).getBigUint64(0, true));
  const { __metadata__: metadata, ...table } = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 8, length)));
  const arrays = {};
  for (const [name, { dtype, data_offsets: [first, end] }] of Object.entries(table)) {
    const kind = ARRAYS[dtype];
    arrays[name] = new kind(content, 8 + length + first, (end - first) / kind.BYTES_PER_ELEMENT);
  }
  const header = JSON.parse(metadata.page);
  return { header, arrays, module: await WebAssembly.compile(hasSimd() ? arrays.wasm : arrays.scalar) };
}
