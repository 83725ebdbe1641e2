"""The page: a trained network in one HTML file, run in the browser by the same kernels."""
