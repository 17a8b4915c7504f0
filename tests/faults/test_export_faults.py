"""Files that leave the program hold nothing that loads, opens, runs or calculates, whatever an answer says.

Each file is read back by the library that other programs read it with.
"""

import ast
import csv
import io
import itertools
import re
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import openpyxl
import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from app.base import invisible_characters
from app.base.files.inert_markdown import escape_line, make_inert
from app.base.tables import table_writer
from app.chat.exchange import docx_file, markdown_file
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.records import AnswerDetails, Conversation, Message
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.evaluation.report import report
from tests.evaluation.made_evaluation import evaluation
from tests.faults.ledger import Tally
from tests.faults.test_render_faults import HTML, IMAGES, LINKS, STRUCTURE
from tests.sources import sources

MARKDOWN = [
    "![a](http://evil.example/a.png)",
    "![a][b]\n\n[b]: http://evil.example/a.png",
    "![a][]\n\n[a]: <http://evil.example/a b.png> 'x'",
    "![a]\n\n- [a]: http://evil.example/a.png",
    "> ![a]\n>\n> [a]: http://evil.example/a.png",
    "[![a](http://evil.example/a.png)](http://evil.example/)",
    "**![a](http://evil.example/a.png)**",
    "![a\nb](\nhttp://evil.example/a.png\n'x'\n)",
    "| a |\n|---|\n| ![a](http://evil.example/a.png) |",
    "| ` a | ` ![x](http://evil.example) ` | b ` |\n|--|--|--|\n| ` | ![x](http://evil.example/b) | ` |",
    "|`a`|\n|-|\n|`\\`![x](http://evil.example)`|",
    "`` ` `![x](http://evil.example)` `` `",
    "`a``b`![x](http://evil.example)`c`",
    "<http://evil.example/auto>",
    "http://evil.example/bare",
    "HTTP://EVIL.example と https://evil.example。と wwwhttp://evil.example",
    "www.evil.example/x",
    "a@evil.example と mailto:a@evil.example",
    "h**ttp://evil.example/x**",
    "http&#58;//evil.example/x",
    "htt&#x70;://evil.example &#119;ww.evil.example",
    "a&#10;# 見出し&#10;![x](http://evil.example)",
    "&#96;![x](http://evil.example)&#96;",
    "&lt;img src=http://evil.example/a.png&gt;",
    "\\<img src=x>\\![a](http://evil.example/a.png)",
    "\\\\<img src=x>",
    "<img\nsrc=http://evil.example>",
    "text <b onclick=x>b</b> <!-- c --> <?php ?> <![CDATA[x]]>",
    "<div>\n\n![a](http://evil.example/a.png)\n\n</div>",
    "[x](javascript:alert(1)) [y](data:text/html,x) [z](file:///etc/passwd)",
    r"[x](\\server\share) \\server\share\a.png //server/share/a.png",
    "[^1]\n\n[^1]: http://evil.example",
    "[[http://evil.example]] ![[evil.png]] {{evil}} {% include evil %}",
    "```mermaid\nclick A href \"http://evil.example\"\n```",
    "```{r}\nsystem('x')\n```",
    "```dataviewjs\nfetch('x')\n```",
    "~~~\n![a](http://evil.example)",
    "    ```\n![a](http://evil.example)",
    "```\n``` \n![a](http://evil.example)\n```",
    "- ```\n![a](http://evil.example)",
    "@import \"http://evil.example/a.md\"\n!include(/etc/passwd)\n:::{include} /etc/passwd",
    "$\\href{http://evil.example}{x}$ \\includegraphics{/etc/passwd}",
    "evil.example.com/x?d=secret と 192.0.2.1/x と ftp://evil.example",
    "[1]: http://evil.example\n\n[1][1] ![1][1] [1](http://evil.example)",
    "Setext\nhttp://evil.example\n===",
    "# http://evil.example ![a](http://evil.example)",
    "a\\\n![b](http://evil.example)",
    "*a*`*b*`**c** ~~http://evil.example~~",
]  # fmt: skip
FLAVOURS = (
    MarkdownIt("commonmark", {"html": True}),
    MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]),
)
ACTING = ("link_open", "image", "html_block", "html_inline")
ADDRESS = re.compile(r"(?:https?|ftp|file)://\S|\bwww\.\S|\w@\w+\.\w", re.IGNORECASE)
LANGUAGES = ("", "python", "html", "text")


def bundle(*texts: str, title: str = "題名", grounding: Grounding | None = None) -> Bundle:
    messages = tuple(
        Message(
            number, 1, number - 1 or None, "question" if number % 2 else "answer", text, "done", 1_700_000_000.0,
            None if number % 2 else AnswerDetails(model_name=title, grounding=grounding),
        )
        for number, text in enumerate(texts, start=1)
    )  # fmt: skip
    return Bundle(Conversation(1, title, 1_700_000_000.0, 1_700_000_100.0, len(texts)), messages)


