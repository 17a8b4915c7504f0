"""Old Word and PowerPoint files through LibreOffice: what is said without it, and the whole way with it."""

import contextlib
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pptx as python_pptx
import psutil
import pytest

from app.base import programs, wording
from app.base.errors import AppError
from app.documents.library import Library
from app.documents.reading import indexing, office_conversion
from app.documents.reading.messages import Failed, Index, Indexed
from tests.documents import driver
from tests.documents.driver import silent, written
from tests.documents.reading.reading_child import ReadingChild
from tests.waiting import wait_for_ends, wait_until

FILES = Path(__file__).with_name("files")
RTF = (
    r"{\rtf1\ansi\deff0{\fonttbl{\f0 Mincho;}}\f0 \u31532?1\u31456? \u32207?\u21063?\par \u36969?\u29992?\u12290?\par}"
)
with_libreoffice = pytest.mark.skipif(office_conversion.find_libreoffice() is None, reason="LibreOffice is missing")


@pytest.fixture
def child(tmp_path: Path) -> Iterator[ReadingChild]:
    with ReadingChild(tmp_path) as child:
        yield child


def sections(child: ReadingChild, path: Path) -> list[tuple[tuple[str, ...], str]]:
    document_id = child.add(path)
    ended = child.index(document_id)[-1]
    assert isinstance(ended, Indexed), ended
    assert "converted" in child.document(document_id).report.notes
    assert list((child.database.parent / "conversion").iterdir()) == []
    return [(section.heading, section.text) for section in child.sections(document_id)]


@pytest.mark.parametrize(
    ("name", "content", "format_", "target"),
    [
        ("基準.doc", (FILES / "standard.doc").read_bytes(), "doc", "docx"),
        ("基準.rtf", RTF.encode(), "rtf", "docx"),
        ("基準.doc", RTF.encode(), "rtf", "docx"),
    ],
)
def test_without_libreoffice_it_is_said_what_to_do(name, content, format_, target, tmp_path):
    path = written(tmp_path, name, content)
    assert indexing.detect_format(path) == format_
    with pytest.raises(AppError) as caught:
        office_conversion.convert(path, format_, target, None, silent)
    assert caught.value.code == "document_needs_libreoffice"
    said = str(wording.describe(caught.value.code, caught.value.facts))
    assert "LibreOffice" in said
    assert f" {target} " in said


def test_what_an_earlier_version_could_not_read_is_read_again(tmp_path):
    with closing(Library.open(tmp_path / "documents.sqlite")) as library:
        own = library.add_collection("基準")
        ids = library.add_documents(own, [tmp_path / "a.pptx", tmp_path / "b.xls", tmp_path / "c.pdf"])
        codes = ("document_presentation", "document_old_format", "document_damaged")
        for document_id, code in zip(ids, codes, strict=True):
            library.fail(document_id, AppError(code))
    driver.write_as_earlier_version(tmp_path / "documents.sqlite", 3)
    with closing(Library.open(tmp_path / "documents.sqlite")) as library:
        assert {one.name for one in library.waiting()} == {"a.pptx", "b.xls"}


@pytest.mark.skipif(sys.platform != "linux", reason="PATH is not all where LibreOffice is looked for")
def test_a_folder_of_path_that_has_only_a_starter_is_not_libreoffice(tmp_path, monkeypatch):
    starter = written(tmp_path, "soffice", "#!/bin/sh\n")
    starter.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(office_conversion, "_USUAL", ())
    assert office_conversion.find_libreoffice() is None
    library = written(tmp_path, "libmergedlo.so", "")
    assert office_conversion.find_libreoffice() == library


@with_libreoffice
def test_word_97_rtf_and_powerpoint_97_are_read(child, tmp_path):
    assert sections(child, FILES / "standard.doc") == [
        (("第1章 総則",), "本章は砂防堰堤に適用する。\n部材 | 数量\n本堤 | 12.5")
    ]
    assert sections(child, written(tmp_path, "a.rtf", RTF)) == [(("第1章 総則",), "適用。")]
    made = python_pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[1])
    slide.shapes.title.text, slide.placeholders[1].text = "堤高", "堤高は15m未満とする。"
    made.save(str(tmp_path / "a.pptx"))
    folder = tmp_path / "made"
    folder.mkdir()
    shutil.move(office_conversion.convert(tmp_path / "a.pptx", "pptx", "ppt", folder, silent), tmp_path / "a.ppt")
    assert indexing.detect_format(tmp_path / "a.ppt") == "ppt"
    assert sections(child, tmp_path / "a.ppt") == [(("堤高",), "堤高は15m未満とする。")]


@with_libreoffice
def test_what_libreoffice_cannot_convert_fails_and_the_next_document_is_read(child, tmp_path):
    whole = (FILES / "standard.doc").read_bytes()
    failed = child.index(child.add(written(tmp_path, "半分.doc", whole[:700] + bytes(9_000))))[-1]
    assert isinstance(failed, Failed)
    assert failed.code in ("document_not_converted", "document_damaged")
    assert sections(child, FILES / "standard.doc")[0][0] == ("第1章 総則",)


@with_libreoffice
def test_a_document_reaches_neither_the_network_nor_other_files(child, tmp_path):
    secret = written(tmp_path, "secret.txt", "合言葉")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        place = f"http://127.0.0.1:{listener.getsockname()[1]}/a.rtf"
        fields = "".join(
            rf'{{\field{{\*\fldinst INCLUDETEXT "{target}"}}{{\fldrslt x}}}}' for target in (place, secret.as_uri())
        )
        found = sections(child, written(tmp_path, "a.rtf", RTF.removesuffix("}") + fields + r"\par}"))
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert "合言葉" not in str(found)


