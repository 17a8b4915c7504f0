"""Japanese conversion as fields see it, and the places of the program where a text can be typed."""

import ast
import functools
import inspect
import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PySide6 import QtWidgets
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt
from PySide6.QtGui import QInputMethodEvent, QInputMethodQueryEvent, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from app.application import AppContext
from app.documents.library import Library
from app.documents.ui.page import FILTER_FROM
from app.uikit import untrusted_text
from app.uikit.dialogs import BugReporter
from app.uikit.input_method import GUARD_S, Composition, ConversionGuard, InputMethodGuard, conversion_guard_of
from tests import document_shots, screenshots
from tests.evaluation.ui import evaluation_places
from tests.sources import sources
from tests.training.ui import training_places

APP = Path(__file__).resolve().parents[3] / "app"
UI = (*sorted(APP.glob("*/ui")), APP / "uikit")  # folders with widgets

CONTROL, NOTHING = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.NoModifier
KEYS = (
    (Qt.Key.Key_Return, NOTHING),
    (Qt.Key.Key_Enter, NOTHING),
    (Qt.Key.Key_Escape, NOTHING),
    (Qt.Key.Key_Tab, NOTHING),
    (Qt.Key.Key_Backtab, Qt.KeyboardModifier.ShiftModifier),
    (Qt.Key.Key_Return, CONTROL),
    (Qt.Key.Key_N, CONTROL),
    (Qt.Key.Key_Down, NOTHING),
    (Qt.Key.Key_F6, NOTHING),
)

# Everything of Qt's that a person can type into, or that opens with such a field.
TYPED_INTO: tuple[type[QWidget], ...] = (
    QtWidgets.QLineEdit,
    QtWidgets.QTextEdit,
    QtWidgets.QPlainTextEdit,
    QtWidgets.QComboBox,
    QtWidgets.QAbstractSpinBox,
    QtWidgets.QKeySequenceEdit,
    QtWidgets.QInputDialog,
    QtWidgets.QFileDialog,
)
DIALOGS = {"QInputDialog", "QFileDialog"}


# ------------------------------------------------------------------------------------------------------ conversion


def convert(field: QWidget, preedit: str, commit: str = "") -> None:
    cursor = QInputMethodEvent.Attribute(QInputMethodEvent.AttributeType.Cursor, len(preedit), 1, None)
    event = QInputMethodEvent(preedit, [cursor] if preedit else [])
    if commit:
        event.setCommitString(commit)
    QCoreApplication.sendEvent(field, event)


def is_typed_into(field: QWidget) -> bool:
    """What Qt asks before it hands a key to the input method."""
    if not field.testAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled):
        return False
    query = QInputMethodQueryEvent(Qt.InputMethodQuery.ImEnabled)
    QCoreApplication.sendEvent(field, query)
    return bool(query.value(Qt.InputMethodQuery.ImEnabled))


def text_of(field: QWidget) -> str:
    if isinstance(field, QtWidgets.QTextEdit | QtWidgets.QPlainTextEdit):
        return field.toPlainText()
    if isinstance(field, QtWidgets.QComboBox):
        return field.currentText()
    assert isinstance(field, QtWidgets.QLineEdit | QtWidgets.QAbstractSpinBox), f"how is {field} read?"
    return field.text()


class Behind(QObject):
    """Stands between the guard and the field, and hears the keys that come through. With `is_wall` it keeps them."""

    def __init__(self, field: QWidget) -> None:
        super().__init__()
        self.heard: list[Qt.Key] = []
        self.is_wall = False
        field.installEventFilter(self)
        field.installEventFilter(conversion_guard_of(field))  # the last one is asked first

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if not isinstance(event, QKeyEvent) or event.type() == QEvent.Type.KeyRelease:
            return False
        if event.type() == QEvent.Type.KeyPress:
            self.heard.append(Qt.Key(event.key()))
        if self.is_wall:
            event.accept()
        return self.is_wall


class Witness:
    """Writes down what a key can bring about in the windows that are shown."""

    SIGNALS: tuple[tuple[type[QObject], tuple[str, ...]], ...] = (
        (QtWidgets.QAbstractButton, ("clicked",)),
        (QtWidgets.QLineEdit, ("returnPressed", "editingFinished", "textChanged")),
        (QtWidgets.QAbstractSpinBox, ("editingFinished",)),
        (QtWidgets.QComboBox, ("activated",)),
        (QtWidgets.QAbstractItemView, ("activated", "clicked")),
        (QtWidgets.QDialog, ("finished",)),
    )

    def __init__(self) -> None:
        self.seen: list[str] = []
        for window in shown_windows():
            for widget in (window, *window.findChildren(QWidget)):
                self._hear(widget)

    def _hear(self, widget: QWidget) -> None:
        for kind, names in self.SIGNALS:
            if isinstance(widget, kind):
                for name in names:
                    note = f"{name} of {type(widget).__name__} {widget.accessibleName()}"
                    getattr(widget, name).connect(lambda *_, note=note: self.seen.append(note))


def shown_windows() -> list[QWidget]:
    return [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]