def flat(markdown: str, flavour: MarkdownIt) -> list[Token]:
    return [token for top in flavour.parse(markdown) for token in (top, *(top.children or ()))]


def check(markdown: str) -> None:
    for flavour in FLAVOURS:
        found = flat(markdown, flavour)
        assert [token.type for token in found if token.type in ACTING] == []
        assert [token.content for token in found if token.type == "text" and ADDRESS.search(token.content)] == []
        assert {token.info.strip() for token in found if token.type == "fence"} <= set(LANGUAGES)


@pytest.mark.fault("S6")
def test_no_answer_acts_in_exported_markdown(tally: Tally) -> None:
    cases = [case for case in (*MARKDOWN, *IMAGES, *HTML, *LINKS, *STRUCTURE) if len(case) < 20_000]
    for case in cases:
        check(make_inert(case, 2))
    for case in MARKDOWN:
        check(make_inert(f"前の段落\n{case}\n\n次の段落", 2))
        check(make_inert(f"> - {case}".replace("\n", "\n>   "), 2))
    assert len(cases) > 100
    tally.tried(len(cases))


COMPUTED = [
    "`$= app.vault.adapter.read('x')`",
    "a `= this.file.name` b",
    '**`r system("id")`**',
    "`{python} open('x')`",
    "| a |\n|---|\n| `$=x` |",
    "- `=x`",
    "<% tp.system.clipboard() %> <%* x %> <%%= x %>",
    "{% include x %} {%- x -%} `a`{% x %}",
    "A %%hidden%% B",
]
COMPUTES = re.compile(r"(?<!`)`\s*(?:\$?=\s*\w|r[ #]|\{\w+\})|<%|\{%|(?<!\\)%%")


@pytest.mark.fault("S6")
def test_nothing_in_exported_markdown_is_computed_or_hidden_by_an_editor(tally: Tally) -> None:
    for case in COMPUTED:
        written = make_inert(case, 2)
        assert COMPUTES.search(case)
        assert not COMPUTES.search(written), written
        check(written)
    kept = '`a = 1` と `{"a": 1}` と `=` と `==`、50 % と 20%'
    assert make_inert(kept, 2) == kept
    tally.tried(len(COMPUTED))


@pytest.mark.parametrize("case", MARKDOWN)
def test_what_is_written_says_the_same_when_it_is_written_again(case: str) -> None:
    """So an exported answer that becomes a document and is quoted stays as it is."""
    once = make_inert(case, 0)
    shown = [token.content for token in flat(once, FLAVOURS[1]) if token.type in ("text", "code_inline", "fence")]
    again = [
        token.content
        for token in flat(make_inert(once, 0), FLAVOURS[1])
        if token.type in ("text", "code_inline", "fence")
    ]
    assert "".join(again) == "".join(shown)


@pytest.mark.fault("S6")
def test_nothing_of_a_whole_conversation_acts_in_markdown(tally: Tally) -> None:
    for case in MARKDOWN:
        line = " ".join(case.split())
        kept = Grounding(
            sources=(CitedSource(line, "internal", line, "/x", line, (line,), line, 3),),
            claims=(Claim(line, 0, len(line), (1,), False, (line,)),),
        )
        check(markdown_file.conversation_markdown(bundle(case, case, title=line, grounding=kept)))
        (inline,) = [token for token in FLAVOURS[1].parse(escape_line(line)) if token.type == "inline"]
        assert {token.type for token in inline.children or ()} <= {"text", "code_inline"}
    tally.tried(len(MARKDOWN))


@pytest.mark.fault("S6")
def test_addresses_stay_readable(tally: Tally) -> None:
    for address in ("http://evil.example/a.png?d=1", "file:///etc/hostname", "javascript:alert", "www.evil.example"):
        for form in ("![図]({})", "[語]({})", "{}"):
            shown = "".join(token.content for token in flat(make_inert(form.format(address), 2), FLAVOURS[1]))
            assert address in shown
    tally.tried(12)


@pytest.mark.fault("S6")
def test_word_files_have_no_links_fields_or_parts_from_elsewhere(tally: Tally) -> None:
    cases = [
        *MARKDOWN,
        *IMAGES,
        *LINKS[:17],
        'INCLUDEPICTURE "http://evil.example" \\d',
        "DDEAUTO c:\\\\x.exe",
        "{=1+1}",
    ]
    archive = zipfile.ZipFile(
        io.BytesIO(docx_file.conversation_docx(bundle(*[part for one in cases for part in (one, one)])))
    )
    for name in archive.namelist():
        part = archive.read(name).decode("utf-8", "replace")
        assert 'TargetMode="External"' not in part
        if name.startswith("word/") and name.endswith(".xml"):
            assert not re.search(r"<w:(?:hyperlink|instrText|altChunk|object|pict|drawing|subDoc)\b", part)
            assert set(re.findall(r'w:instr="([^"]*)"', part)) <= {"PAGE", "NUMPAGES"}
    tally.tried(len(cases))


