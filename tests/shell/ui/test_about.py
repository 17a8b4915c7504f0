"""Kotae について: which Kotae this is, and how a newer one is had, without a network."""

import socket
from datetime import date

import pytest
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from app import __version__
from app.base.diagnostics import BuildFacts
from app.base.isolation import network_guard
from app.base.services.preferences import Preferences
from app.compliance.ui.report_window import ReportWindow
from app.shell.ui.settings.about import AboutSection
from app.uikit.dialogs import BugReporter
from app.uikit.page import NavigationSignals
from tests.uikit.ui.words import shown


@pytest.fixture
def make_section(where, theme, qtbot):
    def make(facts: BuildFacts | None = None) -> AboutSection:
        section = AboutSection(theme, Preferences(where.settings), where, "Kotae について", NavigationSignals(), facts)
        qtbot.addWidget(section)
        section.resize(700, 900)
        section.show()
        return section

    return make


BUILT = BuildFacts(built_on=date(2026, 11, 26), commit="0123456789ab")


def words_of(widget) -> str:
    return "\n".join(shown(widget))


def windows(kind: type) -> list:
    return [one for one in QApplication.topLevelWidgets() if isinstance(one, kind) and one.isVisible()]


def test_a_checkout_says_that_it_is_one_and_how_it_is_renewed(make_section):
    words = words_of(make_section())
    assert f"Kotae {__version__}" in words
    assert "開発版" in words
    assert "packaging/dev.py run" in words


def test_a_bundle_says_when_it_was_built_and_how_a_newer_one_is_installed(make_section):
    words = words_of(make_section(BUILT))
    assert "2026" in words
    assert "0123456789ab" in words
    assert "install.sh" in words


def test_looking_at_it_and_pressing_all_of_it_connects_to_nobody(make_section, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: asked.append(address))
    section = make_section(BUILT)
    before = network_guard.refused_attempts()
    for button in (section.report_button, section.licences_button):
        button.click()
    qtbot.waitUntil(lambda: all(one.save_button.isEnabled() for one in windows(ReportWindow)))
    assert (asked, network_guard.refused_attempts()) == ([], before)
    for window in QApplication.topLevelWidgets():
        if window is not section:
            window.close()


def test_it_is_the_last_section_of_the_settings(open_window):
    parts = open_window()
    parts.window.show_settings("about")
    page = parts.window.page("settings")
    assert page.list.currentIndex().data() == "Kotae について"
    assert page.section("about").isVisible()
    assert page.list.currentIndex().data() == "Kotae について"


def test_a_bug_offers_the_report(theme, qtbot):
    made = []
    reporter = BugReporter(theme, None, lambda: made.append("log"), lambda: made.append("report"))
    error = ValueError("x")
    dialog = reporter.report(ValueError, error, None)
    assert isinstance(dialog.findChild(QPlainTextEdit), QPlainTextEdit)
    dialog.buttons["report"].click()
    assert made == ["report"]
    assert reporter.report(ValueError, error, None) is None
