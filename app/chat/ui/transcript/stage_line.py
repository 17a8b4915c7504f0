"""What the answer is waiting for, in words and seconds instead of a spinner."""

import time

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from app.base.wording import phrase
from app.inference.services.events import AnswerStage
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label
from app.uikit.widgets.progress_row import TimeLeftText

TICK_MS = 100


class StageLine(Label):
    """Counts from `Stage.started_at` by itself until it is deleted."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(role="caption", tone="text2", parent=parent)
        self.setFixedHeight(theme.px(24))
        self._stage = AnswerStage()
        self._time_left = TimeLeftText()  # of the load, or of reading the question
        self._timer = QTimer(self, interval=TICK_MS)
        self._timer.timeout.connect(self._refresh)

    def show_stage(self, stage: AnswerStage) -> None:
        if stage.kind != self._stage.kind:
            self._time_left.restart()
        self._stage = stage
        if stage.fraction is not None:
            self._time_left.note(stage.fraction)
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
        stage = self._stage
        seconds = max(0.0, time.monotonic() - stage.started_at)
        match stage.kind:
            case "searching":
                return phrase("chat.searching_documents")
            case "loading":
                doing = self._with_time_left(phrase("chat.loading_the_model_s_s", s=int(seconds)))
            case "reading":
                share = round(100 * (stage.fraction or 0))
                doing = self._with_time_left(phrase("chat.reading_the_question_p", p=share))
            case "answering":
                doing = phrase("chat.answering_s_s", s=f"{seconds:.1f}")
            case "checking":
                doing = phrase("chat.checking_against_the_sources")
            case _:
                doing = ""
        return join_facts(self._found(), doing)

    def _found(self) -> str:
        """What was found in the documents, where they are asked."""
        if not self._stage.count:
            return ""
        if self._stage.kind in ("passages", "loading"):  # not all of them may fit into what the model reads
            words = phrase("chat.found_n_passages_search_ms")
        else:
            words = phrase("chat.read_n_passages_search_ms")
        return words.format(n=self._stage.count, ms=f"{round(1000 * self._stage.search_s):,}")

    def _with_time_left(self, words: str) -> str:
        return join_facts(words, self._time_left.words)
