"""The grid search beside scikit-learn's: both search the same points, and find networks that have learnt."""

from __future__ import annotations

import glassnet as gn
from benchmarks import grid_search


def test_both_search_the_same_grid() -> None:
    train = gn.load_dataset("digits").train[:600]
    X = train.images.reshape(len(train), -1) / train.images.max()
    for name, estimator in grid_search.estimators().items():
        assert {key: estimator.get_params()[key] for key in grid_search.COMMON} == grid_search.COMMON
        measured = grid_search.Measured(name)
        grid_search.search(name, X.astype("float32"), train.labels, grid_search.QUICK, 1, measured)
        assert measured.accuracy > 0.6
        assert measured.seconds > 0
        assert str(measured).startswith(f"{name}: ")
        assert set(measured.best) == set(grid_search.GRID)
