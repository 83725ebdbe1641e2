import { mark } from "./text.js";

/** What this browser lacks for the page, as a text; null if it has all. */
export const lacking = () => {
  if (!("WebAssembly" in globalThis)) return mark("This browser has no WebAssembly, in which the network runs.");
  if (!("DecompressionStream" in globalThis)) return mark("This browser has no DecompressionStream, which unpacks the network.");
  return null;
};
