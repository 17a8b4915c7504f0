"""Pictures as documents: their pages are recognized by a stand-in for Tesseract, and hostile ones do no harm."""

import base64
import io
import os
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from app.base.errors import AppError
from app.documents.reading import limits, pictures
from app.documents.reading.messages import Failed, Render, Rendered
from app.documents.reading.pdf import ocr
from app.documents.reading.pdf.ocr import Word
from app.models import package_folder, package_locks
from tests.documents.driver import silent, written
from tests.documents.reading.reading_child import ReadingChild
from tests.documents.reading.stand_in import answering, row

needs_shell = pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
PNG = b"\x89PNG\r\n\x1a\n"


def packed(picture: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)  # type: ignore[arg-type]
    return target.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png_of(width: int, height: int, data: bytes, *more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return PNG + head + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def tiff_of(width: int, height: int, next_at: int = 0) -> bytes:
    """A grey TIFF file without any pixel. `next_at`: where the next page is said to be."""
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8),
            (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, 1)]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", next_at)


@needs_shell
def test_each_page_of_a_tiff_file_is_a_page_with_the_certainty_of_its_numbers(install, tmp_path):
    rows = row("3.2.1　設計基準強度", 97) + row("強度は24N/mm²以上、かぶりは0.05mとする。", 61.7, block=2)
    install(answering(rows))
    pages = [Image.new("1", (1240, 1754), 1) for _ in range(3)]
    path = written(tmp_path, "図.tif", packed(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    with ReadingChild(tmp_path) as child:
        document_id = child.add(path)
        child.index(document_id)
        document, sections = child.document(document_id), child.sections(document_id)
        child.send(Render("r", document_id, 3, 310, ()))
        drawn = child.read()
        child.send(Render("s", document_id, 4, 310, ()))
        beyond = child.read()
    assert (document.state, document.report.pages, document.report.notes) == ("done", 3, ("recognized",))
    assert [(one.page, one.heading) for one in sections] == [(page, ("3.2.1 設計基準強度",)) for page in (1, 2, 3)]
    assert sections[0].recognized == (("3.2.1", 97), ("24", 61), ("0.05", 61))
    assert isinstance(drawn, Rendered)
    assert (drawn.pages, drawn.width, drawn.height) == (3, 310, 438)
    assert set(zlib.decompress(base64.b64decode(drawn.rgb))) == {255}
    assert beyond == Failed("s", "source_no_page", {"page": 4})


def test_without_anything_that_recognizes_text_a_picture_says_what_to_do(install, tmp_path):
    path = written(tmp_path, "写真.png", packed(Image.new("L", (60, 60)), "PNG"))
    with ReadingChild(tmp_path) as child:
        document_id = child.add(path)
        child.index(document_id)
        document = child.document(document_id)
    assert (document.state, document.error_code, document.needs_recognition) == ("failed", "ocr_missing", True)


def test_a_photograph_without_text_is_not_offered_for_recognition_again(install, tmp_path):
    install(answering(""))
    path = written(tmp_path, "写真.jpg", packed(Image.new("RGB", (600, 400), "green"), "JPEG"))
    with ReadingChild(tmp_path) as child:
        document_id = child.add(path)
        child.index(document_id)
        document = child.document(document_id)
    assert (document.state, document.needs_recognition) == ("doubtful", False)
    assert document.report.notes == ("recognized", "no_text")


@needs_shell
def test_hostile_pictures_are_refused_and_the_child_lives_on(install, tmp_path):
    hostile = {
        "a.png": (png_of(60_000, 60_000, zlib.compress(bytes(1000))), "picture_too_large"),
        "b.png": (png_of(2**31 - 1, 2**31 - 1, b""), "picture_too_large"),
        "c.png": (png_of(9_000, 9_000, zlib.compress(bytes(5))), "document_damaged"),
        "d.png": (png_of(9, 9, b"", chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(90_000_000)))), "document_damaged"),
        "e.png": (PNG, "document_damaged"),
        "f.jpg": (b"\xff\xd8\xff", "document_damaged"),
        "g.jpg": (packed(Image.new("L", (900, 900)), "JPEG")[:300], "document_damaged"),
        "h.tif": (tiff_of(70_000, 70_000), "picture_too_large"),
        "i.tif": (tiff_of(0, 0), "document_damaged"),
        "j.tif": (tiff_of(500, 500), "document_damaged"),
        "k.tif": (b"MM\0*\xff\xff\xff\xff", "document_damaged"),
    }
    install(answering(row("中身", 96)))
    pages = packed(Image.new("L", (40, 40), 255), "TIFF")
    at = struct.unpack("<I", pages[4:8])[0]
    count = struct.unpack("<H", pages[at : at + 2])[0]
    endless = bytearray(pages)
    endless[at + 2 + 12 * count : at + 6 + 12 * count] = struct.pack("<I", at)  # the next page is this one
    with ReadingChild(tmp_path) as child:
        found = {name: child.index_file(written(tmp_path, name, content)) for name, (content, _) in hostile.items()}
        ended = child.index_file(written(tmp_path, "l.tif", bytes(endless)))
        assert child.deaths == 0
    codes = {name: one.code if isinstance(one, Failed) else "read" for name, one in found.items()}
    assert codes == {name: code for name, (_, code) in hostile.items()}
    assert not isinstance(ended, Failed)


