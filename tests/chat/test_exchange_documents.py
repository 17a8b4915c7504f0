"""Markdown and Word: everything of the shown branch is in them, and nothing in a text reaches beyond its place."""

import io
import re
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from docx import Document
from docx.document import Document as WordDocument
from docx.oxml.ns import qn
from markdown_it import MarkdownIt

from app.base import wording
from app.base.files import output_file
from app.base.files.inert_markdown import make_inert
from app.base.wording import phrase
from app.chat.answer_check import AnswerRecord
from app.chat.exchange import docx_file, markdown_file
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.exchange.conversation_export import save_file, stored_bundles
from app.chat.records import AnswerDetails, Conversation, Message
from app.chat.store import Store
from tests.chat.exchange_trees import nothing, plant
from tests.permits import PERMIT

ANSWER = """# 大きな見出し

本文に **太字** と *斜体* と `コード` と ~~取消~~ と [題](https://example.org/a)。

- 一
  - 内側
- 二

3. 三番
4. 四番

段落

1. 別の並び

| 部位 | かぶり |
|:-----|-------:|
| 橋脚 | 70 mm  |

> 引用

```python
# これは見出しではない
print("<b>")
```

下線の見出し
------------

<div>そのまま</div>
"""


def _bundle(*texts: str, title: str = "題名", status: str = "done") -> Bundle:
    """Questions and answers in turn."""
    messages = tuple(
        Message(
            number, 1, number - 1 or None, "question" if number % 2 else "answer", text,
            "done" if number % 2 else status, 1_700_000_000.0,
            None if number % 2 else AnswerDetails(model_name="Swallow 8B"),
        )
        for number, text in enumerate(texts, start=1)
    )  # fmt: skip
    return Bundle(Conversation(1, title, 1_700_000_000.0, 1_700_000_100.0, len(texts)), messages)


@pytest.mark.parametrize("reason", ["length", "context", "end"])
def test_an_answer_that_was_cut_off_says_so_in_each_form(reason: str) -> None:
    bundle = _bundle("かぶりは？", "かぶりは70mmで、")
    question, answer = bundle.messages
    cut = replace(answer, details=AnswerDetails(model_name="m", stop_reason=reason))
    whole = replace(bundle, messages=(question, cut))
    said = wording.phrase("chat.answer_cut")
    forms = [docx_file.conversation_docx(whole), docx_file.answer_docx(AnswerRecord(question, cut, "internal"))]
    texts = ["\n".join(one.text for one in Document(io.BytesIO(form)).paragraphs) for form in forms]
    assert [said in text for text in (*texts, markdown_file.conversation_markdown(whole))] == [reason != "end"] * 3


def _outline(markdown: str) -> list[tuple[str, str]]:
    """Headings outside quotations, as a program that renders HTML sees them."""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    return [
        (token.tag, tokens[place + 1].content)
        for place, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0
    ]


def _word(*texts: str, title: str = "題名") -> WordDocument:
    return Document(io.BytesIO(docx_file.conversation_docx(_bundle(*texts, title=title))))


# ------------------------------------------------------------------------ Markdown


def test_the_outline_of_markdown_is_title_turns_and_then_the_answers_own() -> None:
    written = markdown_file.conversation_markdown(_bundle("問い", ANSWER, "次の問い", "# 答え"))
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(1_700_000_000))
    assert _outline(written) == [
        ("h1", "題名"),
        ("h2", f"質問 1　{at}"),
        ("h2", f"回答 1　{at}　Swallow 8B"),
        ("h3", "大きな見出し"),
        ("h4", "下線の見出し"),
        ("h2", f"質問 2　{at}"),
        ("h2", f"回答 2　{at}　Swallow 8B"),
        ("h3", "答え"),
    ]
    assert '# これは見出しではない\nprint("<b>")\n' in written
    assert "| 橋脚 | 70 mm |" in written
    assert "> 問い" in written


@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint(1)",
        "~~~~\n```\n~~~",
        "<!-- 隠す",
        "<script>",
        "<pre>",
        "<details><summary>x",
        "<![CDATA[",
        "<?php",
        "<div>\n# x",
        "- <!-- x",
        "> <!-- x",
        "1. ```\n   x",
        "`a\n<!-- b`",
        "\\\\<!-- x",
        "| a |\n|---|\n| <!-- |",
        "[次の問い]: https://example.org",
        "    # code",
        "- a\n  - b\n    - c",
        "text\n===",
        "# a\n## b",
        "---",
        "\\",
        "`",
        "> > > a",
        "\0",
        "\r# x\r",
        "",
        "[" * 1000,
        "> " * 500 + "x",
    ],
)
def test_nothing_in_an_answer_reaches_what_follows(text: str) -> None:
    written = markdown_file.conversation_markdown(_bundle(text, text, "次の問い", "# 終わり"))
    outline = [heading for heading in _outline(written) if heading[0] in ("h1", "h2")]
    assert [heading[1].split("　")[0] for heading in outline] == ["題名", "質問 1", "回答 1", "質問 2", "回答 2"]
    tokens = MarkdownIt("commonmark").parse(written)
    assert [token for token in tokens if token.type == "html_block"] == []
    inline = [child for token in tokens for child in token.children or ()]
    assert [child for child in inline if child.type == "html_inline"] == []
    assert [child for child in inline if child.type == "link_open"] == []


