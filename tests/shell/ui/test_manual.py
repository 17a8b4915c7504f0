"""The manual: a document with contents, search and pictures, each of them there and each of them used."""

import re

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base import wording
from app.base.paths import resources
from app.base.services import background
from app.chat.ui.reader.section_rows import SectionPicture
from app.shell.ui.help_windows import ManualWindow, read_manual
from app.uikit import localization
from app.uikit.theme import Theme

FOLDER = resources() / "manual"


def named(spoken: str) -> list[str]:
    return re.findall(r"\]\((pictures/[^)]+)\)", (FOLDER / f"manual.{spoken}.md").read_text("utf-8"))


@pytest.fixture
def looked_for() -> list[str]:
    """The words that were looked for everywhere."""
    return []


@pytest.fixture
def manual(qapp: QApplication, theme: Theme, qtbot: QtBot, looked_for: list[str]) -> ManualWindow:
    localization.set_language(qapp, "ja")
    manual = ManualWindow(theme, None, looked_for.append)
    manual.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, on=False)
    qtbot.addWidget(manual)
    manual.show()
    manual.activateWindow()
    qtbot.waitUntil(manual.isActiveWindow)
    return manual


@pytest.mark.parametrize("spoken", wording.LANGUAGES)
def test_every_picture_that_the_manual_names_is_there_and_none_is_named_by_nobody(spoken: str) -> None:
    there = {f"pictures/{file.name}" for file in (FOLDER / "pictures").glob(f"*-{spoken}.png")}
    assert there
    assert set(named(spoken)) == there


@pytest.mark.parametrize("spoken", wording.LANGUAGES)
def test_the_whole_manual_is_there_with_its_headings_and_pictures(qapp: QApplication, spoken: str) -> None:
    localization.set_language(qapp, spoken)
    document = read_manual()
    localization.set_language(qapp, "ja")
    written = (FOLDER / f"manual.{spoken}.md").read_text("utf-8")
    headings = re.findall(r"^#{1,3} (.+)$", re.sub(r"```.*?```", "", written, flags=re.DOTALL), flags=re.MULTILINE)
    assert [heading.title for heading in document.outline] == headings
    shown = [section.picture for section in document.sections if section.picture is not None]
    assert [f"pictures/{file.name}" for file, _ in shown] == named(spoken)
    assert all(about for _, about in shown)

    def bare(text: str) -> str:
        return re.sub(r"[#\s]", "", "".join(line for line in text.split("\n") if not line.startswith("![")))

    assert bare("\n".join(section.shown for section in document.sections)) == bare(written)


def test_a_picture_stands_below_its_text_never_wider_than_it_was_taken(manual: ManualWindow, qtbot: QtBot) -> None:
    document = manual.view.document
    row = next(row for row, section in enumerate(document.sections) if section.picture is not None)
    manual.view.go_to(row)
    qtbot.waitUntil(lambda: row in manual.view.text.views)
    picture = manual.view.text.views[row].findChild(SectionPicture)
    assert picture.accessibleName() == document.sections[row].picture[1]
    assert picture.y() >= manual.view.text.views[row].page.height()
    assert 0 < picture.heightForWidth(320) < picture.heightForWidth(640)  # it is not empty
    assert picture.heightForWidth(5000) == picture.sizeHint().height()


def test_contents_lead_to_a_chapter_and_words_are_found(manual: ManualWindow, qtbot: QtBot) -> None:
    view = manual.view
    assert QApplication.focusWidget() is view.find_strip.field
    view.find_strip.field.insert("プリセット")
    qtbot.waitUntil(lambda: re.fullmatch(r"1／\d+", view.find_strip.count.text()) is not None)
    background.shut_down()
    chapter = next(heading for heading in view.document.outline if heading.title == "キー操作")
    view.outline.chosen.emit(chapter.row)
    assert view.place.text() == "キー操作"
    QTest.keyClick(view.find_strip.field, Qt.Key.Key_Escape)
    assert not view.find_strip.isVisible()
    assert manual.isVisible()  # the first Esc closes the search, the second one the window
    QTest.keyClick(manual, Qt.Key.Key_Escape)
    assert not manual.isVisible()


def test_words_that_are_not_in_the_manual_are_looked_for_in_the_window_below(
    manual: ManualWindow, looked_for: list[str], qtbot: QtBot
) -> None:
    strip = manual.view.find_strip
    strip.field.insert("橋脚の洗掘")
    qtbot.waitUntil(strip.everywhere_button.isVisible)
    strip.everywhere_button.click()
    assert looked_for == ["橋脚の洗掘"]
    assert not manual.isVisible()
