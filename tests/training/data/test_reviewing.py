"""What is told of a row that is to be decided, and when the rest will be done."""

import pytest

from app.training.data import curation
from app.training.data.curation import CurationItem, ReviewPace, RowEvidence
from app.training.data.rows import RowMessage, TrainingRow

QUOTE = "かぶりは100mm以上とする。"
EVIDENCE = RowEvidence("手引き.pdf", ("2 章", "2.1 かぶり"), 12, QUOTE, f"2.1 かぶり\n{QUOTE}")


def row(question: str, answer: str) -> TrainingRow:
    return TrainingRow(1, (RowMessage("user", question), RowMessage("assistant", answer)))


@pytest.mark.parametrize(
    ("answer", "numbers", "missing"),
    [
        ("かぶりは 100 mm 以上です。", 1, ()),
        ("かぶりは 10 cm 以上です。", 1, ()),
        ("かぶりは 70 mm 以上です。70 mm です。", 2, ("70 mm",)),
        ("かぶりは 100 mm 以下です。", 1, ("100 mm",)),
        ("十分に取ります。", 0, ()),
    ],
)
def test_numbers_of_an_answer_are_looked_for_in_its_quote(answer: str, numbers: int, missing: tuple[str, ...]) -> None:
    found = curation.inspect_row(row("かぶりはいくつですか", answer), EVIDENCE)
    assert (found.numbers, found.missing) == (numbers, missing)


def test_without_a_quote_no_number_is_missing() -> None:
    assert curation.inspect_row(row("いくつですか", "70 mm です。"), None).missing == ()
    assert curation.inspect_row(row("いくつですか", "70 mm です。"), RowEvidence("手引き.pdf")).missing == ()


def test_an_answer_must_end_and_a_question_need_not() -> None:
    assert curation.inspect_row(row("点検は", "点検は年に一回行います。"), None).flaws == ()
    assert curation.inspect_row(row("点検は？", "点検は年に一回"), None).flaws == ()  # short answers are whole
    assert curation.inspect_row(row("点検は？", "点検は年に一回行い、"), None).flaws == ("unfinished",)


def test_personal_details_are_named_by_their_kind() -> None:
    found = curation.inspect_row(row("連絡先は？", "電話は 03-1234-5678、メールは taro@example.com です。"), None)
    assert found.personal == ("phone", "mail")


def test_a_quote_stands_in_its_passage_or_does_not() -> None:
    assert curation.is_quoted(EVIDENCE)
    assert not curation.is_quoted(RowEvidence("手引き.pdf", quote="かぶりは100mm以上", passage="かぶりは 100mm 以上"))
    assert not curation.is_quoted(RowEvidence("手引き.pdf", passage="何か"))


def test_pairs_of_one_passage_are_counted() -> None:
    found = (EVIDENCE, None, EVIDENCE)
    items = [CurationItem(number, row("問い", "答え"), evidence=one) for number, one in enumerate(found, start=1)]
    assert curation.count_by_passage(items) == {("手引き.pdf", EVIDENCE.passage): 2}


def test_the_rest_is_foretold_from_the_pace_without_the_breaks() -> None:
    now = 0.0
    pace = ReviewPace(lambda: now)
    for seconds in (0, 6, 6, 6, 3600):
        now += seconds
        pace.note()
        assert pace.seconds(10) is None
    for seconds in (6, 30):
        now += seconds
        pace.note()
    assert pace.seconds(10) == pytest.approx(10 * (4 * 6 + 30) / 5)
