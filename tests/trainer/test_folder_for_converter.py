"""What must hold before the converter reads a folder, on small real safetensors files."""

import json
from pathlib import Path

import numpy as np
import pytest

from trainer.convert import converter, hf_folder
from trainer.convert.report import JobError

CONFIG = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2}
NAMES = ("self_attn.q_proj.weight", "mlp.up_proj.weight")


def write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    """The format: the header's length, the header in JSON, the bytes."""
    header, place = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [place, place + tensor.nbytes]}
        place += tensor.nbytes
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(tensor.tobytes() for tensor in tensors.values()))


def layer(number: int) -> dict[str, np.ndarray]:
    return {f"model.layers.{number}.{name}": np.ones((4, 8), np.float32) for name in NAMES}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two parts and their index, as published models have them."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "tokenizer_config.json").write_text("{}")
    index = {}
    for number in (0, 1):
        part = f"model-0000{number + 1}-of-00002.safetensors"
        write_safetensors(tmp_path / part, layer(number))
        index |= dict.fromkeys(layer(number), part)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    return tmp_path


def refusal(folder: Path) -> tuple[str, str]:
    with pytest.raises(JobError) as caught:
        hf_folder.check(folder)
    return caught.value.code, str(next(iter(caught.value.facts.values())))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_whole_folder_passes(folder):
    hf_folder.check(folder)


def test_one_file_without_an_index_passes_too(folder):
    for file in folder.glob("model*"):
        file.unlink()
    write_safetensors(folder / "model.safetensors", layer(0) | layer(1))
    hf_folder.check(folder)


def test_a_missing_part_is_named(folder):
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert refusal(folder) == ("tensor_missing", "model-00002-of-00002.safetensors")


@pytest.mark.parametrize("kept_bytes", [0, 5, 40, -1])
def test_a_part_that_was_cut_off_is_named(folder, kept_bytes):
    file = folder / "model-00002-of-00002.safetensors"
    file.write_bytes(file.read_bytes()[:kept_bytes])
    code, detail = refusal(folder)
    assert code == "tensor_missing"
    assert detail.startswith(file.name)


def test_a_tensor_that_the_index_promises_is_named(folder):
    write_safetensors(folder / "model-00002-of-00002.safetensors", dict(list(layer(1).items())[:1]))
    assert refusal(folder) == ("tensor_missing", "model.layers.1.mlp.up_proj.weight")


def test_a_layer_that_neither_index_nor_files_have_is_noticed(folder):
    edit(folder / "config.json", num_hidden_layers=3)
    code, detail = refusal(folder)
    assert code == "tensor_missing"
    assert "layers.2.mlp.up_proj.weight" in detail


def test_layers_may_differ_where_the_kind_of_model_mixes_them(folder):
    edit(folder / "config.json", model_type="jamba", num_hidden_layers=3)
    hf_folder.check(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "generation_config.json"])
def test_programs_that_come_with_a_model_are_refused(folder, name):
    (folder / name).write_text(json.dumps(CONFIG | {"auto_map": {"AutoModel": "modeling.Model"}}))
    assert refusal(folder) == ("remote_code", str(folder / name))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.ckpt"])
def test_pickled_weights_are_refused(folder, name):
    for file in folder.glob("model*"):
        file.unlink()
    (folder / name).write_bytes(b"\x80\x04")
    assert refusal(folder) == ("unsafe_weights", str(folder / name))


def test_an_index_that_leads_out_of_the_folder_is_refused(folder):
    edit(folder / "model.safetensors.index.json", weight_map={"a": "../elsewhere.safetensors"})
    assert refusal(folder)[0] == "source_missing"


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_config_that_is_none_is_said(folder, text):
    (folder / "config.json").write_text(text)
    assert refusal(folder) == ("source_missing", str(folder / "config.json"))


# ------------------------------------------------------------------ adapters


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """For the query matrix of layer 0; rank 2."""
    path = tmp_path / "adapter"
    path.mkdir()
    config = {"peft_type": "LORA", "lora_alpha": 32, "r": 2, "base_model_name_or_path": "/somewhere/Swallow-8B"}
    config |= {"bias": "none", "use_dora": False, "init_lora_weights": True}
    (path / "adapter_config.json").write_text(json.dumps(config))
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    pair = {f"{name}.lora_A.weight": np.ones((2, 8), np.float32), f"{name}.lora_B.weight": np.ones((4, 2), np.float32)}
    write_safetensors(path / "adapter_model.safetensors", pair)
    return path


def test_an_adapter_that_fits_tells_its_alpha(folder, adapter):
    assert converter.checked_alpha(adapter, folder) == 32.0


@pytest.mark.parametrize(
    "change",
    [
        {"peft_type": "IA3"},
        {"use_dora": True},
        {"use_rslora": True},
        {"bias": "all"},
        {"alpha_pattern": {"q_proj": 8}},
        {"modules_to_save": ["lm_head"]},
        {"trainable_token_indices": [1]},
        {"fan_in_fan_out": True},
        {"use_qalora": True},
        {"init_lora_weights": "pissa_niter_4"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_gguf_cannot_hold_is_refused_by_name(folder, adapter, change):
    edit(adapter / "adapter_config.json", **change)
    with pytest.raises(JobError, match="adapter_unsupported") as caught:
        converter.checked_alpha(adapter, folder)
    assert str(next(iter(change.values()))) in caught.value.facts["kind"]


@pytest.mark.parametrize(
    ("module", "columns", "rows"), [("self_attn.q_proj", 9, 4), ("self_attn.q_proj", 8, 5), ("self_attn.z_proj", 8, 4)]
)
def test_an_adapter_for_another_base_is_refused(folder, adapter, module, columns, rows):
    name = f"base_model.model.model.layers.0.{module}"
    pair = {
        f"{name}.lora_A.weight": np.ones((2, columns), np.float32),
        f"{name}.lora_B.weight": np.ones((rows, 2), np.float32),
    }
    write_safetensors(adapter / "adapter_model.safetensors", pair)
    with pytest.raises(JobError, match="adapter_mismatch") as caught:
        converter.checked_alpha(adapter, folder)
    assert caught.value.facts["base"] == "Swallow-8B"
    assert module in caught.value.facts["where"]


def test_pickled_adapters_are_refused(folder, adapter):
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(JobError, match="unsafe_weights"):
        converter.checked_alpha(adapter, folder)
