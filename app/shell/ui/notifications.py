"""Tells somebody who is in another program that long work has ended, without a word of what was in it."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.chat.records import Message
from app.chat.services.chat import ChatSession
from app.inference.services.events import Stage
from app.models.services.downloads import Downloads
from app.models.services.library import ModelLibrary
from app.models.services.upkeep import ModelUpkeep
from app.training.services.training_setup import TrainingSetup

if TYPE_CHECKING:  # most starts train nothing
    from app.evaluation.services.evaluations import Evaluations
    from app.training.services.trainings import Trainings

LONG_WORK_S = 5.0
LONG_ANSWER_S = 20.0


def is_away() -> bool:
    """Whether none of our windows has the keyboard."""
    return QApplication.activeWindow() is None


class Notifier(QObject):
    """Marks the window in the task bar and asks the desktop for a notification, where it has any."""

    def __init__(
        self,
        window: QWidget,
        is_away: Callable[[], bool] = is_away,
        show: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`show` is given the sentence; None leaves that to the desktop."""
        super().__init__(window)
        self._window = window
        self._is_away = is_away
        self._show = show or self._show_on_desktop
        self._clock = clock
        self._answer_began_at: float | None = None  # None: no answer is on its way
        self._tray: QSystemTrayIcon | None = None
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.applicationStateChanged.connect(self._on_state_changed)

    def finished(self, words: str, took_s: float, at_least_s: float = LONG_WORK_S) -> None:
        """Work has ended that took so long. `words` say which kind of work, never what was in it."""
        if took_s >= at_least_s and self._is_away():
            QApplication.alert(self._window)
            self._show(words)

    def tell(self, words: str) -> None:
        """At once, whoever looks."""
        self._show(words)

    def follow(self, session: ChatSession, library: ModelLibrary) -> None:
        """Answers and models from now on."""
        session.stage_changed.connect(self._on_stage_changed)
        session.answer_finished.connect(self._on_answer_finished)
        session.answer_finished_elsewhere.connect(self._on_answer_finished)
        library.imported.connect(lambda _model: self.finished(self.tr("モデルを追加しました"), library.worked_s))
        library.failed.connect(lambda error: self._on_adding_failed(error, library.worked_s))

    def follow_models(self, downloads: Downloads, upkeep: ModelUpkeep) -> None:
        """What takes minutes and hours: the user is hardly ever there when it ends."""
        downloads.finished.connect(
            lambda _model: self.finished(self.tr("モデルのダウンロードが終わりました"), LONG_WORK_S)
        )
        downloads.failed.connect(
            lambda _item: self.finished(self.tr("モデルのダウンロードが止まりました"), LONG_WORK_S)
        )
        ends = {
            self.tr("モデルの検証が終わりました"): upkeep.verified,
            self.tr("持ち運びキットを書き出しました"): upkeep.kit_written,
            self.tr("持ち運びキットの取り込みが終わりました"): upkeep.kit_read,
            self.tr("モデルの保存先を移しました"): upkeep.folder_moved,
        }
        for words, signal in ends.items():
            signal.connect(lambda _result, words=words: self.finished(words, upkeep.worked_s))
        upkeep.failed.connect(lambda error: self._on_upkeep_failed(error, upkeep.worked_s))

    def follow_training(self, setup: TrainingSetup) -> None:
        """Minutes too. One that was cancelled tells nothing new."""
        setup.finished.connect(lambda: self.finished(self.tr("学習環境ができました"), setup.elapsed_s))
        setup.failed.connect(
            lambda _error: self.finished(self.tr("学習環境の作業が途中で止まりました"), setup.elapsed_s)
        )

    def follow_trainings(self, trainings: "Trainings") -> None:
        """One that was paused or given up tells nothing new."""
        trainings.ended.connect(lambda _folder, _error: self._on_training_ended(trainings))

    def _on_training_ended(self, trainings: "Trainings") -> None:
        if trainings.outcome == "finished":
            self.finished(self.tr("学習が終わりました"), trainings.elapsed_s)
        elif trainings.outcome == "failed":
            self.finished(self.tr("学習が途中で止まりました"), trainings.elapsed_s)

    def follow_evaluations(self, evaluations: "Evaluations") -> None:
        """One that was stopped tells nothing new."""
        evaluations.ended.connect(lambda _folder, _error: self._on_evaluation_ended(evaluations))

    def _on_evaluation_ended(self, evaluations: "Evaluations") -> None:
        if evaluations.outcome == "finished":
            self.finished(self.tr("評価が終わりました"), evaluations.elapsed_s)
        elif evaluations.outcome == "failed":
            self.finished(self.tr("評価が途中で止まりました"), evaluations.elapsed_s)

    def _on_upkeep_failed(self, error: AppError, took_s: float) -> None:
        if error.code != "cancelled":
            self.finished(self.tr("モデルの作業が途中で止まりました"), took_s)

    def _on_stage_changed(self, stage: Stage) -> None:
        if self._answer_began_at is None and stage.kind != "idle":
            self._answer_began_at = self._clock()

    def _on_answer_finished(self, message: Message) -> None:
        """An answer that the user has stopped tells nobody anything new."""
        began_at, self._answer_began_at = self._answer_began_at, None
        took_s = 0.0 if began_at is None else self._clock() - began_at
        if message.status == "done":
            self.finished(self.tr("回答が終わりました"), took_s, LONG_ANSWER_S)
        elif message.status == "failed":
            self.finished(self.tr("回答が途中で止まりました"), took_s, LONG_ANSWER_S)

    def _on_adding_failed(self, error: AppError, took_s: float) -> None:
        if error.code != "cancelled":
            self.finished(self.tr("モデルを追加できませんでした"), took_s)

    def _show_on_desktop(self, words: str) -> None:
        if sys.platform == "linux":
            from app.base import desktop_notice

            background.run(lambda: desktop_notice.show(words), lambda _shown: None, lambda _error: None)
        elif QSystemTrayIcon.supportsMessages():
            self._show_from_tray(words)

    def _show_from_tray(self, words: str) -> None:
        """Windows and macOS show messages of an icon in the tray only; it is there until the user comes back."""
        if self._tray is None:
            self._tray = QSystemTrayIcon(self._window.windowIcon(), self)
            self._tray.activated.connect(self._bring_back)
            self._tray.messageClicked.connect(self._bring_back)
        self._tray.show()
        self._tray.showMessage("Kotae", words, self._window.windowIcon())

    def _bring_back(self) -> None:
        """Also a window that was closed while a training went on."""
        self._window.show()
        self._window.activateWindow()

    def _on_state_changed(self, state: Qt.ApplicationState) -> None:
        if self._tray is not None and state == Qt.ApplicationState.ApplicationActive:
            self._tray.hide()
