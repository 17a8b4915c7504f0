"""`kotae engine`: a GPU part taken from its file, and what a checkout, which knows none, says."""

import hashlib
import zipfile

import pytest

from app.inference import engine_packs
from app.inference.engine_packs import EnginePack, PackFile

LIBRARY = b"\x7fELF" + b"vulkan" * 1000


@pytest.fixture
def pack(tmp_path):
    file = tmp_path / "kotae-vulkan.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("libggml-vulkan.so", LIBRARY)
    return file


def test_a_checkout_without_a_list_knows_no_gpu_parts(kotae, pack, monkeypatch):
    monkeypatch.setattr(engine_packs, "known_packs", lambda: ())
    assert kotae("engine", "list")[:2] == (0, {"packs": [], "known": [], "graphics": "auto", "cards": []})
    status, told, words = kotae("engine", "add", str(pack))
    assert (status, told["error"]["code"]) == (3, "engine_pack_unknown")
    assert "同じ版" in words
    assert kotae("engine", "remove")[:2] == (0, {"removed": []})


def test_a_pack_is_taken_listed_and_removed(kotae, pack, monkeypatch):
    known = EnginePack("vulkan", (PackFile("libggml-vulkan.so", len(LIBRARY), hashlib.sha256(LIBRARY).hexdigest()),))
    monkeypatch.setattr(engine_packs, "known_packs", lambda: (known,))
    status, told, _ = kotae("engine", "add", str(pack))
    assert (status, told["files"][0]["sha256"]) == (0, known.files[0].sha256)
    assert [one["name"] for one in kotae("engine", "list")[1]["packs"]] == ["vulkan"]
    assert kotae("engine", "use", "vulkan")[:2] == (0, {"graphics": "vulkan"})
    assert kotae("engine", "use", "cuda13")[1]["error"]["code"] == "engine_pack_missing"
    assert kotae("engine", "remove")[:2] == (0, {"removed": ["vulkan"]})
    told = kotae("engine", "list")[1]
    assert (told["packs"], told["known"], told["graphics"]) == ([], ["vulkan"], "vulkan")
