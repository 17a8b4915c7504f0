"""How a study is planned: what an `AnswerParameters` becomes, and what is refused before anything is written."""

import dataclasses
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest

from app.base.errors import AppError
from app.base.paths import Paths
from app.chat.presets import Choices
from app.evaluation import question_files
from app.evaluation.records import Question, QuestionSet
from app.evaluation.study import compared_systems, planning, studies
from app.evaluation.study.request import AnswerParameters
from app.evaluation.study.studies import ComparedSystem, MadeModel, RatedAnswer, Study
from app.inference.local_model import LocalModel
from app.models import local_models
from tests import model_files as models

DiskUsage = namedtuple("DiskUsage", "total used free")


def set_of(*questions: Question) -> QuestionSet:
    return QuestionSet("試験", 2, question_files.sha256(questions), questions, "secret")


SET = set_of(Question("q1", "鍵は？", reference="棚"))


@pytest.fixture
def model(tmp_path: Path) -> LocalModel:
    return local_models.describe(models.tiny_llama(tmp_path / "モデル.gguf"))


@pytest.fixture
def contenders(model: LocalModel) -> tuple[ComparedSystem, ...]:
    return compared_systems.assign_ids([compared_systems.compared_system(model, None)] * 2)


def planned(where: Paths, contenders: tuple[ComparedSystem, ...], asking: AnswerParameters, **others: Any) -> Study:
    return planning.plan_study(where.evaluations, "questions", SET, contenders, asking, **others)


def test_a_study_says_what_is_asked_and_writes_nothing(where: Paths, contenders: tuple[ComparedSystem, ...]) -> None:
    rated = (RatedAnswer(1, "棚", 3),)
    asking = AnswerParameters(context_tokens=2048, judge_preset="paper-2603.18037", rated=rated)
    found = planned(where, contenders, asking)
    assert (found.name, found.kind, found.set_name, found.set_version) == ("試験", "questions", "試験", 2)
    assert (found.set_sha256, found.label, found.contenders) == (SET.sha256, "secret", contenders)
    assert (found.context_tokens, found.judge_preset, found.rated) == (2048, "paper-2603.18037", rated)
    assert found.id.endswith("試験")
    assert not where.evaluations.exists()


def test_a_second_one_has_a_name_of_its_own_unless_it_is_named(
    where: Paths, contenders: tuple[ComparedSystem, ...]
) -> None:
    first = planned(where, contenders, AnswerParameters())
    studies.create(where.evaluations / first.id, first, SET)
    second = planned(where, contenders, AnswerParameters())
    assert (second.name, second.id == first.id) == ("試験 (2)", False)
    assert planned(where, contenders, AnswerParameters(name="試験")).name == "試験"


@pytest.mark.parametrize(
    ("asking", "temperature"),
    [
        (AnswerParameters(), 0.0),
        (AnswerParameters(seeds=3), None),
        (AnswerParameters(seeds=3, temperature=0.4), 0.4),
        (AnswerParameters(temperature=0.4), 0.4),
        (AnswerParameters(preset=Choices(temperature=0.9)), 0.0),
        (AnswerParameters(seeds=3, preset=Choices(temperature=0.9)), 0.9),
    ],
)
def test_asked_once_the_likeliest_answer_is_given(
    where: Paths, contenders: tuple[ComparedSystem, ...], asking: AnswerParameters, temperature: float | None
) -> None:
    found = planned(where, contenders, asking)
    assert (found.choices.temperature, found.choices.max_tokens) == (temperature, 512)
    assert found.seeds == tuple(range(asking.seeds))


def test_a_preset_holds_below_what_is_asked_for(where: Paths, contenders: tuple[ComparedSystem, ...]) -> None:
    preset = Choices(system_prompt="短く", max_tokens=9)
    choices = planned(where, contenders, AnswerParameters(max_tokens=100, preset=preset)).choices
    assert (choices.system_prompt, choices.max_tokens) == ("短く", 100)


def test_two_answers_are_shown_only_to_a_judge_and_only_of_two_systems(
    where: Paths, contenders: tuple[ComparedSystem, ...], model: LocalModel
) -> None:
    pairs = AnswerParameters(has_pairs=True, judge=model)
    assert planned(where, contenders, pairs).has_pairs
    for systems, asking in ((contenders, dataclasses.replace(pairs, judge=None)), (contenders[:1], pairs)):
        with pytest.raises(AppError, match="pairs_without_judge"):
            planned(where, systems, asking)


def test_the_same_answer_so_often_would_look_like_certainty(
    where: Paths, contenders: tuple[ComparedSystem, ...]
) -> None:
    assert planning.repeats_itself(planned(where, contenders, AnswerParameters(seeds=2, temperature=0.0)))
    assert not planning.repeats_itself(planned(where, contenders, AnswerParameters(seeds=2, temperature=0.5)))
    assert not planning.repeats_itself(planned(where, contenders, AnswerParameters(seeds=2)))
    assert not planning.repeats_itself(planned(where, contenders, AnswerParameters()))


def test_a_judge_needs_right_answers() -> None:
    planning.require_right_answers(SET)
    with pytest.raises(AppError, match="judge_without_references"):
        planning.require_right_answers(
            set_of(Question("q1", "鍵は？"), Question("q2", "窓は？", "", is_answerable=False))
        )


def test_forms_of_one_model_are_a_family(model: LocalModel, tmp_path: Path) -> None:
    shape = dataclasses.replace(models.TINY, layers=models.TINY.layers + 1)
    other = local_models.describe(models.tiny_llama(tmp_path / "別.gguf", shape=shape))
    same, again, different = planning.existing_systems([model, model, other])
    assert same.family == again.family != different.family
    assert [one.system.id for one in (same, again, different)] == ["s1", "s2", "s3"]


def test_room_for_what_is_made_is_looked_for_before(
    where: Paths, contenders: tuple[ComparedSystem, ...], model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert planning.require_room(planned(where, contenders, AnswerParameters()), where.data) == 0
    path = str(where.data / "made.gguf")
    made = compared_systems.assign_ids([compared_systems.compared_system(dataclasses.replace(model, path=path), None)])
    study = planned(where, made, AnswerParameters(), made=(MadeModel(path, "Q8_0", model.path, size_bytes=1000),))
    assert planning.require_room(study, where.data) == 1000
    monkeypatch.setattr("shutil.disk_usage", lambda _path: DiskUsage(100, 100, 0))
    with pytest.raises(AppError, match="drive_space"):
        planning.require_room(study, where.data)
