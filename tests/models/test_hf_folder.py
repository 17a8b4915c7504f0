"""Folders of publishers: what is fit to be built, and everything hostile or incomplete refused by name."""

import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.base.errors import AppError
from app.inference.gguf import tables
from app.models import hf_folders, hf_weights
from app.models.hf_weights import FAMILIES
from tests import hf_models
from tests.hf_models import HfShape


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return hf_models.model(tmp_path / "モデル")


def code_of(folder: Path) -> str:
    with pytest.raises(AppError) as caught:
        hf_folders.read_hf_model(folder)
    return caught.value.code


def edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(path.read_text("utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def test_a_whole_folder_is_understood(folder: Path) -> None:
    model = hf_folders.read_hf_model(folder)
    assert (model.family.architecture, model.type, model.name) == ("llama", "BF16", "モデル")
    assert model.sizes.layers == 2
    assert model.parameters == sum(tensor.elements for tensor in model.tensors.values()) > 100_000
    assert {fact.name for fact in model.files} >= {"config.json", "model.safetensors", "tokenizer.json"}


def test_a_folder_in_parts_is_the_same_model(tmp_path: Path, folder: Path) -> None:
    parts = hf_folders.read_hf_model(hf_models.model(tmp_path / "parts", shards=3))
    assert parts.tensors.keys() == hf_folders.read_hf_model(folder).tensors.keys()
    assert sum(fact.name.endswith(".safetensors") for fact in parts.files) == 3


def test_the_repository_is_taken_from_the_configuration_when_it_is_one(tmp_path: Path) -> None:
    for said, repository in (
        ("tokyotech-llm/Llama-3-Swallow-8B", "tokyotech-llm/Llama-3-Swallow-8B"),
        *((said, "") for said in ("/home/somebody/model", "../../etc", "a/b/c", "a/..", {"x": 1}, None)),
    ):
        model = hf_folders.read_hf_model(hf_models.model(tmp_path / "m", _name_or_path=said))
        assert model.repository == repository
        assert model.name == (repository.partition("/")[2] or "m")


def test_a_snapshot_of_the_hugging_face_cache_is_read_through_its_links(tmp_path: Path, folder: Path) -> None:
    repository = tmp_path / "hub" / "models--kotae--tiny"
    snapshot, blobs = repository / "snapshots" / "0123abcd", repository / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for path in folder.iterdir():
        shutil.copy(path, blobs / f"blob-{path.name}")
        (snapshot / path.name).symlink_to(Path("..", "..", "blobs", f"blob-{path.name}"))
    assert hf_folders.read_hf_model(snapshot).repository == "kotae/tiny"


def test_a_tied_model_needs_no_last_layer(tmp_path: Path) -> None:
    folder = hf_models.model(tmp_path / "m", tie_word_embeddings=True)
    path = folder / "model.safetensors"
    kept = {name: shape for name, shape in hf_models.TINY.tensors().items() if name != "lm_head.weight"}
    with path.open("wb") as file:
        header = hf_models.header({name: ("uint16", shape) for name, shape in kept.items()})
        file.write(header)
        file.truncate(len(header) + sum(2 * tensor.elements for tensor in hf_folder_tensors(kept)))
    assert hf_folders.read_hf_model(folder).sizes.ties_embedding
    edit(folder / "config.json", lambda config: config.update(tie_word_embeddings=False))
    assert code_of(folder) == "hf_weights_mismatch"


def hf_folder_tensors(shapes: dict[str, tuple[int, ...]]) -> list[hf_weights.StoredTensor]:
    return [hf_weights.StoredTensor("BF16", shape, "") for shape in shapes.values()]


def test_the_known_families_are_those_of_the_converter_and_of_the_engine() -> None:
    from app.models import training_environment

    root = Path(__file__).parents[2] / training_environment.DEVELOPMENT_FOLDER / training_environment.CONVERTER
    if not root.is_dir():
        pytest.skip("the converter is not here")
    source = "".join(path.read_text("utf-8") for path in (root / "conversion").glob("*.py"))
    registered = set(re.findall(r'"(\w+)"', " ".join(re.findall(r"ModelBase\.register\(([^)]*)\)", source))))
    for family in FAMILIES.values():
        assert family.architecture in tables.ARCHITECTURES
        assert set(family.classes) <= registered


# ------------------------------------------------------------- S4: pickles


class Canary:
    """Unpickled, it writes a file. Nothing may ever unpickle it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self._path),))


PICKLES = [
    "pytorch_model.bin",
    "pytorch_model-00001-of-00002.bin",
    "training_args.bin",
    "adapter_model.bin",
    "model.pt",
    "optimizer.pt",
    "scheduler.PT",
    "consolidated.00.pth",
    "model.pkl",
    "tokenizer.pickle",
    "model.ckpt",
    "重み.bin",
    "model.safetensors.bin",
    ".hidden.pt",
    "PYTORCH_MODEL.BIN",
]


@pytest.mark.fault("S4")
def test_a_pickle_is_refused_by_name_and_never_opened(tmp_path: Path, folder: Path) -> None:
    canary = tmp_path / "canary"
    for name in PICKLES:
        (folder / name).write_bytes(pickle.dumps(Canary(canary)))
        with pytest.raises(AppError, match="hf_pickle") as caught:
            hf_folders.read_hf_model(folder)
        assert caught.value.facts == {"file": name}
        assert not canary.exists()
        (folder / name).unlink()


@pytest.mark.fault("S4")
def test_a_pickle_that_calls_itself_safetensors_is_damage(tmp_path: Path, folder: Path) -> None:
    canary = tmp_path / "canary"
    (folder / "model.safetensors").write_bytes(pickle.dumps(Canary(canary)))
    assert code_of(folder) == "hf_weights_damaged"
    assert not canary.exists()


# ------------------------------------------------- S5: hostile configurations


@pytest.mark.parametrize(
    ("file", "change", "code"),
    [
        ("config.json", {"auto_map": {"AutoModelForCausalLM": "modeling.Evil"}}, "hf_remote_code"),
        ("config.json", {"auto_map": {}}, "hf_remote_code"),
        ("config.json", {"deep": [{"er": {"auto_map": {"AutoConfig": "x.Y"}}}]}, "hf_remote_code"),
        ("config.json", {"trust_remote_code": True}, "hf_remote_code"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}}, "hf_remote_code"),
        ("tokenizer_config.json", {"extra": {"auto_map": {}}}, "hf_remote_code"),
        ("config.json", {"model_type": "evil"}, "hf_architecture_unknown"),
        ("config.json", {"model_type": ["llama"]}, "hf_architecture_unknown"),
        ("config.json", {"model_type": None}, "hf_architecture_unknown"),
        ("config.json", {"model_type": "../llama"}, "hf_architecture_unknown"),
        ("config.json", {"architectures": ["EvilForCausalLM"]}, "hf_architecture_unknown"),
        ("config.json", {"architectures": ["Qwen2ForCausalLM"]}, "hf_architecture_unknown"),
        ("config.json", {"architectures": ["LlamaForCausalLM", "EvilModel"]}, "hf_architecture_unknown"),
        ("config.json", {"architectures": "LlamaForCausalLM"}, "hf_architecture_unknown"),
        ("config.json", {"architectures": [{}]}, "hf_architecture_unknown"),
        ("config.json", {"quantization_config": {"quant_method": "gptq"}}, "hf_already_quantized"),
        ("config.json", {"quantization_config": []}, "hf_already_quantized"),
        ("config.json", {"num_hidden_layers": 10**9}, "hf_file_unreadable"),
        ("config.json", {"num_hidden_layers": -1}, "hf_file_unreadable"),
        ("config.json", {"num_hidden_layers": "2"}, "hf_file_unreadable"),
        ("config.json", {"num_hidden_layers": True}, "hf_file_unreadable"),
        ("config.json", {"num_hidden_layers": 3}, "hf_weights_mismatch"),
        ("config.json", {"num_hidden_layers": 1}, "hf_weights_mismatch"),
        ("config.json", {"hidden_size": 10**30}, "hf_file_unreadable"),
        ("config.json", {"hidden_size": 128}, "hf_weights_mismatch"),
        ("config.json", {"vocab_size": 300}, "hf_weights_mismatch"),
        ("config.json", {"num_key_value_heads": 4}, "hf_weights_mismatch"),
        ("config.json", {"head_dim": 32}, "hf_weights_mismatch"),
        ("config.json", {"intermediate_size": 1.5}, "hf_file_unreadable"),
        ("config.json", {"text_config": {"quantization_config": {}}}, "hf_already_quantized"),
    ],
)
@pytest.mark.fault("S5")
def test_a_hostile_configuration_is_refused(folder: Path, file: str, change: dict[str, Any], code: str) -> None:
    edit(folder / file, lambda config: config.update(change))
    assert code_of(folder) == code


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"\xff\xfe{}",
        b'{"model_type": "llama", "model_type": "evil"}',
        b'{"a": NaN}',
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"9" * 10_000 + b"}",
        b"{" + b" " * (9 << 20) + b"}",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"<html></html>",
    ],
    ids=range(11),
)
@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
@pytest.mark.fault("S5")
def test_json_that_is_none_is_refused(folder: Path, file: str, content: bytes) -> None:
    (folder / file).write_bytes(content)
    assert code_of(folder) == "hf_file_unreadable"


# ------------------------------------------------------- weights and names


@pytest.mark.parametrize(
    "name",
    [
        "../model.safetensors",
        "/etc/passwd",
        "..\\model.safetensors",
        "sub/model.safetensors",
        "C:\\model.safetensors",
        "model\x00.safetensors",
        "model\u202e.safetensors",
        "model.bin",
        "",
        ".safetensors",
        "con\n.safetensors",
        7,
        None,
    ],
)
@pytest.mark.fault("S10")
def test_a_part_whose_name_leads_somewhere_is_refused(tmp_path: Path, name: Any) -> None:
    folder = hf_models.model(tmp_path / "m", shards=2)
    hf_models.model(tmp_path)  # ../model.safetensors exists
    edit(folder / "model.safetensors.index.json", lambda index: index["weight_map"].update({"lm_head.weight": name}))
    assert code_of(folder) == "hf_name_refused"


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer_config.json", "tokenizer.json"])
@pytest.mark.fault("S10")
def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path, folder: Path, file: str) -> None:
    (folder / file).rename(tmp_path / file)
    (folder / file).symlink_to(tmp_path / file)
    assert code_of(folder) == "hf_file_irregular"


@pytest.mark.fault("S10")
def test_a_folder_or_pipe_in_place_of_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()
    assert code_of(folder) == "hf_file_irregular"
    (folder / "model.safetensors").rmdir()
    os.mkfifo(folder / "model.safetensors")
    assert code_of(folder) == "hf_file_irregular"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    folder = hf_models.model(tmp_path / "m", shards=3)
    for missing in ("model-00002-of-00003.safetensors", "model.safetensors.index.json"):
        (folder / missing).unlink()
        with pytest.raises(AppError) as caught:
            hf_folders.read_hf_model(folder)
        assert caught.value.facts["file"] == missing


@pytest.mark.parametrize(
    ("missing", "code"),
    [("config.json", "hf_file_missing"), ("tokenizer.json", "hf_file_missing"), ("model.safetensors", "hf_no_weights")],
)
def test_a_folder_without_what_a_model_needs_is_refused(folder: Path, missing: str, code: str) -> None:
    assert code_of(folder / missing) == "hf_folder_unreadable"  # it is a file
    (folder / missing).unlink()
    assert code_of(folder / missing) == "hf_folder_unreadable"
    assert code_of(folder) == code


@pytest.mark.fault("S5")
def test_a_part_of_another_model_beside_it_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "model.safetensors", folder / "model-00001-of-00002.safetensors")
    assert code_of(folder) == "hf_file_missing"
    parts = hf_models.model(tmp_path / "parts", shards=2)
    shutil.copy(folder / "model.safetensors", parts / "model.safetensors")
    assert code_of(parts) == "hf_weights_mismatch"


@pytest.mark.fault("S5")
def test_an_index_that_differs_from_its_parts_is_refused(tmp_path: Path) -> None:
    folder = hf_models.model(tmp_path / "m", shards=2)
    index = folder / "model.safetensors.index.json"
    whole = index.read_text("utf-8")
    edit(index, lambda data: data["weight_map"].pop("lm_head.weight"))
    assert code_of(folder) == "hf_weights_mismatch"
    index.write_text(whole, encoding="utf-8")
    edit(index, lambda data: data["weight_map"].update({"more.weight": "model-00001-of-00002.safetensors"}))
    assert code_of(folder) == "hf_weights_mismatch"


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"w": 1},
        {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [True], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": "2", "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [2] * 9, "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [1 << 60], "data_offsets": [0, 8]}},
        {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0]}},
        {"w": {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]}},
        {"w": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
        {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}},
        {"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}},
        {
            "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
            "v": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        },
        {
            "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
            "v": {"dtype": "F16", "shape": [1], "data_offsets": [6, 8]},
        },
    ],
)
@pytest.mark.fault("S5")
def test_a_header_that_does_not_fit_its_file_is_damage(tmp_path: Path, entries: dict[str, Any]) -> None:
    assert header_code(tmp_path, hf_models.packed(entries) + bytes(8)) == "hf_weights_damaged"


def header_code(folder: Path, content: bytes) -> str:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(AppError) as caught:
        hf_weights.read_safetensors_header(folder / "model.safetensors")
    return caught.value.code


@pytest.mark.fault("S5")
def test_numbers_of_another_type_are_refused_by_name(tmp_path: Path) -> None:
    for kind in ([], {}, ["F32"], None, 1, "F8_E4M3", "I64", "U8", "BOOL", "F64"):
        content = hf_models.packed({"w": {"dtype": kind, "shape": [8], "data_offsets": [0, 8]}}) + bytes(8)
        assert header_code(tmp_path, content) == "hf_weights_type"


@pytest.mark.fault("S5")
def test_a_file_that_is_no_safetensors_is_damage(tmp_path: Path) -> None:
    for content in (b"", b"12345678", b"\xff" * 64, (10**12).to_bytes(8, "little") + b"{}", bytes(64)):
        assert header_code(tmp_path, content) == "hf_weights_damaged"


def test_a_file_that_was_cut_is_damage(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert code_of(folder) == "hf_weights_damaged"


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer_config.json"])
@pytest.mark.fault("S5")
def test_no_damage_is_anything_but_an_expected_error(folder: Path, file: str) -> None:
    """300 files each with some bytes of the first kilobyte changed: refused in words, or still a model."""
    path = folder / file
    whole = path.read_bytes()
    random = np.random.default_rng(7)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for at in random.integers(0, min(len(whole), 1024), size=random.integers(1, 6)):
            damaged[at] = (
                random.choice(list(b'{}[]",:0129-.eE tfn\x00\xff\\')) if random.random() < 0.7 else random.integers(256)
            )
        path.write_bytes(bytes(damaged))
        try:
            hf_folders.read_hf_model(folder)
        except AppError:
            refused += 1
    assert refused > 100


def test_the_image_half_of_a_model_is_passed_over() -> None:
    assert hf_weights.text_name("vision_tower.encoder.layers.3.mlp.fc1.weight") is None
    assert hf_weights.text_name("language_model.model.layers.3.mlp.up_proj.weight") == "layers.3.mlp.up_proj.weight"
    assert hf_weights.text_name("model.language_model.embed_tokens.weight") == "embed_tokens.weight"


@pytest.mark.fault("S5")
def test_the_shapes_of_a_larger_model_are_held_against_its_configuration(tmp_path: Path) -> None:
    shape = HfShape(layers=3, embedding=96, heads=6, heads_kv=3, feed_forward=160, vocabulary=300)
    assert hf_folders.read_hf_model(hf_models.model(tmp_path / "m", shape=shape)).sizes.head == 16
