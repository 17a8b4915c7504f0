"""Pages as pictures, drawn by the real child from real PDF files, with the places of quoted texts on them."""

import base64
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.documents.reading.messages import Failed, Render, Rendered
from app.documents.reading.pdf import page_renderer
from app.documents.reading.pdf.pdf_page import Glyph
from tests.documents.reading.pdf_maker import A4, Pdf, rule, text
from tests.documents.reading.reading_child import ReadingChild

COVER = "土に接する部材の鉄筋のかぶりは七十ミリ以上とする。"
WATER = "水中で施工する部材は百ミリ以上とする。"
WIDTH = 595 * 2


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadingChild]:
    with ReadingChild(tmp_path_factory.mktemp("reader")) as child:
        yield child


@pytest.fixture
def document_id(child: ReadingChild, tmp_path: Path) -> int:
    pdf = Pdf()
    pdf.page(
        text(72, 770, "第２章　材料", 16) + text(72, 700, COVER) + text(72, 680, WATER[:9]) + text(72, 664, WATER[9:])
    )
    pdf.page(text(72, 700, "次のページ。") + rule(100, 400, 300, 400))
    path = tmp_path / "設計編.pdf"
    path.write_bytes(pdf.bytes())
    document_id = child.add(path)
    child.index(document_id)
    return document_id


def drawn(child: ReadingChild, document_id: int, page: int = 1, width: int = WIDTH, *quotes: str) -> Rendered | Failed:
    child.send(Render("r", document_id, page, width, quotes))
    event = child.read()
    assert isinstance(event, Rendered | Failed)
    assert event.id == "r"
    return event


def pixels(picture: Rendered) -> bytes:
    return zlib.decompress(base64.b64decode(picture.rgb))


def row(picture: Rendered, y: int) -> bytes:
    return pixels(picture)[3 * picture.width * y : 3 * picture.width * (y + 1)]


def test_a_page_is_drawn_as_wide_as_asked(child, document_id):
    picture = drawn(child, document_id, 2)
    assert isinstance(picture, Rendered)
    assert (picture.page, picture.pages, picture.width, picture.height) == (2, 2, WIDTH, A4[1] * 2)
    assert len(pixels(picture)) == 3 * picture.width * picture.height
    line = row(picture, 2 * (A4[1] - 400))
    assert set(line[: 3 * 190]) == {255}
    assert min(line[3 * 210 : 3 * 590]) < 150


def test_a_quoted_text_is_found_line_by_line(child, document_id):
    picture = drawn(child, document_id, 1, WIDTH, COVER, WATER)
    assert isinstance(picture, Rendered)
    cover, first, second = picture.places
    for place, bottom, letters in ((cover, 700, len(COVER)), (first, 680, 9), (second, 664, len(WATER) - 9)):
        assert place.left == pytest.approx(144, abs=4)
        assert place.right == pytest.approx(144 + 20 * letters, abs=24)
        assert place.top < 2 * (A4[1] - bottom - 4) < place.bottom


def test_places_grow_with_the_picture(child, document_id):
    small = drawn(child, document_id, 1, 300, COVER)
    large = drawn(child, document_id, 1, 900, COVER)
    assert isinstance(small, Rendered)
    assert isinstance(large, Rendered)
    assert large.places[0].right == pytest.approx(3 * small.places[0].right, rel=0.01)


def test_a_text_of_another_page_has_no_place(child, document_id):
    picture = drawn(child, document_id, 2, WIDTH, COVER)
    assert isinstance(picture, Rendered)
    assert picture.places == ()


def test_however_wide_it_is_asked_a_picture_has_its_limit(child, document_id):
    picture = drawn(child, document_id, 1, 10**9)
    assert isinstance(picture, Rendered)
    assert picture.width <= page_renderer.WIDTH_MOST_PX
    assert picture.width * picture.height <= page_renderer.PIXELS_MOST * 1.01


def test_a_file_that_has_gone_or_changed_is_not_drawn(child, document_id):
    path = Path(child.document(document_id).path)
    os.utime(path, ns=(1, 1))
    assert drawn(child, document_id) == Failed("r", "source_changed", {"path": str(path)})
    path.unlink()
    assert drawn(child, document_id) == Failed("r", "source_gone", {"path": str(path)})
    assert child.document(document_id).state == "done"


