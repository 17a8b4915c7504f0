"""確認 over the real trainer with a tiny base: its own tokens, and three steps that it really computes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.base.paths import Paths
from app.base.services import background
from app.models.training_environment import TrainingEnvironment
from app.training.services.training_run import Trainer
from app.training.ui.check_step import CheckStep
from app.uikit.theme import Theme
from tests.convert.conftest import environment  # noqa: F401  (the training environment)
from tests.trainer.card_forms import CARD_FORMS, as_json, form_of
from tests.trainer.training_runs import tiny_base  # noqa: F401
from tests.training.ui.driver import CHECK, START, Planned, offered

pytestmark = pytest.mark.slow


@pytest.fixture
def planned(
    environment: TrainingEnvironment,  # noqa: F811
    tiny_base: Path,  # noqa: F811
    where: Paths,
    tmp_path: Path,
    qtbot: QtBot,
    theme: Theme,
) -> Iterator[Planned]:
    planned = Planned(where, tmp_path, qtbot, theme, Trainer(environment))
    form = as_json(form_of(CARD_FORMS["llama3"]))  # the tiny base brings no chat template
    planned.work.change(base=str(tiny_base), settings={"device": "cpu", "precision": "f32", "form": form})
    yield planned
    background.shut_down()


def test_the_trainer_s_own_tokens_are_shown_and_three_steps_measured(planned: Planned) -> None:
    step = CheckStep(planned.theme, planned.work, lambda _step: None, lambda: None)
    planned.show(step)
    failures: list[object] = []
    planned.work.failed.connect(failures.append)
    planned.act(CHECK)
    planned.until(lambda: not planned.work.is_busy, seconds=240)  # torch is loaded for real
    assert failures == []
    assert planned.work.plan is not None
    assert len(planned.work.plan.previews) == 20
    shown = step.tokens.text.toPlainText()
    learned = step.tokens.text.accessibleDescription()
    assert "の点検は" in shown
    assert "年ごと" in learned
    assert "の点検は" not in learned
    assert [token.is_trained for token in planned.work.plan.previews[0].tokens][-1]  # the answer's end
    step.forecast.trial_button.click()
    planned.until(lambda: not planned.work.is_busy, seconds=240)  # torch is loaded for real
    assert failures == []
    assert planned.work.draft.forecast is not None
    assert planned.work.draft.forecast.is_measured
    assert step.forecast.headline.text().startswith("3 ステップ試した結果：判定まで約 ")
    assert offered(step) == START
