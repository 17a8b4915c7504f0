"""Rows that say the same: exactly, to the same question, nearly. Near ones are compared with all pairs counted out."""

import random
import unicodedata
from dataclasses import replace

import pytest

from app.training.data import duplicates
from app.training.data.rows import RowMessage, TrainingRow
from app.training.data.split_record import DEFAULT_MEASURE, PAPER_MEASURE, SimilarityMeasure

WORDS = [
    "堤防",
    "護岸",
    "水門",
    "樋門",
    "床止め",
    "点検",
    "補修",
    "設計",
    "調査",
    "流量",
    "水位",
    "洗掘",
    "基準",
    "年に一度",
    "記録",
]


def row(line: int, question: str, answer: str, system: str = "", group: str = "") -> TrainingRow:
    messages = (RowMessage("user", question), RowMessage("assistant", answer))
    return TrainingRow(line, (RowMessage("system", system), *messages) if system else messages, group)


def made(seed: int, count: int) -> list[TrainingRow]:
    """Rows of which about a third is another one with some letters changed."""
    chance = random.Random(seed)
    rows: list[TrainingRow] = []
    for line in range(1, count + 1):
        if rows and chance.random() < 0.35:
            question, answer = (list(message.text) for message in chance.choice(rows).messages)
            for _ in range(chance.randrange(4)):
                answer[chance.randrange(len(answer))] = chance.choice("をはがにで")
            rows.append(row(line, "".join(question), "".join(answer)))
        else:
            question = "".join(chance.choices(WORDS, k=chance.randrange(1, 9))) + "とは？"
            answer = "".join(
                f"{chance.choice(WORDS)}を{chance.choice(WORDS)}する。" for _ in range(chance.randrange(12))
            )
            rows.append(row(line, question, answer or "はい"))
    return rows


def jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other)


def grams(one: TrainingRow, measure: SimilarityMeasure) -> set[str]:
    texts = [one.question, one.answer] if measure.part == "row" else [one.question]
    text = "\n".join("".join(unicodedata.normalize("NFKC", each).split()) for each in texts).ljust(measure.n, "\0")
    return {text[at : at + measure.n] for at in range(len(text) - measure.n + 1)}


@pytest.mark.parametrize(
    "measure",
    [
        DEFAULT_MEASURE,
        PAPER_MEASURE,
        SimilarityMeasure(5, 0.3),
        SimilarityMeasure(3, 0.5, "question"),
        SimilarityMeasure(1, 1.0),
        SimilarityMeasure(2, 0.05),
    ],
)
def test_near_ones_are_exactly_those_of_all_pairs(measure: SimilarityMeasure) -> None:
    rows = made(seed=1, count=300)
    sets = [grams(each, measure) for each in rows]
    expected = [
        (one, other, similarity)
        for one in range(len(rows))
        for other in range(one + 1, len(rows))
        if (similarity := jaccard(sets[one], sets[other])) >= measure.threshold
    ]
    assert len(expected) > 20
    assert duplicates.near_duplicates(rows, measure.threshold, measure.n, measure.part) == expected


@pytest.mark.parametrize("measure", [DEFAULT_MEASURE, PAPER_MEASURE])
def test_the_nearest_is_that_of_all_pairs(measure: SimilarityMeasure) -> None:
    rows = made(seed=2, count=120)
    sets = [grams(each, measure) for each in rows]
    asked, among = range(20), range(20, 120)
    found = duplicates.nearest_rows(rows, asked, among, measure)
    expected = [
        max(((other, jaccard(sets[one], sets[other])) for other in among), key=lambda pair: pair[1]) for one in asked
    ]
    assert found == expected


def test_letters_too_many_for_one_number_are_told_apart() -> None:
    """Five letters of 20,000 do not fit into 63 bits; they are numbered anew on the way."""
    every = [chr(0x3400 + at) for at in range(20_000)]
    random.Random(0).shuffle(every)
    rows = [row(at, "".join(every[at * 100 : at * 100 + 100]), "はい") for at in range(200)]
    rows.append(row(200, rows[7].question[:98] + "ＡＢ", "はい"))
    assert [pair[:2] for pair in duplicates.near_duplicates(rows, 0.8)] == [(7, 200)]


