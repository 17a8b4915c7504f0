"""`kotae models download --as-base`: a publisher's weights as a base for training, from a hub on this machine."""

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from types import MappingProxyType

import pytest

from app.base.files import work_folder
from app.models import base_models, hf_folders
from app.training.runs import run_folders
from tests.forked_program import Program
from tests.hf_models import HfShape
from tests.models.cli.conftest import Run, Said
from tests.models.downloads.hub import COMMIT, FILE, REPOSITORY, Content, Fault, Hub
from tests.models.downloads.shelf import Publisher, published, put_card
from tests.waiting import wait_until
from trainer.spec import RunSpec

ROOT = Path(__file__).parents[3]
LARGE = HfShape(vocabulary=30_000, embedding=256, feed_forward=256)  # 31 MB in three files
SHARD = "model-00002-of-00003.safetensors"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Content]:
    return published(tmp_path / "publisher")


def fetch(run: Run, hub: Hub, *arguments: str, **variables: str) -> Said:
    return run("models", "download", REPOSITORY, "--as-base", "--json", *arguments, HF_ENDPOINT=hub.place, **variables)


def base_folder(tmp_path: Path) -> Path:
    name = f"models--{REPOSITORY.replace('/', '--')}"
    return tmp_path / "データ" / "models" / "bases" / name / "snapshots" / COMMIT


def test_the_publishers_weights_come_with_what_belongs_to_them_and_can_be_trained(run, files, tmp_path):
    with Publisher(files) as hub:
        said = fetch(run, hub)
    assert said.status == 0, said.err
    folder = base_folder(tmp_path)
    assert said.object == {"path": str(folder), "weights": f"{REPOSITORY}@{COMMIT[:8]}", "state": "done"}
    assert {path.name for path in folder.iterdir()} == {*files} - {"pytorch_model.bin", "original.gguf"}
    assert "llama3.1" in said.err
    base = base_models.resolve_base(str(folder), ())
    assert (base.name, base.weights) == ("tiny-gguf", said.object["weights"])
    assert base_models.weights_text(base.weights) == f"配布元の重み（{base.weights}）"
    assert base_models.fetched_bases(tmp_path / "データ" / "models") == [folder]
    said = run("models", "list", "--json").object
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert said["models"] == []  # it answers nothing
    assert said["bases"] == [{"name": base.weights, "path": str(folder), "size_bytes": size}]
    line = run("models", "list").out.strip().split("\t")
    assert line[:2] == [base.weights, "学習の元（配布元の重み）"]
    next(folder.glob("model*.safetensors")).unlink()  # as between two files of a download
    assert base_models.fetched_bases(tmp_path / "データ" / "models") == []


def test_the_weights_can_be_deleted_and_what_was_trained_on_them_is_named(run, files, tmp_path):
    with Publisher(files) as hub:
        assert fetch(run, hub).status == 0
    folder, trained = base_folder(tmp_path), tmp_path / "データ" / "runs" / "20261201-0900"
    trained.mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder.parent)
    requested = RunSpec(str(trained), str(tmp_path / "link" / folder.name), "t.jsonl", "v.jsonl", name="点検の学習")
    run_folders.write_spec(trained, requested)
    with work_folder.acquire_lock(trained / run_folders.LOCK):
        assert run("models", "remove", REPOSITORY, "--json").code == "run_busy"
    assert folder.is_dir()
    other = shutil.copytree(folder, folder.with_name("0" * 40))
    assert run("models", "remove", REPOSITORY, "--json").code == "unknown_model"  # which commit?
    assert run("models", "remove", f"{REPOSITORY}@00000000").status == 0
    assert (folder.exists(), other.exists()) == (True, False)
    said = run("models", "remove", REPOSITORY)
    assert (said.status, "点検の学習" in said.out) == (0, True)
    assert not folder.parent.parent.exists()
    assert run("models", "list", "--json").object["bases"] == []
    assert run("models", "remove", REPOSITORY, "--json").code == "unknown_model"