def state() -> tuple[object, ...]:
    """What no key of a conversion may change."""
    return (QApplication.focusWidget(), *sorted(shown_windows(), key=id))


@pytest.fixture(autouse=True)
def input_method_guard(qapp: QApplication) -> Iterator[InputMethodGuard]:
    guard = InputMethodGuard(qapp)
    yield guard
    qapp.focusChanged.disconnect(guard._on_focus_changed)
    guard.deleteLater()


class Clock:
    """Stands still until it is told."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def walk_through(field: QWidget, qtbot: QtBot) -> None:
    """One conversion, begun, tried with every key, committed, and the Return after it."""
    field.window().activateWindow()
    qtbot.waitUntil(field.window().isActiveWindow)
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    assert field.findChildren(ConversionGuard), "the focus has brought the guard"
    behind = Behind(field)
    clock = Clock()
    conversion_guard_of(field).composition = Composition(clock)
    convert(field, "にほん")  # replaces what is selected

    witness = Witness()
    before, text = state(), text_of(field)
    for key, modifiers in KEYS:
        QTest.keyPress(field, key, modifiers)
        QTest.keyRelease(field, key, modifiers)
    QApplication.sendPostedEvents()
    assert (behind.heard, witness.seen) == ([], [])
    assert (state(), text_of(field)) == (before, text)

    convert(field, "", "日本")
    takes_words = not (
        field.inherits("QAbstractSpinBox") or (isinstance(field, QtWidgets.QLineEdit) and field.validator())
    )
    assert ("日本" in text_of(field)) == takes_words
    witness.seen.clear()
    before = state()  # completions may have come
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Tab):
        QTest.keyPress(field, key)  # handed on by the input method, without a release
    QApplication.sendPostedEvents()
    assert (behind.heard, witness.seen, state()) == ([], [], before)

    behind.is_wall = True
    QTest.keyRelease(field, Qt.Key.Key_Return)
    QTest.keyPress(field, Qt.Key.Key_Return)
    assert behind.heard == [Qt.Key.Key_Return]
    convert(field, "", "橋")
    clock.now += 2 * GUARD_S
    QTest.keyPress(field, Qt.Key.Key_Escape)
    assert behind.heard == [Qt.Key.Key_Return, Qt.Key.Key_Escape]


def walk_through_all(parts: AppContext, qtbot: QtBot) -> None:
    """`walk_through` each field that can be typed into now: nothing is sent, and no page or conversation is opened."""
    events: list[str] = []
    parts.session.message_added.connect(lambda _: events.append("sent"))
    parts.session.conversation_opened.connect(lambda *_: events.append("opened"))
    # The one that has the keyboard comes first: the editor of an item closes when it loses it.
    for field in sorted(fields(), key=lambda field: not field.hasFocus()):
        if not isValid(field):
            continue
        page = parts.window.current_page
        walk_through(field, qtbot)
        assert (events, parts.window.current_page) == ([], page)
    for view in lists():
        view.setFocus()
        assert not is_typed_into(view), "its keys are commands, also with Japanese input switched on"


# ---------------------------------------------------------------------------------------------------------- places


def rename(parts: AppContext) -> None:
    view = parts.window.sidebar.list
    view.setCurrentIndex(parts.window.sidebar.conversations.index_of(parts.conversations.all_conversations()[0].id))
    view.rename_current()


def many_documents(parts: AppContext) -> None:
    """So many that there is a field to filter them by."""
    document_shots.documents(parts)
    library = Library.open_second(parts.documents._path)
    library.add_documents(library.collections()[0].id, [Path(f"/x/{number}.pdf") for number in range(FILTER_FROM)])
    library.close()
    page = parts.window.page("documents")
    page.show_collection(parts.documents.collections()[0].id)
    assert page.filter.isVisible()


# Places that have no picture of their own. A page or dialog that has one is walked without any word here.
OTHERS: dict[str, Callable[[AppContext], object]] = {
    "rename": rename,
    "rename_in_header": lambda parts: parts.window.page("ask").header.start_renaming(),
    "many_documents": many_documents,
    "link": lambda parts: untrusted_text.ask_to_open_link(
        parts.theme, "https://example.org/", lambda _url: None, parts.window
    ),
    "bug": lambda parts: BugReporter(parts.theme, parts.window, lambda: None).report(ValueError, ValueError("x"), None),
    **training_places.PLACES,
    **evaluation_places.PLACES,
}
PLACES = sorted({*screenshots.SHOTS, *OTHERS})
# Every field that the sources make is in one of these; the other places show some of them again.
ENOUGH = {
    "action_editor", "batch_setup", "conversation_settings", "correction", "documents_encoding", "documents_new",
    "documents_overview", "documents_to_ask", "documents_where", "evaluation_blind", "evaluation_blind_start",
    "evaluation_details", "evaluation_quantizations", "evaluation_questions", "evaluation_rename",
    "evaluation_scale", "evaluation_set", "evaluation_start", "evaluation_thinking", "evaluation_versions",
    "evaluation_write", "find", "licences", "manual", "many_documents", "models", "models_hub", "network_stopped",
    "preset_editor", "preset_report", "proxy_login", "remote_dialog_found", "rename", "rename_in_header", "report",
    "search", "settings_models_details", "sources_page", "training_details", "training_kit", "training_make",
    "training_name", "training_pair_review", "training_pairs", "training_search", "training_tokens", "token",
}  # fmt: skip


@contextmanager
def opened(app: QApplication, folder: Path, place: str) -> Iterator[AppContext]:
    shot = place if place in screenshots.SHOTS else "chat"
    with screenshots.opened(app, str(folder), shot, "light", "wide") as parts:
        if place in OTHERS:
            OTHERS[place](parts)
        yield parts


def fields() -> list[QWidget]:
    """What can be typed into, now, in every window that takes the keyboard."""
    return [
        widget for widget in _with_keyboard() if is_typed_into(widget) and not isinstance(widget, QAbstractItemView)
    ]


def lists() -> list[QAbstractItemView]:
    return [widget for widget in _with_keyboard() if isinstance(widget, QAbstractItemView)]


def _with_keyboard() -> list[QWidget]:
    modal = QApplication.activeModalWidget()
    windows = [modal] if modal is not None else shown_windows()
    found = [widget for window in windows for widget in window.findChildren(QWidget)]
    return [widget for widget in found if widget.isVisible() and widget.isEnabled() and widget.focusProxy() is None]


# --------------------------------------------------------------------------------------- what the sources promise


def text_classes() -> dict[str, type[QWidget]]:
    return {
        name: kind
        for name, kind in vars(QtWidgets).items()
        if inspect.isclass(kind) and issubclass(kind, TYPED_INTO) and not name.startswith("_")
    }


def own_text_classes() -> set[str]:
    """Classes of the windows made from them, by name."""
    bases = {
        node.name: {_name(base) for base in node.bases}
        for nodes in _nodes().values()
        for node in nodes
        if isinstance(node, ast.ClassDef)
    }
    own: set[str] = set()
    while more := {name for name, its in bases.items() if its & (own | text_classes().keys())} - own:
        own |= more
    return own


def used_text_classes() -> set[str]:
    """Qt's classes that the windows makes, derives from, or calls."""
    nodes = list(itertools.chain.from_iterable(_nodes().values()))
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    owners = [function.value for function in called if isinstance(function, ast.Attribute)]
    bases = [base for node in nodes if isinstance(node, ast.ClassDef) for base in node.bases]
    return {_name(node) for node in (*called, *owners, *bases)} & text_classes().keys()


