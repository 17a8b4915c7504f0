"""`kotae eval sets`: what is said and done, and what is refused in words."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli import main

Run = Callable[..., tuple[int, str, str]]
ROWS = [
    {
        "id": "a",
        "question": "橋はどこか",
        "answer": "東",
        "must_include": ["東"],
        "type": "場所",
        "gold": [{"quote": "東にある。"}],
    },
    {"id": "b", "question": "川はどこか", "answerable": False, "type": "場所"},
]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit status, stdout, stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        try:
            status = main(["eval", "sets", *map(str, arguments), "--data-dir", str(tmp_path / "data")], lambda *_: 0)
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), "utf-8")
    return path


def result(run: Run, *arguments: str | Path, status: int = 0) -> dict[str, Any]:
    got, printed, _ = run(*arguments, "--json")
    assert got == status
    found: dict[str, Any] = json.loads(printed)
    return found


def test_a_set_is_made_of_a_file_and_shown(tmp_path: Path, run: Run) -> None:
    status, printed, said = run("add", "点検", write(tmp_path / "質問.jsonl", *ROWS))
    assert status == 0
    assert printed.startswith("質問集「点検」の版 1 を保存しました（質問 2 件、社外秘）。")
    assert printed.endswith("kotae eval questions 点検 --model モデル で評価できます。\n")
    assert "質問.jsonl：質問 2 件" in said
    assert "列：模範解答 ← answer、分野 ← type、ほかは同じ名前の列\n" in said
    status, printed, _ = run("show", "点検")
    assert status == 0
    assert "模範解答あり 1 件、必ず含む語あり 1 件、根拠あり 1 件、資料にない質問 1 件" in printed
    assert "分野：場所 2" in printed
    assert re.search(r"版 1：\d{4}-\d\d-\d\d \d\d:\d\d、質問 2 件、質問\.jsonl", printed)
    known = "    模範解答：東\n    必ず含む語：東\n    根拠：1 箇所\n"
    assert printed.endswith(f"a\t橋はどこか\n{known}b\t川はどこか\n    資料にない質問\n")
    assert run("list")[1] == "点検\t社外秘\t版 1、質問 2 件\n"


def test_json_is_one_object_with_every_question(tmp_path: Path, run: Run) -> None:
    made = result(run, "add", "点検", write(tmp_path / "q.jsonl", *ROWS), "--label", "公開")
    assert (made["version"], made["label"], made["count"], made["is_new"], made["skipped"]) == (
        1,
        "public",
        2,
        True,
        [],
    )
    shown = result(run, "show", "点検@1")
    assert shown["sha256"] == made["sha256"]
    assert [one["question"] for one in shown["questions"]] == ["橋はどこか", "川はどこか"]
    assert shown["questions"][1] == {"id": "b", "question": "川はどこか", "category": "場所", "answerable": False}
    listed = result(run, "list")
    assert [(one["name"], one["versions"][0]["count"]) for one in listed["sets"]] == [("点検", 2)]


def test_the_same_again_makes_no_version_and_more_makes_the_next(tmp_path: Path, run: Run) -> None:
    first, second = write(tmp_path / "a.jsonl", ROWS[0]), write(tmp_path / "b.jsonl", ROWS[1])
    run("add", "点検", first)
    assert "版 1 と同じ内容なので、新しい版は作りませんでした" in run("add", "点検", first)[1]
    made = result(run, "add", "点検", first, second)
    assert (made["version"], made["count"], made["is_new"]) == (2, 2, True)
    assert result(run, "show", "点検")["versions"][1]["source"] == "a.jsonl、b.jsonl"


def test_files_that_share_ids_are_told(tmp_path: Path, run: Run) -> None:
    status, _, said = run("add", "点検", write(tmp_path / "a.jsonl", *ROWS), write(tmp_path / "b.jsonl", *ROWS))
    assert status == 0
    assert "ID「a」は前の質問と重なるため、「a-2」に変えました。" in said


def test_a_damaged_version_does_not_keep_the_next_one_out(tmp_path: Path, run: Run) -> None:
    run("add", "点検", write(tmp_path / "a.jsonl", *ROWS))
    (tmp_path / "data" / "questions" / "点検" / "1.jsonl").write_text("{}", "utf-8")
    made = result(run, "add", "点検", write(tmp_path / "b.jsonl", ROWS[0]))
    assert made["version"] == 2


def test_what_is_not_as_it_seems_in_a_row_is_told_and_the_question_kept(tmp_path: Path, run: Run) -> None:
    head = "質問,模範解答,必ず含む語,根拠,資料,ページ"
    rows = ["橋は,東,東　西,東にある。,基準書,三", '川は,西,"東,西",西にある。,基準書,12', "山は,,,,,", "池は,,,,,"]
    file = tmp_path / "a.csv"
    file.write_text("\n".join([head, *rows]), "utf-8")
    status, _, said = run("add", "点検", file)
    assert status == 0
    assert "2 行目：ページを読み取れないので、空欄とします（三）\n" in said
    apart = "必ず含む語は、「、」「;」か改行で区切ります。この書き方では 1 つの語として扱います"
    assert f"2 行目：{apart}（東　西）\n" in said or f"2 行目：{apart}（東 西）\n" in said
    assert f"3 行目：{apart}（東,西）\n" in said
    assert "模範解答も必ず含む語もない質問が 2 件あります（4、5 行目）。" in said
    assert "列：資料（グループも兼ねる） ← 資料、根拠 ← 根拠 / ページ、ほかは同じ名前の列\n" in said


@pytest.mark.parametrize(("name", "next_step"), [("a.csv", "1 行目に列の見出し"), ("a.jsonl", "JSON Lines")])
def test_what_to_do_about_an_unreadable_file_fits_its_form(tmp_path: Path, run: Run, name: str, next_step: str) -> None:
    (tmp_path / name).write_text("", "utf-8")
    said = run("add", "点検", tmp_path / name)[2]
    assert next_step in said
    assert ("{" in said) == name.endswith(".jsonl")


def test_rows_that_are_no_question_are_told_with_the_reason(tmp_path: Path, run: Run) -> None:
    bad = ['{"question": ""}', '{"question": "橋は', *[{"question": number} for number in range(30)]]
    status, _, said = run("add", "点検", write(tmp_path / "q.jsonl", *bad, *ROWS))
    assert status == 1
    assert "1 行目は質問にできません：質問が空です\n" in said
    assert '2 行目は質問にできません：JSON として読めません（{"question": "橋は）' in said
    assert "ほかにも 12 行が質問にできません。" in said
    skipped = result(run, "add", "別", tmp_path / "q.jsonl", status=1)["skipped"]
    assert (len(skipped), skipped[0]["line"], skipped[0]["code"]) == (32, 1, "empty_question")


@pytest.mark.parametrize("suffix", [".xlsx", ".csv", ".jsonl"])
def test_an_exported_set_makes_the_same_set(tmp_path: Path, run: Run, suffix: str) -> None:
    made = result(run, "add", "点検", write(tmp_path / "q.jsonl", *ROWS))
    out = tmp_path / f"out{suffix}"
    status, printed, _ = run("export", "点検", "--out", out)
    assert (status, printed) == (0, f"質問集「点検」の版 1 を書き出しました（質問 2 件）：{out}\n")
    assert result(run, "add", "別", out)["sha256"] == made["sha256"]
    assert result(run, "export", "点検", "--out", out, status=3)["error"]["code"] == "export_exists"


def test_confidential_questions_go_with_a_yes_only_and_on_record(tmp_path: Path, run: Run) -> None:
    run("add", "点検", write(tmp_path / "q.jsonl", *ROWS), "--label", "機密")
    out, log = tmp_path / "out.csv", tmp_path / "data" / "exports.log"
    assert result(run, "export", "点検", "--out", out, status=3)["error"]["code"] == "secret_export"
    assert (out.exists(), log.exists()) == (False, False)
    assert run("export", "点検", "--out", out, "--allow-secret")[0] == 0
    assert json.loads(log.read_text("utf-8"))["what"] == "questions"


@pytest.mark.parametrize(
    ("carried", "given", "label"),
    [
        ((), None, "internal"),
        (("public",), None, "internal"),
        (("public", "secret"), None, "secret"),
        (("secret",), "公開", "secret"),
        (("internal",), "公開", "internal"),
        (("internal",), "機密", "secret"),
        (("top", 3, None), "公開", "public"),
    ],
)
def test_a_set_has_the_highest_label_that_rows_carry(
    tmp_path: Path, run: Run, carried: tuple[object, ...], given: str | None, label: str
) -> None:
    rows = [{"question": f"橋{at}はどこか", "provenance": {"label": one}} for at, one in enumerate(carried)]
    file = write(tmp_path / "組.jsonl", *ROWS, *rows)
    assert result(run, "add", "点検", file, *(("--label", given) if given else ()))["label"] == label


def test_what_was_removed_can_be_restored(tmp_path: Path, run: Run) -> None:
    run("add", "点検", write(tmp_path / "q.jsonl", *ROWS))
    status, printed, _ = run("remove", "点検")
    assert status == 0
    assert "kotae eval sets restore 点検 で戻せます" in printed
    assert str(tmp_path / "data" / "questions" / ".bin" / "点検@1") in printed
    listed = run("list")[1]
    assert "質問集はまだありません" in listed
    assert "外した質問集（kotae eval sets restore で戻せます）：点検" in listed
    assert run("restore", "点検")[:2] == (0, "質問集「点検」を戻しました（版 1、質問 2 件）。\n")
    assert run("show", "点検")[0] == 0


def test_a_damaged_set_is_listed_as_such(tmp_path: Path, run: Run) -> None:
    run("add", "点検", write(tmp_path / "q.jsonl", *ROWS))
    (tmp_path / "data" / "questions" / "点検" / "about.json").write_text("{")
    assert run("list")[:2] == (1, "点検\t社外秘\t壊れていて使えません\n")
    assert "kotae eval sets remove 点検" in run("show", "点検")[2]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, "list / show / add / export / remove / restore"),
        (("add", "点検"), 2, "FILE"),
        (("add", "点検", "無い.csv"), 3, "質問のファイル 無い.csv がありません。"),
        (("add", "a/b", "q.jsonl"), 3, "質問集の名前に「a/b」は使えません。"),
        (("add", "点検", "q.jsonl", "--label", "秘密"), 2, "公開 / 社外秘 / 機密"),
        (("show", "無い"), 3, "「無い」という質問集はありません。"),
        (("remove", "無い"), 3, "「無い」という質問集はありません。"),
        (("restore", "無い"), 3, "外した質問集の中に「無い」はありません。"),
        (("export", "無い", "--out", "x.csv"), 3, "「無い」という質問集はありません。"),
    ],
)
def test_what_cannot_be_done_is_said(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], status: int, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "q.jsonl", *ROWS)
    got = run(*arguments)
    assert got[0] == status
    assert said in got[2]


def test_english_is_spoken_too(tmp_path: Path, run: Run) -> None:
    file = write(tmp_path / "q.jsonl", *({"question": f"Where is bridge {number}?"} for number in range(25)), "{}")
    for arguments in (("add", "bridges", file), ("show", "bridges"), ("list",), ("remove", "bridges")):
        _, printed, said = run(*arguments, "--lang", "en")
        assert not re.search("[ぁ-ん]", printed + said)
        assert printed
