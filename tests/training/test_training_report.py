"""The report of a run: one file, all text escaped, every plot a drawing that Qt can read."""

import dataclasses
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from app.base import plots, wording
from app.base.plots import PlotSeries
from app.base.wording import phrase
from app.training import quality_gate
from app.training.quality_gate import AnswerRow
from app.training.runs import run_journal, run_report
from tests.html_page import Page
from tests.training import report_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return report_folder.write(tmp_path / "実行")


def test_the_page_is_whole_and_needs_nothing_from_elsewhere(folder: Path) -> None:
    path = run_report.write_report(folder)
    assert path == folder / "report.html"
    text = path.read_text("utf-8")
    page = Page(text)
    assert page.links == []
    assert not {"script", "link", "iframe", "object", "b", "i"} & set(page.tags)
    assert not re.search(r"url\((?!#)", text)
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert page.tags.count("svg") == 3


def test_what_people_and_models_wrote_is_text(folder: Path) -> None:
    text = run_report.render_report(folder)
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in text
    assert "<b>何 mm" not in text
    assert "&amp;amp; 橋脚の" in text


def test_it_says_what_was_decided_and_from_what(folder: Path) -> None:
    text = run_report.render_report(folder)
    assert ">採用<" in text or ">要確認<" in text
    for shown in (
        "元のモデル + アダプター<",
        "組み込み済み Q8_0",
        "-1.300 (-1.300 … -1.300)",  # by the training alone: 2.4 - 5.0, of two tokens
        "▲ +0.0",
        "行数: 480, sha256: ",
        ">sha256: " + "ab" * 32,  # the file is another by now: nobody knows how many rows it had
        "2.13.0",
        "<dt>注意</dt>",
        "学習用が 48 行しかなく",
        "一度に計算する例の数: 2",
        "良くならなくなったため",
        "<dt>プリセット</dt>",
    ):
        assert shown in text, shown
    for raw in ("few_rows", "out_of_memory", "early_stopping", "<dt>reason", "learning_rate", "{text}"):
        assert raw not in text, raw
    assert text.count('class="proposed"') == 1
    assert "最良：ステップ 90" in text
    assert "（空）" not in text
    assert "途中で打ち切り" in text


def test_it_is_written_in_english_too(folder: Path) -> None:
    wording.use_language("en")
    try:
        text = run_report.render_report(folder)
    finally:
        wording.use_language("ja")
    assert 'lang="en"' in text
    assert "Measurements by form" in text
    assert "良くなったもの" not in text


def test_a_run_without_a_gate_or_even_a_step_has_a_report(tmp_path: Path) -> None:
    without = run_report.render_report(report_folder.write(tmp_path / "a", with_gate=False))
    assert "評価していません" in without
    assert without.count("<svg") == 3
    empty = tmp_path / "b"
    empty.mkdir()
    Page(run_report.render_report(empty))


def test_what_is_rejected_is_recommended_nowhere(folder: Path) -> None:
    found = quality_gate.read_gate(folder)
    quality_gate.write_gate(dataclasses.replace(found, verdict="reject"), folder)
    text = run_report.render_report(folder)
    assert "使わないでください" in text
    assert "おすすめの形" not in text
    assert 'class="proposed"' not in text
    quality_gate.write_gate(found, folder)
    assert "使わないでください" not in run_report.render_report(folder)


def test_the_model_as_it_answered_before_has_a_row_of_its_own(folder: Path) -> None:
    found = quality_gate.read_gate(folder)
    assert "付属のアダプター" not in run_report.render_report(folder)
    shipped = dataclasses.replace(found.row("base+adapter"), form="base+shipped")
    told = dataclasses.replace(found, forms=(*found.forms, shipped), change_from_shipped=found.change)
    quality_gate.write_gate(told, folder)
    text = run_report.render_report(folder)
    assert "<td>元のモデル + 付属のアダプター" in text
    assert "<dt>付属のアダプターを付けた元のモデルとの差" in text