@pytest.mark.parametrize(
    ("text", "written"),
    [
        *(
            (text, text)
            for text in ("`<b>` と 10日です[1][2,3]。", "```\n<b> # x\n```", "1 < 2 # 3", "snake_case_name")
        ),
        ("`<b>` と <https://example.org>", "`<b>` と `https://example.org`"),
        ("[題](https://example.org/a)", "題（`https://example.org/a`）"),
    ],
)
def test_code_and_marks_of_sources_stay_as_they_are_and_addresses_are_readable(text: str, written: str) -> None:
    assert make_inert(text, 2) == written


def test_an_immense_text_is_kept_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "````\n# x\n" * 20_000
    assert make_inert(text, 2) == f"`````\n{text.rstrip()}\n`````"


def test_a_title_means_nothing_to_markdown() -> None:
    written = markdown_file.conversation_markdown(_bundle("問い", title="# <b>*[x](y)`_\0"))
    (token, *_rest) = [token for token in MarkdownIt().parse(written) if token.type == "inline"]
    assert [child.type for child in token.children or ()] == ["text"] * len(token.children or ())


def test_only_the_shown_branch_is_written_and_that_is_said(store: Store, tmp_path: Path) -> None:
    save_file(
        stored_bundles(store, [plant(store)], nothing, []),
        "markdown",
        tmp_path / "a.md",
        permit=PERMIT,
    )
    written = (tmp_path / "a.md").read_text("utf-8")
    assert "年に **一度** です。" in written
    assert "途中" not in written.replace("途中で問題", "")
    assert "ほかの枝の発言 1 件は含みません" in written
    assert phrase("common.export_turn.failed") in written


def test_documents_speak_english_too() -> None:
    wording.use_language("en")
    try:
        assert "Question 1 · " in markdown_file.conversation_markdown(_bundle("question", "answer"))
        document = _word("question", "see [this](https://a.example/) ![seen](b.png)")
        written = "".join(p.text for p in document.paragraphs)
        assert "Answer 1" in written
        assert "this (https://a.example/)" in written
        assert "seen (b.png)" in written
        assert not re.search("[^\x00-\u2fff]", written.removeprefix("題名"))  # no sign of full width either
        assert document.core_properties.language == "en-US"
    finally:
        wording.use_language("ja")


# ---------------------------------------------------------------------------- Word


def test_a_word_document_has_title_turns_and_everything_of_the_answer() -> None:
    document = _word("問い\n二行目 # そのまま", ANSWER)
    by_style: dict[str, list[str]] = {}
    for paragraph in document.paragraphs:
        by_style.setdefault(paragraph.style.name if paragraph.style else "", []).append(paragraph.text)
    assert by_style["Title"] == ["題名"]
    assert [text.split("　")[0] for text in by_style["Heading 1"]] == ["質問 1", "回答 1"]
    assert by_style["Heading 2"] == ["大きな見出し"]
    assert by_style["Heading 3"] == ["下線の見出し"]
    assert by_style["List Paragraph"] == ["一", "内側", "二", "三番", "四番", "別の並び"]
    assert by_style["KotaeCode"] == ['# これは見出しではない\nprint("<b>")']
    assert "二行目 # そのまま" in by_style["Normal"]
    assert "<div>そのまま</div>" in by_style["Normal"]
    assert "本文に 太字 と 斜体 と コード と 取消 と 題（https://example.org/a）。" in by_style["Normal"]


def test_characters_of_an_answer_keep_their_look_and_lists_count_for_themselves() -> None:
    document = _word("問い", ANSWER)
    runs = {run.text: run for paragraph in document.paragraphs for run in paragraph.runs}
    assert runs["太字"].bold
    assert runs["斜体"].italic
    assert runs["取消"].font.strike
    assert runs["コード"].style.name == "KotaeCodeCharacters"
    properties = {paragraph.text: paragraph._p.pPr for paragraph in document.paragraphs}
    numbers = {text: found.numPr for text, found in properties.items() if found is not None}
    assert numbers["三番"].numId.val == numbers["四番"].numId.val != numbers["別の並び"].numId.val
    assert [numbers[text].ilvl.val for text in ("一", "内側", "二")] == [0, 1, 0]
    lists = document.part.numbering_part.element
    assert lists.num_having_numId(numbers["三番"].numId.val).lvlOverride_lst[0].startOverride.val == 3


