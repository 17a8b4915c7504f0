"""The real window with a script at its keyboard: `python -m tests.faults.scripted_window [--talk SEED] ARGUMENTS…`.

The program is entered where people enter it (`app.__main__.main`); only the composition root is listened to. One JSON
line on standard output is one fact that the program has acknowledged; one line on standard input is one thing to do.
With `--talk` a seeded person does random things until the process is killed. A script, not a test.
"""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from typing import Any

from app import __main__ as program

SECRET = "内緒"  # said in temporary conversations only


def tell(fact: str, **values: Any) -> None:
    """One write for one line, so that a kill leaves whole lines (of up to 4 KiB) or nothing."""
    line = json.dumps({"fact": fact, "at": time.monotonic(), **values}, ensure_ascii=False) + "\n"
    os.write(1, line.encode("utf-8"))


def main() -> int:
    seed = None
    if sys.argv[1:2] == ["--talk"]:
        seed = int(sys.argv[2])
        del sys.argv[1:3]

    def open_window(*options: Any) -> int:
        from app import application  # after the guard of the network, as in the program
        from app.shell.services import housekeeping, lifecycle

        # Kills that come soon are about what was stored; starts that fail have their own tests.
        lifecycle.UP_AFTER_MS = 0
        housekeeping.AFTER_MS = int(os.environ.get("KOTAE_TEST_HOUSEKEEPING_MS", housekeeping.AFTER_MS))
        build = application.build

        def listened_to(*arguments: Any) -> Any:
            parts = build(*arguments)
            # The person at this keyboard was here before and asks the model; greeting and documents have their tests.
            parts.preferences.change(first_run_done=True, scope=())
            _attend(parts, seed)
            return parts

        application.build = listened_to
        return application.run(*options)

    program._open_window = open_window
    return program.main()


def _tell_drafts(parts: Any) -> None:
    """A draft is acknowledged when it has been kept; from its beginning on it may be there or not."""
    keep = parts.session.keep_draft

    def kept(draft: Any) -> bool:
        if parts.session.is_temporary:
            return bool(keep(draft))
        here = parts.session.conversation.id if parts.session.conversation else 0
        tell("drafting", conversation=here, text=draft.text, set_aside=draft.set_aside)
        is_kept = bool(keep(draft))
        tell("draft", conversation=here, text=draft.text, set_aside=draft.set_aside)
        return is_kept

    parts.session.keep_draft = kept


def _attend(parts: Any, seed: int | None) -> None:
    from PySide6.QtCore import QTimer

    _tell_drafts(parts)
    witness = _witness(parts)
    hands = Hands(parts)
    person = Person(hands, random.Random(seed)) if seed is not None else None
    commands = _Commands(parts, hands, person)

    def begin() -> None:
        if not parts.window.isVisible():
            QTimer.singleShot(1, parts.window, begin)
            return
        tell("ready", pid=os.getpid(), conversations=len(parts.conversations.all_conversations()))
        commands.listen()
        if person is not None:
            person.act()

    QTimer.singleShot(0, parts.window, begin)
    parts.window._attendants = (witness, hands, commands, person)  # they live as long as the window


# ------------------------------------------------------------------------------------------ what is acknowledged


