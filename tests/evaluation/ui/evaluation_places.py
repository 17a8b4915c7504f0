"""Places of the page 評価 where a text can be typed, and that have no picture of their own."""

from collections.abc import Callable
from unittest import mock

from app.application import AppContext
from app.evaluation import question_sets
from app.evaluation.records import Question
from app.evaluation.ui.blind_view import BlindView
from app.evaluation.ui.page import EvaluationPage
from app.evaluation.ui.question_set_view import SetView
from app.evaluation.ui.result_view import EvaluationResultView
from app.evaluation.ui.study_dialog import StudyDialog
from app.models import local_models
from app.training.runs.training_list import SplitChoice
from tests import evaluation_shots, training_shots
from tests.evaluation_shots import SETS
from tests.waiting import process_until


def _page(parts: AppContext) -> EvaluationPage:
    page = parts.window.page("evaluation")
    assert isinstance(page, EvaluationPage)
    return page


def _set(parts: AppContext) -> SetView:
    """A set, with what can be changed of it."""
    evaluation_shots.evaluation_set(parts)
    view = _page(parts).contents.currentWidget()
    assert isinstance(view, SetView)
    process_until(view.edit_button.isEnabled)
    return view


def question(parts: AppContext) -> None:
    _set(parts).edit()


def rename(parts: AppContext) -> None:
    view = _set(parts)
    view.rename()
    process_until(lambda: view.dialog is not None)


def versions(parts: AppContext) -> None:
    view = _set(parts)
    question_sets.store(view._folder, SETS["ja"][0], [Question("q1", "一つだけ残した問い")])
    view.show_set(SETS["ja"][0])
    process_until(view.head.versions.isVisible)


def write(parts: AppContext) -> None:
    evaluation_shots.evaluation_empty(parts)
    page = _page(parts)
    page.adding.write()
    process_until(lambda: page.adding.dialog)


def _start(parts: AppContext, kind: str) -> StudyDialog:
    """With a model that can be trained, and data that were split."""
    training_shots.base_model(parts, parts.evaluations._paths.data)
    evaluation_shots.evaluation_set(parts)
    page = _page(parts)
    choice = SplitChoice("窓口の応対", "/x", "応対.csv", 90, 30)
    model = page.start_action.model
    look = model.look
    model.look = lambda: look()._replace(splits=[choice], has_trainer=True)  # type: ignore[method-assign]
    page.start_action.ask()
    process_until(lambda: page.start_action.dialog and page.start_action.dialog.isVisible())
    dialog = page.start_action.dialog
    assert dialog is not None
    dialog.kinds.answers[kind].radio.click()
    return dialog


def details(parts: AppContext) -> None:
    dialog = _start(parts, "models")
    dialog.judge.judge.setCurrentIndex(1)
    dialog.judge.judge.changed.emit()
    dialog.fold_button.click()


def blind(parts: AppContext) -> None:
    """Which two are compared."""
    evaluation_shots.evaluation_result(parts)
    view = _page(parts).contents.currentWidget()
    assert isinstance(view, EvaluationResultView)
    view.tabs.buttons["blind"].click()
    blind = view.pages.currentWidget()
    assert isinstance(blind, BlindView)
    process_until(lambda: blind.panel is blind.start)


def quantizations(parts: AppContext) -> None:
    _start(parts, "quantizations")


def scale(parts: AppContext) -> None:
    _start(parts, "scale")


def thinking(parts: AppContext) -> None:
    """With models that can think."""
    with mock.patch.object(local_models, "thinking_of", return_value="on_request"):
        _start(parts, "thinking")


PLACES: dict[str, Callable[[AppContext], object]] = {
    "evaluation_question": question,
    "evaluation_rename": rename,
    "evaluation_versions": versions,
    "evaluation_write": write,
    "evaluation_details": details,
    "evaluation_blind_start": blind,
    "evaluation_quantizations": quantizations,
    "evaluation_scale": scale,
    "evaluation_thinking": thinking,
}