def test_a_page_is_drawn_while_its_document_waits_to_be_read_again(child, document_id):
    child.library.read_again([document_id])
    assert isinstance(drawn(child, document_id), Rendered)
    child.library.keep(document_id)
    assert isinstance(drawn(child, document_id), Rendered)


def test_what_has_no_such_page_is_said(child, document_id, tmp_path):
    assert drawn(child, document_id, 3) == Failed("r", "source_no_page", {"page": 3})
    assert drawn(child, 99) == Failed("r", "document_removed")
    notes = tmp_path / "覚え書き.md"
    notes.write_text("# 第1章\n\n本文である。\n", "utf-8")
    other = child.add(notes)
    child.index(other)
    assert drawn(child, other) == Failed("r", "source_no_page", {"page": 0})


def glyphs(written: str, left: float = 10, top: float = 10) -> list[Glyph]:
    return [Glyph(one, left + 10 * n, top, left + 10 * n + 9, top + 10, 10) for n, one in enumerate(written)]


def test_a_text_that_was_read_a_little_otherwise_is_found_by_its_ends():
    page = glyphs("前の文。コンクリートの設計基準強度は２４Ｎとし、骨材の寸法は表による。次の文。")
    read = "コンクリートの設計基準強度は24Nとし、骨材の最大寸法は表による。"
    ((left, _, right, _),) = page_renderer.locate_quote(page, read)
    assert (left, right) == (50, 359)


def test_a_text_ends_where_its_own_end_is_and_not_another_ones():
    """A sign in the middle is missing on the page, and the sentence before ends with the same words."""
    page = glyphs("点検は毎月の初めに必ず行う。") + glyphs("発電機の負荷運転は年一回初めに必ず行う。次の文。", top=40)
    ((left, top, right, _),) = page_renderer.locate_quote(page, "発電機の負荷運転は年一回、初めに必ず行う。")
    assert (left, top, right) == (10, 40, 209)


def test_a_row_of_a_table_is_found_though_its_cells_were_joined():
    page = glyphs("部材") + glyphs("かぶり", 200) + glyphs("基礎", top=40) + glyphs("70mm以上", 200, 40)
    ((left, top, right, _),) = page_renderer.locate_quote(page, "基礎 | 70mm以上")
    assert (left, top, right) == (10, 40, 259)


def test_short_texts_are_not_looked_for():
    assert page_renderer.locate_quote(glyphs("値は三。"), "値") == []


def test_vertical_lines_are_kept_apart():
    column = [Glyph(one, 100, 10 + 10 * n, 109, 19 + 10 * n, 10) for n, one in enumerate("縦に組んだ文の一行目")]
    column += [Glyph(one, 80, 10 + 10 * n, 89, 19 + 10 * n, 10) for n, one in enumerate("そして二行目")]
    lines = page_renderer.locate_quote(column, "縦に組んだ文の一行目そして二行目")
    assert [(left, right) for left, _, right, _ in lines] == [(100, 109), (80, 89)]


def part_of(child: ReadingChild, document_id: int, *edges: float, page: int = 1) -> Rendered:
    child.send(Render("r", document_id, page, 300, (), edges, reads=True))
    event = child.read()
    assert isinstance(event, Rendered)
    return event


def test_a_part_of_a_page_is_drawn_alone_with_the_words_in_it(child, document_id):
    part = part_of(child, document_id, 0, 0.15, 1, 0.2)  # the line with WATER's end is below
    assert (part.width, part.height) == (300, pytest.approx(300 * 0.05 * A4[1] / A4[0], abs=2))
    assert (part.text, part.recognized) == (f"{COVER}\n{WATER[:9]}", None)
    assert part_of(child, document_id, 0, 0.15, (72 + 50) / A4[0], 0.18).text == COVER[:5]
    rule_alone = part_of(child, document_id, 0.1, 0.5, 0.6, 0.55, page=2)
    assert min(pixels(rule_alone)) < 150
    assert set(pixels(part_of(child, document_id, 0.1, 0.6, 0.6, 0.7, page=2))) == {255}


@pytest.mark.parametrize("edges", [(0.5, 0.5, 0.5, 0.5), (-3, 9, 5, -2), (1, 1, 1, 1)])
def test_a_part_beyond_the_page_or_of_no_size_is_drawn_small(child, document_id, edges):
    part = part_of(child, document_id, *edges)
    assert 0 < part.width <= 300
    assert part.height > 0
