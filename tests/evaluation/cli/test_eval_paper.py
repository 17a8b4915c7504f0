"""`kotae eval paper`: stages one after another, each found again by its name; trainer and data are made up."""

import json
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.paths import locate
from app.evaluation.cli import eval_run
from app.evaluation.study import paper as paper_stages
from app.evaluation.study import studies
from app.training.runs import run_folders
from tests import hf_models
from tests import model_files as models
from tests.command_fixtures import Kotae


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    folder = tmp_path / "論文"
    folder.mkdir()
    made = [{"instruction": f"{n * 7919 % 10_007:x} は？", "output": f"{n * 104_729 % 99_991:x}"} for n in range(160)]
    (folder / "train_all_merged_5578.jsonl").write_text("".join(json.dumps(row) + "\n" for row in made), "utf-8")
    indices = {"40": list(range(40)), "80": list(range(20, 100))}
    (folder / "subset_indices.json").write_text(json.dumps(indices), "utf-8")
    asked = [{"id": n, "category": "堤防", "question": f"{n} 番目の点検は？"} for n in range(1, 31)]
    (folder / "test_questions_100.json").write_text(json.dumps(asked), "utf-8")
    return folder


def test_the_stages_run_in_turn_at_a_reduced_size_and_go_on_by_name(
    kotae: Kotae, paper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper_stages, "PAPER_FORMS", "F16,Q8_0")  # a child for each other form says nothing more
    base = models.tiny_llama(tmp_path / "モデル.gguf", metadata={"llama.context_length": 4096})
    asked = ("eval", "paper", str(paper), "--base", str(base), "--divide", "2", "--limit", "1", "--name", "再現")
    status, found, told = kotae(*asked)
    assert (status, found["error"]["code"]) == (
        3,
        "converter_missing",
    )  # the fake has none, and the last stage wants it
    assert "規模を小さくして行います" in told
    assert "再現 1 データの量：2 回学習し" in told
    assert "4 件の回答を作ります" in told  # two forms of the base and of the tuned model, one question
    entries = {
        one.study.kind: one for one in studies.list_all(locate(str(tmp_path / "データ")).evaluations) if one.study
    }
    scale, forms = entries["scale"].study, entries["quantizations"].study
    assert scale is not None
    assert forms is not None
    assert (scale.name, entries["scale"].state, scale.judge_preset) == (
        "再現 1 データの量",
        "finished",
        "paper-2603.18037",
    )
    assert [one.rows <= limit for one, limit in zip(scale.trainings, (20, 40), strict=True)] == [True, True]
    assert [one.system.quantization for one in forms.contenders][:2] == ["F32", "Q8_0"]
    # Nobody scores questions without a reference: the amount with the lowest loss is the one that goes on.
    assert "学習に使わなかった回答の損失が最も小さいため" in told
    assert [Path(one.adapter).parent for one in forms.made if one.adapter] == [Path(scale.trainings[-1].folder)]
    assert kotae(*asked)[1]["error"]["code"] == "converter_missing"
    for other in (("--limit", "2"), ("--limit", "1", "--divide", "3")):
        status, error, _ = kotae(*asked[:5], *asked[-2:], "--divide", "2", *other)
        assert (status, error["error"]["code"]) == (3, "paper_other_stage")
    other = models.tiny_llama(tmp_path / "別.gguf", metadata={"llama.context_length": 4096})
    status, error, _ = kotae(*asked[:4], str(other), *asked[5:])
    assert (status, error["error"]["code"]) == (3, "paper_other_stage")
    assert len(studies.list_all(locate(str(tmp_path / "データ")).evaluations)) == 2  # the same ones, gone on with


def only_planned(*_anything: object) -> int:
    raise AppError("evaluation_busy", id="x")


def test_every_stage_is_trained_and_asked_as_in_the_paper(
    kotae: Kotae, paper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two bases, so that the second stage is planned too; ours has no system prompt and its own settings."""
    monkeypatch.setattr(paper_stages, "PAPER_FORMS", "Q8_0")
    bases = [
        models.tiny_llama(tmp_path / name, metadata={"llama.context_length": 4096}) for name in ("一.gguf", "二.gguf")
    ]
    asked = ("eval", "paper", str(paper), "--limit", "1", "--divide", "1")
    asked += tuple(word for base in bases for word in ("--base", str(base)))
    kotae(*asked)
    entries = [one for one in studies.list_all(locate(str(tmp_path / "データ")).evaluations) if one.study]
    by_kind = {one.study.kind: one.study for one in entries if one.study}
    specs = {
        kind: [run_folders.read(Path(training.folder)).spec for training in by_kind[kind].trainings]
        for kind in ("scale", "bases")
    }
    assert [one.preset for one in specs["scale"] if one] == ["paper-2603.18037"] * 2
    assert [one.preset for one in specs["bases"] if one] == ["paper-2603.18037-bases"] * 2
    prompt = paper_stages.system_prompt()
    assert by_kind["scale"].choices.system_prompt == prompt
    first = next(one for one in specs["scale"] if one)
    messages = json.loads(Path(first.train).read_text("utf-8").splitlines()[0])["messages"]
    assert messages[0] == {"role": "system", "content": prompt}
    assert [training.rows for training in by_kind["scale"].trainings] == [40, 80]  # none is left out
    monkeypatch.setattr(eval_run, "carry_out", only_planned)
    kotae(*asked, "--preset", "standard")
    ours = next(one.study for one in studies.list_all(locate(str(tmp_path / "データ")).evaluations)
                if one.study and one.study.name.startswith("standard 1"))  # fmt: skip
    assert ours.choices.system_prompt is None


def test_data_that_is_not_the_papers_is_refused(kotae: Kotae, paper: Path, base: Path, tmp_path: Path) -> None:
    (paper / "subset_indices.json").write_text('{"40": [1], "80": [1, 999]}', "utf-8")
    status, found, _ = kotae("eval", "paper", str(paper), "--base", str(base), "--divide", "1")
    assert (status, found["error"]["code"]) == (3, "scale_index_outside")
    assert studies.list_all(locate(str(tmp_path / "データ")).evaluations) == []


def test_a_folder_that_no_answer_can_come_of_is_refused_before_anything_is_planned(
    kotae: Kotae, paper: Path, tmp_path: Path
) -> None:
    base = hf_models.model(tmp_path / "配布元")
    questions = str(paper / paper_stages.QUESTIONS)
    for asked in (
        ("eval", "paper", str(paper), "--base", str(base)),
        ("eval", "scale", str(paper / paper_stages.ROWS), "--base", str(base), "--questions", questions),
    ):
        status, found, _ = kotae(*asked)
        assert (status, found["error"]["code"]) == (3, "evaluation_base_is_folder")
    assert studies.list_all(locate(str(tmp_path / "データ")).evaluations) == []
