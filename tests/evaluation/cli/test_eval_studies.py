"""`kotae eval`: a study from the command line with a fake engine, then shown, exported, compared and removed."""

import json
import signal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from app import cli as main
from app.base.paths import Paths, locate
from app.chat import presets
from app.evaluation.study import studies
from tests import model_files as models
from tests.base.cli.processes import Start, ended
from tests.command_fixtures import Kotae
from tests.waiting import wait_until


@pytest.fixture
def long_base(tmp_path: Path) -> Path:
    return models.tiny_llama(tmp_path / "モデル.gguf", metadata={"llama.context_length": 4096})


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    path = tmp_path / "質問.jsonl"
    rows = [
        {"id": f"q{number}", "question": f"{number} 番目", "answer": "答え", "must_include": [f"{number} 番"]}
        for number in range(1, 7)
    ]
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    return path


@pytest.fixture
def evaluated(kotae: Kotae, long_base: Path, questions: Path) -> dict[str, Any]:
    status, found, told = kotae("eval", "questions", str(questions), "--model", str(long_base), "--name", "一回目")
    assert status == 0
    assert "質問 6 件" in told
    return found


def places(tmp_path: Path) -> Paths:
    return locate(str(tmp_path / "データ"))


def test_a_file_of_questions_is_answered_marked_reported_and_told_in_one_line_on_a_terminal(
    evaluated: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert evaluated["set"]["questions"] == 6
    (system,) = evaluated["systems"]
    assert system["means"]["score"] == {"mean": 1.0, "low": 0.6097, "high": 1.0, "units": 6}
    assert [f"{number} 番目" in one["answer"] for number, one in enumerate(system["answers"], start=1)] == [True] * 6
    assert Path(evaluated["report"]).is_file()
    out, sheet = tmp_path / "結果.csv", tmp_path / "採点 用紙.xlsx"
    told = "評価「一回目」の結果を {} に書き出しました。"
    asked = f"kotae eval judge 質問.jsonl --judge モデル --ratings '{sheet}' "
    for action, file, words in (("show", out, told), ("compare", f"{out}.html", told), ("ratings", sheet, asked)):
        capfd.readouterr()
        assert main.main(["eval", action, "一回目", "--out", str(file)], lambda *_: 0) == 0
        (line,) = capfd.readouterr().out.splitlines()
        assert words.format(file) in line


def test_a_preset_holds_for_every_answer(kotae: Kotae, long_base: Path, questions: Path, tmp_path: Path) -> None:
    asked = ("eval", "questions", str(questions), "--model", str(long_base), "--limit", "1", "--preset", "短く")
    assert kotae(*asked, "--seeds", "2")[0] == 0
    (entry,) = studies.list_all(places(tmp_path).evaluations)
    assert entry.study is not None
    (brief,) = (one for one in presets.built_in_presets() if one.id == "brief")
    choices = entry.study.choices
    assert choices.system_prompt
    assert (choices.system_prompt, choices.max_tokens, choices.temperature) == (brief.choices.system_prompt, 512, None)


def test_evaluations_are_shown_exported_listed_removed_and_restored(
    kotae: Kotae, evaluated: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("結果.xlsx", "結果.csv", "結果.html"):
        out = str(tmp_path / name)
        status, shown, _ = kotae("eval", "show", "一回", "--out", out)
        assert (status, shown) == (0, {"id": evaluated["id"], "name": "一回目", "out": out})
        assert (tmp_path / name).stat().st_size > 500
        assert kotae("eval", "show", "一回", "--out", str(tmp_path / name))[0] == 3  # nothing is replaced
    sheets = openpyxl.load_workbook(tmp_path / "結果.xlsx").sheetnames
    assert "結果" in sheets
    status, error, _ = kotae("eval", "show", "一回", "--out", str(tmp_path / "結果.pdf"))
    assert (status, error["error"]["code"]) == (3, "evaluation_out_format")
    (entry,) = kotae("eval", "list")[1]["evaluations"]
    assert (entry["id"], entry["state"], entry["systems"]) == (evaluated["id"], "finished", 1)
    status, removed, _ = kotae("eval", "remove", "一回目")
    assert (status, removed["removed"], Path(removed["path"]).is_dir()) == (0, entry["id"], True)
    assert kotae("eval", "list")[1] == {"evaluations": [], "removed": [entry["id"]]}
    assert kotae("eval", "show", "一回目")[1]["error"]["code"] == "evaluation_unknown"
    assert kotae("eval", "restore", "一回目")[:2] == (0, entry)
    assert kotae("eval", "list")[1] == {"evaluations": [entry], "removed": []}
    assert kotae("eval", "show", "一回目")[1] == evaluated
    assert kotae("eval", "restore", "一回目")[1]["error"]["code"] == "evaluation_unknown"


def test_two_evaluations_of_the_same_questions_stand_in_one_table(
    kotae: Kotae, evaluated: dict[str, Any], long_base: Path, questions: Path
) -> None:
    assert kotae("eval", "questions", str(questions), "--model", str(long_base), "--name", "二回目")[0] == 0
    status, found, _ = kotae("eval", "compare", "一回目", "二回目")
    assert status == 0
    names = [one["name"] for one in found["systems"]]
    assert len(set(names)) == 2
    assert found["comparisons"][0]["verdict"] == "unclear"
    assert kotae("eval", "questions", str(questions), "--model", str(long_base), "--limit", "5", "--name", "別")[0] == 0
    status, error, _ = kotae("eval", "compare", "一回目", "別")
    assert (status, error["error"]["code"]) == (3, "evaluation_other_questions")


def test_people_score_a_sheet_and_the_judge_is_held_against_it(
    kotae: Kotae, evaluated: dict[str, Any], tmp_path: Path, long_base: Path, questions: Path
) -> None:
    sheet = tmp_path / "用紙.xlsx"
    assert kotae("eval", "ratings", "一回目", "--out", str(sheet), "--n", "4")[1]["answers"] == 4
    book = openpyxl.load_workbook(sheet)
    page = book.worksheets[0]
    head = [cell.value for cell in page[1]]
    for row in page.iter_rows(min_row=2):
        row[len(head) - 1].value = 3
    book.save(sheet)
    rows = questions.read_text("utf-8").splitlines()
    told = '!say {"reason": "", "score": 3}'  # what the judge says of everything, for the fake reads it in the question
    questions.write_text("\n".join(json.dumps(json.loads(row) | {"question": told}) for row in rows), "utf-8")
    asked = ("eval", "judge", str(questions), "--judge", str(long_base))
    status, found, told = kotae(*asked, "--ratings", str(sheet))
    assert status == 0
    assert "用紙.xlsx：人の点 4 件を使います。" in told
    assert found["judge"]["is_trusted"] is None  # of so few answers
    assert found["systems"] == []
    (section,) = found["sections"]
    assert section["sentences"] == found["advice"]
    (table,) = section["tables"]
    assert kotae("eval", "show", found["id"], "--out", str(tmp_path / "判定.xlsx"))[0] == 0
    _head, *rows = openpyxl.load_workbook(tmp_path / "判定.xlsx")[section["title"]].iter_rows(values_only=True)
    assert [row[0] for row in rows[: len(table["rows"])]] == [row[0] for row in table["rows"]]
    assert kotae("eval", "show", found["id"], "--out", str(tmp_path / "判定.csv"))[0] == 0
    assert len((tmp_path / "判定.csv").read_text("utf-8-sig").splitlines()) == 1 + len(table["rows"])


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--limit", "0"), "bad_option"),
        (("--seeds", "3", "--temperature", "0"), "bad_option"),
        (("--ratings", "無い.xlsx"), "ratings_without_judge"),
        (("--pairs",), "pairs_without_judge"),
        (("--preset", "無い"), "unknown_preset"),
        (("--judge", "無い.gguf"), "file_missing"),
        (("--adapter", "無い"), "adapter_unknown"),
        (("--collection", "無い"), "unknown_collection"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_written(
    kotae: Kotae, long_base: Path, questions: Path, options: tuple[str, ...], code: str, tmp_path: Path
) -> None:
    status, error, _ = kotae("eval", "questions", str(questions), "--model", str(long_base), *options)
    assert (status, error["error"]["code"]) == (2 if code == "bad_option" else 3, code)
    assert studies.list_all(places(tmp_path).evaluations) == []


def test_who_is_not_known_is_refused_before_the_questions_are_read(
    kotae: Kotae, long_base: Path, questions: Path
) -> None:
    asked, known, unknown = str(questions), ("--model", str(long_base)), "無いモデル"
    for arguments in (
        ("questions", asked, "--model", unknown),
        ("questions", asked, *known, "--judge", unknown),
        ("documents", asked, *known, "--judge", unknown, "--collection", "基準"),
        ("judge", asked, "--judge", unknown),
        ("quant", unknown, "--questions", asked),
        ("quant", str(long_base), unknown, "--questions", asked),
        ("quant", str(long_base), "--judge", unknown, "--questions", asked),
        ("scale", asked, "--base", str(long_base), "--judge", unknown, "--questions", asked),
    ):
        status, error, told = kotae("eval", *arguments)
        assert (status, error["error"]["code"]) == (3, "unknown_model"), arguments
        assert "質問 6 件" not in told, arguments
    status, error, told = kotae("eval", "scale", asked, "--base", unknown, "--questions", asked)
    assert (status, error["error"]["code"], "質問 6 件" in told) == (3, "base_unknown", False)


def test_without_a_model_that_of_ask_is_taken(kotae: Kotae, long_base: Path, questions: Path) -> None:
    asked = ("eval", "questions", str(questions), "--limit", "1")
    assert kotae(*asked)[1]["error"]["code"] == "no_model_command"
    added = kotae("models", "import", str(long_base))[1]
    assert [one["model_name"] for one in kotae(*asked)[1]["systems"]] == [added["name"]]


def test_a_judge_is_asked_for_and_nothing_of_answering(
    kotae: Kotae, questions: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main.main(["eval", "judge", "--help"], lambda *_: 0)
    shown = capfd.readouterr().out
    assert "[--judge ID|FILE]" not in shown
    assert "--judge ID|FILE" in shown
    for option in ("--pairs", "--seeds", "--temperature", "--max-tokens", "--preset", "--context"):
        assert f"{option} " not in shown.replace("--judge-preset ", "")
    status, error, _ = kotae("eval", "judge", str(questions))
    assert (status, error["error"]["code"]) == (2, "usage")


def test_a_judge_needs_right_answers(kotae: Kotae, long_base: Path, tmp_path: Path) -> None:
    path = tmp_path / "正解なし.jsonl"
    path.write_text('{"question": "なに？"}\n{"question": "いつ？", "answer": "不明", "answerable": false}\n', "utf-8")
    status, error, _ = kotae("eval", "judge", str(path), "--judge", str(long_base))
    assert (status, error["error"]["code"]) == (3, "judge_without_references")


def test_forms_of_a_model_are_made_and_measured(kotae: Kotae, long_base: Path, questions: Path, tmp_path: Path) -> None:
    status, found, told = kotae("eval", "quant", str(long_base), "--questions", str(questions), "--quant", "F16,Q8_0")
    assert status == 0
    assert "ディスクは最大で" in told
    first, second = found["systems"]
    assert (first["quantization"], second["quantization"]) == ("F32", "Q8_0")
    assert first["kl_divergence"] is None
    assert second["kl_divergence"] > 0
    assert second["size_bytes"] < first["size_bytes"]
    assert list((Path(found["report"]).parent / studies.MODELS).glob("*.gguf")) == []
    status, error, _ = kotae(
        "eval", "quant", str(long_base), str(long_base), "--questions", str(questions), "--adapter", "x"
    )
    assert (status, error["error"]["code"]) == (3, "quant_adapter_alone")
    status, alone, _ = kotae("eval", "quant", str(long_base), "--quant", "F16", "--limit", "1", "--max-tokens", "4")
    assert (status, alone["set"]["name"]) == (0, "付属の質問")


def test_one_that_was_interrupted_goes_on(start: Start, kotae: Kotae, long_base: Path, tmp_path: Path) -> None:
    path = tmp_path / "遅い.jsonl"
    path.write_text('{"question": "一つ目"}\n{"question": "!slow 長い答えになる質問"}\n', "utf-8")
    process = start("eval", "questions", str(path), "--model", str(long_base), "--name", "遅い", "--json")
    evaluations = places(tmp_path).evaluations

    def is_answered() -> bool:
        return any(len(one.read_bytes().splitlines()) > 1 for one in evaluations.glob("*/answers/*.kotae-batch"))

    wait_until(is_answered)
    process.send_signal(signal.SIGINT)
    status, told, _ = ended(process)
    (entry,) = kotae("eval", "list")[1]["evaluations"]
    assert (status, told) == (130, entry)
    assert entry["state"] == "waiting"
    assert kotae("eval", "show", "遅い")[1]["error"]["code"] == "evaluation_not_finished"
    status, found, _ = kotae("eval", "resume", "遅い")
    assert (status, len(found["systems"][0]["answers"])) == (0, 2)