def test_the_id_of_a_card_stands_for_its_publishers_weights(run, files, tmp_path):
    (tmp_path / "データ").mkdir()
    put_card(tmp_path / "データ" / "cards", 1)
    path = tmp_path / "データ" / "cards" / "tiny.toml"
    path.write_text(path.read_text("utf-8").replace("context_tokens", f'base_model = "{REPOSITORY}"\ncontext_tokens'))
    with Publisher(files) as hub:
        said = run("models", "download", "tiny", "--as-base", "--json", HF_ENDPOINT=hub.place)
    assert said.status == 0, said.err


def test_killed_it_goes_on_where_it_was_and_nothing_comes_twice(tmp_path, run):
    files = published(tmp_path / "publisher", LARGE)
    folder, size = base_folder(tmp_path), sum(content.size for content in files.values())
    (tmp_path / "データ").mkdir()
    with Publisher(files, Fault("slow", bytes_per_s=4 << 20)) as hub:
        process = Program(
            [sys.executable, "-m", "app", "models", "download", REPOSITORY, "--as-base"],
            env=os.environ | {"KOTAE_DATA_DIR": str(tmp_path / "データ"), "HF_ENDPOINT": hub.place},
            cwd=ROOT,
        )
        first = "model-00001-of-00003.safetensors"
        wait_until(lambda: (folder / first).exists() and hub.sent_bytes > size // 2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        kept = (folder / first).stat().st_ino
        hub.change(bytes_per_s=0)
        said = fetch(run, hub)
        assert said.status == 0, said.err
        assert (folder / first).stat().st_ino == kept
        assert hub.sent_bytes < size + (8 << 20)  # but for what came after the last checkpoint
    assert {SHARD, "config.json"} <= {path.name for path in folder.iterdir()}


def test_weights_with_another_hash_than_the_hub_states_are_refused_by_name(run, files, tmp_path):
    with Publisher(files, Fault(says_sha256=False)) as hub:
        hub.hashes[SHARD] = "0" * 64
        said = fetch(run, hub)
    assert (said.status, said.code) == (3, "download_damaged")
    assert SHARD in said.object["error"]["message"]
    assert not (base_folder(tmp_path) / SHARD).exists()


@pytest.mark.parametrize(
    ("config", "lacking", "code"),
    [
        ({"architectures": ["NeverHeardOf"], "model_type": "never_heard_of"}, "", "hf_architecture_unknown"),
        ({"auto_map": {"AutoModelForCausalLM": "own.py"}}, "", "hf_remote_code"),
        ({"quantization_config": {"quant_method": "awq"}}, "", "hf_already_quantized"),
        ({}, SHARD, "hf_file_missing"),
        ({}, "chat_template.jinja", "base_no_template"),
        ({}, "tokenizer.json", "hf_file_missing"),
    ],
)
def test_what_could_not_be_trained_is_refused_before_its_weights_come(run, tmp_path, config, lacking, code):
    files = published(tmp_path / "publisher", **config)
    files.pop(lacking, None)
    with Publisher(files) as hub:
        said = fetch(run, hub)
    assert (said.status, said.code) == (3, code)
    assert not [name for name in hub.asked if name.endswith(".safetensors")]
    if lacking == SHARD:
        assert SHARD in said.object["error"]["message"]


def test_a_repository_without_weights_is_refused(run, files):
    with Publisher(MappingProxyType({FILE: files["original.gguf"]})) as hub:
        said = fetch(run, hub)
    assert (said.status, said.code) == (3, "hub_no_weights")


def test_a_folder_that_lacks_a_part_of_its_weights_names_it(run, files, tmp_path):
    folder = tmp_path / "publisher"
    (folder / "pytorch_model.bin").unlink()
    assert hf_folders.read_hf_model(folder).parameters
    (folder / SHARD).unlink()
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}))
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps({"base": str(folder), "train": str(rows), "validation": str(rows)}))
    said = run("train", "plan", str(spec), "--json")
    assert (said.status, said.code) == (3, "hf_file_missing")
    assert SHARD in said.object["error"]["message"]
