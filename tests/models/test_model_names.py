"""What models are called where several are called the same, and how their sizes are said."""

import dataclasses

import pytest

from app.base.wording import format_size, use_language
from app.inference.local_model import LocalModel
from app.inference.speed import PredictedSpeed
from app.models import starter
from app.models.local_models import distinct_names
from app.models.model_store import ModelStore


def model(identifier: str, name: str, path: str) -> LocalModel:
    return LocalModel(identifier, name, path, 1, "llama", "Q4_K_M", 512, 1.0)


def test_models_of_one_name_are_told_apart_by_file_or_folder() -> None:
    models = [
        model("1", "A", "/x/a.gguf"),
        model("2", "B", "/x/b.gguf"),
        model("3", "B", "/x/old.gguf"),
        model("4", "C", "/x/c.gguf"),
        model("5", "C", "/y/c.gguf"),
    ]
    named = ["A", "B (b.gguf)", "B (old.gguf)", "C (x/c.gguf)", "C (y/c.gguf)"]
    assert list(distinct_names(models).values()) == named


def test_a_name_that_the_catalogue_has_in_two_languages_is_shown_in_that_of_the_window() -> None:
    trial, other = starter.card(), model("2", "お試し用の写し", "/x/b.gguf")
    with ModelStore.in_memory() as store:
        store.put_local_model(dataclasses.replace(model("1", f"{trial.name} Q4_K_M", "/x/a.gguf"), card_id=trial.id))
        store.put_local_model(dataclasses.replace(other, card_id=trial.id))
        use_language("en")
        try:
            assert [one.name for one in store.local_models()] == [f"{trial.name_en} Q4_K_M", "お試し用の写し"]
        finally:
            use_language("ja")
        assert [one.name for one in store.local_models()] == [f"{trial.name} Q4_K_M", "お試し用の写し"]


@pytest.mark.parametrize(
    ("size_bytes", "words"),
    [
        (4_920_734_048, "4.92 GB"),
        (100_000_000, "0.10 GB"),
        (99_000_000, "99.0 MB"),
        (90_000, "0.1 MB"),
        (400, "0.4 kB"),
    ],
)
def test_a_small_file_is_not_said_to_have_no_size(size_bytes: int, words: str) -> None:
    assert format_size(size_bytes) == words


@pytest.mark.parametrize(
    ("prompt", "answer", "is_slow"), [(100.0, 5.0, False), (100.0, 4.9, True), (25.0, 6.0, False), (24.0, 6.0, True)]
)
def test_slow_is_what_one_waits_for(prompt: float, answer: float, is_slow: bool) -> None:
    assert PredictedSpeed(prompt, answer).is_slow == is_slow
