"""How a study is planned: what an `AnswerParameters` becomes, and what is refused before anything is written."""

import dataclasses
import hashlib
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import describe_error
from app.chat import presets
from app.chat.presets import Choices
from app.evaluation import question_files
from app.evaluation.records import Question, QuestionSet
from app.evaluation.study import compared_systems, planning, studies
from app.evaluation.study.compared_systems import AdapterInUse
from app.evaluation.study.planning import QuantizationPlan, QuantizationSource
from app.evaluation.study.request import AnswerParameters, StudyRequest
from app.evaluation.study.studies import ComparedSystem, RatedAnswer, Study
from app.inference.local_model import LocalModel
from app.inference.quantizations import parse_quantizations
from app.models import catalogue, local_models, starter
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


def planned(contenders: tuple[ComparedSystem, ...], asking: AnswerParameters, **others: Any) -> Study:
    return planning.plan_study("試験-1", "questions", SET, contenders, asking, **others)


def test_a_study_says_what_is_asked(contenders: tuple[ComparedSystem, ...]) -> None:
    rated = (RatedAnswer(1, "棚", 3),)
    asking = AnswerParameters("点検", context_tokens=2048, judge_preset="paper-2603.18037", rated=rated)
    found = planned(contenders, asking)
    assert (found.name, found.kind, found.set_name, found.set_version) == ("点検", "questions", "試験", 2)
    assert (found.set_sha256, found.label, found.contenders) == (SET.sha256, "secret", contenders)
    assert (found.context_tokens, found.judge_preset, found.rated) == (2048, "paper-2603.18037", rated)


def test_a_second_study_has_a_name_of_its_own_unless_it_is_named(where: Paths, model: LocalModel) -> None:
    request = StudyRequest("judge", AnswerParameters(judge=model), questions=SET)
    first, asked = planning.plan(request, where, [model])
    assert not where.evaluations.exists()
    studies.create(where.evaluations / first.id, first, asked)
    second = planning.plan(request, where, [model])[0]
    assert (first.name, second.name, second.id == first.id) == ("試験", "試験（2）", False)
    named = dataclasses.replace(request, asking=dataclasses.replace(request.asking, name="試験"))
    assert planning.plan(named, where, [model])[0].name == "試験"


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
    contenders: tuple[ComparedSystem, ...], asking: AnswerParameters, temperature: float | None
) -> None:
    found = planned(contenders, asking)
    assert (found.choices.temperature, found.choices.max_tokens) == (temperature, 512)
    assert found.seeds == tuple(range(asking.seeds))


def test_a_preset_holds_below_what_is_asked_for_and_the_same_answer_so_often_is_told(
    contenders: tuple[ComparedSystem, ...],
) -> None:
    preset = Choices(system_prompt="短く", max_tokens=9)
    choices = planned(contenders, AnswerParameters(max_tokens=100, preset=preset)).choices
    assert (choices.system_prompt, choices.max_tokens) == ("短く", 100)
    assert planning.repeats_itself(planned(contenders, AnswerParameters(seeds=2, temperature=0.0)))
    assert not planning.repeats_itself(planned(contenders, AnswerParameters(seeds=2, temperature=0.5)))
    assert not planning.repeats_itself(planned(contenders, AnswerParameters(seeds=2)))
    assert not planning.repeats_itself(planned(contenders, AnswerParameters()))


def test_two_answers_are_shown_only_to_a_judge_and_only_of_two_systems(
    contenders: tuple[ComparedSystem, ...], model: LocalModel
) -> None:
    pairs = AnswerParameters(has_pairs=True, judge=model)
    assert planned(contenders, pairs).has_pairs
    for systems, asking in ((contenders, dataclasses.replace(pairs, judge=None)), (contenders[:1], pairs)):
        with pytest.raises(AppError, match="pairs_without_judge"):
            planned(systems, asking)


def test_forms_of_one_model_are_a_family(model: LocalModel, tmp_path: Path) -> None:
    shape = dataclasses.replace(models.TINY, layers=models.TINY.layers + 1)
    other = local_models.describe(models.tiny_llama(tmp_path / "別.gguf", shape=shape))
    same, again, different = planning.existing_systems([model, model, other])
    assert same.family == again.family != different.family
    assert [one.system.id for one in (same, again, different)] == ["s1", "s2", "s3"]


# ---------------------------------------------------------------- quantizations


Plan = Callable[..., QuantizationPlan]


@pytest.fixture
def whole(tmp_path: Path) -> QuantizationSource:
    return planning.source_of_model(local_models.describe(models.tiny_llama(tmp_path / "小.gguf")))


@pytest.fixture
def quantized(tmp_path: Path) -> QuantizationSource:
    path = models.tiny_llama(tmp_path / "小.gguf", metadata={"general.file_type": 15})
    return planning.source_of_model(local_models.describe(path))


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    def plan(source: QuantizationSource, forms: str = "F16,Q8_0,Q4_K_M", tuned: object = None) -> QuantizationPlan:
        asked = parse_quantizations(forms)
        return planning.plan_quantizations(source, asked, tuned, tmp_path / "x", tmp_path / "bases")  # type: ignore[arg-type]

    return plan