def _witness(parts: Any) -> object:
    """Prints what the window shows as stored. Everything is asked of the running program, nothing of the script."""
    from PySide6.QtCore import QEvent, QObject, QTimer

    class Witness(QObject):
        def __init__(self) -> None:
            super().__init__(parts.window)
            self._received: dict[int, int] = {}  # characters of each answer that is being written
            self._shown: dict[int, tuple[Any, ...]] = self._listed()
            self._seen: set[int] = set()  # questions
            session = parts.session
            session.message_added.connect(self._on_message_added)
            session.conversation_opened.connect(self._on_opened)
            session.text_received.connect(self._on_text)
            session.answer_finished.connect(self._on_finished)
            parts.conversations.changed.connect(self._on_conversations)
            session.problem_occurred.connect(lambda error: tell("problem", code=error.code))
            session.overflow.counted.connect(lambda _overflow: tell("overflow"))
            parts.engine.status_changed.connect(self._on_status)
            parts.library.imported.connect(lambda model: tell("imported", id=model.id, path=model.path))
            parts.library.failed.connect(lambda error: tell("import_failed", code=error.code))
            parts.library.changed.connect(self._on_models)
            self._state = ""
            parts.window.installEventFilter(self)
            self._timer = QTimer(self, interval=100)
            self._timer.timeout.connect(self._look_at_stream)
            self._timer.start()

        def eventFilter(self, watched: Any, event: Any) -> bool:
            if event.type() == QEvent.Type.WindowStateChange:
                tell("minimized" if parts.window.isMinimized() else "front")
            return False

        def _listed(self) -> dict[int, tuple[Any, ...]]:
            """Title, folder and pin of what stands in the list."""
            folders = {folder.id: folder.name for folder in parts.conversations.folders()}
            return {
                c.id: (c.title, folders.get(c.folder_id, ""), c.pinned_at is not None)
                for c in parts.conversations.all_conversations()
            }

        def _on_opened(self, _conversation: Any, messages: list[Any]) -> None:
            """An edited question is not added at the end: its branch is opened."""
            for message in messages:
                if message.role == "question" and message.id not in self._seen:
                    self._on_message_added(message)

        def _on_message_added(self, message: Any) -> None:
            if parts.session.is_temporary:
                tell("temporary")
                return
            self._seen.add(message.id)
            tell(
                "message",
                id=message.id,
                role=message.role,
                text=message.text,
                parent=message.parent_id,
                conversation=message.conversation_id,
            )

        def _on_text(self, answer_id: int, piece: str) -> None:
            if parts.session.is_temporary:
                return
            if answer_id not in self._received:
                tell("first_text", id=answer_id)
            self._received[answer_id] = self._received.get(answer_id, 0) + len(piece)

        def _look_at_stream(self) -> None:
            for answer_id, received in self._received.items():
                saved = parts.store.message(answer_id).text
                tell("streamed", id=answer_id, received=received, saved=len(saved))

        def _on_finished(self, message: Any) -> None:
            if parts.session.is_temporary:
                tell("answered")
                return
            self._received.pop(message.id, None)
            tell("finished", id=message.id, text=message.text, status=message.status)

        def _on_conversations(self) -> None:
            now = self._listed()
            for key, (title, folder, is_pinned) in now.items():
                if self._shown.get(key) != now[key]:
                    tell("listed", conversation=key, title=title, folder=folder, pinned=is_pinned)
            for key in self._shown.keys() - now.keys():
                tell("binned", conversation=key)
            self._shown = now

        def _on_models(self) -> None:
            tell("models", ids=[model.id for model in parts.library.models()])

        def _on_status(self, status: Any) -> None:
            if status.state != self._state:
                self._state = status.state
                tell("engine", state=status.state, pid=parts.engine.pid)

    return Witness()


# -------------------------------------------------------------------------------------------- what a person does


