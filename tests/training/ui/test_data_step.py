"""The step of the data: a file is imported, its columns are chosen, its rows are mended, measured and split."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest

from app.base.services import background
from app.inference.local_model import LocalModel
from app.training.data import data_overview
from app.training.data.curation import Decision
from app.training.ui.data.columns_tab import ColumnsDialog
from app.training.ui.wizard import PrimaryAction
from app.uikit.dialogs import Dialog
from app.uikit.theme import Theme
from tests.scene import Scene
from tests.training.ui.data_desk import TROUBLED, Desk, table


@pytest.fixture
def desk(scene: Scene, theme: Theme, model: LocalModel) -> Iterator[Desk]:
    made = Desk(scene, theme, model)
    yield made
    background.shut_down()
    made.close()


def test_without_data_it_says_what_is_needed_and_a_chosen_file_fills_it(desk: Desk, tmp_path: Path) -> None:
    step = desk.step
    assert step.empty.isVisible()
    assert step.primary_action() is None
    desk.chosen = table(tmp_path, TROUBLED)
    desk.click(step.empty.file_button)
    desk.done()
    assert not step.empty.isVisible()
    assert desk.counts == {"total": "34", "used": "30", "duplicates": "1", "flawed": "2", "unusable": "1"}
    assert step.strip.lock.words.text() == "分割は未固定"
    assert [button.text() for button in step.tabs.buttons.values()] == [
        "列の対応", "問題のある行 4", "見直し 3", "長さと分布", "分割と漏れ検査"
    ]  # fmt: skip
    assert desk.columns.facts.text() == "質問と回答の列　文字コード Shift_JIS (CP932)"


def test_a_file_is_dropped_and_what_holds_no_rows_is_not_taken(desk: Desk, tmp_path: Path) -> None:
    step, place, mime = desk.step, QPoint(100, 100), QMimeData()
    buttons, keys, copies = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, Qt.DropAction.CopyAction
    for path, is_taken in ((tmp_path / "絵.png", False), (tmp_path, False), (table(tmp_path), True)):
        mime.setUrls([QUrl.fromLocalFile(str(path))])
        event = QDragEnterEvent(place, copies, mime, buttons, keys)
        step.dragEnterEvent(event)
        assert event.isAccepted() == is_taken
    step.dropEvent(QDropEvent(QPointF(place), copies, mime, buttons, keys))
    desk.done()
    assert desk.counts["used"] == "30"


def test_other_columns_show_what_would_be_trained_and_are_read_anew(desk: Desk, tmp_path: Path) -> None:
    desk.take(table(tmp_path))
    tab = desk.columns
    assert not tab.read_button.isEnabled()
    assert tab.reason.text() == "いまの行は、この対応で読んだものです。"
    assert tab.form.preview.said[:3] == ["0 の点検は何年ごとか", "0 年ごとに行う。", "第0章"]
    tab.form.boxes["group"].setCurrentIndex(0)
    assert tab.form.preview.said[2] == "1eef の点検は何年ごとか"
    tab.form.boxes["answer"].setCurrentIndex(tab.form.boxes["answer"].findData("質問"))
    assert "二度選ばれています" in tab.form.obstacle.text()
    assert not tab.read_button.isEnabled()
    tab.form.boxes["answer"].setCurrentIndex(tab.form.boxes["answer"].findData("章"))
    desk.click(tab.read_button)
    desk.done()
    assert desk.work.curation is not None
    assert (desk.work.curation.items[0].row.answer, desk.work.curation.items[0].row.group) == ("第0章", "")
    assert not desk.columns.read_button.isEnabled()


def test_columns_that_nobody_knows_are_asked_for(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "表.csv"
    path.write_text("甲,乙,丙\n" + "".join(f"{n},鍵{n}はどこか,棚{n}番にある。\n" for n in range(12)), "utf-8")
    desk.take(path)
    dialog = desk.dialog(ColumnsDialog)
    assert isinstance(dialog, ColumnsDialog)
    assert not dialog.buttons["read"].isEnabled()
    boxes, names = dialog.form.boxes, [dialog.form.boxes["question"].itemText(place) for place in range(4)]
    assert "鍵0はどこか" in dialog.form.preview.said
    boxes["question"].setCurrentIndex(2)
    boxes["answer"].setCurrentIndex(3)
    assert len(names) == 4
    dialog.buttons["read"].click()
    desk.done()
    assert desk.work.curation is not None
    answers = [item.row.answer for item in desk.work.curation.items]
    assert "棚11番にある。" in answers


def test_a_file_that_has_changed_or_gone_since_is_told(desk: Desk, tmp_path: Path) -> None:
    path = table(tmp_path)
    desk.take(path)
    table(tmp_path, TROUBLED)
    desk.tab("split")
    standing = desk.columns.standing
    desk.wait(lambda: "変わっています" in standing.text())
    assert desk.columns.read_button.isEnabled()
    path.unlink()
    desk.tab("split")
    desk.wait(lambda: desk.columns.standing is standing and "見つかりません" in standing.text())


def test_rows_with_flaws_are_mended_kept_and_left_out_by_the_keyboard(desk: Desk, tmp_path: Path) -> None:
    desk.take(table(tmp_path, TROUBLED))
    tab = desk.problems
    tab.focus_first()
    assert [tab.kinds.itemText(place) for place in range(tab.kinds.count())] == [
        "問題のある行すべて（4）", "まだ決めていない行（3）", "JSON の断片（1）",
        "途中で終わる回答（1）", "重複（1）", "電話番号らしい（1）", "直せない行（1）",
    ]  # fmt: skip
    assert tab.editor.wrong == ["電話番号らしい（「03-1234-5678」）"]
    QTest.keyClick(tab.view, Qt.Key.Key_A)  # kept; the next one is shown
    assert tab.editor.place.text() == "33 行目"
    QTest.keyClick(tab.view, Qt.Key.Key_E)
    assert tab.editor.answer.hasFocus()
    tab.editor.answer.selectAll()
    QTest.keyClicks(tab.editor.answer, "5 years.")
    QTest.keyClick(tab.editor.answer, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert tab.view.hasFocus()
    assert tab.editor.wrong == ["質問も回答も同じ行がある", "もとの行は 2 行目です。"]
    assert "0 年ごとに行う。" in tab.editor.like.text()
    QTest.keyClick(tab.view, Qt.Key.Key_R)
    rows = desk.work.curation
    assert rows is not None
    assert [rows.state_of(item) for item in rows.items[30:]] == ["accepted", "edited", "rejected"]
    assert rows.row_of(rows.items[31]).answer == "5 years."
    assert desk.counts == {"total": "34", "used": "32", "rejected": "1", "unusable": "1"}
    QTest.keyClick(tab.view, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (rows.state_of(rows.items[32]), tab.editor.place.text()) == ("left_out", "35 行目")


def test_what_cannot_be_kept_is_told_and_what_was_written_stays(desk: Desk, tmp_path: Path) -> None:
    desk.take(table(tmp_path, TROUBLED))
    tab = desk.problems
    tab.editor.answer.setPlainText("  ")
    desk.click(tab.editor.edit_button)
    assert "回答が空です" in desk.step.banner.accessibleName()
    tab.editor.answer.setPlainText("窓口に聞く。")
    tab.view.setCurrentIndex(tab.problems.index(1))
    tab.view.setCurrentIndex(tab.problems.index(0))
    assert tab.editor.answer.toPlainText() == "窓口に聞く。"
    QTest.keyClick(tab.editor.answer, Qt.Key.Key_Escape)
    assert tab.editor.answer.toPlainText() == "03-1234-5678 に電話する。"


def test_lines_that_are_no_rows_say_why(desk: Desk, tmp_path: Path) -> None:
    desk.take(table(tmp_path, TROUBLED))
    tab = desk.problems
    place = tab.kinds.findData(data_overview.UNUSABLE)
    tab.kinds.setCurrentIndex(place)
    tab.kinds.activated.emit(place)
    assert tab.problems.rowCount() == 1
    assert tab.editor.wrong == ["質問が空です"]
    assert not tab.editor.question.isVisible()
    QTest.keyClick(tab.view, Qt.Key.Key_A)
    assert desk.counts["used"] == "30"


def test_without_flaws_it_says_so(desk: Desk, tmp_path: Path) -> None:
    desk.take(table(tmp_path))
    assert desk.problems.nothing.text() == "✓ 問題のある行はありません。"
    assert not desk.problems.editor.isVisible()


def test_lengths_are_shown_as_bars_and_as_a_table_and_what_stands_apart_is_opened(desk: Desk, tmp_path: Path) -> None:
    long = "".join(f"{n * 104_729 % 99_991:05x}" for n in range(120))
    desk.take(table(tmp_path, f"長い答えは,{long}。,第9章\n"))
    tab = desk.lengths
    desk.wait(lambda: tab.answers.isVisible())
    assert tab.answers.chart.isVisible()
    assert "13 文字より長い 1" in tab.answers.chart.accessibleDescription()
    desk.click(tab.answers.toggle)
    assert (tab.answers.chart.isVisible(), tab.answers.toggle.text()) == (False, "図で見る")
    assert tab.answers.figures.rows[-1] == ("13 文字より長い", "1")
    assert tab.groups.figures.rows[0] == ("第0章", "10")
    assert not tab.categories.isVisible()
    assert tab.outliers.rows == [("32", "601", "長い答えは")]
    tab.outlier_table.setFocus()
    tab.outlier_table.setCurrentIndex(tab.outliers.index(0, 0))
    QTest.keyClick(tab.outlier_table, Qt.Key.Key_Return)
    assert desk.step.tabs.key == "review"


def test_the_rows_are_split_shown_and_split_again_when_they_have_changed(desk: Desk, tmp_path: Path) -> None:
    desk.take(table(tmp_path, TROUBLED))
    step = desk.step
    assert step.primary_action() == PrimaryAction("freeze", "分割して固定する")
    step.do("freeze")
    desk.done()
    frozen = desk.work.draft.frozen
    assert frozen is not None
    assert step.tabs.key == "split"
    tab = desk.split
    desk.wait(tab.facts.isVisible)
    assert tab.state.text() == "分けて固定しました。"
    assert tab.said[:2] == [
        "学習用とほとんど同じ行（類似度 0.8 以上）：0",
        "同じ回答が学習用にもある行：0（0 行について比べました）",
    ]
    lock = step.strip.lock
    assert lock.words.text() == f"試験 {frozen.holdout} は固定"
    assert lock.hash.text() == f"{frozen.sha256[:4]} {frozen.sha256[4:8]}"
    assert (desk.counts["train"], step.primary_action()) == (str(frozen.train), None)
    desk.work.decide(Decision(1, "rejected"))
    assert (step.primary_action(), lock.words.text()) == (PrimaryAction("freeze", "分割し直す"), "分割は古くなりました")
    desk.click(tab.split_button)
    desk.done()
    again = desk.work.draft.frozen
    assert again is not None
    assert again != frozen
    assert step.primary_action() is None


def test_after_a_restart_everything_is_there_again(desk: Desk, tmp_path: Path) -> None:
    desk.take(table(tmp_path, TROUBLED))
    desk.work.decide(Decision(31, "accepted"))
    desk.step.do("freeze")
    desk.done()
    step = desk.reopened()
    desk.wait(lambda: step.strip.isVisible())
    assert step.tabs.key == "split"
    assert desk.counts["unusable"] == "1"
    desk.wait(desk.split.facts.isVisible)
    assert desk.columns.form.boxes["answer"].currentText() == "回答"
    assert desk.problems.problems.rowCount() == 4


def test_a_split_whose_files_have_gone_is_told_and_can_be_made_again(desk: Desk, tmp_path: Path) -> None:
    desk.take(table(tmp_path))
    desk.step.do("freeze")
    desk.done()
    assert desk.work.draft.frozen is not None
    (Path(desk.work.draft.frozen.folder) / "holdout.jsonl").unlink()
    step = desk.reopened()
    desk.wait(lambda: step.strip.isVisible())
    desk.wait(lambda: desk.split.said)
    assert "holdout.jsonl" in desk.split.said[0]
    assert desk.split.split_button.isVisible()


def test_rows_that_somebody_has_looked_through_are_only_replaced_after_a_yes(desk: Desk, tmp_path: Path) -> None:
    desk.take(table(tmp_path))
    desk.work.decide(Decision(1, "rejected"))
    other = table(tmp_path, TROUBLED, "別.csv")
    for key, used in (("cancel", "29"), ("replace", "30")):
        desk.step.sources.dialog = None
        desk.step.sources.take_file(other)
        dialog = desk.dialog(Dialog)
        assert isinstance(dialog, Dialog)
        dialog.buttons[key].click()
        desk.done()
        assert desk.counts["used"] == used


def test_a_cancelled_split_leaves_the_rows_unsplit(desk: Desk, tmp_path: Path) -> None:
    desk.take(table(tmp_path, "".join(f"質問{n}は何か,答え{n * 7919 % 10_007:x}である。,第1章\n" for n in range(400))))
    desk.step.do("freeze")
    assert desk.step.progress.cancel_button.isVisible()
    desk.click(desk.step.progress.cancel_button)
    desk.done()
    assert desk.work.draft.frozen is None
    assert not desk.step.progress.isVisible()
    assert desk.counts["used"] == "430"


def test_a_cancelled_import_leaves_what_was_there(desk: Desk, tmp_path: Path) -> None:
    desk.take(table(tmp_path))
    more = "".join(f"質問{n}は何か,答え{n * 7919 % 10_007:x}である。,第1章\n" for n in range(2000))
    desk.step.sources.take_file(table(tmp_path, more, "多い.csv"))
    assert desk.step.progress.isVisible()
    assert not desk.step.source_button.isEnabled()
    desk.click(desk.step.progress.cancel_button)
    desk.done()
    assert desk.counts["used"] == "30"
    assert not desk.step.progress.isVisible()
