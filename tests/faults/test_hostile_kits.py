"""Kits from strangers: nothing of them runs, and nothing is believed that only they say."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.base.errors import AppError
from app.base.wording import phrase
from app.chat.presets import parse_presets
from app.models import local_models, starter
from app.models import package_locks as locks
from app.models.kits import kit_export, kit_import, transfer_kit
from app.models.package_locks import PackageLock
from app.training.environment import base_pythons, install_plan, kit
from app.training.environment.folders import EnvironmentFolders
from tests import model_files as models
from tests.faults.ledger import Tally
from tests.permits import PERMIT
from tests.wheelhouse import make_wheel, make_wheels, pin_python, write_lock

pytestmark = [
    pytest.mark.fault("S14"),
    pytest.mark.skipif(os.name == "nt", reason="the programs in the kits are shell scripts"),
]

ROOT = Path(__file__).parents[2]

# The child as it is, but for the locks, and on a machine that may have no Python.
_CHILD = """\
import sys
from pathlib import Path
from app.base.isolation import network_guard as offline
from app.models import package_locks as locks
from app.training.environment import base_pythons as base_python
from app.training.environment import child
from app.models.downloads.package_download import fetch_packages as fetch_all
offline.permit_downloads()
locks.folder = lambda: Path(sys.argv[1])
if sys.argv[2] == "bare":
    base_python.candidates = lambda versions: []
