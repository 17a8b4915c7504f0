"""What Kotae writes is for its user alone: whatever the system's umask is, and in a folder that was there before."""

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base import authenticity, paths
from app.base.files import day_record, file_permissions
from app.documents.retrieval import semantic_index
from app.inference import speed
from app.models import training_environment, verification
from app.serve import server
from app.training.environment import folders
from tests.faults.ledger import Tally
from tests.faults.window_process import ROOT, WindowProcess, add_tiny_model, kotae

pytestmark = [
    pytest.mark.fault("S12"),
    pytest.mark.skipif(os.name == "nt", reason="Windows has access lists in place of modes"),
]
SECRET = "買収金額は三千億円とする。"


def open_to_others(*places: Path) -> list[str]:
    """Files and folders below these places, and the places, that another user may read, write or enter."""

    def found() -> Iterator[Path]:
        for place in places:
            yield place
            yield from place.rglob("*")

    return [str(path) for path in found() if not path.is_symlink() and path.lstat().st_mode & 0o077]


def is_closed(tally: Tally, *places: Path) -> None:
    left = open_to_others(*places)
    tally.tried(1)
    tally.leaked(len(left))
    assert left == []


def document(folder: Path) -> Path:
    folder.mkdir()
    (folder / "s.md").write_text(f"# 計画\n## 第1条\n{SECRET}\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("umask", [0, 0o022])
def test_documents_and_exports_are_closed_whatever_the_umask(tmp_path: Path, tally: Tally, umask: int) -> None:
    data = tmp_path / "データ"
    data.mkdir(mode=0o755)
    done = kotae("docs", "add", "秘密", str(document(tmp_path / "元")), data=data, umask=umask)
    assert done.returncode == 0, done.stderr
    report = tmp_path / "報告.txt"
    assert kotae("report", "--out", str(report), data=data, umask=umask).returncode == 0
    is_closed(tally, data)
    is_closed(tally, report)


def test_a_window_leaves_nothing_open_and_nothing_that_it_does_not_know(tmp_path: Path, tally: Tally) -> None:
    before = os.umask(0)
    try:
        where = paths.locate(str(tmp_path / "データ"))
        add_tiny_model(where, tmp_path)
        where.data.chmod(0o777)
        with WindowProcess(where.data) as window:
            assert window.ask("橋梁の点検は何年ごとですか。")["status"] == "done"
    finally:
        os.umask(before)
    is_closed(tally, where.data)
    data = where.data
    known = {entry.name for entry in data.iterdir() if file_permissions._is_own(entry.name)}
    assert {entry.name for entry in data.iterdir()} - known == {"models"}


def test_what_an_earlier_version_has_left_open_is_closed_at_the_next_start(tmp_path: Path, tally: Tally) -> None:
    data = tmp_path / "データ"
    for name in ("backups/kotae-20260101.sqlite", "runs/a/run.json", "logs/kotae.log", "models/a.gguf", "kotae.sqlite"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(b"")
        (data / name).chmod(0o664)
    for folder in (data, *(path for path in data.rglob("*") if path.is_dir())):
        folder.chmod(0o775)
    assert kotae("models", "list", data=data, umask=0).returncode == 0
    is_closed(tally, data)


def test_what_later_versions_have_added_leaves_no_folder_open(tmp_path: Path, tally: Tally) -> None:
    """A file that is not known would make the data folder somebody else's, whose modes are left alone."""
    where = paths.locate(str(tmp_path / "データ"))
    names = (
        authenticity.REGISTRY_FILE,
        authenticity.KEY_FILE,
        server.KEY_FILE,
        training_environment.KEY_FILE,
        folders.ATTEMPT,
    )
    vectors = semantic_index.vectors_folder(where.documents)
    vectors.mkdir()
    names = (*names, where.exports_log.name, where.crashes.name)
    for name in (*names, day_record.NAME, verification.VERIFIED_FILE, speed.FILE_NAME):
        (where.data / name).touch()
        (where.data / name).chmod(0o666)
    for place in (where.data, vectors):
        place.chmod(0o777)
    paths.locate(str(where.data))
    is_closed(tally, where.data)


def test_a_single_old_log_in_a_closed_folder_is_closed_too(tmp_path: Path, tally: Tally) -> None:
    where = paths.locate(str(tmp_path / "データ"))
    old = where.logs / "kotae.log"
    old.write_bytes(b"")
    old.chmod(0o644)
    paths.locate(str(where.data))
    is_closed(tally, where.logs)


def test_a_run_that_is_copied_out_of_a_program_for_everybody_is_closed(tmp_path: Path, tally: Tally) -> None:
    shared = tmp_path / "プログラム"
    (shared / "中").mkdir(parents=True)
    (shared / "中" / "a.py").write_text("")
    (shared / "中" / "a.py").chmod(0o755)
    before = os.umask(0o077)
    try:
        file_permissions.copy_folder(shared, tmp_path / "写し")
    finally:
        os.umask(before)
    is_closed(tally, tmp_path / "写し")


def test_a_folder_that_cannot_be_copied_is_said_in_the_words_of_its_own_error(tmp_path: Path, tally: Tally) -> None:
    tally.tried(1)
    source, copy = tmp_path / "プログラム", tmp_path / "写し"
    (source / "中").mkdir(parents=True)

    def take_its_place(folder: str, _names: list[str]) -> list[str]:
        if Path(folder).name == "中":
            (copy / "中").write_text("他のプログラム")
        return []

    with pytest.raises(OSError, match=os.strerror(errno.EEXIST)):
        file_permissions.copy_folder(source, copy, take_its_place)


def test_what_is_not_kotaes_keeps_its_modes(tmp_path: Path, tally: Tally) -> None:
    """A folder that a user has chosen may hold other things; a model may be another program's too."""
    tally.tried(0)
    data = tmp_path / "共有"
    for name in ("models/a.gguf", "資料/報告.docx", "runs/a.json", "others.txt"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(b"x")
    (data / "kotae.sqlite").write_bytes(b"")
    (data / "kotae.sqlite").chmod(0o644)
    elsewhere = tmp_path / "別のプログラム"
    elsewhere.mkdir()
    os.link(data / "runs" / "a.json", elsewhere / "a.json")
    (data / "link").symlink_to(elsewhere)
    before = {path: path.lstat().st_mode for path in (data, *data.rglob("*"), elsewhere)}
    file_permissions.tighten_permissions(data)
    changed = {path.name for path, mode in before.items() if path.lstat().st_mode != mode}
    assert changed == {"kotae.sqlite", "runs"}
    assert stat.S_IMODE((data / "kotae.sqlite").stat().st_mode) == 0o600


def test_what_is_no_folder_is_left_alone(tmp_path: Path, tally: Tally) -> None:
    tally.tried(0)
    file_permissions.tighten_permissions(tmp_path / "ない")
    (tmp_path / "file").touch(mode=0o644)
    file_permissions.tighten_permissions(tmp_path / "file")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644


def test_a_training_makes_closed_files_even_when_started_by_hand(tmp_path: Path, tally: Tally) -> None:
    asked = (
        "import os, runpy, sys\n"
        f"os._exit = lambda code: (open({str(tmp_path / 'made')!r}, 'w').close(), sys.exit(code))\n"
        f"sys.argv = ['trainer', {str(tmp_path / 'none.json')!r}]\n"
        "runpy.run_module('trainer', run_name='__main__')\n"
    )
    subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, timeout=60, umask=0, check=False)
    is_closed(tally, tmp_path / "made")
