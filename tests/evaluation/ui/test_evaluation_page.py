"""The page 評価 in the real window: its list, studies by the fake engine as real children, and what comes of them."""

import dataclasses
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QThreadPool, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext, _on_state_changed
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import phrase
from app.chat.store import Store
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.evaluation import question_sets
from app.evaluation.records import Question, QuestionSet, System
from app.evaluation.report import scoring
from app.evaluation.study import compared_systems, studies
from app.evaluation.ui.page import EvaluationPage
from app.evaluation.ui.question_set_forms import RenameDialog
from app.evaluation.ui.study_dialog import StudyDialog
from app.inference.local_model import LocalModel
from app.models import local_models
from app.shell.ui.background_work import CloseGuard
from app.training.services.training_run import Trainer
from app.uikit import clipboard_guard
from app.uikit.widgets.list_rows import DescriptionRole, EntryRole
from tests.evaluation.driver import answer, question_set, systems_of, write_study
from tests.evaluation.ui.driver import CONTROL, NO_MODIFIER, Driver
from tests.window_fixtures import settle

SLOW = "!slow " + "とても長い答え" * 4
CSV = "質問,模範解答\n窓口は何時までですか。,17 時までです。\n駐車場はありますか。,あります。\n"


class Scene(Driver):
    """The window, with one model in its list."""

    def __init__(self, parts: AppContext, where: Paths, model: LocalModel, qtbot: QtBot) -> None:
        super().__init__(parts.window, qtbot)
        self.parts, self.where, self.model, self.evaluations = parts, where, model, parts.evaluations

    @property
    def page(self) -> EvaluationPage:
        page = self.parts.window.page("evaluation")
        assert isinstance(page, EvaluationPage)
        return page

    def open_page(self, kind: str = "") -> EvaluationPage:
        """`kind`: of what it then shows, as in `until_shown`."""
        self.call("Ctrl+5")
        self.until_read()
        if kind:
            self.until_shown(kind)
        return self.page

    def narrow(self) -> EvaluationPage:
        """The page in a narrow window, with its list over it."""
        page = self.open_page()
        self.window.resize(620, 500)
        self.until(lambda: self.parts.window.frame.is_narrow)
        self.parts.window.toggle_sidebar()
        return page

    def call(self, keys: str) -> None:
        found = [one for one in self.window.findChildren(QShortcut) if one.key() == QKeySequence(keys)]
        assert len(found) == 1
        found[0].activated.emit()
        settle()

    def until_read(self) -> None:
        """The list."""
        self.qtbot.waitUntil(lambda: not self.page._is_reading)

    def set(self, name: str = "窓口", *texts: str) -> QuestionSet:
        asked = question_set(*(texts or ("17 時までですか。", "駐車場はありますか。")), must_include=("17 時",))
        return question_sets.store(self.where.questions, name, asked.questions)

    def study(self, name: str, asked: QuestionSet, systems: int = 2, scope: tuple[CollectionRef, ...] = ()) -> Path:
        """Written, and not begun."""
        documents = compared_systems.DocumentScope(scope) if scope else None
        folder = self.where.evaluations / f"20261126-00000{len(studies.list_all(self.where.evaluations))}"
        write_study(folder, *systems_of(self.model, systems, documents), asked=asked, name=name)
        return folder

    def running(self, name: str = "試し") -> Path:
        """A study that takes its time, and that goes on."""
        folder = self.study(name, self.set("窓口", SLOW), systems=1)
        self.evaluations.start(folder)
        return folder

    def finished(self, name: str, asked: QuestionSet, scope: tuple[CollectionRef, ...] = ()) -> Path:
        """Answered and scored without a model."""
        folder = self.study(name, asked, scope=scope)
        study = studies.read(folder)
        for one in study.contenders:
            answer(folder, one.system.id, count=len(asked.questions))
        scoring.score_study(study, folder, asked)
        return folder

    def listed(self) -> list[tuple[str, str | None]]:
        """Names, and what is said of each; None: of a heading."""
        indexes = [self.page.entries.index(row) for row in range(self.page.entries.rowCount())]
        return [(index.data(), index.data(DescriptionRole)) for index in indexes]

    def said(self, name: str) -> str:
        return next(said or "" for shown, said in self.listed() if shown == name)

    def choose(self, name: str) -> None:
        index = next(self.page.entries.index(row) for row, (shown, _) in enumerate(self.listed()) if shown == name)
        assert index.data(EntryRole) is not None
        self.page.list.setCurrentIndex(index)

    def shown(self) -> QWidget:
        return self.page.contents.currentWidget()

    def until_shown(self, kind: str) -> None:
        """`kind`: SetView | StudyView | ResultView | Nothing."""
        self.until(lambda: type(self.shown()).__name__ == kind)

    def use(self, **changes: object) -> System:
        """Asks for the first system of the result that is shown, as its button does."""
        view = self.page.contents.result_view()
        found = self.page.contents.entry.study.contenders[0].system  # type: ignore[union-attr]
        system = dataclasses.replace(found, **changes)  # type: ignore[arg-type]
        view.overview.advice.use_requested.emit(system)
        return system

    @property
    def told(self) -> str:
        """By the banner; "": nothing."""
        return self.page.banner.accessibleName() if self.page.banner.isVisible() else ""

    def add_model(self, path: Path) -> None:
        shutil.copy(self.model.path, path)
        self.parts.store.put_local_model(dataclasses.replace(self.model, id="other", name="もう 1 つ", path=str(path)))
        self.parts.library.refresh()

    def wish_for_models(self) -> StudyDialog:
        """The dialog, in which all models are chosen."""
        self.until(lambda: self.page.start_action.dialog is not None)
        dialog = self.page.start_action.dialog
        assert dialog is not None
        self.until(dialog.isVisible)
        self.click(dialog.kinds.answers["models"].radio)
        for row in dialog.part("models").models.rows.values():
            row.box.setChecked(True)
        self.until(lambda: dialog.forecasting.forecast is not None)
        return dialog

    def click_row(self, name: str, keys: Qt.KeyboardModifier = NO_MODIFIER) -> None:
        row = next(row for row, (shown, _) in enumerate(self.listed()) if shown == name)
        place = self.page.list.visualRect(self.page.entries.index(row)).center()
        QTest.mouseClick(self.page.list.viewport(), Qt.MouseButton.LeftButton, keys, place)

    def choose_in_menu(self, words: str) -> None:
        menus = [menu for menu in self.page.findChildren(QMenu) if menu.isVisible()]
        action = next(action for menu in menus for action in menu.actions() if action.text() == words)
        action.trigger()
        for menu in menus:
            menu.close()


