"""Asks before confidential content leaves the program, and puts it on record. All else goes at once."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from app.base import confidentiality, export_log
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.export_log import CLIPBOARD, What
from app.uikit import dialogs
from app.uikit.dialogs import Choice, Dialog
from app.uikit.theme import Theme

translate = QCoreApplication.translate


class Secrecy:
    def __init__(self, theme: Theme, log: Path) -> None:
        """`log`: of exports."""
        self._theme = theme
        self._log = log
        self.dialog: Dialog | None = None  # the last one that was opened

    def export(self, parent: QWidget, label: Label, what: What, target: str, go: Callable[[], None]) -> None:
        """Calls `go` at once, or after a yes that is on record; never without it."""
        question = translate("Secrecy", "機密の内容を書き出しますか")
        self._pass(parent, label, what, target, go, question, translate("Secrecy", "書き出す"))

    def train(self, parent: QWidget, label: Label, go: Callable[[], None]) -> None:
        """Before documents become training data. Calls `go` at once, or after a yes; what makes them records it."""
        question = translate("Secrecy", "機密の資料から学習データを作りますか")
        body = translate(
            "Secrecy",
            "学習したモデルの回答に、資料の内容が現れることがあります。作った日時と保存先を記録します。内容は記録しません。",
        )
        if label == confidentiality.HIGHEST:
            self._ask(parent, question, body, translate("Secrecy", "作る"), go)
        else:
            go()

    def copy(self, parent: QWidget, label: Label, text: str) -> None:
        """Onto the clipboard, from where it can go anywhere."""
        question = translate("Secrecy", "機密の内容をコピーしますか")
        verb = translate("Secrecy", "コピーする")
        self._pass(parent, label, "copy", CLIPBOARD, lambda: QGuiApplication.clipboard().setText(text), question, verb)

    def _pass(
        self,
        parent: QWidget,
        label: Label,
        what: What,
        target: str,
        go: Callable[[], None],
        question: str,
        verb: str,
    ) -> None:
        if label != confidentiality.HIGHEST:
            go()
            return

        def record_and_go() -> None:
            try:
                export_log.note(self._log, what, label, target)
            except AppError as error:
                self.dialog = dialogs.problem(self._theme, error, parent)
                self.dialog.open()
                return
            go()

        body = translate("Secrecy", "書き出した日時と宛先を記録します。内容は記録しません。")
        self._ask(parent, question, body, verb, record_and_go)

    def _ask(self, parent: QWidget, question: str, body: str, verb: str, go: Callable[[], None]) -> None:
        choices = (Choice("cancel", translate("Secrecy", "キャンセル"), is_default=True), Choice("go", verb))
        self.dialog = Dialog(self._theme, question, body, choices, parent, icon=("triangle-alert", "warning"))
        self.dialog.chosen.connect(lambda key: go() if key == "go" else None)
        self.dialog.open()
