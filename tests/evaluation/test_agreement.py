"""Agreement: published and hand-computed examples, and where there is no such number."""

import numpy as np
import pytest

from app.evaluation.judge.paired_statistics import kappa, spearman


def of_table(table: list[list[int]]) -> tuple[list[int], list[int]]:
    """Ratings of which `table[i][j]` are i by the first and j by the second."""
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [one for one, _ in pairs], [other for _, other in pairs]


def test_kappa_of_two_readers_of_50_grants() -> None:
    # Both yes 20, both no 15; 35 of 50 agree, and by chance 0.5 * 0.6 + 0.5 * 0.4 = 0.5 would: (0.7 - 0.5) / 0.5.
    assert kappa(*of_table([[20, 5], [10, 15]])) == pytest.approx(0.4)


def test_a_disagreement_weighs_by_its_distance() -> None:
    # By hand: pairs (0,0) (1,2) (2,2) (3,1); squared distances 0 1 0 4, mean 1.25. All 16 pairs of {0,1,2,3} and
    # {0,2,2,1}: 0+4+4+1 + 1+1+1+0 + 4+0+0+1 + 9+1+1+4 = 32, mean 2.
    assert kappa([0, 1, 2, 3], [0, 2, 2, 1]) == pytest.approx(1 - 1.25 / 2)


def test_ratings_that_nobody_gave_lie_between_those_that_were_given() -> None:
    # 0 and 3 are three apart though 1 and 2 do not occur: 1 - (1 * 9 / 4) / (mean of all squares).
    assert kappa([0, 0, 3, 3], [0, 0, 3, 0]) == pytest.approx(1 - (9 / 4) / (9 * 8 / 16))


def test_who_agrees_throughout_has_1_and_who_rates_by_chance_0() -> None:
    assert kappa([0, 1, 2, 3], [0, 1, 2, 3]) == 1
    assert kappa(*of_table([[1] * 4] * 4)) == pytest.approx(0)
    assert kappa([0, 1, 2, 3], [2, 2, 2, 2]) == pytest.approx(0)


def test_without_any_difference_there_is_no_kappa() -> None:
    assert kappa([2, 2, 2], [2, 2, 2]) is None
    assert kappa([], []) is None


def test_rho_of_ten_people() -> None:
    # IQ and hours of television a week, a textbook example without ties: 1 - 6 * 194 / (10 * 99) = -29/165.
    iq = [106, 86, 100, 101, 99, 103, 97, 113, 112, 110]
    hours = [7, 0, 27, 50, 28, 29, 20, 12, 6, 17]
    assert spearman(iq, hours) == pytest.approx(-29 / 165)


def test_equal_values_share_a_rank() -> None:
    # Ranks 1, 2.5, 2.5, 4 and 1, 2, 3, 4: Pearson's r of these is 4.5 / sqrt(4.5 * 5).
    assert spearman([10, 20, 20, 30], [1, 2, 3, 4]) == pytest.approx(4.5 / np.sqrt(4.5 * 5))
    assert spearman([0, 0, 1, 1], [0, 0, 1, 1]) == pytest.approx(1)
    assert spearman([0, 0, 1, 1], [3, 3, 2, 2]) == pytest.approx(-1)


def test_without_variance_there_is_no_rho() -> None:
    assert spearman([1, 1, 1], [1, 2, 3]) is None
    assert spearman([1], [2]) is None
    assert spearman([], []) is None


def test_ratings_of_different_things_are_refused() -> None:
    with pytest.raises(ValueError, match="different"):
        kappa([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="different"):
        spearman([1, 2], [1, 2, 3])
