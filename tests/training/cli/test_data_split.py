"""`kotae data split`: files, figures, and every refusal in words."""

import contextlib
import csv
import io
import json
import re
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.cli import main
from app.documents.library import Library
from app.training.cli.data import FEW_TRAINED
from app.training.data import split_record
from app.training.data.rows import TrainingRow
from tests.faults.ledger import Tally
from tests.training.data.split_rows import distinct
from trainer import preflight


def run(*arguments: str | Path) -> int:
    return main(["data", "split", *map(str, arguments)], lambda *_: 0)


def table(folder: Path, count: int = 100) -> Path:
    """Questions and answers of which the last two are those of the first row, and one is empty."""
    rows = distinct(count)
    file = folder / "社内の質問.csv"
    with file.open("w", encoding="utf-8-sig", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["ご質問", "模範解答", "資料", "備考"])
        writer.writerows([row.question, row.answer, f"資料{row.line % 20}", ""] for row in rows)
        writer.writerows([rows[0].question, rows[0].answer + " ", "資料99", ""] for _ in range(2))
        writer.writerow(["何ですか。", "", "資料1", ""])
    return file


COLUMNS = ("--question", "ご質問", "--answer", "模範解答", "--group", "資料")


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a split of the table, and what was said of it."""
    folder, said = tmp_path_factory.mktemp("表"), io.StringIO()
    with contextlib.redirect_stdout(said):
        assert run(table(folder), "--out", folder / "分割", *COLUMNS) == 0
    return folder / "分割", said.getvalue()


def test_what_was_made_is_said(split: tuple[Path, str]) -> None:
    folder, printed = split
    assert "学習用 60 行、検証用 20 行、試験用 20 行に分け" in printed
    assert "「資料」が同じ行は" in printed
    assert "使えない 1 行" in printed
    assert "除いた行：2 行（同じ内容 2 行、試験用の行に似ている 0 行）" in printed
    assert re.search(r"102 行目：2 行目と同じ内容\n *103 行目：2 行目", printed)
    assert "重なりは見つかりません（質問と回答の類似度が 0.8 以上の行：0、同じ回答が学習用にもある行：0、" in printed
    assert "回答は、試験用 20 行のうち 20 行について比べました（20 文字未満の回答と、20 行を超える" in printed
    assert "学習用が" not in printed
    assert "試験用が 4 件しかありません（同じグループの行は" in printed
    assert re.search(r"0\.0–0\.1 +█+ 20", printed)
    mapping = {"question": "ご質問", "answer": "模範解答", "group": "資料"}
    assert split_record.verify_split(folder).source["mapping"] == mapping


def objects(path: Path, count: int, describe: Callable[[TrainingRow], dict[str, object]]) -> Path:
    """Write rows of which each is the object that describes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(describe(row), ensure_ascii=False) for row in distinct(count)), "utf-8")
    return path


def pair(row: TrainingRow, **more: object) -> dict[str, object]:
    return {"question": row.question, "answer": row.answer, **more}


def test_rows_of_secret_documents_are_said_to_be_and_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    label = {7: "secret"}
    path = objects(
        tmp_path / "組.jsonl", 40, lambda row: pair(row, provenance={"label": label.get(row.line, "public")})
    )
    assert run(path, "--out", tmp_path / "分割") == 0
    assert "機密の資料から作った行が入っています" in capsys.readouterr().out
    assert split_record.verify_split(tmp_path / "分割").source["label"] == "secret"


def documented(folder: Path, label: str) -> Path:
    """Rows that were made of a document."""
    told = {"label": label, "collection": "内規", "document": "内規.pdf"}
    return objects(folder / "組.jsonl", 60, lambda row: pair(row, provenance=told))


def secret_split(folder: Path) -> Path:
    assert run(documented(folder, "secret"), "--out", folder / "分割") == 0
    return folder / "分割"


