"""Whoever is in another program is told that long work has ended, and nothing of what was in it."""

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication, QWidget

from app.base.errors import AppError
from app.shell.ui.background_work import LONG_ANSWER_S, LONG_WORK_S, Notifier


class Desktop:
    """What was shown, a clock that is moved by hand, and whether somebody is away."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.now = 1000.0
        self.is_away = True

    def notifier(self, window: QWidget) -> Notifier:
        return Notifier(window, lambda: self.is_away, self.shown.append, lambda: self.now)


@pytest.fixture
def desktop() -> Desktop:
    return Desktop()


@pytest.fixture
def alerted(monkeypatch) -> list[QWidget]:
    windows: list[QWidget] = []
    monkeypatch.setattr(QApplication, "alert", windows.append)
    return windows


@pytest.fixture
def window(qtbot) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    return window


def test_long_work_is_told_and_the_window_is_marked_in_the_task_bar(window, desktop, alerted):
    desktop.notifier(window).finished("書き出しが終わりました", LONG_WORK_S)
    assert desktop.shown == ["書き出しが終わりました"]
    assert alerted == [window]


def test_short_work_is_not_told(window, desktop, alerted):
    desktop.notifier(window).finished("書き出しが終わりました", LONG_WORK_S - 0.1)
    assert desktop.shown == []
    assert alerted == []


def test_whoever_looks_at_the_window_is_not_told(window, desktop, alerted):
    desktop.is_away = False
    desktop.notifier(window).finished("書き出しが終わりました", 100.0)
    assert desktop.shown == []
    assert alerted == []


@pytest.fixture
def followed(scene, window, desktop, alerted):
    """The services with the fake engine. Each answer takes as long as `desktop.now` is moved on."""
    desktop.notifier(window).follow(scene.session, scene.library)
    return scene


def answer_taking(scene, desktop, seconds: float, text: str) -> None:
    began_at = desktop.now

    def pass_time(stage) -> None:
        if stage.kind != "idle":
            desktop.now = began_at + seconds

    scene.session.stage_changed.connect(pass_time)
    scene.ask(text)
    scene.session.stage_changed.disconnect(pass_time)


def test_a_long_answer_is_told_without_a_word_of_it(followed, desktop):
    answer_taking(followed, desktop, LONG_ANSWER_S, "秘密の質問")
    assert desktop.shown == ["回答が終わりました"]


def test_an_answer_of_some_seconds_is_not_told(followed, desktop):
    answer_taking(followed, desktop, LONG_ANSWER_S - 1, "秘密の質問")
    assert desktop.shown == []


def test_an_answer_that_breaks_off_is_told_as_such(followed, desktop):
    answer_taking(followed, desktop, 60, "!crash")
    assert desktop.shown == ["回答が途中で止まりました"]


def test_the_time_of_an_answer_is_its_own_not_that_since_an_earlier_one(followed, desktop, qtbot):
    failed = followed.ask("!memory")
    assert failed.text == ""
    desktop.now += 60
    for _ in range(2):  # with the engine, and without a model, where nothing is begun
        with qtbot.waitSignal(followed.session.answer_finished):
            followed.session.regenerate(failed.id)
        desktop.now += 60
        followed.library.remove("tiny")
    assert desktop.shown == []


def test_an_answer_that_was_stopped_is_not_told(followed, desktop, qtbot):
    session = followed.session
    with qtbot.waitSignal(session.text_received):
        session.ask("!slow 長い話")
    desktop.now += 60
    with qtbot.waitSignal(session.answer_finished):
        session.stop()
    assert desktop.shown == []


def test_a_model_that_took_long_to_add_is_told(followed, desktop, model):
    followed.library.worked_s = LONG_WORK_S
    followed.library.imported.emit(model)
    assert desktop.shown == ["モデルを追加しました"]


def test_adding_that_failed_is_told_but_not_when_it_was_cancelled(followed, desktop, monkeypatch):
    followed.library.worked_s = 60.0
    followed.library.failed.emit(AppError("cancelled"))
    assert desktop.shown == []
    followed.library.failed.emit(AppError("not_gguf_html"))
    assert desktop.shown == ["モデルを追加できませんでした"]


@pytest.mark.skipif("sys.platform != 'linux'")
def test_the_desktop_is_asked_off_the_gui_thread(window, qtbot, alerted, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr("app.base.desktop_notification.show_notification", lambda words: bool(asked.append(words)))
    Notifier(window, lambda: True).finished("書き出しが終わりました", 10.0)
    qtbot.waitUntil(lambda: asked == ["書き出しが終わりました"])


class Told(QObject):
    """What the services of the models say, without their work."""

    finished, failed = Signal(object), Signal(object)
    verified, kit_written, kit_read, folder_moved = Signal(object), Signal(object), Signal(object), Signal(object)
    worked_s = 2 * LONG_WORK_S


@pytest.mark.parametrize(
    ("service", "signal", "words"),
    [
        ("downloads", "finished", "モデルのダウンロードが終わりました"),
        ("downloads", "failed", "モデルのダウンロードが止まりました"),
        ("maintenance", "verified", "モデルの検証が終わりました"),
        ("maintenance", "kit_written", "持ち運びキットを書き出しました"),
        ("maintenance", "kit_read", "持ち運びキットの取り込みが終わりました"),
        ("maintenance", "folder_moved", "モデルの保存先を移動しました"),
    ],
)
def test_long_work_on_models_is_told_without_its_name(desktop, window, alerted, service, signal, words):
    services = {"downloads": Told(), "maintenance": Told()}
    desktop.notifier(window).follow_models(**services)
    getattr(services[service], signal).emit("Llama-3-Swallow-8B")
    assert desktop.shown == [words]


def test_upkeep_that_fails_is_told_and_one_that_was_cancelled_is_not(desktop, window, alerted):
    upkeep = Told()
    desktop.notifier(window).follow_models(Told(), upkeep)
    upkeep.failed.emit(AppError("cancelled"))
    assert desktop.shown == []
    upkeep.failed.emit(AppError("kit_missing", path="/x"))
    assert desktop.shown == ["モデルの作業が途中で止まりました"]


class Trained(QObject):
    """A training of an hour."""

    ended = Signal(object, object)
    outcome, elapsed_s = "", 3600.0


def test_a_training_that_has_ended_is_told_and_one_that_was_paused_is_not(window, desktop, alerted):
    trainings = Trained()
    desktop.notifier(window).follow_trainings(trainings)
    for outcome in ("paused", "cancelled", "finished", "failed"):
        trainings.outcome = outcome
        trainings.ended.emit(None, None)
    assert desktop.shown == ["学習が終わりました", "学習が途中で止まりました"]


def test_an_evaluation_that_has_ended_is_told_and_one_that_was_stopped_is_not(window, desktop, alerted):
    evaluations = Trained()
    desktop.notifier(window).follow_evaluations(evaluations)
    for outcome in ("stopped", "finished", "failed"):
        evaluations.outcome = outcome
        evaluations.ended.emit(None, None)
    assert desktop.shown == ["評価が終わりました", "評価が途中で止まりました"]
