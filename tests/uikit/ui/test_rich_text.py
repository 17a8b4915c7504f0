"""Markdown as it is shown and copied, at once and while it grows, with marks at words that are looked for."""

import pytest
from PySide6.QtGui import QTextBlock, QTextBlockFormat, QTextCursor, QTextTable
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base.settings import Settings
from app.uikit import untrusted_text
from app.uikit.text import document_style, markdown, rich_text
from app.uikit.text.rich_text import RichText
from app.uikit.theme import Theme
from tests.uikit.ui.words import marked

ARTICLE = """説明の一段落目です。
ここで改行します。[1]

## 見出し

容量は **24 kW**、時間は 8 h です。

- 一つ目
  続きの行
- 二つ目
  - 入れ子

1. 最初
2. 次

| 項目 | 値 | 備考 |
|---|---:|---|
| 長さ | 12 m | あり |
| 重さ |

> 引用の一行目
> 二行目

```python
a = 1

b = [1]  # 24 kW
```

---

終わりの段落です。
"""


@pytest.fixture(scope="module")
def theme(qapp: QApplication) -> Theme:
    theme = Theme()
    theme.apply(qapp, Settings(theme="light"))
    return theme


@pytest.fixture
def text(theme: Theme, qtbot: QtBot) -> RichText:
    text = RichText(theme)
    qtbot.addWidget(text)
    return text


def look(text: RichText) -> list[tuple[object, ...]]:
    """Everything about each block that can be seen."""
    found = []
    for block in markdown.blocks(text.document()):
        style = block.blockFormat()
        items = block.textList()
        found.append(
            (
                block.text(),
                style.lineHeight(),
                style.topMargin(),
                style.bottomMargin(),
                style.leftMargin(),
                style.alignment(),
                style.property(document_style.KIND),
                (items.format().style(), items.format().indent(), items.itemNumber(block)) if items else None,
                QTextCursor(block).currentTable() is not None,
                [
                    (part.text(), part.charFormat().fontWeight(), part.charFormat().font().pixelSize())
                    for part in fragments(block)
                ],
            )
        )
    return found


def fragments(block: QTextBlock) -> list:  # type: ignore[type-arg]
    found, iterator = [], block.begin()
    while not iterator.atEnd():
        found.append(iterator.fragment())
        iterator += 1
    return found


def copied(text: RichText) -> str:
    text.selectAll()
    return text.createMimeDataFromSelection().text()


def test_every_block_has_the_line_height_of_its_role(text: RichText, theme: Theme) -> None:
    text.show_markdown(ARTICLE)
    for block in markdown.blocks(text.document()):
        style = block.blockFormat()
        if block.text():
            assert style.lineHeightType() == QTextBlockFormat.LineHeightTypes.MinimumHeight.value
            assert style.lineHeight() in {
                theme.line_height(role) for role in ("reading", "reading_table", "mono", "heading2")
            }


def test_a_line_end_in_a_paragraph_stays_one(text: RichText) -> None:
    text.show_markdown("一行目\n二行目\n\n- 項目\n  続き\n\n> 引用\n> 続き")
    assert [block.text() for block in markdown.blocks(text.document())] == [
        "一行目\u2028二行目", "項目\u2028続き", "引用\u2028続き",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "markup",
    [
        "段落\n- 項目",
        "段落\n1. 項目",
        "段落\n# 見出し",
        "段落\n```\ncode\n```",
        "段落\n> 引用",
        "見出し\n===",
        "a|b\n-|-\n1|2",
    ],
)
def test_a_line_end_before_another_structure_is_none(text: RichText, markup: str) -> None:
    text.show_markdown(markup)
    shown = text.document().toPlainText()
    assert "\u2028" not in "".join(block.text() for block in markdown.blocks(text.document()))
    assert untrusted_text.LINE_BREAK not in shown