def sites() -> set[str]:
    """`file:line` of every place in the windows where a field is made. Qt's own dialogs are looked at by kind."""
    wanted = (text_classes().keys() | own_text_classes()) - DIALOGS
    return {
        f"{file.relative_to(APP)}:{node.lineno}"
        for file, nodes in _nodes().items()
        for node in nodes
        if isinstance(node, ast.Call) and _called(node.func) in wanted
    }


def _called(function: ast.expr) -> str:
    """The name that is called, also as part of a module."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def classes_with_input_methods() -> set[str]:
    """Classes of the windows that deal with input methods themselves."""
    return {
        node.name
        for nodes in _nodes().values()
        for node in nodes
        if isinstance(node, ast.ClassDef)
        and {"inputMethodEvent", "inputMethodQuery"} & {part.name for part in node.body if hasattr(part, "name")}
    }


@contextmanager
def origins() -> Iterator[Callable[[], set[str]]]:
    """Yields a function that tells at which of `sites` were made: the `fields`, and what is shown but only read."""
    made: list[tuple[QWidget, str]] = []
    kinds = [kind for kind in text_classes().values() if "__init__" in vars(kind)]
    originals: list[Any] = [kind.__init__ for kind in kinds]
    for kind, original in zip(kinds, originals, strict=True):
        setattr(kind, "__init__", _noting(original, made))  # noqa: B010  mypy forbids the assignment

    def met() -> set[str]:
        walked = fields()
        shown = [(widget, site) for widget, site in made if isValid(widget) and widget.isVisible()]
        return {site for widget, site in shown if widget in walked or not is_typed_into(widget)}

    try:
        yield met
    finally:
        for kind, original in zip(kinds, originals, strict=True):
            setattr(kind, "__init__", original)  # noqa: B010


def _noting(original: Any, made: list[tuple[QWidget, str]]) -> Callable[..., None]:
    def make(self: QWidget, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_locals.get("self") is self:
            frame = frame.f_back  # out of the constructors of its own class
        file = Path(frame.f_code.co_filename)
        if any(file.is_relative_to(folder) for folder in UI):
            made.append((self, f"{file.relative_to(APP)}:{frame.f_lineno}"))

    return make


@functools.cache
def _nodes() -> dict[Path, tuple[ast.AST, ...]]:
    files = {APP.parent / source.path: source for source in sources("app")}
    return {file: source.nodes for file, source in files.items() if any(file.is_relative_to(folder) for folder in UI)}


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
