"""PowerPoint files into blocks. python-pptx writes them, or XML where it knows nothing of what is in the file."""

from pathlib import Path
from typing import Any

import pptx as python_pptx
import pytest
from pptx.util import Cm

from app.base.errors import AppError
from app.documents.reading import pptx, sections
from app.documents.reading.text_blocks import Block, ReadDocument
from tests.documents.driver import silent
from tests.faults.hostile_office import presentation, shape

TITLE_ONLY, TITLE_AND_CONTENT, TWO_CONTENTS, BLANK = 5, 1, 3, 6


def read(folder: Path, made: Any) -> ReadDocument:
    """`made`: a presentation of python-pptx, or a file's bytes."""
    path = folder / "a.pptx"
    if isinstance(made, bytes):
        path.write_bytes(made)
    else:
        made.save(str(path))
    return pptx.read(path, silent)


def add_text(slide: Any, text: str, left: float, top: float) -> None:
    slide.shapes.add_textbox(Cm(left), Cm(top), Cm(5), Cm(1)).text_frame.text = text


def test_a_slide_is_a_heading_with_its_texts_and_notes(tmp_path: Path) -> None:
    made = python_pptx.Presentation()
    made.core_properties.title = "砂防の手引き"
    slide = made.slides.add_slide(made.slide_layouts[TITLE_AND_CONTENT])
    slide.shapes.title.text = "堤高の\n決定"
    slide.placeholders[1].text = "堤高は15m未満とする。\n基礎は岩盤とする。"
    slide.notes_slide.notes_text_frame.text = "現地で確かめる。"
    second = made.slides.add_slide(made.slide_layouts[TITLE_ONLY])
    second.shapes.title.text = "まとめ"
    add_text(second, "以上。", 2, 8)
    reading = read(tmp_path, made)
    assert (reading.title, reading.report.pages) == ("砂防の手引き", 2)
    assert reading.blocks == [
        Block("heading", "堤高の 決定", 1, page=1),
        Block("paragraph", "堤高は15m未満とする。", page=1),
        Block("paragraph", "基礎は岩盤とする。", page=1),
        Block("paragraph", "ノート：現地で確かめる。", page=1),
        Block("heading", "まとめ", 1, page=2),
        Block("paragraph", "以上。", page=2),
    ]
    assert [(one.heading, one.page) for one in sections.Splitter(reading).cut()] == [
        (("堤高の 決定",), 1),
        (("まとめ",), 2),
    ]


def test_texts_follow_their_places_and_a_group_stays_together(tmp_path: Path) -> None:
    made = python_pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[TITLE_ONLY])
    slide.shapes.title.text = "工程"
    add_text(slide, "下", 2, 15)
    add_text(slide, "右", 14, 6.3)
    group = slide.shapes.add_group_shape()
    for text, top in (("組の下", 11), ("組の上", 10)):
        group.shapes.add_textbox(Cm(2), Cm(top), Cm(4), Cm(1)).text_frame.text = text
    add_text(slide, "左", 2, 6)
    assert [block.text for block in read(tmp_path, made).blocks] == ["工程", "左", "右", "組の上", "組の下", "下"]


def test_placeholders_have_the_places_of_their_layout(tmp_path: Path) -> None:
    made = python_pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[TWO_CONTENTS])
    slide.shapes.title.text = "比較"
    right, left = slide.placeholders[2], slide.placeholders[1]
    left.text, right.text = "左の案", "右の案"
    tree = right._element.getparent()
    tree.remove(left._element)
    tree.append(left._element)
    add_text(slide, "下の結論", 2, 18)
    assert [block.text for block in read(tmp_path, made).blocks] == ["比較", "左の案", "右の案", "下の結論"]


def test_a_table_is_rows_and_a_merged_cell_is_said_in_each(tmp_path: Path) -> None:
    made = python_pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[TITLE_ONLY])
    slide.shapes.title.text = "数量"
    table = slide.shapes.add_table(3, 3, Cm(2), Cm(5), Cm(15), Cm(4)).table
    for row, line in enumerate([["部材", "数量", "単位"], ["本堤", "12.5", "m3"], ["", "3", "基"]]):
        for column, text in enumerate(line):
            table.cell(row, column).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    reading = read(tmp_path, made)
    assert reading.blocks[1:] == [
        Block("row", "部材 | 数量 | 単位", is_head=True, page=1),
        Block("row", "本堤 | 12.5 | m3", page=1),
        Block("row", "本堤 | 3 | 基", page=1),
    ]
    assert reading.report.tables == 1


