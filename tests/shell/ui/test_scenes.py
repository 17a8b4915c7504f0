"""Every page and dialog, as in the pictures, read for what people need: whole texts, names, one language, signs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.errors import AppError
from app.base.settings import Settings
from app.inference.services.events import EngineStatus
from app.models import catalogue
from app.uikit import localization
from app.uikit.dialogs import Dialog
from app.uikit.theme import Theme
from app.uikit.widgets.labels import IconLabel
from tests import screenshots
from tests.training_shots import SELDOM
from tests.uikit.ui import accessible, conversion
from tests.uikit.ui.clipping import clipped
from tests.uikit.ui.conversion import input_method_guard  # noqa: F401  (a fixture)
from tests.uikit.ui.words import JAPANESE, LANGUAGE_ROW, shown

SIGNS = "✓▲×●○◐…%"  # what says in a line itself what its colour says


# Twice as large, and in English, whose words are the longest, every scene has the least room.
HARDEST = ("en", 200)
LOOKS = [("ja", 100), HARDEST, ("ja", 200), ("en", 100)]
# Japanese at its size: one of each kind of page and dialog.
IN_JAPANESE = {
    "action_editor", "batch_setup", "bin", "build_model", "chat", "consent", "documents", "documents_report",
    "evaluation_blind", "evaluation_result", "evaluation_set", "evaluation_start", "export", "first_run_2", "folders",
    "licences", "models", "models_detail", "offline_checked", "packs", "preset_editor", "presets",
    "remote_dialog", "report", "search", "settings_about", "settings_look", "settings_network", "sources_doubtful",
    "start_safe_more", "training_data", "training_make", "training_model", "training_result", "training_running",
}  # fmt: skip
# Another state of a page or dialog that another scene shows: the same widgets, but for a sentence or a progress bar.
OTHER_STATES = SELDOM | {
    "batch_empty", "batch_failed", "batch_unfinished", "bin_empty", "build_making_training", "build_refused",
    "chat_low", "chat_remote_stopped", "documents_empty", "documents_full_disk", "documents_manual",
    "documents_meaning", "evaluation_empty", "evaluation_waiting", "export_all", "exported", "first_run_2_offline",
    "first_run_2_working", "first_run_measuring", "kit_problems",
    "models_measured", "models_offline", "models_refused",
    "models_remote_stopped", "models_trial", "models_verifying", "network_forbidden", "offline_checking",
    "packs_none", "packs_refused", "remote_dialog_refused", "search_empty", "search_none", "settings_moving",
    "settings_training_broken", "sources_none", "sources_quoted", "temporary",
    "training_empty", "training_make_offline",
}  # fmt: skip
assert screenshots.SHOTS.keys() >= OTHER_STATES | IN_JAPANESE
assert not OTHER_STATES & IN_JAPANESE


def is_seldom(name: str, look: tuple[str, int]) -> bool:
    return name in OTHER_STATES or not (look == HARDEST or (look == ("ja", 100) and name in IN_JAPANESE))


@pytest.fixture
def language(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[str]:
    localization.set_language(qapp, request.param)
    yield request.param
    localization.set_language(qapp, "ja")


@pytest.fixture(scope="module", autouse=True)
def theme_of_other_tests(qapp: QApplication) -> Iterator[None]:
    """Each scene brings a theme of its own."""
    yield
    Theme().apply(qapp, Settings(theme="light"))


_met: dict[str, set[str]] = {}  # place -> where in the sources its fields are made


@pytest.mark.parametrize(
    ("name", "language", "scale"),
    [
        pytest.param(name, *look, marks=[pytest.mark.slow] * is_seldom(name, look))
        for look in LOOKS
        for name in screenshots.SHOTS
    ],
    indirect=["language"],
)
def test_a_scene(
    name: str,
    language: str,
    scale: int,
    qapp: QApplication,
    tmp_path: Path,
    quick_pause: None,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    """One window for all that is looked at and typed: opening it takes longer than looking."""
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    with (
        conversion.origins() as met,
        screenshots.opened(qapp, str(tmp_path), name, "light", "small", scale) as parts,
    ):
        for size_name, size in screenshots.SIZES.items():
            parts.window.resize(*size)
            screenshots.pause()
            for window in shown_windows():
                assert clipped(window) == []
                assert_fits_the_screen(window, parts.window)
            if size_name == "wide":
                assert_every_object_has_a_name()
                assert_no_state_is_told_by_colour_alone()
                assert language == "ja" or japanese_words() == set()
        if (language, scale) == HARDEST:
            if name in conversion.ENOUGH:
                parts.window.resize(*screenshots.SIZES["wide"])
                screenshots.pause()
                _met[name] = met()
                conversion.walk_through_all(parts, qtbot)
            assert_all_may_change_once_its_windows_are_closed(qapp, parts)


OTHER_PLACES = [place for place in conversion.PLACES if place not in conversion.ENOUGH & screenshots.SHOTS.keys()]


@pytest.mark.parametrize(
    "place",
    [pytest.param(place, marks=[pytest.mark.slow] * (place not in conversion.ENOUGH)) for place in OTHER_PLACES],
)
def test_no_key_of_a_conversion_leaves_a_field_of_the_program(
    place: str, qapp: QApplication, tmp_path: Path, quick_pause: None, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    """Nor of the places among the scenes above."""
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    with conversion.origins() as met, conversion.opened(qapp, tmp_path, place) as parts:
        _met[place] = met()
        conversion.walk_through_all(parts, qtbot)


def test_every_field_in_the_sources_is_in_one_of_these_places(
    qapp: QApplication, tmp_path: Path, quick_pause: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    for place in conversion.ENOUGH - _met.keys():  # none after the tests above
        with conversion.origins() as met, conversion.opened(qapp, tmp_path / place, place):
            _met[place] = met()
    met_anywhere = set[str]().union(*_met.values())
    sites = conversion.sites()
    assert sites - met_anywhere == set(), (
        "show the page or dialog in tests/screenshots.py, or add it to tests/uikit/ui/conversion.py: OTHERS, ENOUGH"
    )
    assert met_anywhere <= sites


def assert_every_object_has_a_name() -> None:
    nodes = [node for window in shown_windows() for node in accessible.walk(window)]
    assert len(nodes) > 10
    assert [str(node) for node in nodes if node.is_interactive and not node.name.strip()] == []


def assert_no_state_is_told_by_colour_alone() -> None:
    toned = [
        widget
        for window in shown_windows()
        for widget in window.findChildren(QWidget)
        if widget.isVisible() and widget.property("tone") in ("warning", "danger", "success")
    ]
    assert [widget.text() for widget in toned if not has_sign(widget)] == []


def has_sign(label: QWidget) -> bool:
    """A sign in the text, or an icon beside it."""
    if any(sign in label.text() for sign in SIGNS):
        return True
    beside = label.parentWidget().findChildren(IconLabel) if label.parentWidget() else []
    return any(icon.isVisible() for icon in beside)


def japanese_words() -> set[str]:
    """Of the window, except for those that stay Japanese in every language."""
    words = {text for window in shown_windows() for text in shown(window)}
    assert len(words) > 5
    prompts = {f'"{card.system_prompt}"' for card in catalogue.load().cards}  # what the model is told, whoever reads it
    return {text for text in words if JAPANESE.search(text)} - {*LANGUAGE_ROW, *prompts}


def assert_fits_the_screen(window: QWidget, main_window: QWidget) -> None:
    room = window.screen().availableSize().expandedTo(main_window.size())
    assert window.size().boundedTo(room) == window.size(), f"{type(window).__name__} is larger than the screen"


def assert_all_may_change_once_its_windows_are_closed(app: QApplication, parts: AppContext) -> None:
    """Nothing that lives on speaks to what was closed: a slot of a deleted widget raises, which fails the test."""
    for window in screenshots.other_windows(app, parts):
        getattr(window, "reject", window.close)()
    for window in screenshots.other_windows(app, parts):
        if isinstance(window, Dialog):  # whether changes may be lost
            window.buttons["leave"].click()
    screenshots.pause()
    details = not parts.preferences.value.shows_details
    parts.preferences.change(shows_details=details, send_key="ctrl_enter")
    parts.theme.changed.emit()  # as with other colours; a style sheet for a full window takes longer than all the rest
    parts.library.changed.emit()
    parts.library.progressed.emit(1, 2)
    parts.library.failed.emit(AppError("file_empty"))
    parts.presets.changed.emit()
    parts.conversations.note_change()
    parts.engine.status_changed.emit(EngineStatus("off"))
    parts.session.open_new()
    screenshots.pause()
    assert screenshots.other_windows(app, parts) == []


def shown_windows() -> list[QWidget]:
    return [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
