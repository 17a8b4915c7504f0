"""GPU parts of the engine: only a library whose hash the program knows is ever put where it is loaded from."""

import ctypes
import hashlib
import json
import subprocess
import sys
import zipfile

import pytest

from app.base import settings
from app.base.errors import AppError
from app.base.settings import Settings
from app.compliance import components
from app.compliance.offline_check import check_run
from app.inference import child_commands, crashes, engine_packs, machine
from app.inference.engine import llama
from app.inference.engine_packs import EnginePack, PackFile

LIBRARY = b"\x7fELF" + bytes(range(256)) * 500
NEEDED = b"\x7fELF runtime"
FILES = {"libcudart.so.13": NEEDED, "libggml-cuda.so": LIBRARY}
PACK = EnginePack(
    "cuda13",
    tuple(PackFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in FILES.items()),
)


@pytest.fixture(autouse=True)
def listed(monkeypatch):
    monkeypatch.setattr(engine_packs, "known_packs", lambda: (PACK,))
    yield
    engine_packs.use_folder(None)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "engine-packs"


def packed(path, library=LIBRARY, name="libggml-cuda.so"):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("libcudart.so.13", NEEDED)
        archive.writestr(name, library)
        archive.writestr("LICENSE", "MIT")
    return path


@pytest.mark.parametrize("is_unpacked", [False, True], ids=["zip", "folder"])
def test_a_pack_is_taken_with_every_file_and_given_to_the_engine(tmp_path, folder, is_unpacked):
    engine_packs.use_folder(folder)
    assert engine_packs.chosen("auto") == ((), "no_backend")
    source = packed(tmp_path / "パック.zip")
    if is_unpacked:
        zipfile.ZipFile(source).extractall(tmp_path / "解凍")
        source = tmp_path / "解凍"
    assert engine_packs.install(source, folder) == PACK
    assert engine_packs.installed(folder) == (PACK,)
    place = folder / "cuda13"
    assert engine_packs.verified(place) == (place / "libcudart.so.13", place / "libggml-cuda.so")
    assert [path.read_bytes() for path in engine_packs.verified(place)] == [NEEDED, LIBRARY]
    assert sorted(path.name for path in folder.iterdir()) == ["cuda13"]
    assert engine_packs.chosen("auto") == engine_packs.chosen("vulkan") == ((str(place),), "")
    assert engine_packs.chosen("off") == ((), "not_requested")
    assert engine_packs.chosen() == ((str(place),), "")
    settings.save(folder.with_name("settings.json"), Settings(graphics="off"))
    assert engine_packs.chosen() == ((), "not_requested")
    engine_packs.remove(folder)
    assert engine_packs.chosen("off") == ((), "no_backend")


@pytest.mark.fault("S14")
@pytest.mark.parametrize("name", FILES)
def test_a_pack_of_which_one_library_was_changed_afterwards_is_not_loaded(tmp_path, folder, name):
    engine_packs.install(packed(tmp_path / "a.zip"), folder)
    (folder / "cuda13" / name).write_bytes(FILES[name][:-1] + b"!")
    assert engine_packs.verified(folder / "cuda13") == ()


@pytest.mark.parametrize(
    ("library", "name"),
    [
        (LIBRARY[:-1] + b"!", "libggml-cuda.so"),  # of the right size: another build, or one byte that was changed
        (LIBRARY[:-1], "libggml-cuda.so"),
        (LIBRARY, "libggml-vulkan.so"),
        (LIBRARY, "../libggml-cuda.so"),
        (LIBRARY, "x/libggml-cuda.so"),
    ],
)
@pytest.mark.fault("S14")
def test_another_library_is_refused_and_leaves_nothing(tmp_path, folder, library, name):
    with pytest.raises(AppError, match="engine_pack_unknown"):
        engine_packs.install(packed(tmp_path / "a.zip", library, name), folder)
    assert not folder.exists() or not any(folder.iterdir())


def test_a_pack_that_was_there_stays_when_another_one_is_refused(tmp_path, folder):
    engine_packs.install(packed(tmp_path / "a.zip"), folder)
    with pytest.raises(AppError):
        engine_packs.install(packed(tmp_path / "b.zip", b"?" * len(LIBRARY)), folder)
    assert len(engine_packs.verified(folder / "cuda13")) == 2


def unreadable(folder, path):
    with pytest.raises(AppError, match="engine_pack_unreadable"):
        engine_packs.install(path, folder)
    assert engine_packs.installed(folder) == ()


