"""What is shown of a run: conditions that agree with the verdict, categories, pairs and forms."""

import dataclasses
import json
from pathlib import Path

import pytest

from app.base.bootstrap import ConfidenceInterval
from app.base.files import input_file
from app.inference.scoring_files import HeldOutExample
from app.training import quality_gate, run_result
from app.training.quality_gate import BASE_ADAPTER, REASON_FACTS, AnswerRow, GateReason, GateResult
from app.training.runs import run_folders
from tests.training import report_folder
from trainer import spec

LOOP = "同じ文の繰り返しです。" * 5


@pytest.fixture(scope="module")
def judged() -> GateResult:
    return report_folder.judged()


def answer(change: float | None, tuned: str = "百ミリです。", *, ends: tuple[str, str] = ("end", "end")) -> AnswerRow:
    return AnswerRow(1, "問い", "お手本", "元の回答です。", ends[0], tuned, ends[1], change)


def example(line: int, before: float = 4.0, after: float = 2.0, tokens: int = 2) -> HeldOutExample:
    ids = tuple(range(tokens + 1))
    return HeldOutExample(line, ids, (-100, *ids[1:]), before, after)


def test_what_the_gate_has_looked_at_are_the_conditions(judged: GateResult) -> None:
    found = {one.code: one for one in run_result.conditions(judged)}
    assert list(found) == [
        "training", "form", "examples", "ended", "looping", "japanese", "ids", "export", "merge", "loss", "memory",
    ]  # fmt: skip
    assert found["training"].facts["change"] == judged.change
    assert found["training"].facts["after"] == judged.adapter_nll
    assert found["ids"].facts == {"equal": 20, "total": 20}
    shipped = dataclasses.replace(judged, change_from_shipped=ConfidenceInterval(-1, -2, -0.5, 24))
    assert "shipped" in {one.code for one in run_result.conditions(shipped)}


def test_each_reason_of_a_gate_stands_at_one_condition(judged: GateResult) -> None:
    """So that a verdict that is no yes has a row that says why."""
    for code in REASON_FACTS:
        if code.startswith("form_") and code != "form_loss":
            continue  # told from the interval itself, as below
        found = dataclasses.replace(
            judged,
            verdict="reject",
            reasons=(GateReason(code, "reject"),),
            change_from_shipped=judged.change,
            win_rate=judged.change if code.startswith("wins_") else None,
        )
        wrong = [one.code for one in run_result.conditions(found) if one.level == "reject"]
        assert len(wrong) == 1, code


def test_a_form_that_is_worse_is_told_also_where_the_gate_speaks_of_the_training_alone(judged: GateResult) -> None:
    row = dataclasses.replace(judged.row(judged.proposed), change=ConfidenceInterval(0.2, 0.1, 0.3, 24))
    forms = tuple(row if one.form == row.form else one for one in judged.forms)
    found = dataclasses.replace(judged, forms=forms, reasons=(GateReason("worse", "reject"),))
    levels = {one.code: one.level for one in run_result.conditions(found)}
    assert (levels["training"], levels["form"], levels["ids"]) == ("reject", "reject", "passed")
    assert run_result.level_of(ConfidenceInterval(-0.1, -0.3, 0.1, 24)) == "check"


def test_a_worsened_answer_comes_first_and_the_best_beside_it() -> None:
    rows = [answer(change) for change in (-1.0, 0.0, 0.4, -2.0, 0.1)]
    found = run_result.pairs(rows)
    assert [pair.row.change_nats for pair in found] == [0.4, -2.0, 0.1, -1.0, 0.0]
    assert [pair.kind for pair in found] == ["worse", "better", "worse", "better", "same"]
    assert run_result.pairs([answer(-0.5), answer(-3.0)])[0].row.change_nats == -0.5  # where nothing is worse


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        (answer(-1.0), "better"),
        (answer(1.0), "worse"),
        (answer(-0.001), "same"),
        (answer(None), "same"),
        (answer(-1.0, LOOP), "worse"),
        (answer(-1.0, " "), "worse"),
        (answer(-1.0, ends=("end", "limit")), "worse"),
        (answer(-1.0, ends=("limit", "limit")), "same"),
        (answer(1.0, ends=("limit", "limit")), "worse"),
    ],
)
def test_an_answer_that_is_no_answer_has_not_got_better(row: AnswerRow, kind: str) -> None:
    assert run_result.classify_answer(row) == kind


def test_categories_are_those_that_have_enough_examples_to_be_told_apart() -> None:
    examples = [example(line, after=2.0 if line <= 8 else 5.0) for line in range(1, 19)]
    names = {line: "調査" if line <= 8 else "設計" if line <= 13 else f"ほか {line}" for line in range(1, 19)}
    found = run_result.categories(examples, names, "category")
    assert (found.by, [(one.name, one.count) for one in found.rows]) == (
        "category",
        [("調査", 8), ("設計", 5), (run_result.OTHER, 5)],
    )
    survey, design = found.rows[:2]
    assert (survey.before.mean, survey.after.mean, survey.change.mean) == (2.0, 1.0, -1.0)
    assert design.change.is_worse


