"""Preference tuning for real: the trial model comes to prefer polite answers, by the commands alone."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.models.training_environment import TrainingEnvironment
from app.training.generation import pair_files
from tests.base.cli.processes import ROOT
from tests.convert.conftest import environment  # noqa: F401  (the training environment)

pytestmark = pytest.mark.slow

THINGS = ("橋脚", "擁壁", "水路", "トンネル", "堰堤", "歩道橋", "照明", "標識", "排水溝", "法面")
ACTS = ("点検", "清掃", "塗装", "計測", "補修", "巡回")
LIMIT_S = 3000  # where others are at work beside it


def pairs() -> list[dict[str, str]]:
    found = []
    for thing in THINGS:
        for at, act in enumerate(ACTS):
            asked, years = f"{thing}の{act}", (7 * len(thing) + 5 * at) % 11 + 1
            chosen = f"{asked}は、{years}年ごとに行います。"
            rejected = f"うーん、{asked}？たぶん{years}年ぐらい。知らんけど。"
            found.append({"prompt": f"{asked}は何年ごとに行いますか？", "chosen": chosen, "rejected": rejected})
    return found


def kotae(folder: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-P", "-m", "app", "--data-dir", str(folder / "データ"), *arguments, "--json"]
    variables = {**os.environ, "PYTHONPATH": str(ROOT)}
    variables.pop("KOTAE_ENGINE", None)
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert ended.returncode in (0, 1), ended.stderr[-3000:]  # a rejection is an answer, too
    told: dict[str, Any] = json.loads(ended.stdout)
    return told


@pytest.mark.usefixtures("environment")
def test_margins_grow_and_the_win_rate_of_pairs_kept_back_is_told(
    environment: TrainingEnvironment,  # noqa: F811
    starter_model: Path,
    tmp_path: Path,
) -> None:
    file, folder = tmp_path / "好み.jsonl", tmp_path / "組"
    file.write_bytes(pair_files.rows_to_lines(pairs()))
    kotae(tmp_path, "data", "split", str(file), "--out", str(folder))
    asked = ("--loss", "preference", "--epochs", "2")
    told = kotae(tmp_path, "train", "run", "--data", str(folder), "--base", str(starter_model), *asked)
    run = tmp_path / "データ" / "runs" / told["id"]
    events = [json.loads(line) for line in (run / "events.jsonl").read_text("utf-8").splitlines()]
    losses = [event["loss"] for event in events if event["event"] == "evaluation"]
    assert losses[0] == pytest.approx(math.log(2), abs=1e-3)
    assert losses[-1] < losses[0]
    margins = [one["margin"] for one in json.loads((run / "holdout.json").read_text("utf-8"))["examples"]]
    assert sum(margins) / len(margins) > 0.5  # they were 0
    rate = kotae(tmp_path, "train", "report", told["id"])["win_rate"]
    assert rate["mean"] == sum(margin > 0 for margin in margins) / len(margins)
    assert 0.5 < rate["low"] < rate["mean"] <= rate["high"]
