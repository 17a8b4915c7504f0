"""What a person is told and decides of rows is on the disk at once, can be undone, and stands after any end."""

import sys
from pathlib import Path
from typing import Any

import pytest

from app.base.errors import AppError
from app.training.data import check, curation, file_import
from app.training.data.curation import Curation, CurationItem, Decision, RowEvidence
from app.training.data.rows import RowMessage, TrainingRow
from tests.training.driver import code_of, refused

ANSWERS = (
    "点検は年に一回行います。",
    "堤防は盛土で造ります。",
    '{"answer": "除草は年に二回です。"}',
    "点検は年に一回行います。",
)
QUESTIONS = ("点検の回数は？", "堤防は何で造る？", "除草の回数は？", "点検の回数は？")
PAIR: dict[str, Any] = {
    "id": "g1", "question": "かぶりはいくつですか。", "answer": "100 mm 以上です。", "category": "number",
    "gold": [{"quote": "かぶりは100mm以上とする。"}], "group": "手引き.pdf", "quality": 3,
    "provenance": {"document": "手引き.pdf", "heading": ["2 章", "2.1 かぶり"], "page": 12,
                   "passage": "2.1 かぶり\nかぶりは100mm以上とする。"},
}  # fmt: skip


def rows() -> list[TrainingRow]:
    pairs = zip(QUESTIONS, ANSWERS, strict=True)
    return [
        TrainingRow(line, (RowMessage("user", question), RowMessage("assistant", answer)))
        for line, (question, answer) in enumerate(pairs, start=2)  # below a heading
    ]


def of_file(folder: Path) -> list[CurationItem]:
    path = folder / "行.csv"
    path.write_text(
        "質問,回答\n"
        + "".join(f'{q},"{a.replace(chr(34), chr(34) * 2)}"\n' for q, a in zip(QUESTIONS, ANSWERS, strict=True))
    )
    found = file_import.import_file(path)
    return curation.items_from_rows(found.rows, check.check_rows(found))


@pytest.fixture
def desk(tmp_path: Path) -> Curation:
    curation.create(tmp_path / "下書き", of_file(tmp_path))
    return Curation(tmp_path / "下書き")


def states(desk: Curation) -> list[str]:
    return [desk.state_of(item) for item in desk.items]


def test_a_row_with_a_flaw_and_a_repeated_one_are_left_out_until_somebody_keeps_them(desk: Curation) -> None:
    assert states(desk) == ["used", "used", "left_out", "left_out"]
    assert [(item.flags, item.like) for item in desk.items[2:]] == [
        (("json_debris", "unfinished"), 0),
        (("same_row",), 1),
    ]
    desk.decide(Decision(3, "edited", " 除草の回数は？ ", "除草は年に二回です。"))
    desk.decide(Decision(4, "accepted"))
    desk.decide(Decision(1, "rejected"))
    assert states(desk) == ["rejected", "used", "edited", "accepted"]
    assert [(row.question, row.answer) for row in desk.rows()] == [
        (QUESTIONS[1], ANSWERS[1]),
        ("除草の回数は？", "除草は年に二回です。"),
        (QUESTIONS[3], ANSWERS[3]),
    ]
    assert {state: count for state, count in desk.counts.items() if count} == {
        "rejected": 1,
        "used": 1,
        "edited": 1,
        "accepted": 1,
    }


def test_generated_pairs_count_once_they_were_looked_at(tmp_path: Path) -> None:
    curation.create(tmp_path, curation.items_from_pairs([PAIR, PAIR | {"gold": [], "category": "unanswerable"}]))
    desk = Curation(tmp_path)
    assert (states(desk), desk.rows()) == (["undecided", "undecided"], [])
    first, second = (item.evidence for item in desk.items)
    assert (first.quote in first.passage, first.page, second.quote) == (True, 12, "")
    desk.decide(Decision(1, "accepted"))
    assert [row.group for row in desk.rows()] == ["手引き.pdf"]


def test_what_was_decided_of_a_pair_before_it_came_here_stands(tmp_path: Path) -> None:
    pairs = [PAIR | {"review": "accepted"}, PAIR | {"review": "edited"}, PAIR]
    curation.create(tmp_path, curation.items_from_pairs(pairs))
    desk = Curation(tmp_path)
    assert (states(desk), len(desk.rows()), desk.undo()) == (["accepted", "edited", "undecided"], 2, 0)
    desk.decide(Decision(1, "rejected"))
    assert states(desk)[0] == "rejected"
    desk.undo()
    assert states(Curation(tmp_path))[0] == "accepted"


def test_the_highest_label_of_the_pairs_is_known(desk: Curation, tmp_path: Path) -> None:
    told = [PAIR | {"provenance": PAIR["provenance"] | {"label": label}} for label in ("public", "secret", "internal")]
    curation.create(tmp_path / "組", curation.items_from_pairs(told))
    assert (Curation(tmp_path / "組").label, desk.label) == ("secret", "")