def test_without_categories_examples_are_told_apart_by_the_length_of_their_answers() -> None:
    examples = [example(line, tokens=line) for line in range(1, 19)]
    found = run_result.categories(examples, {}, "")
    assert found.by == "length"
    assert [(one.name, one.count) for one in found.rows] == [("short", 6), ("middle", 6), ("long", 6)]
    assert found.rows[0].before.mean > found.rows[2].before.mean  # the same nats over fewer tokens
    assert run_result.categories(examples[:8], {}, "") == run_result.CategoryLosses()
    unknown = [example(line, before=float("nan")) for line in range(1, 19)]
    assert run_result.categories(unknown, {}, "") == run_result.CategoryLosses()


def held_out(folder: Path, groups: list[str]) -> None:
    """The rows that were kept back, and their examples, beside a run."""
    rows = [json.dumps({"messages": [], "group": group}, ensure_ascii=False) for group in groups]
    (folder / "holdout.jsonl").write_text("\n".join(rows), encoding="utf-8")
    asked = spec.read(folder / run_folders.SPEC)
    told = spec.to_json(asked) | {
        "holdout": str(folder / "holdout.jsonl"),
        "hashes": {"holdout": input_file.sha256_of(folder / "holdout.jsonl")},
    }
    run_folders.write_spec(folder, spec.from_json(told))
    examples = [
        {"line": at + 1, "ids": [1, 2], "labels": [-100, 2], "base_nll": 3.0, "adapter_nll": 2.0}
        for at in range(len(groups))
    ]
    body = {"version": 1, "examples": examples, "end_ids": [2], "precision": "f32"}
    (folder / run_folders.HOLDOUT).write_text(json.dumps(body), encoding="utf-8")


def test_a_runs_folder_is_read_whole(tmp_path: Path) -> None:
    folder = report_folder.write(tmp_path / "run")
    held_out(folder, ["設計編"] * 6 + ["調査編"] * 5)
    found = run_result.read_result(folder)
    assert found.gate == quality_gate.read_gate(folder)
    assert (found.categories.by, [one.name for one in found.categories.rows]) == ("group", ["設計編", "調査編"])
    assert len(found.pairs) == 20
    assert [pair.kind for pair in found.pairs].count("same") == 1  # the one that is cut off, as it was before
    assert found.pairs[0].kind == "same"
    assert (found.can_judge, found.has_adapter, found.has_report) == (True, False, False)
    with (folder / "holdout.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n{}")
    assert run_result.read_result(folder).categories == run_result.CategoryLosses()  # of other rows nothing is said


def test_a_run_that_is_not_judged_or_whose_gate_is_damaged_says_so(tmp_path: Path) -> None:
    folder = report_folder.write(tmp_path / "run", with_gate=False)
    found = run_result.read_result(folder)
    assert (found.gate, found.error, found.can_judge, found.forms) == (None, None, False, ())
    (folder / run_folders.GATE).write_text("{", encoding="utf-8")
    error = run_result.read_result(folder).error
    assert error.code == "gate_unreadable"


def test_forms_are_told_apart_by_whether_they_were_measured_and_whether_they_are_there(
    tmp_path: Path, judged: GateResult
) -> None:
    base = tmp_path / "base.gguf"
    base.write_bytes(b"GGUF")
    folder = report_folder.write(tmp_path / "run")
    told = spec.to_json(spec.read(folder / run_folders.SPEC)) | {"base": str(base)}
    run_folders.write_spec(folder, spec.from_json(told))
    fewer = dataclasses.replace(judged, forms=tuple(row for row in judged.forms if row.form != "Q6_K"))
    found = {one.form: one for one in run_result.form_choices(folder, fewer)}
    assert list(found) == [BASE_ADAPTER, "F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"]
    assert found["Q6_K"].row is None
    assert found["Q4_K_M"].is_lossy
    assert [one.form for one in found.values() if one.is_proposed] == [judged.proposed]
    assert not any(one.is_made for one in found.values())
    (folder / run_folders.ADAPTER).write_bytes(b"")
    (folder / "名前-Q8_0.gguf").write_bytes(b"")
    made = {one.form for one in run_result.form_choices(folder, fewer) if one.is_made}
    assert made == {BASE_ADAPTER, "Q8_0"}
    assert run_result.form_file(folder, BASE_ADAPTER) == base
    rejected = dataclasses.replace(fewer, verdict="reject")
    assert not any(one.is_proposed for one in run_result.form_choices(folder, rejected))
