"""The engine's GPU parts in the settings: which is in use, and a file to take one from."""

from pathlib import Path

from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.core import engine_packs
from app.core.engine_packs import Pack
from app.core.errors import AppError
from app.core.paths import Paths
from app.core.wording import describe_error
from app.services import background
from app.ui.theme import Theme
from app.ui.transfer.pickers import Pickers
from app.ui.widgets.buttons import Button
from app.ui.widgets.flow import Flow
from app.ui.widgets.labels import Label


class EnginePacks(QWidget):
    def __init__(self, theme: Theme, paths: Paths, pickers: Pickers | None = None) -> None:
        super().__init__()
        self._folder = paths.engine_packs
        self._pickers = pickers or Pickers()
        self.state = Label(wraps=True)
        self.add_button = Button(theme, self.tr("ファイルから追加…"))
        self.remove_button = Button(theme, self.tr("外す"), "quiet")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.state)
        column.addWidget(Flow(self.add_button, self.remove_button))
        self.add_button.clicked.connect(self._choose)
        self.remove_button.clicked.connect(self._remove)
        self._show_state()

    def take(self, file: str) -> None:
        """Puts the part of that file in its place; what is wrong with it is said here."""
        source, folder = Path(file), self._folder
        self.add_button.setEnabled(False)
        self.state.setText(self.tr("確かめています…"))
        background.run(lambda: engine_packs.install(source, folder), self._on_taken, self._on_failed)

    def _choose(self) -> None:
        file = self._pickers.open(self, self.tr("GPU の部品を選ぶ"), "", self.tr("GPU の部品") + " (*.zip)")
        if file:
            self.take(file)

    def _remove(self) -> None:
        engine_packs.remove(self._folder)
        self._show_state()

    def _on_taken(self, pack: Pack) -> None:
        self._show_state()
        self.state.setText(
            self.tr("{name} を追加しました。次に Kotae を開いたときから使います。").format(name=_title(pack))
        )

    def _on_failed(self, error: AppError) -> None:
        self._show_state()
        self.state.setText(str(describe_error(error)))
        self.state.set_tone("danger")

    def _show_state(self) -> None:
        there = engine_packs.installed(self._folder)
        names = "、".join(_title(pack) for pack in there)
        words = self.tr("あり：{names}").format(names=names) if there else self.tr("なし（CPU で計算します）")
        self.state.set_tone("text")
        self.state.setText(words)
        self.add_button.setEnabled(True)
        self.remove_button.setVisible(bool(there))


def _title(pack: Pack) -> str:
    return {"vulkan": "Vulkan", "cuda": "CUDA"}.get(pack.name, pack.name)