def test_a_table_keeps_its_cells_head_and_alignment() -> None:
    (table,) = _word("問い", ANSWER).tables
    assert [[cell.text for cell in row.cells] for row in table.rows] == [["部位", "かぶり"], ["橋脚", "70 mm"]]
    assert table.rows[0].cells[0].paragraphs[0].runs[0].bold
    assert table.rows[1].cells[1].paragraphs[0].alignment is not None
    assert table.style.name == "Table Grid"


def test_every_font_of_the_document_is_a_japanese_one_and_pages_are_numbered() -> None:
    document = _word("問い", ANSWER)
    fonts = document.styles.element.findall(f".//{qn('w:rFonts')}")
    assert len(fonts) > 10
    assert {font.get(qn("w:eastAsia")) for font in fonts} == {"Yu Gothic", "MS Gothic"}
    assert not [name for font in fonts for name in font.attrib if name.endswith("Theme")]
    assert document.styles.element.find(f".//{qn('w:lang')}").get(qn("w:eastAsia")) == "ja-JP"
    footer = document.sections[0].footer._element
    assert [field.get(qn("w:instr")) for field in footer.iter(qn("w:fldSimple"))] == ["PAGE", "NUMPAGES"]


def test_every_part_is_xml_and_every_style_and_list_that_is_used_is_there() -> None:
    archive = zipfile.ZipFile(io.BytesIO(docx_file.conversation_docx(_bundle("問い", ANSWER))))
    names = [name for name in archive.namelist() if name.endswith((".xml", ".rels"))]
    parts = {name: ElementTree.fromstring(archive.read(name)) for name in names}
    body = parts["word/document.xml"]
    known = {style.get(qn("w:styleId")) for style in parts["word/styles.xml"].iter(qn("w:style"))}
    used = {mark.get(qn("w:val")) for name in ("pStyle", "rStyle", "tblStyle") for mark in body.iter(qn(f"w:{name}"))}
    assert used
    assert used <= known
    lists = {number.get(qn("w:numId")) for number in parts["word/numbering.xml"].iter(qn("w:num"))}
    assert {mark.get(qn("w:val")) for mark in body.iter(qn("w:numId"))} <= lists
    external = [link for part in parts.values() for link in part.iter() if link.get("TargetMode") == "External"]
    assert external == []  # nothing that Word would fetch or open


@pytest.mark.parametrize(
    "text",
    [
        "\0\x01\x08\x0b\x0c\x1f\x7f\ufffe\uffff終",
        "\ud800終",
        "]]><w:p/>&amp;<終",
        "![図](https://example.org/終.png)",
        "[押す](javascript:alert) 終",
        "[押す](file:///etc/passwd) 終",
        "> " * 500 + "終",
        "- " * 300 + "終",
        "1234567890. 終",
        "999999999. 終",
        "| a |\n|---|\n| 終 |",
        "```\n終",
        "<!-- 終",
        "# " + "終" * 5000,
        "[" * 3000 + "終",
        "\u202e終\u202c",
        "|a|b|\n|-|-|\n|終|",
    ],
)
def test_whatever_a_text_holds_the_word_document_opens_and_shows_it(text: str) -> None:
    document = _word(text, text, title=text[:40])
    found = [p.text for p in document.paragraphs] + [c.text for t in document.tables for r in t.rows for c in r.cells]
    assert sum("終" in shown for shown in found) >= 2


def test_a_table_of_many_cells_is_kept_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docx_file, "CELLS_MAX", 10)
    document = _word("問い", "| a | b |\n|---|---|\n" + "| x | y |\n" * 6)
    assert document.tables == []
    assert [p.text for p in document.paragraphs].count("| x | y |") == 6


# ----------------------------------------------------------------------- file names


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("橋脚の点検", "橋脚の点検"),
        ('a/b\\c:d*e?f"g<h>i|j', "a_b_c_d_e_f_g_h_i_j"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..", "会話"),
        ("", "会話"),
        ("???", "会話"),
        ("CON", "_CON"),
        ("con.txt", "_con.txt"),
        ("LPT1", "_LPT1"),
        ("COM¹", "_COM¹"),
        ("console", "console"),
        ("終わり. . ", "終わり"),
        ("\u202egnp.exe", "gnp.exe"),
        ("a\u200bb\0c\x7f", "abc"),
        ("一\n二\t三　四", "一 二 三 四"),
        ("が", "が"),
        ("\ue000\ud800x", "x"),
    ],
)
@pytest.mark.fault("S10")
def test_a_title_becomes_a_name_that_every_system_takes(title: str, name: str) -> None:
    assert output_file.safe_name(title, "会話") == name


@pytest.mark.parametrize("title", ["あ" * 200, "a" * 200, "😀" * 100, "か゚" * 100])
def test_a_long_title_is_cut_between_characters(title: str, tmp_path: Path) -> None:
    name = output_file.safe_name(title, "会話")
    assert len(name) <= 80
    assert len(name.encode()) <= 200
    (tmp_path / f"{name} (1000).docx").touch()
