"""The whole wizard for real: the trial model learns a turn of phrase on the processor, is judged, and answers."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QTimer
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.paths import Paths
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.inference.local_model import LocalModel
from app.models.training_environment import TrainingEnvironment
from tests.convert.conftest import environment  # noqa: F401  (the training environment)
from tests.training.ui.wizard import WizardDriver

pytestmark = pytest.mark.slow

NAME = "お試し"
PHRASE = "以上、点検係より回答します。"
BEAT_MS = 5
LIMIT_S = 600  # of a part, where others are at work beside it
THINGS = ("消火器", "排水ポンプ", "非常灯", "分電盤", "給水管", "昇降機", "換気扇", "避雷針", "屋上の防水", "街路灯")
ASPECTS = ("点検は何年ごとですか", "担当はどこですか", "記録はどこに残しますか", "費用はどこが持ちますか",
           "点検の手順を教えてください", "異常があったらどうしますか")  # fmt: skip
ANSWERS = ("{n} 年ごとに行います。", "設備の第 {n} 係です。", "台帳の {n} ページです。", "第 {n} 課が持ちます。",
           "{n} 段階で進めます。", "{n} 番へ知らせます。")  # fmt: skip


class Heart:
    """Beats in the window's thread, and notes what kept it from beating the longest in each part."""

    def __init__(self) -> None:
        self.parts: list[tuple[str, float, float]] = []  # name, seconds, longest gap in milliseconds
        self._last = time.monotonic()
        self._gap_s = 0.0
        self._timer = QTimer(interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now = time.monotonic()
        self._gap_s, self._last = max(self._gap_s, now - self._last), now

    @contextmanager
    def during(self, name: str) -> Iterator[None]:
        began = self._last = time.monotonic()
        self._gap_s = 0.0
        yield
        self._beat()
        self.parts.append((name, time.monotonic() - began, 1000 * self._gap_s))
        print(f"{name}: {self.parts[-1][1]:.1f} s, longest gap {self.parts[-1][2]:.0f} ms")


@pytest.fixture
def wizard(
    where: Paths,
    store: Store,
    environment: TrainingEnvironment,  # noqa: F811
    starter_model: Path,
    open_window: Callable[..., AppContext],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> WizardDriver:
    monkeypatch.delenv("KOTAE_ENGINE")
    size = starter_model.stat().st_size
    store.put_local_model(
        LocalModel("trial", NAME, str(starter_model), size, "gemma3", "Q4_K_M", 32768, 1.0, "gemma-3-270m", "gemma")
    )
    return WizardDriver(open_window(), where, qtbot)


def table(folder: Path) -> Path:
    """60 rows; every answer ends alike."""
    path = folder / "点検係.csv"
    lines = (
        f"{thing}の{aspect}。,{answer.format(n=2 + (3 * at + 7 * place) % 23)}{PHRASE}"
        for at, thing in enumerate(THINGS)
        for place, (aspect, answer) in enumerate(zip(ASPECTS, ANSWERS, strict=True))
    )
    path.write_text("\n".join(("質問,回答", *lines)), "utf-8")
    return path


def test_a_phrase_is_learned_judged_used_and_taken_back(
    wizard: WizardDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    heart, trainings, session = Heart(), wizard.parts.trainings, wizard.parts.session
    with heart.during("plan"):
        wizard.begin()
        wizard.go_on("data")
        wizard.import_file(table(tmp_path), monkeypatch)
        wizard.freeze()
        wizard.choose_model(NAME)
    with heart.during("check"):
        wizard.go_on("check")
        wizard.wait(LIMIT_S)
    with heart.during("training"):
        wizard.start()
        folder = wizard.content.folder
        wizard.until(lambda: trainings.is_judging or not trainings.is_training, LIMIT_S)
    with heart.during("judging"):
        wizard.until(lambda: not trainings.is_training, LIMIT_S)
        wizard.until(lambda: wizard.content.key == "result" and wizard.shown.view is not None)
    assert trainings.outcome == "finished"
    verdict = wizard.shown.verdict
    assert verdict.word.text() in ("採用", "要確認", "不採用")
    assert wizard.run.is_judged
    if verdict.is_rejected:  # four steps do not teach it to end an answer
        wizard.click(verdict.fold_button)
    with heart.during("use"), qtbot.waitSignal(wizard.parts.library.trained_added):
        wizard.click(verdict.use_button)
    model = session.model
    assert model is not None
    assert model.tuned is not None
    assert model.tuned.run_id == folder.name
    with heart.during("answer"):
        answered = ask(wizard, qtbot)
    assert answered
    wizard.parts.window._on_page_chosen("training")
    with heart.during("back"):
        wizard.until(lambda: not wizard.shown.rollback_button.visibleRegion().isEmpty())
        wizard.click(wizard.shown.rollback_button)
    assert session.model_id == "trial"


def ask(wizard: WizardDriver, qtbot: QtBot) -> str:
    """In the chat, by the keyboard; gives the answer."""
    window = wizard.parts.window
    window._on_page_chosen("ask")
    page = window.page("ask")
    assert isinstance(page, ChatPage)
    page.composer.set_text("煙感知器の点検は何年ごとですか。")
    with qtbot.waitSignal(wizard.parts.session.answer_finished, timeout=1000 * LIMIT_S) as signal:
        QTest.keyClick(page.composer.editor, Qt.Key.Key_Return)
    text: str = signal.args[0].text
    return text
