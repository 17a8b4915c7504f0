"""Question sets get other names, and a change is refused where somebody else has made a newer version."""

from pathlib import Path

import pytest

from app.base.errors import AppError
from app.evaluation import question_sets
from app.evaluation.records import Gold, Question

BRIDGE = Question("a", "橋はどこか", "東")
RIVER = Question("b", "川はどこか", "西")


def code_of(refused: pytest.ExceptionInfo[AppError]) -> str:
    return refused.value.code


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
    with pytest.raises(AppError) as refused:
        question_sets.rename(tmp_path, "FAQ", taken)
    assert code_of(refused) == "question_set_taken"
    assert question_sets.find(tmp_path, "FAQ").questions == (RIVER,)


@pytest.mark.parametrize(
    ("name", "wanted", "code"),
    [("点検", "a/b", "question_set_name"), ("点検", " ", "question_set_name"), ("ない", "x", "question_set_unknown")],
)
def test_what_cannot_be_renamed_is_told(tmp_path: Path, name: str, wanted: str, code: str) -> None:
    question_sets.store(tmp_path, "点検", [BRIDGE])
    with pytest.raises(AppError) as refused:
        question_sets.rename(tmp_path, name, wanted)
    assert code_of(refused) == code


def test_a_change_of_the_newest_version_is_stored_and_one_of_an_older_version_is_not(tmp_path: Path) -> None:
    first = question_sets.store(tmp_path, "点検", [BRIDGE])
    second = question_sets.store(tmp_path, "点検", [BRIDGE, RIVER], after=first.sha256)
    assert second.version == 2
    with pytest.raises(AppError) as refused:
        question_sets.store(tmp_path, "点検", [RIVER], after=first.sha256)
    assert code_of(refused) == "question_set_outdated"
    assert question_sets.find(tmp_path, "点検") == second


def test_a_change_of_a_set_that_is_gone_makes_no_new_one(tmp_path: Path) -> None:
    first = question_sets.store(tmp_path, "点検", [BRIDGE])
    question_sets.remove(tmp_path, "点検")
    with pytest.raises(AppError) as refused:
        question_sets.store(tmp_path, "点検", [RIVER], after=first.sha256)
    assert code_of(refused) == "question_set_unknown"
    assert question_sets.list_all(tmp_path) == []


def test_a_set_that_was_to_be_new_adds_nothing_to_one_of_its_name(tmp_path: Path) -> None:
    assert question_sets.store(tmp_path, "点検", [BRIDGE], after="").version == 1
    with pytest.raises(AppError) as refused:
        question_sets.store(tmp_path, "点検", [RIVER], after="")
    assert code_of(refused) == "question_set_taken"


def test_the_set_that_a_name_means_is_found_whatever_its_width(tmp_path: Path) -> None:
    question_sets.store(tmp_path, "FAQ", [BRIDGE])
    sets = question_sets.list_all(tmp_path)
    assert question_sets.find_by_name(sets, " ｆａｑ") == sets[0]
    assert question_sets.find_by_name(sets, "FA") is None


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
