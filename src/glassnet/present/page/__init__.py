"""The page: networks in the browser, computed by the same kernels."""
