"""What the presets would take: each in turn, anew for what costs otherwise, and what a setting would be without one."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.base import paths
from app.base.paths import Paths
from app.base.services import background
from app.inference import speed
from app.inference.speed import MachineSpeed
from app.models import local_models
from app.training.data.rows import PARTS
from app.training.drafts import DraftSplit, TrainingDraft
from app.training.services.preset_forecasts import PresetForecasts
from tests import model_files as models
from trainer.spec import PRESETS


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    where = paths.locate(str(tmp_path / "データ"))
    where.data.mkdir(parents=True, exist_ok=True)
    speed.save(where.data / speed.FILE_NAME, MachineSpeed(5.3e9, 3.1e11, 1e11, 2, 1.0))
    return where


@pytest.fixture
def draft(tmp_path: Path) -> TrainingDraft:
    roles = (("user", "点検は何年ごとか"), ("assistant", "五年ごとに行う"))
    row = json.dumps({"messages": [{"role": role, "content": text} for role, text in roles]}, ensure_ascii=False)
    for part, count in zip(PARTS, (60, 6, 6), strict=True):
        (tmp_path / f"{part}.jsonl").write_text(f"{row}\n" * count, "utf-8")
    frozen = DraftSplit(str(tmp_path), 1, 60, 6, 6, "a41f", is_sound=True)
    return TrainingDraft("1", frozen=frozen, base=str(models.tiny_llama(tmp_path / "小.gguf")))


@pytest.fixture
def outlooks(where: Paths, qtbot: QtBot) -> Iterator[PresetForecasts]:
    yield PresetForecasts(where, tuple)
    background.shut_down()


def look(outlooks: PresetForecasts, draft: TrainingDraft, qtbot: QtBot) -> None:
    outlooks.look(draft)
    qtbot.waitUntil(lambda: not outlooks.is_working)


def test_each_preset_is_told_and_the_draft_s_own_first(
    outlooks: PresetForecasts, draft: TrainingDraft, qtbot: QtBot
) -> None:
    told: list[tuple[str, ...]] = []
    outlooks.changed.connect(lambda: told.append(tuple(outlooks.forecasts)))
    look(outlooks, dataclasses.replace(draft, preset="thorough"), qtbot)
    assert told[:3] == [(), (), ("thorough",)]
    assert set(outlooks.forecasts) == set(PRESETS)
    ranks = {preset: one.plan.spec.rank for preset, one in outlooks.forecasts.items()}
    assert ranks == {"light": 8, "standard": 16, "thorough": 32, "paper-2603.18037": 16, "paper-2603.18037-bases": 32}
    assert outlooks.forecasts["light"].plan.time.total_s < outlooks.forecasts["thorough"].plan.time.total_s
    assert not outlooks.forecasts["light"].plan.counts.is_exact


def test_only_what_changes_the_cost_is_estimated_anew_and_a_changed_setting_is_told(
    outlooks: PresetForecasts, draft: TrainingDraft, qtbot: QtBot
) -> None:
    look(outlooks, draft.with_settings(rank=64, epochs=30.0, samples=("橋は？",)), qtbot)
    standard = outlooks.forecasts["standard"]
    assert (standard.plan.spec.rank, standard.left["rank"], standard.left["epochs"]) == (64, 16, 3.0)
    assert standard.plan.spec.learning_rate == 2e-4  # of a long run: what is left open follows what is not
    look(outlooks, draft, qtbot)
    found = outlooks.forecasts
    for same in (draft.with_settings(seed=7), dataclasses.replace(draft, preset="light", name="別の名前")):
        outlooks.look(same)
        assert not outlooks.is_working
        assert outlooks.forecasts is found
    outlooks.look(draft.with_settings(rank=4))
    assert outlooks.is_working
    assert outlooks.forecasts == {}


def test_another_base_ends_what_went_on(
    outlooks: PresetForecasts, where: Paths, draft: TrainingDraft, qtbot: QtBot, tmp_path: Path
) -> None:
    larger = models.tiny_llama(tmp_path / "大.gguf", shape=dataclasses.replace(models.TINY, layers=4))
    outlooks.look(draft)
    look(outlooks, dataclasses.replace(draft, base=str(larger)), qtbot)
    small = PresetForecasts(where, tuple)
    look(small, draft, qtbot)
    assert len(outlooks.forecasts) == len(PRESETS)
    needed = [one.forecasts["standard"].plan.memory.total for one in (outlooks, small)]
    assert needed[0] > needed[1]


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"base": "どこにもない"}, "base_unknown"), ({"settings": {"rank": 0}}, "spec_invalid")],
)
def test_why_there_are_none_is_told(
    outlooks: PresetForecasts, draft: TrainingDraft, qtbot: QtBot, changes: dict[str, object], code: str
) -> None:
    look(outlooks, dataclasses.replace(draft, **changes), qtbot)
    assert (outlooks.error.code, outlooks.forecasts) == (code, {})


def test_a_model_of_the_list_is_looked_up_there(where: Paths, draft: TrainingDraft, qtbot: QtBot) -> None:
    model = dataclasses.replace(local_models.describe(Path(draft.base)), id="小さい")
    outlooks = PresetForecasts(where, lambda: (model,))
    look(outlooks, dataclasses.replace(draft, base="小さい"), qtbot)
    assert outlooks.error is None
    assert outlooks.forecasts["standard"].plan.spec.base == model.path


def test_without_data_or_a_base_nothing_is_estimated(outlooks: PresetForecasts, draft: TrainingDraft) -> None:
    for less in (dataclasses.replace(draft, base=""), dataclasses.replace(draft, frozen=None)):
        outlooks.look(less)
        assert (outlooks.is_working, outlooks.forecasts, outlooks.error) == (False, {}, None)
