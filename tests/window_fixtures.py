"""The real window with the fake engine as a real child process."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication

from app.application import AppContext, build
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.chat.store import Store
from app.documents.library import Library
from app.inference import speed
from app.inference.speed import MachineSpeed
from app.models import training_environment
from app.uikit import theme as themes
from app.uikit.localization import set_language
from app.uikit.theme import Theme
from tests import screenshots
from tests.garbage import garbage_goes_between_tests  # noqa: F401

SETTLING_ROUNDS = 6

# Each test has a theme of its own, which would draw 200 small pictures anew: a twentieth of the time of a window.
themes.render_svg = functools.cache(themes.render_svg)


@pytest.fixture
def library(where: Paths) -> Iterator[Library]:
    where.data.mkdir(parents=True, exist_ok=True)
    library = Library.open(where.documents)
    yield library
    library.close()


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    set_language(qapp, "ja")
    theme = Theme()
    theme.apply(qapp, Settings(theme="light"))
    sheet = qapp.styleSheet()
    yield theme
    delete_what_is_put_off()
    if qapp.styleSheet() != sheet:  # the test has tried another theme or size
        Theme().apply(qapp, Settings(theme="light"))


def delete_what_is_put_off() -> None:
    """Without an event loop Qt keeps what is to be deleted, and the next theme would style it too."""
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def settle(_seconds: float = 0) -> None:
    for _ in range(SETTLING_ROUNDS):  # a layout that follows from a layout comes a round later
        QCoreApplication.sendPostedEvents()
        QCoreApplication.processEvents()
    delete_what_is_put_off()


@pytest.fixture
def quick_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures wait for people and for fonts; a test needs only what Qt has put off."""

    monkeypatch.setattr(screenshots, "pause", settle)


_ask = training_environment._ask


@functools.cache
def _asked(environment: training_environment.TrainingEnvironment) -> dict[str, Any]:
    """What the checkout's own environment answers after five seconds of loading torch; tests/trainer asks it."""
    if environment.python.parents[1].name != training_environment.DEVELOPMENT_FOLDER:
        return _ask(environment)
    versions = dict.fromkeys(training_environment._LIBRARIES, "1.0")
    return {
        "python": "3.11.9", "versions": versions, "cuda": None, "least_capability": [0, 0], "devices": [],
        "products": {"cpu": [0.09, ""]},
    }  # fmt: skip


@pytest.fixture
def open_window(
    where: Paths, store: Store, theme: Theme, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., AppContext]]:
    """Opens the window at a size, after the test has filled the store. Closed, with its engine, when the test ends."""
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    monkeypatch.setattr(
        speed, "measure", lambda **_: MachineSpeed(1.06e11, 6.2e12, 2e12, 8, 1.0)
    )  # measuring takes seconds
    monkeypatch.setattr(training_environment, "_ask", _asked)
    opened: list[AppContext] = []

    def open_(width: int = 1440, height: int = 900) -> AppContext:
        preferences = Preferences(where.settings)
        preferences.change(theme="light")
        parts = build(where, theme, preferences, store)
        opened.append(parts)
        parts.window.resize(width, height)
        parts.window.show()
        return parts

    yield open_
    for parts in opened:
        parts.evaluations.close()
        parts.documents.close()
    background.shut_down()
    QCoreApplication.processEvents()  # what the pool has done arrives now, not in the next test
    for parts in opened:
        parts.window.close()
        parts.session.close()
        parts.engine.shut_down()
        parts.window.deleteLater()
    delete_what_is_put_off()
