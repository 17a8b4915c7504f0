"""Systems that need more memory than is free are named before a study begins, also those that are not made yet."""

import dataclasses
from pathlib import Path

import pytest

from app.documents.grounding.grounding_record import CollectionRef
from app.documents.retrieval import excerpts
from app.evaluation.judge import judge_prompt
from app.evaluation.study import compared_systems, planning, study_preflight
from app.evaluation.study.studies import Study
from app.evaluation.study.study_preflight import MemoryShortage
from app.inference import gguf, memory_estimate
from app.inference.machine import MemoryBudget
from app.inference.quantizations import parse_quantizations
from app.models import local_models
from tests import model_files as models
from tests.evaluation.driver import answer, write_study

NONE = MemoryBudget(1 << 40, 1, 0)  # of which nothing is free


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "evaluations" / "x"


@pytest.fixture
def study(tmp_path: Path, folder: Path) -> Study:
    """Of a file in F32, of which two forms are to be made."""
    model = local_models.describe(models.tiny_llama(tmp_path / "小.gguf"))
    plan = planning.plan_quantizations(
        planning.source_of_model(model),
        parse_quantizations("F16,Q8_0,Q4_K_M"),
        None,
        tmp_path / "x",
        tmp_path / "bases",
    )
    return write_study(folder, *plan.contenders, kind="quantizations", context_tokens=512, made=plan.made_models)


def needed(study: Study, number: int) -> int:
    """Of a form, by its own size and what the file that it is made of tells of the rest."""
    like = memory_estimate.estimate_memory(gguf.read_header(Path(study.contenders[0].model.path)), study.context_tokens)
    return like.total_bytes - like.weights_bytes + study.contenders[number].system.size_bytes


def test_only_what_does_not_fit_is_named(study: Study, folder: Path) -> None:
    free = needed(study, 1)  # of Q8_0
    found = study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, free, 0))
    assert [one.name for one in found] == [study.contenders[0].system.name]
    assert len(study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, free - 1, 0))) == 2
    assert study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, 1 << 40, 0)) == []


def test_graphics_memory_is_room_too(study: Study, folder: Path) -> None:
    assert study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, 1, 0, graphics_bytes=1 << 34)) == []


def test_what_is_answered_already_needs_nothing(study: Study, folder: Path) -> None:
    for one in study.contenders[:2]:
        answer(folder, one.system.id)
    assert [one.name for one in study_preflight.memory_shortages(study, folder, NONE)] == [
        study.contenders[2].system.name
    ]


def test_the_judge_is_named_with_what_its_own_context_takes(study: Study, folder: Path, tmp_path: Path) -> None:
    path = models.tiny_llama(tmp_path / "採点.gguf", metadata={"llama.context_length": 1 << 15})
    judge = local_models.describe(path)
    for one in study.contenders:
        answer(folder, one.system.id)
    need = memory_estimate.estimate_memory(gguf.read_header(path), judge_prompt.CONTEXT_TOKENS)
    expected = need.total_bytes - need.weights_bytes + judge.size_bytes
    judged = dataclasses.replace(study, judge=judge)
    assert study_preflight.memory_shortages(judged, folder, NONE) == [
        MemoryShortage(judge.name, expected, is_judge=True)
    ]
    assert study_preflight.memory_shortages(judged, folder, MemoryBudget(1 << 40, expected, 0)) == []


def test_no_model_is_loaded_where_the_documents_are_quoted(
    study: Study, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = study.contenders[:2]
    quoted = dataclasses.replace(first, scope=(CollectionRef(1, "基準"),))
    asked = dataclasses.replace(second, model=first.model, scope=quoted.scope, may_quote=False)
    both = dataclasses.replace(study, contenders=(quoted, asked))
    assert [one.name for one in study_preflight.memory_shortages(both, folder, NONE)] == [asked.system.name]
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 0)
    assert len(study_preflight.memory_shortages(both, folder, NONE)) == 2


def test_what_is_made_of_a_folder_needs_its_weights_at_least(study: Study, folder: Path, tmp_path: Path) -> None:
    first = study.contenders[0]
    model = dataclasses.replace(first.model, path=str(tmp_path))  # no GGUF file
    made = dataclasses.replace(first, model=model, system=dataclasses.replace(first.system, size_bytes=1000))
    study = dataclasses.replace(study, contenders=compared_systems.assign_ids([made]), made=())
    assert [
        one.need_bytes for one in study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, 999, 0))
    ] == [1000]
    assert study_preflight.memory_shortages(study, folder, MemoryBudget(1 << 40, 1000, 0)) == []