def test_the_last_decision_is_taken_back_first_and_an_earlier_one_stands_again(desk: Curation) -> None:
    desk.decide(Decision(2, "rejected"))
    desk.decide(Decision(2, "edited", "問い", "答え"))
    desk.decide(Decision(1, "rejected"))
    assert [desk.undo(), desk.undo()] == [1, 2]
    assert states(desk)[:2] == ["used", "rejected"]
    assert [desk.undo(), desk.undo()] == [2, 0]
    assert states(desk) == ["used", "used", "left_out", "left_out"]


def test_everything_is_there_again_also_what_can_still_be_undone(desk: Curation, tmp_path: Path) -> None:
    desk.decide(Decision(2, "rejected"))
    desk.decide(Decision(1, "edited", "別の問い", "別の答え"))
    desk.undo()
    desk.decide(Decision(4, "accepted"))
    revision = desk.revision
    again = Curation(tmp_path / "下書き")
    assert (states(again), again.revision) == (["used", "rejected", "left_out", "accepted"], revision)
    assert [again.undo(), again.undo(), again.undo()] == [4, 2, 0]


@pytest.mark.skipif(sys.platform == "win32", reason="a size that files may have is of POSIX")
def test_a_disk_that_is_full_in_the_middle_of_a_decision_leaves_nothing_of_it(desk: Curation, tmp_path: Path) -> None:
    import resource

    desk.decide(Decision(2, "rejected"))
    path = tmp_path / "下書き" / curation.DECISIONS
    kept = path.read_bytes()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(kept) + 20, before[1]))
    try:
        with pytest.raises(AppError) as caught:
            desk.decide(Decision(1, "edited", "別の問い", "別の答え"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (caught.value.code, path.read_bytes(), desk.revision) == ("drive_file_limit", kept, 1)
    desk.decide(Decision(1, "rejected"))
    assert states(Curation(tmp_path / "下書き"))[:2] == ["rejected", "rejected"]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_half_a_line_from_when_the_power_went_is_dropped(desk: Curation, tmp_path: Path, cut: int) -> None:
    desk.decide(Decision(2, "rejected"))
    kept = (tmp_path / "下書き" / curation.DECISIONS).read_bytes()
    desk.decide(Decision(1, "edited", "別の問い", "別の答え"))
    path = tmp_path / "下書き" / curation.DECISIONS
    path.write_bytes(path.read_bytes()[: len(kept) + cut])
    again = Curation(tmp_path / "下書き")
    assert states(again)[:2] == ["used", "rejected"]
    again.decide(Decision(1, "rejected"))
    assert states(Curation(tmp_path / "下書き"))[:2] == ["rejected", "rejected"]


def test_only_the_last_question_and_answer_of_a_conversation_are_changed(tmp_path: Path) -> None:
    said = (
        RowMessage("system", "丁寧に。"),
        RowMessage("user", "一"),
        RowMessage("assistant", "二"),
        *rows()[0].messages,
    )
    curation.create(tmp_path, [CurationItem(1, TrainingRow(1, said, "群"))])
    desk = Curation(tmp_path)
    desk.decide(Decision(1, "edited", "問い", "答え"))
    (row,) = desk.rows()
    assert row.messages == (*said[:3], RowMessage("user", "問い"), RowMessage("assistant", "答え"))
    assert row.group == "群"


@pytest.mark.parametrize(("question", "answer"), [("", "答え"), ("問い", " \n"), ("問い", "\0"), ("問い", "\ud800")])
def test_a_row_that_could_not_be_trained_on_is_refused_and_nothing_is_decided(
    desk: Curation, question: str, answer: str
) -> None:
    error = refused(desk.decide, Decision(1, "edited", question, answer))
    assert (error.code, states(desk)[0], desk.revision) == ("row_unusable", "used", 0)


@pytest.mark.parametrize("number", [0, -1, 5])
def test_of_no_item_nothing_is_decided(desk: Curation, tmp_path: Path, number: int) -> None:
    with pytest.raises(IndexError):
        desk.decide(Decision(number, "rejected"))
    assert not (tmp_path / "下書き" / curation.DECISIONS).exists()
    assert desk.revision == 0


def test_a_damaged_folder_is_told_and_left_alone(desk: Curation, tmp_path: Path) -> None:
    path = tmp_path / "下書き" / curation.DECISIONS
    for line in (b'{"number": 1}\n', b'{"number": 9, "kind": "accepted"}\n', b'{"undo": true}\n', b"[]\n"):
        path.write_bytes(line)
        error = refused(Curation, tmp_path / "下書き")
        assert (error.code, path.read_bytes()) == ("draft_damaged", line)


def test_rows_that_are_gone_are_damaged_and_no_matter_of_writing(tmp_path: Path) -> None:
    (tmp_path / "無い行").mkdir()
    assert code_of(Curation, tmp_path / "無い行") == "draft_damaged"


def test_two_who_decide_at_once_do_not_mix(desk: Curation, tmp_path: Path) -> None:
    other = Curation(tmp_path / "下書き")
    other.decide(Decision(1, "rejected"))
    error = refused(desk.decide, Decision(2, "rejected"))
    assert (error.code, desk.revision) == ("draft_changed", 0)
    other.decide(Decision(2, "accepted"))
    assert Curation(tmp_path / "下書き").revision == 2


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