@pytest.mark.parametrize(
    "swallowed", ["---\n題: 値\n---\n本文", "[1]: 基準\n\n本文", "[注]: https://a.example 'b'\n\n本文"]
)
def test_what_markdown_would_swallow_is_shown(text: RichText, swallowed: str) -> None:
    text.show_markdown(swallowed)
    for word in ("値", "基準", "a.example"):
        assert (word in swallowed) == (word in text.document().toPlainText())


def test_display_helpers_are_shown_but_never_copied(text: RichText) -> None:
    text.show_markdown("基本です。[1] 長さは 12 mm、幅は 3 apples です。`5 kN[2]`")
    shown = text.document().firstBlock().text()
    assert "\u2060[1]" in shown
    assert "12\u00a0mm" in shown
    assert "3 apples" in shown
    assert copied(text) == "基本です。[1] 長さは 12 mm、幅は 3 apples です。5 kN[2]"
    assert text.plain_text() == copied(text)


def test_code_has_no_helpers_and_its_lines_wrap(text: RichText) -> None:
    text.show_markdown("```\nx[1] = 5 mm\n" + "long " * 100 + "\n```")
    text.fit(320)
    assert "\u2060" not in text.toPlainText()
    assert text.document().idealWidth() <= 320
    assert text.document().firstBlock().layout().lineCount() == 1
    assert text.document().firstBlock().next().layout().lineCount() > 1


def test_headers_follow_their_column(text: RichText) -> None:
    text.show_markdown("|a|b|\n|-|-:|\n|1|2|")
    table = text.document().rootFrame().childFrames()[0]
    assert isinstance(table, QTextTable)
    header, cell = (table.cellAt(row, 1).firstCursorPosition().blockFormat().alignment() for row in (0, 1))
    assert header == cell
    assert table.cellAt(0, 0).firstCursorPosition().charFormat().fontWeight() == 600


def test_no_empty_line_stands_beside_a_table(text: RichText) -> None:
    text.show_markdown("|a|b|\n|-|-|\n|1|2|")
    with_table = text.fit(640)
    text.show_markdown("|a|b|\n|-|-|\n|1|2|\n|3|4|")
    row = text.fit(640) - with_table
    assert with_table < 2 * row + 30


def test_astral_letters_do_not_shift_the_helpers(text: RichText) -> None:
    text.show_markdown("𠮷野家👨‍👩‍👧 12 kg です。[3]")
    assert text.document().firstBlock().text() == "𠮷野家👨‍👩‍👧 12\u00a0kg です。\u2060[3]"


@pytest.mark.parametrize("step", [1, 3, 7, 50])
def test_a_growing_answer_looks_in_the_end_like_one_shown_at_once(theme: Theme, qtbot: QtBot, step: int) -> None:
    at_once, growing = RichText(theme), RichText(theme)
    qtbot.addWidget(at_once)
    qtbot.addWidget(growing)
    at_once.show_markdown(ARTICLE)
    for end in range(0, len(ARTICLE) + step, step):
        growing.show_growing(ARTICLE[:end])
        growing.fit(640)
    assert look(growing) == look(at_once)
    assert growing.fit(640) == at_once.fit(640)


def test_a_selection_above_survives_growth_and_the_end(text: RichText) -> None:
    start = "選ばれた段落です。\n\n次の段落です。\n\n"
    text.show_growing(start + "続き")
    cursor = text.textCursor()
    cursor.setPosition(0)
    cursor.setPosition(8, QTextCursor.MoveMode.KeepAnchor)
    text.setTextCursor(cursor)
    text.show_growing(start + "続きが増えました。")
    text.show_markdown(start + "続きが増えました。")
    assert text.textCursor().selectedText() == "選ばれた段落です"


def test_only_the_unfinished_end_is_parsed_again(text: RichText, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    parse = markdown.parse

    def spy(piece: str) -> markdown.SafeDocument:
        parsed.append(piece)
        return parse(piece)

    monkeypatch.setattr(markdown, "parse", spy)
    long = "".join(f"段落 {number} です。\n\n" for number in range(200))
    text.show_growing(long + "終わりの")
    parsed.clear()
    text.show_growing(long + "終わりの段落")
    assert parsed == ["終わりの段落"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("段落\n\n", "次の段落"),
        ("- 一覧\n\n", "段落です"),
        ("```\na\n\nb\n```\n\n", "段落です"),
        ("|a|\n|-|\n\n", "## 見出し"),
    ],
)
def test_a_new_paragraph_settles_what_stands_before(before: str, after: str) -> None:
    assert rich_text.settled_end(before + after) == len(before)