@pytest.fixture
def scene(
    open_window: Callable[..., AppContext], store: Store, where: Paths, model: LocalModel, qtbot: QtBot
) -> Iterator[Scene]:
    store.put_local_model(model)
    parts = open_window()
    parts.preferences.change(model_id=model.id)
    yield Scene(parts, where, model, qtbot)
    parts.evaluations.close()


def test_the_page_is_opened_by_its_key_and_says_what_it_is_for(scene: Scene) -> None:
    page = scene.open_page()
    assert scene.window.current_page == "evaluation"
    nothing = page.contents.nothing
    assert nothing.isVisible()
    assert nothing.button.hasFocus()
    scene.click(nothing.button)
    menu = next(menu for menu in page.findChildren(QMenu) if menu.isVisible())
    words = ["ファイルから取り込む…", "自分で書く…", "会話の評価（良い・悪い）から作る…"]
    assert [action.text() for action in menu.actions()] == words
    menu.close()


def test_what_a_command_adds_is_listed_when_the_window_is_used_again(scene: Scene) -> None:
    scene.open_page()
    assert scene.listed() == []
    scene.set("窓口")
    _on_state_changed(Qt.ApplicationState.ApplicationActive, scene.parts)
    scene.until(lambda: scene.listed() == [("質問集", None), ("窓口", "2 問　社外秘")])