FORMULAS = [
    "=1+1", "+1", "-1+1", "@SUM(A1)", "＝1+1", "＋1", "－1", "＠SUM", "﹦1", "﹢1", "﹣1", "﹫1", "−1+1", "⁼1",
    "\t=1", "\r=1", "\n=1", " =1", "\u3000＝1", "\u200b=1", "\u2060＝1", "\ufeff=1", "\u202e=1", "\xad=1", "\x00=1",
    "\u200b\u2060 ＠x", "\U000e0041=1", "=HYPERLINK(\"http://evil.example\",\"x\")", "=cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0", "'=1", "''=1", "=1\n=2", "\ufe0f=1", "\u0301=1",
]  # fmt: skip


@pytest.mark.fault("S6")
def test_no_cell_of_a_table_is_a_formula_or_a_link(tally: Tally) -> None:
    book = table_writer.WorkbookWriter("…", "社外秘")
    book.add("表", (20, 20), [(one, f"{n}") for n, one in enumerate(FORMULAS)], ["=頭", "http://evil.example"])
    made = io.BytesIO()
    book.save(made)
    archive = zipfile.ZipFile(made)
    sheet = next(archive.read(name).decode() for name in archive.namelist() if name.endswith("sheet1.xml"))
    assert not re.search(r"<f[ >]|<hyperlink", sheet)
    assert not [name for name in archive.namelist() if "sheets/_rels" in name or "externalLink" in name]
    read: Any = openpyxl.load_workbook(made).active
    assert read.oddHeader.right.text == "社外秘"
    cells: list[Any] = [cell for row in read.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} == {"s"}
    assert all(cell.hyperlink is None for cell in cells)
    formulas = [cell for cell in cells if table_writer.is_formula_like(cell.value)]
    assert len(formulas) > len(FORMULAS) - 3
    assert all(cell.quotePrefix for cell in formulas)
    tally.tried(len(FORMULAS))


@pytest.mark.fault("S6")
def test_no_cell_of_a_csv_file_begins_as_a_formula_and_each_is_read_back(tally: Tally) -> None:
    made = io.BytesIO()
    table_writer.write_csv(made, ["=頭"], [(one,) for one in FORMULAS])
    text = made.getvalue().decode("utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert all(row[0].startswith("'") for row in rows)
    assert [table_writer.remove_formula_apostrophe(row[0]) for row in rows[1:]] == [
        invisible_characters.remove(one) for one in FORMULAS
    ]
    for delimiter in ";\t|":  # a program that separates otherwise still finds quoted cells
        assert [row[0] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)] == [
            r[0] for r in rows
        ]
    tally.tried(len(FORMULAS))


@pytest.mark.parametrize("text", ["", "10日", "'引用'", "1-2", "a=b", "・項目", "（＝等しい）", "年次"])
def test_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert not table_writer.is_formula_like(text)
    assert table_writer.remove_formula_apostrophe(text) == text


class Acting(HTMLParser):
    """Collects what a browser would load, open or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "img", "iframe", "object", "embed", "link", "base", "form", "a", "image", "use"):
            self.found.append(tag)
        self.found += [
            name for name, _ in attrs if name.startswith("on") or name in ("href", "src", "action", "xlink:href")
        ]


@pytest.mark.fault("S6")
def test_nothing_acts_in_a_report_of_an_evaluation(tally: Tally) -> None:
    cases = [one.replace("{canary}", "/etc/x.png") for one in (*HTML, *MARKDOWN)]
    made = evaluation()
    questions = tuple(
        replace(one, text=case, reference=case, category=case)
        for one, case in zip(made.questions.questions, itertools.cycle(cases), strict=False)
    )
    asked = replace(made.questions, name=" ".join(cases), questions=questions, label="internal")
    systems = tuple(
        replace(one, system=replace(one.system, name=case), rows=tuple(replace(row, answer=case) for row in one.rows))
        for one, case in zip(made.systems, cases, strict=False)
    )
    written = report.content(replace(made, name=" ".join(cases), questions=asked, systems=systems), []).decode()
    parser = Acting()
    parser.feed(written)
    assert parser.found == []
    assert "社外秘" in written
    assert "default-src 'none'" in written
    tally.tried(len(cases))


WRITERS = {
    "openpyxl.Workbook": {"app/base/tables/table_writer.py"},
    "csv.writer": {"app/base/tables/table_writer.py"},
    "docx.Document": {"app/chat/exchange/docx_file.py"},
    "markupsafe.Markup": {"app/base/html_report.py", "app/training/runs/run_report.py"},
}  # of each form, who makes a file of it; whoever else needs one asks these


def test_each_form_of_file_has_one_writer() -> None:
    found: dict[str, set[str]] = {name: set() for name in WRITERS}
    for source in sources("app"):
        for node in source.nodes:
            if isinstance(node, ast.ImportFrom):
                for name in node.names:
                    found.get(f"{node.module}.{name.name}", set()).add(source.path)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.get(f"{node.value.id}.{node.attr}", set()).add(source.path)
    assert found == WRITERS