def test_forms_of_a_whole_file_are_made_of_it_f16_first_whether_it_is_named_or_not(
    whole: QuantizationSource, plan: Plan
) -> None:
    found = plan(whole)
    assert [one.system.quantization for one in found.contenders] == ["F32", "Q8_0", "Q4_K_M"]
    assert found.contenders[0].model.path == whole.model.path
    assert {(made.form, made.source) for made in found.made_models} == {
        (form, whole.model.path) for form in ("Q8_0", "Q4_K_M")
    }
    assert {one.family for one in found.contenders} == {"base"}
    assert [one.system.quantization for one in plan(whole, "Q8_0").contenders] == ["F32", "Q8_0"]
    found = plan(whole, tuned=(whole.model, AdapterInUse("/a.gguf", 0.5)))
    assert [made.strength for made in found.made_models if made.adapter] == [0.5]
    assert found.contenders[-1].system.strength == 0.5


def test_every_form_is_asked_as_the_card_of_the_model_says(quantized: QuantizationSource, plan: Plan) -> None:
    card = starter.card()
    model = dataclasses.replace(quantized.model, card_id=card.id, form_id=card.form)
    whole = dataclasses.replace(quantized, model=model)
    tuned = (dataclasses.replace(model, form_id=card.adapter_form), AdapterInUse("/a.gguf"))
    found = plan(whole, tuned=tuned)
    cards = [catalogue.card(one.model.card_id) for one in found.contenders]
    penalties = {presets.in_force(one).repeat_penalty for one in cards}
    assert penalties == {card.sampling.repeat_penalty} != {presets.in_force(None).repeat_penalty}
    assert [one.system.adapter for one in found.contenders] == [""] * 6 + ["/a.gguf"]  # never the card's own


def test_a_quantized_file_is_unpacked_once_and_stands_for_its_own_form(
    quantized: QuantizationSource, plan: Plan
) -> None:
    found = plan(quantized)
    assert [one.model.path == quantized.model.path for one in found.contenders] == [False, False, True]
    assert [(made.form, made.is_shared) for made in found.made_models] == [
        ("folder", True),
        ("F16", False),
        ("Q8_0", False),
    ]
    assert found.made_models[1].source == found.made_models[0].path
    sha256 = hashlib.sha256(Path(quantized.model.path).read_bytes()).hexdigest()
    assert (found.made_models[0].source_form, found.made_models[0].source_sha256) == ("Q4_K_M", sha256)


def test_with_an_adapter_the_merged_forms_and_the_unmerged_one_are_compared(
    quantized: QuantizationSource, plan: Plan
) -> None:
    tuned = (quantized.model, AdapterInUse("/a.gguf", name="学習"))
    found = plan(quantized, tuned=tuned)
    names = [one.system.name for one in found.contenders]
    assert names[3:] == ["学習後 F16", "学習後 Q8_0", "学習後 Q4_K_M", "学習後 Q4_K_M + アダプター"]
    assert [one.family for one in found.contenders] == ["base"] * 3 + ["tuned"] * 4
    assert [bool(one.system.adapter) for one in found.contenders] == [False] * 6 + [True]
    assert found.contenders[6].model.path == quantized.model.path
    merged = next(made for made in found.made_models if made.adapter)
    assert merged.source == next(made.path for made in found.made_models if made.form == "F16" and not made.adapter)


@pytest.mark.parametrize("named", ["Q4_K_M,Q8_0", "F16,Q4_K_M,Q5_K_M", "F16,Q5_K_M,Q4_K_M"])
def test_the_adapter_stands_beside_the_form_of_fewest_bits_wherever_it_is_named(
    whole: QuantizationSource, plan: Plan, named: str
) -> None:
    found = plan(whole, named, (whole.model, AdapterInUse("/a.gguf")))  # token tables of some forms are stored alike
    assert found.contenders[-1].system.quantization == "Q4_K_M"


# -------------------------------------------------------------------------- thinking


def test_a_model_is_compared_with_itself_without_and_with_its_thoughts(where: Paths, model: LocalModel) -> None:
    thinking = dataclasses.replace(model, form_id="qwen3")
    study, _ = planning.plan(StudyRequest("thinking", AnswerParameters(), questions=SET, models=(thinking,)), where, [])
    assert study.kind == "thinking"
    named = [(one.system.id, one.system.name, one.thought_tokens) for one in study.contenders]
    assert named == [("s1", "考えずに答える", 0), ("s2", "考えてから答える", 2048)]


def test_a_model_without_thoughts_is_refused_in_a_sentence(where: Paths, model: LocalModel) -> None:
    request = StudyRequest("thinking", AnswerParameters(), questions=SET, models=(model,))
    with pytest.raises(AppError, match="model_cannot_think"):
        planning.plan(request, where, [])
    (error,) = request.problems()
    assert model.name in describe_error(error).message