def convert_long_document(child: ReadingChild, folder: Path) -> psutil.Process:
    """Begin to read a document that takes LibreOffice minutes; return LibreOffice's process."""
    body = r"\u22576?\u22564?\u12398?\u23433?\u23450?\par " * 400_000
    child.send(Index("9", child.add(written(folder, "long.rtf", RTF.removesuffix("}") + body + "}"))))
    found: list[psutil.Process] = []

    def is_converting() -> bool:
        for one in psutil.Process(child.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                if "--convert-document" in one.cmdline() and one.cpu_times().user > 0.5:
                    found.append(one)
        return bool(found)

    wait_until(is_converting)
    return found[0]


@with_libreoffice
@pytest.mark.parametrize("how", ["closed", "killed"])
def test_libreoffice_ends_with_the_reading_child(how, child, tmp_path):
    converter = convert_long_document(child, tmp_path)
    if how == "closed":
        child.stop()
    else:
        child.process.kill()
        child.process.wait()
    wait_for_ends([converter])


@with_libreoffice
def test_a_conversion_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(office_conversion, "CONVERSION_S", 1.0)
    body = r"\u22576?\u22564?\par " * 400_000
    with pytest.raises(AppError) as caught:
        office_conversion.convert(
            written(tmp_path, "a.rtf", RTF.removesuffix("}") + body + "}"), "rtf", "docx", folder(tmp_path), silent
        )
    assert caught.value.code == "document_not_converted"
    running = [one.info for one in psutil.process_iter(["ppid", "cmdline"])]  # what ends meanwhile is left out
    assert not [one for one in running if one["ppid"] == os.getpid() and "--convert-document" in (one["cmdline"] or ())]


def folder(parent: Path) -> Path:
    (parent / "conversion").mkdir()
    return parent / "conversion"


def act_as_libreoffice(monkeypatch: pytest.MonkeyPatch, parent: Path, code: str) -> None:
    """Let a script convert. It has the paths `source` and `made`."""
    starter = written(parent, "start.py", (
        "import sys, time\nfrom pathlib import Path\nsource, made = map(Path, sys.argv[2:])\n" + code
    ))  # fmt: skip
    monkeypatch.setattr(office_conversion.programs, "own_program", lambda: [sys.executable, "-P", str(starter)])


@pytest.mark.skipif(os.name == "nt", reason="links need a permission")
def test_no_link_leads_out_of_the_folder(tmp_path, monkeypatch):
    """A document that has taken over LibreOffice makes links, for this reading and for the next one."""
    secret, place = written(tmp_path, "secret.docx", "合言葉"), folder(tmp_path)
    (tmp_path / "mine").mkdir()
    written(tmp_path / "mine", "a.txt", "a")
    links = {"document.rtf": secret, "profile": tmp_path / "mine"}
    code = f"made.symlink_to({str(secret)!r})\nsource.unlink()\n" + "".join(
        f"made.with_name({name!r}).symlink_to({str(target)!r})\n" for name, target in links.items() if name != "profile"
    )
    act_as_libreoffice(monkeypatch, tmp_path, code)
    path = written(tmp_path, "a.rtf", RTF)
    for _ in range(2):
        with pytest.raises(AppError) as caught:
            office_conversion.convert(path, "rtf", "docx", place, silent)
        assert caught.value.code == "document_not_converted"
        shutil.rmtree(place / "profile")
        (place / "profile").symlink_to(links["profile"])
    office_conversion.empty_folder(place)
    assert list(place.iterdir()) == []
    assert (secret.read_text("utf-8"), (tmp_path / "mine" / "a.txt").read_text()) == ("合言葉", "a")
    place.rmdir()
    place.symlink_to(tmp_path / "mine")
    office_conversion.empty_folder(place)
    assert (tmp_path / "mine" / "a.txt").exists()


@pytest.mark.parametrize("how", ["closed", "unreadable"])
def test_no_copy_stays_when_the_child_ends_amid_a_conversion(how, tmp_path, monkeypatch):
    wait = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    starter = written(tmp_path, "start.py", (
        "import sys\nfrom pathlib import Path\nfrom app.documents.reading import office_conversion, worker\n"
        "office_conversion.find_libreoffice = lambda: Path('soffice')\n"
        f"office_conversion.programs.own_program = lambda: {wait!r}\nworker.main(sys.argv[1])\n"
    ))  # fmt: skip
    monkeypatch.setattr(programs, "reader_command", lambda path: [sys.executable, "-P", str(starter), str(path)])
    with ReadingChild(tmp_path) as child:
        child.send(Index("1", child.add(written(tmp_path, "a.rtf", RTF))))
        place = office_conversion.folder_beside(child.database)
        wait_until((place / "document.rtf").exists)
        if how == "closed":
            child.stop()
        else:
            child.process.stdin.write(b"?\n")
            child.process.stdin.flush()
            child.process.wait(60)
        assert list(place.iterdir()) == []


@with_libreoffice
@pytest.mark.skipif(os.name != "posix" or shutil.which("soffice") is None, reason="no program beside the library")
def test_the_program_converts_where_the_library_is_not_used(tmp_path, monkeypatch):
    program = shutil.which("soffice")
    assert program is not None
    starter = written(tmp_path, "start.py", (
        "import sys\nfrom pathlib import Path\nfrom app.documents.reading import office_conversion\n"
        f"office_conversion.find_libreoffice = lambda: Path({program!r})\noffice_conversion.main(sys.argv[2:])\n"
    ))  # fmt: skip
    monkeypatch.setattr(office_conversion.programs, "own_program", lambda: [sys.executable, "-P", str(starter)])
    made = office_conversion.convert(FILES / "standard.doc", "doc", "docx", folder(tmp_path), silent)
    assert made.read_bytes().startswith(b"PK")