def test_what_is_no_whole_pack_is_said_to_be_none(tmp_path, folder):
    whole = packed(tmp_path / "a.zip").read_bytes()
    file = tmp_path / "pack.zip"
    cut = (whole[: len(whole) // 2], whole[:-10])
    spoilt = whole[:60] + b"\xff" * 20 + whole[80:]
    locked = bytearray(whole)
    for at in (6, whole.index(b"PK\x01\x02") + 8):  # the mark of a password, in both of its headers
        locked[at] = 1
    for content in (b"", b"PK\x03\x04 not one", b"<html>404</html>", b"GGUF", *cut, spoilt, locked):
        file.write_bytes(content)
        unreadable(folder, file)
    with pytest.raises(AppError, match="engine_pack_unknown"):
        engine_packs.install(tmp_path, folder)
    with pytest.raises(AppError, match="file_missing"):
        engine_packs.install(tmp_path / "nothing.zip", folder)


def test_a_file_packed_in_another_way_or_named_in_no_encoding_and_a_broken_link_are_refused(tmp_path, folder):
    file = tmp_path / "pack.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    with pytest.raises(AppError, match="engine_pack_unknown"):
        engine_packs.install(file, folder)
    whole = bytearray(packed(file).read_bytes())
    at = whole.index(b"PK\x01\x02")
    whole[at + 9] |= 0x08  # the name is in UTF-8
    whole[at + 46] = 0xFF
    file.write_bytes(whole)
    unreadable(folder, file)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "gone").symlink_to(tmp_path / "nothing")
    with pytest.raises(AppError, match="engine_pack_unknown"):
        engine_packs.install(tmp_path / "x", folder)


def test_without_a_list_no_pack_is_known(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(engine_packs, "known_packs", lambda: ())
    with pytest.raises(AppError, match="engine_pack_unknown"):
        engine_packs.install(packed(tmp_path / "a.zip"), folder)


def test_a_library_that_cannot_be_read_is_not_loaded(tmp_path, folder):
    engine_packs.install(packed(tmp_path / "a.zip"), folder)
    (folder / "cuda13" / "libggml-cuda.so").unlink()
    (folder / "cuda13" / "libggml-cuda.so").mkdir()
    assert engine_packs.verified(folder / "cuda13") == ()


def test_no_library_that_the_environment_names_is_loaded(folder, monkeypatch):
    """ggml reads the variable when it loads the processor's part."""
    monkeypatch.setenv("GGML_BACKEND_PATH", str(folder / "libggml-other.so"))
    llama.load_cpu_backends(ctypes.CDLL(None), folder)
    assert ctypes.CDLL(None).getenv(b"GGML_BACKEND_PATH") == 0


def test_a_pack_is_in_the_list_of_parts_and_among_the_hashes_for_an_it_department(tmp_path, folder):
    engine_packs.install(packed(tmp_path / "a.zip"), folder)
    assert components.find(components.load(), "llama.cpp (cuda13)") is None
    assert list(check_run.hash_engine_packs()) == []
    engine_packs.use_folder(folder)
    part = components.find(components.load(), "llama.cpp (cuda13)")
    assert (part.licence, part.sha256) == ("MIT", PACK.files[1].sha256)
    assert [(one.role, one.sha256) for one in check_run.hash_engine_packs()] == [
        ("pack", file.sha256) for file in PACK.files
    ]


def test_a_pack_that_has_crashed_is_neither_loaded_nor_counted_and_a_driver_that_failed_is_asked_again_later(
    tmp_path, folder, monkeypatch
):
    engine_packs.use_folder(folder)
    engine_packs.install(packed(tmp_path / "パック.zip"), folder)
    packs, _ = engine_packs.chosen("auto")
    mark = tmp_path / "asked"
    card = {"name": "CUDA0", "description": "カード", "free_bytes": 1 << 33, "total_bytes": 1 << 33}
    told = f"""
import os, pathlib
mark = pathlib.Path({str(mark)!r})
if not mark.exists():
    mark.touch()
    os.abort()
print({json.dumps(card)!r})
"""
    monkeypatch.setattr(child_commands, "device_list", lambda _packs: [sys.executable, "-c", told])
    assert [machine.list_engine_cards("auto") for _ in range(2)] == [(), ()]
    monkeypatch.setattr(machine, "DRIVERS_REST_S", 0.0)
    mark.unlink()
    monkeypatch.setattr(machine, "_rested_at", {})
    assert machine.list_engine_cards("auto") == ()
    assert [one.name for one in machine.list_engine_cards("auto")] == ["CUDA0"]
    crashes.crashed_packs.add(packs)
    assert (engine_packs.chosen("auto"), machine.list_engine_cards("auto")) == (((), "crashed"), ())
    assert not machine.measure_memory().has_cards
    crashes.crashed_packs.discard(packs)
    assert machine.measure_memory().has_cards


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"[]", b'{"PATH": 5}', b""])
def test_a_damaged_list_of_crashes_keeps_no_model_from_its_projector(tmp_path, content):
    path, file = tmp_path / "mmproj.gguf", tmp_path / "crashes.json"
    path.write_bytes(b"x")
    file.write_bytes(content.replace(b"PATH", str(path).encode()))
    crashes.use_file(file)
    assert not crashes.has_projector_crashed(str(path))
    crashes.note_projector(str(path))
    assert crashes.has_projector_crashed(str(path))
    crashes.forget_projector(str(path))
    assert not crashes.has_projector_crashed(str(path))
    crashes.use_file(None)


def test_another_version_tries_a_projector_again_and_a_full_drive_refuses_none(tmp_path, monkeypatch):
    path = tmp_path / "mmproj.gguf"
    path.write_bytes(b"x")
    crashes.use_file(tmp_path / "crashes.json")
    crashes.note_projector(str(path))
    monkeypatch.setattr(crashes, "__version__", "9")
    assert not crashes.has_projector_crashed(str(path))
    (tmp_path / "no folder").touch()
    crashes.use_file(tmp_path / "no folder" / "crashes.json")
    crashes.note_projector(str(path))
    assert not crashes.has_projector_crashed(str(path))
    crashes.use_file(None)


def test_two_processes_that_note_crashes_at_once_lose_none(tmp_path):
    file = tmp_path / "crashes.json"
    noting = (
        "import sys, time\nfrom pathlib import Path\nfrom app.inference import crashes\n"
        "crashes.use_file(Path(sys.argv[1]))\n"
        "for number in range(15):\n    crashes.note_projector(sys.argv[2] + str(number))\n    time.sleep(0.01)\n"
    )
    noters = [subprocess.Popen([sys.executable, "-P", "-c", noting, str(file), name]) for name in "ab"]
    assert [noter.wait(60) for noter in noters] == [0, 0]
    assert json.loads(file.read_bytes()).keys() == {f"{name}{number}" for name in "ab" for number in range(15)}
