"""Systems that need more memory than is free are named before a study begins, also those that are not made yet."""

import dataclasses
from pathlib import Path

import pytest

from app.core import fit, gguf, local_models
from app.core.evaluation import contending, memory, quant_plan
from app.core.evaluation.study import Study
from app.core.presets import Choices
from app.core.quantizations import named
from app.core.room import Room
from tests import models


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Of a file in F32, of which two forms are to be made."""
    model = local_models.describe(models.tiny_llama(tmp_path / "小.gguf"))
    plan = quant_plan.plan(
        quant_plan.of_model(model), named("F16,Q8_0,Q4_K_M"), None, tmp_path / "x", tmp_path / "bases"
    )
    return Study(
        "x", "x", "quantizations", "試験", 1, "", "internal", plan.contenders, (0,), Choices(), 512, made=plan.made
    )


def needed(study: Study, number: int) -> int:
    """Of a form, by its own size and what the file that it is made of tells of the rest."""
    like = fit.estimate(gguf.read_header(Path(study.contenders[0].model.path)), study.context_tokens)
    return like.total_bytes - like.weights_bytes + study.contenders[number].system.size_bytes


def test_only_what_does_not_fit_is_named(study: Study) -> None:
    free = needed(study, 1)  # of Q8_0
    assert [one.name for one in memory.beyond(study, Room(1 << 40, free, 0))] == [study.contenders[0].system.name]
    assert len(memory.beyond(study, Room(1 << 40, free - 1, 0))) == 2
    assert memory.beyond(study, Room(1 << 40, 1 << 40, 0)) == []


def test_graphics_memory_is_room_too(study: Study) -> None:
    assert memory.beyond(study, Room(1 << 40, 1, 0, graphics_bytes=1 << 34)) == []


def test_what_is_made_of_a_folder_needs_its_weights_at_least(study: Study, tmp_path: Path) -> None:
    first = study.contenders[0]
    model = dataclasses.replace(first.model, path=str(tmp_path))  # no GGUF file
    folder = dataclasses.replace(first, model=model, system=dataclasses.replace(first.system, size_bytes=1000))
    study = dataclasses.replace(study, contenders=contending.numbered([folder]), made=())
    assert [one.need_bytes for one in memory.beyond(study, Room(1 << 40, 999, 0))] == [1000]
    assert memory.beyond(study, Room(1 << 40, 1000, 0)) == []
