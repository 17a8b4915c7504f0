"""Before the training environment is made: the room it takes, and what goes over the network."""

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.core.errors import AppError
from app.core.wording import describe_error
from app.services.training_setup import TrainingSetup
from app.ui.dialogs import Choice, Dialog
from app.ui.theme import Theme
from app.ui.widgets.labels import Label

if TYPE_CHECKING:
    from app.core.training_setup.need import Need


class MakeDialog(Dialog):
    """Chosen: cancel, make, or offline (from a folder that is asked for next)."""

    def __init__(self, theme: Theme, setup: TrainingSetup, wheels: Path | None, parent: QWidget) -> None:
        """`wheels`: the folder that all is taken from; None: the package index."""
        self._wheels = wheels
        self.room = Label(wraps=True)
        self.network = Label(wraps=True)
        offline = () if wheels else (Choice("offline", self.tr("オフラインで作る…")),)
        super().__init__(
            theme,
            self.tr("学習環境を作りますか"),
            self.tr(
                "モデルの変換と学習に使う Python と torch などを、Kotae のデータの場所に入れます。数分かかります。"
                "すでにあれば、新しいものが動くと確かめてから入れ替えます。"
            ),
            (
                Choice("cancel", self.tr("キャンセル")),
                *offline,
                Choice("make", self.tr("作る"), "primary", is_default=True),
            ),
            parent,
            content=self._content(),
        )
        self.buttons["make"].setEnabled(False)
        self.room.setText(self.tr("調べています…"))
        self._is_allowed = wheels is not None or setup.may_use_network
        self._show_network()
        setup.estimate(wheels, self._on_estimated, self._on_refused)

    def _content(self) -> QWidget:
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.room)
        column.addWidget(self.network)
        return content

    def _show_network(self, size_bytes: int = 0) -> None:
        if self._wheels is not None:
            self.network.setText(
                self.tr("通信はしません。{folder} のホイール（.whl）から作ります。").format(folder=self._wheels)
            )
        elif self._is_allowed:
            fetched = self.tr("通信：pip の配布元（ふつうは pypi.org）から、約 {size} を取得します。")
            words = self.tr("通信：pip の配布元（ふつうは pypi.org）から取得します。")
            self.network.setText(fetched.format(size=_gigabytes(size_bytes)) if size_bytes else words)
        else:
            self.network.set_tone("warning")
            self.network.setText(
                self.tr("▲ 「外部通信をすべて止める」が入っています。ホイールのフォルダから、オフラインで作れます。")
            )

    def _on_estimated(self, need: "Need") -> None:
        is_short = need.free_bytes < need.room_bytes
        words = self.tr("最大 {need} 使います（空き {free}）。")
        text = words.format(need=_gigabytes(need.room_bytes), free=_gigabytes(need.free_bytes))
        free_some = self.tr("不要なファイルを消してから、もう一度選んでください。")
        self.room.setText(f"▲ {text}{free_some}" if is_short else text)
        self.room.set_tone("warning" if is_short else "text")
        self._show_network(need.download_bytes)
        if self._is_allowed and not is_short:
            self.buttons["make"].setEnabled(True)
            self.buttons["make"].setFocus()
        self.fit_height()

    def _on_refused(self, error: AppError) -> None:
        self.room.setText(f"▲ {describe_error(error)}")
        self.room.set_tone("warning")
        self.network.hide()
        self.fit_height()


def _gigabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:,.1f}\u00a0GB"
