"""質問集を追加: from a file, by hand, or from the answers that were rated in conversations."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QStandardPaths, Qt, QTimer, Signal
from PySide6.QtWidgets import QMenu, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.chat.store import Store
from app.documents.library import collections_now
from app.evaluation import from_conversations, question_files, question_sets
from app.evaluation.from_conversations import Collected
from app.evaluation.question_files import QuestionFile
from app.evaluation.question_sets import KeptSet
from app.evaluation.records import Question
from app.evaluation.ui.sets import words
from app.evaluation.ui.sets.conversations_dialog import ConversationsDialog, nothing_dialog
from app.evaluation.ui.sets.import_dialog import ImportDialog
from app.evaluation.ui.sets.name_form import NameForm
from app.evaluation.ui.sets.question_dialog import QuestionDialog
from app.evaluation.ui.sets.storing_window import StoringWindow, Work
from app.uikit.dialogs import Choice, Dialog
from app.uikit.pickers import Pickers
from app.uikit.theme import Theme
from app.uikit.widgets.progress_row import ProgressRow

Show = Callable[[Any, Sequence[KeptSet]], None]
Read = tuple[int, Show, object, Sequence[KeptSet]]  # which reading, and what came of it

PATIENCE_MS = 500  # reading that takes no longer needs no window of its own


class AddSet(QObject):
    """Files and conversations are read in the background, one at a time: what is asked for meanwhile takes over."""

    added = Signal(str)  # the name of the set
    failed = Signal(object)  # AppError

    def __init__(
        self,
        theme: Theme,
        folder: Path,
        collect: Callable[[], Collected],
        parent: QWidget,
        pickers: Pickers | None = None,
    ) -> None:
        """`folder`: of the sets. `collect`: called in the background (`collecting`)."""
        super().__init__(parent)
        self._theme = theme
        self._folder = folder
        self._collect = collect
        self._page = parent
        self._pickers = pickers or Pickers()
        self._asked = 0  # of the reading that is waited for
        self._waiting: Dialog | None = None
        self._patience = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._patience.timeout.connect(self._show_waiting)
        self.dialog: StoringWindow | Dialog | None = None  # the last one that was opened

    def menu(self) -> QMenu:
        """For the button 質問集を追加."""
        menu = QMenu(self._page)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        theme = self._theme
        menu.addAction(theme.icon("file-down"), self.tr("ファイルから取り込む…"), self.import_file)
        menu.addAction(theme.icon("pencil"), self.tr("自分で書く…"), self.write)
        chats = self.tr("会話の評価（良い・悪い）から作る…")
        menu.addAction(theme.icon("message-circle-question-mark"), chats, self.from_conversations)
        return menu

    def import_file(self) -> None:
        start = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        known = " ".join(f"*{suffix}" for suffix in question_files.SUFFIXES)
        kinds = f"{self.tr('質問のファイル')} ({known});;{self.tr('すべてのファイル')} (*)"
        path = self._pickers.open(self._page.window(), self.tr("取り込む質問のファイルを選ぶ"), start, kinds)
        if path:
            self.import_path(Path(path))

    def import_path(self, path: Path) -> None:
        """A file that was chosen or dropped."""
        self._read(lambda: question_files.read(path), self._show_file)

    def write(self) -> None:
        self._read(lambda: None, self._show_empty)

    def from_conversations(self) -> None:
        self._read(self._collect, self._show_collected)

    # ------------------------------------------------------------------- private

    def _read(self, work: Callable[[], object], show: Show) -> None:
        self._asked += 1
        asked, folder = self._asked, self._folder

        def read() -> Read:
            try:
                return asked, show, work(), question_sets.listed(folder)
            except AppError as error:
                return asked, show, error, []

        self._patience.start()
        background.run(read, self._on_read, self._on_failed)

    def _on_read(self, read: Read) -> None:
        asked, show, found, sets = read
        if not self._is_wanted(asked):
            return
        if isinstance(found, AppError):
            self._on_failed(found)
        else:
            show(found, sets)

    def _on_failed(self, error: AppError) -> None:
        self.failed.emit(words.in_window(error))

    def _is_wanted(self, asked: int) -> bool:
        """Whether what was read is still waited for. The wait is over then."""
        if asked != self._asked:
            return False
        self._patience.stop()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.accept()
        return True

    def _show_waiting(self) -> None:
        progress = ProgressRow(self._theme, can_cancel=False)
        progress.start(self.tr("読み取っています"))
        choices = (Choice("cancel", self.tr("キャンセル"), is_default=True),)
        body = self.tr("終わると、内容を確かめる画面が開きます。まだ何も保存していません。")
        dialog = Dialog(self._theme, self.tr("質問を読み取っています"), body, choices, self._page, content=progress)
        dialog.rejected.connect(self._give_up)
        self._waiting = dialog
        dialog.open()

    def _give_up(self) -> None:
        self._asked += 1
        self._waiting = None

    def _show_file(self, found: QuestionFile, sets: Sequence[KeptSet]) -> None:
        self._open(ImportDialog(self._theme, self._folder, sets, found, self._page))

    def _show_collected(self, found: Collected, sets: Sequence[KeptSet]) -> None:
        if found.questions:
            self._open(ConversationsDialog(self._theme, self._folder, sets, found, self._page))
        else:
            self.dialog = nothing_dialog(self._theme, found, self._page)
            self.dialog.open()

    def _show_empty(self, _nothing: object, sets: Sequence[KeptSet]) -> None:
        naming = NameForm(self._theme, self._folder, sets, "", is_new=True)
        source = self.tr("自分で書いた問い")

        def prepare(question: Question) -> Work:
            name, label = naming.name.text().strip(), naming.chosen_label
            return lambda: question_sets.store(self._folder, name, [question], label, source, after="")

        self._open(QuestionDialog(self._theme, None, prepare, self._page, naming))

    def _open(self, dialog: StoringWindow) -> None:
        dialog.stored.connect(lambda found: self.added.emit(found.name))
        dialog.setWindowModality(Qt.WindowModality.WindowModal)
        self.dialog = dialog
        dialog.open()


def collecting(database: Path, documents: Path) -> Callable[[], Collected]:
    """For `AddSet`: what is in the conversations, read over connections of its own."""

    def collect() -> Collected:
        store = Store.beside(database)
        try:
            return from_conversations.collect(store, collections_now(documents))
        finally:
            store.close()

    return collect
