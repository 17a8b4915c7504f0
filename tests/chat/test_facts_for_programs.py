"""What the command line and other programs get below an answer."""

import dataclasses

from app.base.cli.commands import Output
from app.chat import answer_check
from app.chat.cli import ask
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding

ANSWER = "かぶりは70mmです[1]。検査は毎月です[2]。"
SOURCES = (
    CitedSource("基準", "internal", "一.pdf", "/一.pdf", "かぶりは70mmとする。"),
    CitedSource("基準", "internal", "二.pdf", "/二.pdf", "検査は毎年とする。"),
    CitedSource("基準", "internal", "三.pdf", "/三.pdf", "ほか"),
)
KEPT = Grounding("answered", SOURCES, (Claim("かぶりは70mmです[1]。", 0, 13, (1,), is_supported=True),), unchecked=1)


def test_other_programs_get_how_many_sentences_could_not_be_compared() -> None:
    found = answer_check.check_facts(KEPT)
    assert (found["unchecked"], found["is_excerpt"], len(found["claims"])) == (1, False, 1)
    assert answer_check.check_facts(dataclasses.replace(KEPT, is_excerpt=True))["is_excerpt"]
    assert answer_check.check_facts(None) == {"sources": [], "claims": [], "unchecked": 0, "is_excerpt": False}


def test_the_command_line_lists_each_source_that_the_answer_marks() -> None:
    said = ask.sources_text(ANSWER, KEPT, Output(is_json=False))
    assert [number for number in (1, 2, 3) if f"[{number}] " in said] == [1, 2]
