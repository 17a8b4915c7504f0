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
from app.evaluation.ui import question_set_texts
from app.evaluation.ui.question_dialog import QuestionDialog
from app.evaluation.ui.question_set_forms import RenameDialog
from app.evaluation.ui.question_set_table import ANSWERABLE, CATEGORY, REFERENCE
from app.uikit import desktop
from app.uikit.desktop import Pickers
from app.uikit.input_method import conversion_guard_of
from app.uikit.theme import Theme
from tests.evaluation.ui.question_set_desk import NAME, QUESTIONS, TEXTS, Desk

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
    desk.until(dialog.isVisible)
    return dialog


# ---------------------------------------------------------------------------------------------------------- looking


def test_the_head_says_how_many_questions_which_version_and_what_is_known(open_desk: Open) -> None:
    desk = open_desk(label="secret", source="窓口.xlsx")
    head = desk.view.head
    assert head.title.text() == NAME
    assert head.facts.text().startswith("3 問　機密　版 1（")
    assert head.facts.text().endswith("、窓口.xlsx）")
    assert head.known_answers.text() == "模範解答 2、必ず含む語 1、根拠 1、資料にない問い 1"
    assert (head.not_scored.isVisible(), head.versions.isVisible()) == (False, False)
    desk.store(Question("", "何階ですか。"), Question("", "どこですか。", "東"), name="別")
    desk.show("別")
    assert head.not_scored.text() == "▲ 1 問は、模範解答も必ず含む語もないため、規則では採点できません。"


