"""Convert old Word and PowerPoint, RTF and OpenDocument files with LibreOffice, if it is installed.

A child of the reading child converts one document under all its limits, in a folder with a copy and a profile without
macros and linked content. LibreOffice's own program makes a socket, so Linux loads it as a library (LibreOfficeKit).
"""

import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from app.base import programs
from app.base.errors import AppError
from app.base.isolation import sandbox
from app.documents.reading import limits
from app.documents.reading.text_blocks import ProgressCallback
from trainer.wire import end_with_parent

CONVERSION_S = 180.0  # seconds of processor time; a first start takes 1 to 5
POLL_S = 0.5
GRACE_S = 5.0  # the child needs this long to end LibreOffice
_PROGRAMS = ("soffice", "libreoffice")
_USUAL = (  # program folders of installers that do not add LibreOffice to PATH
    Path("/usr/lib/libreoffice/program"),
    Path("/usr/lib64/libreoffice/program"),
    *sorted(Path("/opt").glob("libreoffice*/program"), reverse=True),
    Path(os.environ.get("PROGRAMFILES", "C:\\Program Files")) / "LibreOffice" / "program",
    Path("/Applications/LibreOffice.app/Contents/MacOS"),
)
_LIBRARIES = ("libmergedlo.so", "libsofficeapp.so")
READ = (Path("/var/spool/libreoffice"),)  # where Debian keeps a part of the program
_SETTINGS = (
    ("Common/Security/Scripting", "DisableMacrosExecution", "true"),
    ("Common/Security/Scripting", "DisableActiveContent", "true"),
    ("Common/Security/Scripting", "BlockUntrustedRefererLinks", "true"),
    ("Writer/Content/Update", "Link", "2"),  # never
)
_OPEN, _SAVE = 4, 2  # places of documentLoadWithOptions and saveAs in LibreOfficeKit's tables of functions


def find_libreoffice() -> Path | None:
    """Return LibreOffice's library (Linux) or program; None if it is not installed."""
    found = (programs.find_program(name) for name in _PROGRAMS)
    folders = [*(Path(path).resolve().parent for path in found if path), *_USUAL]
    names = _LIBRARIES if sys.platform == "linux" else ("soffice.exe", "soffice")
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)


def folder_beside(database: Path) -> Path:
    """Return the folder in which documents are converted, whether it exists or not. `database`: the documents'."""
    return database.with_name("conversion")


def prepare_folder(database: Path) -> Path | None:
    """Return the folder beside the database in which documents are converted; None without LibreOffice."""
    if find_libreoffice() is None:
        return None
    folder = folder_beside(database)
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def empty_folder(folder: Path) -> None:
    """Remove what a conversion left in its folder, which stays, without following links of a malicious document."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # still open in a process that is just ending (Windows)
                entry.unlink()


def convert(path: Path, file_format: str, target: str, folder: Path | None, on_progress: ProgressCallback) -> Path:
    """Convert a document to docx or pptx in the emptied `folder` of `prepare_folder`; return the path.

    Raises AppError("document_needs_libreoffice" | "document_not_converted"), OSError.
    """
    if folder is None:
        raise AppError("document_needs_libreoffice", format=file_format, target=target)
    empty_folder(folder)
    source, made = folder / f"document.{file_format}", folder / f"converted.{target}"
    shutil.copyfile(path, source)
    profile = folder / "profile" / "user"
    profile.mkdir(parents=True)
    (profile / "registrymodifications.xcu").write_text(_settings(), "utf-8")
    sandbox.run_confined(lambda: _run_child(source, made, on_progress), [folder, *READ], [folder])
    if made.is_symlink() or not made.is_file():  # a link could lead to a file that the document may not read
        raise AppError("document_not_converted")
    return made


def _run_child(source: Path, made: Path, on_progress: ProgressCallback) -> None:
    """Run the child until it ends, or has computed for CONVERSION_S. It also ends when its input closes."""
    places = dict.fromkeys(("HOME", "TMPDIR", "TMP", "TEMP"), str(source.parent))
    child = subprocess.Popen(
        [*programs.own_program(), "--convert-document", str(source), str(made)],
        cwd=source.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **places, "SAL_USE_VCLPLUGIN": "svp"},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    assert child.stdin is not None
    began_at = time.monotonic()
    with child.stdin:
        while child.poll() is None and not limits.is_overdue(child.pid, began_at, CONVERSION_S):
            on_progress(0, 0)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(POLL_S)
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _settings() -> str:
    """Return the settings of a profile without macros and linked content."""
    items = "".join(
        f'<item oor:path="/org.openoffice.Office.{path}"><prop oor:name="{name}" oor:op="fuse"><value>{value}</value>'
        "</prop></item>"
        for path, name, value in _SETTINGS
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><oor:items xmlns:oor="http://openoffice.org/2001/registry">'
        f"{items}</oor:items>"
    )


def main(arguments: Sequence[str]) -> NoReturn:
    """Convert one document and exit; exit at once when standard input closes. `arguments`: source and new file."""
    source, made = map(Path, arguments)
    program = find_libreoffice()
    end_with_parent(_kill_children)
    profile = (source.parent / "profile").as_uri()
    if program is not None and program.name in _LIBRARIES:
        _convert_with_library(program, profile, source, made)
    elif program is not None:
        command = [str(program), f"-env:UserInstallation={profile}", "--headless", "--norestore"]
        out = source.parent / "out"
        subprocess.run([*command, "--convert-to", made.suffix[1:], "--outdir", str(out), str(source)], check=False)
        with contextlib.suppress(OSError):
            (out / source.with_suffix(made.suffix).name).replace(made)
    os._exit(0)  # unloading LibreOffice may crash


def _kill_children() -> None:
    import psutil  # here, because the reading child waits for this module

    with contextlib.suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            child.kill()


def _convert_with_library(library: Path, profile: str, source: Path, made: Path) -> None:
    """Convert with LibreOfficeKit (include/LibreOfficeKit/LibreOfficeKit.h in LibreOffice's sources)."""
    start = ctypes.CDLL(str(library)).libreofficekit_hook_2
    start.restype, start.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_char_p]
    office = start(str(library.parent).encode(), profile.encode())
    if not office:
        return
    # Batch: LibreOffice answers its own questions about damaged files instead of waiting for a person.
    document = _function(office, _OPEN, 2)(office, source.as_uri().encode(), b"Batch=true")
    if document:
        _function(document, _SAVE, 3)(document, made.as_uri().encode(), made.suffix[1:].encode(), b"")


def _function(owner: int, place: int, arguments: int) -> Any:
    """Return a function of an object of LibreOfficeKit, whose first field points to its table of functions."""
    table = ctypes.cast(owner, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p)))[0]
    return ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_char_p] * arguments)(table[place])
