"""Finding, verifying, moving and carrying models on the command line: whole processes, real files."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QLockFile

from app.base.wording import format_size
from app.models import verification
from tests import model_files as models
from tests.models.test_found_models import put_into_ollama
from tests.models.test_verify import flip

ROOT = Path(__file__).parents[3]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def kotae(tmp_path: Path) -> Run:
    """Runs `kotae models ARGUMENTS` with data and home folders of its own; `data`: another data folder."""

    def run(*arguments: str, data: str = "データ") -> "subprocess.CompletedProcess[str]":
        places = {"KOTAE_DATA_DIR": str(tmp_path / data), "HOME": str(tmp_path / "home")}
        others = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "XDG_", "OLLAMA"))}
        return subprocess.run(
            [sys.executable, "-m", "app", "models", *arguments],
            env=others | places,
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
        )

    return run


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.tiny_llama(tmp_path / "m.gguf")


def data_of(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    data: dict[str, Any] = json.loads(done.stdout)
    return data


def test_ollamas_models_are_found_and_imported_by_their_path(kotae: Run, tmp_path: Path, model: Path) -> None:
    blob = put_into_ollama(
        tmp_path / "home" / ".ollama" / "models", model, "registry.ollama.ai", "library", "qwen2.5", "7b"
    )
    (tmp_path / "home" / "jan" / "models").mkdir(parents=True)
    (tmp_path / "home" / "jan" / "models" / "bad.gguf").write_text("<html>")
    done = kotae("find")
    assert done.returncode == 0
    assert done.stdout.split("\t") == ["Ollama", "qwen2.5:7b", format_size(blob.stat().st_size), f"{blob}\n"]
    assert "保存された Web ページ" in done.stderr
    assert kotae("import", str(blob)).returncode == 0
    found = data_of(kotae("find", "--json"))
    assert [(one["name"], one["is_listed"]) for one in found["found"]] == [("qwen2.5:7b", True)]
    assert [one["problem"]["code"] for one in found["skipped"]] == ["not_gguf_html"]


def test_nothing_found_is_said(kotae: Run) -> None:
    assert "見つかりません" in kotae("find").stdout


def test_verify_ends_with_1_when_damage_is_found(kotae: Run, tmp_path: Path, model: Path) -> None:
    assert kotae("verify").returncode == 0
    assert kotae("import", str(model)).returncode == 0
    done = kotae("verify")
    assert (done.returncode, done.stdout) == (0, "m\t正常\n")
    flip(model, model.stat().st_size - 100)
    done = kotae("verify", "m")
    assert done.returncode == 1
    assert "一致しません" in done.stdout
    (told,) = data_of(kotae("verify", "m", "--json"))["models"]
    assert (told["state"], told["problem"]["code"]) == ("damaged", "model_file_damaged")
    (data,) = tmp_path.rglob(verification.VERIFIED_FILE)
    assert verification.load_verifications(data)["m"].state == "damaged"  # as the window tells it afterwards
    model.unlink()
    assert data_of(kotae("verify", "--json"))["models"][0]["state"] == "missing"
    assert kotae("verify", "nobody").returncode == 3


def test_a_file_that_changed_since_its_import_is_said_to_have_changed(kotae: Run, model: Path) -> None:
    kotae("import", str(model))
    flip(model, model.stat().st_size - 100, keeps_time=False)
    done = kotae("verify")
    assert done.returncode == 1
    assert "取り込んだあとで変わっています" in done.stdout
    kotae("import", str(model))
    assert kotae("verify").returncode == 0


def test_the_folder_is_moved_and_new_models_go_there(kotae: Run, tmp_path: Path) -> None:
    folder = tmp_path / "データ" / "models"
    folder.mkdir(parents=True)
    models.tiny_llama(folder / "m.gguf")
    kotae("import", str(folder / "m.gguf"))
    target = tmp_path / "別の場所"
    done = kotae("move-folder", str(target), "--json")
    assert (done.returncode, data_of(done)) == (0, {"models_folder": str(target), "files_left": 0})
    assert [path.name for path in target.iterdir()] == ["m.gguf"]
    assert data_of(kotae("list", "--json"))["models"][0]["path"] == str(target / "m.gguf")
    again = kotae("move-folder", str(target))
    assert again.returncode == 3
    assert "移動先が" in again.stderr


def test_the_folder_is_not_moved_under_an_open_window(kotae: Run, tmp_path: Path) -> None:
    (tmp_path / "データ").mkdir()
    window = QLockFile(str(tmp_path / "データ" / "window.lock"))
    assert window.tryLock(0)
    done = kotae("move-folder", str(tmp_path / "new"))
    window.unlock()
    assert done.returncode == 3
    assert "窓が開いています" in done.stderr
    assert kotae("move-folder", str(tmp_path / "new")).returncode == 0


def test_a_kit_is_carried_to_another_machine_and_its_damage_is_named(kotae: Run, tmp_path: Path, model: Path) -> None:
    kotae("import", str(model))
    kit = tmp_path / "usb" / "kit"
    done = kotae("export-kit", str(kit), "--model", "m", "--part-size", "1MB", "--json")
    assert (done.returncode, data_of(done)["parts"]) == (0, ["001-0001.kotae-part"])
    shutil.copytree(kit, tmp_path / "copy")
    flip(kit / "001-0001.kotae-part", 1000)
    done = kotae("import-kit", str(kit), data="遠い PC")
    assert done.returncode == 1
    assert "部品 001-0001.kotae-part が壊れています" in done.stdout
    assert data_of(kotae("list", "--json", data="遠い PC"))["models"] == []
    shutil.copy(tmp_path / "copy" / "001-0001.kotae-part", kit)
    done = kotae("import-kit", str(kit), "--json", data="遠い PC")
    assert (done.returncode, data_of(done)["problems"]) == (0, [])
    assert Path(data_of(done)["models"][0]["path"]).parent == tmp_path / "遠い PC" / "models"
    assert kotae("verify", data="遠い PC").returncode == 0
    assert data_of(done)["models"][0]["was_here"] is False
    flip(kit / "001-0001.kotae-part", 1000)
    again = kotae("import-kit", str(kit), data="遠い PC")
    assert again.returncode == 0
    assert "キットの部品は調べていません" in again.stdout
    assert "使えるようにしました" not in again.stdout


def test_a_kit_can_be_brought_into_a_folder_of_choice(kotae: Run, tmp_path: Path, model: Path) -> None:
    kotae("import", str(model))
    assert kotae("export-kit", str(tmp_path / "kit")).returncode == 0
    assert kotae("import-kit", str(tmp_path / "kit"), "--to", str(tmp_path / "to"), data="b").returncode == 0
    assert (tmp_path / "to" / "m.gguf").read_bytes() == model.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("export-kit", "x"), 3, "書き出すモデルがありません"),
        (("export-kit", "x", "--part-size", "5GB"), 2, "--part-size"),
        (("export-kit", "x", "--part-size", "多め"), 2, "--part-size"),
        (("export-kit", "x", "--model", "なし"), 3, "「なし」"),
        (("import-kit", "/nowhere"), 3, "持ち運びキットが見つかりません"),
        (("move-folder",), 2, "DIR"),
        (("move-folder", sys.executable), 3, "フォルダではなくファイルです"),
        (("build",), 2, "HF_FOLDER"),
    ],
)
def test_bad_input_gets_one_sentence_and_its_status(
    kotae: Run, arguments: tuple[str, ...], status: int, words: str
) -> None:
    done = kotae(*arguments)
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr
