"""Where Python collects while Qt is under test: a fixture for the folders whose tests have an event loop."""

import gc
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication


@pytest.fixture(autouse=True)
def garbage_goes_between_tests() -> Iterator[None]:
    """As in the window, not in the middle of Qt's work: a widget destroyed while it is told something ends all.

    Widgets that a test leaves without a parent go with it, because each later theme and sheet would style them too.
    """
    gc.disable()
    before = set(QApplication.topLevelWidgets())  # of fixtures that serve several tests
    yield
    for widget in QApplication.topLevelWidgets():
        if widget not in before and widget.parent() is None:
            widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)  # or it would be told of what has gone
    gc.collect()
    gc.freeze()  # what has outlived a test stays; a collection after thousands of tests would take a second
    gc.enable()