def test_width_blanks_and_lines_make_no_other_row() -> None:
    rows = [
        row(1, "床止めの高さは？", "2 m です。"),
        row(2, "床止めの高さは?", "２ｍです。\n"),
        row(3, "床止めの 高さは？", "2　m\nです。"),
        row(4, "床止めの高さは？", "3 m です。"),
    ]
    assert duplicates.exact_duplicates(rows) == [(0, 1, 2)]
    assert duplicates.repeated_questions(rows) == [(0, 1, 2, 3)]


def test_pairs_with_other_rejected_answers_are_other_rows() -> None:
    one, other = (replace(row(1, "高さは？", "2 m です。"), rejected=text) for text in ("さあ。", "知らない。"))
    assert duplicates.exact_duplicates([one, other, one]) == [(0, 2)]


def test_another_system_message_or_earlier_turn_makes_another_row() -> None:
    turns = (RowMessage("user", "床止めとは？"), RowMessage("assistant", "施設です。"))
    asked = (RowMessage("user", "続けて"), RowMessage("assistant", "はい。"))
    rows = [TrainingRow(1, (*turns, *asked)), TrainingRow(2, asked), row(3, "続けて", "はい。", system="短く。")]
    assert duplicates.exact_duplicates(rows) == []
    assert duplicates.repeated_questions(rows) == []


@pytest.mark.parametrize("rows", [[], [row(1, "a", "b")], [row(1, "a", "b"), row(2, "c", "d")]])
def test_few_rows_have_no_twins(rows: list[TrainingRow]) -> None:
    assert (
        duplicates.near_duplicates(rows)
        == duplicates.exact_duplicates(rows)
        == duplicates.repeated_questions(rows)
        == []
    )


def test_short_and_signs_only_texts_are_compared_too() -> None:
    rows = [row(1, "？", "。"), row(2, "?", "。"), row(3, "！", "。"), row(4, "\ud800", "😀")]
    assert duplicates.near_duplicates(rows) == [(0, 1, 1.0)]


BODY = "門の鍵は守衛室の棚に掛けてあり、使った人が台帳に名前を書きます。"
SET_PHRASE = "お尋ねの内容は、お渡しいただいた資料のどこにも記載がありません。"


@pytest.mark.parametrize(
    ("first", "second", "are_same"),
    [
        (BODY, BODY + "\n", True),
        (BODY, BODY.replace("守衛室", "守衛所"), True),
        (BODY, "お答えします。" + BODY + "返すときも同じです。", True),
        ("はい。" + BODY, "お答えします。" + BODY, True),
        (BODY, "窓の鍵は事務所の机に入れてあり、夜の当番が毎日数えます。", False),
        ("はい、できます。", "はい、できます。", False),
        ("資料に記載がありません。", "資料に記載がありません。", False),
    ],
)
def test_answers_that_say_the_same_are_found_in_whatever_frame(first: str, second: str, are_same: bool) -> None:
    rows = [row(1, "門の鍵は？", first), row(2, "どこで借りるのですか。", second)]
    assert duplicates.same_answers(rows)[0] == ([(0, 1)] if are_same else [])


def test_an_answer_within_a_conversation_counts() -> None:
    turns = ("鍵は？", BODY, "窓は？", "閉まっています。")
    talk = TrainingRow(1, tuple(RowMessage(("user", "assistant")[at % 2], text) for at, text in enumerate(turns)))
    pairs, compared = duplicates.same_answers([talk, row(2, "どこで借りますか。", BODY), row(3, "電話は？", "ない。")])
    assert (pairs, compared) == ([(0, 1)], {0, 1})


@pytest.mark.parametrize(("count", "are_bound"), [(duplicates.ANSWER_ROWS, True), (300, False), (1_000, False)])
def test_a_set_phrase_of_many_rows_binds_none_of_them(count: int, are_bound: bool) -> None:
    """Neither as a whole answer nor at the end of one; what else these rows say still counts."""
    rows = [row(at, f"質問{at}", f"{SET_PHRASE}番号 {at}" if count == 1_000 else SET_PHRASE) for at in range(count)]
    rows += [row(-1, "鍵は？", BODY), row(-2, "どこで借りますか。", BODY)]
    pairs, compared = duplicates.same_answers(rows)
    assert (count, count + 1) in pairs
    assert {count, count + 1} <= compared
    assert ((0, 1) in pairs) == are_bound
    assert len(compared) == 2 + count * are_bound or count == 1_000
    assert len(pairs) < 1 + 20 * 20
