"""Learning rates, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from glassnet.errors import InputError
from glassnet.nn.schedules import (
    SCHEDULES,
    Constant,
    CosineDecay,
    OneCycle,
    Schedule,
    StepDecay,
    Triangular,
    WarmUp,
    as_schedule,
)
from glassnet.support.registry import describe


def test_constant() -> None:
    np.testing.assert_array_equal(Constant(0.3).rates(5, 8, 100), [0.3, 0.3, 0.3])


def test_step_decay_drops_at_its_milestones() -> None:
    rates = StepDecay(8.0, milestones=(0.5, 0.75), factor=0.5).rates(0, 8, 8)
    np.testing.assert_array_equal(rates, [8, 8, 8, 8, 4, 4, 2, 2])


def test_cosine_decay() -> None:
    schedule = CosineDecay(1.0, final=0.2)
    assert schedule.rate(0, 100) == 1.0
    assert schedule.rate(25, 100) == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2)
    assert schedule.rate(50, 100) == pytest.approx(0.6)
    assert schedule.rate(100, 100) == pytest.approx(0.2)


def test_one_cycle_rises_and_falls() -> None:
    schedule = OneCycle(1.0, warm_up=0.25, start_division=10.0, final_division=100.0)
    rates = schedule.rates(0, 100, 100)
    assert rates[0] == pytest.approx(0.1)
    assert rates.argmax() == 25
    assert rates[25] == pytest.approx(1.0)
    assert (np.diff(rates[:26]) > 0).all()
    assert (np.diff(rates[25:]) < 0).all()
    assert schedule.rate(100, 100) == pytest.approx(0.001)


def test_warm_up_leads_into_another_schedule() -> None:
    schedule = WarmUp(CosineDecay(1.0), share=0.5)
    np.testing.assert_allclose(schedule.rates(0, 4, 8), [0.2, 0.4, 0.6, 0.8])
    np.testing.assert_allclose(schedule.rates(4, 8, 8), CosineDecay(1.0).rates(0, 4, 4))
    assert isinstance(WarmUp(0.5).then, Constant)  # type: ignore[arg-type]


def test_triangular() -> None:
    rates = Triangular(1.0, start=0.2, peak=0.5, final=0.5).rates(0, 8, 8)
    np.testing.assert_allclose(rates, [0.2, 0.4, 0.6, 0.8, 1.0, 0.875, 0.75, 0.625])
    np.testing.assert_allclose(Triangular(8.0, peak=0.0).rates(0, 4, 4), [8, 6, 4, 2])


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 7, 1000])
def test_rates_are_finite_and_the_same_in_pieces(name: str, steps: int) -> None:
    schedule = SCHEDULES[name]()
    rates = schedule.rates(0, steps, steps)
    assert rates.shape == (steps,)
    assert np.isfinite(rates).all()
    assert (rates > 0).all()
    middle = steps // 2
    np.testing.assert_array_equal(rates, [*schedule.rates(0, middle, steps), *schedule.rates(middle, steps, steps)])


@pytest.mark.parametrize("name", SCHEDULES)
def test_described_and_made_again(name: str) -> None:
    schedule = SCHEDULES[name]()
    assert as_schedule(describe(schedule), "here") == schedule
    assert as_schedule(name, "here") == schedule


@pytest.mark.parametrize("rate", [0.5, 3, np.float32(0.5), np.float64(0.5), np.int64(2)])
def test_numbers_are_constant_rates(rate: float) -> None:
    assert as_schedule(rate, "here") == Constant(float(rate))


@pytest.mark.parametrize("rate", [0, -1.0, math.inf, math.nan])
def test_rates_must_be_positive(rate: float) -> None:
    for make in (Constant, StepDecay, CosineDecay, OneCycle):
        with pytest.raises(InputError, match="The learning rate must be positive") as caught:
            make(rate)
        assert f"{make.__name__}(learning_rate)" in str(caught.value)
        assert "a number above 0" in str(caught.value)


def test_wrong_options_are_refused() -> None:
    with pytest.raises(InputError, match="fraction of the training") as caught:
        WarmUp(share=1.5)
    assert "0 < share < 1" in str(caught.value)
    with pytest.raises(InputError, match="fraction of the training"):
        OneCycle(warm_up=0.0)
    with pytest.raises(InputError, match="The number must be positive"):
        StepDecay(factor=0.0)
    with pytest.raises(InputError, match="The learning rate must be positive"):
        WarmUp(then=-1.0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Unknown schedule") as caught:
        as_schedule("CosinDecay", "here")
    assert "did you mean 'CosineDecay'?" in str(caught.value)
    with pytest.raises(InputError, match="Unknown option of CosineDecay") as caught:
        as_schedule({"type": "CosineDecay", "finall": 0.1}, "here")
    assert "did you mean 'final'?" in str(caught.value)
    with pytest.raises(TypeError, match="use one of its subclasses"):
        Schedule().rate(0, 1)