def test_a_file_that_is_dropped_becomes_a_set_and_is_shown(scene: Scene, tmp_path: Path) -> None:
    page = scene.open_page()
    file, other = tmp_path / "窓口.csv", tmp_path / "a.pdf"
    other.write_bytes(b"%PDF")
    assert not _drop(page, other)
    assert page.adding.dialog is None
    file.write_text(CSV, "utf-8")
    assert _drop(page, file)
    scene.until(lambda: page.adding.dialog is not None and page.adding.dialog.isVisible())
    scene.click(page.adding.dialog.save_button)  # type: ignore[union-attr]
    scene.until_shown("SetView")
    assert scene.listed() == [("質問集", None), ("窓口", "2 問　社外秘")]
    assert page.list.entry == page.contents.entry


@pytest.mark.fault("S16")
def test_what_a_set_shows_is_secret_once_the_documents_are_that_it_is_of(scene: Scene, library: Library) -> None:
    collection = library.add_collection("入札", "internal")
    asked = Question("q1", "金額は？", "五百億です。", collections=("入札",))
    question_sets.store(scene.where.questions, "窓口", [asked])
    page = scene.open_page("SetView")
    scene.until(lambda: page.contents.set_view().work.displayed is not None)
    assert clipboard_guard.label_at(scene.shown()) == "internal"
    shutil.rmtree(scene.where.questions)  # no selection reads the set again
    assert clipboard_guard.label_at(scene.shown()) == page.label_now() == "internal"
    library.set_label(collection, "secret")
    assert clipboard_guard.label_at(scene.shown()) == "secret"
    assert page.label_now() == "secret"


def test_a_study_goes_from_the_dialog_to_its_result(scene: Scene, tmp_path: Path) -> None:
    scene.add_model(tmp_path / "other.gguf")
    asked = scene.set()
    page = scene.open_page("SetView")
    scene.until(lambda: page.contents.set_view().evaluate_button.isEnabled())
    scene.click(page.contents.set_view().evaluate_button)
    dialog = scene.wish_for_models()
    scene.click(dialog.start_button)
    assert dialog.progress.isVisible()
    scene.until(lambda: scene.evaluations.outcome == "finished")
    scene.until_shown("EvaluationResultView")
    assert page.start_action.dialog is None
    heading, (name, said) = scene.listed()[-2:]
    assert heading == ("結果", None)
    assert said is not None
    assert said.endswith("2 構成")
    assert page.header.title.text() == f"{name}　{asked.name}"


def test_a_study_is_stopped_and_gone_on_with_where_it_was(scene: Scene) -> None:
    folder = scene.study("試し", scene.set("窓口", "17 時までですか。", "!slow 長い質問"), systems=1)
    page = scene.open_page("StudyView")
    assert scene.said("試し") == "続けられます"
    view = page.contents.study_view()
    scene.click(view.go_on_button)
    scene.until(lambda: _answered(scene) == 1)
    assert scene.said("試し") == "1／1　回答中"
    assert scene.window.status_line.model.text() == "評価中：質問用のモデルは休止中"
    assert not scene.window.status_line.state.isVisible()
    scene.click(view.pause_button)
    scene.until(lambda: scene.evaluations.outcome == "stopped")
    scene.until_read()
    assert scene.said("試し") == "続けられます"
    assert list((folder / studies.ANSWERS).iterdir()) != []
    scene.click(view.go_on_button)
    scene.until(lambda: scene.evaluations.outcome == "finished")
    scene.until_shown("EvaluationResultView")


def test_a_session_that_ends_stops_the_study(scene: Scene) -> None:
    scene.running()
    closing = scene.window.findChild(CloseGuard)
    assert closing is not None
    closing.pause_work()
    scene.until(lambda: scene.evaluations.outcome == "stopped")


