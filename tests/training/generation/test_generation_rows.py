"""Lines of the file: training data and a question set at once, with where each pair is from."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from app.chat.batch.journal import BatchAnswer
from app.documents.records import DocumentSection
from app.evaluation import question_files
from app.evaluation.judge import rule_scoring
from app.evaluation.records import Gold, Question
from app.training.data import file_import
from app.training.generation import pair_files
from app.training.generation.pair_records import UNANSWERABLE, PairCandidate, PairWriter, QuestionAnswerPair
from tests.training.generation.collection import ANSWER, COVER, QUESTION, TEXT, passage

WRITER = PairWriter("小さなモデル", "ab" * 32, "", 7, "0.1.0")
PAIR = QuestionAnswerPair(PairCandidate(passage(), "number", COVER, QUESTION, ANSWER), 3)
GUIDE = dataclasses.replace(passage(), document="指針.pdf")
OTHER = QuestionAnswerPair(
    PairCandidate(GUIDE, UNANSWERABLE, "", "鉄筋の購入費用はいくらですか。", "資料にありません。")
)


def written(path: Path) -> Path:
    path.write_bytes(pair_files.pairs_to_lines([PAIR, OTHER], WRITER))
    return path


def test_a_line_says_what_it_rests_on_and_who_has_written_it() -> None:
    row = pair_files.pair_row(PAIR, WRITER)
    place = {"document": "基準.pdf", "heading": ["第2章 材料", "2.2 鉄筋のかぶり"], "page": 14}
    assert row["gold"] == [{"quote": COVER, **place}]
    assert row["must_include"] == ["70mm"]
    assert row["provenance"] == {
        "collection": "基準", **place, "tag": "標準", "label": "internal",
        "passage": TEXT, "passage_sha256": hashlib.sha256(TEXT.encode()).hexdigest(),
        "model": "小さなモデル", "sha256": "ab" * 32, "adapter": "", "seed": 7, "version": "0.1.0",
    }  # fmt: skip
    assert (row["category"], row["quality"], row["origin"], row["answerable"]) == ("number", 3, "generated", True)


def test_the_clause_is_that_of_the_quote() -> None:
    parts = (
        DocumentSection(("1 継手",), "継手は、一か所に集めない。", page=3),
        DocumentSection(("2 かぶり",), COVER, page=4),
    )
    joined = dataclasses.replace(passage("\n2 かぶり\n".join(part.text for part in parts)), parts=parts)
    row = pair_files.pair_row(
        dataclasses.replace(PAIR, candidate=dataclasses.replace(PAIR.candidate, passage=joined)), WRITER
    )
    assert (row["gold"][0]["heading"], row["gold"][0]["page"]) == (["2 かぶり"], 4)


def test_training_data_are_read_of_it(tmp_path: Path) -> None:
    found = file_import.import_file(written(tmp_path / "組.jsonl"))
    assert not found.bad
    assert found.mapping.as_dict() == {"question": "question", "answer": "answer", "group": "group"}
    assert [(row.question, row.answer, row.group) for row in found.rows] == [
        (QUESTION, ANSWER, "基準.pdf"),
        ("鉄筋の購入費用はいくらですか。", "資料にありません。", "指針.pdf"),
    ]


def test_a_question_set_is_read_of_it(tmp_path: Path) -> None:
    found = question_files.read(written(tmp_path / "組.jsonl"))
    assert not found.skipped
    first, second = found.questions
    assert first.gold == (Gold(COVER, "基準.pdf", ("第2章 材料", "2.2 鉄筋のかぶり"), 14),)
    assert (first.text, first.reference, first.must_include) == (QUESTION, ANSWER, ("70mm",))
    assert (first.category, first.group, first.origin, first.is_answerable) == ("number", "基準.pdf", "generated", True)
    assert (second.is_answerable, second.gold) == (False, ())


def test_the_same_pairs_give_the_same_bytes_and_ids_tell_pairs_apart() -> None:
    lines = pair_files.pairs_to_lines([PAIR, OTHER], WRITER)
    assert lines == pair_files.pairs_to_lines([PAIR, OTHER], WRITER)
    one, other = (json.loads(line)["id"] for line in lines.splitlines())
    assert one != other
    assert len(one) == 16


@pytest.mark.parametrize(
    ("answer", "entries"),
    [
        ("おおむね20〜30年程度とし、2025年3月31日に見直す。", ["20〜30年", "2025年3月31日"]),
        ("3.5〜4.0で、傾きは1/200、安全率は1.5以上とする。", ["3.5〜4.0", "1/200", "1.5"]),
        ("次の3つです。1. 調査 2. レベル2の設計", []),
        ("川幅が50m未満では0.3m、50m以上では0.6mとする。", ["0.3m", "0.6m"]),
    ],
)
def test_what_a_right_answer_must_say_are_its_own_values(answer: str, entries: list[str]) -> None:
    assert pair_files.must_include("川幅50mを境に、いくらですか。", answer) == entries
    question = Question("1", "川幅50mを境に、いくらですか。", answer, tuple(entries))
    assert rule_scoring.score_answer(question, BatchAnswer(1, "answered", answer)).must_include == (
        1.0 if entries else None
    )


def test_no_id_is_a_number_to_a_spreadsheet() -> None:
    pairs = [
        QuestionAnswerPair(dataclasses.replace(PAIR.candidate, question=f"{QUESTION}{number}"), 3)
        for number in range(2000)
    ]
    for pair in pairs:
        with pytest.raises(ValueError):
            float(pair_files.pair_row(pair, WRITER)["id"])
