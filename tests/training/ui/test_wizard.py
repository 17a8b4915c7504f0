"""The wizard from 新しい学習 to the end of a run, in the real window with the fake trainer as a real child."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.paths import Paths
from app.chat.store import Store
from app.inference import speed
from app.inference.speed import MachineSpeed
from app.models import local_models, training_environment
from app.training import drafts
from app.training.data import split_record
from app.training.runs import run_journal
from app.training.runs.run_progress import RunProgress
from app.training.services import training_run
from app.training.ui import training_texts
from tests import model_files as models
from tests.training.ui.wizard import Wizard

ROWS = 60
BASE = "小さいモデル"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = (f"{n * 7919 % 10_007:x} の点検は何年ごとか,{n * 104_729 % 99_991:x} 年ごとに行う。\n" for n in range(ROWS))
    path = tmp_path / "点検.csv"
    path.write_text("質問,回答\n" + "".join(rows), "utf-8")
    return path


@pytest.fixture
def wizard(
    where: Paths,
    store: Store,
    open_window: Callable[..., AppContext],
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Wizard:
    monkeypatch.setenv(training_run.VARIABLE, "fake:good")
    monkeypatch.delenv(training_environment.VARIABLE, raising=False)
    monkeypatch.setattr(training_environment, "DEVELOPMENT_FOLDER", "none")  # looking at it imports torch
    where.data.mkdir(parents=True, exist_ok=True)
    speed.save(where.data / speed.FILE_NAME, MachineSpeed(1e10, 1e11, 2, 1.0))  # measuring takes seconds
    found = local_models.describe(models.tiny_llama(tmp_path / "小.gguf"))
    store.put_local_model(dataclasses.replace(found, id="small", name=BASE))
    return Wizard(open_window(), where, qtbot)


@dataclasses.dataclass
class Trail:
    """What was there before a run, and must be there after it."""

    file: Path
    said: bytes

    def assert_whole(self, wizard: Wizard) -> None:
        """The file, the draft, the data of the run and its journal."""
        assert self.file.read_bytes() == self.said
        run = wizard.run
        (id,) = drafts.list_ids(wizard.where.drafts)
        draft = drafts.read(wizard.where.drafts, id)
        assert draft.run == str(run.folder)
        assert draft.frozen is not None
        assert split_record.verify_split(Path(draft.frozen.folder)).files["train"].rows == draft.frozen.train
        assert run.spec is not None
        assert split_record.verify_split(Path(run.spec.train).parent).files["holdout"].sha256 == draft.frozen.sha256
        assert events_of(wizard)[0]["event"] == "started"


@pytest.fixture
def trail(file: Path) -> Trail:
    return Trail(file, file.read_bytes())


def events_of(wizard: Wizard) -> list[dict[str, object]]:
    """Whole lines of the journal."""
    found = (wizard.running.folder / run_journal.JOURNAL_FILE).read_bytes().split(b"\n")
    return [json.loads(line) for line in found if line.endswith(b"}")]


def begun(wizard: Wizard, file: Path, behaviour: str, monkeypatch: pytest.MonkeyPatch, steps: int = 0) -> None:
    """`steps`: 0 for those of the fake."""
    monkeypatch.setenv(training_run.VARIABLE, f"fake:{behaviour}")
    wizard.plan(file, BASE, monkeypatch)
    if steps:
        wizard.planning.work.choose(max_steps=steps)
        wizard.check()
    wizard.start()


def course(wizard: Wizard) -> RunProgress | None:
    """As it is shown."""
    return wizard.run_step.follower.course


def ended(wizard: Wizard, state: str) -> None:
    """And shown."""
    trainings = wizard.parts.trainings
    wizard.until(lambda: not trainings.is_training and (found := course(wizard)) and found.state == state)


def gone_on(wizard: Wizard, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the button of the page, to the end."""
    monkeypatch.setenv(training_run.VARIABLE, "fake:good")
    wizard.press("続ける")
    ended(wizard, "finished")
    assert wizard.run_step.trouble.isHidden()
    assert said(wizard) == ["履歴", "点検: 完了（未判定）"]
    assert wizard.running.foot.next_button.text() == "次へ：結果"


def said(wizard: Wizard) -> list[str]:
    """The list without the day."""
    wizard.page.refresh()
    return [re.sub(r" \d+月\d+日\u3000", " ", line) for line in wizard.listed]


