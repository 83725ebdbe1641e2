import { mark } from "./text.js";

// (module (func (result v128) i32.const 0 i8x16.splat))
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];

/** What this browser lacks for the page, as a text; null if it has all. */
export const lacking = () => {
  if (!("WebAssembly" in globalThis)) return mark("This browser has no WebAssembly, in which the network runs.");
  if (!WebAssembly.validate(new Uint8Array(SIMD))) {
    return mark("This browser's WebAssembly has no SIMD, which the network's kernels use.");
  }
  if (!("DecompressionStream" in globalThis)) return mark("This browser has no DecompressionStream, which unpacks the network.");
  return null;
};