@pytest.mark.parametrize(
    "text", ["段落\n\n- 一覧", "- 一\n\n  続き", "```\na\n\nbc", "段落\n\n1", "段落\n\n", "1. a\n\n2. b", ""]
)
def test_what_may_still_change_is_not_settled(text: str) -> None:
    assert rich_text.settled_end(text) == 0


@pytest.mark.parametrize("unit", ["あ", "行\n", "a b ", "段落です。\n\n"])
def test_pages_are_bounded_and_lose_nothing(unit: str) -> None:
    text = unit * (300_000 // len(unit))
    pages = markdown.pages(text)
    assert "".join(pages) == text
    assert all(len(page) <= markdown.PAGE_CHARACTERS for page in pages)
    assert all(page.count("\n") <= markdown.PAGE_LINES for page in pages)
    assert markdown.first_page(text) == pages[0]
    assert markdown.pages("短い") == ["短い"]


@pytest.mark.parametrize(
    ("written", "query", "words"),
    [
        ("この**橋脚**は`橋脚D13`です", ["橋脚"], ["橋脚", "橋脚"]),
        ("必要な**かぶり**は70です", ["かぶりは"], ["かぶりは"]),
        ("𠮷野の橋脚と𠮷", ["橋脚", "𠮷"], ["𠮷", "橋脚", "𠮷"]),
        ("長さ 12 mm [1] です", ["12mm"], ["12\u00a0mm"]),
        ("| 橋脚 | 値 |\n|---|---|\n| a | 橋脚 |", ["橋脚"], ["橋脚", "橋脚"]),
        ("- ｺﾝｸﾘｰﾄ\n- コンクリート", ["コンクリート"], ["ｺﾝｸﾘｰﾄ", "コンクリート"]),
        ("橋脚", [], []),
        ("橋脚", ["橋台"], []),
    ],
)
def test_words_are_marked_where_they_stand_in_the_shown_text(
    theme: Theme, qtbot: QtBot, written: str, query: list[str], words: list[str]
) -> None:
    text = RichText(theme)
    qtbot.addWidget(text)
    text.show_markdown(written)
    assert text.mark(query) == len(words)
    assert [found for found, _ in marked(text)] == words


def test_marks_have_the_colours_of_the_theme_and_the_current_one_an_outline(theme: Theme, qtbot: QtBot) -> None:
    text = RichText(theme)
    qtbot.addWidget(text)
    text.show_plain("橋脚と橋脚")
    text.mark(["橋脚"], 1)
    assert marked(text) == [("橋脚", False), ("橋脚", True)]
    (selection, _) = text.extraSelections()
    assert selection.format.background().color() == theme.color("cite")
    assert selection.format.foreground().color() == theme.color("text")


def test_a_text_keeps_its_marks_when_it_is_shown_anew_or_goes_on(theme: Theme, qtbot: QtBot) -> None:
    text = RichText(theme)
    qtbot.addWidget(text)
    text.mark(["橋脚"])
    text.show_plain("橋脚")
    assert len(marked(text)) == 1
    text.append_plain("また橋脚")
    assert len(marked(text)) == 2
    text.mark([])
    assert marked(text) == []


def test_a_text_without_marks_is_not_searched(theme: Theme, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scrolling through thousands of messages costs nothing more while nobody looks for anything."""
    text = RichText(theme)
    qtbot.addWidget(text)
    monkeypatch.setattr(rich_text, "word_places", lambda *_: pytest.fail("searched"))
    text.show_markdown("橋脚")
    text.append_plain("橋脚")
    assert text.mark([]) == 0
