"""What the answer is waiting for, in words and seconds instead of a spinner."""

import time

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from app.services.events import Stage
from app.ui.theme import Theme
from app.ui.widgets.labels import Label

TICK_MS = 100


class StageLine(Label):
    """Counts from `Stage.started_at` by itself until it is deleted."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(role="caption", tone="text2", parent=parent)
        self.setFixedHeight(theme.px(24))
        self._stage = Stage()
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self._refresh)

    def show_stage(self, stage: Stage) -> None:
        self._stage = stage
        if stage.kind == "idle":
            self._timer.stop()
        elif not self._timer.isActive():
            self._timer.start()
        self._refresh()

    def _refresh(self) -> None:
        text = self._words()
        if text != self.text():
            self.setText(text)

    def _words(self) -> str:
        seconds = max(0.0, time.monotonic() - self._stage.started_at)
        match self._stage.kind:
            case "loading":
                return self.tr("モデルを読み込んでいます… {s} 秒").format(s=int(seconds))
            case "reading":
                return self.tr("質問を読んでいます {p} %").format(p=round(100 * (self._stage.fraction or 0)))
            case "answering":
                return self.tr("回答中… {s} 秒").format(s=f"{seconds:.1f}")
        return ""