@pytest.mark.fault("S16")
def test_a_part_of_a_split_keeps_the_label_when_it_is_split_or_checked_once_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tally: Tally
) -> None:
    first = secret_split(tmp_path / "一回目")
    capsys.readouterr()
    assert run(first / "train.jsonl", "--out", tmp_path / "二回目") == 0
    source = split_record.verify_split(tmp_path / "二回目").source
    assert (source["label"], source["origins"]) == ("secret", [["内規", "内規.pdf"]])
    assert main(["data", "check", str(first / "train.jsonl"), "--out", str(tmp_path / "a.xlsx")], lambda *_: 0) == 3
    assert "機密" in capsys.readouterr().err
    assert not (tmp_path / "a.xlsx").exists()
    tally.tried(2)


@pytest.mark.fault("S16")
@pytest.mark.parametrize("name", ["ラベル", "Label", "label"])
def test_a_table_of_answers_that_was_exported_keeps_its_label(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    for said, expected in (("機密", "secret"), ("公開", None)):
        path = objects(
            tmp_path / f"回答-{said}.jsonl", 40,
            lambda one, said=said: {"質問": one.question, "回答": one.answer, name: said if one.line == 7 else ""},
        )  # fmt: skip
        assert run(path, "--out", tmp_path / said) == 0
        assert split_record.verify_split(tmp_path / said).source.get("label") == expected
    assert "機密" in capsys.readouterr().out


@pytest.mark.fault("S16")
def test_rows_out_of_the_data_folder_pass_the_gate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "データ"
    file = secret_split(data / "runs" / "x") / "train.jsonl"
    asked = (file, "--out", tmp_path / "外", "--data-dir", data)
    assert run(*asked) == 3
    assert "機密" in capsys.readouterr().err
    assert not (tmp_path / "外").exists()
    assert run(*asked, "--allow-secret") == 0
    noted = [json.loads(line) for line in (data / "exports.log").read_text("utf-8").splitlines()]
    assert noted[-1]["target"] == str(tmp_path / "外")


class _Terminal(io.StringIO):
    """What a user looks at; `on_comparing` is called when it says that rows are being compared."""

    def __init__(self, on_comparing: Callable[[], None]) -> None:
        super().__init__()
        self._on_comparing = on_comparing

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if "比べています" in text:
            self._on_comparing()
        return super().write(text)


@pytest.mark.fault("S16")
def test_rows_whose_documents_become_secret_while_they_are_split_leave_nothing_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "データ"
    file = documented(data / "runs" / "x", "internal")
    with closing(Library.open(data / "documents.sqlite")) as library:
        collection = library.add_collection("内規", "internal")
        said = _Terminal(lambda: library.set_label(collection, "secret"))
        monkeypatch.setattr(sys, "stderr", said)
        assert run(file, "--out", tmp_path / "外", "--data-dir", data) == 3
    assert "機密" in said.getvalue()
    assert not (tmp_path / "外").exists()


def test_json_is_one_object_and_what_split_json_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "分割"
    assert run(table(tmp_path), "--out", folder, *COLUMNS, "--json", "--seed", "3") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed.pop("folder") == str(folder)
    assert printed == json.loads((folder / split_record.MANIFEST).read_bytes())
    assert printed["seed"] == 3
    assert printed["source"]["unusable_rows"] == 1
    assert [one["reason"] for one in printed["removed"]] == ["same", "same"]


def flawed(folder: Path, count: int = 30) -> Path:
    """The second of its rows has lost its letters, the third a telephone number."""
    answers = {2: "？？？？", 3: "電話は 03-1234-5678 です。"}
    return objects(folder / "rows.jsonl", count, lambda row: pair(row) | {"answer": answers.get(row.line, row.answer)})


def test_rows_to_be_looked_at_are_counted_by_kind_and_too_few_rows_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(flawed(tmp_path), "--out", tmp_path / "x") == 0
    printed = capsys.readouterr().out
    assert "確認が必要な行が 2 行入っています（文字化け 1 行、個人情報 1 行）。kotae data check " in printed
    assert split_record.verify_split(tmp_path / "x").source["flagged"] == {"mojibake": [2], "personal": [3]}
    assert "学習用が 16 行しかありません。50 行より" in printed
    assert "試験用が 7 件しかありません（同じグループの行は、合わせて 1 件に数えます）。20 件より" in printed
    assert preflight.FEW == FEW_TRAINED


def test_rows_to_be_looked_at_can_be_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(flawed(tmp_path), "--out", tmp_path / "x", "--drop-flagged") == 0
    assert "確認が必要な 2 行を除きました（文字化け 1 行、個人情報 1 行。" in capsys.readouterr().out
    manifest = split_record.verify_split(tmp_path / "x")
    assert sum(part.rows for part in manifest.files.values()) == 28
    assert manifest.source["flagged"] == {"mojibake": [2], "personal": [3]}
    assert manifest.source["flagged_dropped"] is True


def test_a_seed_says_which_rows_and_shares_say_how_many(tmp_path: Path) -> None:
    file = table(tmp_path)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run(file, "--out", tmp_path / name, *COLUMNS[:4], "--seed", str(seed), "--holdout", "0.3") == 0
    made = {name: {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "abc"}
    assert made["a"] == made["b"]
    assert made["a"]["holdout.jsonl"] != made["c"]["holdout.jsonl"]
    assert made["a"]["holdout.jsonl"].count(b"\n") == 30


def test_the_files_can_be_split_and_checked_again(
    split: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written is what is read: rows and groups."""
    assert run(split[0] / "train.jsonl", "--out", tmp_path / "y", "--json") == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert sum(part["rows"] for part in printed["files"].values()) == 60
    assert printed["removed"] == []


def test_the_paper_removes_alike_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = objects(tmp_path / "rows.jsonl", 60, pair)
    alike = objects(tmp_path / "alike", 60, lambda row: {"question": f"では{row.question}", "answer": row.answer[::-1]})
    file.write_text(f"{file.read_text('utf-8')}\n{alike.read_text('utf-8')}", "utf-8")
    assert run(file, "--out", tmp_path / "x", "--paper") == 0
    printed = capsys.readouterr().out
    found = re.search(r"除いた行：(\d+) 行（同じ内容 0 行、試験用の行に似ている (\d+) 行）", printed)
    assert found[1] == found[2]
    assert len(re.findall(r"試験用の \d+ 行目に似ている（類似度 0\.\d\d）", printed)) == 10
    assert f"ほか {int(found[1]) - 10} 行" in printed
    near = split_record.verify_split(tmp_path / "x").leakage.near_validation
    assert f"検証用のうち {near} 行は、学習用によく似た行があります" in printed
    assert split_record.verify_split(tmp_path / "x").settings.measure == split_record.PAPER_MEASURE


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("--holdout", "0.5"), 2, "--holdout の値「0.5」は使えません。"),
        (("--validation", "0"), 2, "--validation の値「0.0」は使えません。"),
        (("--group", "章"), 3, "「章」"),
    ],
)
def test_a_wrong_option_is_told_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], status: int, said: str
) -> None:
    file = table(tmp_path)
    assert run(file, "--out", tmp_path / "x", *COLUMNS[:4], *arguments) == status
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_split_is_not_overwritten(split: tuple[Path, str], capsys: pytest.CaptureFixture[str]) -> None:
    folder, _ = split
    assert run(folder.with_name("社内の質問.csv"), "--out", folder, *COLUMNS, "--seed", "1") == 3
    error = capsys.readouterr().err
    assert "すでにファイルがあるため" in error
    assert "--out に別のフォルダを指定してください。" in error
    assert split_record.verify_split(folder).seed == 0


def test_too_few_rows_are_told_with_the_next_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(table(tmp_path, count=5), "--out", tmp_path / "x", *COLUMNS) == 3
    assert "5 行しかありません" in capsys.readouterr().err
    assert run(tmp_path / "ない.csv", "--out", tmp_path / "x", "--json") == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "file_missing"


def test_english_is_spoken_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(table(tmp_path), "--out", tmp_path / "x", *COLUMNS, "--lang", "en") == 0
    printed = capsys.readouterr().out
    assert "60 for training, 20 for validation, 20 for the test" in printed
    assert not re.search("[ぁ-ん]", printed.replace("社内の質問", ""))