@pytest.mark.parametrize(("answer", "ended_by"), [("そうですね。" * 20, "end"), ("百ミリで", "limit"), (" ", "end")])
def test_a_broken_answer_has_not_improved(answer: str, ended_by: str) -> None:
    well = AnswerRow(1, "問い", "手本", "前", "end", "後", "end", -0.1)
    broken = AnswerRow(2, "問い", "手本", "前", "end", answer, ended_by, -2.0)
    shown = dict(run_report._answers([well, broken]))
    assert [one.tuned for one in shown["良くなったもの"]] == ["後"]
    assert len(shown["悪くなった、または良くなっていないもの"]) == 1


@pytest.mark.parametrize(("change", "better", "worse"), [(-0.1, 5, 0), (0.1, 0, 5), (None, 0, 5)])
def test_only_answers_that_got_better_stand_below_that_heading(change: float | None, better: int, worse: int) -> None:
    row = AnswerRow(1, "問い", "手本", "前", "end", "後", "end", change)
    shown = {heading: len(found) for heading, found in run_report._answers([row] * 8)}
    headings = [phrase(f"training.report.most_{name}") for name in ("better", "worse")]
    assert shown == {name: count for name, count in zip(headings, (better, worse), strict=True) if count}


def test_what_was_done_again_after_a_pause_stands_there_once(folder: Path) -> None:
    told = run_journal.read_history(folder)
    numbers = [step.step for step in told.steps]
    assert numbers == list(range(1, 121))
    assert told.finished is not None
    assert told.started.resumed_step == 30
    assert [one.step for one in told.evaluations] == [0, 30, 60, 90, 120]


# ------------------------------------------------------------------------- plots


def test_a_plot_is_a_drawing_with_its_lines_inside_its_frame() -> None:
    points = [(float(x), 1e-4 * x * x) for x in range(2000)]
    drawn = plots.line_plot(
        "損失 <&>",
        "ステップ",
        [PlotSeries("学習", "one", points), PlotSeries("検証", "two", points[::500], has_marks=True)],
    )
    tree = ET.fromstring(drawn)
    lines = list(tree.iter("polyline"))
    assert len(lines) == 2
    marks = [one for one in tree.findall("path") if one.get("class", "").startswith("mark two")]
    assert len(marks) == 4
    for line in lines:
        places = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
        assert 3 < len(places) <= 600
        assert all(0 <= x <= plots.WIDTH and 0 <= y <= plots.HEIGHT for x, y in places)


def test_qt_draws_it(qapp: object) -> None:
    from PySide6.QtCore import QByteArray
    from PySide6.QtGui import QImage, QPainter
    from PySide6.QtSvg import QSvgRenderer

    drawn = plots.line_plot("損失", "ステップ", [PlotSeries("学習", "one", [(0, 1), (1, 0)])])
    plain = drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ')  # in a page it needs none
    renderer = QSvgRenderer(QByteArray(plain.replace('class="series one"', 'stroke="red" fill="none"').encode()))
    assert renderer.isValid()
    image = QImage(plots.WIDTH, plots.HEIGHT, QImage.Format.Format_RGB32)
    image.fill(0xFFFFFFFF)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    red = sum(
        image.pixelColor(x, y).red() > 200 > image.pixelColor(x, y).green() + 60 for x in range(520) for y in range(240)
    )
    assert red > 300


@pytest.mark.parametrize("points", [[], [(1.0, float("nan"))], [(float("inf"), 1.0)]])
def test_nothing_to_draw_is_no_plot(points: list[tuple[float, float]]) -> None:
    assert plots.line_plot("x", "y", [PlotSeries("a", "one", points)]) == ""


@pytest.mark.parametrize(
    ("low", "high", "first", "last"),
    [
        (0, 10, 0, 10),
        (0.13, 0.94, 0, 1),
        (2e-5, 1.9e-4, 0, 2e-4),
        (3, 3, 2.6, 3.4),
        (0, 0, -1, 1),
        (-0.02, 0.5, -0.2, 0.6),
    ],
)
def test_the_numbers_at_the_edge_are_round(low: float, high: float, first: float, last: float) -> None:
    found = plots.ticks(low, high)
    assert (found[0], found[-1]) == pytest.approx((first, last))
    assert 3 <= len(found) <= 9
    assert all(float(f"{one:.3g}") == pytest.approx(one) for one in found)
