"""Where `make bench` keeps its results; the programs themselves are in `glassnet.bench`."""
