"""A question set as it is looked at and changed: each change is a version that can be taken back."""

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from openpyxl import load_workbook
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog
from pytestqt.qtbot import QtBot

from app.base import wording
from app.base.errors import AppError
from app.base.settings import Settings
from app.evaluation import question_files, question_sets
from app.evaluation.records import Gold, Question
from app.evaluation.ui.sets import question_set_texts
from app.evaluation.ui.sets.question_dialog import QuestionDialog
from app.evaluation.ui.sets.question_set_name import RenameDialog
from app.evaluation.ui.sets.question_set_table import ANSWERABLE, CATEGORY, REFERENCE
from app.uikit import desktop
from app.uikit.desktop import Pickers
from app.uikit.input_method import guard_of
from app.uikit.theme import Theme
from tests.evaluation.ui.question_set_desk import NAME, QUESTIONS, Desk
from tests.uikit.ui import accessible
from tests.uikit.ui.clipping import clipped

Open = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path, theme: Theme, qtbot: QtBot) -> Open:
    def open_(*questions: Question, **given: object) -> Desk:
        size = {key: given.pop(key) for key in ("width", "height") if key in given}
        desk = Desk(tmp_path / "sets", theme, qtbot, **size)  # type: ignore[arg-type]
        desk.store(*questions, **given)
        desk.show()
        return desk

    return open_


@pytest.fixture
def desk(open_desk: Open) -> Desk:
    return open_desk()


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., threading.Event]]:
    """Lets a function begin its work only after the event is set."""
    is_free = threading.Event()

    def wait_for(module: ModuleType, name: str) -> threading.Event:
        now = getattr(module, name)

        def work(*args: object, **named: object) -> object:
            is_free.wait(30)
            return now(*args, **named)

        monkeypatch.setattr(module, name, work)
        return is_free

    yield wait_for
    is_free.set()


def dialog_of(desk: Desk) -> QuestionDialog:
    dialog = desk.view.dialog
    assert isinstance(dialog, QuestionDialog)
    return dialog


# ---------------------------------------------------------------------------------------------------------- looking


def test_the_head_says_how_many_questions_which_version_and_what_is_known(open_desk: Open) -> None:
    desk = open_desk(label="secret", source="窓口.xlsx")
    head = desk.view.head
    assert head.title.text() == NAME
    assert head.facts.text().startswith("3 問　機密　版 1（")
    assert head.facts.text().endswith("、窓口.xlsx）")
    assert head.known.text() == "模範解答 2、必ず含む語 1、根拠 1、資料にない問い 1"
    assert (head.not_scored.isVisible(), head.versions.isVisible()) == (False, False)


def test_questions_that_no_rule_can_score_are_counted(open_desk: Open) -> None:
    desk = open_desk(Question("", "何階ですか。"), Question("", "どこですか。", "東"))
    assert desk.view.head.not_scored.text() == "▲ 1 問は、模範解答も必ず含む語もないため、規則では採点できません。"


def test_the_table_has_question_answer_field_and_whether_the_documents_have_it(desk: Desk) -> None:
    model = desk.view.questions
    assert desk.shown() == [one.text for one in QUESTIONS]
    assert [model.index(0, column).data() for column in (REFERENCE, CATEGORY, ANSWERABLE)] == [
        "3 階です。",
        "施設",
        "ある",
    ]
    assert model.index(2, ANSWERABLE).data() == "ない"
    spoken = model.index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "会議室は何階にありますか。　3 階です。　施設　ある"


def test_a_search_finds_letters_of_any_width_in_questions_and_answers(open_desk: Open) -> None:
    many = [Question(f"q{n}", f"{n} 番の窓口はどこですか。", f"{n} 階の東側です。") for n in range(1, 21)]
    desk = open_desk(*many, Question("x", "ＡＥＤ はどこですか。", "玄関"))
    desk.qtbot.keyClicks(desk.view.search, "aed")
    assert desk.shown() == ["ＡＥＤ はどこですか。"]
    desk.view.search.setText("12 階")
    assert desk.shown() == ["12 番の窓口はどこですか。"]
    desk.view.search.setText("ない語")
    assert desk.view.nothing.text() == "「ない語」を含む問いはありません。"
    assert (desk.view.nothing.isVisible(), desk.view.table.isVisible()) == (True, False)
    assert not desk.view.edit_button.isEnabled()
    desk.view.search.clear()
    assert len(desk.shown()) == 21


