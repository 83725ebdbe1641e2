"""Where `make bench` keeps its results; the programs themselves are in `benchmarks.speed`."""
