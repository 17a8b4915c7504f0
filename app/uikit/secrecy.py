"""The window's side of the gate: asks before confidential content leaves the program. All else goes at once."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

from app.base import export_gate
from app.base.confidentiality import HIGHEST, Label
from app.base.errors import AppError
from app.base.export_gate import CLIPBOARD, Export, Permit
from app.uikit import dialogs, phrases
from app.uikit.dialogs import Choice, Dialog
from app.uikit.theme import Theme

translate = QCoreApplication.translate


class Secrecy:
    def __init__(self, theme: Theme, log: Path) -> None:
        """`log`: of exports."""
        self._theme = theme
        self._log = log
        self.dialog: Dialog | None = None  # the last one that was opened

    def export(self, parent: QWidget, export: Export, go: Callable[[Permit], None]) -> None:
        """Calls `go` at once, or after a yes that is on record; never without it."""
        question = translate("Secrecy", "機密の内容を書き出しますか")
        body = translate("Secrecy", "書き出した日時と宛先を記録します。内容は記録しません。")
        self._pass(parent, export, go, question, body, translate("Secrecy", "書き出す"))

    def lower(self, parent: QWidget, export: Export, go: Callable[[Permit], None]) -> None:
        """Before a label is changed. Calls `go` at once, or after a yes where it is lowered from 機密."""
        question = translate("Secrecy", "資料集「{name}」のラベルを、機密から{label}に下げますか")
        body = translate(
            "Secrecy",
            "下げると、この資料集の文章を、確認なしに書き出したりコピーしたりできるようになります。下げた日時と資料集の名前を記録します。",
        )
        label = phrases.label(export.becomes or HIGHEST)
        question = question.format(name=export.named, label=label)
        self._pass(parent, export, go, question, body, translate("Secrecy", "下げる"))

    def train(self, parent: QWidget, label_now: Callable[[], Label], go: Callable[[bool], None]) -> None:
        """Before documents become training data. Calls `go` at once, or after a yes, and says whether there was one:
        what makes them passes the gate with it, when its first words are about to be written."""
        question = translate("Secrecy", "機密の資料から学習データを作りますか")
        body = translate(
            "Secrecy",
            "学習したモデルの回答に、資料の内容が現れることがあります。作った日時と保存先を記録します。内容は記録しません。",
        )
        if label_now() == HIGHEST:
            self._ask(parent, question, body, translate("Secrecy", "作る"), lambda: go(True))
        else:
            go(False)

    def copy(
        self, parent: QWidget | None, label_now: Callable[[], Label], text: str, put: Callable[[str, Permit], None]
    ) -> None:
        """Onto the clipboard, by `put`, from where it can go anywhere."""
        self._pass(
            parent,
            Export("copy", CLIPBOARD, label_now),
            lambda permit: put(text, permit),
            translate("Secrecy", "機密の内容をコピーしますか"),
            translate("Secrecy", "コピーした日時を記録します。内容は記録しません。"),
            translate("Secrecy", "コピーする"),
        )

    def _pass(
        self,
        parent: QWidget | None,
        export: Export,
        go: Callable[[Permit], None],
        question: str,
        body: str,
        verb: str,
    ) -> None:
        def pass_out(*, is_agreed: bool) -> None:
            try:
                permit = export_gate.pass_out(export, self._log, is_agreed=is_agreed)
            except AppError as error:
                if error.code not in ("secret_export", "secret_lowering"):
                    self.dialog = dialogs.problem(self._theme, error, parent)
                    self.dialog.open()
                    return
                self._ask(parent, question, body, verb, lambda: pass_out(is_agreed=True))
                return
            go(permit)

        pass_out(is_agreed=False)

    def _ask(self, parent: QWidget | None, question: str, body: str, verb: str, go: Callable[[], None]) -> None:
        choices = (Choice("cancel", translate("Secrecy", "キャンセル"), is_default=True), Choice("go", verb))
        self.dialog = Dialog(self._theme, question, body, choices, parent, icon=("triangle-alert", "warning"))
        self.dialog.chosen.connect(lambda key: go() if key == "go" else None)
        self.dialog.open()


def put_on_clipboard(text: str, _permit: Permit) -> None:
    QGuiApplication.clipboard().setText(text)