child.main(fetch_all)
"""


class Stick(NamedTuple):
    """A kit as it was given out, before somebody has had it in hand."""

    folder: Path
    lock: PackageLock
    ran: Path  # is there when a program of the kit was started
    work: Path


@pytest.fixture
def stick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stick:
    wheels = make_wheels(tmp_path / "wheels")
    locked = write_lock(tmp_path / "locked", wheels)
    monkeypatch.setattr(locks, "folder", lambda: locked)
    lock = locks.all_locks()[0]
    folder, ran = tmp_path / "usb", tmp_path / "RAN"
    archive = pack(tmp_path / "cpython-install_only.tar.gz", ran)
    pin_python(locked, archive)
    together = (archive, base_pythons.identify_archive(archive))
    kit.write_kit(folder, lock, {file.name: wheels / file.name for file in lock.files}, together)
    return Stick(folder, lock, ran, tmp_path)


def pack(path: Path, ran: Path, more: bytes = b"") -> Path:
    """A Python that says that it was started."""
    program = f'#!/bin/sh\ntouch "{ran}"\nexec "{sys.executable}" "$@"\n'.encode()
    with tarfile.open(path, "w:gz") as tar:
        for name, content in (("python/bin/python3", program), ("python/lib/x", more)):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return path


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((folder / kit.KIT_NAME).read_bytes())
    change(document)
    (folder / kit.KIT_NAME).write_bytes(transfer_kit.table_bytes(document))


def listed(folder: Path, name: str, path: Path, at: int | None = None) -> None:
    """Puts a file into the table, with the hash that it has, as whoever makes a kit can."""
    (size, sha256) = (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    entry = {"name": name, "size_bytes": size, "sha256": sha256, "parts": [{"size_bytes": size, "sha256": sha256}]}

    def change(document: dict[str, Any]) -> None:
        files = document["files"]
        files[:] = [file for file in files if file["name"] != name]
        files.insert(len(files) if at is None else at, entry)

    changed(folder, change)


def made(stick: Stick, machine: str, base: str = "", **variables: str) -> dict[str, Any]:
    """The last word of the child that makes the environment. `machine`: usual, or bare (without a Python)."""
    data = stick.work / "data"
    (data / "logs").mkdir(parents=True, exist_ok=True)
    job = {
        "type": "InstallJob",
        "data": str(data),
        "logs": str(data / "logs"),
        "wheels": str(stick.folder),
        "base": base,
    }
    command = [sys.executable, "-P", "-c", _CHILD, str(stick.lock.path.parent), machine]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
        cwd=stick.folder,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(job).encode() + b"\n")
        child.stdin.flush()
        events = [json.loads(line) for line in child.stdout]
        child.stdin.close()
    last: dict[str, Any] = events[-1]
    return last


def refused(stick: Stick) -> str:
    """The code with which a machine that has a Python does not take the kit; nothing of it has run."""
    where = EnvironmentFolders(stick.work / "data")
    where.wheels.mkdir(parents=True, exist_ok=True)
    with pytest.raises(AppError) as caught:
        taken(stick, where)
    assert not stick.ran.exists()
    assert not where.pythons.exists()
    assert {path.name for path in where.wheels.glob("*.whl")} <= {file.name for file in stick.lock.files}
    return caught.value.code


def taken(stick: Stick, where: EnvironmentFolders) -> None:
    plan = install_plan.plan_install("", stick.folder, where, where.base)
    kit.collect_wheels(stick.folder, plan.lock, plan.kit, where.wheels, lambda _package, _done, _total: None)
    assert plan.kit is not None
    kit.copy_python_archive(stick.folder, plan.kit, plan.lock, where)


PYTHON = "cpython-install_only.tar.gz"
PEFT = "peft-1.0-py3-none-any.whl"


def own_python(stick: Stick) -> None:
    listed(stick.folder, PYTHON, pack(stick.folder / PYTHON, stick.ran, b"more"))


def other_bytes_of_the_python(stick: Stick) -> None:
    content = bytearray((stick.folder / PYTHON).read_bytes())
    content[60] ^= 1
    (stick.folder / PYTHON).write_bytes(content)


def python_of_another_machine(stick: Stick) -> None:
    archive = pack(stick.folder / PYTHON, stick.ran, b"plan9")
    pin_python(stick.lock.path.parent, archive, system="plan9-sparc")
    listed(stick.folder, PYTHON, archive)


def python_as_a_link(stick: Stick) -> None:
    (stick.folder / PYTHON).rename(stick.work / "elsewhere")
    (stick.folder / PYTHON).symlink_to(stick.work / "elsewhere")


def python_without_end(stick: Stick) -> None:
    def change(document: dict[str, Any]) -> None:
        python = document["files"][-1]
        python["size_bytes"] = python["parts"][0]["size_bytes"] = 1 << 40

    with (stick.folder / PYTHON).open("r+b") as file:
        file.truncate(1 << 40)
    changed(stick.folder, change)


def other_wheel_that_the_table_vouches_for(stick: Stick) -> None:
    listed(stick.folder, PEFT, make_wheel(stick.folder, "peft", requires="evil"), at=0)


def other_wheel_under_the_right_table(stick: Stick) -> None:
    size = (stick.folder / PEFT).stat().st_size
    (stick.folder / PEFT).write_bytes(bytes(size))


def one_wheel_more(stick: Stick) -> None:
    listed(stick.folder, "evil-1.0-py3-none-any.whl", make_wheel(stick.folder, "evil"), at=0)


def a_source_that_would_be_built(stick: Stick) -> None:
    source = pack(stick.folder / "peft-1.0.tar.gz", stick.ran)
    listed(stick.folder, source.name, source, at=0)


def wheel_as_a_link(stick: Stick) -> None:
    (stick.folder / PEFT).rename(stick.work / PEFT)
    (stick.folder / PEFT).symlink_to(stick.work / PEFT)


def wheel_as_a_pipe(stick: Stick) -> None:
    (stick.folder / PEFT).unlink()
    os.mkfifo(stick.folder / PEFT)


def wheel_as_a_folder(stick: Stick) -> None:
    (stick.folder / PEFT).unlink()
    (stick.folder / PEFT).mkdir()


def wheel_without_end(stick: Stick) -> None:
    with (stick.folder / PEFT).open("r+b") as file:
        file.truncate(1 << 40)


def name(name: str) -> Callable[[Stick], None]:
    def change(stick: Stick) -> None:
        changed(stick.folder, lambda document: document["files"][0].update(name=name))

    return change


def table_as_a_link(stick: Stick) -> None:
    (stick.folder / kit.KIT_NAME).rename(stick.work / "table")
    (stick.folder / kit.KIT_NAME).symlink_to(stick.work / "table")


def table_of_nested_lists(stick: Stick) -> None:
    (stick.folder / kit.KIT_NAME).write_bytes(b'{"format": "kotae-training-kit", "files": ' + b"[" * 200_000)


def lock_of_its_own(stick: Stick) -> None:
    changed(stick.folder, lambda document: document.update(lock="../../usb/cpu-linux-x86_64-py311"))


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        (own_python, "python_archive_unknown"),
        (other_bytes_of_the_python, "kit_part_damaged"),
        (python_of_another_machine, "python_archive_other"),
        (python_as_a_link, "kit_part_damaged"),
        (python_without_end, "training_kit_unlisted"),
        (other_wheel_that_the_table_vouches_for, "training_kit_unlisted"),
        (other_wheel_under_the_right_table, "training_wheel_damaged"),
        (one_wheel_more, "training_kit_unlisted"),
        (a_source_that_would_be_built, "training_kit_damaged"),
        (wheel_as_a_link, "training_wheel_damaged"),
        (wheel_as_a_pipe, "training_wheel_damaged"),
        (wheel_as_a_folder, "training_wheel_damaged"),
        (wheel_without_end, "training_wheel_damaged"),
        (name("../peft.whl"), "training_kit_damaged"),
        (name("/tmp/peft.whl"), "training_kit_damaged"),
        (name("a\\b.whl"), "training_kit_damaged"),
        (name("NUL.whl"), "training_kit_damaged"),
        (table_as_a_link, "training_kit_damaged"),
        (table_of_nested_lists, "training_kit_damaged"),
        (lock_of_its_own, "training_kit_damaged"),
    ],
)
def test_a_kit_that_somebody_has_changed_is_refused_and_nothing_of_it_runs(
    stick: Stick, attack: Callable[[Stick], None], code: str
) -> None:
    attack(stick)
    assert refused(stick) == code


def test_a_file_that_is_exchanged_after_it_was_looked_at_is_not_used(stick: Stick) -> None:
    where = EnvironmentFolders(stick.work / "data")
    where.wheels.mkdir(parents=True)
    honest = {path.name: path.read_bytes() for path in stick.folder.glob("*.whl")}
    plan = install_plan.plan_install("", stick.folder, where, where.base)
    begun: list[str] = []

    def exchange(package: str, _done: int, _total: int) -> None:
        """What has been read already: only the copies can be right."""
        for other in set(begun) - {package}:
            for path in stick.folder.glob(f"{other}-*.whl"):
                path.write_bytes(b"evil")
        begun.append(package)

    found = kit.collect_wheels(stick.folder, plan.lock, plan.kit, where.wheels, exchange)
    assert b"evil" in {path.read_bytes() for path in stick.folder.glob("*.whl")}
    assert {name: path.read_bytes() for name, path in found.items()} == honest
    assert all(path.parent == where.wheels for path in found.values())


@pytest.mark.parametrize("spoilt", ["wheel", "python"])
def test_without_a_python_of_the_machine_that_of_the_kit_starts_only_when_all_of_the_kit_is_right(
    stick: Stick, spoilt: str
) -> None:
    spoil = other_wheel_under_the_right_table if spoilt == "wheel" else other_bytes_of_the_python
    before = {path.name: path.read_bytes() for path in stick.folder.iterdir()}
    spoil(stick)
    outcome = made(stick, "bare")
    assert outcome["code"] == ("training_wheel_damaged" if spoilt == "wheel" else "kit_part_damaged")
    assert not stick.ran.exists()
    for file, content in before.items():
        (stick.folder / file).write_bytes(content)
    made(stick, "bare")
    assert stick.ran.exists()  # so the program in it would have been seen


def test_what_lies_beside_a_kit_and_what_the_surroundings_name_has_no_say(stick: Stick, tally: Tally) -> None:
    """On a machine with a Python of its own, which goes before the one in the kit."""
    evil = f"import pathlib; pathlib.Path({str(stick.ran)!r}).touch()\n"
    for file in ("sitecustomize.py", "usercustomize.py", "encodings.py", "json.py", "uv.py", "setup.py", "torch.py"):
        (stick.folder / file).write_text(evil, "utf-8")
    (stick.folder / "evil.pth").write_text(evil.replace("\n", ""), "utf-8")
    make_wheel(stick.folder, "torch", version="9.0", requires="evil")
    make_wheel(stick.folder, "evil")
    for file in ("pip.conf", "pip.ini", "uv.toml", "pyproject.toml", ".python-version", "pyvenv.cfg", ".env"):
        (stick.folder / file).write_text(f"[global]\nfind-links = {stick.folder}\npython = {stick.folder}\n", "utf-8")
    for file in ("python3", "python", "uv", "nvidia-smi"):
        (stick.folder / file).write_text(f"#!/bin/sh\ntouch '{stick.ran}'\n", "utf-8")
        (stick.folder / file).chmod(0o755)
    here = str(stick.folder)
    outcome = made(
        stick, "usual", PATH=f":.:{os.environ['PATH']}", PIP_CONFIG_FILE=f"{here}/pip.conf", PIP_FIND_LINKS=here,
        UV_CONFIG_FILE=f"{here}/uv.toml", UV_FIND_LINKS=here, UV_PYTHON=f"{here}/python3", UV_NO_VERIFY_HASHES="1",
        UV_PYTHON_INSTALL_DIR=here, UV_CACHE_DIR=here, UV_OVERRIDE=f"{here}/uv.toml", VIRTUAL_ENV=here,
    )  # fmt: skip
    assert outcome["type"] == "Done", outcome
    assert not stick.ran.exists()
    final = EnvironmentFolders(stick.work / "data").final
    installed = {path.name for path in final.glob("lib/python*/site-packages/*.dist-info")}
    assert {f"{file.package}-{file.version}.dist-info" for file in stick.lock.files} == installed
    assert not EnvironmentFolders(stick.work / "data").pythons.exists()
    tally.tried(12)


@pytest.mark.parametrize("planted", ["python", "environment", "part"])
def test_what_lies_in_a_newly_chosen_place_is_not_started(
    stick: Stick, planted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = EnvironmentFolders(stick.work / "drive")
    homes = {"python": drive.pythons / "x" / "bin", "environment": drive.final / "bin", "part": drive.part_folder}
    homes[planted].mkdir(parents=True)
    for program in ("python", "python3"):
        (homes[planted] / program).write_text(f"#!/bin/sh\ntouch '{stick.ran}'\n", "utf-8")
        (homes[planted] / program).chmod(0o755)
    (drive.base / "training-environment").mkdir(exist_ok=True)
    if planted == "environment":
        (drive.final / "kotae-environment.json").write_text(
            json.dumps({"lock": stick.lock.name, "digest": stick.lock.digest}), "utf-8"
        )
    else:
        drive.final.rmdir()
    outcome = made(stick, "bare", str(drive.base))
    assert outcome["code"] == "training_place_taken"
    monkeypatch.setattr(base_pythons, "candidates", lambda _versions: [])
    assert install_plan.plan_install("", stick.folder, drive, stick.work / "data").python is None  # as for the estimate
    assert not stick.ran.exists()


# ---------------------------------------------------------------------- models


def imported(folder: Path, target: Path) -> kit_import.ImportedModels:
    return kit_import.import_kit(folder, target, lambda model: model, parse_presets)


def test_a_model_that_is_only_called_as_a_known_one_does_not_get_its_terms(tmp_path: Path) -> None:
    known = starter.card()
    fake = models.tiny_llama(tmp_path / "gemma.gguf", metadata={"general.name": known.names[0]})
    kit_export.export_kit([local_models.describe(fake)], tmp_path / "kit", permit=PERMIT)
    outcome = imported(tmp_path / "kit", tmp_path / "models")
    (model,) = outcome.models
    assert model.card_id == known.id
    assert outcome.unchecked == [model]
    assert local_models.adapter_of(model) is None
    terms = (tmp_path / "models" / "gemma-licence.txt").read_text("utf-8")
    assert terms.startswith(phrase("models.kit_licence_unchecked"))


def test_a_page_under_the_name_of_our_terms_is_not_taken(tmp_path: Path) -> None:
    folder, target = tmp_path / "kit", tmp_path / "models"
    kit_export.export_kit([local_models.describe(models.tiny_llama(tmp_path / "a.gguf"))], folder, permit=PERMIT)
    page = b"<script>alert(1)</script>"
    (folder / starter.TERMS_NAME).write_bytes(page)
    document = json.loads((folder / transfer_kit.MANIFEST_NAME).read_bytes())
    sha256 = hashlib.sha256(page).hexdigest()
    document["extras"] = [{"kind": "gemma_terms", "size_bytes": len(page), "sha256": sha256}]
    (folder / transfer_kit.MANIFEST_NAME).write_bytes(transfer_kit.table_bytes(document))
    outcome = imported(folder, target)
    assert [problem.code for problem in outcome.problems] == ["kit_content_unknown"]
    assert not (target / starter.TERMS_NAME).exists()
    assert len(outcome.models) == 1


def test_a_kit_written_over_a_strangers_table_deletes_only_what_is_ours(stick: Stick) -> None:
    photos = stick.folder / "photos.tar.gz"
    photos.write_bytes(b"mine")
    listed(stick.folder, photos.name, photos)
    wheels = stick.work / "wheels"
    kit.write_kit(stick.folder, stick.lock, {file.name: wheels / file.name for file in stick.lock.files}, None)
    assert photos.read_bytes() == b"mine"