class Hands:
    """Keys and clicks on the widgets that a person sees, found by what they are called."""

    def __init__(self, parts: Any) -> None:
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest
        from PySide6.QtWidgets import QAbstractButton, QLineEdit, QListView, QPlainTextEdit

        self._parts = parts
        self._window = parts.window
        self._keys, self._qtest = Qt.Key, QTest
        self._kinds = {"button": QAbstractButton, "line": QLineEdit, "list": QListView, "text": QPlainTextEdit}
        self._left = Qt.MouseButton.LeftButton
        self._control, self._shift = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier

    def _all(self, kind: str, name: str) -> list[Any]:
        found = self._window.findChildren(self._kinds[kind])
        words = [(widget, widget.accessibleName(), getattr(widget, "text", str)()) for widget in found]
        return [w for w, called, text in words if w.isVisible() and name in (called, str(text).strip(" \u2009"))]

    def type(self, text: str) -> None:
        """As an input method hands Japanese over: committed text, no keys."""
        self._commit(self._all("text", "質問")[0], text)

    def _commit(self, widget: Any, text: str) -> None:
        from PySide6.QtCore import QCoreApplication
        from PySide6.QtGui import QInputMethodEvent

        event = QInputMethodEvent()
        event.setCommitString(text)
        QCoreApplication.sendEvent(widget, event)

    def ask(self, text: str) -> bool:
        if not self._all("text", "質問"):
            self.click("質問")  # another page is open
        editor = self._all("text", "質問")[0]
        self._put(editor, text)
        return True

    def _put(self, editor: Any, text: str) -> None:
        tell("asking", conversation=self._here())
        editor.selectAll()
        self._commit(editor, text)
        self._qtest.keyClick(editor, self._keys.Key_Return)  # belongs to the input method: it ends the conversion
        self._qtest.keyClick(editor, self._keys.Key_Return)

    def _here(self) -> int:
        conversation = self._parts.session.conversation
        return conversation.id if conversation else 0

    def edit(self, text: str) -> bool:
        """The last question in other words, by the upward key in an empty field."""
        if self._parts.session.is_busy or not self._all("text", "質問"):
            return False
        editor = self._all("text", "質問")[0]
        editor.selectAll()
        self._qtest.keyClick(editor, self._keys.Key_Backspace)
        self._qtest.keyClick(editor, self._keys.Key_Up)
        if not editor.toPlainText():
            return False
        self._put(editor, text)
        return True

    def begin_edit(self, text: str) -> bool:
        """What was typed is set aside while the last question is being changed; nothing is sent yet."""
        page = self._parts.window.page("ask")
        asked = [message.id for message in page.transcript.messages if message.role == "question"]
        if not asked or not self._all("text", "質問"):
            return False
        self.type(text)
        page.transcript.requests.edit_requested.emit(asked[-1])
        self.type(text)
        return True

    def is_temporary(self) -> bool:
        return bool(self._parts.session.is_temporary)

    def temporary(self) -> bool:
        self._qtest.keyClick(self._window, self._keys.Key_N, self._control | self._shift)
        return bool(self._parts.session.is_temporary)

    def pin(self, conversation_id: int) -> bool:
        tell("arranging", conversation=conversation_id)
        is_pinned = (
            next(c.pinned_at for c in self._parts.conversations.all_conversations() if c.id == conversation_id)
            is not None
        )
        self._parts.conversations.pin([conversation_id], is_pinned=not is_pinned)
        return True

    def put_in_folder(self, conversation_id: int, name: str) -> bool:
        tell("arranging", conversation=conversation_id)
        folders = {folder.name: folder.id for folder in self._parts.conversations.folders()}
        if name in folders:
            self._parts.conversations.move([conversation_id], folders[name])
        else:
            self._parts.conversations.add_folder(name, [conversation_id])
        return True

    def click(self, name: str) -> bool:
        """The last visible button of this name. False where there is none."""
        buttons = [button for button in self._all("button", name) if button.isEnabled()]
        if buttons:
            self._qtest.mouseClick(buttons[-1], self._left)
        return bool(buttons)

    def stop(self) -> bool:
        return self.click("停止")

    def new(self) -> bool:
        return self.click("新しい質問")

    def regenerate(self) -> bool:
        return self.click("再生成")

    def conversation_ids(self) -> list[int]:
        return [conversation.id for conversation in self._parts.conversations.all_conversations()]

    def _row(self, conversation_id: int) -> Any:
        """The list with its current row on this conversation."""
        view = self._all("list", "会話の一覧")[0]
        view.setFocus()  # F2 means the open conversation elsewhere
        view.setCurrentIndex(self._window.sidebar.conversations.index_of(conversation_id))
        return view

    def open(self, conversation_id: int) -> bool:
        self._qtest.keyClick(self._row(conversation_id), self._keys.Key_Return)
        return True

    def rename(self, conversation_id: int, title: str) -> bool:
        tell("renaming", conversation=conversation_id, title=title)
        self._qtest.keyClick(self._row(conversation_id), self._keys.Key_F2)
        field = self._all("line", "会話の名前")[0]
        field.selectAll()
        self._commit(field, title)
        self._qtest.keyRelease(field, self._keys.Key_Return)  # of the press that ended the conversion
        self._qtest.keyClick(field, self._keys.Key_Return)
        return True

    def bin(self, conversation_id: int) -> bool:
        tell("binning", conversation=conversation_id)
        self._qtest.keyClick(self._row(conversation_id), self._keys.Key_Delete)
        return True

    def undo(self) -> bool:
        if self._all("button", "元に戻す"):
            tell("undoing")
        return self.click("元に戻す")

    def change(self, **settings: Any) -> bool:
        self._parts.preferences.change(**settings)
        tell("settings", **settings)
        return True


