import { mark } from "./text.js";

// (module (func (result v128) i32.const 0 i8x16.splat))
const SIMD = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11];

/** Whether this browser's WebAssembly has SIMD; the page has kernels without it, too, which are several times slower. */
export const hasSimd = () => WebAssembly.validate(new Uint8Array(SIMD));

/** What this browser lacks for the page, as a text; null if it has all. */
export const lacking = () => {
  if (!("WebAssembly" in globalThis)) return mark("This browser has no WebAssembly, in which the network runs.");
  if (!("DecompressionStream" in globalThis)) return mark("This browser has no DecompressionStream, which unpacks the network.");
  return null;
};
