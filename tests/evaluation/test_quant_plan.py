"""Which forms are made of what: everything from one F16 file, and what is there already is not made again."""

import dataclasses
import hashlib
from pathlib import Path

import pytest

from app.chat import presets
from app.evaluation.study import planning
from app.evaluation.study.compared_systems import Tuning
from app.evaluation.study.planning import QuantizationSource
from app.inference.quantizations import parse_quantizations
from app.models import catalogue, local_models, starter
from tests import model_files as models

FORMS = parse_quantizations("F16,Q8_0,Q4_K_M")


@pytest.fixture
def whole(tmp_path: Path) -> QuantizationSource:
    return planning.source_of_model(local_models.describe(models.tiny_llama(tmp_path / "小.gguf")))


@pytest.fixture
def quantized(tmp_path: Path) -> QuantizationSource:
    path = models.tiny_llama(tmp_path / "小.gguf", metadata={"general.file_type": 15})
    return planning.source_of_model(local_models.describe(path))


def test_forms_of_a_whole_file_are_made_of_it(whole: QuantizationSource, tmp_path: Path) -> None:
    plan = planning.plan_quantizations(whole, FORMS, None, tmp_path / "x", tmp_path / "bases")
    assert [one.system.quantization for one in plan.contenders] == ["F32", "Q8_0", "Q4_K_M"]
    assert plan.contenders[0].model.path == whole.model.path
    assert {(made.form, made.source) for made in plan.made} == {
        ("Q8_0", whole.model.path),
        ("Q4_K_M", whole.model.path),
    }
    assert {one.family for one in plan.contenders} == {"base"}


def test_every_form_is_asked_as_the_card_of_the_model_says(quantized: QuantizationSource, tmp_path: Path) -> None:
    card = starter.card()
    model = dataclasses.replace(quantized.model, card_id=card.id, form_id=card.form)
    whole = dataclasses.replace(quantized, model=model)
    tuned = (dataclasses.replace(model, form_id=card.adapter_form), Tuning("/a.gguf"))
    plan = planning.plan_quantizations(whole, FORMS, tuned, tmp_path / "x", tmp_path / "bases")
    cards = [catalogue.load().card(one.model.card_id) for one in plan.contenders]
    penalties = {presets.in_force(one).repeat_penalty for one in cards}
    assert penalties == {card.sampling.repeat_penalty} != {presets.in_force(None).repeat_penalty}
    assert [one.system.adapter for one in plan.contenders] == [""] * 6 + ["/a.gguf"]  # never the card's own


def test_a_quantized_file_is_unpacked_once_and_stands_for_its_own_form(
    quantized: QuantizationSource, tmp_path: Path
) -> None:
    plan = planning.plan_quantizations(quantized, FORMS, None, tmp_path / "x", tmp_path / "bases")
    assert [one.model.path == quantized.model.path for one in plan.contenders] == [False, False, True]
    assert [(made.form, made.is_shared) for made in plan.made] == [("folder", True), ("F16", False), ("Q8_0", False)]
    assert plan.made[1].source == plan.made[0].path
    sha256 = hashlib.sha256(Path(quantized.model.path).read_bytes()).hexdigest()
    assert (plan.made[0].source_form, plan.made[0].source_sha256) == ("Q4_K_M", sha256)


def test_with_an_adapter_the_merged_forms_and_the_unmerged_one_are_compared(
    quantized: QuantizationSource, tmp_path: Path
) -> None:
    tuned = (quantized.model, Tuning("/a.gguf", name="学習"))
    plan = planning.plan_quantizations(quantized, FORMS, tuned, tmp_path / "x", tmp_path / "bases")
    names = [one.system.name for one in plan.contenders]
    assert names[3:] == ["学習後 F16", "学習後 Q8_0", "学習後 Q4_K_M", "学習後 Q4_K_M + アダプター"]
    assert [one.family for one in plan.contenders] == ["base"] * 3 + ["tuned"] * 4
    assert [bool(one.system.adapter) for one in plan.contenders] == [False] * 6 + [True]
    assert plan.contenders[6].model.path == quantized.model.path
    merged = next(made for made in plan.made if made.adapter)
    assert merged.source == next(made.path for made in plan.made if made.form == "F16" and not made.adapter)


def test_the_strength_of_an_adapter_holds_for_merged_forms_too(whole: QuantizationSource, tmp_path: Path) -> None:
    plan = planning.plan_quantizations(
        whole, FORMS, (whole.model, Tuning("/a.gguf", 0.5)), tmp_path / "x", tmp_path / "bases"
    )
    assert [made.strength for made in plan.made if made.adapter] == [0.5]
    assert plan.contenders[-1].system.strength == 0.5


def test_the_adapter_stands_beside_the_smallest_form_wherever_it_is_named(
    whole: QuantizationSource, tmp_path: Path
) -> None:
    tuned, forms = (whole.model, Tuning("/a.gguf")), parse_quantizations("Q4_K_M,Q8_0")
    plan = planning.plan_quantizations(whole, forms, tuned, tmp_path / "x", tmp_path / "bases")
    assert plan.contenders[-1].system.quantization == "Q4_K_M"


def test_f16_comes_first_whether_it_is_named_or_not(whole: QuantizationSource, tmp_path: Path) -> None:
    plan = planning.plan_quantizations(whole, parse_quantizations("Q8_0"), None, tmp_path / "x", tmp_path / "bases")
    assert [one.system.quantization for one in plan.contenders] == ["F32", "Q8_0"]


def test_the_adapter_stands_beside_the_form_of_fewest_bits(whole: QuantizationSource, tmp_path: Path) -> None:
    tuned = (whole.model, Tuning("/a.gguf"))  # token tables of both forms are stored alike
    plan = planning.plan_quantizations(
        whole, parse_quantizations("F16,Q4_K_M,Q5_K_M"), tuned, tmp_path / "x", tmp_path / "bases"
    )
    assert plan.contenders[-1].system.quantization == "Q4_K_M"
    plan = planning.plan_quantizations(
        whole, parse_quantizations("F16,Q5_K_M,Q4_K_M"), tuned, tmp_path / "y", tmp_path / "bases"
    )
    assert plan.contenders[-1].system.quantization == "Q4_K_M"
