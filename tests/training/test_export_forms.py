"""What is still to be made and measured, given what is there, and the room that it takes."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from app.inference import scoring_files
from app.inference.prompts import Segment
from app.inference.scoring_files import AnswerScore, ExampleScore, Scores
from app.models import base_models, catalogue
from app.models.artifact_steps import ArtifactStep, peak_bytes
from app.training import export_plan
from app.training.export_plan import ExportPlan
from app.training.runs import run_folders
from tests import hf_models
from tests import model_files as models
from tests.inference.engine import held_out
from tests.training.driver import code_of
from trainer.spec import RunSpec


@pytest.fixture
def export(tmp_path: Path) -> ExportPlan:
    run, folder = tmp_path / "run", hf_models.model(tmp_path / "base")
    run.mkdir()
    form = base_models.trainer_form(catalogue.load().forms["question_answer"])
    asked = RunSpec(str(run), str(folder), "train.jsonl", "val.jsonl", form=form, name="助手")
    run_folders.write_spec(run, asked)
    models.tiny_adapter(run / run_folders.ADAPTER)
    held_out.write(run / "holdout.json", [("首都は？", "東京です。")])
    made = export_plan.plan_export(export_plan.read_source(run), tmp_path / "cache")
    export_plan.open_folder(made, ())
    return made


ANSWER = AnswerScore(1, "首都は？", "東京です。", "end", 4)
MEASURED = dict.fromkeys(export_plan.ALL_FORMS, Scores((ExampleScore(1, 3, 2.5, 0.1, 2),)))


def planned_again(export: ExportPlan) -> ExportPlan:
    return export_plan.plan_export(export_plan.read_source(export.run), export.cache)


def shown(steps: list[ArtifactStep]) -> list[str]:
    return [f"{step.kind} {step.name}" for step in steps]


def test_all_is_made_once_and_in_an_order_in_which_each_step_has_what_it_needs(export: ExportPlan) -> None:
    assert shown(export_plan.remaining_steps(export, {}, all_forms=True)) == [
        "convert f16+adapter",
        "score f16+adapter",
        "quantize base",
        "score base",
        "score base+adapter",
        "merge F16",
        "score F16",
        *(f"{kind} {form}" for form in ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M") for kind in ("quantize", "score")),
    ]
    assert export_plan.remaining_steps(export, MEASURED, all_forms=True) == []


def test_a_base_that_is_answered_with_a_shipped_adapter_is_measured_with_it_too(
    export: ExportPlan, tmp_path: Path
) -> None:
    shipped = replace(export, shipped=tmp_path / "shipped.gguf")
    steps = shown(export_plan.remaining_steps(shipped, {}, all_forms=True))
    assert steps[3:6] == ["score base", "score base+shipped", "score base+adapter"]
    assert shipped.file("base+shipped") == shipped.file("base")
    assert shipped.adapter_of("base+shipped") == str(tmp_path / "shipped.gguf")
    assert shipped.adapter_of("base+adapter") == str(export.adapter)


def test_a_verdict_needs_the_bases_file_with_and_without_the_adapter(export: ExportPlan, tmp_path: Path) -> None:
    made = ["convert f16+adapter", "quantize base", "score base", "score base+adapter"]
    assert shown(export_plan.remaining_steps(export, {}, all_forms=False)) == made
    there = replace(export, base=tmp_path / "base.gguf")
    there.file("base").write_bytes(b"there")
    steps = export_plan.remaining_steps(there, {}, all_forms=False)
    assert shown(steps) == ["score base", "score base+adapter"]
    assert [step.job.reference for step in steps] == ["", ""]


def test_the_adapter_is_measured_again_beside_the_reference_and_keeps_its_answers(export: ExportPlan) -> None:
    first = Scores((ExampleScore(1, 3, 2.5),), (ANSWER,), write_tokens_per_s=8.5)
    measured = {"base": first, "base+adapter": first}
    steps = shown(export_plan.remaining_steps(export, measured, all_forms=True))
    assert [step for step in steps if step.startswith("score")][:2] == ["score f16+adapter", "score base+adapter"]
    again = Scores((ExampleScore(1, 3, 2.5, 0.1, 2),))
    kept = export_plan.with_answers_of(first, again, export.score_file("base+adapter"))
    assert (kept.divergence, kept.answers, kept.write_tokens_per_s) == (again.divergence, (ANSWER,), 8.5)
    assert scoring_files.read_scores(export.score_file("base+adapter")) == kept


def test_of_many_held_out_lines_the_engine_measures_those_of_the_answers_and_others_spread_evenly(
    export: ExportPlan,
) -> None:
    pairs = [(f"{at} 番の首都は？", f"東京 {at} です。") for at in range(200)]
    held_out.write(export.run / "holdout.json", pairs, chats=[])
    lines = [example.line for example in planned_again(export).holdout.examples]
    assert len(lines) == 64
    assert max(after - before for before, after in itertools.pairwise(lines)) <= 4


def test_a_reference_that_is_gone_is_made_again_for_what_is_held_against_it(export: ExportPlan) -> None:
    left = {form: found for form, found in MEASURED.items() if form != "Q4_K_M"}
    assert shown(export_plan.remaining_steps(export, left, all_forms=True)) == [
        "convert f16+adapter",
        "score f16+adapter",
        "merge F16",
        "quantize Q4_K_M",
        "score Q4_K_M",
    ]
    export.reference.write_bytes(b"there")
    export.base_f16.write_bytes(b"there")
    assert shown(export_plan.remaining_steps(export, left, all_forms=True)) == [
        "merge F16",
        "quantize Q4_K_M",
        "score Q4_K_M",
    ]


def test_the_file_of_a_form_is_made_from_what_is_there(export: ExportPlan) -> None:
    assert shown(export_plan.steps_to_make(export, "Q8_0")) == ["convert f16+adapter", "merge F16", "quantize Q8_0"]
    export.file("F16").write_bytes(b"there")
    assert shown(export_plan.steps_to_make(export, "Q8_0")) == ["quantize Q8_0"]
    export.file("Q8_0").write_bytes(b"there")
    assert export_plan.steps_to_make(export, "Q8_0") == []
    assert export_plan.steps_to_finish(export, "Q8_0") == []


def test_a_merged_file_in_f16_is_given_out_with_the_runs_name(export: ExportPlan) -> None:
    """Merging copies the base's header, in which llama.cpp's converter has put a folder's name."""
    assert shown(export_plan.steps_to_finish(export, "F16")) == ["convert f16+adapter", "merge F16", "quantize F16"]
    export.file("F16").write_bytes(b"of the base's name")
    (step,) = export_plan.steps_to_finish(export, "F16")
    step.path.write_bytes(b"of the run's name")
    assert export_plan.steps_to_finish(export, "F16") == []
    name = export_plan.publish_in_run_folder(export, "F16")
    assert name == "助手-F16.gguf"
    assert (export.run / name).read_bytes() == b"of the run's name"
    assert list(export.folder.glob("*.gguf")) == []


