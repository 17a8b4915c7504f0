"""The page 評価 in the real window: its list, studies by the fake engine as real children, and what comes of them."""

import dataclasses
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QThreadPool, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.errors import AppError
from app.base.paths import Paths
from app.chat.presets import Choices
from app.chat.store import Store
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.evaluation import question_sets
from app.evaluation.records import Question, QuestionSet
from app.evaluation.study import compared_systems, studies
from app.evaluation.study.studies import Study
from app.evaluation.ui import study_texts
from app.evaluation.ui.page import EvaluationPage
from app.evaluation.ui.result.result_view import _is_alone
from app.evaluation.ui.start.study_dialog import StudyDialog
from app.inference.local_model import FileFingerprint, LocalModel
from app.models import catalogue
from app.shell.ui.background_work import CloseGuard
from app.training.services.training_run import Trainer
from app.uikit import clipboard_guard
from app.uikit.widgets.list_rows import DescriptionRole, EntryRole

SLOW = "!slow " + "とても長い答え" * 4
CSV = "質問,模範解答\n窓口は何時までですか。,17 時までです。\n駐車場はありますか。,あります。\n"


class Scene:
    """The window, with one model in its list."""

    def __init__(self, parts: AppContext, where: Paths, model: LocalModel, qtbot: QtBot) -> None:
        self.parts, self.where, self.model, self.qtbot = parts, where, model, qtbot

    @property
    def page(self) -> EvaluationPage:
        page = self.parts.window.page("evaluation")
        assert isinstance(page, EvaluationPage)
        return page

    def open(self) -> EvaluationPage:
        self.press("Ctrl+5")
        self.settle()
        return self.page

    def press(self, keys: str) -> None:
        found = [one for one in self.parts.window.findChildren(QShortcut) if one.key() == QKeySequence(keys)]
        assert len(found) == 1
        found[0].activated.emit()

    def settle(self) -> None:
        """The list has been read."""
        self.qtbot.waitUntil(lambda: not self.page._is_reading)

    def set(self, name: str = "窓口", *texts: str) -> QuestionSet:
        asked = tuple(
            Question(f"q{number}", text, must_include=("17 時",))
            for number, text in enumerate(texts or ("17 時までですか。", "駐車場はありますか。"), start=1)
        )
        return question_sets.store(self.where.questions, name, asked)

    def study(self, name: str, asked: QuestionSet, systems: int = 2, scope: tuple[CollectionRef, ...] = ()) -> Path:
        """Written, and not begun."""
        documents = compared_systems.DocumentScope(scope) if scope else None
        contenders = compared_systems.assign_ids(
            compared_systems.compared_system(self.model, None, documents) for _ in range(systems)
        )
        id = f"20261126-00000{len(studies.list_all(self.where.evaluations))}"
        one = Study(
            id, name, "questions", asked.name, asked.version, asked.sha256, asked.label, contenders, (0,),
            Choices(temperature=0.0, max_tokens=200), 2048,
        )  # fmt: skip
        studies.create(self.where.evaluations / id, one, asked)
        return self.where.evaluations / id

    def finished(self, name: str, asked: QuestionSet, scope: tuple[CollectionRef, ...] = ()) -> Path:
        folder = self.study(name, asked, scope=scope)
        with self.qtbot.waitSignal(self.parts.evaluations.ended, timeout=30_000):
            self.parts.evaluations.start(folder)
        assert self.parts.evaluations.outcome == "finished"
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

    def until(self, is_so: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(is_so()), timeout=30_000)

    def until_shown(self, kind: str) -> None:
        """`kind`: SetView | StudyView | ResultView | Nothing."""
        self.until(lambda: type(self.shown()).__name__ == kind)

    def click(self, button: QAbstractButton) -> None:
        assert button.isVisible()
        assert button.isEnabled()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def add_model(self, path: Path) -> None:
        shutil.copy(self.model.path, path)
        self.parts.store.put_local_model(dataclasses.replace(self.model, id="other", name="もう 1 つ", path=str(path)))
        self.parts.library.refresh()

    def wish_for_models(self) -> StudyDialog:
        """The dialog, in which all models are chosen."""
        self.until(lambda: self.page.start_action.dialog is not None)
        dialog = self.page.start_action.dialog
        assert dialog is not None
        self.until(lambda: dialog._splits is not None)
        self.click(dialog.kinds.answers["models"].radio)
        for row in dialog.models.models.rows.values():
            row.box.setChecked(True)
        self.until(lambda: dialog.forecasting.found is not None)
        return dialog

    def click_row(self, name: str, keys: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
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
    page = scene.open()
    assert scene.parts.window.current_page == "evaluation"
    nothing = page.contents.nothing
    assert nothing.isVisible()
    assert nothing.button.hasFocus()
    assert not page._side.isVisible()
    scene.click(nothing.button)
    menu = next(menu for menu in page.findChildren(QMenu) if menu.isVisible())
    words = ["ファイルから取り込む…", "自分で書く…", "会話の評価（良い・悪い）から作る…"]
    assert [action.text() for action in menu.actions()] == words
    menu.close()


def test_a_file_that_is_dropped_becomes_a_set_and_is_shown(scene: Scene, tmp_path: Path) -> None:
    page = scene.open()
    file = tmp_path / "窓口.csv"
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
    page = scene.open()
    scene.until_shown("SetView")
    scene.until(lambda: page.contents._set_view().work.shown is not None)
    assert clipboard_guard.label_at(scene.shown()) == "internal"
    shutil.rmtree(scene.where.questions)  # no selection reads the set again
    assert clipboard_guard.label_at(scene.shown()) == page.label_now() == "internal"
    library.set_label(collection, "secret")
    assert clipboard_guard.label_at(scene.shown()) == "secret"
    assert page.label_now() == "secret"


def test_a_file_of_another_kind_is_not_taken(scene: Scene, tmp_path: Path) -> None:
    page = scene.open()
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    assert not _drop(page, tmp_path / "a.pdf")
    assert page.adding.dialog is None


def test_a_study_goes_from_the_dialog_to_its_result(scene: Scene, tmp_path: Path) -> None:
    scene.add_model(tmp_path / "other.gguf")
    asked = scene.set()
    page = scene.open()
    scene.until_shown("SetView")
    scene.until(lambda: page.contents._set_view().evaluate_button.isEnabled())
    scene.click(page.contents._set_view().evaluate_button)
    dialog = scene.wish_for_models()
    scene.click(dialog.start_button)
    assert dialog.progress.isVisible()
    scene.until(lambda: scene.parts.evaluations.outcome == "finished")
    scene.until_shown("EvaluationResultView")
    assert page.start_action.dialog is None
    heading, (name, said) = scene.listed()[-2:]
    assert heading == ("結果", None)
    assert said is not None
    assert said.endswith("2 構成")
    assert page._header.title.text() == f"{name}　{asked.name}"


def test_a_study_is_stopped_and_gone_on_with_where_it_was(scene: Scene) -> None:
    folder = scene.study("試し", scene.set("窓口", "17 時までですか。", SLOW), systems=1)
    page = scene.open()
    scene.until_shown("StudyView")
    assert scene.said("試し") == "続けられます"
    view = page.contents._study_view()
    scene.click(view.go_on_button)
    scene.until(lambda: (part := _part(scene)) is not None and part.done == 1)
    assert scene.said("試し") == "1／1　回答中"
    assert scene.parts.window.status_line.model.text() == "評価中：質問用のモデルは休止中"
    assert not scene.parts.window.status_line.state.isVisible()
    scene.click(view.pause_button)
    scene.until(lambda: scene.parts.evaluations.outcome == "stopped")
    scene.settle()
    assert scene.said("試し") == "続けられます"
    assert list((folder / studies.ANSWERS).iterdir()) != []
    scene.click(view.go_on_button)
    scene.until(lambda: scene.parts.evaluations.outcome == "finished")
    scene.until_shown("EvaluationResultView")


def test_the_window_that_closes_stops_the_study_and_keeps_what_it_has(scene: Scene) -> None:
    folder = scene.study("試し", scene.set("窓口", "17 時までですか。", SLOW), systems=1)
    scene.open()
    scene.parts.evaluations.start(folder)
    scene.until(lambda: (part := _part(scene)) is not None and part.done == 1)
    assert scene.parts.evaluations.close()
    assert scene.parts.evaluations.outcome == "stopped"
    assert studies.find(scene.where.evaluations, folder.name).state == "waiting"
    scene.parts.evaluations.start(folder)
    scene.until(lambda: (part := _part(scene)) is not None and part.done >= 1)  # the first is not asked again


def test_a_session_that_ends_stops_the_study(scene: Scene) -> None:
    folder = scene.study("試し", scene.set("窓口", SLOW), systems=1)
    scene.parts.evaluations.start(folder)
    closing = scene.parts.window.findChild(CloseGuard)
    assert closing is not None
    closing.pause()
    scene.until(lambda: scene.parts.evaluations.outcome == "stopped")


def test_a_training_leads_to_this_page(scene: Scene) -> None:
    """What the step 結果 asks for, as its own tests show."""
    scene.press("Ctrl+4")
    scene.parts.navigation.page_requested.emit("evaluation")
    assert scene.parts.window.current_page == "evaluation"


def test_nothing_is_begun_beside_a_study_that_goes_on(scene: Scene) -> None:
    folder = scene.study("試し", scene.set("窓口", SLOW), systems=1)
    page = scene.open()
    scene.parts.evaluations.start(folder)
    page.start_action.ask("窓口")
    assert page.start_action.dialog is None
    assert page.banner.isVisible()
    assert page.banner.accessibleName().startswith("ほかの評価が進んでいます。")


def test_why_a_study_cannot_go_on_stays_in_sight(scene: Scene) -> None:
    """Also when the list is read again, which shows it."""
    folder = scene.study("試し", scene.set(), systems=1)
    page = scene.open()
    scene.parts.engine.refusal = AppError("training_has_memory")
    page.start_action.start(folder)
    page.open(("study", folder.name))
    scene.settle()
    assert page.banner.isVisible()
    assert page.banner.accessibleName().startswith("学習")
    scene.choose("窓口")
    assert not page.banner.isVisible()
    scene.parts.engine.refusal = None


def test_what_is_removed_comes_back(scene: Scene) -> None:
    scene.set("窓口")
    scene.study("試し", scene.set("夜間窓口"))
    page = scene.open()
    for name in ("試し", "窓口"):
        scene.choose(name)
        scene.settle()
        QTest.keyClick(page.list, Qt.Key.Key_Delete)
        scene.until(lambda name=name: name not in [shown for shown, _ in scene.listed()])
        assert page.contents.is_empty
        scene.press("Ctrl+Z")
        scene.until(lambda name=name: name in [shown for shown, _ in scene.listed()])
        scene.until(lambda: not page.contents.is_empty)
        assert page.list.currentIndex().data() == name


def test_a_study_that_goes_on_is_not_removed(scene: Scene) -> None:
    folder = scene.study("試し", scene.set("窓口", SLOW), systems=1)
    page = scene.open()
    scene.parts.evaluations.start(folder)
    scene.choose("試し")
    QTest.keyClick(page.list, Qt.Key.Key_Delete)
    scene.settle()
    assert page.banner.accessibleName().startswith("評価「試し」は進行中です。")
    assert "一時停止してから削除してください。" in page.banner.accessibleName()
    assert folder.is_dir()
    scene.until_shown("StudyView")
    scene.parts.evaluations.stop()
    scene.until(lambda: not scene.parts.evaluations.is_running)
    assert not page.banner.isVisible()


def test_a_study_that_another_window_carries_out_is_called_by_its_name_and_stays_in_sight(scene: Scene) -> None:
    folder = scene.study("試し", scene.set())
    page = scene.open()
    scene.choose("試し")
    lock = studies.lock(folder)
    QTest.keyClick(page.list, Qt.Key.Key_Delete)
    scene.settle()
    assert page.banner.accessibleName().startswith("評価「試し」は、ほかの Kotae が進めています。")
    scene.until_shown("StudyView")
    lock.release()


def test_what_went_wrong_is_gone_from_sight_with_the_next_deed(scene: Scene) -> None:
    scene.set("窓口")
    scene.set("夜間窓口")
    page = scene.open()
    page.say(AppError("study_busy"))
    scene.choose("窓口")
    scene.settle()
    page.say(AppError("study_busy"))
    assert page.banner.isVisible()
    QTest.keyClick(page.list, Qt.Key.Key_Delete)
    assert not page.banner.isVisible()
    page.say(AppError("study_busy"))
    scene.press("Ctrl+Z")
    scene.until(lambda: not page.contents.is_empty)
    assert not page.banner.isVisible()


def test_a_set_is_removed_by_its_own_menu_and_the_page_leads_to_the_list(scene: Scene) -> None:
    scene.set("窓口")
    scene.set("夜間窓口")
    page = scene.open()
    scene.choose("窓口")
    scene.settle()
    view = page.contents._set_view()
    scene.until(view.menu_button.isEnabled)
    menu = view.menu()
    next(action for action in menu.actions() if action.text() == "この質問集を削除").trigger()
    menu.close()
    scene.until(lambda: [name for name, _ in scene.listed()] == ["質問集", "夜間窓口"])
    assert page.contents.is_empty
    assert page.contents.nothing.message.text() == "左の一覧から選んでください。"
    assert not page.contents.nothing.button.isVisible()


def test_a_damaged_study_says_so_in_words(scene: Scene) -> None:
    folder = scene.study("試し", scene.set())
    (folder / studies.STUDY).write_text("{", "utf-8")
    page = scene.open()
    scene.choose(folder.name)
    assert scene.said(folder.name) == "読めません"
    assert page.banner.isVisible()
    assert "読めません" in page.banner.accessibleName()
    assert "kotae" not in page.banner.accessibleName()


@pytest.mark.parametrize("file", [studies.STUDY, studies.RESULTS])
def test_the_list_keeps_its_place_at_what_is_damaged(scene: Scene, file: str) -> None:
    asked = scene.set()
    scene.study("古い", asked)
    damaged = scene.finished("壊れた", asked)
    scene.study("新しい", asked)
    (damaged / file).write_text("{", "utf-8")
    page = scene.open()
    scene.until_shown("StudyView")
    QTest.keyClick(page.list, Qt.Key.Key_Down)
    scene.until(page.banner.isVisible)
    row = page.entries.index_of(("study", damaged.name)).row()
    assert page.list.currentIndex().row() == row
    page._show_menu(page.mapToGlobal(QPoint(10, 10)))
    menus = [menu for menu in page.findChildren(QMenu) if menu.isVisible()]
    assert [one.text() for menu in menus for one in menu.actions() if one.text()] == ["フォルダを開く", "削除"]
    menus[0].close()
    QTest.keyClick(page.list, Qt.Key.Key_Down)
    assert page.list.currentIndex().data() == "古い"


def test_a_study_that_ends_in_a_terminal_opens_its_result(scene: Scene) -> None:
    folder = scene.finished("試し", scene.set())
    lock = studies.lock(folder)
    scene.open()
    scene.until_shown("StudyView")
    scene.until(lambda: scene.page.contents._study_view()._standing is not None)
    lock.release()
    scene.until_shown("EvaluationResultView")
    scene.settle()
    assert "実行中" not in scene.said("試し")


def test_a_comparison_that_nobody_waits_for_takes_nothing_from_a_result(scene: Scene) -> None:
    asked = scene.set()
    scene.finished("一つ目", asked)
    scene.finished("二つ目", asked)
    page = scene.open()
    scene.until_shown("EvaluationResultView")
    page.contents.compare(list(page._listed.studies))
    scene.choose(asked.name)
    QThreadPool.globalInstance().waitForDone()
    QApplication.processEvents()
    assert not page.contents._result_view().tabs.buttons["blind"].isHidden()


def test_what_was_to_be_shown_gives_way_to_what_somebody_chooses(scene: Scene) -> None:
    asked = scene.set("窓口")
    scene.set("夜間窓口")
    page = scene.open()
    page.open(("study", "20261126-000000"))
    scene.settle()
    scene.choose("窓口")
    scene.study("試し", asked)
    page.refresh()
    scene.settle()
    assert "試し" in [name for name, _ in scene.listed()]
    assert page.contents.key == ("set", "窓口")


def test_a_study_that_is_being_made_can_be_cancelled_and_leaves_nothing(scene: Scene, tmp_path: Path) -> None:
    scene.add_model(tmp_path / "other.gguf")
    scene.set()
    page = scene.open()
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


def test_a_study_of_another_year_says_which(scene: Scene) -> None:
    folder = scene.study("試し", scene.set())
    one = dataclasses.replace(studies.find(scene.where.evaluations, folder.name))
    assert one.study is not None
    old = dataclasses.replace(one, study=dataclasses.replace(one.study, created_at=1_600_000_000.0))
    assert study_texts.study_summary(old).startswith("2020年9月13日")


def test_what_was_compared_is_used_for_questions(scene: Scene) -> None:
    library = Library.open(scene.where.documents)
    number = library.add_collection("手引き")
    library.close()
    with scene.qtbot.waitSignal(scene.parts.documents.opened):
        scene.parts.documents.open()
    scene.finished("試し", scene.set(), (CollectionRef(number, "手引き"),))
    page = scene.open()
    scene.until_shown("EvaluationResultView")
    system = page.contents.entry.study.contenders[0].system  # type: ignore[union-attr]
    scene.parts.preferences.change(model_id="")
    page.contents._result_view().overview.advice.use_requested.emit(system)
    assert scene.parts.window.current_page == "evaluation"
    assert "質問では回答を書かずに、資料の抜粋を表示します" in page.banner.accessibleName()
    page.contents._result_view().overview.advice.use_requested.emit(dataclasses.replace(system, is_quoted=True))
    assert scene.parts.window.current_page == "ask"
    session = scene.parts.session
    assert session.conversation is None
    assert [ref.name for ref in session.scope] == ["手引き"]
    assert session.model_id == scene.model.id


def test_the_model_that_was_used_before_can_be_used_again(scene: Scene, tmp_path: Path) -> None:
    scene.add_model(tmp_path / "other.gguf")
    scene.finished("試し", scene.set())
    page = scene.open()
    scene.until_shown("EvaluationResultView")
    system = page.contents.entry.study.contenders[0].system  # type: ignore[union-attr]
    scene.parts.session.use_model("other")
    offered: list[str] = []
    page._navigation.undo_offered.connect(lambda said, _undo: offered.append(said))
    page.contents._result_view().overview.advice.use_requested.emit(system)
    assert offered == [f"「{scene.model.name}」に切り替えました。"]
    assert scene.parts.session.model_id == scene.model.id
    scene.press("Ctrl+Z")
    assert scene.parts.session.model_id == "other"


def test_what_is_not_there_any_more_is_not_used(scene: Scene) -> None:
    scene.finished("試し", scene.set())
    page = scene.open()
    scene.until_shown("EvaluationResultView")
    system = page.contents.entry.study.contenders[0].system  # type: ignore[union-attr]
    missing = dataclasses.replace(system, collections=("手引き",), is_quoted=True)
    page.contents._result_view().overview.advice.use_requested.emit(missing)
    assert scene.parts.window.current_page == "evaluation"
    assert "手引き" in page.banner.accessibleName()


def test_the_trial_model_is_used_where_the_page_ask_answers_in_the_same_way(scene: Scene) -> None:
    """Its card gives it an adapter, with which it always answers there; quotes of documents need none."""
    (card,) = [card for card in catalogue.load().cards if card.is_trial]
    marks = (FileFingerprint(Path(scene.model.path).name, 1, 0, card.files[0].sha256 or ""),)
    trial = dataclasses.replace(scene.model, card_id=card.id, form_id=card.form, files=marks)
    scene.parts.store.put_local_model(trial)
    scene.parts.library.refresh()
    scene.finished("試し", scene.set())
    page = scene.open()
    scene.until_shown("EvaluationResultView")
    system = page.contents.entry.study.contenders[0].system  # type: ignore[union-attr]
    page.contents._result_view().overview.advice.use_requested.emit(system)
    assert scene.parts.window.current_page == "evaluation"
    assert "いつも付属のアダプターを使って答えます" in page.banner.accessibleName()
    assert "一覧にありません" not in page.banner.accessibleName()
    page.contents._result_view().overview.advice.use_requested.emit(dataclasses.replace(system, is_quoted=True))
    assert scene.parts.window.current_page == "ask"
    assert scene.parts.session.model_id == trial.id


def test_several_results_stand_in_one_table(scene: Scene) -> None:
    asked = scene.set()
    scene.finished("一つ目", asked)
    scene.finished("二つ目", asked)
    page = scene.open()
    scene.until_shown("EvaluationResultView")
    page.list.selectAll()
    model = page.list.selectionModel()
    model.select(page.entries.index_of(("set", asked.name)), model.SelectionFlag.Deselect)
    page._show_menu(page.mapToGlobal(QPoint(10, 10)))
    scene.choose_in_menu("並べて比べる")
    scene.until(lambda: page._header.title.text() == "2 件の結果")
    view = page.contents._result_view()
    scene.until(lambda: view.shown is not None)
    names = [one.system.name for one in view._result[1].systems]  # type: ignore[index]
    assert len(names) == len(set(names)) == 4
    folder, together, _ = view._result  # type: ignore[misc]
    assert not _is_alone(together, folder)  # votes of the first are exported with that one only
    here = page.list.visualRect(page.list.currentIndex()).center()
    QTest.mouseClick(page.list.viewport(), Qt.MouseButton.LeftButton, pos=here)
    scene.until(lambda: page._header.title.text() == "二つ目　窓口")
    assert _is_alone(view._result[1], view._result[0])  # type: ignore[index]


def test_a_narrow_page_shows_the_list_alone_and_leads_back_to_it(scene: Scene) -> None:
    scene.set()
    page = scene.open()
    scene.parts.window.resize(620, 500)
    scene.until(lambda: page.list_button.isVisible())
    assert not page._side.isVisible()
    scene.click(page.list_button)
    assert page._side.isVisible()
    assert not page.contents.isVisible()
    assert page._side.width() == page.width()
    scene.click_row("窓口")
    assert page.contents.isVisible()
    assert not page._side.isVisible()


def test_on_a_narrow_page_the_arrows_walk_the_list_and_enter_opens(scene: Scene) -> None:
    for name in ("一", "二", "三"):
        scene.set(name)
    page = scene.open()
    scene.parts.window.resize(620, 500)
    scene.until(lambda: page.list_button.isVisible())
    scene.click(page.list_button)
    here = page.list.currentIndex().row()
    for _ in range(2):
        QTest.keyClick(page.list, Qt.Key.Key_Down)
    assert page._side.isVisible()
    assert page.list.currentIndex().row() == here + 2
    chosen = page.list.currentIndex().data()
    page.refresh()
    scene.settle()
    assert page.list.currentIndex().data() == chosen
    QTest.keyClick(page.list, Qt.Key.Key_Return)
    assert page.contents.key == ("set", chosen)
    assert not page._side.isVisible()


def test_on_a_narrow_page_several_results_can_be_chosen(scene: Scene) -> None:
    asked = scene.set()
    scene.finished("一つ目", asked)
    scene.finished("二つ目", asked)
    page = scene.open()
    scene.until_shown("EvaluationResultView")
    scene.parts.window.resize(620, 500)
    scene.until(lambda: page.list_button.isVisible())
    scene.click(page.list_button)
    page.list.clearSelection()
    for name in ("一つ目", "二つ目"):
        scene.click_row(name, Qt.KeyboardModifier.ControlModifier)
    assert page._side.isVisible()
    page._show_menu(page.mapToGlobal(QPoint(10, 10)))
    scene.choose_in_menu("並べて比べる")
    scene.until(lambda: page._header.title.text() == "2 件の結果")


def test_on_a_narrow_page_f2_in_the_list_asks_for_another_name(scene: Scene) -> None:
    scene.set("窓口")
    page = scene.open()
    scene.parts.window.resize(620, 500)
    scene.until(lambda: page.list_button.isVisible())
    scene.click(page.list_button)
    scene.choose("窓口")
    QTest.keyClick(page.list, Qt.Key.Key_F2)
    scene.until(lambda: page.contents._set_view().dialog is not None)
    dialog = page.contents._set_view().dialog
    assert dialog.name.text() == "窓口"  # type: ignore[union-attr]
    dialog.reject()  # type: ignore[union-attr]


def test_a_set_gets_another_name_from_the_list(scene: Scene) -> None:
    scene.set("窓口")
    page = scene.open()
    scene.until_shown("SetView")
    scene.until(lambda: page.contents._set_view().work.shown is not None)
    QTest.keyClick(page.list, Qt.Key.Key_F2)
    scene.until(lambda: page.contents._set_view().dialog is not None)
    dialog = page.contents._set_view().dialog
    dialog.name.setText("夜間窓口")  # type: ignore[union-attr]
    dialog.accept()
    scene.until(lambda: ("夜間窓口", "2 問　社外秘") in scene.listed())
    scene.until(lambda: page.contents.key == ("set", "夜間窓口"))


def test_a_study_made_elsewhere_is_there_when_the_page_is_shown_again(scene: Scene) -> None:
    asked = scene.set()
    page = scene.open()
    scene.press("Ctrl+1")
    scene.study("端末から", asked)
    scene.press("Ctrl+5")
    scene.until(lambda: "端末から" in [name for name, _ in scene.listed()])
    assert page.contents.key == ("set", "窓口")  # what was looked at stays


def _part(scene: Scene):  # type: ignore[no-untyped-def]
    progress = scene.parts.evaluations.progress
    return progress if progress is not None and progress.total else None


def _drop(page: EvaluationPage, file: Path) -> bool:
    """Whether it was taken."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(file))])
    place, copies = QPoint(300, 300), Qt.DropAction.CopyAction
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    entering = QDragEnterEvent(place, copies, mime, buttons, keys)
    entering.ignore()
    page.dragEnterEvent(entering)
    if entering.isAccepted():
        page.dropEvent(QDropEvent(QPointF(place), copies, mime, buttons, keys))
    return entering.isAccepted()
