"""Fixtures of the room's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.documents.library import Library
from app.documents.reading.pdf import ocr


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library.open(tmp_path / "documents.sqlite")
    yield library
    library.close()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Puts a script in Tesseract's place; before that, there is none."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cat", "sleep", "printf"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    ocr.has_tesseract.cache_clear()

    def put(script: str) -> None:
        (folder / "tesseract").write_text("#!/bin/sh\n" + script, "utf-8")
        (folder / "tesseract").chmod(0o755)
        ocr.has_tesseract.cache_clear()

    yield put
    ocr.has_tesseract.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three documents, in it and two folders below."""
    folder = tmp_path / "基準"
    (folder / "下" / "さらに下").mkdir(parents=True)
    for name in ("a.pdf", "下/b.DOCX", "下/さらに下/c.md"):
        (folder / name).write_text(name, encoding="utf-8")
    return folder
