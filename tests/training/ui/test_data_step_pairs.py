"""The step of the data: question-answer pairs are made from a collection, over the fake engine as a real child."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QWidget

from app.base.confidentiality import Label
from app.base.services import background
from app.documents.library import Library
from app.inference.local_model import LocalModel
from app.training.data.curation import Decision
from app.training.services.pair_generation import JOURNAL_SUFFIX
from app.training.ui.data.data_sources import GeneratePairsDialog
from app.training.ui.data.review_tab import ReviewTab
from app.uikit.theme import Theme
from tests.scene import Scene
from tests.training.generation.collection import library_of
from tests.training.services.test_generation import section
from tests.training.ui.data_desk import Desk, table


@pytest.fixture
def desk(scene: Scene, theme: Theme, model: LocalModel) -> Iterator[Desk]:
    made = Desk(scene, theme, model)
    yield made
    background.shut_down()
    made.close()


def collection(desk: Desk, *sections: Any, label: Label = "internal") -> None:
    library_of(desk.where.documents, {"基準.md": sections}).close()
    library = Library.beside(desk.where.documents)
    library.set_label(library.collection("基準").id, label)
    library.close()
    desk.wait(lambda: desk.documents.is_open)
    desk.documents.check_for_changes()


def asked(desk: Desk, button: QWidget, wanted: int = 10) -> GeneratePairsDialog:
    desk.step.sources.dialog = None
    desk.click(button)
    dialog = desk.dialog(GeneratePairsDialog)
    assert isinstance(dialog, GeneratePairsDialog)
    dialog.wanted.setMinimum(1)
    dialog.wanted.setValue(wanted)
    return dialog


def banner(desk: Desk) -> str:
    desk.wait(desk.step.pairs.banner.isVisible)
    return desk.step.pairs.banner.accessibleName()


def test_pairs_are_made_and_wait_to_be_reviewed(desk: Desk) -> None:
    collection(desk, *map(section, range(3)))
    dialog = asked(desk, desk.step.empty.pairs_button, 2)
    assert dialog.collection_facts.text() == "1 件、3 節　社外秘"
    assert dialog.model.currentText() == "小さなモデル"
    desk.wait(dialog.model_facts.isVisible)  # it is too small to be of use
    dialog.buttons["make"].click()
    assert desk.step.pairs.progress.isVisible()
    desk.wait(lambda: desk.work.draft.data is not None and not desk.work.is_busy)
    assert banner(desk).startswith("「基準」から 2 組を作りました。")
    assert desk.counts == {"total": "2", "used": "0", "undecided": "2"}
    assert desk.step.tabs.key == "review"
    assert isinstance(desk.step._stack.currentWidget(), ReviewTab)
    assert desk.making.unfinished(desk.work.draft.id) is None
    assert "列はありません" in desk.columns.explained.text()
    assert not desk.columns.form.isVisible()


def test_what_is_stopped_goes_on_after_a_restart(desk: Desk) -> None:
    collection(desk, *map(section, range(3)))
    pairs, stops = desk.step.pairs, iter([desk.making.stop])
    desk.making.progressed.connect(lambda _id, one: next(stops, int)() if one.round.done == 1 else None)
    asked(desk, desk.step.empty.pairs_button, 3).buttons["make"].click()
    assert "作業を止めました" in banner(desk)
    assert not pairs.progress.isVisible()
    step = desk.reopened()
    assert banner(desk).startswith("「基準」から質問と回答を作る作業は途中です。")
    step.pairs.banner.action_requested.emit("again")
    desk.wait(lambda: desk.work.draft.data is not None and not desk.work.is_busy)
    assert desk.counts["undecided"] == "3"


def test_what_nobody_wants_any_more_is_not_offered_again(desk: Desk) -> None:
    collection(desk, *map(section, range(3)))
    desk.making.progressed.connect(lambda _id, one: desk.making.stop() if one.round.done == 1 else None)
    asked(desk, desk.step.empty.pairs_button, 3).buttons["make"].click()
    assert "作業を止めました" in banner(desk)
    desk.step.pairs.banner.action_requested.emit("forget")
    desk.reopened()
    desk.wait(lambda: desk.step.empty.isVisible())
    assert desk.making.unfinished(desk.work.draft.id) is None


def test_confidential_documents_become_training_data_after_a_yes_on_record(desk: Desk) -> None:
    collection(desk, section(0), label="secret")
    for key in ("cancel", "go"):
        dialog = asked(desk, desk.step.empty.pairs_button, 1)
        assert dialog.collection_facts.text() == "1 件、1 節　機密　作る前に確認します"
        desk.secrecy.dialog = None
        dialog.buttons["make"].click()
        desk.wait(lambda: desk.secrecy.dialog is not None)
        assert desk.secrecy.dialog is not None
        assert not desk.making.is_running
        desk.secrecy.dialog.buttons[key].click()
    desk.wait(lambda: desk.work.draft.data is not None and not desk.work.is_busy)
    (line,) = desk.where.exports_log.read_text("utf-8").splitlines()
    assert "pairs-1.jsonl" in line
    assert "橋脚" not in line


def test_pairs_that_cannot_begin_after_a_yes_are_not_on_record(desk: Desk) -> None:
    collection(desk, section(0), label="secret")
    journal = desk.where.drafts / desk.work.draft.id / f"pairs-1.jsonl{JOURNAL_SUFFIX}"
    journal.write_text("壊れた行\n", "utf-8")
    asked(desk, desk.step.empty.pairs_button, 1).buttons["make"].click()
    desk.wait(lambda: desk.secrecy.dialog is not None)
    assert desk.secrecy.dialog is not None
    desk.secrecy.dialog.buttons["go"].click()
    desk.wait(desk.step.pairs.banner.isVisible)
    assert not desk.making.is_running
    assert not desk.where.exports_log.exists()


def test_pairs_do_not_take_the_place_of_what_was_reviewed_meanwhile(desk: Desk, tmp_path: Path) -> None:
    collection(desk, section(0))
    asked(desk, desk.step.empty.pairs_button, 1).buttons["make"].click()
    desk.click(desk.step.empty.pairs_button)
    assert desk.step.banner.accessibleName().startswith("資料から質問と回答を作る作業が、すでに進んでいます。")
    desk.take(table(tmp_path))
    desk.work.decide(Decision(1, "rejected"))
    desk.wait(lambda: not desk.making.is_running)
    assert "見直しの結果は残りません" in banner(desk)
    assert desk.counts["used"] == "29"
    desk.step.pairs.banner.action_requested.emit("take")
    desk.wait(lambda: desk.counts["total"] == "1")


def test_without_a_model_or_documents_it_says_what_is_lacking(desk: Desk) -> None:
    desk.wait(lambda: desk.documents.is_open)
    dialog = asked(desk, desk.step.empty.pairs_button)
    assert "資料がまだありません" in dialog.obstacle.text()
    assert not dialog.buttons["make"].isEnabled()


def test_where_nothing_could_be_used_the_reasons_are_told(desk: Desk) -> None:
    collection(desk, section(0, score=1))
    asked(desk, desk.step.empty.pairs_button, 1).buttons["make"].click()
    assert banner(desk) == "使える組は作れませんでした。　使えなかった主な理由：採点が低い：1"
    assert desk.step.empty.isVisible()
