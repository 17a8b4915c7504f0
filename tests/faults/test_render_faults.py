"""Hostile text as an answer: nothing is loaded, nothing opens, nothing freezes, and the text stays readable."""

import ctypes
import os
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt, QUrl
from PySide6.QtGui import QColor, QDesktopServices, QImage, QTextDocument
from PySide6.QtWidgets import QApplication, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from app.base.settings import Settings
from app.chat.records import AnswerDetails, Message
from app.chat.ui.transcript.answer_actions import AnswerDisplayOptions
from app.chat.ui.transcript.answer_view import AnswerView
from app.chat.ui.transcript.message_view import MessageRequests
from app.uikit import untrusted_text
from app.uikit.dialogs import Dialog
from app.uikit.page import NavigationSignals
from app.uikit.text import markdown, rich_text
from app.uikit.theme import Theme

FREEZE_S = 1.5  # far above what is allowed (0.1 s on a quiet machine), far below what an unbounded case takes
SEEN = "本文は読めます"  # stands in every case and must be found in what is shown

# `{canary}` becomes the path of an image file that nobody may open.
IMAGES = [
    "![図](http://127.0.0.1:9/a.png)",
    "![図](https://example.com/a.png)",
    "![図](file://{canary})",
    "![図]({canary})",
    "![](file://{canary})",
    "![図](//server/share/a.png)",
    r"![図](\\server\share\a.png)",
    "![図](file://server/share/a.png)",
    "![図](data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==)",
    "![図](qrc:/qt-project.org/styles/commonstyle/images/file-16.png)",
    "![図](:/qt-project.org/styles/commonstyle/images/file-16.png)",
    '![図]({canary} "題")',
    "![図][一]\n\n[一]: file://{canary}",
    "[![図]({canary})](https://example.com)",
    "![a](http://127.0.0.1:9/?q=secret)![b](http://127.0.0.1:9/?q=secret2)",
    "- 項目\n  ![図]({canary})",
    "| 図 | 値 |\n|---|---|\n| ![図]({canary}) | 1 |",
    "> ![図]({canary})",
    "![図](<file://{canary}>)",
    "![" + "x" * 3000 + "](http://127.0.0.1:9/a.png)",
]
HTML = [
    "<img src='file://{canary}'>",
    '<img src="http://127.0.0.1:9/a.png" onerror="alert(1)">',
    "<script>alert(1)</script>",
    "<iframe src='file:///etc/passwd'></iframe>",
    "<style>body {{ background: url(file://{canary}) }}</style>",
    "<div style='background-image:url({canary})'>x</div>",
    "<link rel=stylesheet href=file://{canary}>",
    "<a href='javascript:alert(1)'>押す</a>",
    "<object data='{canary}'></object><embed src='{canary}'>",
    "<base href='file:///'><img src=etc/x.png>",
    "<table background='{canary}'><tr><td>x</td></tr></table>",
    "<svg><image href='file://{canary}'/></svg>",
    "&lt;img src=&quot;{canary}&quot;&gt;",
    "<!-- <img src='{canary}'> -->",
    "<![CDATA[<img src='{canary}'>]]>",
    "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    "<font size=100000>x</font>",
    "`<img src='{canary}'>`",
    "```html\n<img src='{canary}'>\n```",
]
LINKS = [
    "[押す](javascript:alert(1))",
    "[押す](JaVaScRiPt:alert(1))",
    "[押す](file:///etc/passwd)",
    r"[押す](\\server\share\x.exe)",
    "[押す](//server/share)",
    "[押す](data:text/html;base64,PHNjcmlwdD4=)",
    "[https://example.com](https://evil.example/x)",
    "[押す](vbscript:x)",
    "[押す](ms-settings:x)",
    "[押す](kotae://x)",
    "[押す](http:/\t/evil)",
    "[押す](&#106;avascript:alert(1))",
    "[押す](https://例え.example/道?q=値)",
    "[押す](https://example.com@evil.example/)",
    "[押す](http://)",
    "<javascript:alert(1)>",
    "[押す](mailto:a@example.com?subject=x)",
    "[押す](" + "https://example.com/" + "a" * 4000 + ")",
    "[a[b[c](http://x.example)d](file:///etc)](javascript:1)",
]
CHARACTERS = [
    "無害\u202etxt.exe",
    "\u2066\u2067\u2068\u2069\u202a\u202b\u202c\u202d\u200e\u200f\u061c",
    "&#x202e;逆順&#8238;",
    "NUL\x00と制御\x01\x02\x1b[31m赤\x7f\x85",
    "&#0; &#xFFFF; &#xD800; &#xFDD0; &#65532;",
    "孤立\ud800サロゲート\udfff",
    "Qt の目印\ufdd0\ufdd1\ufffc\ufffe\uffff",
    "段落\u2029行\u2028区切り",
    "Z" + "\u0301\u0327\u0338\u035f" * 500 + "algo",
    "か" + "\u3099" * 300,
    "".join(chr(0xE0000 + ord(letter)) for letter in "hidden text"),
    "👨‍👩‍👧‍👦🏳️‍🌈🇯🇵𠮷𩸽",
    "\ufeff先頭の BOM と\u200bゼロ幅\u200dと\u00adソフトハイフン",
]
STRUCTURE = [
    ">" * 1000 + " 深い引用",
    "> " * 1000 + "深い引用",
    "- " * 1000 + "深い一覧",
    "\n".join("  " * depth + "- x" for depth in range(1000)),
    "1. " * 500 + "x",
    "[" * 5000 + "]" * 5000,
    "*" * 5000 + "a" + "*" * 5000,
    "*a _b " * 1500,
    "`" * 3001 + "x" + "``" * 500,
    "".join("`" * (count % 90) + " " for count in range(300)),
    "```\n" * 501,
    "~~~\n```\n閉じない",
    "```python\nprint(1)",
    "|" + "a|" * 500 + "\n|" + "-|" * 500 + "\n" + "|x" * 100,
    "|a|b|\n|-|-|\n" + "|1|2|\n" * 2000,
    "|a|b|c|\n|-|-|-|\n|1\n|1|2|3|4|5|\n||",
    "|" + "a|" * 3000,
    "|a|\n|-|\n" * 300,
    "あ" * 1_000_000,
    "a" * 1_000_000,
    "行\n" * 200_000,
    "# " * 2000 + "見出し",
    "#" * 1000,
    "---\n題: x\n---",
    "---\n---\n---",
    "[一]: 見えなくなる定義",
    "[1]: https://example.com '題'\n[1]",
    "$$\\frac{{1}}{{0}}$$ $x$ \\(y\\) ==印== ++足す++ ~~消す~~",
    "- [ ] a\n- [x] b\n- [X] [c](javascript:1)",
    "&lt;" * 5000,
    "&amp;&copy;&nbsp;&notanentity;&#99999999;&",
    "\\" * 5000,
    "a\n===\nb\n---\n===",
    "\t" * 500 + "字下げ",
    "* * * * * * * * * * * * * * *",
    "%s %n {0} {canary!r} {{}}",
]
STREAMED = [*IMAGES, *STRUCTURE[:16]]
CASES = [*IMAGES, *HTML, *LINKS, *CHARACTERS, *STRUCTURE]


