"""Adapters of PEFT for models of the list: the base must be theirs, and the kind one that llama.cpp can apply."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from app.base.errors import AppError
from app.base.files import input_file
from app.base.paths import Paths
from app.chat.store import Store
from app.inference.local_model import LocalModel
from app.models import local_models, model_registry, peft_adapter
from tests import hf_models
from tests import model_files as models
from tests.hf_models import HfShape
from tests.permits import PERMIT


@pytest.fixture
def base(where: Paths, store: Store) -> LocalModel:
    path = models.tiny_llama(where.models / "base.gguf")
    return local_models.add(store, dataclasses.replace(local_models.describe(path), name="土台"))


def refusal(folder: Path, base: LocalModel) -> str:
    with pytest.raises(AppError) as caught:
        peft_adapter.read_for(folder, base)
    return caught.value.code


def raw(folder: Path) -> dict[str, bytes]:
    data = (folder / "adapter_model.safetensors").read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:begin])
    entries.pop("__metadata__", None)
    return {name: data[slice(*(begin + at for at in entry["data_offsets"]))] for name, entry in entries.items()}


def test_it_is_listed_and_written_again_as_it_was(base, where, store, tmp_path):
    folder = hf_models.adapter(tmp_path / "lora")
    found = peft_adapter.read_for(folder, base)
    assert not found.is_proven
    model = peft_adapter.add(found, base, "点検", store, where.models)
    assert [one.id for one in model_registry.list_models(store, where.models)] == [base.id, model.id]
    assert (model.name, model.tuned and model.tuned.base_name) == ("点検", "土台")
    model_registry.require_unchanged(model)
    assert peft_adapter.add(found, base, "もう一度", store, where.models) == model
    out = peft_adapter.export(model, tmp_path / "out", permit=PERMIT)
    assert raw(out) == raw(folder)
    config = json.loads((out / "adapter_config.json").read_bytes())
    assert (config["r"], config["lora_alpha"], config["target_modules"]) == (4, 8, ["q_proj", "v_proj"])
    assert peft_adapter.read_for(out, base).is_proven  # it names the base's hash
    with pytest.raises(AppError, match="peft_folder_taken"):
        peft_adapter.export(model, out, permit=PERMIT)
    with pytest.raises(AppError, match="peft_no_adapter"):
        peft_adapter.export(base, tmp_path / "none", permit=PERMIT)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"shape": HfShape(layers=3)}, "hf_adapter_mismatch"),
        ({"shape": HfShape(embedding=128)}, "hf_adapter_mismatch"),
        ({"use_dora": True}, "hf_adapter_unsupported"),
        ({"init_lora_weights": "pissa_niter_16"}, "hf_adapter_unsupported"),  # it belongs to another base
    ],
)
def test_another_base_or_kind_is_refused(base, tmp_path, change, code):
    assert refusal(hf_models.adapter(tmp_path / "lora", **change), base) == code


def test_matrices_that_llama_cpp_names_otherwise_are_refused(base, tmp_path):
    folder = hf_models.adapter(tmp_path / "lora")
    weights = folder / "adapter_model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data.replace(b"q_proj", b"w_pack"))
    assert refusal(folder, base) == "peft_unsupported"


@pytest.mark.parametrize(
    ("second", "code"), [("layers.0.self_attn", "hf_adapter_unsupported"), ("layers.00.self_attn", "peft_unsupported")]
)
def test_two_pairs_for_one_matrix_are_refused(base, tmp_path, second, code):
    folder = hf_models.adapter(tmp_path / "lora")
    arrays = {
        name: np.frombuffer(data, np.float32).reshape(-1, 64 if "_A" in name else 4)
        for name, data in raw(folder).items()
    }
    copies = {
        name.replace("layers.0.self_attn", second).replace(".weight", ".default.weight"): array
        for name, array in arrays.items()
        if "layers.0" in name
    }
    hf_models.safetensors(folder / "adapter_model.safetensors", arrays | copies)
    assert refusal(folder, base) == code


def test_ranks_that_one_configuration_cannot_state_are_not_exported(base, where, store, tmp_path):
    model = peft_adapter.add(
        peft_adapter.read_for(hf_models.adapter(tmp_path / "lora"), base), base, "点検", store, where.models
    )
    other = models.tiny_adapter(tmp_path / "other.gguf", ranks=(4, 8))
    assert model.tuned is not None
    sha256 = input_file.sha256_of(other)
    model = dataclasses.replace(
        model, adapter=str(other), tuned=dataclasses.replace(model.tuned, adapter_sha256=sha256)
    )
    with pytest.raises(AppError, match="peft_unsupported"):
        peft_adapter.export(model, tmp_path / "out", permit=PERMIT)


def test_one_that_is_not_finite_leaves_nothing(base, where, store, tmp_path):
    folder = hf_models.adapter(tmp_path / "lora", size=float("nan"))
    with pytest.raises(AppError, match="peft_not_finite"):
        peft_adapter.add(peft_adapter.read_for(folder, base), base, "点検", store, where.models)
    assert model_registry.list_models(store, where.models) == [base]
    assert not list((where.models / "adapters").iterdir())


@pytest.mark.parametrize("what", ["hash", "repository"])
def test_an_adapter_that_names_another_base_is_refused(base, tmp_path, what):
    folder = hf_models.adapter(tmp_path / "lora", base_model_name_or_path="someone/another-8B")
    sha256 = input_file.sha256_of(Path(base.path))
    if what == "hash":
        (folder / "kotae.json").write_text(json.dumps({"base_sha256": sha256[::-1]}))
    else:
        base = dataclasses.replace(base, card_id="llama-3-swallow-8b-instruct-v0.1")
    assert refusal(folder, base) == "peft_other_base"
    (folder / "kotae.json").write_text(json.dumps({"base_sha256": sha256}))
    assert peft_adapter.read_for(folder, base).is_proven
