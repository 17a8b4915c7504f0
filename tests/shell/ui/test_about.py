"""Kotae について: which Kotae this is, and how a newer one is had, without a network."""

import hashlib
import socket
from datetime import UTC, datetime, timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from app import __version__
from app.base.diagnostics import BuildFacts
from app.base.isolation import network_guard
from app.base.services.preferences import Preferences
from app.compliance.ui.report_window import ReportWindow
from app.inference import engine_packs
from app.inference.engine_packs import EnginePack, PackFile
from app.shell.ui.help_windows import NewsWindow
from app.shell.ui.settings.about import AboutSection, UpdateFacts
from app.uikit.desktop import Pickers
from app.uikit.dialogs import BugReporter, Dialog
from app.uikit.page import NavigationSignals
from tests.uikit.ui.clipping import clipped
from tests.uikit.ui.words import shown

NAME = "kotae-9.1.0-linux-x86_64.tar.zst"


@pytest.fixture
def make_section(where, theme, qtbot):
    def make(facts: BuildFacts | None = None, chosen: str = "") -> AboutSection:
        pickers = Pickers(open=lambda *_: chosen)
        section = AboutSection(
            theme, Preferences(where.settings), where, "Kotae について", NavigationSignals(), facts, pickers
        )
        qtbot.addWidget(section)
        section.resize(700, 900)
        section.show()
        return section

    return make


def built(days_ago: int, **more: str) -> BuildFacts:
    return BuildFacts(built_on=datetime.now(UTC).date() - timedelta(days=days_ago), **more)


def words_of(widget) -> str:
    return "\n".join(shown(widget))


def windows(kind: type) -> list:
    return [one for one in QApplication.topLevelWidgets() if isinstance(one, kind) and one.isVisible()]


@pytest.fixture
def check(make_section, tmp_path, qtbot):
    """Has a file checked, beside a list with the sum of `listed`; gives the dialog that tells of it."""

    def check(name: str = NAME, content: bytes = b"new", listed: bytes | None = None) -> Dialog:
        for dialog in windows(Dialog):
            dialog.close()
        file = tmp_path / name
        file.write_bytes(content)
        if listed is not None:
            (tmp_path / "SHA256SUMS").write_text(f"{hashlib.sha256(listed).hexdigest()}  {name}\n", "utf-8")
        section = make_section(chosen=str(file))
        section.check_button.click()
        qtbot.waitUntil(lambda: bool(windows(Dialog)))
        assert section.check_button.text() == "ファイルを確かめる…"
        (dialog,) = windows(Dialog)
        return dialog

    yield check
    for dialog in windows(Dialog):
        dialog.close()


def test_a_checkout_says_that_it_is_one_and_how_it_is_renewed(make_section):
    words = words_of(make_section())
    assert f"Kotae {__version__}" in words
    assert "開発版" in words
    assert "packaging/dev.py run" in words
    assert "年以上前" not in words


@pytest.mark.parametrize(("days", "years"), [(364, ""), (366, "1 年以上前"), (800, "2 年以上前")])
def test_a_bundle_tells_its_age_by_the_clock_alone(make_section, days, years):
    section = make_section(built(days, commit="0123456789ab"))
    words = words_of(section)
    assert "0123456789ab" in words
    assert "install.sh" in words
    note = section._rows[0]._note
    assert (note.isVisible(), years in note.text()) == (bool(years), True)


def test_an_address_is_text_to_be_copied_and_nothing_is_a_link(make_section):
    section = make_section(built(1, home="https://kotae.example/download"))
    assert (section.publisher_address.text(), section.publisher_address.isReadOnly()) == (
        "https://kotae.example/download",
        True,
    )
    section.publisher_address.selectAll()
    section.publisher_address.copy()
    assert QApplication.clipboard().text() == "https://kotae.example/download"
    assert not hasattr(make_section(built(1)), "home")


def test_looking_at_it_and_pressing_all_of_it_connects_to_nobody(make_section, qtbot, monkeypatch):
    asked = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: asked.append(address))
    section = make_section(built(800, home="https://kotae.example"))
    before = network_guard.refused_attempts()
    for button in (section.check_button, section.news_button, section.report_button, section.licences_button):
        button.click()
    qtbot.waitUntil(lambda: all(one.save_button.isEnabled() for one in windows(ReportWindow)))
    assert (asked, network_guard.refused_attempts()) == ([], before)
    for window in QApplication.topLevelWidgets():
        if window is not section:
            window.close()


