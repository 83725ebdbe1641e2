"""Networks in the browser: the programs that Python lowered, run by the kernels in WebAssembly."""
