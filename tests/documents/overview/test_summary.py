"""Summaries: what is quoted without a model, the rounds of a model's, the check of its sentences, and what was read."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.documents import records, whole_document
from app.documents.library import Library
from app.documents.overview.result_table import ResultTable
from app.documents.overview.summary import PART_CHARACTERS, ModelSummary, quote_clauses, rows_of_chapter
from app.documents.whole_document import WholeDocument, WholeSection
from app.inference.reply_journal import ModelReply, StandalonePrompt
from tests.documents import driver

SECTIONS = (
    (("第1章 総則", "1.1 目的"), "この基準は、橋脚の設計について定める。", ""),
    (("第2章 構造", "2.1 かぶり"), "かぶりは、腐食を防ぐためにある。", "考え方"),
    (("第2章 構造", "2.1 かぶり"), "かぶりは70mm以上とする。", "標準"),
    (("第2章 構造", "2.2 図"), "図 2-1", ""),
    (("第3章 検査", "3.1 記録"), "記録は5年間保存しなければならない。", ""),
)


def document(*sections: tuple[tuple[str, ...], str, str]) -> WholeDocument:
    made = (
        WholeSection(at, heading, (), text, tag, at)
        for at, (heading, text, tag) in enumerate(sections or SECTIONS, start=1)
    )
    return whole_document.assemble("基準.md", made)


def sentences(table: ResultTable, group: str = "part") -> list[tuple[object, ...]]:
    return [row.cells[1:] for row in table.rows if row.group == group]


def answered(text: str, reason: str = "end") -> ModelReply:
    return ModelReply(text, reason)


def test_one_sentence_of_each_clause_is_quoted_what_obliges_first() -> None:
    whole = document()
    table = quote_clauses(whole, rows_of_chapter(whole, ""))
    quoted = [(row[0], row[1], row[2]) for row in sentences(table)]
    assert quoted == [
        ("この基準は、橋脚の設計について定める。", "第1章 総則 > 1.1 目的", 1),
        ("かぶりは70mm以上とする。", "第2章 構造 > 2.1 かぶり（標準）", 3),
        ("記録は5年間保存しなければならない。", "第3章 検査 > 3.1 記録", 5),
    ]
    assert table.coverage == (4, 5)
    assert "2.2 図" in "".join(table.facts)  # and it is said which clause has no sentence


def test_a_chapter_ends_where_the_next_begins() -> None:
    whole = document()
    assert list(rows_of_chapter(whole, "第2章 構造")) == [1, 2, 3]
    assert list(rows_of_chapter(whole, "かぶり")) == [1, 2]
    assert quote_clauses(whole, rows_of_chapter(whole, "第2章 構造")).title == "基準.md 第2章 構造"
    with pytest.raises(AppError) as raised:
        rows_of_chapter(whole, "第9章")
    twice = document(*((("第1章", "一般"), "甲とする。", ""), (("第2章", "一般"), "乙とする。", "")))
    assert list(rows_of_chapter(twice, "第2章 > 一般")) == [1]
    assert raised.value.code == "chapter_unknown"


def test_each_sentence_of_a_model_is_checked_and_cited() -> None:
    whole = document()
    made = ModelSummary(whole, rows_of_chapter(whole, ""))
    (prompt,) = made.prompts
    made.take({prompt: answered("かぶりは70mm以上とする。記録は10年間保存しなければならない。")})
    assert made.prompts == ()
    (right, wrong) = sentences(made.table("模型"))
    assert right[1] == "第2章 構造 > 2.1 かぶり（標準）"
    assert wrong[1] == "第3章 検査 > 3.1 記録"
    assert "10年間" in str(wrong[3])
    assert right[3] != wrong[3]


def long_document(clauses: int = 60) -> WholeDocument:
    text = "装置{}の点検は{}日ごとに行い、結果を台帳に記録しなければならない。"
    return document(*((("章", f"{at} 装置{at}"), text.format(at, at + 100) * 6, "") for at in range(clauses)))


def test_a_long_document_is_summed_up_in_rounds_until_few_sentences_are_left() -> None:
    whole = long_document()
    made = ModelSummary(whole, rows_of_chapter(whole, ""))
    rounds = []
    while made.prompts:
        rounds.append(len(made.prompts))
        assert all(len(prompt.question) < 2 * PART_CHARACTERS for prompt in made.prompts)
        made.take({prompt: answered(_first_sentences(prompt)) for prompt in made.prompts})
    assert rounds == sorted(rounds, reverse=True)
    assert len(rounds) > 1
    table = made.table("模型")
    assert 1 <= len(sentences(table, "whole")) <= 5
    assert table.coverage == (60, 60)


def _first_sentences(prompt: StandalonePrompt) -> str:
    lines = [line for line in prompt.question.split("\n") if "。" in line]
    return "".join(line.split("。")[0] + "。" for line in lines[:2])


def test_what_the_model_could_not_process_is_said() -> None:
    whole = long_document(12)
    made = ModelSummary(whole, rows_of_chapter(whole, ""))
    first, *others = made.prompts
    made.take(
        {first: ModelReply("", "failed", error_code="context_full")}
        | {one: answered("装置9の点検は109日ごとに行う。") for one in others}
    )
    table = made.table("模型")
    read, total = table.coverage
    assert total == 12
    assert 0 < read < total
    assert "装置0" in table.facts[-1]


def test_every_character_of_a_long_section_is_read() -> None:
    text = "".join(f"第{at}の装置は、毎日調べる。" for at in range(400))
    whole = document((("章",), text, ""))
    made = ModelSummary(whole, rows_of_chapter(whole, ""))
    read = "".join(prompt.question.split("\n", 1)[1] for prompt in made.prompts)
    assert read.replace("\n", "") == text


def test_replies_about_documents_that_are_gone_are_deleted(library: Library, tmp_path: Path) -> None:
    for name, digest in (("a.md", "a" * 64), ("b.md", "b" * 64)):
        driver.put(library, "本文。", name=name)
        file = whole_document.summary_journal_of(tmp_path / "documents.sqlite", digest)
        file.parent.mkdir(exist_ok=True)
        file.write_text("{}")
    kept, gone = library.documents(1)
    library.put(replace(kept, sha256="a" * 64), [])
    library.remove_documents([gone.id])
    library.attach(records.new_attached_name(), Path("/c.md"), "here")
    (attached,) = (one for one in library.collections(has_attached=True) if one.attached)
    (of_question,) = library.documents(attached.id)
    library.put(replace(of_question, sha256="c" * 64), [])
    (file.parent / f"{'c' * 32}.jsonl").write_text("{}")
    whole_document.remove_orphaned_summaries(tmp_path / "documents.sqlite")
    assert sorted(file.name for file in file.parent.iterdir()) == [f"{one * 32}.jsonl" for one in "ac"]