def test_a_slide_without_a_title_has_its_first_line_as_heading(tmp_path: Path) -> None:
    made = python_pptx.Presentation()
    for text in ("調査の流れ", "長い文。" * 30):
        slide = made.slides.add_slide(made.slide_layouts[BLANK])
        add_text(slide, text, 2, 2)
        add_text(slide, "本文", 2, 8)
    made.slides.add_slide(made.slide_layouts[BLANK])
    blocks = read(tmp_path, made).blocks
    assert [block.text for block in blocks if block.kind == "heading"] == ["調査の流れ", "スライド 2"]
    assert [block.text for block in blocks if block.kind == "paragraph"] == ["本文", "長い文。" * 30, "本文"]


def test_diagrams_formulas_and_the_newest_of_alternatives_are_read(tmp_path: Path) -> None:
    diagram = (
        '<p:graphicFrame><a:graphic><a:graphicData><dgm:relIds xmlns:dgm="d" r:dm="rDiagram"/></a:graphicData>'
        "</a:graphic></p:graphicFrame>"
    )
    formula = (
        "<p:sp><p:txBody><a:p><a:r><a:t>応力</a:t></a:r><a14:m xmlns:a14='a'><m:oMath xmlns:m='m'><m:r><m:t>σ=P/A</m:t>"
        "</m:r></m:oMath></a14:m></a:p></p:txBody></p:sp>"
    )
    both = (
        f"<mc:AlternateContent xmlns:mc='mc'><mc:Choice>{shape('新しい')}</mc:Choice><mc:Fallback>{shape('古い')}"
        "</mc:Fallback></mc:AlternateContent>"
    )
    points = "".join(f"<pt><t><a:p><a:r><a:t>{text}</a:t></a:r></a:p></t></pt>" for text in ("調査", "設計"))
    model = f'<dataModel xmlns="d" xmlns:a="a"><ptLst>{points}</ptLst></dataModel>'
    reading = read(tmp_path, presentation(formula + both + diagram, {"ppt/diagrams/data1.xml": model}))
    assert [block.text for block in reading.blocks] == ["応力σ=P/A", "新しい", "調査", "設計"]


def test_hidden_slides_are_left_out_as_hidden_sheets_are(tmp_path: Path) -> None:
    made = python_pptx.Presentation()
    for text in ("一", "二", "三"):
        add_text(made.slides.add_slide(made.slide_layouts[BLANK]), text, 2, 2)
    assert read(tmp_path, made).report.notes == ()
    made.slides[1]._element.set("show", "0")
    reading = read(tmp_path, made)
    assert [(block.text, block.page) for block in reading.blocks] == [("一", 1), ("三", 3)]
    assert (reading.report.pages, reading.report.notes) == (3, ("hidden_slides",))


def test_letters_of_notes_and_diagrams_hide_no_lost_text(tmp_path: Path) -> None:
    """All that is kept is counted in the source too, so what is kept cannot stand in for what is lost."""
    made = python_pptx.Presentation()
    slide = made.slides.add_slide(made.slide_layouts[TITLE_ONLY])
    slide.shapes.title.text = "堤高の決定"
    slide.notes_slide.notes_text_frame.text = "現地で確かめる。"
    assert read(tmp_path, made).source_letters == len("堤高の決定現地で確かめる")
    diagram = (
        '<p:graphicFrame><a:graphic><a:graphicData><dgm:relIds xmlns:dgm="d" r:dm="rDiagram"/></a:graphicData>'
        "</a:graphic></p:graphicFrame>"
    )
    point = "<pt><t><a:p><a:r><a:t>調査</a:t></a:r></a:p></t></pt>"
    model = f'<dataModel xmlns="d" xmlns:a="a"><ptLst>{point}</ptLst></dataModel>'
    made = presentation(shape("堤高") + diagram, {"ppt/diagrams/data1.xml": model})
    assert read(tmp_path, made).source_letters == len("堤高調査")


@pytest.mark.parametrize("cut", [0.3, 0.7, 0.95])
def test_a_broken_presentation_fails_in_words(cut: float, tmp_path: Path) -> None:
    made = python_pptx.Presentation()
    made.slides.add_slide(made.slide_layouts[TITLE_ONLY]).shapes.title.text = "題"
    made.save(str(tmp_path / "whole.pptx"))
    whole = (tmp_path / "whole.pptx").read_bytes()
    with pytest.raises(AppError) as caught:
        read(tmp_path, whole[: int(len(whole) * cut)])
    assert caught.value.code == "document_damaged"