@pytest.mark.parametrize(
    ("content", "listed", "words"),
    [
        (b"new", b"new", "▲ 同じフォルダの一覧の値と同じで、壊れていません。"),
        (b"neW", b"new", "× 同じフォルダの一覧の値と違います。"),
        (b"new", None, "▲ 比べる値がありません。"),
    ],
)
def test_a_file_that_was_carried_here_is_compared(check, content, listed, words):
    told = words_of(check(content=content, listed=listed))
    assert words in told
    assert "9.1.0" in told
    assert f"sh {NAME.removesuffix('.tar.zst')}/install.sh" not in told  # nobody vouches for it yet


def test_a_pasted_sum_is_compared_as_it_is_pasted(check, qtbot):
    dialog = check()
    facts = dialog.findChild(UpdateFacts)
    facts.checksum_field.setText(hashlib.sha256(b"new").hexdigest().upper())
    assert facts.verdict.text().startswith("✓")
    assert facts.instructions.isVisible()
    assert clipped(dialog) == []
    assert facts.checksum_field.hasFocus()
    facts.checksum_field.setText("0" * 64)
    qtbot.keyClick(facts.checksum_field, Qt.Key.Key_Return)
    assert dialog.isVisible()
    assert facts.verdict.text().startswith("×")
    assert not facts.instructions.isVisible()


def test_what_was_not_compared_is_not_said_to_be_whole(check):
    dialog = check()
    assert "確かめました" not in words_of(dialog)
    facts = dialog.findChild(UpdateFacts)
    for part in (hashlib.sha256(b"new").hexdigest()[:-1], "ハッシュ", hashlib.sha512(b"new").hexdigest()):
        facts.checksum_field.setText(part)
        assert facts.verdict.text().startswith("▲ SHA-256 の全体")
        assert not facts.instructions.isVisible()
        assert clipped(dialog) == []
    facts.checksum_field.setText(" ")
    assert facts.verdict.text().startswith("▲ 比べる値がありません")


@pytest.mark.parametrize("listed", [None, b""])
def test_an_empty_file_is_called_empty(check, listed):
    facts = check(content=b"", listed=listed).findChild(UpdateFacts)
    assert facts.verdict.text().startswith("× ファイルが空です")
    assert not facts.checksum_field.isVisible()
    assert not facts.instructions.isVisible()


@pytest.mark.parametrize(
    ("name", "what", "where_to"),
    [
        (
            "kotae-vulkan-0.3.36-linux-x86_64.zip",
            "GPU で計算するための部品です",
            "「GPU の部品」で「ファイルから追加…」",
        ),
        ("kotae-starter-kit.zip", "モデルの持ち運びキットのファイルです", "「キットを取り込む…」"),
        ("training-kit.json", "学習環境キットのファイルです", "「オフラインで作る…」"),
    ],
)
def test_what_is_no_new_version_but_ours_is_named_and_where_it_is_added(check, monkeypatch, name, what, where_to):
    monkeypatch.setattr(
        engine_packs, "known_packs", lambda: (EnginePack("vulkan", (PackFile("libggml-vulkan.so", 1, "0" * 64),)),)
    )
    dialog = check(name, b'{"format": "kotae-training-kit"}')
    told = words_of(dialog)
    assert what in told
    assert where_to in told
    assert "install.sh" not in told
    assert "比べる値がありません" not in told
    assert clipped(dialog) == []


def test_a_part_for_graphics_cards_that_this_kotae_takes_none_of_is_not_sent_on(check, monkeypatch):
    monkeypatch.setattr(engine_packs, "known_packs", lambda: ())
    told = words_of(check("kotae-vulkan-0.3.36-linux-x86_64.zip"))
    assert "GPU の部品に対応していない" in told
    assert "ファイルから追加" not in told


def test_a_foreign_file_and_an_older_kotae_are_two_things(check):
    for name, words in (("holiday.zip", "Kotae のファイルかどうか分かりません"), ("kotae-0.0.1.tar.zst", "古い版です")):
        assert words in words_of(check(name))


def test_a_file_that_cannot_be_read_is_said_at_its_place(make_section, tmp_path, qtbot):
    section = make_section(chosen=str(tmp_path / "gone.deb"))
    section.check_button.click()
    qtbot.waitUntil(lambda: section._file_row._note.text().startswith("▲"))
    assert "ファイルを読めません" in section._file_row._note.text()


def test_the_news_of_this_version_open_in_a_window(make_section):
    section = make_section()
    section.news_button.click()
    (window,) = windows(NewsWindow)
    assert "はじめての版です" in window.text.plain_text()
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
