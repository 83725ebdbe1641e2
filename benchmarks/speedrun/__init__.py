"""The speedrun board: how many seconds of training reach a test accuracy. `python -m benchmarks.speedrun`."""
