"""Question sets come from files, from the user's own hand and from rated answers; nothing is stored unseen."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base.confidentiality import Label as Secrecy
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.settings import Settings
from app.chat import conversation_privacy
from app.chat.answer_ratings import BAD, GOOD, rate
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.evaluation import question_sets
from app.evaluation.conversation_questions import CollectedQuestions
from app.evaluation.records import Question
from app.evaluation.ui import add_set_flow
from app.evaluation.ui.add_set_flow import ConversationsDialog, ImportFileDialog
from app.evaluation.ui.question_dialog import QuestionDialog
from app.evaluation.ui.question_set_forms import NameForm
from app.uikit import clipboard_guard
from app.uikit.dialogs import Dialog
from app.uikit.theme import Theme
from tests.evaluation.ui.question_set_desk import NAME, QUESTIONS, Desk

HEAD = "質問（必須）,模範解答,メモ\n"
GOOD_ROWS = "会議室は何階ですか。,3 階です。,x\n鍵はどこですか。,守衛室です。,y\n"
BAD_ROWS = ",答えだけ,z\n12345,数字だけ,z\n"


@pytest.fixture
def desk(tmp_path: Path, theme: Theme, qtbot: QtBot) -> Desk:
    return Desk(tmp_path / "sets", theme, qtbot)


def csv(tmp_path: Path, content: str, name: str = "窓口の質問.csv") -> Path:
    path = tmp_path / name
    path.write_text(content, "utf-8")
    return path


def imported(desk: Desk, path: Path) -> ImportFileDialog:
    desk.adding.import_path(path)
    desk.settle()
    assert isinstance(desk.adding.dialog, ImportFileDialog)
    return desk.adding.dialog


def told(desk: Desk) -> str:
    """All that the dialog says."""
    assert desk.adding.dialog is not None
    return "\n".join(desk.texts(desk.adding.dialog))


def take(desk: Desk) -> None:
    assert desk.adding.dialog is not None
    desk.do(desk.adding.dialog.save_button)  # type: ignore[union-attr]


def from_conversations(desk: Desk, collect: Callable[[], CollectedQuestions]) -> object:
    """The dialog that then opens."""
    desk.collect = collect
    desk.adding.from_conversations()
    desk.settle()
    return desk.adding.dialog


@pytest.fixture
def twice(desk: Desk, tmp_path: Path) -> ImportFileDialog:
    """The dialog with a file that has one question more than the set that is there."""
    imported(desk, csv(tmp_path, HEAD + GOOD_ROWS))
    take(desk)
    return imported(desk, csv(tmp_path, HEAD + GOOD_ROWS + "窓口は何時からですか。,8 時半からです。,\n"))


# ---------------------------------------------------------------------------------------------------------- files


def test_what_was_made_of_a_file_is_shown_before_anything_is_stored(desk: Desk, tmp_path: Path) -> None:
    dialog = imported(desk, csv(tmp_path, HEAD + GOOD_ROWS + BAD_ROWS))
    assert dialog.windowTitle() == "2 問を取り込みますか"
    said = told(desk)
    for words in (
        "▲ 質問にできない 2 行は取り込みません",
        "4 行目：質問が空です",
        "5 行目：文字ではない値があります（12345）",
        "質問（必須）",
        "使わない列\nメモ",
        "・会議室は何階ですか。",
    ):
        assert words in said
    assert (dialog.naming.name.text(), dialog.naming.note.isVisible()) == (NAME, False)
    assert question_sets.list_all(desk.folder) == []
    take(desk)
    assert (desk.added, desk.texts_kept()) == ([NAME], ["会議室は何階ですか。", "鍵はどこですか。"])
    about = question_sets.load_versions(desk.folder, NAME)
    assert (about.label, about.newest.source) == ("internal", "窓口の質問.csv")


def test_only_the_first_bad_rows_are_listed_and_giving_up_leaves_nothing_stored(desk: Desk, tmp_path: Path) -> None:
    dialog = imported(desk, csv(tmp_path, HEAD + GOOD_ROWS + "12345,a,b\n" * 25))
    assert "▲ 質問にできない 25 行は取り込みません" in told(desk)
    assert told(desk).count("文字ではない値があります") == 20
    assert "ほか 5 行" in told(desk)
    desk.press(Qt.Key.Key_Escape, at=dialog)
    desk.settle()
    assert (question_sets.list_all(desk.folder), desk.added) == ([], [])


def test_a_second_file_becomes_the_next_version_which_is_said(desk: Desk, twice: ImportFileDialog) -> None:
    assert "新しい版（版 2）として加えます。" in twice.naming.note.text()
    twice.naming.name.setText("ほか")
    assert not twice.naming.note.isVisible()
    twice.naming.name.setText(NAME)
    take(desk)
    assert (desk.version(), len(desk.kept()), desk.added) == (2, 3, [NAME, NAME])
    assert len(desk.kept(f"{NAME}@1")) == 2


def test_a_file_with_what_the_set_has_already_makes_no_version(desk: Desk, tmp_path: Path) -> None:
    path = csv(tmp_path, HEAD + GOOD_ROWS)
    imported(desk, path)
    take(desk)
    imported(desk, path)
    take(desk)
    assert (desk.version(), desk.failed) == (1, [])


def test_enter_in_the_name_takes_the_questions(desk: Desk, tmp_path: Path) -> None:
    dialog = imported(desk, csv(tmp_path, HEAD + GOOD_ROWS))
    desk.qtbot.keyClick(dialog.naming.name, Qt.Key.Key_Return)
    desk.settle()
    assert (desk.version(), desk.added) == (1, [NAME])


def test_a_name_that_was_typed_is_not_lost_unasked(desk: Desk, tmp_path: Path) -> None:
    dialog = imported(desk, csv(tmp_path, HEAD + GOOD_ROWS))
    dialog.naming.name.setText("ほかの名前")
    desk.qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    asked = QApplication.activeModalWidget()
    assert isinstance(asked, Dialog)
    assert (asked.accessibleName(), dialog.isVisible()) == ("変更を保存せずに閉じますか", True)
    asked.buttons["leave"].click()
    assert not dialog.isVisible()


def test_what_was_said_of_the_name_is_what_happens(desk: Desk, tmp_path: Path) -> None:
    """A set of that name that came meanwhile is not added to."""
    dialog = imported(desk, csv(tmp_path, HEAD + GOOD_ROWS))
    desk.store()
    take(desk)
    assert "すでにあります" in dialog.problem.text()
    assert (dialog.isVisible(), desk.version()) == (True, 1)


def test_a_name_that_cannot_be_used_is_refused_at_its_field(desk: Desk, tmp_path: Path) -> None:
    dialog = imported(desk, csv(tmp_path, HEAD + GOOD_ROWS))
    for name, why in ((" ", "名前を入力"), ("a/b", "使えません"), ("表@2", "使えません")):
        dialog.naming.name.setText(name)
        take(desk)
        assert why in dialog.naming.field.problem.text()
    assert (dialog.isVisible(), question_sets.list_all(desk.folder)) == (True, [])
    desk.store()
    (desk.folder / NAME / "about.json").write_text("{")
    dialog = imported(desk, csv(tmp_path, HEAD + GOOD_ROWS))
    take(desk)
    assert "壊れています" in dialog.naming.field.problem.text()


def test_a_label_can_be_raised_and_not_lowered(desk: Desk, tmp_path: Path) -> None:
    desk.store(name="機密の質問", label="secret")
    label = imported(desk, csv(tmp_path, HEAD + GOOD_ROWS)).naming.label
    assert [label.itemText(at) for at in range(label.count())] == ["公開", "社外秘", "機密"]
    assert label.currentText() == "社外秘"
    dialog = imported(desk, csv(tmp_path, HEAD + GOOD_ROWS, "機密の質問.csv"))
    label = dialog.naming.label
    assert [label.itemText(at) for at in range(label.count())] == ["機密"]
    assert dialog.naming.label_note.text() == "もとの内容が機密なので、それより低いラベルは選べません。"
    dialog.naming.name.setText("公開の質問")
    label.setCurrentIndex(label.findData("public"))
    take(desk)
    assert question_sets.load_versions(desk.folder, "公開の質問").label == "public"


def test_doubts_twice_given_ids_and_other_sheets_are_told(desk: Desk, tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    sheet.title = "問い"
    for row in (
        ("ID", "質問", "回答"),
        (1, "鍵はどこですか。", "守衛室"),
        (1, "鍵はどこですか。", "守衛室"),
        (2, "何階？", None),
    ):
        sheet.append(row)
    book.create_sheet("メモ").append(("覚え書き",))
    book.save(tmp_path / "質問.xlsx")
    dialog = imported(desk, tmp_path / "質問.xlsx")
    said = told(desk)
    assert "ID「1」は前の質問と重なるため、「1-2」に変えました。" in said
    assert "▲ 1 問は、模範解答も必ず含む語もないため" in said
    assert "同じ文の問いが 1 問重なっています。" in said
    assert "読まなかったシート\nメモ" in said
    assert "シート「問い」" in dialog.accessibleDescription()


def test_a_file_that_is_none_is_told_and_nothing_opens(desk: Desk, tmp_path: Path) -> None:
    desk.adding.import_path(csv(tmp_path, "日付,数\n1,2\n", "a.csv"))
    desk.settle()
    assert desk.failed == ["questions_table_unreadable"]
    assert (desk.adding.dialog, question_sets.list_all(desk.folder)) == (None, [])


def test_the_menu_asks_for_a_file_takes_no_answer_for_no_and_is_gone_when_it_was_closed(
    desk: Desk, tmp_path: Path
) -> None:
    menu = desk.adding.menu()
    titles = [action.text() for action in menu.actions()]
    assert titles == ["ファイルから取り込む…", "自分で書く…", "会話の評価（良い・悪い）から作る…"]
    for target, opened in (("", False), (str(csv(tmp_path, HEAD + GOOD_ROWS)), True)):
        desk.target = target
        menu.actions()[0].trigger()
        desk.settle()
        assert isinstance(desk.adding.dialog, ImportFileDialog) == opened
    menu.popup(desk.window.mapToGlobal(desk.window.rect().center()))
    with desk.qtbot.waitSignal(menu.destroyed):
        menu.close()


@pytest.mark.parametrize("is_given_up", [True, False])
def test_reading_that_takes_its_time_says_so_and_can_be_given_up(desk: Desk, *, is_given_up: bool) -> None:
    is_free = threading.Event()

    def collect() -> CollectedQuestions:
        is_free.wait(30)
        return CollectedQuestions(QUESTIONS, "public", {})

    desk.collect = collect
    desk.adding.from_conversations()
    desk.qtbot.waitUntil(lambda: QApplication.activeModalWidget() is not None)
    waiting = QApplication.activeModalWidget()
    assert isinstance(waiting, Dialog)
    assert waiting.accessibleName() == "質問を読み取っています"
    if is_given_up:
        waiting.buttons["cancel"].click()
    is_free.set()
    desk.settle()
    opened = desk.adding.dialog
    assert opened is None if is_given_up else isinstance(opened, ConversationsDialog)
    assert (desk.failed, question_sets.list_all(desk.folder)) == ([], [])


# ---------------------------------------------------------------------------------------------------------- by hand


def written(desk: Desk) -> tuple[QuestionDialog, NameForm]:
    desk.adding.write()
    desk.settle()
    dialog = desk.adding.dialog
    assert isinstance(dialog, QuestionDialog)
    assert dialog.naming is not None
    return dialog, dialog.naming


def test_a_set_is_begun_with_its_first_question(desk: Desk) -> None:
    dialog, naming = written(desk)
    naming.name.setText("受付")
    dialog.text.setPlainText("受付は何時からですか。")
    desk.do(dialog.save_button)
    assert (desk.added, desk.texts_kept("受付")) == (["受付"], ["受付は何時からですか。"])
    assert desk.kept("受付")[0].origin == "written"


def test_name_and_question_are_both_asked_for_and_a_set_that_is_there_is_never_replaced(desk: Desk) -> None:
    desk.store()
    dialog, naming = written(desk)
    dialog.save_button.click()
    assert "名前を入力" in naming.field.problem.text()
    assert "問いを書いて" in dialog.text_field.problem.text()
    assert dialog.focusWidget() is naming.name
    naming.name.setText(f" {NAME} ")
    dialog.text.setPlainText("受付は何時からですか。")
    desk.do(dialog.save_button)
    assert "同じ名前" in naming.field.problem.text()
    assert desk.version() == 1


# ---------------------------------------------------------------------------------------------------- conversations


def answer(store: Store, question: str, text: str) -> int:
    asked = store.add_question(question)
    return store.finish_answer(store.add_answer(asked.id, AnswerDetails("m")).id, text, "done", AnswerDetails("m")).id


def test_rated_answers_become_a_set_and_what_is_left_out_is_told(desk: Desk, where: Paths, store: Store) -> None:
    rate(store, answer(store, "坪は何平方メートルですか。", "約 3.31 m² です。"), GOOD)
    rate(store, answer(store, "鍵はどこですか。", "知りません。"), BAD)
    dialog = from_conversations(desk, add_set_flow.conversation_reader(where.database, where.documents))
    assert isinstance(dialog, ConversationsDialog)
    assert dialog.windowTitle() == "会話の評価から 1 問の質問集を作りますか"
    assert "・坪は何平方メートルですか。" in told(desk)
    assert "1 件は、正しい回答が書かれていないため除きました。" in told(desk)
    take(desk)
    assert desk.added == ["会話の評価から"]
    (question,) = desk.kept("会話の評価から")
    assert (question.text, question.reference) == ("坪は何平方メートルですか。", "約 3.31 m² です。")
    assert question_sets.load_versions(desk.folder, "会話の評価から").newest.source == "会話での評価"


@pytest.mark.fault("S16")
@pytest.mark.parametrize("label", ["internal", "secret"])
def test_what_is_about_to_be_stored_is_as_secret_as_the_conversations_that_it_is_of(
    desk: Desk, where: Paths, store: Store, label: Secrecy
) -> None:
    rate(store, answer(store, "入札の金額は？", "五百億です。"), GOOD)
    (conversation,) = store.conversations()
    conversation_privacy.set_label(store, conversation.id, label)
    dialog = from_conversations(desk, add_set_flow.conversation_reader(where.database, where.documents))
    assert isinstance(dialog, ConversationsDialog)
    assert {clipboard_guard.label_at(part) for part in dialog.parts} == {label}


def test_without_a_rated_answer_it_says_what_to_do(desk: Desk, where: Paths, store: Store) -> None:
    answer(store, "鍵はどこですか。", "守衛室です。")
    dialog = from_conversations(desk, add_set_flow.conversation_reader(where.database, where.documents))
    assert isinstance(dialog, Dialog)
    assert dialog.accessibleName() == "質問集にできる回答がありません。"
    assert "「良い」" in dialog.accessibleDescription()
    dialog.buttons["cancel"].click()
    assert question_sets.list_all(desk.folder) == []


def test_conversations_that_cannot_be_read_are_told(desk: Desk) -> None:
    def collect() -> CollectedQuestions:
        raise AppError("database_unusable", path="x", reason="y")

    assert from_conversations(desk, collect) is None
    assert desk.failed == ["database_unusable"]


# ------------------------------------------------------------------------------------------------------ how it looks


def opened_import(desk: Desk, tmp_path: Path) -> None:
    desk.store()
    imported(desk, csv(tmp_path, HEAD + GOOD_ROWS + BAD_ROWS))


def opened_conversations(desk: Desk, _tmp_path: Path) -> None:
    many = tuple(Question(f"q{n}", f"{n} 番の窓口はどこですか。" * 9, "東") for n in range(30))
    from_conversations(desk, lambda: CollectedQuestions(many, "secret", {"follow_up": 3, "no_reference": 2}))


def opened_hand(desk: Desk, _tmp_path: Path) -> None:
    desk.do(written(desk)[0].save_button)


@pytest.mark.parametrize("open_", [opened_import, opened_conversations, opened_hand])
@pytest.mark.parametrize(("width", "percent"), [(560, 100), (800, 200)])
def test_nothing_is_cut_off_and_everything_has_a_name(
    tmp_path: Path,
    theme: Theme,
    qapp: QApplication,
    qtbot: QtBot,
    open_: Callable[[Desk, Path], None],
    width: int,
    percent: int,
) -> None:
    theme.apply(qapp, Settings(theme="light", text_scale_percent=percent))
    desk = Desk(tmp_path / "sets", theme, qtbot, width, 600)
    open_(desk, tmp_path)
    assert desk.adding.dialog is not None
    assert desk.problems(desk.adding.dialog) == []
