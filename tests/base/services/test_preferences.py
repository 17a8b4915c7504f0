"""The settings as the window keeps them, beside a command that changes the same file."""

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.base import settings
from app.base.errors import AppError
from app.base.services.preferences import Preferences
from app.base.settings import Settings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.json"


@pytest.fixture
def preferences(path: Path, qtbot: QtBot) -> Preferences:
    settings.save(path, Settings(text_scale_percent=130))
    return Preferences(path)


def test_what_a_command_has_stored_meanwhile_is_kept_and_told(path: Path, preferences: Preferences) -> None:
    told: list[Settings] = []
    preferences.changed.connect(told.append)
    settings.save(path, Settings(text_scale_percent=130, training_folder="/drive"))
    preferences.change(theme="dark")
    both = Settings(text_scale_percent=130, training_folder="/drive", theme="dark")
    assert settings.load(path) == both
    assert preferences.value == both
    assert told == [both]


@pytest.mark.parametrize("content", [None, b"{"])
def test_a_file_that_is_gone_or_damaged_costs_nothing_of_what_is_known(
    path: Path, preferences: Preferences, content: bytes | None
) -> None:
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    preferences.change(theme="dark")
    assert settings.load(path) == Settings(text_scale_percent=130, theme="dark")


def test_where_nothing_can_be_written_nothing_changes(path: Path, preferences: Preferences) -> None:
    problems: list[AppError] = []
    preferences.failed.connect(problems.append)
    path.unlink()
    path.mkdir()
    preferences.change(theme="dark")
    assert [error.code for error in problems] == ["settings_unsaved"]
    assert preferences.value == Settings(text_scale_percent=130)


def test_what_is_held_back_is_in_force_until_it_is_chosen_and_never_stored(path: Path, qtbot: QtBot) -> None:
    settings.save(path, Settings(theme="dark", text_scale_percent=150))
    preferences = Preferences(path, overrides={"theme": "system", "text_scale_percent": 100})
    assert preferences.value == Settings()
    preferences.change(context_tokens=8192)
    assert preferences.value == Settings(context_tokens=8192)
    assert settings.load(path) == Settings(theme="dark", text_scale_percent=150, context_tokens=8192)
    preferences.change(text_scale_percent=130)
    assert preferences.value == Settings(context_tokens=8192, text_scale_percent=130)
    assert settings.load(path).theme == "dark"
