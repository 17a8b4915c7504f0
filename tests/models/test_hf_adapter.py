"""Adapters of PEFT: plain LoRA that fits its base, and every other kind refused by name."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from app.base.errors import AppError
from app.models import hf_folders
from app.models.hf_folders import HfModel
from tests import hf_models
from tests.hf_models import HfShape
from tests.models.test_hf_folder import Canary


@pytest.fixture
def base(tmp_path: Path) -> HfModel:
    return hf_folders.read_hf_model(hf_models.model(tmp_path / "base"))


def code_of(folder: Path, base: HfModel) -> str:
    with pytest.raises(AppError) as caught:
        hf_folders.read_hf_adapter(folder, base)
    return caught.value.code


def test_a_plain_lora_that_fits_is_understood(tmp_path, base):
    adapter = hf_folders.read_hf_adapter(hf_models.adapter(tmp_path / "lora"), base)
    assert (adapter.rank, adapter.alpha, len(adapter.shapes), adapter.base) == (4, 8.0, 4, "kotae/tiny")


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"peft_type": "IA3"}, "hf_adapter_unsupported"),
        ({"peft_type": None}, "hf_adapter_unsupported"),
        ({"use_dora": True}, "hf_adapter_unsupported"),
        ({"use_rslora": True}, "hf_adapter_unsupported"),
        ({"modules_to_save": ["lm_head"]}, "hf_adapter_unsupported"),
        ({"alpha_pattern": {"q_proj": 4}}, "hf_adapter_unsupported"),
        ({"bias": "all"}, "hf_adapter_unsupported"),
        ({"lora_bias": True}, "hf_adapter_unsupported"),
        ({"fan_in_fan_out": True}, "hf_adapter_unsupported"),
        ({"trainable_token_indices": [1]}, "hf_adapter_unsupported"),
        ({"auto_map": {}}, "hf_remote_code"),
        ({"r": 0}, "hf_file_unreadable"),
        ({"r": True}, "hf_file_unreadable"),
        ({"r": "4"}, "hf_file_unreadable"),
        ({"lora_alpha": -1}, "hf_file_unreadable"),
        ({"lora_alpha": None}, "hf_file_unreadable"),
        ({"lora_alpha": 1e30}, "hf_file_unreadable"),
    ],
)
@pytest.mark.fault("S5")
def test_another_kind_is_refused(tmp_path, base, config, code):
    assert code_of(hf_models.adapter(tmp_path / "lora", **config), base) == code


@pytest.mark.parametrize(
    "shape", [HfShape(embedding=128), HfShape(layers=3), HfShape(heads_kv=4)], ids=["width", "layers", "heads"]
)
@pytest.mark.fault("S5")
def test_an_adapter_of_another_model_is_refused(tmp_path, base, shape):
    with pytest.raises(AppError, match="hf_adapter_mismatch") as caught:
        hf_folders.read_hf_adapter(hf_models.adapter(tmp_path / "lora", shape=shape), base)
    assert caught.value.facts["base"] == "kotae/tiny"


@pytest.mark.parametrize(
    ("tensor", "shape", "code"),
    [
        ("lora_A.weight", (4, 64), "hf_adapter_mismatch"),  # half a pair
        ("lora_magnitude_vector", (4,), "hf_adapter_unsupported"),
    ],
)
@pytest.mark.fault("S5")
def test_weights_that_are_no_pairs_of_lora_are_refused(tmp_path, base, tensor, shape, code):
    folder = hf_models.adapter(tmp_path / "lora")
    name = f"base_model.model.model.layers.0.self_attn.q_proj.{tensor}"
    hf_models.safetensors(folder / "adapter_model.safetensors", {name: np.ones(shape, np.float32)})
    assert code_of(folder, base) == code


@pytest.mark.fault("S4")
def test_a_pickle_beside_an_adapter_is_refused_and_never_opened(tmp_path, base):
    folder = hf_models.adapter(tmp_path / "lora")
    (folder / "adapter_model.bin").write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    assert code_of(folder, base) == "hf_pickle"
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("file", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_file_that_is_missing_is_named(tmp_path, base, file):
    folder = hf_models.adapter(tmp_path / "lora")
    (folder / file).unlink()
    assert code_of(folder, base) == "hf_file_missing"