def test_five_thousand_questions_are_shown(open_desk: Open) -> None:
    desk = open_desk(*(Question(f"q{n}", f"{n} 番の窓口はどこですか。", "東") for n in range(5000)))
    assert desk.view.head.facts.text().startswith("5,000 問")
    table = desk.view.table
    table.setFocus()
    desk.qtbot.keyClick(table, Qt.Key.Key_End)
    assert (table.currentIndex().row(), table.current and table.current.text) == (4999, "4999 番の窓口はどこですか。")
    assert table.visualRect(table.currentIndex()).intersects(table.viewport().rect())
    assert len(table.findChildren(type(desk.view))) == 0  # rows are painted, not built


def test_evaluating_asks_for_the_set_that_is_shown(desk: Desk) -> None:
    asked: list[str] = []
    desk.view.evaluate_requested.connect(asked.append)
    desk.view.evaluate_button.click()
    assert asked == [NAME]


# ---------------------------------------------------------------------------------------------------------- changing


def test_a_written_question_is_added_chosen_and_can_be_taken_back(desk: Desk) -> None:
    desk.view.add_button.click()
    dialog = dialog_of(desk)
    dialog.text.insertPlainText("トイレはどこですか。")
    dialog.reference.setPlainText("各階の東側です。")
    dialog.must_include.setPlainText("東|東側\n\n 各階 ")
    desk.qtbot.keyClick(dialog.text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    desk.settle()
    added = question_sets.find(desk.folder, NAME).questions[-1]
    assert (added.text, added.reference, added.origin) == ("トイレはどこですか。", "各階の東側です。", "written")
    assert added.must_include == ("東|東側", "各階")
    assert (desk.version(), desk.view.table.current) == (2, added)
    ((said, undo),) = desk.undone
    assert said == "「トイレはどこですか。」を追加しました。"
    undo()
    desk.settle()
    assert desk.shown() == desk.texts() == [one.text for one in QUESTIONS]
    assert desk.version() == 3
    assert len(desk.undone) == 1  # taking back is no deed of its own


def test_an_edited_question_keeps_its_id_and_what_is_not_shown(desk: Desk) -> None:
    desk.view.table.choose_row(1)
    desk.qtbot.keyClick(desk.view.table, Qt.Key.Key_Return)
    dialog = dialog_of(desk)
    (row,) = dialog.golds.rows
    assert (row.quote.toPlainText(), row.document.text(), row.page.text()) == ("鍵は守衛室で渡す。", "規則.pdf", "4")
    dialog.category.setText("鍵")
    row.page.setText("１２")
    dialog.save_button.click()
    desk.settle()
    place = Gold("鍵は守衛室で渡す。", "規則.pdf", ("2 章",), 12)
    edited = dataclasses.replace(QUESTIONS[1], category="鍵", gold=(place,))
    assert question_sets.find(desk.folder, NAME).questions == (QUESTIONS[0], edited, QUESTIONS[2])
    assert desk.view.table.current == edited
    desk.undone[0][1]()
    desk.settle()
    assert question_sets.find(desk.folder, NAME).questions == QUESTIONS


def test_saving_without_a_change_makes_no_version_and_nothing_to_take_back(desk: Desk) -> None:
    desk.view.edit_button.click()
    dialog_of(desk).save_button.click()
    desk.settle()
    assert (desk.version(), desk.undone, desk.failed) == (1, [], [])


def test_delete_takes_out_the_chosen_questions_and_undo_brings_them_back(desk: Desk) -> None:
    desk.view.table.selectRow(0)
    desk.view.table.selectionModel().select(
        desk.view.questions.index(2, 0),
        desk.view.table.selectionModel().SelectionFlag.Select | desk.view.table.selectionModel().SelectionFlag.Rows,
    )
    desk.qtbot.keyClick(desk.view.table, Qt.Key.Key_Delete)
    desk.settle()
    assert (desk.texts(), desk.shown()) == ([QUESTIONS[1].text], [QUESTIONS[1].text])
    said, undo = desk.undone[0]
    assert said == "2 問を削除しました。"
    assert desk.view.table.current == QUESTIONS[1]
    undo()
    desk.settle()
    assert question_sets.find(desk.folder, NAME).questions == QUESTIONS
    assert desk.shown() == [one.text for one in QUESTIONS]


def test_deeds_are_taken_back_one_after_the_other(desk: Desk) -> None:
    for _ in range(2):
        desk.view.table.choose_row(0)
        desk.view.remove_button.click()
        desk.settle()
    assert desk.texts() == [QUESTIONS[2].text]
    for _, undo in reversed(desk.undone):
        undo()
        desk.settle()
    assert (question_sets.find(desk.folder, NAME).questions, desk.failed) == (QUESTIONS, [])


def test_the_last_question_stays_and_why_is_said(open_desk: Open) -> None:
    desk = open_desk(QUESTIONS[0])
    desk.qtbot.keyClick(desk.view.table, Qt.Key.Key_Delete)
    desk.settle()
    assert (desk.version(), desk.undone) == (1, [])
    assert "すべての問いは削除できません。" in desk.view.banner.accessibleName()
    assert desk.view.banner.isVisible()


def test_undo_does_not_throw_away_what_somebody_else_has_stored_since(desk: Desk) -> None:
    desk.view.remove_button.click()
    desk.settle()
    desk.store(Question("", "別の版の問いですか。"))
    desk.undone[0][1]()
    desk.settle()
    assert [error.code for error in desk.failed] == ["question_set_outdated"]
    assert desk.texts() == ["別の版の問いですか。"]


def test_a_change_to_an_older_version_is_refused_and_the_newest_one_is_shown(desk: Desk) -> None:
    desk.store(Question("", "別の版の問いですか。"))
    desk.view.remove_button.click()
    desk.settle()
    assert [error.code for error in desk.failed] == ["question_set_outdated"]
    assert desk.shown() == ["別の版の問いですか。"]
    assert desk.view.remove_button.isEnabled()


# ------------------------------------------------------------------------------------------------------- the dialog


def test_what_is_missing_is_said_at_its_field_and_nothing_is_stored(desk: Desk) -> None:
    desk.view.add_button.click()
    dialog = dialog_of(desk)
    dialog.golds.rows[0].document.setText("規則.pdf")
    dialog.save_button.click()
    assert dialog.text_field.problem.text() == "× 問いを書いてください。"
    assert dialog.golds.rows[0].problem.text() == "× 引用を書くか、この根拠を除いてください。"
    assert dialog.problem.isVisible()
    assert dialog.focusWidget() is dialog.text
    dialog.text.setPlainText("12345")
    assert not dialog.text_field.problem.isVisible()
    dialog.golds.rows[0].quote.setPlainText("鍵は守衛室で渡す。")
    dialog.golds.rows[0].page.setText("四")
    dialog.save_button.click()
    assert dialog.text_field.problem.text().startswith("× 数字や記号だけでは")
    assert dialog.golds.rows[0].problem.text() == "× ページは数字で書いてください。"
    assert (dialog.isVisible(), desk.version()) == (True, 1)


def test_places_are_added_and_removed(desk: Desk) -> None:
    desk.view.table.choose_row(1)
    desk.view.edit()
    dialog = dialog_of(desk)
    dialog.golds.add_button.click()
    dialog.golds.rows[1].quote.setPlainText("鍵は 21 時までに返す。")
    dialog.golds.rows[0].remove_button.click()
    dialog.golds.add_button.click()  # and left empty
    dialog.save_button.click()
    desk.settle()
    assert question_sets.find(desk.folder, NAME).questions[1].gold == (Gold("鍵は 21 時までに返す。"),)


def test_a_question_that_cannot_be_scored_is_allowed_but_told(desk: Desk) -> None:
    desk.view.add()
    dialog = dialog_of(desk)
    dialog.text.setPlainText("何階ですか。")
    assert dialog.scoring.isVisible()
    dialog.unanswerable_box.click()
    assert not dialog.scoring.isVisible()
    assert "採点に使いません" in dialog.unanswerable_note.text()
    dialog.save_button.click()
    desk.settle()
    assert not question_sets.find(desk.folder, NAME).questions[-1].is_answerable


def test_escape_with_something_written_asks_before_it_is_lost(desk: Desk) -> None:
    desk.view.add()
    dialog = dialog_of(desk)
    dialog.text.insertPlainText("何階ですか。")
    desk.qtbot.keyClick(dialog.text, Qt.Key.Key_Escape)
    asked = QApplication.activeModalWidget()
    assert asked is not dialog
    assert asked is not None
    assert asked.accessibleName() == "変更を保存せずに閉じますか"
    asked.buttons["leave"].click()  # type: ignore[attr-defined]
    assert (dialog.isVisible(), desk.version()) == (False, 1)


def test_keys_of_a_conversion_neither_save_nor_close(desk: Desk) -> None:
    desk.view.edit()
    dialog = dialog_of(desk)
    guard_of(dialog.text)  # as in the program, where every field with the keyboard gets one
    QApplication.sendEvent(dialog.text, QInputMethodEvent("かいぎ", []))
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Escape):
        desk.qtbot.keyClick(dialog.text, key)
    desk.qtbot.keyClick(dialog.text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    desk.settle()
    assert (dialog.isVisible(), desk.version()) == (True, 1)
    end = QInputMethodEvent()
    end.setCommitString("会議")
    QApplication.sendEvent(dialog.text, end)
    assert "会議" in dialog.text.toPlainText()


def test_what_cannot_be_stored_stays_in_the_dialog(desk: Desk) -> None:
    desk.view.edit()
    dialog = dialog_of(desk)
    dialog.text.setPlainText("直した問いですか。")
    desk.store(Question("", "別の版の問いですか。"))
    dialog.save_button.click()
    desk.settle()
    assert dialog.isVisible()
    assert "新しい版になっています" in dialog.problem.text()
    assert dialog.text.toPlainText() == "直した問いですか。"
    assert desk.texts() == ["別の版の問いですか。"]


# --------------------------------------------------------------------------------------------------------- versions


def test_an_older_version_can_be_read_and_put_back_but_not_changed(desk: Desk) -> None:
    desk.store(QUESTIONS[0])
    desk.show()
    view = desk.view
    assert [view.head.versions.itemText(at).partition("（")[0] for at in range(2)] == ["版 2", "版 1"]
    view.head.versions.setCurrentIndex(1)
    view.head.versions.activated.emit(1)
    desk.settle()
    assert len(desk.shown()) == 3
    assert "前の版（版 1）を表示しています。" in view.past.accessibleName()
    buttons = (view.add_button, view.edit_button, view.remove_button, view.evaluate_button)
    assert not any(button.isEnabled() for button in buttons)
    desk.qtbot.keyClick(view.table, Qt.Key.Key_Delete)
    view.past.action_requested.emit("return")
    desk.settle()
    assert (desk.version(), len(desk.texts()), len(desk.shown())) == (3, 3, 3)
    assert not view.past.isVisible()
    said, undo = desk.undone[0]
    assert said == "版 1 に戻しました。"
    undo()
    desk.settle()
    assert desk.texts() == [QUESTIONS[0].text]


def test_a_damaged_version_says_so_and_the_one_before_can_be_put_back(desk: Desk) -> None:
    desk.store(QUESTIONS[0])
    (desk.folder / NAME / "2.jsonl").write_text("half a li")
    desk.show()
    view = desk.view
    assert "この版は読めません。" in view.past.accessibleName()
    assert (desk.shown(), view.evaluate_button.isEnabled(), view.tools.isVisible()) == ([], False, False)
    view.work.open(NAME, 1)
    desk.settle()
    view.past.action_requested.emit("return")
    desk.settle()
    assert (desk.version(), desk.texts()) == (3, [one.text for one in QUESTIONS])


@pytest.mark.parametrize("content", ["{", '{"versions": []}'])
def test_a_damaged_set_says_what_to_do(desk: Desk, content: str) -> None:
    (desk.folder / NAME / "about.json").write_text(content)
    desk.show()
    told = desk.view.past.accessibleName()
    assert told.startswith("この質問集は読めません。")
    assert "取り込み直してください" in told
    assert not any(action.isEnabled() for action in desk.view.header_actions[:2])
    desk.view.export()
    desk.view.add()
    desk.settle()
    assert (desk.view.dialog, desk.failed) == (None, [])


def test_another_set_is_shown_as_it_is_although_the_first_one_comes_late(desk: Desk) -> None:
    desk.store(Question("", "別の質問集の問いですか。"), name="別")
    desk.view.show_set(NAME)
    desk.view.show_set("別")
    desk.settle()
    assert (desk.view.name, desk.view.head.title.text(), desk.shown()) == ("別", "別", ["別の質問集の問いですか。"])


def test_another_set_can_be_changed_when_the_first_one_is_stored_late(
    desk: Desk, tmp_path: Path, late: Callable[..., threading.Event]
) -> None:
    desk.store(name="別")
    is_free = late(question_sets, "store")
    desk.view.remove_button.click()
    desk.view.show_set("別")
    desk.qtbot.waitUntil(lambda: desk.view.head.facts.isVisible())
    desk.target = str(tmp_path / "a.csv")
    desk.view.export_button.click()
    desk.qtbot.waitUntil(desk.view.banner.isVisible)
    assert not desk.view.remove_button.isEnabled()
    is_free.set()
    desk.settle()
    assert all(button.isEnabled() for button in (desk.view.add_button, desk.view.remove_button))
    assert desk.view.banner.isVisible(), "what it says is of this set"


@pytest.mark.parametrize("code", ["question_set_unknown", "question_set_damaged", "question_set_not_removed"])
def test_the_window_names_no_command_as_the_next_step(code: str) -> None:
    error = question_set_texts.error_for_window(AppError(code, name=NAME, path="/x", reason="y"))
    assert error.code in wording.error_codes()
    assert not any("kotae eval" in str(wording.describe_error(error, language)) for language in wording.LANGUAGES)


def test_renaming_a_set_that_is_gone_is_told_in_words_of_the_window(desk: Desk) -> None:
    desk.view.rename()
    desk.settle()
    question_sets.remove(desk.folder, NAME)
    dialog = desk.view.dialog
    assert isinstance(dialog, RenameDialog)
    dialog.name.setText("受付")
    dialog.buttons["keep"].click()
    desk.settle()
    assert [error.code for error in desk.failed] == ["question_set_unknown_shown"]


# ---------------------------------------------------------------------------------------------------------- the rest


def test_a_set_gets_another_name_which_can_be_taken_back(desk: Desk) -> None:
    desk.store(name="別")
    names: list[tuple[str, str]] = []
    desk.view.renamed.connect(lambda before, after: names.append((before, after)))
    desk.view.rename()
    desk.view.rename()  # F2 once more, before it is there
    desk.settle()
    dialog = desk.view.dialog
    assert isinstance(dialog, RenameDialog)
    assert len(desk.window.findChildren(RenameDialog)) == 1
    for wrong, why in (("", "入力"), ("別", "同じ名前"), ("a/b", "使えません")):
        dialog.name.setText(wrong)
        dialog.buttons["keep"].click()
        assert (dialog.isVisible(), why in dialog.field.problem.text()) == (True, True)
    dialog.name.setText("受付")
    dialog.buttons["keep"].click()
    desk.settle()
    assert (names, desk.view.name, len(desk.shown())) == ([(NAME, "受付")], "受付", 3)
    desk.undone[0][1]()
    desk.settle()
    assert (names[-1], desk.view.head.title.text(), len(desk.undone)) == (("受付", NAME), NAME, 1)


@pytest.mark.parametrize(
    ("chosen", "written"),
    [
        ("a.xlsx", "a.xlsx"),
        ("a.csv", "a.csv"),
        ("a.jsonl", "a.jsonl"),
        ("a", "a.xlsx"),
        ("点検 v1.2", "点検 v1.2.xlsx"),
    ],
)
def test_a_set_is_written_in_the_form_of_the_name(desk: Desk, tmp_path: Path, chosen: str, written: str) -> None:
    desk.target = str(tmp_path / chosen)
    desk.view.export_button.click()
    desk.settle()
    out = tmp_path / written
    assert "に書き出しました。" in desk.view.banner.accessibleName()
    assert question_files.read(out).questions == QUESTIONS
    if out.suffix == ".xlsx":
        assert load_workbook(out).active.max_row == 4


def test_the_folder_of_what_was_written_is_opened(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(desktop, "open_folder", opened.append)
    desk.target = str(tmp_path / "a.csv")
    desk.view.export_button.click()
    desk.settle()
    desk.view.banner.action_requested.emit("open")
    assert opened == [tmp_path]


def test_a_name_without_suffix_replaces_no_file_that_the_desktop_has_not_asked_about(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / "点検.xlsx").write_bytes(b"of somebody else")
    desk.target = str(tmp_path / "点検")
    desk.view.export_button.click()
    desk.settle()
    assert (tmp_path / "点検.xlsx").read_bytes() == b"of somebody else"
    assert question_files.read(tmp_path / "点検 (2).xlsx").questions == QUESTIONS


def test_a_name_without_suffix_gets_that_of_the_kind_that_was_chosen(desk: Desk, tmp_path: Path) -> None:
    def answer() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, QFileDialog)
        dialog.selectNameFilter("CSV (*.csv)")
        dialog.selectFile(str(tmp_path / "点検"))
        dialog.done(QDialog.DialogCode.Accepted)

    QTimer.singleShot(0, answer)
    found = Pickers().save(desk.window, "", str(tmp_path), "Excel (*.xlsx);;CSV (*.csv)")
    assert Path(found) == tmp_path / "点検.csv"


def test_a_folder_that_is_gone_is_told(desk: Desk, tmp_path: Path) -> None:
    desk.target = str(tmp_path / "gone/a.csv")
    desk.view.export_button.click()
    desk.settle()
    assert [error.code for error in desk.failed] == ["export_folder_gone"]


def test_of_a_set_that_was_written_late_nothing_is_said_over_another_one(
    desk: Desk, tmp_path: Path, late: Callable[..., threading.Event]
) -> None:
    desk.store(name="別")
    is_free = late(question_files, "write")
    desk.target = str(tmp_path / "a.csv")
    desk.view.export_button.click()
    desk.view.show_set("別")
    is_free.set()
    desk.settle()
    assert (tmp_path / "a.csv").exists()
    assert not desk.view.banner.isVisible()


def test_a_confidential_set_is_written_after_a_yes_that_is_on_record(open_desk: Open, tmp_path: Path) -> None:
    desk = open_desk(label="secret")
    desk.target = str(tmp_path / "a.csv")
    for key, is_there in (("cancel", False), ("go", True)):
        desk.view.export_button.click()
        dialog = QApplication.activeModalWidget()
        assert dialog is not None
        assert dialog.accessibleName() == "機密の内容を書き出しますか"
        dialog.buttons[key].click()  # type: ignore[attr-defined]
        desk.settle()
        assert (tmp_path / "a.csv").exists() == is_there
    (line,) = (tmp_path / "exports.jsonl").read_text("utf-8").splitlines()
    assert (json.loads(line)["what"], json.loads(line)["target"]) == ("questions", desk.target)


def test_the_menus_do_what_the_buttons_do(desk: Desk) -> None:
    menu = desk.view.menu()
    titles = [action.text() for action in menu.actions() if action.text()]
    assert titles == [
        "問いを追加…",
        "書き出す（Excel、CSV、JSON Lines）…",
        "名前を変える…",
        "フォルダを開く",
        "この質問集を削除",
    ]
    menu.actions()[0].trigger()
    assert dialog_of(desk).windowTitle() == "問いを追加"
    menu.close()
    desk.view.table.menu_requested.emit(QPoint(10, 10))
    (shown,) = [one for one in desk.view.findChildren(type(menu)) if one.isVisible()]
    assert [action.text() for action in shown.actions()] == ["編集…", "削除"]
    shown.close()


@pytest.mark.parametrize("size", [(1168, 760), (570, 520)])
@pytest.mark.parametrize("percent", [100, 200])
def test_nothing_is_cut_off(
    open_desk: Open, theme: Theme, qapp: QApplication, size: tuple[int, int], percent: int
) -> None:
    theme.apply(qapp, Settings(theme="dark", text_scale_percent=percent))
    many = [Question(f"q{n}", f"{n} 番の窓口はどこですか。" * 5, "東" * 90) for n in range(20)]
    desk = open_desk(*many, width=size[0], height=size[1])
    desk.store(*many[:15])
    desk.show()
    assert clipped(desk.view) == []
    desk.view.work.open(NAME, 1)
    desk.settle()
    assert clipped(desk.view) == []
    desk.show()
    desk.view.edit()
    desk.settle()
    assert clipped(dialog_of(desk)) == []


def test_everything_that_can_be_acted_on_has_a_name(desk: Desk) -> None:
    desk.store(QUESTIONS[0])
    desk.show()
    desk.view.edit()
    nodes = [*accessible.walk(desk.window), *accessible.walk(dialog_of(desk))]
    interactive = [node for node in nodes if node.is_interactive]
    assert len(interactive) > 15
    assert [str(node) for node in interactive if not node.name] == []
