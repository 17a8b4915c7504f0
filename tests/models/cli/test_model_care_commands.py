"""Finding, verifying, moving and carrying models on the command line: real files."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QLockFile

from app.base.wording import format_size
from app.models import verification
from tests import model_files as models
from tests.models.cli.conftest import Run, Said
from tests.models.test_found_models import put_into_ollama
from tests.models.test_verify import flip


@pytest.fixture
def kotae(run: Run) -> Callable[..., Said]:
    """Runs `kotae models ARGUMENTS`."""
    return lambda *arguments, **options: run("models", *arguments, **options)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.tiny_llama(tmp_path / "m.gguf")


def test_ollamas_models_are_found_and_imported_by_their_path(kotae, tmp_path, model):
    assert "見つかりません" in kotae("find").out
    blob = put_into_ollama(
        tmp_path / "home" / ".ollama" / "models", model, "registry.ollama.ai", "library", "qwen2.5", "7b"
    )
    (tmp_path / "home" / ".local" / "share" / "nomic.ai" / "GPT4All").mkdir(parents=True)
    (tmp_path / "home" / ".local" / "share" / "nomic.ai" / "GPT4All" / "bad.gguf").write_text("<html>")
    done = kotae("find")
    assert done.status == 0
    assert done.out.split("\t") == ["Ollama", "qwen2.5:7b", format_size(blob.stat().st_size), f"{blob}\n"]
    assert "保存された Web ページ" in done.err
    assert kotae("import", str(blob)).status == 0
    found = kotae("find", "--json").object
    assert [(one["name"], one["is_listed"]) for one in found["found"]] == [("qwen2.5:7b", True)]
    assert [one["problem"]["code"] for one in found["skipped"]] == ["not_gguf_html"]


def test_verify_ends_with_1_when_damage_is_found(kotae, tmp_path, model):
    assert kotae("verify").status == 0
    assert kotae("import", str(model)).status == 0
    done = kotae("verify")
    assert (done.status, done.out) == (0, "m\t正常\n")
    flip(model, model.stat().st_size - 100)
    done = kotae("verify", "m")
    assert done.status == 1
    assert "一致しません" in done.out
    (told,) = kotae("verify", "m", "--json").object["models"]
    assert (told["state"], told["problem"]["code"]) == ("damaged", "model_file_damaged")
    (data,) = tmp_path.rglob(verification.VERIFIED_FILE)
    assert verification.load_verifications(data)["m"].state == "damaged"  # as the window tells it afterwards
    model.unlink()
    assert kotae("verify", "--json").object["models"][0]["state"] == "missing"
    assert kotae("verify", "nobody").status == 3


def test_a_file_that_changed_since_its_import_is_said_to_have_changed(kotae, model):
    kotae("import", str(model))
    flip(model, model.stat().st_size - 100, keeps_time=False)
    done = kotae("verify")
    assert done.status == 1
    assert "取り込んだあとで変わっています" in done.out
    kotae("import", str(model))
    assert kotae("verify").status == 0


def test_the_folder_is_moved_and_new_models_go_there(kotae, tmp_path):
    folder = tmp_path / "データ" / "models"
    folder.mkdir(parents=True)
    models.tiny_llama(folder / "m.gguf")
    kotae("import", str(folder / "m.gguf"))
    target = tmp_path / "別の場所"
    done = kotae("move-folder", str(target), "--json")
    assert (done.status, done.object) == (0, {"models_folder": str(target), "files_left": 0})
    assert [path.name for path in target.iterdir()] == ["m.gguf"]
    assert kotae("list", "--json").object["models"][0]["path"] == str(target / "m.gguf")
    again = kotae("move-folder", str(target))
    assert again.status == 3
    assert "移動先が" in again.err


def test_the_folder_is_not_moved_under_an_open_window(kotae, tmp_path):
    (tmp_path / "データ").mkdir()
    window = QLockFile(str(tmp_path / "データ" / "window.lock"))
    assert window.tryLock(0)
    done = kotae("move-folder", str(tmp_path / "new"))
    window.unlock()
    assert done.status == 3
    assert "画面が開いています" in done.err
    assert kotae("move-folder", str(tmp_path / "new")).status == 0


def test_a_kit_is_carried_to_another_machine_and_its_damage_is_named(kotae, tmp_path, model):
    kotae("import", str(model))
    kit = tmp_path / "usb" / "kit"
    done = kotae("export-kit", str(kit), "--model", "m", "--part-size", "1MB", "--json")
    assert (done.status, done.object["parts"]) == (0, ["001-0001.kotae-part"])
    shutil.copytree(kit, tmp_path / "copy")
    flip(kit / "001-0001.kotae-part", 1000)
    done = kotae("import-kit", str(kit), data_folder="遠い PC")
    assert done.status == 1
    assert "部品 001-0001.kotae-part が壊れています" in done.out
    assert kotae("list", "--json", data_folder="遠い PC").object["models"] == []
    shutil.copy(tmp_path / "copy" / "001-0001.kotae-part", kit)
    done = kotae("import-kit", str(kit), "--json", data_folder="遠い PC")
    assert (done.status, done.object["problems"]) == (0, [])
    assert Path(done.object["models"][0]["path"]).parent == tmp_path / "遠い PC" / "models"
    assert kotae("verify", data_folder="遠い PC").status == 0
    assert done.object["models"][0]["was_here"] is False
    flip(kit / "001-0001.kotae-part", 1000)
    again = kotae("import-kit", str(kit), data_folder="遠い PC")
    assert again.status == 0
    assert "キットの部品は検証していません" in again.out
    assert "使えるようにしました" not in again.out
    assert kotae("import-kit", str(tmp_path / "copy"), "--to", str(tmp_path / "to"), data_folder="b").status == 0
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
def test_bad_input_gets_one_sentence_and_its_status(kotae, arguments, status, words):
    done = kotae(*arguments)
    assert done.status == status
    assert words in done.err
