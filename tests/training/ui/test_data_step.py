"""The step of the data: a file is imported, its columns are chosen, its rows are mended, measured and split."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QHeaderView, QLabel
from pytestqt.qtbot import QtBot

from app.base.services import background
from app.base.wording import phrase, use_language
from app.inference.local_model import LocalModel
from app.training.data.curation import Decision
from app.training.data.file_import import ImportOrigin
from app.training.ui.data import row_texts
from app.training.ui.data.columns_tab import ColumnsDialog
from app.training.ui.data.data_status import RowCount
from app.uikit.dialogs import Dialog
from app.uikit.theme import Theme
from tests.scene import Scene
from tests.training.services.test_generation import section
from tests.training.ui.driver import CONTROL, LEFT, SPLIT, SPLIT_AGAIN, TROUBLED, DataDriver, offered, table


@pytest.fixture
def driver(scene: Scene, theme: Theme, model: LocalModel) -> Iterator[DataDriver]:
    made = DataDriver(scene, theme, model)
    yield made
    background.shut_down()
    made.close()


@pytest.fixture
def troubled(driver: DataDriver, tmp_path: Path) -> DataDriver:
    """With the rows of a file that has flaws."""
    driver.take(table(tmp_path, TROUBLED))
    return driver


def many(count: int) -> str:
    return "".join(f"質問{n}は何か,答え{n * 7919 % 10_007:x}である。,第1章\n" for n in range(count))


def test_without_data_it_says_what_is_needed_and_a_chosen_file_fills_it(driver: DataDriver, tmp_path: Path) -> None:
    step = driver.step
    assert (step.empty.isVisible(), offered(step)) == (True, "")
    driver.chosen = table(tmp_path, TROUBLED)
    driver.click(step.empty.file_button)
    driver.wait()
    assert not step.empty.isVisible()
    assert driver.counts == {"total": "34", "used": "30", "duplicates": "1", "flawed": "2", "unusable": "1"}
    assert step.strip.lock.words.text() == phrase("training.not_split_yet")
    assert [button.text() for button in step.tabs.buttons.values()] == [
        "列の対応", "見直し 3", "長さと分布", "分割と漏れ検査"
    ]  # fmt: skip
    assert driver.tab("columns").facts.text() == "質問と回答の列　文字コード Shift_JIS (CP932)"


@pytest.mark.parametrize(("count", "said"), [(1, "Imported 1 row"), (1234, "Imported 1,234 rows")])
def test_the_strip_counts_a_single_row_in_the_singular(theme: Theme, qtbot: QtBot, count: int, said: str) -> None:
    shown = RowCount(theme, "training.imported_n_rows")
    qtbot.addWidget(shown)
    use_language("en")
    try:
        shown.show_count(count, is_shown=True)
    finally:
        use_language("ja")
    assert " ".join(label.text() for label in shown.findChildren(QLabel) if label.text()) == said
    assert shown.accessibleName() == said


def test_a_file_is_dropped_and_what_holds_no_rows_is_not_taken(driver: DataDriver, tmp_path: Path) -> None:
    place, mime, how = QPoint(100, 100), QMimeData(), (LEFT, Qt.KeyboardModifier.NoModifier)
    for path, is_taken in ((tmp_path / "絵.png", False), (tmp_path, False), (table(tmp_path), True)):
        mime.setUrls([QUrl.fromLocalFile(str(path))])
        event = QDragEnterEvent(place, Qt.DropAction.CopyAction, mime, *how)
        QApplication.sendEvent(driver.step, event)
        assert event.isAccepted() == is_taken
    QApplication.sendEvent(driver.step, QDropEvent(QPointF(place), Qt.DropAction.CopyAction, mime, *how))
    driver.wait()
    assert driver.counts["used"] == "30"


def test_other_columns_show_what_would_be_trained_and_are_read_anew(driver: DataDriver, tmp_path: Path) -> None:
    driver.take(table(tmp_path))
    tab = driver.tab("columns")
    boxes, preview = tab.form.boxes, tab.form.preview
    assert (tab.read_button.isEnabled(), tab.reason.text()) == (False, phrase("training.the_rows_were_read_with"))
    assert preview.texts[:3] == ["0 の点検は何年ごとか", "0 年ごとに行う。", "第0章"]
    driver.choose(boxes["group"], "")
    assert preview.texts[2] == "1eef の点検は何年ごとか"
    driver.choose(boxes["answer"], "質問")
    assert phrase("training.the_column_column_is_chosen", column="質問") in tab.form.obstacle.text()
    assert not tab.read_button.isEnabled()
    driver.choose(boxes["answer"], "章")
    driver.click(tab.read_button)
    driver.wait()
    row = driver.work.curation.items[0].row
    assert (row.answer, row.group) == ("第0章", "")
    assert not driver.tab("columns").read_button.isEnabled()


def test_columns_that_nobody_knows_are_asked_for(driver: DataDriver, tmp_path: Path) -> None:
    path = tmp_path / "表.csv"
    path.write_text("甲,乙,丙\n" + "".join(f"{n},鍵{n}はどこか,棚{n}番にある。\n" for n in range(12)), "utf-8")
    driver.take(path)
    driver.until(lambda: driver.step.findChildren(ColumnsDialog))
    dialog = driver.dialog(ColumnsDialog)
    assert (dialog.buttons["read"].isEnabled(), dialog.form.boxes["question"].count()) == (False, 4)
    assert "鍵0はどこか" in dialog.form.preview.texts
    driver.choose(dialog.form.boxes["question"], "乙")
    driver.choose(dialog.form.boxes["answer"], "丙")
    dialog.buttons["read"].click()
    driver.wait()
    assert "棚11番にある。" in [item.row.answer for item in driver.work.curation.items]


def test_a_file_that_has_changed_or_gone_since_is_told(driver: DataDriver, tmp_path: Path) -> None:
    path = table(tmp_path)
    driver.take(path)
    table(tmp_path, TROUBLED)
    for state in ("changed", "gone"):
        driver.tab("split")
        tab = driver.tab("columns")
        driver.until(lambda state=state, tab=tab: tab.file_state.text() == phrase(f"training.file_state.{state}"))
        assert tab.read_button.isEnabled() == path.exists()
        path.unlink(missing_ok=True)


def test_what_was_found_of_the_file_before_is_not_shown_of_the_next(
    driver: DataDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.take(table(tmp_path))
    tab, asked, goes_on, standing = driver.tab("columns"), [], threading.Event(), ImportOrigin.standing

    def slow_at_first(origin: ImportOrigin, path: Path) -> str:
        asked.append(path)
        return "changed" if len(asked) == 1 and goes_on.wait() else standing(origin, path)

    driver.until(lambda: not background._running)
    monkeypatch.setattr(ImportOrigin, "standing", slow_at_first)
    tab.show_rows()
    driver.until(lambda: asked)
    tab.show_rows()
    driver.qtbot.wait(100)  # the second look may end first
    goes_on.set()
    driver.until(lambda: not background._running)
    assert not tab.file_state.isVisible()
    assert not tab.read_button.isEnabled()


def test_rows_with_flaws_are_mended_kept_and_left_out_in_the_one_queue(troubled: DataDriver) -> None:
    assert troubled.step.tabs.key == "review"  # where something is to be decided
    tab = troubled.tab("review")
    editor, press = tab.editor, troubled.press
    troubled.click(tab.list.filters["left_out"])
    assert [tab.items.index(row).data() for row in range(tab.items.rowCount())][:1] == [editor.question.toPlainText()]
    assert "03-1234-5678" in "".join(editor.checks.doubts.texts)
    press(tab.list.view, Qt.Key.Key_A)  # kept; the next one is shown
    assert tab.item.row.line == 33
    press(tab.list.view, Qt.Key.Key_E)
    editor.answer.selectAll()
    troubled.qtbot.keyClicks(editor.answer, "5 years.")
    press(editor.answer, Qt.Key.Key_Return, CONTROL)
    assert row_texts.check_flaw_text("same_row") in editor.checks.doubts.texts
    press(tab.list.view, Qt.Key.Key_R)
    rows = troubled.work.curation
    assert [rows.state_of(item) for item in rows.items[30:]] == ["accepted", "edited", "rejected"]
    assert rows.row_of(rows.items[31]).answer == "5 years."
    assert troubled.counts == {"total": "34", "used": "32", "rejected": "1", "unusable": "1"}
    press(tab, Qt.Key.Key_Z, CONTROL)
    assert (rows.state_of(rows.items[32]), tab.item.row.line) == ("left_out", 35)


def test_lines_that_are_no_rows_say_why_with_the_columns(troubled: DataDriver, tmp_path: Path) -> None:
    (line,) = troubled.tab("columns").unusable.texts
    assert "質問が空です" in line
    troubled.take(table(tmp_path, "", "別.csv"))
    assert troubled.tab("columns").unusable.texts == []


def test_lengths_are_a_table_with_bars(driver: DataDriver, tmp_path: Path) -> None:
    long = "".join(f"{n * 104_729 % 99_991:05x}" for n in range(120))
    driver.take(table(tmp_path, f"長い答えは,{long}。,第9章\n"))
    tab = driver.tab("lengths")
    driver.until(tab.answers.isVisible)
    assert tab.answers.figures.rows[-1] == ("13 文字より長い", "1")
    view, figures = tab.answers.table, tab.answers.figures
    counts = [int(count) for _name, count in figures.rows]
    for row, count in enumerate(counts):  # the bar behind the name
        place = view.visualRect(figures.index(row, 0))
        drawn = view.viewport().grab().toImage().pixelColor(place.right() - 4, place.center().y())
        assert (drawn == driver.theme.color("accent_soft")) == (count == max(counts))
    assert (tab.groups.figures.rows[0], tab.categories.isVisible()) == (("第0章", "10"), False)


def test_the_rows_are_split_shown_and_split_again_when_they_have_changed(troubled: DataDriver) -> None:
    step = troubled.step
    troubled.split(SPLIT)
    frozen, tab, lock = troubled.work.draft.frozen, troubled.step._stack.currentWidget(), step.strip.lock
    assert step.tabs.key == "split"
    troubled.until(tab.facts.isVisible)
    assert tab.state.text() == phrase("training.the_rows_are_split_and")
    assert tab.checks.texts[:2] == [
        "学習用とほとんど同じ行（類似度 0.8 以上）：0",
        "同じ回答が学習用にもある行：0（0 行について比べました）",
    ]
    assert lock.words.text() == phrase("training.test_n_held_fast", n=frozen.holdout)
    assert lock.hash.text() == f"{frozen.sha256[:4]} {frozen.sha256[4:8]}"
    assert (troubled.counts["train"], offered(step)) == (str(frozen.train), "")
    troubled.work.decide(Decision(1, "rejected"))
    assert (offered(step), lock.words.text()) == (SPLIT_AGAIN, phrase("training.the_split_is_out_of"))
    troubled.click(tab.split_button)
    troubled.wait()
    assert troubled.work.draft.frozen not in (None, frozen)
    assert offered(step) == ""


def test_after_a_restart_everything_is_there_again_and_a_split_whose_files_have_gone_is_told(
    troubled: DataDriver,
) -> None:
    troubled.work.decide(Decision(31, "accepted"))
    troubled.split(SPLIT)
    troubled.reopen()
    troubled.until(lambda: troubled.step.strip.isVisible())
    assert (troubled.step.tabs.key, troubled.counts["unusable"]) == ("split", "1")
    troubled.until(troubled.tab("split").facts.isVisible)
    assert troubled.tab("columns").form.boxes["answer"].currentText() == "回答"
    assert len(troubled.tab("columns").unusable.texts) == 1
    (Path(troubled.work.draft.frozen.folder) / "holdout.jsonl").unlink()
    troubled.reopen()
    troubled.until(lambda: troubled.step.strip.isVisible())
    tab = troubled.tab("split")
    troubled.until(lambda: tab.checks.texts)
    assert "holdout.jsonl" in tab.checks.texts[0]
    assert tab.split_button.isVisible()


def test_rows_that_somebody_has_looked_through_are_only_replaced_after_a_yes(
    driver: DataDriver, tmp_path: Path
) -> None:
    driver.take(table(tmp_path))
    driver.work.decide(Decision(1, "rejected"))
    other = table(tmp_path, TROUBLED, "別.csv")
    for key, used in (("cancel", "29"), ("replace", "30")):
        driver.step.sources.take_file(other)
        driver.dialog(Dialog).buttons[key].click()
        driver.wait()
        assert driver.counts["used"] == used


def test_what_is_cancelled_leaves_what_was_there(driver: DataDriver, tmp_path: Path) -> None:
    driver.take(table(tmp_path, many(400)))
    progress = driver.step.progress
    driver.act(SPLIT)
    driver.click(progress.cancel_button)
    driver.wait()
    assert (driver.work.draft.frozen, progress.isVisible(), driver.counts["used"]) == (None, False, "430")
    driver.step.sources.take_file(table(tmp_path, many(2000), "多い.csv"))
    assert not driver.step.source_button.isEnabled()
    driver.click(progress.cancel_button)
    driver.wait()
    assert (driver.counts["used"], progress.isVisible()) == ("430", False)


# ------------------------------------------------------------------------------------------------- pairs of a model


def test_pairs_are_made_and_wait_to_be_reviewed(driver: DataDriver) -> None:
    driver.collect(*map(section, range(3)))
    dialog = driver.ask(2)
    assert dialog.collection_facts.text() == "1 件、3 節　社外秘"
    assert dialog.model.currentText() == "小さなモデル"
    driver.until(dialog.model_facts.isVisible)  # it is too small to be of use
    dialog.buttons["make"].click()
    assert driver.step.pairs.progress.isVisible()
    driver.until_taken()
    assert driver.banner().startswith("「基準」から 2 組を作りました。")
    assert driver.work.draft.name == "基準"
    assert driver.counts == {"total": "2", "used": "0", "undecided": "2"}
    assert driver.step.tabs.key == "review"
    assert driver.generation.unfinished(driver.work.draft.id) is None
    tab = driver.tab("columns")
    assert (tab.about.text(), tab.form.isVisible()) == (phrase("training.these_pairs_were_made_from"), False)


@pytest.mark.parametrize("wish", ["again", "forget"])
def test_what_is_stopped_goes_on_after_a_restart_unless_nobody_wants_it_any_more(driver: DataDriver, wish: str) -> None:
    driver.collect(*map(section, range(3)))
    driver.stop_after_one()
    driver.make(3)
    assert "作業を止めました" in driver.banner()
    assert not driver.step.pairs.progress.isVisible()
    if wish == "forget":
        driver.step.pairs.banner.action_requested.emit(wish)
    driver.reopen()
    if wish == "forget":
        driver.until(lambda: driver.step.empty.isVisible())
        assert driver.generation.unfinished(driver.work.draft.id) is None
    else:
        assert driver.banner() == phrase("training.making_questions_and_answers_from", name="基準")
        driver.step.pairs.banner.action_requested.emit(wish)
        driver.until_taken()
        assert driver.counts["undecided"] == "3"


def test_confidential_documents_become_training_data_after_a_yes_on_record(driver: DataDriver) -> None:
    driver.collect(section(0), label="secret")
    for key in ("cancel", "go"):
        dialog = driver.ask(1)
        assert dialog.collection_facts.text() == "1 件、1 節　機密　作る前に確認します"
        dialog.buttons["make"].click()
        driver.answer(key)
    driver.until_taken()
    (line,) = driver.where.exports_log.read_text("utf-8").splitlines()
    assert ("pairs-1.jsonl" in line, "橋脚" in line) == (True, False)


def test_pairs_do_not_take_the_place_of_what_was_reviewed_meanwhile(driver: DataDriver, tmp_path: Path) -> None:
    driver.collect(section(0))
    driver.make(1)
    driver.click(driver.step.empty.pairs_button)
    assert "すでに進んでいます" in driver.step.banner.accessibleName()
    driver.take(table(tmp_path))
    driver.work.decide(Decision(1, "rejected"))
    driver.until(lambda: not driver.generation.is_running)
    assert phrase("training.importing_them_replaces_the_rows") in driver.banner()
    assert driver.counts["used"] == "29"
    driver.step.pairs.banner.action_requested.emit("take")
    driver.until(lambda: driver.counts["total"] == "1")


def test_pairs_of_conversations_wait_for_the_review_of_both_answers(driver: DataDriver) -> None:
    driver.click(driver.step.empty.ratings_button)
    driver.until(driver.step.banner.isVisible)  # nothing was rated yet
    driver.collected = [
        {"prompt": f"{n} は？", "chosen": f"{n} です。", "rejected": f"{n} かな？", "label": "secret"} for n in range(3)
    ]
    driver.click(driver.step.empty.ratings_button)
    driver.answer("go")  # they are confidential
    driver.until(lambda: driver.counts.get("total") == "3")
    driver.wait()
    assert (driver.counts["used"], driver.counts["undecided"], driver.work.draft.data.label) == ("0", "3", "secret")
    assert driver.where.exports_log.exists()
    review = driver.tab("review")
    assert review.editor.rejected.isVisible()
    assert review.editor.texts == ("0 は？", "0 です。", "0 かな？")
    review.editor.rejected.setPlainText("知りません。")
    review.accept()
    assert [row.rejected for row in driver.work.curation.rows()] == ["知りません。"]
    assert (driver.work.draft.data.has_pairs, driver.work.draft.lacking_pairs) == (True, 49)


def test_without_a_model_or_documents_it_says_what_is_lacking(driver: DataDriver) -> None:
    driver.until(lambda: driver.documents.is_open)
    dialog = driver.ask()
    assert dialog.obstacle.text() == phrase("training.no_documents_have_been_read")
    assert not dialog.buttons["make"].isEnabled()


def test_where_nothing_could_be_used_the_reasons_are_told(driver: DataDriver) -> None:
    driver.collect(section(0, score=1))
    driver.make(1)
    assert driver.banner() == "使える組は作れませんでした。　使えなかった主な理由：採点が低い：1"
    assert driver.step.empty.isVisible()
    assert driver.generation.unfinished(driver.work.draft.id) is None


def test_a_table_to_fill_in_is_saved_where_the_user_says(driver: DataDriver, tmp_path: Path) -> None:
    step = driver.step
    driver.chosen = tmp_path / "記入用"
    driver.click(step.empty.template_button)
    driver.until(step.banner.isVisible)
    assert "記入用.xlsx" in step.banner.accessibleName()
    assert (tmp_path / "記入用.xlsx").is_file()


def test_what_rows_become_and_what_a_verdict_lacks_is_said_before_they_are_split(
    driver: DataDriver, tmp_path: Path
) -> None:
    path = tmp_path / "表.csv"
    path.write_text("質問,回答,章\n" + many(45), "utf-8")
    driver.take(path)
    told = driver.step.outlook
    driver.until(told.isVisible)
    assert told.text().startswith("分けると、学習用 23 行、検証用 11 行、試験用 11 行になります。")
    assert "試験用が 20 行" in told.text()
    assert "あと約 36 行" in told.text()
    path.write_text("質問,回答,章\n" + many(90), "utf-8")
    driver.take(path)
    driver.until(lambda: phrase("training.verdict_has_rows", least=20) in told.text())


def test_rows_that_cannot_be_split_are_told_of_before_anybody_tries(driver: DataDriver, tmp_path: Path) -> None:
    path = tmp_path / "二つの章.csv"
    path.write_text("質問,回答,章\n" + many(25) + many(50)[len(many(25)) :].replace("第1章", "第2章"), "utf-8")
    driver.take(path)
    driver.until(driver.step.outlook.isVisible)
    assert driver.step.outlook.text().startswith("50 行のほとんどが似ているか同じグループのため、")
    assert driver.step.outlook.text().endswith("グループの列を細かいもの（文書ごとなど）に変えてください。")


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_heads_of_tables_are_whole_with_large_text(driver: DataDriver, tmp_path: Path, language: str) -> None:
    long = "".join(f"{n * 104_729 % 99_991:05x}" for n in range(120))
    use_language(language)
    try:
        driver.reopen()
        driver.enlarge(110)
        alike = "同じ質問は何か,同じ答えである。,第8章\n" * 2
        driver.take(table(tmp_path, f"長い答えは,{long}。,第9章\n{alike}"))
        driver.work.decide(Decision(33, "accepted"))  # a copy, which the split removes
        seen = 0
        lengths = driver.tab("lengths")
        driver.until(lengths.answers.isVisible)
        driver.work.freeze()
        driver.wait()
        for key in ("lengths", "split"):
            tab = driver.tab(key)
            if key == "split":
                driver.until(tab.removed_table.isVisible)
            for head in [one for one in tab.findChildren(QHeaderView) if one.isVisible() and one.count()]:
                titles = [head.model().headerData(at, Qt.Orientation.Horizontal) for at in range(head.count())]
                for at, title in enumerate(titles):
                    assert head.sectionSize(at) >= head.fontMetrics().horizontalAdvance(title) + 8, title
                seen += 1
        assert seen >= 3
    finally:
        use_language("ja")
