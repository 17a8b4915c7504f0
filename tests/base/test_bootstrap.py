"""Intervals: the same each time, as wide as chance is, and drawn by group where examples are alike."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from app.base import bootstrap
from app.base.bootstrap import ConfidenceInterval


def mean_interval(values: Sequence[float], *more: Any, **further: Any) -> ConfidenceInterval:
    return bootstrap.mean_intervals([values], *more, **further)[0]


def test_an_interval_is_the_same_each_time_and_holds_the_mean() -> None:
    random = np.random.default_rng(0)
    before, after = random.normal(20, 3, 200), random.normal(19, 3, 200)
    tokens = [10] * 200
    first = bootstrap.difference_interval(before.tolist(), after.tolist(), tokens)
    assert first == bootstrap.difference_interval(before.tolist(), after.tolist(), tokens)
    assert first.low < first.mean < first.high
    expected = 1.96 * float(np.std(after - before)) / math.sqrt(200) / 10  # the normal interval
    assert (first.high - first.low) / 2 == pytest.approx(expected, rel=0.1)


def test_examples_of_one_group_count_as_one_draw() -> None:
    after = [0.0, 0.0, -4.0, -4.0] * 25
    apart = bootstrap.difference_interval([0.0] * 100, after, [1] * 100)
    together = bootstrap.difference_interval([0.0] * 100, after, [1] * 100, [f"節 {at // 50}" for at in range(100)])
    assert together.mean == apart.mean == -2.0
    two = bootstrap.difference_interval([0.0] * 100, after, [1] * 100, ["良い" if one else "同じ" for one in after])
    assert (two.low, two.high) == (-4.0, 0.0)
    assert apart.high < -1


def test_long_examples_weigh_more_in_nats_a_token_and_no_more_in_a_mean() -> None:
    assert bootstrap.difference_interval([0.0] * 6, [10.0] + [0.0] * 5, [95, 1, 1, 1, 1, 1]).mean == pytest.approx(0.1)
    found = mean_interval([1.0, 1.0, 1.0, 0.0], ["a", "a", "a", "b"])
    assert (found.mean, found.units) == (0.75, 2)


@pytest.mark.parametrize(
    ("freedom", "tabulated"),  # Abramowitz & Stegun, table 26.10, two-sided 0.05
    [(4, 2.776), (5, 2.571), (6, 2.447), (9, 2.262), (19, 2.093), (29, 2.045), (60, 2.000), (120, 1.980)],
)
def test_quantiles_of_t_are_those_of_the_table(freedom: int, tabulated: float) -> None:
    assert bootstrap.t_quantile(0.975, freedom) == pytest.approx(tabulated, abs=0.001)


@pytest.mark.parametrize(("freedom", "tabulated"), [(4, 4.604), (9, 3.250), (29, 2.756)])
def test_quantiles_far_out_are_near_those_of_the_table(freedom: int, tabulated: float) -> None:
    assert bootstrap.t_quantile(0.995, freedom) == pytest.approx(tabulated, abs=0.03)


@pytest.mark.parametrize("count", [8, 15, 30])
def test_of_few_units_the_interval_is_that_of_students_t(count: int) -> None:
    values = np.random.default_rng(1).normal(0, 1, count)
    found = mean_interval(values)
    expected = bootstrap.t_quantile(0.975, count - 1) * float(np.std(values, ddof=1)) / math.sqrt(count)
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.06)


def test_of_many_units_the_percentiles_are_the_plain_ones() -> None:
    assert bootstrap.tail_share(10_000) == pytest.approx(0.025, abs=1e-4)
    assert bootstrap.tail_share(1) == 0.0


def test_a_mean_within_chance_of_zero_or_of_too_few_units_holds_zero() -> None:
    assert ConfidenceInterval(0.1, -0.1, 0.3, 100).holds_zero
    assert ConfidenceInterval(0.1, 0.0, 0.3, 100).holds_zero
    assert ConfidenceInterval(0.1, 0.05, 0.3, bootstrap.LEAST_UNITS - 1).holds_zero
    assert not ConfidenceInterval(0.1, 0.05, 0.3, bootstrap.LEAST_UNITS).holds_zero
    assert (ConfidenceInterval(-0.2, -0.3, -0.1, 9).is_better, ConfidenceInterval(-0.2, -0.3, -0.1, 9).is_worse) == (
        True,
        False,
    )
    assert (ConfidenceInterval(0.2, 0.1, 0.3, 9).is_better, ConfidenceInterval(0.2, 0.1, 0.3, 9).is_worse) == (
        False,
        True,
    )


@pytest.mark.parametrize("count", [24, 700])  # few enough for their draws to be kept, and more
def test_means_that_are_drawn_together_have_the_intervals_that_they_have_alone(count: int) -> None:
    random = np.random.default_rng(2)
    rows = [random.normal(0, 1, count).tolist() for _ in range(3)]
    groups = [f"節 {at // 3}" for at in range(count)]
    for names in ((), groups):
        together = bootstrap.mean_intervals(rows, names)
        for one, row in zip(together, rows, strict=True):
            alone = mean_interval(row, names)
            assert (one.mean, one.low, one.high) == pytest.approx((alone.mean, alone.low, alone.high), abs=1e-12)
            assert one.units == alone.units


def test_a_resample_whose_thirds_add_up_to_nothing_is_exactly_zero() -> None:
    drawn = bootstrap._resampled(np.asarray([[1 / 3], [-2 / 3], [1 / 3]] * 3), np.ones(9))
    near = drawn[np.abs(drawn) < 1e-9]
    assert len(near) > 100
    assert not near.any()


def test_of_nothing_there_is_no_interval() -> None:
    with pytest.raises(ValueError, match="nothing"):
        mean_interval([])


@pytest.mark.parametrize(("count", "upper"), [(6, 0.390), (10, 0.278), (100, 0.037)])
def test_equal_values_leave_as_much_open_as_their_number_does(count: int, upper: float) -> None:
    """The upper bounds of Wilson's interval for 0 of n, as tables have them."""
    none = mean_interval([0.0] * count, bounds=(0.0, 1.0))
    assert (none.mean, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(upper, abs=5e-4)
    every = mean_interval([3.0] * count, bounds=(0.0, 3.0))
    assert (every.mean, every.high) == (3.0, 3.0)
    assert every.low == pytest.approx(3 - 3 * upper, abs=2e-3)
    same = mean_interval([0.0] * count, bounds=(-1.0, 1.0))
    assert same.low == pytest.approx(-same.high)
    assert same.holds_zero
    assert mean_interval([0.0] * (count - 1) + [1.0], bounds=(0.0, 1.0)) == mean_interval([0.0] * (count - 1) + [1.0])
