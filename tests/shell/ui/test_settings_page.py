"""The page 設定: every choice applies at once and survives a restart."""

import pytest
from PySide6.QtCore import Qt

from app.base import settings
from app.uikit.widgets.form_rows import Chooser, SettingRow


@pytest.fixture
def parts(open_window):
    parts = open_window()
    parts.window.show_page("settings")
    return parts


def section(parts, place: int):
    page = parts.window.page("settings")
    page.show_section(place)
    return page.section(list(page._makers)[place])


def pick(control: Chooser, words: str) -> None:
    control.setCurrentIndex(control.findText(words))
    control.activated.emit(control.currentIndex())


def test_a_choice_applies_at_once_and_is_stored(parts, where):
    for place, name, words, field, value in (
        (1, "send_key", "Ctrl + Enter で送信", "send_key", "ctrl_enter"),
        (1, "context", "8,192 トークン", "context_tokens", 8192),
        (0, "details", "詳細", "shows_details", True),
        (3, "repack", "しない", "repack", "off"),
        (3, "kv_type", "省メモリ（q8_0）", "kv_type", "q8_0"),
        (0, "text_size", "130 %", "text_scale_percent", 130),
    ):
        pick(getattr(section(parts, place), name), words)
        assert getattr(parts.preferences.value, field) == value
        assert getattr(settings.load(where.settings), field) == value


def test_a_dark_theme_is_stored_and_seen_at_once(parts, where):
    before = parts.window.palette().window().color()
    pick(section(parts, 0).theme_choice, "暗い")
    assert settings.load(where.settings).theme == parts.preferences.value.theme == "dark"
    assert parts.window.palette().window().color().lightness() < before.lightness()


def test_a_number_can_be_set_and_left_to_measurement_again(parts):
    spin = section(parts, 3).threads
    assert spin.text() == "自動"
    spin.setValue(4)
    assert parts.preferences.value.threads == 4
    spin.setValue(spin.minimum())
    assert parts.preferences.value.threads is None


def test_a_change_from_elsewhere_is_shown(parts):
    parts.preferences.change(context_tokens=16384)
    assert section(parts, 1).context.currentText() == "16,384 トークン"


def test_a_value_set_by_hand_is_kept_and_shown(parts):
    parts.preferences.change(context_tokens=5000)
    assert section(parts, 1).context.currentText() == "5,000"
    assert parts.preferences.value.context_tokens == 5000


def test_the_wheel_over_a_control_changes_nothing(parts, qtbot):
    control = section(parts, 0).text_size
    qtbot.wait(0)
    from PySide6.QtCore import QPoint, QPointF
    from PySide6.QtGui import QWheelEvent

    event = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(0, -120), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    control.wheelEvent(event)
    assert not event.isAccepted()
    assert control.currentText() == "100 %"


def test_details_are_hidden_until_they_are_wished(parts):
    """At once, and without hiding what works: a setting that was changed stays in sight."""
    models = section(parts, 3)
    details = (models.threads, models.repack, models.kv_type)
    assert not any(control.isVisible() for control in details)
    assert models._hint.isVisible()
    pick(section(parts, 0).details, "詳細")
    assert all(control.isVisible() for control in (section(parts, 3).threads, models.repack, models.kv_type))
    assert not models._hint.isVisible()
    parts.preferences.change(kv_type="q8_0")
    parts.preferences.change(shows_details=False)
    assert [control.isVisible() for control in details] == [False, False, True]


def test_every_control_is_named_and_explained(parts):
    parts.preferences.change(shows_details=True)
    page = parts.window.page("settings")
    assert len(page._sections) == 1  # each is built when it is first shown
    for name in page._makers:
        page.section(name)
    rows = page.findChildren(SettingRow)
    assert len(rows) > 10
    for row in rows:
        assert row.control.accessibleName()
        assert row.control.accessibleDescription()


def test_the_presets_are_one_step_away(parts):
    parts.window.show_settings("presets")
    assert parts.window.page("settings").section("presets").isVisible()


def test_what_the_engine_keeps_of_documents_is_shown_with_its_size_and_deleted_at_once(parts, where):
    where.prefix_states.mkdir()
    state = where.prefix_states / "1.a.state"
    state.write_bytes(b"x" * 2_500_000)
    button = section(parts, 6).states_button
    assert "2.5 MB" in button.text()
    button.click()
    assert not state.exists()
    assert not button.isEnabled()
