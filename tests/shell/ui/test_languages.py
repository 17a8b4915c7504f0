"""The window in Japanese and English: every string has its English, and an English window has nothing Japanese."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFileDialog,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app.base import paths, settings, wording
from app.base.settings import Settings
from app.shell.ui.help_windows import ManualWindow
from app.uikit import localization
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.progress_row import ProgressRow, TimeLeftText
from tests import screenshots
from tests.dev_scripts import ROOT
from tests.uikit.ui.words import JAPANESE, shown


@pytest.fixture
def in_english(qapp: QApplication, theme: Theme) -> Iterator[None]:
    localization.set_language(qapp, "en")
    yield
    localization.set_language(qapp, "ja")


# --------------------------------------------------------------- which language


SYSTEMS = [
    ({"LANG": "ja_JP.UTF-8"}, "ja"),
    ({"LANG": "C"}, "ja"),
    ({"LANG": "POSIX"}, "ja"),
    ({}, "ja"),
    ({"LANG": "xx_YY.Z"}, "ja"),
    ({"LANG": "en_GB.UTF-8"}, "en"),
    ({"LANG": "de_DE.UTF-8"}, "en"),
    ({"LANG": "ja_JP.UTF-8", "LC_MESSAGES": "en_US.UTF-8"}, "en"),
]
# Qt reads the environment once in each process.
RESOLVE = """
import json, os, sys
from app.uikit.localization import resolve_language
for environment in json.loads(sys.argv[1]):
    if os.fork():
        os.wait()
    else:
        os.environ.update(environment)
        print(resolve_language("system"), flush=True)
        os._exit(0)
"""


def said(code: str, cases: object, environment: dict[str, str]) -> list[str]:
    """Run code that forks a process for each case, whose modules are then loaded once, and return its words."""
    command = [sys.executable, "-c", code, json.dumps(cases)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the language is no variable")
def test_the_system_decides_unless_it_says_nothing() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LANG", "LC_"))}
    assert said(RESOLVE, [environment for environment, _ in SYSTEMS], kept) == [spoken for _, spoken in SYSTEMS]


def test_a_wish_goes_before_the_system() -> None:
    assert (localization.resolve_language("ja"), localization.resolve_language("en")) == ("ja", "en")


START = """
import json, os, sys
from app import application
from app.base import wording
def told(*_parts):
    print(wording.current_language(), flush=True)
    os._exit(0)