class OpenWatch:
    """Tells whether anybody opened a file since the last question (inotify)."""

    _IN_OPEN = 0x20

    def __init__(self, path: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK)
        assert self._libc.inotify_add_watch(self._fd, os.fsencode(path), self._IN_OPEN) >= 0

    def was_opened(self) -> bool:
        try:
            return len(os.read(self._fd, 4096)) >= struct.calcsize("iIII")
        except BlockingIOError:
            return False

    def close(self) -> None:
        os.close(self._fd)


@pytest.fixture(scope="module")
def theme(qapp: QApplication) -> Theme:
    theme = Theme()
    theme.apply(qapp, Settings(theme="light"))
    return theme


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("canary") / "canary.png"
    image = QImage(400, 400, QImage.Format.Format_RGB32)
    image.fill(QColor("magenta"))
    assert image.save(str(path))
    return path


@pytest.fixture
def watch(canary: Path) -> Iterator[OpenWatch]:
    if sys.platform != "linux":
        pytest.skip("inotify")
    watch = OpenWatch(canary)
    yield watch
    watch.close()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What would have been loaded or opened."""
    asked: list[str] = []
    load = markdown.SafeDocument.loadResource

    def spy(document: QTextDocument, kind: int, name: QUrl) -> object:
        asked.append(f"load {name.toString()}")
        return load(document, kind, name)

    monkeypatch.setattr(markdown.SafeDocument, "loadResource", spy)
    monkeypatch.setattr(rich_text.RichText, "doSetSource", lambda _self, url, *_: asked.append(f"source {url}"))
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: asked.append(f"open {url}"))
    return asked


def show(text: str, theme: Theme, qtbot: QtBot) -> AnswerView:
    message = Message(1, 1, None, "answer", text, "done", 0.0, AnswerDetails(stop_reason="end"))
    view = AnswerView(message, theme, AnswerDisplayOptions(), MessageRequests(NavigationSignals()))
    qtbot.addWidget(view)
    view.resize(640, view.fit(640))
    view.show()
    return view


def test_there_are_at_least_sixty_cases():
    assert len(CASES) >= 60
    assert len(set(CASES)) == len(CASES)


def test_a_plain_document_would_have_read_the_file(qapp, canary, watch):
    """So the watch below does see what it is there for."""
    document = QTextDocument()
    document.setMarkdown(f"![図]({canary})")
    document.size()
    assert watch.was_opened()
    assert not watch.was_opened()


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
@pytest.mark.fault("S6")
def test_nothing_is_loaded_opened_or_frozen_and_the_text_is_readable(case, theme, canary, watch, asked, qtbot):
    text = f"{SEEN}\n\n{case.replace('{canary}', str(canary))}"
    started = time.process_time()
    view = show(text, theme, qtbot)
    picture = view.grab(view.rect().intersected(QRect(0, 0, 640, 4000))).toImage()
    assert time.process_time() - started < FREEZE_S
    shown = view.text.toPlainText()
    assert SEEN in shown
    assert not watch.was_opened()
    assert [entry for entry in asked if not entry.startswith("load ")] == []
    assert not _has_magenta(picture)
    assert not any("\u202a" <= character <= "\u202e" or character in "\x00\ufffc" for character in shown)
    _click_everywhere(view, qtbot)
    assert [entry for entry in asked if not entry.startswith("load ")] == []
    assert not watch.was_opened()


@pytest.mark.parametrize("case", STREAMED, ids=range(len(STREAMED)))
@pytest.mark.fault("S6")
def test_the_same_while_it_streams(case, theme, canary, watch, asked, qtbot):
    text = f"{SEEN}\n\n{case.replace('{canary}', str(canary))}"
    view = AnswerView(
        Message(1, 1, None, "answer", "", "streaming", 0.0),
        theme,
        AnswerDisplayOptions(),
        MessageRequests(NavigationSignals()),
    )
    qtbot.addWidget(view)
    view.resize(640, view.fit(640))
    view.show()
    step = max(1, len(text) // 40)
    for end in range(0, len(text) + step, step):
        view.grow(text[:end])
        view.resize(640, view.fit(640))
        view.grab()
    assert SEEN in view.text.toPlainText()
    assert not watch.was_opened()
    assert [entry for entry in asked if not entry.startswith("load ")] == []


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/a.png", "file:///etc/hostname", "//server/share/a.png"])
@pytest.mark.fault("S6")
def test_an_image_is_shown_as_its_words_and_address(address, theme, qtbot):
    view = show(f"前 ![配置図]({address}) 後", theme, qtbot)
    assert view.text.toPlainText() == f"前 〔画像：配置図　{address}〕 後"


@pytest.mark.parametrize("case", HTML[:12], ids=str)
@pytest.mark.fault("S6")
def test_html_is_shown_as_it_was_written(case, theme, qtbot):
    assert case.split()[0] in show(case, theme, qtbot).text.toPlainText()


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)", "file:///etc/passwd", "//server/share", r"\\server\share", "data:text/html,x",
        "vbscript:x", "ms-settings:x", "kotae://x", "mailto:a@example.com", "http://", "https:example.com", "",
        "http:/\t/evil.example", "https://exa\u202emple.com",
        "HTTPS:\\\\evil.example", "ftp://example.com", "/etc/passwd",
    ],
)  # fmt: skip
@pytest.mark.fault("S6")
def test_what_is_not_a_web_address_never_opens(href, theme, asked, qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    assert not untrusted_text.is_openable_link(href)
    assert untrusted_text.ask_to_open_link(theme, href, QDesktopServices.openUrl, parent) is None
    assert asked == []


@pytest.mark.fault("S6")
def test_a_web_address_opens_only_after_it_was_shown_in_full(theme, qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    parent.show()
    opened: list[str] = []
    href = "https://user@例え.example/道?q=値#" + "a" * 500
    for key, expected in (("cancel", 0), ("open", 1)):
        dialog = untrusted_text.ask_to_open_link(theme, href, lambda url: opened.append(url.toString()), parent)
        assert isinstance(dialog, Dialog)
        shown = dialog.findChild(QPlainTextEdit).toPlainText()
        assert shown.startswith("https://user@xn--r8jz45g.example/")
        assert shown.endswith("a" * 500)
        assert "xn--r8jz45g.example" in dialog.accessibleDescription()
        assert dialog.buttons["cancel"].isDefault()
        dialog.buttons[key].click()
        assert len(opened) == expected


@pytest.mark.fault("S6")
def test_a_link_whose_text_hides_its_target_shows_the_target(theme, qtbot):
    view = show("[https://bank.example](https://evil.example/x)", theme, qtbot)
    assert view.text.toPlainText() == "https://bank.example（https://evil.example/x）"
    view = show("<https://example.com> と https://example.com/a", theme, qtbot)
    assert view.text.toPlainText() == "https://example.com と https://example.com/a"


@pytest.mark.fault("S6")
def test_a_link_that_never_opens_is_no_link(theme, qtbot):
    view = show("[押す](javascript:alert(1))", theme, qtbot)
    assert view.text.toPlainText() == "押す（javascript:alert(1)）"
    assert "href" not in view.text.toHtml()


@pytest.mark.fault("S6")
def test_direction_controls_are_spelled_out(theme, qtbot):
    view = show("資料\u202etxt.exe と &#x202e;逆", theme, qtbot)
    assert view.text.toPlainText() == "資料‹U+202E›txt.exe と ‹U+202E›逆"


@pytest.mark.fault("S6")
def test_a_megabyte_is_shown_in_pages(theme, qtbot):
    text = "あ" * 1_000_000
    view = show(text, theme, qtbot)
    assert len(view.text.toPlainText()) == markdown.PAGE_CHARACTERS
    more = next(button for button in view.findChildren(QWidget) if "980,000" in getattr(button, "text", str)())
    qtbot.mouseClick(more, Qt.MouseButton.LeftButton)
    assert len(view.text.toPlainText().replace("\n", "")) == 2 * markdown.PAGE_CHARACTERS


def _has_magenta(picture: QImage) -> bool:
    magenta = QColor("magenta").rgb()
    return any(
        picture.pixel(x, y) == magenta for x in range(0, picture.width(), 7) for y in range(0, picture.height(), 7)
    )


def _click_everywhere(view: AnswerView, qtbot: QtBot) -> None:
    for y in range(8, min(view.text.height(), 400), 26):
        for x in (6, 60):
            qtbot.mouseClick(view.text.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(x, y))
