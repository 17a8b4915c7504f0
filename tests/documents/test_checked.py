"""What is said of values that an answer has and its sources have not, or have of something else."""

import dataclasses

import pytest

from app.documents.grounding import claims, grounding_record, source_citations
from app.documents.grounding.grounding_record import Grounding
from tests.documents.driver import make_passage

TEXT = (
    "発電機室の扉の有効幅は70 cm以上とする。倉庫の棚に積む荷物の高さは１２０㎝以下とする。\n"
    "受水槽の容量は1,500 Lである。"
)
PASSAGE = make_passage(TEXT, "第3章 設備", document="手引き.pdf", page=12)


def checked_answer(answer: str) -> Grounding:
    return Grounding("answered", (grounding_record.source_of(PASSAGE),), claims.check(answer, [PASSAGE]))


@pytest.mark.parametrize(
    ("answer", "missing", "manner"),
    [
        ("発電機室の扉の有効幅は70 cm以上とします。[1]", (), "unsupported"),
        ("発電機室の扉の有効幅は90 cm以上とします。[1]", ("90 cm以上",), "missing"),
        ("発電機室の扉の有効幅は120 cm以上とします。[1]", ("120 cm以上",), "differing"),
        ("倉庫の棚に積む荷物の高さは70cm以下とします。[1]", ("70cm以下",), "differing"),
        ("発電機室の扉の有効幅は70 cm以下とします。[1]", ("70 cm以下",), "differing"),
        ("発電機室の扉の有効幅は70 m以上とします。[1]", ("70 m以上",), "missing"),
        ("発電機室の扉の有効幅は20 cm以上とします。[1]", ("20 cm以上",), "missing"),
        ("受水槽の容量は500 Lです。[1]", ("500 L",), "missing"),
        ("発電機室の扉の有効幅は70 cm以上としません。[1]", ("70 cm以上としません",), "differing"),
    ],
)
def test_a_value_that_stands_there_is_not_said_to_be_missing(answer, missing, manner):
    found = checked_answer(answer)
    (claim,) = found.claims
    assert claim.missing == missing
    assert claim.is_supported == (not missing)
    assert source_citations.doubt_kind(found, [claim]) == manner


def test_the_sentence_for_files_and_the_command_line_says_which():
    said = [
        source_citations.check_messages(checked_answer(f"発電機室の扉の有効幅は{value} cm以上とします。[1]"))
        for value in (90, 120)
    ]
    assert [line.partition("　")[2] for (line,) in said] == [
        "引用元にないもの：90 cm以上",
        "引用元の記述と合わないもの：120 cm以上",
    ]


def test_the_line_says_what_was_compared_and_counts_what_was_not():
    right = checked_answer("発電機室の扉の有効幅は70 cm以上とします。[1]")
    assert source_citations.check_messages(right) == [
        "1 文の語と数値を原文と照合しました。違いは見つかりませんでした。"
    ]
    (_, left_out) = source_citations.check_messages(dataclasses.replace(right, unchecked=2))
    assert left_out.startswith("照合できなかった文が 2 文あります。")
    assert source_citations.check_messages(Grounding("not_in_documents", right.sources)) == []
    picture = dataclasses.replace(right.sources[0], document="写真.JPG", recognized=())
    for verdict in ("answered", "not_in_documents"):
        (said, *_) = source_citations.check_messages(Grounding(verdict, (picture,), right.claims))
        assert said.startswith("画像は、文字認識（OCR）で読んだ文字だけから")
    near = dataclasses.replace(right, verdict="near")
    assert source_citations.check_messages(near)[0].startswith("近い記述はありますが")
    assert source_citations.check_messages(near)[1:] == source_citations.check_messages(right)
