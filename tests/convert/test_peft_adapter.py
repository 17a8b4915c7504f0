"""Adapters of PEFT become GGUF adapters of listed models and back: those of llama.cpp's converter, the same answers."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.base.paths import Paths
from app.chat.store import Store
from app.models import local_models, model_registry, peft_adapter
from app.models.training_environment import TrainingEnvironment
from tests.convert import engine_side
from tests.convert.conversion import convert
from tests.convert.proof import CASES, Case
from tests.permits import PERMIT
from tests.trainer.training_runs import RunServer
from trainer.convert_job import HfToGguf, LoraToGguf

LOGITS = """
import sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
base, *adapters = sys.argv[1:]
found = []
for adapter in adapters:
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter).eval()
    with torch.no_grad():
        found.append(model(torch.arange(5, 40)[None]).logits)
with model.disable_adapter(), torch.no_grad():
    plain = model(torch.arange(5, 40)[None]).logits
print(float((found[0] - found[1]).abs().max()), float((found[0] - plain).abs().max()))
"""


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if case.with_adapter])
def test_what_is_imported_and_exported_again_answers_the_same(
    case: Case,
    environment: TrainingEnvironment,
    tiny_model: Callable[[Case], Path],
    server: RunServer,
    converter: str,
    where: Paths,
    store: Store,
    tmp_path: Path,
) -> None:
    folder = tiny_model(case)
    base, theirs = tmp_path / "base.gguf", tmp_path / "theirs.gguf"
    convert(server, HfToGguf(str(folder / "base"), str(base), converter), tmp_path)
    convert(server, LoraToGguf(str(folder / "adapter"), str(folder / "base"), str(theirs), converter), tmp_path)
    listed = local_models.add(store, local_models.describe(base))
    found = peft_adapter.read_for(folder / "adapter", listed)
    model = peft_adapter.add(found, listed, "点検の答え", store, where.models)
    ours, expected = engine_side.tensors(Path(model.adapter)), engine_side.tensors(theirs)
    assert ours.keys() == expected.keys()
    assert all(np.array_equal(ours[name], expected[name]) for name in ours)
    assert model in model_registry.list_models(store, where.models)
    exported = peft_adapter.export(model, tmp_path / "外へ", permit=PERMIT)
    logits = [str(environment.python), "-c", LOGITS, *map(str, (folder / "base", folder / "adapter", exported))]
    difference, effect = map(float, subprocess.run(logits, check=True, capture_output=True).stdout.split())
    assert difference == 0.0
    assert effect > 0.01
