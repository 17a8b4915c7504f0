"""What a run is asked to do is read strictly: an unknown or wrong field is named, and never passed over."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from tests.trainer.card_forms import CARD_FORMS, as_json, form_of
from trainer import spec
from trainer.spec import COMPUTE, DEVICES, LOSSES, OPTIMIZERS, OVER_LENGTH, PRECISIONS, PRESETS, RunSpec, SpecError

LEAST = {"folder": "/run", "base": "/base", "train": "/train.jsonl", "validation": "/validation.jsonl"}
CHOICES = {
    "preset": PRESETS,
    "precision": PRECISIONS,
    "compute": COMPUTE,
    "device": DEVICES,
    "over_length": OVER_LENGTH,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
}
# Field -> lowest and highest value, and one beyond each.
RANGES: dict[str, tuple[Any, Any, Any, Any]] = {
    "context_tokens": (16, 131_072, 15, 131_073),
    "rank": (1, 1024, 0, 1025),
    "micro_batch": (1, 1024, 0, -1),
    "evaluations_per_epoch": (0, 1000, -1, 1001),
    "seed": (0, 2**32 - 1, -1, 2**32),
    "memory_share": (0.01, 1, 0, 1.01),
    "dropout": (0, 0.9, -0.1, 1),
    "learning_rate": (1e-8, 1, 0, 1.5),
    "warmup_share": (0, 1, -0.1, 1.1),
    "epochs": (0.01, 1000, 0, math.inf),
}
FULL = RunSpec(
    **LEAST,
    holdout="/holdout.jsonl",
    name="試し",
    hashes={"train": "00"},
    form=form_of(CARD_FORMS["gemma"]),
    preset="thorough",
    precision="bf16",
    rank=8,
    learning_rate=1e-4,
    samples=("橋とは？", "川とは？"),
)


def refused(**changes: object) -> SpecError:
    with pytest.raises(SpecError) as caught:
        spec.from_json(LEAST | changes)
    return caught.value


@pytest.mark.parametrize("one", [RunSpec(**LEAST), FULL], ids=["least", "full"])
def test_a_spec_comes_back_from_json_as_it_was(one: RunSpec) -> None:
    assert spec.from_json(json.loads(json.dumps(spec.to_json(one)))) == one


def test_what_is_left_out_is_left_to_the_recipe() -> None:
    read = spec.from_json(LEAST)
    assert (read.preset, read.over_length, read.seed, read.version) == ("standard", "refuse", 42, 1)
    assert (read.rank, read.learning_rate, read.precision, read.form) == (None, None, None, None)


@pytest.mark.parametrize("field", LEAST)
def test_a_run_needs_its_files(field: str) -> None:
    for value in ("", None, 3):
        error = refused(**{field: value})
        assert (error.field, error.value) == (field, value)
    without = {name: path for name, path in LEAST.items() if name != field}
    with pytest.raises(SpecError, match=field):
        spec.from_json(without)


def test_an_unknown_field_is_named() -> None:
    error = refused(learning_rat=1e-4)
    assert (error.field, error.expected) == ("learning_rat", "a field of RunSpec")


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_version_is_refused(version: object) -> None:
    with pytest.raises(SpecError, match="version"):
        spec.from_json(LEAST | {"version": version})


@pytest.mark.parametrize("field", CHOICES)
def test_each_choice_is_taken_and_anything_else_is_refused_with_the_choices(field: str) -> None:
    for value in CHOICES[field]:
        assert getattr(spec.from_json(LEAST | {field: value}), field) == value
    for other in ("", "other", 3, ["nf4"]):
        error = refused(**{field: other})
        assert (error.field, error.expected) == (field, " | ".join(CHOICES[field]))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("holdout", 5), ("name", None), ("hashes", ["a"]), ("hashes", {"train": 1}), ("samples", "質問"),
        ("samples", [""]), ("gradient_checkpointing", "yes"), ("preset", None), ("over_length", None),
        ("compute", "nf4"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused(field: str, value: object) -> None:
    assert refused(**{field: value}).field == field


def test_only_the_embedding_of_a_base_in_four_bits_stays_in_the_machines_memory() -> None:
    assert refused(embedding_on_cpu=True, precision="bf16").field == "embedding_on_cpu"
    assert spec.from_json(LEAST | {"embedding_on_cpu": True, "precision": "nf4"}).embedding_on_cpu


@pytest.mark.parametrize("field", RANGES)
def test_numbers_are_taken_in_their_range_alone(field: str) -> None:
    low, high, *outside = RANGES[field]
    for value in (low, high):
        assert getattr(spec.from_json(LEAST | {field: value}), field) == value
    for value in (*outside, "1", True, math.nan, [1]):
        assert refused(**{field: value}).field == field


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ("gemma", "form"),
        ({"question": "{text}"}, "form"),
        ({"question": "{text}", "answer": "{text}", "answer_start": "", "other": 1}, "form"),
        ({"question": "no place", "answer": "{text}", "answer_start": ""}, "form.question"),
        ({"question": "{text}", "answer": "{text}{text}", "answer_start": ""}, "form.answer"),
        ({"question": "{text}", "answer": "{text}", "answer_start": "", "system": "none"}, "form.system"),
        ({"question": 3, "answer": "{text}", "answer_start": ""}, "form.question"),
    ],
)
def test_a_form_needs_a_place_for_each_text(form: object, field: str) -> None:
    assert refused(form=form).field == field


def test_every_form_of_the_catalogue_is_read_and_a_changed_spec_is_checked_again() -> None:
    for card in CARD_FORMS.values():
        form = form_of(card)
        assert spec.from_json(json.loads(json.dumps(LEAST | {"form": as_json(form)}))).form == form
    with pytest.raises(SpecError, match="rank"):
        dataclasses.replace(FULL, rank=0)


def test_paths_are_seen_from_the_folder_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    written = {**LEAST, "train": "data/train.jsonl", "base": "../base", "converter": "llama.cpp"}
    file.write_text(json.dumps(written), encoding="utf-8")
    read = spec.read(file)
    assert read.train == str(tmp_path / "data" / "train.jsonl")
    assert (read.base, read.converter) == (str(tmp_path / "../base"), str(tmp_path / "llama.cpp"))
    assert (read.validation, read.holdout, read.bases) == ("/validation.jsonl", "", "")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'"x"', b"\xff\xfe{}"])
def test_a_file_that_is_no_spec_is_named(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        spec.read(file)
    assert (caught.value.field, caught.value.value) == ("file", "run.json")


def test_a_missing_file_is_the_callers(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        spec.read(tmp_path / "none.json")