@pytest.mark.parametrize("engine", ["echo", pytest.param("", marks=pytest.mark.slow)])  # "": the trial model answers
def test_a_study_makes_way_for_a_question_and_goes_on_after_its_answer(
    scene: Scene, engine: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not engine:
        monkeypatch.delenv("KOTAE_ENGINE")
        trial = dataclasses.replace(local_models.describe(request.getfixturevalue("starter_model")), id="trial")
        scene.model = scene.parts.library.add(trial)
        scene.parts.preferences.change(model_id="trial")
    questions = ("17 時までですか。", "!slow 長い質問", "駐車場はありますか。")
    folder = scene.study("試し", scene.set("窓口", *questions), systems=1)
    chat, pause, session = scene.parts.page, scene.parts.pause, scene.parts.session
    scene.evaluations.start(folder)
    scene.until(lambda: _answered(scene) == 1)
    chat.composer.set_text("窓口はどこですか。")
    notice = chat.composer.asking_notice
    scene.until(lambda: notice.isVisible() and notice.button.text() == phrase("chat.pause_and_ask"))
    scene.click(notice.button)
    scene.until(lambda: session.messages() and session.messages()[-1].status == "done")
    assert (scene.evaluations.outcome, pause.state) == ("stopped", "paused")
    (journal,) = (folder / studies.ANSWERS).iterdir()
    before = journal.read_bytes()
    assert notice.button.text() == phrase("chat.go_on_with_the_work")
    scene.click(notice.button)
    scene.until(lambda: scene.evaluations.outcome == "finished")
    assert journal.read_bytes().startswith(before), "what was answered before is kept"
    assert [json.loads(line)["line"] for line in journal.read_bytes().splitlines()[1:]] == [1, 2, 3]


def test_a_start_that_failed_can_be_asked_for_again_and_two_clicks_open_one_dialog(scene: Scene, monkeypatch) -> None:
    action = scene.open_page().start_action

    def refuse(*_: object) -> None:
        raise PermissionError

    with monkeypatch.context() as patched, scene.qtbot.captureExceptions() as raised:
        patched.setattr(action.model, "offer", refuse)
        action.ask()
        scene.until(lambda: bool(raised))
    assert action.dialog is None
    action.ask()
    action.ask()
    scene.until(lambda: action.dialog is not None)
    action.ask()
    scene.until(lambda: action.dialog is not None and action.dialog.isVisible())
    settle()
    assert len(scene.window.findChildren(StudyDialog)) == 1


def test_nothing_is_begun_beside_a_study_that_goes_on(scene: Scene) -> None:
    scene.running()
    page = scene.open_page()
    page.start_action.ask("窓口")
    assert page.start_action.dialog is None
    assert scene.told.startswith("ほかの評価が進行中です")


def test_why_a_study_cannot_go_on_stays_in_sight(scene: Scene) -> None:
    """Also when the list is read again, which shows it."""
    folder = scene.study("試し", scene.set(), systems=1)
    page = scene.open_page()
    scene.parts.engine.refusal = AppError("training_has_memory")
    page.start_action.start(folder)
    page.open(("study", folder.name))
    scene.until_read()
    assert scene.told.startswith("学習")
    scene.choose("窓口")
    assert scene.told == ""
    scene.parts.engine.refusal = None


def test_what_is_removed_comes_back(scene: Scene) -> None:
    scene.set("窓口")
    scene.study("試し", scene.set("夜間窓口"))
    page = scene.open_page()
    for name in ("試し", "窓口"):
        scene.choose(name)
        scene.until_read()
        scene.press(Qt.Key.Key_Delete, at=page.list)
        scene.until(lambda name=name: name not in [shown for shown, _ in scene.listed()])
        assert page.contents.is_empty
        scene.call("Ctrl+Z")
        scene.until(lambda name=name: name in [shown for shown, _ in scene.listed()])
        scene.until(lambda: not page.contents.is_empty)
        assert page.list.currentIndex().data() == name


def test_a_study_that_goes_on_is_not_removed(scene: Scene) -> None:
    folder = scene.running()
    page = scene.open_page()
    scene.choose("試し")
    scene.press(Qt.Key.Key_Delete, at=page.list)
    scene.until_read()
    assert scene.told.startswith("評価「試し」は進行中です。")
    assert "一時停止してから削除してください。" in scene.told
    assert folder.is_dir()
    scene.until_shown("StudyView")
    scene.evaluations.stop()
    scene.until(lambda: not scene.evaluations.is_running)
    assert scene.told == ""


def test_a_study_that_another_window_carries_out_is_called_by_its_name_and_stays_in_sight(scene: Scene) -> None:
    folder = scene.study("試し", scene.set())
    page = scene.open_page()
    scene.choose("試し")
    lock = studies.lock(folder)
    scene.press(Qt.Key.Key_Delete, at=page.list)
    scene.until_read()
    assert scene.told.startswith("評価「試し」は、ほかの Kotae が進めています。")
    scene.until_shown("StudyView")
    lock.release()


def test_what_went_wrong_is_gone_from_sight_with_the_next_deed(scene: Scene) -> None:
    scene.set("窓口")
    scene.set("夜間窓口")
    page = scene.open_page()
    page.say(AppError("study_busy"))
    scene.choose("窓口")
    scene.until_read()
    page.say(AppError("study_busy"))
    assert scene.told
    scene.press(Qt.Key.Key_Delete, at=page.list)
    assert scene.told == ""
    page.say(AppError("study_busy"))
    scene.call("Ctrl+Z")
    scene.until(lambda: not page.contents.is_empty)
    assert scene.told == ""


def test_a_set_is_removed_by_its_own_menu_and_the_page_leads_to_the_list(scene: Scene) -> None:
    scene.set("窓口")
    scene.set("夜間窓口")
    page = scene.open_page()
    scene.choose("窓口")
    scene.until_read()
    view = page.contents.set_view()
    scene.until(view.menu_button.isEnabled)
    menu = view.menu()
    next(action for action in menu.actions() if action.text() == "この質問集を削除").trigger()
    menu.close()
    scene.until(lambda: [name for name, _ in scene.listed()] == ["質問集", "夜間窓口"])
    assert page.contents.is_empty
    assert page.contents.nothing.message.text() == "左の一覧から選んでください。"
    assert not page.contents.nothing.button.isVisible()


@pytest.mark.parametrize(("file", "said"), [(studies.STUDY, "読めません"), (studies.RESULTS, "2 構成")])
def test_what_is_damaged_says_so_in_words_and_the_list_keeps_its_place_at_it(
    scene: Scene, file: str, said: str
) -> None:
    asked = scene.set()
    scene.study("古い", asked)
    damaged = scene.finished("壊れた", asked)
    scene.study("新しい", asked)
    (damaged / file).write_text("{", "utf-8")
    page = scene.open_page("StudyView")
    scene.press(Qt.Key.Key_Down, at=page.list)
    scene.until(lambda: scene.told)
    assert "読めません" in scene.told
    assert "kotae" not in scene.told
    row = page.entries.index_of(("study", damaged.name)).row()
    assert page.list.currentIndex().row() == row
    assert said in page.list.currentIndex().data(DescriptionRole)
    page._show_menu(page.mapToGlobal(QPoint(10, 10)))
    (menu,) = [menu for menu in page.findChildren(QMenu) if menu.isVisible()]
    assert [one.text() for one in menu.actions() if one.text()] == ["フォルダを開く", "削除"]
    menu.close()
    scene.press(Qt.Key.Key_Down, at=page.list)
    assert page.list.currentIndex().data() == "古い"


def test_a_study_that_ends_in_a_terminal_opens_its_result(scene: Scene) -> None:
    folder = scene.finished("試し", scene.set())
    lock = studies.lock(folder)
    scene.open_page()
    scene.until_shown("StudyView")
    scene.until(lambda: scene.page.contents.study_view()._standing is not None)
    scene.page.contents.study_view()._read_timer.setInterval(50)
    lock.release()
    scene.until_shown("EvaluationResultView")
    scene.until_read()
    assert "実行中" not in scene.said("試し")


def test_a_comparison_that_nobody_waits_for_takes_nothing_from_a_result(scene: Scene) -> None:
    asked = scene.set()
    scene.finished("一つ目", asked)
    scene.finished("二つ目", asked)
    page = scene.open_page("EvaluationResultView")
    page.contents.compare(list(page._listed.studies))
    scene.choose(asked.name)
    QThreadPool.globalInstance().waitForDone()
    QApplication.processEvents()
    assert not page.contents.result_view().tabs.buttons["blind"].isHidden()


def test_a_result_that_was_read_gives_way_to_what_is_chosen_before_it_is_shown(scene: Scene) -> None:
    asked = scene.set()
    folder = scene.finished("一つ目", asked)
    page = scene.open_page("EvaluationResultView")
    contents = page.contents
    contents._show_result(folder, studies.read(folder), studies.read_results(folder))
    contents.show_nothing()
    scene.until_read()
    QApplication.processEvents()
    assert contents.currentWidget() is contents.nothing


def test_what_was_to_be_shown_gives_way_to_what_somebody_chooses(scene: Scene) -> None:
    asked = scene.set("窓口")
    scene.set("夜間窓口")
    page = scene.open_page()
    page.open(("study", "20261126-000000"))
    scene.until_read()
    scene.choose("窓口")
    scene.study("試し", asked)
    page.refresh()
    scene.until_read()
    assert "試し" in [name for name, _ in scene.listed()]
    assert page.contents.key == ("set", "窓口")


def test_a_study_that_is_being_made_can_be_cancelled_and_leaves_nothing(scene: Scene, tmp_path: Path) -> None:
    scene.add_model(tmp_path / "other.gguf")
    scene.set()
    page = scene.open_page()
    beginning, gate = page.start_action, threading.Event()

    def locate() -> Trainer:
        gate.wait(30)
        raise AppError("no_training_environment", path="")

    beginning.ask()
    dialog = scene.wish_for_models()
    beginning.model._locate = locate
    scene.click(dialog.start_button)
    beginning.ask()  # one is made at a time
    assert beginning.dialog is dialog
    scene.click(dialog.progress.cancel_button)
    gate.set()
    scene.until(lambda: not dialog.progress.isVisible())
    assert studies.list_all(scene.where.evaluations) == []
    assert beginning.dialog is dialog
    (tmp_path / "other.gguf").unlink()
    scene.click(dialog.start_button)
    scene.until(lambda: not dialog.progress.isVisible())
    assert "other.gguf" in dialog.reason.text()
    assert studies.list_all(scene.where.evaluations) == []
    dialog.accept()


def test_what_was_compared_is_used_for_questions(scene: Scene) -> None:
    library = Library.open(scene.where.documents)
    number = library.add_collection("手引き")
    library.close()
    with scene.qtbot.waitSignal(scene.parts.documents.opened):
        scene.parts.documents.open()
    scene.finished("試し", scene.set(), (CollectionRef(number, "手引き"),))
    scene.open_page("EvaluationResultView")
    scene.parts.preferences.change(model_id="")
    scene.use()
    assert scene.window.current_page == "evaluation"
    assert "は回答を書かずに資料の抜粋を表示します" in scene.told
    scene.use(collections=("なくした資料",), is_quoted=True)
    assert scene.window.current_page == "evaluation"
    assert "なくした資料" in scene.told
    scene.use(is_quoted=True)
    assert scene.window.current_page == "ask"
    session = scene.parts.session
    assert session.conversation is None
    assert [ref.name for ref in session.scope] == ["手引き"]
    assert session.model_id == scene.model.id


def test_the_model_that_was_used_before_can_be_used_again(scene: Scene, tmp_path: Path) -> None:
    scene.add_model(tmp_path / "other.gguf")
    scene.finished("試し", scene.set())
    page = scene.open_page("EvaluationResultView")
    scene.parts.session.use_model("other")
    offered: list[str] = []
    page._navigation.undo_offered.connect(lambda action: offered.append(action.done))
    scene.use()
    assert offered == [f"「{scene.model.name}」に切り替えました。"]
    assert scene.parts.session.model_id == scene.model.id
    scene.call("Ctrl+Z")
    assert scene.parts.session.model_id == "other"


def test_several_results_stand_in_one_table(scene: Scene) -> None:
    """Picked in a narrow window, whose list stays meanwhile, and left again for one of them."""
    asked = scene.set()
    for name in ("一つ目", "二つ目"):
        scene.finished(name, asked)
    page = scene.narrow()
    page.list.clearSelection()
    for name in ("一つ目", "二つ目"):
        scene.click_row(name, CONTROL)
    assert page.list.isVisible()  # several are still being selected
    page._show_menu(page.mapToGlobal(QPoint(10, 10)))
    scene.choose_in_menu("並べて比べる")
    scene.until(lambda: page.header.title.text() == "2 件の結果")
    view = page.contents.result_view()
    scene.until(lambda: view.view_data is not None)
    assert view.view_data is not None
    assert len({one.system.name for one in view.view_data.systems}) == len(view.view_data.systems) == 4
    scene.window.resize(1200, 800)
    scene.until(lambda: not scene.parts.window.frame.is_narrow)
    scene.click_row("二つ目")
    scene.until(lambda: page.header.title.text() == "二つ目　窓口")


@pytest.mark.parametrize("is_clicked", [True, False])
def test_in_a_narrow_window_the_list_makes_room_for_what_is_picked_in_it(scene: Scene, *, is_clicked: bool) -> None:
    for name in ("一", "二", "三"):
        scene.set(name)
    page = scene.narrow()
    here = page.list.currentIndex().row()
    for _ in range(2):
        scene.press(Qt.Key.Key_Down, at=page.list)
    assert page.list.isVisible()
    assert page.list.currentIndex().row() == here + 2
    chosen = page.list.currentIndex().data()
    page.refresh()
    scene.until_read()
    assert page.list.currentIndex().data() == chosen
    if is_clicked:
        scene.click_row(chosen)
    else:
        scene.press(Qt.Key.Key_Return, at=page.list)
    assert page.contents.key == ("set", chosen)
    assert not page.list.isVisible()
    assert page.isAncestorOf(scene.window.focusWidget())


def test_a_set_gets_another_name_from_the_list(scene: Scene) -> None:
    """Also where the narrow window shows the list alone."""
    scene.set("窓口")
    page = scene.narrow()
    scene.choose("窓口")
    scene.press(Qt.Key.Key_F2, at=page.list)
    scene.until(lambda: page.contents.set_view().dialog is not None)
    dialog = page.contents.set_view().dialog
    assert isinstance(dialog, RenameDialog)
    assert dialog.name.text() == "窓口"
    dialog.name.setText("夜間窓口")
    dialog.accept()
    scene.until(lambda: ("夜間窓口", "2 問　社外秘") in scene.listed())
    scene.until(lambda: page.contents.key == ("set", "夜間窓口"))


def test_a_study_made_elsewhere_is_there_when_the_page_is_shown_again(scene: Scene) -> None:
    asked = scene.set()
    page = scene.open_page()
    scene.call("Ctrl+1")
    scene.study("端末から", asked)
    scene.call("Ctrl+5")
    scene.until(lambda: "端末から" in [name for name, _ in scene.listed()])
    assert page.contents.key == ("set", "窓口")  # what was looked at stays


def _answered(scene: Scene) -> int:
    """Of the step that goes on."""
    progress = scene.evaluations.progress
    return progress.done if progress is not None and progress.total else 0


def _drop(page: EvaluationPage, file: Path) -> bool:
    """Whether it was taken."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file))])
    place, copies = QPoint(300, 300), Qt.DropAction.CopyAction
    buttons, keys = Qt.MouseButton.LeftButton, NO_MODIFIER
    entering = QDragEnterEvent(place, copies, mime, buttons, keys)
    entering.ignore()
    QApplication.sendEvent(page, entering)
    if entering.isAccepted():
        QApplication.sendEvent(page, QDropEvent(QPointF(place), copies, mime, buttons, keys))
    return entering.isAccepted()
