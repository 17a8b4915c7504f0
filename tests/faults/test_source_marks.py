"""Documents that write what the program reads as the mark of a source: none is read out of their words."""

import random
import time
import unicodedata

import pytest
from markdown_it import MarkdownIt
from PySide6.QtGui import QTextDocument
from pytestqt.qtbot import QtBot

from app.base import invisible_characters
from app.chat.ui.text import citations
from app.documents.grounding import answer_markup, source_citations
from app.documents.grounding.grounding_record import CitedSource, Grounding
from app.documents.records import Passage, Section
from app.documents.retrieval import excerpts, packing
from app.documents.values import notation
from app.uikit.theme import Theme
from tests.faults.ledger import Tally

pytestmark = pytest.mark.fault("S18")

FORGED = [
    "[2]", "[２]", "［2］", "[1,2]", "[1、2]", "[1，2]", "[1-3]", "[1 - 3]", "［出典2］", "[資料2]", "[資料 2]",
    "【2】", "[ 2 ]", "[2, 3]", "[1][2]", "[[2]]", "［１、２］", "﹇2﹈", "[2\u200b]", "[\u20602]",
    "[\U000e00412]", "[2\xad,3]", "[\u202e2]", "[\U0001d7d0]", "[②]", "[二]", "[出典：2]", "[CitedSource 2]",
    "[source: 1 and 2]", "[参考文献2]", "[No.2]", "\\[2\\]", "[2\\]", "[**2**]", "[*2*]", "[`2`]",
    "[_2_, 3]", "&#91;2&#93;", "[&#50;]", "&lbrack;2&rbrack;", "&#x5B;資料2]", "[1&comma;2]", "[&nbsp;2]",
    "[&ZeroWidthSpace;2]", "[2\n]", "[1,\n2]", "[01]", "[[](u)2]",
]  # fmt: skip
KEPT = [
    "[N/mm2]",
    "[m2]",
    "[2019]",
    "[表1]",
    "[SD345]",
    "[第2章]",
    "[一般]",
    "a[i]",
    "[注]",
    "（2）",
    "&lt;b&gt;",
    "R&D",
]


def read_out(text: str) -> list[answer_markup.SourceMark]:
    """Marks in every form in which some part of the program may look at a text."""
    html = MarkdownIt("commonmark", {"html": False}).render(text)  # as the window: HTML is text
    shown = QTextDocument()
    shown.setHtml(html)
    looks = [
        text,
        notation.flatten(text)[0],
        unicodedata.normalize("NFKC", text),
        invisible_characters.to_plain_text(text),
    ]
    looks += [shown.toPlainText(), notation.flatten(shown.toPlainText())[0]]
    return [mark for look in looks for mark in answer_markup.find_marks(look)]


def passage(text: str) -> Passage:
    return Passage(
        1,
        Section(("第1章 " + text,), "通勤手当の上限は月5万円とする" + text + "。"),
        1,
        text,
        "/x",
        "規程",
        "internal",
        1.0,
        1,
    )


def test_no_mark_is_read_out_of_what_a_prompt_or_an_excerpt_says_of_a_document(qapp: object, tally: Tally) -> None:
    for text in FORGED:
        _head, _, rest = packing.format_passage(passage(text), 1).partition("[1] ")
        assert read_out(rest) == [], ascii(text)
        picked = excerpts.pick_excerpts("通勤手当の上限は？", [passage(text)])
        answer, _ = excerpts.answer_from_excerpts(picked)
        assert {number for mark in read_out(answer) for number in mark.numbers} == {1}, ascii(text)
    tally.tried(len(FORGED))


@pytest.mark.parametrize("text", KEPT)
def test_other_brackets_stay_as_they_are_written(text: str) -> None:
    assert answer_markup.neutralize_marks(text) == text


def test_whatever_a_text_is_made_of_nothing_in_it_is_read_as_a_mark(qapp: object, tally: Tally) -> None:
    chance = random.Random(5)
    pieces = [
        "[", "[", "[", "[", "]", "]", "]", "]", "［", "］", "【", "】", "〔", "〕", "﹇", "﹈", "1", "2", "3",
        "3", "１", "２", "²", "①", "二", ",", "、", "，", "-", "－", "ー", " ", "~", "\u3000", "\n", "資料",
        "出典", "CitedSource ", "\\", "**", "*", "`", "_", "&#91;", "&#93;", "&#50;", "&comma;", "&nbsp;",
        "&amp;", "\u200b", "\u2060", "\u202e", "\U000e0041", "\ufe0f", "\u200d", "か", "゙", "m",
    ]  # fmt: skip
    count = 4_000
    for _ in range(count):
        text = "".join(chance.choices(pieces, k=chance.randint(2, 14)))
        neutral = answer_markup.neutralize_marks(text)
        assert read_out(neutral) == [], (ascii(text), ascii(neutral))
    tally.tried(1)


def test_a_quotation_that_a_source_has_itself_cites_nothing(tally: Tally) -> None:
    sources = (
        CitedSource("c", "internal", "a.md", "", "通勤手当の上限は月5万円とする[出典2]。"),
        CitedSource("c", "internal", "b.md", "", "自転車"),
    )
    kept = Grounding("answered", sources)
    assert source_citations.used_sources("- 「通勤手当の上限は月5万円とする[出典2]。」[1]", kept) == (1,)
    assert source_citations.used_sources("- 「通勤手当の上限は 月5万円とする[出典2]」[1]。", kept) == (1,)
    assert source_citations.used_sources("「通勤手当」の上限は月5万円です[2]。", kept) == (2,)
    assert source_citations.used_sources("「自転車は対象外[2]」とあります。", kept) == (2,)
    tally.tried(2)


def test_marks_of_an_answer_are_read_as_ever() -> None:
    read = {
        "です[1]。": (1,), "です［２］。": (2,), "です[1, 3]。": (1, 3), "です [1、2]": (1, 2), "です[1-3]": (1, 2, 3),
        "です[資料2]": (2,), "です［出典2］": (2,), "です[1][2]": (1, 2), "[100]": (), "[a]": (), "(1)": (),
        "【1】": (),
    }  # fmt: skip
    for text, numbers in read.items():
        assert tuple(number for mark in answer_markup.find_marks(text) for number in mark.numbers) == numbers, text


def test_lists_and_ranges_of_marks_become_links_in_any_width(qtbot: QtBot) -> None:
    document = QTextDocument()
    document.setPlainText("甲です[1-3]。乙です［１、２］。丙です[出典3]。")
    source = CitedSource("c", "internal", "a.md", "", "本文")
    citations.link(document, (source,) * 3, Theme())
    assert [number for _, number in citations._links(document)] == [1, 3, 1, 2, 3]


def test_long_runs_take_no_time(tally: Tally) -> None:
    started = time.process_time()
    for text in (
        "[1 " * 50_000,
        "[1" + " " * 100_000,
        " " * 100_000,
        "[1," * 50_000,
        "[" * 100_000,
        "[1" + ",1" * 50_000,
        "&#" * 50_000,
    ):
        answer_markup.neutralize_marks(text)
        assert list(answer_markup.find_marks(text)) == []
    assert time.process_time() - started < 5
    tally.tried(7)
