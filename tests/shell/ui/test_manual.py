"""The manual: text with pictures between it, each of them there and each of them used."""

import re

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base import wording
from app.base.paths import resources
from app.shell.ui.help_windows import ManualPicture, ManualWindow
from app.uikit import localization
from app.uikit.theme import Theme

FOLDER = resources() / "manual"


def named(spoken: str) -> list[str]:
    return re.findall(r"\]\((pictures/[^)]+)\)", (FOLDER / f"manual.{spoken}.md").read_text("utf-8"))


@pytest.mark.parametrize("spoken", wording.LANGUAGES)
def test_every_picture_that_the_manual_names_is_there_and_none_is_named_by_nobody(spoken: str) -> None:
    there = {f"pictures/{file.name}" for file in (FOLDER / "pictures").glob(f"*-{spoken}.png")}
    assert there
    assert set(named(spoken)) == there


def test_the_pictures_stand_in_the_window_with_what_they_show(qapp: QApplication, theme: Theme, qtbot: QtBot) -> None:
    localization.set_language(qapp, "ja")
    manual = ManualWindow(theme)
    qtbot.addWidget(manual)
    manual.show()
    shown = manual.findChildren(ManualPicture)
    assert len(shown) == len(named("ja"))
    for picture in shown:
        assert picture.accessibleName()
        assert 0 < picture.heightForWidth(320) < picture.heightForWidth(640)  # none is empty or of one size
    assert "pictures/" not in manual.plain_text()


def test_a_picture_is_never_wider_than_it_was_taken(theme: Theme, qtbot: QtBot) -> None:
    manual = ManualWindow(theme)
    qtbot.addWidget(manual)
    picture = manual.findChildren(ManualPicture)[0]
    assert picture.heightForWidth(5000) == picture.sizeHint().height()