application.build = told
for folder, wish in json.loads(sys.argv[1]):
    if os.fork():
        os.wait()
    else:
        application.run(folder, wish)
        os._exit(1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a process that forks")
def test_the_window_starts_in_the_language_of_the_setting_unless_another_is_wished_for(tmp_path: Path) -> None:
    wishes = [("system", None), ("en", None), ("ja", "en"), ("ja", None), ("en", "ja")]
    folders = [tmp_path / str(number) for number in range(len(wishes))]
    for folder, (setting, _) in zip(folders, wishes, strict=True):
        folder.mkdir()
        settings.save(folder / "settings.json", Settings(language=setting))
    cases = [(str(folder), wish) for folder, (_, wish) in zip(folders, wishes, strict=True)]
    assert said(START, cases, os.environ | {"LC_ALL": "C.UTF-8"}) == ["ja", "en", "en", "ja", "ja"]


def test_changing_the_language_leaves_nothing_of_the_other(qapp: QApplication, in_english: None) -> None:
    assert wording.phrase("common.undo") == "Undo"
    assert wording.describe("cancelled", {}).message == "Cancelled."
    localization.set_language(qapp, "ja")
    assert wording.phrase("common.undo") == "元に戻す"
    assert QCoreApplication.translate("QFileDialog", "Warning") == "警告"
    assert QCoreApplication.translate("QPlatformTheme", "Cancel") == "キャンセル"
    assert wording.describe("cancelled", {}).message == "取り消しました。"


def test_dates_and_facts_are_written_as_the_language_writes_them(in_english: None) -> None:
    day = date(2026, 11, 3)
    assert (localization.format_day(day), localization.format_month_and_year(day)) == ("Nov 3", "November 2026")
    assert (localization.format_month(day), localization.format_date(day)) == ("November", "Nov 3, 2026")
    assert localization.join_facts("4.92 GB", "", "Q4_K_M") == "4.92 GB · Q4_K_M"
    assert localization.with_note("CPU", "no usable GPU") == "CPU (no usable GPU)"


def test_dates_and_facts_are_written_as_japanese_writes_them(theme: Theme) -> None:
    day = date(2026, 11, 3)
    assert (localization.format_day(day), localization.format_month_and_year(day)) == ("11月3日", "2026年11月")
    assert (localization.format_month(day), localization.format_date(day)) == ("11月", "2026年11月3日")
    assert localization.join_facts("4.92 GB", "", "Q4_K_M") == "4.92 GB　Q4_K_M"
    assert (localization.with_note("CPU", "理由"), localization.with_note("CPU", "")) == ("CPU（理由）", "CPU")


# -------------------------------------------------------------------- the window


def test_the_menus_are_english_too(qapp: QApplication, in_english: None, tmp_path: Path, quick_pause: None) -> None:
    with screenshots.opened(qapp, str(tmp_path), "chat", "light", "wide") as parts:
        makers = [widget.menu for widget in parts.window.findChildren(QWidget) if is_menu_maker(widget)]
        menus = [menu for menu in (make() for make in makers) if menu is not None]
        words = [action.text() for menu in menus for action in menu.actions()]
        for menu in menus:
            menu.close()
    assert len(words) > 5
    assert [text for text in words if JAPANESE.search(text)] == []


def is_menu_maker(widget: QWidget) -> bool:
    return callable(getattr(widget, "menu", None)) and not isinstance(widget, QAbstractButton)


@pytest.mark.parametrize("spoken", wording.LANGUAGES)
def test_the_manual_is_in_the_language_of_the_window(
    qapp: QApplication, theme: Theme, qtbot: QtBot, spoken: str
) -> None:
    localization.set_language(qapp, spoken)
    manual = ManualWindow(theme)
    qtbot.addWidget(manual)
    text = "\n".join(section.shown for section in manual.view.document.sections)
    localization.set_language(qapp, "ja")
    assert len(text) > 1500
    assert bool(JAPANESE.search(text)) == (spoken == "ja")


def test_progress_and_banners_join_their_words_as_english_does(in_english: None, theme: Theme, qtbot: QtBot) -> None:
    row, banner = ProgressRow(theme), Banner(theme)
    for widget in (row, banner):
        qtbot.addWidget(widget)
    now = [0.0]
    row._time_left = TimeLeftText(lambda: now[0])
    row.start("Exporting")
    row.set_progress(0, 100)
    now[0] = 4.0
    row.set_progress(25, 100)
    assert row.words == "25/100 (25 %) · 12 s left"
    banner.show_message("danger", "It failed.", "Try again.")
    assert banner.accessibleName() == "It failed. · Try again."


def test_the_manuals_have_the_same_headings_and_tables() -> None:
    outlines = []
    for spoken in wording.LANGUAGES:
        text = (paths.resources() / "manual" / f"manual.{spoken}.md").read_text("utf-8")
        outlines.append(
            [re.match(r"#+|\||-|\d", line)[0] for line in text.splitlines() if re.match(r"#|\||- |\d\.", line)]
        )
    assert outlines[0] == outlines[1]


def test_no_word_of_the_file_dialog_is_english(theme: Theme, qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    dialog = QFileDialog(None, "", str(tmp_path))
    qtbot.addWidget(dialog)
    dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
    dialog.show()
    words = {text for text in shown(dialog) if not text.startswith(("/", str(tmp_path)))}
    english_words = {text for text in words if re.search("[A-Za-z]{3}", text) and not JAPANESE.search(text)}
    assert english_words - {path.name for path in (tmp_path, *tmp_path.parents, Path.home())} == set()
