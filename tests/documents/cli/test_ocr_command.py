"""`kotae docs ocr`: what recognizes text is shown, installed and removed, and scans are read with it."""

import os
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from app.base.paths import resources
from app.documents.reading.pdf import ocr
from app.models import package_locks
from tests.documents.reading.pdf_maker import Pdf, picture
from tests.documents.reading.stand_in import answering, row

WHEELS = "KOTAE_OCR_WHEELS"  # a folder with all files of this machine's lock
SENTENCES = (
    "3.2.1 コンクリートの設計基準強度",
    "設計基準強度は24N/mm²以上とし、かぶりは0.05m以上とする。",
    "砂防堰堤の天端幅は3.0mとし、安全率は1.2を下回ってはならない。",
)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "資料"
    folder.mkdir()
    made = Pdf()
    made.page(picture())
    made.write(folder / "走査.pdf")
    return folder


def test_without_anything_it_says_so_and_fails(kotae, install, files):
    done = kotae("docs", "ocr", "--json")
    assert (done.returncode, done.data["engine"]) == (1, None)
    assert kotae("docs", "add", "基準", str(files)).returncode == 1
    done = kotae("docs", "ocr", "基準", "--json")
    assert (done.returncode, done.error) == (3, "ocr_missing")


def test_wrong_orders_are_refused(kotae, install, tmp_path):
    assert kotae("docs", "ocr", "--wheels", str(tmp_path), "--json").error == "bad_option"
    assert kotae("docs", "ocr", "--install", "--wheels", str(tmp_path / "none"), "--json").error == "docs_path_missing"
    if package_locks.ocr_lock() is not None:
        done = kotae("docs", "ocr", "--install", "--wheels", str(tmp_path), "--json")
        assert (done.returncode, done.error) == (3, "training_package_missing")
    assert kotae("docs", "ocr", "--remove").returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_a_scan_is_read_with_what_is_there_and_says_so_when_it_is_cited(kotae, install, files):
    kotae("docs", "add", "基準", str(files))
    install(answering(row("鉄筋のかぶりは70mm以上とする。", 91)))
    assert kotae("docs", "ocr", "--json").data["engine"] == "tesseract"
    done = kotae("docs", "ocr", "基準", "--json")
    assert (done.returncode, done.data["read"], done.data["documents"]) == (0, 1, 1)
    (found,) = kotae("docs", "search", "基準", "鉄筋のかぶり", "--json").data["passages"]
    assert (found["text"], found["ocr"]) == ("鉄筋のかぶりは70mm以上とする。", True)
    assert "文字認識（OCR）" in kotae("docs", "search", "基準", "鉄筋のかぶり").stdout
    done = kotae("docs", "ocr", "基準", "--json")
    assert (done.returncode, done.data["documents"]) == (0, 0)


def test_a_scan_keeps_its_text_when_the_file_has_changed(kotae, install, files):
    install(answering(row("鉄筋のかぶりは70mm以上とする。", 91)))
    kotae("docs", "add", "基準", str(files))
    kotae("docs", "ocr", "基準")
    os.utime(files / "走査.pdf", (1, 1))
    assert kotae("docs", "refresh", "基準", "--json").data["collections"][0]["changed"] == 1
    assert len(kotae("docs", "search", "基準", "鉄筋のかぶり", "--json").data["passages"]) == 1


@pytest.mark.ocr
@pytest.mark.skipif(WHEELS not in os.environ, reason=f"{WHEELS} names no folder with the wheels of the OCR part")
def test_the_real_part_reads_japanese_numbers_and_units(kotae, install, data, files):
    font = ImageFont.truetype(resources() / "fonts" / "BIZUDPGothic-Regular.ttf", 34)
    page = Image.new("L", (1240, 800), 255)
    for at, sentence in enumerate(SENTENCES):
        ImageDraw.Draw(page).text((90, 90 + 90 * at), sentence, font=font, fill=0)
    page.rotate(0.6, fillcolor=255, resample=Image.Resampling.BICUBIC).save(files / "基準.png")
    Image.new("L", (9000, 4)).save(files / "帯.png")
    assert kotae("docs", "add", "基準", str(files)).returncode == 1
    done = kotae("docs", "ocr", "基準", "--install", "--wheels", os.environ[WHEELS], "--json")
    assert {one["document"] for one in done.data["attention"]} == {"走査.pdf", "帯.png"}  # they hold no letters
    assert (done.data["read"], done.data["documents"]) == (1, 3)
    assert kotae("docs", "ocr", "--json").data["engine"] == "rapidocr"
    sections = kotae("docs", "show", "基準", "基準.png", "--json").data["sections"]
    text = "".join("".join([*one["heading"][-1:], one["text"]]) for one in sections)
    assert "".join(text.split()) == "".join("".join(SENTENCES).split())
    assert all(one["ocr"] for one in sections)
    assert kotae("docs", "ocr", "--remove").returncode == 0
    assert sorted(path.name for path in data.glob("ocr*")) == ["ocr.lock"]
    assert not ocr.has_tesseract()