class Person:
    """Does the next thing a few milliseconds after the last: mostly asks, sometimes tidies up."""

    def __init__(self, hands: Hands, rng: random.Random) -> None:
        self._hands = hands
        self._rng = rng
        self._count = 0
        self._deeds: dict[str, tuple[int, Callable[[], bool]]] = {
            "ask": (10, lambda: hands.ask(self._question())),
            "ask slowly": (4, lambda: hands.ask("!slow " + self._question())),
            "stop": (3, hands.stop),
            "regenerate": (4, hands.regenerate),
            "new": (3, hands.new),
            "open": (4, lambda: self._with_conversation(hands.open)),
            "rename": (3, lambda: self._with_conversation(lambda one: hands.rename(one, self._title()))),
            "bin": (2, lambda: self._with_conversation(hands.bin)),
            "undo": (2, hands.undo),
            "edit": (4, lambda: hands.edit(self._question())),
            "begin edit": (4, lambda: hands.begin_edit(self._question())),
            "turn": (2, lambda: hands.click(rng.choice(("前の回答", "次の回答", "前の聞き方", "次の聞き方")))),
            "pin": (2, lambda: self._with_conversation(hands.pin)),
            "folder": (2, lambda: self._with_conversation(lambda one: hands.put_in_folder(one, self._shelf()))),
            "temporary": (1, hands.temporary),
            "scale": (1, lambda: hands.change(text_scale_percent=rng.choice((90, 100, 115)))),
            "type": (3, lambda: hands.type(self._question()) is None),
        }

    def act(self) -> None:
        from PySide6.QtCore import QTimer

        weights = [weight for weight, _deed in self._deeds.values()]
        self.do(self._rng.choices(list(self._deeds), weights)[0])
        QTimer.singleShot(self._rng.randint(5, 250), self.act)

    def do(self, name: str) -> None:
        self._count += 1
        if not self._deeds[name][1]():
            tell("not_possible", number=self._count)

    def _question(self) -> str:
        words = ("橋脚のかぶり", "配筋の間隔", "点検の記録", "床版のひび割れ", "👷🏽 安全帯", "𠮷野の図面")
        secret = SECRET if self._hands.is_temporary() else ""
        return (
            f"{secret}{self._rng.randrange(10**6)} {self._rng.choice(words)}はいくつですか"
            + "。" * self._rng.randint(0, 20)
        )

    def _shelf(self) -> str:
        return f"棚 {self._rng.randrange(3)}"

    def _title(self) -> str:
        return f"題 {self._rng.randrange(10**6)}"

    def _with_conversation(self, deed: Callable[[int], bool]) -> bool:
        ids = self._hands.conversation_ids()
        return deed(self._rng.choice(ids[:12])) if ids else False


# ---------------------------------------------------------------------------------------- what the test asks for