def test_from_nothing_to_a_result(
    wizard: Wizard, file: Path, trail: Trail, where: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    wizard.begin()
    assert said(wizard) == ["進行中", "名前のない学習: 下書き：データ"]
    wizard.next("次へ：データ")
    wizard.import_file(file, monkeypatch)
    assert said(wizard) == ["進行中", "点検: 下書き：データ"]
    step = wizard.data
    assert (step.strip.total.number.text(), step.strip.used.number.text()) == ("60", "60")
    for key in ("problems", "review", "lengths", "split", "columns"):
        wizard.click(step.tabs.buttons[key])
        assert step.tabs.key == key
    wizard.freeze()
    assert step.tabs.key == "split"
    wizard.next("次へ：モデルと設定")
    assert wizard.planning.foot.reason.text() == "土台のモデルを選んでください。"
    wizard.choose_model(BASE)
    wizard.next("次へ：確認")
    assert wizard.checking.verdict.text() == "いまの設定では、まだ確認していません。"
    wizard.check()
    assert wizard.checking.verdict.text() == "始められます。"
    (id,) = drafts.list_ids(where.drafts)
    draft = drafts.read(where.drafts, id)
    assert (draft.goal, draft.name, draft.base, draft.preset) == ("style", "点検", "small", "light")
    wizard.start()
    assert wizard.page.rail.steps[0].isEnabled() is False  # what is trained is planned no more
    ended(wizard, "finished")
    wizard.until(lambda: "12 ステップ" in wizard.run_step.sentence.text())
    assert wizard.run_step.sentence.text().endswith("評価が残っています。「続ける」で評価します。")
    assert said(wizard) == ["履歴", "点検: 完了（未判定）"]
    wizard.next("次へ：結果")
    wizard.until(lambda: wizard.result.view is not None)
    told = wizard.result.verdict
    assert told.word.text() == "未評価"
    assert told.sentence.text() == "学習は終わりましたが、良くなったかはまだ確かめていません。"
    trail.assert_whole(wizard)


def test_a_draft_is_left_and_come_back_to_at_every_step(
    wizard: Wizard, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wizard.begin()
    wizard.next("次へ：データ")
    wizard.import_file(file, monkeypatch)
    for step, go_on in (
        ("データ", wizard.freeze),
        ("モデルと設定", lambda: wizard.choose_model(BASE)),
        ("確認", wizard.check),
    ):
        wizard.page.close_content()
        wizard.parts.window._on_page_chosen("ask")
        wizard.parts.window._on_page_chosen("training")
        assert said(wizard) == ["進行中", f"点検: 下書き：{step}"]
        wizard.until(lambda: not wizard.planning.work.is_busy)
        assert training_texts.step_name(wizard.planning.key) == step
        go_on()
    assert wizard.checking.verdict.text() == "始められます。"


def test_where_memory_ends_it_is_said_what_helps(
    wizard: Wizard, file: Path, trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(wizard, file, "oom", monkeypatch)
    ended(wizard, "failed")
    assert wizard.run_step.trouble.accessibleName() == (
        "一度に計算する量を最小にしても、学習の途中でメモリが足りなくなりました。"
        "\u3000ほかのアプリを閉じてください。「続ける」で、最初から学習します。"
    )
    assert said(wizard) == ["履歴", "点検: 失敗"]
    trail.assert_whole(wizard)
    gone_on(wizard, monkeypatch)


@pytest.mark.parametrize("behaviour", ["crash", "truncated"])
def test_a_trainer_that_dies_is_told_and_goes_on_from_its_beginning(
    behaviour: str, wizard: Wizard, file: Path, trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(wizard, file, behaviour, monkeypatch)
    ended(wizard, "crashed")
    assert wizard.run_step.trouble.accessibleName() == (
        "学習の処理が突然止まりました。データと元のモデルは、そのまま残っています。\u3000「続ける」で、最初から学習します。"
    )
    assert said(wizard) == ["進行中", "点検: 途中で止まりました"]
    trail.assert_whole(wizard)
    gone_on(wizard, monkeypatch)
    trail.assert_whole(wizard)


def test_a_run_is_paused_and_goes_on_where_it_was(
    wizard: Wizard, file: Path, trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(wizard, file, "slow", monkeypatch, steps=200)
    wizard.until(lambda: (found := course(wizard)) and found.standing.last_step > 4)
    assert re.fullmatch(r"点検: \d+\u00a0%\u3000残り1 分以内", said(wizard)[1])
    assert [action.text() for action in wizard.actions] == ["一時停止", "ここで終えて最良を残す", "中止…"]
    wizard.press("一時停止")
    ended(wizard, "paused")
    step = wizard.run.standing.last_step
    assert wizard.run_step.sentence.text() == (
        f"ステップ {step} で一時停止しています。「続ける」で、そこから学習します。"
    )
    assert said(wizard) == ["進行中", "点検: 一時停止"]
    trail.assert_whole(wizard)
    gone_on(wizard, monkeypatch)
    assert [event["resumed_step"] for event in events_of(wizard) if event["event"] == "started"] == [0, step]
    steps = [event["step"] for event in events_of(wizard) if event["event"] == "step"]
    assert steps == list(range(1, 201))  # none twice


def test_a_run_is_given_up_only_after_a_yes(
    wizard: Wizard, file: Path, trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(wizard, file, "slow", monkeypatch, steps=200)
    wizard.until(lambda: (found := course(wizard)) and found.standing.saved)
    wizard.press("中止…")
    assert "までの途中結果は残り、あとで続きから再開できます。" in wizard.answer("cancel")
    assert wizard.parts.trainings.is_training
    wizard.press("中止…")
    wizard.answer("abort")
    ended(wizard, "cancelled")
    saved = wizard.run.standing.saved
    assert saved is not None
    assert wizard.run_step.sentence.text() == (
        f"中止した学習です。ステップ {saved.step} までは保存済みです。「続ける」で、そこから再開します。"
    )
    assert said(wizard) == ["履歴", "点検: 中止"]
    trail.assert_whole(wizard)
    gone_on(wizard, monkeypatch)


def test_a_run_goes_on_while_its_page_and_the_window_are_closed(
    wizard: Wizard, file: Path, trail: Trail, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(wizard, file, "slow", monkeypatch, steps=200)
    wizard.until(lambda: wizard.run.standing.last_step > 0)
    window = wizard.parts.window
    window._on_page_chosen("ask")
    wizard.page.close_content()
    before = wizard.parts.trainings.run
    assert before is not None
    folder = wizard.parts.trainings.folder
    window._on_page_chosen("training")
    assert wizard.running.folder == folder
    assert wizard.running.key == "run"
    window.close()
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    app.lastWindowClosed.emit()  # windows of other tests may be left
    window.show()
    assert wizard.run_step._note.text() == "学習は続いていました。"
    assert wizard.parts.trainings.run is before
    wizard.press("ここで終えて最良を残す")
    ended(wizard, "finished")
    assert wizard.run_step.sentence.text().startswith("指示により ")
    assert said(wizard) == ["履歴", "点検: 完了（未判定）"]
    trail.assert_whole(wizard)
