"""Fixtures of every test of this kind."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.base.paths import Paths
from app.base.services import background
from app.models import catalogue
from tests.models.ui.driver import DownloadsDriver
from tests.window_fixtures import (  # noqa: F401
    garbage_goes_between_tests,
    library,
    open_window,
    quick_pause,
    theme,
)


@pytest.fixture
def downloads_end(
    monkeypatch: pytest.MonkeyPatch, where: Paths
) -> Iterator[Callable[[DownloadsDriver], DownloadsDriver]]:
    """Registers pages whose downloads and cards end with the test; a page asks no hub but that of its settings."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    opened: list[DownloadsDriver] = []

    def register(driver: DownloadsDriver) -> DownloadsDriver:
        opened.append(driver)
        return driver

    yield register
    for driver in opened:
        driver.downloads.close()
    background.shut_down()
    catalogue.set_user_cards_folder(where.data / "absent")