class _Commands:
    """Lines from standard input: a JSON list of a command and its words."""

    def __init__(self, parts: Any, hands: Hands, person: Person | None) -> None:
        self._parts = parts
        self._hands = hands
        self._person = person
        self._rest = b""

    def listen(self) -> None:
        from PySide6.QtCore import QSocketNotifier

        self._notifier = QSocketNotifier(0, QSocketNotifier.Type.Read, self._parts.window)
        self._notifier.activated.connect(self._on_readable)

    def _on_readable(self) -> None:
        block = os.read(0, 65536)
        if not block:
            self._notifier.setEnabled(False)
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            name, *words = json.loads(line)
            try:
                getattr(self, f"do_{name}")(*words)
            except BaseException as error:
                tell("script_broke", command=name, error=repr(error))
                raise

    def do_ask(self, text: str) -> None:
        self._hands.ask(text)

    def do_new(self) -> None:
        self._hands.new()

    def do_stop(self) -> None:
        self._hands.stop()

    def do_edit(self, text: str) -> None:
        self._hands.edit(text)

    def do_begin_edit(self, text: str) -> None:
        self._hands.begin_edit(text)

    def do_deed(self, name: str) -> None:
        """What the random person does now, besides what it does by chance."""
        assert self._person is not None
        self._person.do(name)

    def do_type(self, text: str) -> None:
        self._hands.type(text)

    def do_temporary(self) -> None:
        self._hands.temporary()

    def do_erase_all(self) -> None:
        """Into the bin, and out of it for good."""
        from PySide6.QtCore import QTimer

        conversations = self._parts.conversations
        ids = self._hands.conversation_ids()
        conversations.bin(ids)
        conversations.erase(ids)

        def look() -> None:
            if conversations._organizer._is_erasing() or conversations._organizer._has_leftovers():
                QTimer.singleShot(50, look)
            else:
                tell("erased")

        look()

    def do_close(self) -> None:
        tell("traffic", refused=self._refused())
        self._parts.window.close()

    def do_page(self, key: str) -> None:
        self._parts.window.show_page(key)
        tell("page", key=self._parts.window.current_page)

    def do_import(self, path: str) -> None:
        self._parts.window.models_page().import_path(path)

    def do_starter(self) -> None:
        self._parts.window.models_page().add_starter()

    def do_change(self, settings: dict[str, Any]) -> None:
        self._hands.change(**settings)

    def do_answer_by(self, choices: dict[str, Any]) -> None:
        """What the open conversation has otherwise than its preset."""
        from app.chat.presets import Choices

        self._parts.session.answer_by(None, Choices(**choices))

    def do_field(self) -> None:
        """What has the keyboard, the text in it, and the text under conversion."""
        from PySide6.QtWidgets import QApplication, QLineEdit, QPlainTextEdit

        from app.uikit.input_method import conversion_guard_of

        widget = QApplication.focusWidget()
        text, preedit = None, ""
        if isinstance(widget, QPlainTextEdit):
            text = widget.toPlainText()
        elif isinstance(widget, QLineEdit):
            text = widget.text()
        if widget is not None and text is not None:
            preedit = conversion_guard_of(widget).composition.preedit
        tell("field", name=widget.accessibleName() if widget else "", text=text, preedit=preedit)

    def do_place(self, kind: str, name: str) -> None:
        """Where on the screen the middle of a widget is."""
        widget = self._hands._all(kind, name)[-1]
        middle = widget.mapToGlobal(widget.rect().center())
        tell("place", x=middle.x(), y=middle.y())

    def do_minimize(self) -> None:
        self._parts.window.showMinimized()

    def do_focus(self) -> None:
        """The user comes back to the window from another program."""
        from PySide6.QtCore import QCoreApplication, Qt

        application: Any = QCoreApplication.instance()
        application.applicationStateChanged.emit(Qt.ApplicationState.ApplicationActive)

    def do_look(self) -> None:
        """What is on the screen: sizes in pixels, the window's own and what it can shrink to."""
        window = self._parts.window
        screen = window.screen().availableGeometry()
        least = window.minimumSizeHint().expandedTo(window.minimumSize())
        tell(
            "look",
            window=[window.x(), window.y(), window.frameGeometry().width(), window.frameGeometry().height()],
            least=[least.width(), least.height()],
            screen=[screen.x(), screen.y(), screen.width(), screen.height()],
        )

    def do_fonts(self, text: str) -> None:
        """The families that can write Japanese, the one that writes, and the shape it gives each character."""
        from PySide6.QtGui import QFontDatabase, QFontMetrics, QGlyphRun, QRawFont, QTextLayout

        families = QFontDatabase.families(QFontDatabase.WritingSystem.Japanese)
        layout = QTextLayout(text, self._parts.theme.font("reading"))
        layout.beginLayout()
        layout.createLine()
        layout.endLayout()
        runs: list[QGlyphRun] = layout.glyphRuns()
        raws: list[QRawFont] = [run.rawFont() for run in runs]
        glyphs = [glyph for run in runs for glyph in run.glyphIndexes()]
        width = QFontMetrics(self._parts.theme.font("reading")).horizontalAdvance(text)
        tell("fonts", families=families, used=[raw.familyName() for raw in raws], glyphs=glyphs, width=width)

    def _refused(self) -> int:
        from app.base.isolation import network_guard

        return len(network_guard.refused_attempts())


if __name__ == "__main__":
    sys.exit(main())
