"""Places of the page 学習 where a text can be typed, and that have no picture of their own."""

import dataclasses
from collections.abc import Callable

from app.application import AppContext
from app.training.ui.check_step import CheckStep
from app.training.ui.data.data_step import DataStep
from app.training.ui.data.row_editor import RowEditor
from app.training.ui.model_step import ModelStep
from app.training.ui.page import TrainingPage
from app.training.ui.wizard import DraftWizard, WizardStep
from tests import document_shots, training_shots
from trainer.events import Preview, PreviewToken


def _page(parts: AppContext) -> TrainingPage:
    page = parts.window.page("training")
    assert isinstance(page, TrainingPage)
    return page


def _step(parts: AppContext) -> WizardStep:
    content = _page(parts).content
    assert isinstance(content, DraftWizard)
    return content.step


def search(parts: AppContext) -> None:
    """While something is looked for, the field stays, also among few trainings."""
    training_shots.training_result(parts)
    _page(parts).search.setText("x")


def name_and_note(parts: AppContext) -> None:
    training_shots.training_result(parts)
    entry = _page(parts).list.entry
    assert entry is not None
    _page(parts).entry_actions.edit(entry)


def pairs(parts: AppContext) -> None:
    document_shots.documents(parts)
    training_shots.training_data(parts)
    step = _step(parts)
    assert isinstance(step, DataStep)
    step.sources.ask_pairs()


def pair_review(parts: AppContext) -> None:
    training_shots.training_review(parts)
    editor = _step(parts).findChild(RowEditor)
    assert editor is not None
    assert editor.item is not None
    editor.show_item(editor.item, dataclasses.replace(editor.item.row, rejected="いいえ。"), None, "", None)


def details(parts: AppContext) -> None:
    training_shots.training_model(parts)
    step = _step(parts)
    assert isinstance(step, ModelStep)
    step.fold_button.click()


def tokens(parts: AppContext) -> None:
    training_shots.training_check(parts)
    step = _step(parts)
    assert isinstance(step, CheckStep)
    step.tokens.show()
    step.tokens.show_previews([Preview(1, (PreviewToken(1, "はい", is_trained=True),))])


PLACES: dict[str, Callable[[AppContext], object]] = {
    "training_search": search,
    "training_name": name_and_note,
    "training_pairs": pairs,
    "training_pair_review": pair_review,
    "training_details": details,
    "training_tokens": tokens,
}
