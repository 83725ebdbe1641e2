"""Calibration, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from glassnet.errors import InputError
from glassnet.nn.metrics import calibrate


def test_by_hand() -> None:
    """Two images in the bin 0.5…1 of two bins, one in the other, with three classes."""
    shares = np.array([[0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0.3, 0.3, 0.4], [1.0, 0.0, 0.0]])
    found = calibrate(shares, np.array([0, 2, 2, 0]), bins=2)
    np.testing.assert_array_equal(found.counts, [1, 3])
    np.testing.assert_allclose(found.confidence, [0.4, (0.8 + 0.6 + 1.0) / 3])
    np.testing.assert_allclose(found.accuracy, [1.0, 2 / 3])
    assert found.error == pytest.approx((1 * 0.6 + 3 * abs(0.8 - 2 / 3)) / 4)
    assert found.overconfidence == pytest.approx((0.8 + 0.6 + 0.4 + 1.0) / 4 - 3 / 4)


def test_an_empty_bin_is_no_number_and_counts_nothing() -> None:
    found = calibrate(np.array([[0.95, 0.05]]), np.array([0]))
    assert found.counts.tolist() == [0] * 9 + [1]
    assert np.isnan(found.accuracy[:9]).all()
    assert found.error == pytest.approx(0.05)


@pytest.mark.parametrize(("rows", "labels", "bins"), [(2, 3, 10), (0, 0, 10), (2, 2, 0)])
def test_wrong_input_is_told(rows: int, labels: int, bins: int) -> None:
    with pytest.raises(InputError, match="do not fit together") as error:
        calibrate(np.full((rows, 2), 0.5), np.zeros(labels, dtype=np.int64), bins)
    assert error.value.received == f"{rows} rows, {labels} labels, {bins} bins"
