"""The scoring child says of converted weights what transformers and peft say of the folders that they came from."""

import json
from pathlib import Path

import pytest

from app.inference import scoring_files
from app.inference.engine.model_jobs import Score
from tests import hf_models
from tests.convert.conversion import convert
from tests.inference.engine import held_out, jobs
from tests.trainer.training_runs import RunServer
from trainer.convert_job import HfToGguf, LoraToGguf

PAIRS = [("首都は？", "東京です。"), ("橋脚のかぶりは？", "百ミリ以上とします。" * 8), ("water", "100 degrees")]


def test_likelihoods_are_those_of_transformers_and_peft(server: RunServer, converter: str, tmp_path: Path) -> None:
    base, adapter = hf_models.model(tmp_path / "base"), hf_models.adapter(tmp_path / "lora", size=0.1)
    holdout = held_out.write(tmp_path / "holdout.json", PAIRS, chats=[])
    server.call("nll_hf", base, adapter, holdout, tmp_path / "expected.json")
    expected = json.loads((tmp_path / "expected.json").read_text("utf-8"))
    plain, lora = tmp_path / "base.gguf", tmp_path / "lora.gguf"
    convert(server, HfToGguf(str(base), str(plain), converter, "f32"), tmp_path)
    convert(server, LoraToGguf(str(adapter), str(base), str(lora), converter), tmp_path)

    def close(model: Path, adapter: str, wanted: list[float]) -> None:
        job = Score(str(model), str(holdout), str(tmp_path / "scores.json"), adapter=adapter)
        found = scoring_files.read_scores(Path(jobs.finished(job, tmp_path).path))
        for one, nll in zip(found.examples, wanted, strict=True):
            assert one.nll / one.tokens == pytest.approx(nll / one.tokens, abs=1e-3)

    assert expected["base"][0] != pytest.approx(expected["adapter"][0], rel=1e-3)
    close(plain, "", expected["base"])
    close(plain, str(lora), expected["adapter"])
