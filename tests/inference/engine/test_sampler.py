"""The sampler against plain, slow definitions."""

import numpy as np
import pytest

from app.base.errors import AppError
from app.inference.engine.generation import Sampler
from app.inference.engine.messages import Sampling

VOCABULARY = 5000


def _logits(seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(VOCABULARY) * 3).astype(np.float32)


def _drawn(sampling: Sampling, logits: np.ndarray, count: int = 400) -> set[int]:
    sampler = Sampler(sampling, seed=1)
    return {sampler.choose(logits.copy(), []) for _ in range(count)}


@pytest.mark.parametrize("seed", range(5))
def test_temperature_zero_takes_the_most_likely(seed: int) -> None:
    logits = _logits(seed)
    assert Sampler(Sampling(temperature=0), 1).choose(logits.copy(), []) == int(np.argmax(logits))


@pytest.mark.parametrize("seed", range(5))
def test_top_k_draws_from_exactly_the_k_most_likely(seed: int) -> None:
    logits = _logits(seed)
    best = set(np.argsort(-logits)[:8].tolist())
    drawn = _drawn(Sampling(temperature=5.0, top_k=8, top_p=1.0, min_p=0.0), logits, 2000)
    assert drawn == best


def test_top_p_stops_where_the_sum_is_reached() -> None:
    logits = np.full(VOCABULARY, -30, dtype=np.float32)
    logits[:3] = np.log([0.6, 0.3, 0.1])
    assert _drawn(Sampling(temperature=1.0, top_k=0, top_p=0.85, min_p=0.0), logits) == {0, 1}


def test_min_p_counts_from_the_most_likely() -> None:
    logits = np.full(VOCABULARY, -30, dtype=np.float32)
    logits[:3] = np.log([0.6, 0.3, 0.1])
    assert _drawn(Sampling(temperature=1.0, top_k=0, top_p=1.0, min_p=0.4), logits) == {0, 1}


def test_draws_follow_the_probabilities() -> None:
    logits = np.full(VOCABULARY, -30, dtype=np.float32)
    logits[:2] = np.log([0.8, 0.2])
    sampler = Sampler(Sampling(temperature=1.0, top_k=40, top_p=1.0, min_p=0.0), seed=3)
    ones = sum(sampler.choose(logits.copy(), []) for _ in range(4000)) / 4000
    assert 0.17 < ones < 0.23  # five standard deviations


def test_the_same_seed_draws_the_same() -> None:
    logits, runs = _logits(0), []
    for _ in range(2):
        sampler = Sampler(Sampling(temperature=1.0), seed=42)
        runs.append([sampler.choose(logits.copy(), []) for _ in range(50)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 1


def test_a_repeated_token_is_penalized_once_however_often_it_came() -> None:
    logits = np.full(VOCABULARY, -5, dtype=np.float32)
    logits[7], logits[8] = 2.0, 1.9
    sampler = Sampler(Sampling(temperature=0, repeat_penalty=1.1), 1)
    assert sampler.choose(logits, [7, 7, 7]) == 8
    assert logits[7] == pytest.approx(2.0 / 1.1)
    assert (
        Sampler(Sampling(temperature=0, repeat_penalty=1.1, repeat_window=2), 1).choose(logits * 0 + 1, [0, 5, 5]) == 0
    )


class _OnlyRareTokens:
    """A grammar that takes only two tokens that are all but impossible."""

    def __init__(self) -> None:
        self.accepted: list[int] = []

    def allowed(self, ids: np.ndarray) -> np.ndarray:
        return np.isin(ids, [100, 200])

    def accept(self, token: int) -> None:
        self.accepted.append(token)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_grammar_finds_its_token_however_unlikely(temperature: float) -> None:
    logits = np.zeros(VOCABULARY, dtype=np.float32)
    logits[[100, 200]] = -60, -80
    grammar = _OnlyRareTokens()
    sampler = Sampler(Sampling(temperature=temperature), 1, grammar)
    token = sampler.choose(logits, [])
    sampler.accept(token)
    assert token == 100
    assert grammar.accepted == [100]


def test_numbers_that_are_none_are_an_expected_error() -> None:
    for bad in (np.nan, np.inf):
        logits = _logits(0)
        logits[3] = bad
        with pytest.raises(AppError, match="decode_failed"):
            Sampler(Sampling(temperature=0), 1).choose(logits, [])


def test_a_grammar_keeps_the_odds_between_what_it_allows() -> None:
    logits = np.zeros(VOCABULARY, dtype=np.float32)
    logits[[1, 100, 200]] = 9.0, 1.0, 0.8
    sampler = Sampler(Sampling(temperature=1.0, top_k=1000, top_p=1.0, min_p=0.0), 1, _OnlyRareTokens())
    drawn = [sampler.choose(logits.copy(), []) for _ in range(1000)]
    assert 0.47 < drawn.count(100) / 1000 < 0.63  # e^1.0 / (e^1.0 + e^0.8) = 0.55