def test_room_is_counted_where_files_lie_side_by_side(export: ExportPlan) -> None:
    steps = export_plan.remaining_steps(export, {}, all_forms=True)
    sizes = {step.name: step.writes_bytes for step in steps if step.kind in ("convert", "merge", "quantize")}
    reference = export.holdout.scored_positions * 8200
    lie = [sizes[form] for form in ("f16+adapter", "base", "F16", "Q8_0", "Q6_K")]
    assert peak_bytes(steps) == sum(lie) + reference
    assert peak_bytes([]) == 0


def test_what_was_measured_with_another_adapter_counts_no_more(export: ExportPlan) -> None:
    found = Scores((ExampleScore(1, 3, 2.5),), (ANSWER,))
    scoring_files.write_scores(found, export.score_file("base"))
    export.score_file("F16").write_text("{", encoding="utf-8")
    assert export_plan.read_scores(export) == {"base": found}
    models.tiny_adapter(export.adapter, size=0.5)
    other = planned_again(export)
    assert other.key != export.key
    assert export_plan.read_scores(other) == {}
    export_plan.open_folder(other, ())
    assert not export.folder.exists()


def test_what_was_measured_with_other_prompts_counts_no_more(
    export: ExportPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert planned_again(export).key == export.key
    monkeypatch.setattr("app.training.export_plan.ANSWER_LEAST_TOKENS", 65)
    longer = planned_again(export).key
    monkeypatch.setattr("app.training.export_plan.prompt_segments", lambda _form, _messages: (Segment("別の聞き方"),))
    assert len({export.key, longer, planned_again(export).key}) == 3


def test_what_was_measured_of_all_held_out_lines_before_is_measured_again(export: ExportPlan) -> None:
    """The forms of one verdict are compared line by line, and the others are measured with fewer of them."""
    some, all_lines = Scores((ExampleScore(1, 3, 2.5),)), Scores(tuple(ExampleScore(at, 3, 2.5) for at in (1, 2)))
    scoring_files.write_scores(some, export.score_file("base+adapter"))
    scoring_files.write_scores(all_lines, export.score_file("f16+adapter"))
    assert export_plan.read_scores(export) == {"base+adapter": some}


def test_a_base_without_the_answers_that_are_wanted_is_measured_again(export: ExportPlan) -> None:
    silent = Scores((ExampleScore(1, 3, 2.5),))
    for form in ("f16+adapter", "F16", "base"):
        scoring_files.write_scores(silent, export.score_file(form))
    assert set(export_plan.read_scores(export)) == {"f16+adapter", "F16"}
    scoring_files.write_scores(replace(silent, answers=(ANSWER,)), export.score_file("base"))
    assert set(export_plan.read_scores(export)) == {"f16+adapter", "F16", "base"}


def test_the_form_that_is_proposed_answers_once_where_there_are_questions_and_keeps_what_was_measured(
    export: ExportPlan,
) -> None:
    silent = Scores((ExampleScore(1, 3, 2.5, 0.1, 2),))
    export.file("F16").write_bytes(b"there")
    (step,) = export_plan.steps_to_answer(export, "F16", silent)
    assert (step.kind, step.name) == ("answer", "F16")
    scoring_files.write_scores(Scores((), (ANSWER,), write_tokens_per_s=8.5), step.path)
    found = export_plan.merge_answer_file_into_scores(export, "F16", silent)
    assert found == replace(silent, answers=(ANSWER,), write_tokens_per_s=8.5)
    assert export_plan.read_scores(export) == {"F16": found}
    assert export_plan.steps_to_answer(export, "F16", found) == []
    assert not step.path.exists()
    assert export_plan.steps_to_answer(replace(export, form=None), "F16", Scores((ExampleScore(1, 3, 2.5),))) == []


def test_only_the_form_that_is_proposed_stays(export: ExportPlan) -> None:
    for form in ("base", "F16", "Q8_0", "Q4_K_M"):
        export.file(form).write_bytes(form.encode())
    (export.run / "助手-Q6_K.gguf").write_bytes(b"of an earlier gate")
    (export.run / "own.gguf").write_bytes(b"somebody's")
    (export.run / run_folders.GATE).write_text("{}", encoding="utf-8")
    name = export_plan.publish_in_run_folder(export, "Q8_0")
    assert {path.name for path in export.run.rglob("*.gguf")} == {"adapter.gguf", "own.gguf", name}
    assert (export.run / name).read_bytes() == b"Q8_0"
    assert not (export.run / run_folders.GATE).exists()  # it names a file that is gone


def test_a_base_of_the_users_is_never_touched(export: ExportPlan, tmp_path: Path) -> None:
    own = models.tiny_llama(tmp_path / "own.gguf")
    with_own = replace(export, base=own)
    export_plan.delete_unneeded(with_own, ())
    assert export_plan.publish_in_run_folder(with_own, "base+adapter") == ""
    assert own.is_file()
    export.file("base").write_bytes(b"made here")
    assert export_plan.publish_in_run_folder(export, "base+adapter") == "base.gguf"
    assert (export.run / "base.gguf").read_bytes() == b"made here"


@pytest.mark.parametrize(
    ("name", "code"), [(run_folders.ADAPTER, "gate_not_finished"), (run_folders.HOLDOUT, "gate_no_holdout")]
)
def test_a_run_that_cannot_be_judged_says_why(export: ExportPlan, name: str, code: str) -> None:
    (export.run / name).unlink()
    assert code_of(export_plan.read_source, export.run) == code