def test_a_file_with_more_pages_than_any_document_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(limits, "PAGES", 3)
    pages = [Image.new("1", (8, 8)) for _ in range(4)]
    path = written(tmp_path, "a.tif", packed(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    with pictures.open_picture(path) as picture, pytest.raises(AppError) as caught:
        list(pictures.frames(picture))
    assert caught.value.code == "document_too_many_pages"


def shades(picture: Image.Image, path: Path, kind: str, **options: object) -> list[int]:
    """What is read of the left and the right half of a saved picture."""
    path.write_bytes(packed(picture, kind, **options))
    with pictures.open_picture(path) as opened:
        grey = pictures.decode(opened, "L", 10_000)
    assert grey.width * grey.height <= 10_000
    return [round(grey.getpixel((int(grey.width * share), grey.height // 2)) / 255, 1) for share in (0.2, 0.8)]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I;16B", "I", "F"])
def test_every_kind_of_picture_becomes_grey_on_white(mode, tmp_path):
    """The left half is black and the right one white, or nothing, which is white too."""
    drawn = Image.new("RGBA", (300, 200), (255, 255, 255, 0))
    drawn.paste((0, 0, 0, 255), (0, 0, 150, 200))
    if mode.startswith("I;16"):
        picture = Image.frombytes(mode, (300, 200), (b"\0\0" * 150 + b"\xff\xff" * 150) * 200)
    elif mode in ("I", "F"):  # of any range
        dark, bright = (-300_000, 500_000) if mode == "I" else (0.1, 0.7)
        picture = Image.new(mode, (300, 200), dark)
        picture.paste(bright, (150, 0, 300, 200))
    elif mode in ("LA", "RGBA"):
        picture = drawn.convert(mode)
    else:
        picture = Image.alpha_composite(Image.new("RGBA", drawn.size, "white"), drawn).convert("RGB").convert(mode)
    kind = "TIFF" if mode in ("CMYK", "I;16B", "I", "F") else "PNG"
    assert shades(picture, tmp_path / "a", kind) == [0.0, 1.0]


def test_a_photograph_is_turned_as_its_camera_says(tmp_path):
    drawn = Image.new("L", (200, 300), 255)
    drawn.paste(0, (0, 0, 200, 150))
    turned = Image.Exif()
    turned[0x0112] = 8  # the left side is at its bottom
    assert shades(drawn, tmp_path / "a", "JPEG", exif=turned) == [0.0, 1.0]


def test_a_line_written_downward_gives_glyphs_below_each_other():
    down = Word("縦書き", (99, 99, 99), 100, 100, 130, 190)
    glyphs = ocr.place_glyphs([down], 2.0)
    assert [(one.text, one.left, one.top, one.right) for one in glyphs] == [
        ("縦", 50, 50, 65), ("書", 50, 65, 65), ("き", 50, 80, 65)
    ]  # fmt: skip


def test_a_page_without_words_is_empty():
    assert ocr.place_glyphs([], 1.0) == []
    assert ocr.low_numbers([]) == {}
    with pytest.raises(AppError) as caught:
        ocr.make_recognizer(Path("/nowhere"), silent)
    assert caught.value.code == "ocr_part_changed"


@pytest.mark.skipif(package_locks.ocr_lock() is None, reason="there is no part for this machine")
def test_code_of_a_changed_part_is_not_run(install, tmp_path):
    """The part was installed on this machine, and whoever had the data folder since has changed it."""
    lock, part = package_locks.ocr_lock(), tmp_path / "ocr"
    assert lock is not None
    for name in ("rapidocr", "onnxruntime"):
        (part / name).mkdir(parents=True)
    written(part / "onnxruntime", "__init__.py", "def disable_telemetry_events(): pass\n")
    module = written(part / "rapidocr", "__init__.py", "raise ImportError('run')\n")
    package_folder._write_stamp(part, "ocr", lock)
    path = written(tmp_path, "a.png", packed(Image.new("L", (60, 60)), "PNG"))
    with ReadingChild(tmp_path) as child:
        as_installed = child.index_file(path)
        module.write_text("raise ImportError('hit')\n")
        child.restart()
        child.library.read_again([1])
        changed = child.index(1)[-1]
        needs_recognition = child.document(1).needs_recognition
    assert isinstance(as_installed, Failed)
    assert (as_installed.code, as_installed.facts["detail"]) == ("ocr_part_broken", "run")
    assert isinstance(changed, Failed)
    assert (changed.code, changed.facts) == ("ocr_part_changed", {"path": str(part)})
    assert needs_recognition


def test_the_words_of_a_part_of_a_picture_are_recognized_when_it_is_asked_about(install, tmp_path):
    install(answering(row("点検は5年に1回とする。", 97)))
    path = tmp_path / "図.png"
    Image.linear_gradient("L").resize((200, 100)).save(path)
    with ReadingChild(tmp_path) as child:
        document_id, edges = child.add(path), (0.5, 0.0, 1.0, 0.5)
        child.send(Render("r", document_id, 1, 400, (), edges, reads=True))
        part = child.read()
        child.send(Render("s", document_id, 1, 400, (), edges))  # as for a model that sees it
        drawn = child.read()
    assert isinstance(part, Rendered)
    assert isinstance(drawn, Rendered)
    assert (drawn.rgb, drawn.text, drawn.recognized) == (part.rgb, "", None)
    assert (part.width, part.height, part.text) == (400, 200, "点検は5年に1回とする。")
    assert dict(part.recognized or ())["5"] == 97
