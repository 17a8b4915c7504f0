"""A home of its own for the program, and a sentence that is looked for in all of it afterwards, however it is written.

What is said to the program may be in its databases and their copies, and where the user has put it; nowhere else.
"""

import base64
import contextlib
import io
import json
import os
import tempfile
import time
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from app.base import paths
from tests.faults.window_process import ROOT, WindowProcess, add_tiny_model, environment, kotae

LARGEST_BYTES = 64 << 20  # of a file of somebody else that lies where everybody's temporary files do
_KANJI = "橋梁川岸堤防杭土石砂水門樋管堰"  # sixteen with the next, one for each hexadecimal digit
_SHARED = ("/tmp", "/var/tmp", "/dev/shm")


def new_sentence() -> str:
    """One that nobody else has ever said, in characters of the old encodings too."""
    letters = dict(zip("0123456789abcdef", _KANJI + "床", strict=True))
    return "金糸雀は" + "".join(letters[digit] for digit in uuid.uuid4().hex[:10]) + "で七回鳴いた"


def spellings(sentence: str) -> dict[str, bytes]:
    """As it may stand in a file."""
    escaped = json.dumps(sentence)[1:-1]
    plain = sentence.encode()
    found = {
        "utf-8": plain,
        "utf-16-le": sentence.encode("utf-16-le"),
        "utf-16-be": sentence.encode("utf-16-be"),
        "cp932": sentence.encode("cp932"),
        "euc-jp": sentence.encode("euc-jp"),
        "json": escaped.encode(),
        "json in capitals": escaped.upper().replace("\\U", "\\u").encode(),
        "address": quote(sentence).encode(),
        "html": "".join(f"&#{ord(letter)};" for letter in sentence).encode(),
    }
    for shift in range(3):  # base64 depends on where in a group of three bytes the sentence begins
        coded = base64.b64encode(bytes(shift) + plain)
        found[f"base64 + {shift}"] = coded[4 if shift else 0 : -4]
    return found


def holds(content: bytes, sentence: str) -> list[str]:
    """The spellings in which the bytes hold the sentence, also within an archive (Word and Excel files are some)."""
    found = [name for name, spelling in spellings(sentence).items() if spelling in content]
    if content.startswith(b"PK\3\4"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = [archive.read(entry) for entry in archive.namelist()]
        found += [f"{name} in an archive" for part in parts for name in holds(part, sentence)]
    return found


class Home:
    """A home, a temporary folder, a working folder and the folders of the desktop, all below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sentence = new_sentence()
        self._since = time.time()
        for name in ("home", "tmp", "work", "run"):
            (folder / name).mkdir()
        (folder / "run").chmod(0o700)
        self.work = folder / "work"
        self.where = paths.locate(str(folder / "home" / "データ"))
        add_tiny_model(self.where, folder)

    def _changes(self) -> dict[str, str | None]:
        """Of the environment."""
        xdg = {f"XDG_{name}_HOME": str(self.folder / "home" / name) for name in ("DATA", "CONFIG", "CACHE", "STATE")}
        own = {"HOME": str(self.folder / "home"), "PYTHONPATH": str(ROOT)}
        own |= dict.fromkeys(("TMPDIR", "TMP", "TEMP"), str(self.folder / "tmp"))
        return {**xdg, **own, "XDG_RUNTIME_DIR": str(self.folder / "run")}

    def window(self, **changes: str | None) -> WindowProcess:
        return WindowProcess(self.where.data, env=environment(**self._changes() | changes), cwd=self.work)

    def kotae(self, *arguments: str | Path, status: int = 0, data: Path | None = None, **changes: str | None) -> str:
        """Runs a command on this home (or on another data folder in it); gives what it said on both streams."""
        changes = self._changes() | changes
        done = kotae(*map(str, arguments), data=data or self.where.data, cwd=self.work, **changes)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def write(self, name: str, text: str, encoding: str = "utf-8") -> Path:
        """A file of the user's, in the folder that the program is started in."""
        path = self.work / name
        path.write_text(text, encoding)
        return path

    # ----------------------------------------------------------------------------------------- what is left of it

    def holders(self) -> list[Path]:
        """Every file that holds the sentence, and whose name does."""
        found = [path for path in self.folder.rglob("*") if path.is_file() and self._holds(path)]
        return found + list(self._shared())

    def _holds(self, path: Path) -> bool:
        return self.sentence in path.name or bool(holds(path.read_bytes(), self.sentence))

    def _shared(self) -> Iterator[Path]:
        """Where a program might write that does not ask for the folder of temporary files."""
        for folder in {*_SHARED, tempfile.gettempdir()}:
            for path in Path(folder).glob("*"):
                # Another program may be writing it, or have removed it; ours have all ended.
                with contextlib.suppress(OSError, EOFError, zipfile.BadZipFile):
                    if self._is_new(path) and self._holds(path):
                        yield path

    def _is_new(self, path: Path) -> bool:
        try:
            state = path.stat()
            is_readable = os.access(path, os.R_OK) and path.is_file()
        except OSError:  # somebody else's, and gone
            return False
        return is_readable and state.st_mtime >= self._since and state.st_size <= LARGEST_BYTES

    def astray(self, *allowed: Path) -> list[Path]:
        """Files that hold the sentence, other than the databases, their copies, and what is below `allowed`."""
        own = {file.name + end for file in (self.where.database, self.where.documents) for end in ("", "-wal", "-shm")}
        return [
            path
            for path in self.holders()
            if not (path.parent == self.where.data and path.name in own)
            and path.parent != self.where.backups
            and not any(path == one or path.is_relative_to(one) for one in allowed)
        ]

    def is_in(self, files: Sequence[Path]) -> bool:
        """Whether one of them, or what a database has beside it, holds the sentence."""
        wanted = {str(file) + end for file in files for end in ("", "-wal")}
        return any(str(path) in wanted for path in self.holders())