def test_the_table_has_question_answer_field_and_whether_the_documents_have_it(desk: Desk) -> None:
    model, asked = desk.view.questions, list[str]()
    assert desk.shown() == TEXTS
    row = [model.index(0, column).data() for column in (REFERENCE, CATEGORY, ANSWERABLE)]
    assert (row, model.index(2, ANSWERABLE).data()) == (["3 階です。", "施設", "ある"], "ない")
    spoken = model.index(0, 0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "会議室は何階にありますか。　3 階です。　施設　ある"
    desk.view.evaluate_requested.connect(asked.append)
    desk.click(desk.view.evaluate_button)
    assert asked == [NAME]


def test_a_reference_is_listed_without_markdown_and_edited_with_it(open_desk: Open) -> None:
    reference = "**2*3*4**\n\n| 区分 | 額 |\n|---|---|\n| 甲地 | -5 |"
    desk = open_desk(Question("q1", "幅は？", reference))
    cell = desk.view.questions.index(0, REFERENCE)
    assert cell.data() == "2*3*4 区分 / 額 甲地 / -5"
    assert "|" not in cell.data(Qt.ItemDataRole.ToolTipRole)
    assert question_sets.load(NAME, desk.folder)[0].questions[0].reference == reference


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


def test_many_questions_are_shown(open_desk: Open) -> None:
    desk = open_desk(*(Question(f"q{n}", f"{n} 番の窓口はどこですか。", "東") for n in range(1200)))
    assert desk.view.head.facts.text().startswith("1,200 問")
    table = desk.view.table
    table.setFocus()
    desk.qtbot.keyClick(table, Qt.Key.Key_End)
    assert (table.currentIndex().row(), table.current and table.current.text) == (1199, "1199 番の窓口はどこですか。")
    assert table.visualRect(table.currentIndex()).intersects(table.viewport().rect())
    assert len(table.findChildren(type(desk.view))) == 0  # rows are painted, not built


# ---------------------------------------------------------------------------------------------------------- changing


def test_a_written_question_is_added_chosen_and_can_be_taken_back(desk: Desk) -> None:
    desk.view.add_button.click()
    dialog = dialog_of(desk)
    dialog.text.insertPlainText("トイレはどこですか。")
    dialog.reference.setPlainText("各階の東側です。")
    dialog.must_include.setPlainText("東|東側\n\n 各階 ")
    desk.qtbot.keyClick(dialog.text, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    desk.settle()
    added = desk.kept()[-1]
    assert (added.text, added.reference, added.origin) == ("トイレはどこですか。", "各階の東側です。", "written")
    assert added.must_include == ("東|東側", "各階")
    assert (desk.version(), desk.view.table.current) == (2, added)
    assert [said for said, _ in desk.undone] == ["「トイレはどこですか。」を追加しました。"]
    desk.undo()
    assert desk.shown() == desk.texts_kept() == TEXTS
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
    desk.do(dialog.save_button)
    place = Gold("鍵は守衛室で渡す。", "規則.pdf", ("2 章",), 12)
    edited = dataclasses.replace(QUESTIONS[1], category="鍵", gold=(place,))
    assert desk.kept() == (QUESTIONS[0], edited, QUESTIONS[2])
    assert desk.view.table.current == edited
    desk.undo()
    assert desk.kept() == QUESTIONS


def test_saving_without_a_change_makes_no_version_and_nothing_to_take_back(desk: Desk) -> None:
    desk.view.edit_button.click()
    desk.do(dialog_of(desk).save_button)
    assert (desk.version(), desk.undone, desk.failed) == (1, [], [])


def test_deeds_are_taken_back_one_after_the_other_but_the_last_question_stays(desk: Desk) -> None:
    view, chosen = desk.view, desk.view.table.selectionModel()
    view.table.choose_row(0)
    chosen.select(view.questions.index(2, 0), chosen.SelectionFlag.Select | chosen.SelectionFlag.Rows)
    desk.press(Qt.Key.Key_Delete, at=view.table)
    desk.settle()
    assert desk.texts_kept() == desk.shown() == [QUESTIONS[1].text]
    assert (desk.undone[0][0], view.table.current) == ("2 問を削除しました。", QUESTIONS[1])
    desk.press(Qt.Key.Key_Delete, at=view.table)
    desk.settle()
    assert (desk.version(), len(desk.undone)) == (2, 1)
    assert "すべての問いは削除できません。" in view.banner.accessibleName()
    assert view.banner.isVisible()
    desk.undo()
    view.table.choose_row(0)
    for _ in range(2):
        desk.do(view.remove_button)
    assert desk.texts_kept() == [QUESTIONS[2].text]
    desk.undo(2)
    desk.undo(1)
    assert (desk.kept(), desk.shown(), desk.failed) == (QUESTIONS, TEXTS, [])


def test_neither_a_change_nor_its_undo_throws_away_what_somebody_else_has_stored_since(desk: Desk) -> None:
    desk.do(desk.view.remove_button)
    desk.store(Question("", "別の版の問いですか。"))
    desk.undo()
    assert (desk.failed, desk.texts_kept()) == (["question_set_outdated"], ["別の版の問いですか。"])
    desk.do(desk.view.remove_button)
    assert desk.failed == ["question_set_outdated"] * 2
    assert desk.texts_kept() == desk.shown() == ["別の版の問いですか。"]  # the newest one is shown
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
    desk.do(dialog.save_button)
    assert desk.kept()[1].gold == (Gold("鍵は 21 時までに返す。"),)


def test_a_question_that_cannot_be_scored_is_allowed_but_told(desk: Desk) -> None:
    desk.view.add()
    dialog = dialog_of(desk)
    dialog.text.setPlainText("何階ですか。")
    assert dialog.scoring.isVisible()
    dialog.unanswerable_box.click()
    assert not dialog.scoring.isVisible()
    assert "採点に使いません" in dialog.unanswerable_note.text()
    desk.do(dialog.save_button)
    assert not desk.kept()[-1].is_answerable


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
    conversion_guard_of(dialog.text)  # as in the program, where every field with the keyboard gets one
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
    desk.do(dialog.save_button)
    assert dialog.isVisible()
    assert "新しい版になりました" in dialog.problem.text()
    assert dialog.text.toPlainText() == "直した問いですか。"
    assert desk.texts_kept() == ["別の版の問いですか。"]


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
    assert "前の版（版 1）を表示しています。" in view.old_version_banner.accessibleName()
    buttons = (view.add_button, view.edit_button, view.remove_button, view.evaluate_button)
    assert not any(button.isEnabled() for button in buttons)
    desk.qtbot.keyClick(view.table, Qt.Key.Key_Delete)
    view.old_version_banner.action_requested.emit("return")
    desk.settle()
    assert (desk.version(), len(desk.texts_kept()), len(desk.shown())) == (3, 3, 3)
    assert not view.old_version_banner.isVisible()
    assert desk.undone[0][0] == "版 1 に戻しました。"
    desk.undo()
    assert desk.texts_kept() == [QUESTIONS[0].text]


def test_a_damaged_version_says_so_and_the_one_before_can_be_put_back(desk: Desk) -> None:
    desk.store(QUESTIONS[0])
    (desk.folder / NAME / "2.jsonl").write_text("half a li")
    desk.show()
    view = desk.view
    assert "この版は読めません。" in view.old_version_banner.accessibleName()
    assert (desk.shown(), view.evaluate_button.isEnabled(), view.tools.isVisible()) == ([], False, False)
    view.work.open(NAME, 1)
    desk.settle()
    view.old_version_banner.action_requested.emit("return")
    desk.settle()
    assert (desk.version(), desk.texts_kept()) == (3, TEXTS)


def test_a_damaged_set_says_what_to_do(desk: Desk) -> None:
    (desk.folder / NAME / "about.json").write_text("{")
    desk.show()
    told = desk.view.old_version_banner.accessibleName()
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


# ---------------------------------------------------------------------------------------------------------- the rest


def test_a_set_gets_another_name_which_can_be_taken_back(desk: Desk) -> None:
    desk.store(name="別")
    names: list[tuple[str, str]] = []
    desk.view.renamed.connect(lambda before, after: names.append((before, after)))
    desk.view.rename()
    desk.view.rename()  # F2 once more, before it is there
    desk.settle()
    (dialog,) = desk.window.findChildren(RenameDialog)
    for wrong, why in (("", "入力"), ("別", "同じ名前"), ("a/b", "使えません")):
        dialog.name.setText(wrong)
        dialog.buttons["keep"].click()
        assert (dialog.isVisible(), why in dialog.field.problem.text()) == (True, True)
    dialog.name.setText("受付")
    desk.do(dialog.buttons["keep"])
    assert (names, desk.view.name, len(desk.shown())) == ([(NAME, "受付")], "受付", 3)
    desk.undo()
    assert (names[-1], desk.view.head.title.text(), len(desk.undone)) == (("受付", NAME), NAME, 1)
    desk.view.rename()
    desk.settle()
    question_sets.remove(desk.folder, NAME)
    again = desk.view.dialog
    assert isinstance(again, RenameDialog)
    again.name.setText("窓口")
    desk.do(again.buttons["keep"])
    assert desk.failed == ["question_set_unknown_shown"]


@pytest.mark.parametrize(
    ("chosen", "written"),
    [
        ("a.xlsx", "a.xlsx"),
        ("a.csv", "a.csv"),
        ("a.jsonl", "a.jsonl"),
        ("a", "a.xlsx"),
        ("点検 v1.2", "点検 v1.2.xlsx"),
        ("ある", "ある (2).xlsx"),  # the desktop has not asked whether to replace a file of this name
    ],
)
def test_a_set_is_written_in_the_form_of_the_name_and_its_folder_is_opened(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: str, written: str
) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(desktop, "open_folder", opened.append)
    (tmp_path / "ある.xlsx").write_bytes(b"of somebody else")
    desk.target = str(tmp_path / chosen)
    desk.do(desk.view.export_button)
    out = tmp_path / written
    assert str(out) in desk.view.banner.accessibleName()
    assert question_files.read(out).questions == QUESTIONS
    if out.suffix == ".xlsx":
        assert load_workbook(out).active.max_row == 4
    assert (tmp_path / "ある.xlsx").read_bytes() == b"of somebody else"
    desk.view.banner.action_requested.emit("folder")
    assert opened == [tmp_path]


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
    desk.target = str(tmp_path / "gone/a.csv")
    desk.do(desk.view.export_button)
    assert desk.failed == ["export_folder_gone"]


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
        "名前を変更…",
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
def test_nothing_is_cut_off_and_everything_has_a_name(
    open_desk: Open, theme: Theme, qapp: QApplication, size: tuple[int, int], percent: int
) -> None:
    theme.apply(qapp, Settings(theme="dark", text_scale_percent=percent))
    many = [Question(f"q{n}", f"{n} 番の窓口はどこですか。" * 5, "東" * 90) for n in range(20)]
    desk = open_desk(*many, width=size[0], height=size[1])
    desk.store(*many[:15])
    desk.show()
    assert desk.problems() == []
    desk.view.work.open(NAME, 1)
    desk.settle()
    assert desk.problems() == []
    desk.show()
    desk.view.edit()
    desk.settle()
    assert desk.problems(dialog_of(desk)) == []
