"""Question sets are kept: versions never change, a crash leaves no half one, and what was removed comes back."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import filelock
import pytest

from app.base.errors import AppError
from app.base.files.output_file import write_atomically
from app.base.paths import resources
from app.base.wording import describe_error
from app.evaluation import question_files, question_sets
from app.evaluation.records import Gold, Question, QuestionSet

BRIDGE = Question("a", "橋はどこか", "東", gold=(Gold("橋は東にある。"),))
RIVER = Question("b", "川はどこか", is_answerable=False)


def names(folder: Path) -> list[str]:
    return [one.name for one in question_sets.list_all(folder)]


def test_a_set_is_found_by_name_and_version(tmp_path: Path) -> None:
    folder = tmp_path / "questions"
    first = question_sets.store(folder, "点検", [BRIDGE], source="a.csv")
    second = question_sets.store(folder, "点検", [BRIDGE, RIVER])
    assert (first.version, second.version) == (1, 2)
    assert first == QuestionSet("点検", 1, question_files.sha256([BRIDGE]), (BRIDGE,), "internal")
    assert question_sets.find(folder, "点検") == second
    assert question_sets.find(folder, "点検@1") == first
    (about,) = question_sets.list_all(folder)
    assert [(one.number, one.count, one.source) for one in about.versions] == [(1, 1, "a.csv"), (2, 2, "")]
    assert [one.sha256 for one in about.versions] == [first.sha256, second.sha256]


def test_the_same_content_makes_no_new_version_and_older_content_does(tmp_path: Path) -> None:
    versions = [
        question_sets.store(tmp_path, "点検", questions).version
        for questions in (
            [BRIDGE],
            [BRIDGE],
            [Question("a", " 橋はどこか\n", "東", gold=BRIDGE.gold)],
            [RIVER],
            [BRIDGE],
        )
    ]
    assert versions == [1, 1, 1, 2, 3]


def test_what_was_stored_is_what_is_found_however_untidy_it_was(tmp_path: Path) -> None:
    stored = question_sets.store(tmp_path, "点検", [Question("", " 橋\r\nはどこか ")])
    assert question_sets.find(tmp_path, "点検") == stored
    assert question_sets.store(tmp_path, "点検", stored.questions).version == 1


def test_the_list_of_versions_is_written_after_the_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []

    def note(path: Path, content: bytes) -> None:
        written.append(path.name)
        write_atomically(path, content)

    monkeypatch.setattr(question_sets, "write_atomically", note)
    question_sets.store(tmp_path, "点検", [BRIDGE])
    question_sets.store(tmp_path, "点検", [RIVER])
    question_sets.store(tmp_path, "点検", [RIVER])
    assert written == ["1.jsonl", "about.json", "2.jsonl", "about.json"]


def test_a_version_that_was_never_finished_is_none(tmp_path: Path) -> None:
    question_sets.store(tmp_path, "点検", [BRIDGE])
    (tmp_path / "点検" / "2.jsonl").write_text("half a li")
    (tmp_path / "別").mkdir()
    (tmp_path / "別" / "1.jsonl").write_text("half a li")
    assert names(tmp_path) == ["点検"]
    assert question_sets.find(tmp_path, "点検").version == 1
    assert question_sets.store(tmp_path, "点検", [RIVER]).questions == (RIVER,)
    assert question_sets.find(tmp_path, "点検@2").questions == (RIVER,)
    assert question_sets.store(tmp_path, "別", [RIVER]).version == 1


def test_names_that_only_look_different_are_one(tmp_path: Path) -> None:
    assert question_sets.newest_version(tmp_path, "Set A") == 0
    question_sets.store(tmp_path, "Set A", [BRIDGE])
    assert question_sets.store(tmp_path, " ｓｅｔ Ａ ", [RIVER]).name == "Set A"
    assert names(tmp_path) == ["Set A"]
    assert [question_sets.newest_version(tmp_path, name) for name in ("Set A", " ｓｅｔ Ａ ")] == [2, 2]
    sets = question_sets.list_all(tmp_path)
    assert question_sets.find_by_name(sets, " ｓｅｔ　ａ") == sets[0]
    assert question_sets.find_by_name(sets, "Set") is None
    assert question_sets.find(tmp_path, "set a@1").questions == (BRIDGE,)


@pytest.mark.parametrize("name", ["", " ", "a@b", "a/b", "..", ".bin", "CON", "a:b", "x" * 81, "a\nb", "a."])
def test_a_name_that_no_folder_could_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(AppError, match="question_set_name") as raised:
        question_sets.store(tmp_path, name, [BRIDGE])
    assert len(raised.value.facts["name"]) <= 20  # a long one is not told as a whole
    assert names(tmp_path) == []


def test_questions_that_no_file_could_hold_are_refused(tmp_path: Path) -> None:
    for questions in ([], [Question("a", " ")], [Question("a", "橋\0")]):
        with pytest.raises(AppError, match="questions_unreadable"):
            question_sets.store(tmp_path, "点検", questions)
    assert names(tmp_path) == []


def test_a_label_only_rises(tmp_path: Path) -> None:
    wanted = ("public", "internal", None, "secret", "public", None)
    got = [question_sets.store(tmp_path, "点検", [BRIDGE], label).label for label in wanted]  # type: ignore[arg-type]
    assert got == ["public", "internal", "internal", "secret", "secret", "secret"]
    assert question_sets.find(tmp_path, "点検").label == "secret"
    assert question_sets.store(tmp_path, "別", [BRIDGE]).label == "internal"


def test_a_file_of_confidential_rows_is_confidential_without_being_kept(tmp_path: Path) -> None:
    path = tmp_path / "組.jsonl"
    for label, found in (("public", "internal"), ("internal", "internal"), ("secret", "secret")):
        path.write_text(json.dumps({"question": "橋はどこか", "provenance": {"label": label}}), "utf-8")
        assert question_sets.load(str(path), tmp_path / "questions")[0].label == found


# ---------------------------------------------------------------------------- bin


def test_what_was_removed_comes_back_the_last_first(tmp_path: Path) -> None:
    first = question_sets.store(tmp_path, "点検", [BRIDGE])
    place = question_sets.remove(tmp_path, "点検")
    assert (place / "1.jsonl").read_bytes() == question_files.to_lines([BRIDGE])
    second = question_sets.store(tmp_path, "点検", [RIVER])
    question_sets.remove(tmp_path, "点検")
    assert (names(tmp_path), question_sets.list_removed(tmp_path)) == ([], ["点検"])
    question_sets.restore(tmp_path, "点検")
    assert question_sets.find(tmp_path, "点検") == second
    assert question_sets.restore(tmp_path, "点検").name == "点検 (2)"
    assert question_sets.find(tmp_path, "点検 (2)").questions == first.questions
    with pytest.raises(AppError, match="question_set_not_removed"):
        question_sets.restore(tmp_path, "点検")


def test_the_last_removed_stays_the_last_when_an_older_one_is_deleted(tmp_path: Path) -> None:
    for question in (BRIDGE, RIVER, Question("c", "山はどこか")):
        question_sets.store(tmp_path, "点検", [question])
        place = question_sets.remove(tmp_path, "点検")
        if question is RIVER:
            shutil.rmtree(place.with_name("点検@1"))
    (tmp_path / "点検").mkdir()  # of a set that was never finished
    assert question_sets.restore(tmp_path, "点検").name == "点検 (2)"
    assert question_sets.find(tmp_path, "点検 (2)").questions[0].id == "c"


def test_what_somebody_else_has_put_into_the_bin_is_left_alone(tmp_path: Path) -> None:
    question_sets.store(tmp_path, "点検", [BRIDGE])
    question_sets.remove(tmp_path, "点検")
    (tmp_path / ".bin" / "点検@1").rename(tmp_path / ".bin" / "点検@x")
    assert question_sets.list_removed(tmp_path) == []


# ------------------------------------------------------------------------- refusing


def test_a_set_or_version_that_is_none_is_told(tmp_path: Path) -> None:
    question_sets.store(tmp_path, "点検", [BRIDGE])
    for wanted, code in (
        ("無い", "question_set_unknown"),
        ("無い@1", "question_set_unknown"),
        ("点検@2", "question_set_version"),
        ("点検@0", "question_set_version"),
        ("", "question_set_unknown"),
    ):
        with pytest.raises(AppError, match=code):
            question_sets.find(tmp_path, wanted)
    for change in (question_sets.remove, question_sets.restore):
        with pytest.raises(AppError, match="question_set_"):
            change(tmp_path, "無い")
    with pytest.raises(AppError) as raised:
        question_sets.find(tmp_path, "点検@2")
    assert "点検@1" in describe_error(raised.value).next


GOOD: dict[str, Any] = {"number": 1, "sha256": "x", "count": 1, "made_at": 0.0, "source": ""}


@pytest.mark.parametrize(
    "about",
    [
        "",
        "[]",
        "{}",
        json.dumps({"label": "internal", "versions": []}),
        json.dumps({"label": "unknown", "versions": [GOOD]}),
        json.dumps({"label": "internal", "versions": [GOOD | {"number": 2}]}),
        json.dumps({"label": "internal", "versions": [GOOD | {"made_at": "now"}]}),
        json.dumps({"label": "internal", "versions": [[]]}),
        "[" * 100_000,
    ],
)
def test_a_damaged_set_is_told_and_disturbs_no_other(tmp_path: Path, about: str) -> None:
    question_sets.store(tmp_path, "点検", [BRIDGE])
    question_sets.store(tmp_path, "別", [BRIDGE])
    (tmp_path / "点検" / "about.json").write_text(about)
    with pytest.raises(AppError, match="question_set_damaged") as raised:
        question_sets.find(tmp_path, "点検")
    assert "kotae eval sets remove 点検" in describe_error(raised.value).next
    with pytest.raises(AppError, match="question_set_damaged"):
        question_sets.store(tmp_path, "点検", [BRIDGE])
    assert [bool(one.versions) for one in question_sets.list_all(tmp_path)] == [True, False]  # 別, 点検
    question_sets.remove(tmp_path, "点検")
    assert names(tmp_path) == ["別"]


def test_a_version_that_has_changed_or_is_gone_is_not_used(tmp_path: Path) -> None:
    question_sets.store(tmp_path, "点検", [BRIDGE])
    version = tmp_path / "点検" / "1.jsonl"
    version.write_bytes(question_files.to_lines([RIVER]))
    with pytest.raises(AppError, match="question_set_damaged"):
        question_sets.find(tmp_path, "点検")
    version.unlink()
    with pytest.raises(AppError, match="question_set_damaged"):
        question_sets.find(tmp_path, "点検")


def test_two_never_store_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(question_sets, "_LOCK_LIMIT_S", 0.0)
    question_sets.store(tmp_path, "点検", [BRIDGE])
    with (
        filelock.FileLock(tmp_path / question_sets.LOCK, thread_local=False),
        pytest.raises(AppError, match="journal_busy"),
    ):
        question_sets.store(tmp_path, "点検", [RIVER])


@pytest.mark.skipif(os.name == "nt", reason="a file where a folder should be is another error there")
def test_a_place_that_takes_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "questions").write_text("")
    with pytest.raises(AppError, match="export_"):
        question_sets.store(tmp_path / "questions", "点検", [BRIDGE])


# -------------------------------------------------------------------------- loading


def test_a_kept_set_goes_before_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "questions"
    Path("点検.jsonl").write_bytes(question_files.to_lines([RIVER]))
    loaded, file = question_sets.load("点検.jsonl", folder)
    assert file is not None
    assert loaded == QuestionSet("点検.jsonl", 0, question_files.sha256([RIVER]), (RIVER,))
    stored = question_sets.store(folder, "点検.jsonl", [BRIDGE])
    assert question_sets.load("点検.jsonl", folder) == (stored, None)
    assert question_sets.load("点検.jsonl@1", folder) == (stored, None)
    assert question_sets.load(str(tmp_path / "点検.jsonl"), folder)[0] == loaded


def test_what_is_neither_a_set_nor_a_file_is_told_as_what_it_looks_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("質問.txt").touch()
    for wanted, code in (
        ("点検", "question_set_unknown"),
        ("点検@3", "question_set_unknown"),
        ("点検.csv", "question_file_missing"),
        ("質問/点検", "question_file_missing"),
        (str(tmp_path / "点検"), "question_file_missing"),
        (str(tmp_path), "data_is_folder"),
        ("質問.txt", "batch_format"),
    ):
        with pytest.raises(AppError, match=code):
            question_sets.load(wanted, tmp_path / "questions")


def test_the_questions_that_come_with_the_program_have_references_and_were_never_trained_on() -> None:
    found = question_sets.shipped()
    assert len(found.questions) >= 20
    assert all(one.reference and one.is_answerable for one in found.questions)
    rows = resources() / "starter_adapter" / "rows"
    trained = "".join(path.read_text("utf-8") for path in rows.glob("*.jsonl") if "_holdout" not in path.name)
    assert [one.text for one in found.questions if json.dumps(one.text, ensure_ascii=False) in trained] == []


# ------------------------------------------------------------------------ names


def test_a_renamed_set_keeps_its_versions_and_its_label(tmp_path: Path) -> None:
    question_sets.store(tmp_path, "点検", [BRIDGE], "secret", "a.csv")
    second = question_sets.store(tmp_path, "点検", [RIVER])
    before = question_sets.load_versions(tmp_path, "点検")
    after = question_sets.rename(tmp_path, "点検", " 巡回 ")
    assert (after.name, after.label, after.versions) == ("巡回", "secret", before.versions)
    assert question_sets.find(tmp_path, "巡回").sha256 == second.sha256
    assert [one.name for one in question_sets.list_all(tmp_path)] == ["巡回"]


def test_a_name_may_change_in_width_and_case_alone_and_stay_as_it_is(tmp_path: Path) -> None:
    question_sets.store(tmp_path, "faq", [BRIDGE])
    assert question_sets.rename(tmp_path, "faq", "ＦＡＱ").name == "ＦＡＱ"
    assert question_sets.rename(tmp_path, "FAQ", "ＦＡＱ").name == "ＦＡＱ"


@pytest.mark.parametrize("taken", ["点検", "巡回"])
def test_a_name_that_another_set_has_is_refused_and_nothing_moves(tmp_path: Path, taken: str) -> None:
    question_sets.store(tmp_path, "点検", [BRIDGE])
    question_sets.store(tmp_path, "FAQ", [RIVER])
    (tmp_path / "巡回").mkdir()  # of a set that was never finished
    (tmp_path / "巡回" / "1.jsonl").write_text("half a li")
    with pytest.raises(AppError, match="question_set_taken"):
        question_sets.rename(tmp_path, "FAQ", taken)
    assert question_sets.find(tmp_path, "FAQ").questions == (RIVER,)


@pytest.mark.parametrize(
    ("name", "wanted", "code"),
    [("点検", "a/b", "question_set_name"), ("点検", " ", "question_set_name"), ("ない", "x", "question_set_unknown")],
)
def test_what_cannot_be_renamed_is_told(tmp_path: Path, name: str, wanted: str, code: str) -> None:
    question_sets.store(tmp_path, "点検", [BRIDGE])
    with pytest.raises(AppError, match=code):
        question_sets.rename(tmp_path, name, wanted)


def test_a_change_of_the_newest_version_is_stored_and_one_of_an_older_version_is_not(tmp_path: Path) -> None:
    first = question_sets.store(tmp_path, "点検", [BRIDGE])
    second = question_sets.store(tmp_path, "点検", [BRIDGE, RIVER], expected_sha256=first.sha256)
    assert second.version == 2
    with pytest.raises(AppError, match="question_set_outdated"):
        question_sets.store(tmp_path, "点検", [RIVER], expected_sha256=first.sha256)
    assert question_sets.find(tmp_path, "点検") == second
    with pytest.raises(AppError, match="question_set_taken"):  # it was to be a new set
        question_sets.store(tmp_path, "点検", [RIVER], expected_sha256="")
    question_sets.remove(tmp_path, "点検")
    with pytest.raises(AppError, match="question_set_unknown"):
        question_sets.store(tmp_path, "点検", [RIVER], expected_sha256=first.sha256)
    assert question_sets.list_all(tmp_path) == []


@pytest.mark.parametrize(
    ("question", "code"),
    [
        (BRIDGE, ""),
        (Question("", "橋は？", gold=(Gold("東にある。", "a.pdf", (), 3),), is_answerable=False), ""),
        (Question("", " "), "empty_question"),
        (Question("", "123?"), "not_text"),
        (Question("", "橋" * 20_001), "too_long"),
        (Question("", "橋は？", category="長" * 201), "too_long"),
    ],
)
def test_why_a_question_fits_into_no_set_is_told(question: Question, code: str) -> None:
    assert question_sets.unfit_code(question) == code
