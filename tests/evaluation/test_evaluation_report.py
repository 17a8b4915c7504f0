"""The report of an evaluation: one file, all text escaped, what is to be believed said first."""

import dataclasses
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from app.base import plots, wording
from app.base.errors import AppError
from app.base.plots import PlotBar, PlotEstimate, PlotRow
from app.evaluation.records import Evaluation, Judge, ReportSection, ReportTable, RuleScores
from app.evaluation.report import answer_table, report
from tests.evaluation import made_evaluation as made
from tests.html_page import Page

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uff01-\uff60]")
ADVICE = ReportSection(
    "どれを使うか & <b>",
    ("「元のモデル + 資料」で十分です。",),
    (plots.line_plot("学習量", "行", [plots.PlotSeries("得点", "one", [(0, 1), (1, 2)])]),),
    (ReportTable(("構成", "差"), (("元のモデル", "+0.05"), ("学習済み", "-")), ("注の一",)),),
)


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    return made.evaluation()


@pytest.fixture(scope="module")
def text(judged: Evaluation) -> str:
    return report.render(judged, [ADVICE])


def in_english(evaluation: Evaluation) -> str:
    wording.use_language("en")
    try:
        return report.render(evaluation)
    finally:
        wording.use_language("ja")


def test_the_page_is_whole_needs_nothing_from_elsewhere_and_holds_foreign_words_as_text(text: str) -> None:
    page = Page(text)
    assert page.links == []
    assert not {"script", "link", "iframe", "object", "img", "b"} & set(page.tags)
    assert not re.search(r"url\((?!#)", text)
    assert "http" not in re.sub("http-equiv|http://example.invalid", "", text)
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert page.tags.count("details") == made.COUNT
    assert made.HOSTILE in Page(text).text
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in text
    assert "<b>砂防" not in text


def test_it_is_written_whole_into_the_folder_also_with_lone_surrogates(judged: Evaluation, tmp_path: Path) -> None:
    path = report.write(judged, [ADVICE], tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    Page(path.read_text("utf-8"))
    with pytest.raises(AppError, match="evaluation_unwritable"):
        report.write(judged, [], tmp_path / "gone")
    broken = dataclasses.replace(judged, name="壊れた\ud800名")
    assert "壊れた\N{REPLACEMENT CHARACTER}名" in report.write(broken, [], tmp_path).read_text("utf-8")


def test_set_hash_and_judge_stand_first_then_the_advice_then_the_tables(text: str) -> None:
    titles = ("結果", "採点モデルの点の差", "得点の差", "規則による採点の項目", "文書の検索と引用")
    titles += ("損失・速さ・大きさ", "分野別", "差の大きい質問", "すべての回答", "条件")
    shown = ["河川砂防 現場質問（版 3）", "ab" * 32, "機密", "<dd>Qwen3-14B", "どれを使うか &amp; &lt;b&gt;"]
    shown += [f"<h2>{title}</h2>" for title in titles]
    places = [text.index(one) for one in shown]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("judge", "words", "is_warning"),
    [
        (made.JUDGE, "信用できると確かめました（κ 0.62）", False),
        (made.UNTRUSTED, "信用できません（κ 0.12）", True),
        (made.UNCALIBRATED, "信用できるかは、まだ分かりません", True),
        (None, "採点モデルは使っていません", False),
    ],
)
def test_whether_the_judge_is_to_be_believed_is_said_at_the_top(
    judge: Judge | None, words: str, is_warning: bool
) -> None:
    text = report.render(made.evaluation(judge, seeds=(1,)))
    banner = text[text.index('<p class="banner') : text.index("<h2>")]
    assert words in banner
    assert ("▲" in banner, 'class="banner check"' in banner) == (is_warning, is_warning)


def test_what_systems_are_compared_by_is_said_where_there_are_any() -> None:
    by_rules, alone = "規則で付けた得点で比べています", "ほかに比べられる得点はありません"
    found = made.evaluation(made.UNTRUSTED)
    systems = tuple(
        dataclasses.replace(one, rows=tuple(dataclasses.replace(row, marks=RuleScores()) for row in one.rows))
        for one in found.systems
    )
    assert by_rules in report.render(found)
    unmarked = report.render(dataclasses.replace(found, systems=systems))
    assert (by_rules in unmarked, alone in unmarked) == (False, True)
    nobody = report.render(dataclasses.replace(found, systems=()))
    assert (by_rules in nobody, alone in nobody) == (False, False)


def test_numbers_are_at_the_right_and_words_at_the_left(text: str) -> None:
    assert '<th>構成</th><th class="number">差</th></tr>' in text.replace("\n", "")
    assert '<td class="number">+0.05</td>' in text
    assert '<td class="number">-</td>' in text
    assert '<td class="short">差があるとは言えない</td>' in text
    assert re.search(r'<td class="number">-?\+?[\d.]+〜\+?[\d.]+</td>', text)


def test_plots_are_drawings_that_say_in_numbers_what_they_show(text: str, judged: Evaluation) -> None:
    drawn = [ET.fromstring(one) for one in re.findall("<svg.*?</svg>", text, re.DOTALL)]
    titles = [one.get("aria-label") for one in drawn]
    assert titles[1:4] == ["採点の平均（0〜3）と 95 % 区間", "得点（0〜1）と 95 % 区間", "採点の内訳（回答の数）"]
    assert len(titles) == 6
    counts = [row.judgement.score for row in judged.systems[3].rows if row.judgement].count(3)
    assert str(counts) in [one.text for one in drawn[3].iter("text")]
    assert len([one for one in drawn[4].iter("circle") if "open" in one.get("class", "").split()]) == 1


def test_of_few_questions_no_interval_is_drawn(judged: Evaluation) -> None:
    titles = re.findall('aria-label="(.*?)"', report.render(made.first_questions(judged, 4)))
    assert titles == ["採点の内訳（回答の数）"]
    assert len(re.findall("<svg", report.render(made.first_questions(judged, 6)))) == 5


def test_every_answer_is_there_with_reason_marks_and_the_systems_scores_in_their_order(
    text: str, judged: Evaluation
) -> None:
    words = Page(text).text
    for shown in (
        "回数が正解と合う。",
        "必ず含む語が入っていた割合",
        "資料にない質問",
        "モデルを読み込めませんでした。",
        "乱数の種 2",
        "118 ページ",
    ):
        assert shown in words, shown
    assert words.count("回答できません") == 2
    assert "エラー" in words
    shown = re.findall('<span class="points">(.*?)</span>', text)
    assert len(shown) == made.COUNT
    scores = [
        [row.judgement.score for row in result.rows if row.judgement and row.question_id == "q5"]
        for result in judged.systems
    ]
    assert shown[4] == " / ".join(f"{sum(one) / 2:g}" for one in scores)
    assert shown[1].startswith("- / ")  # the first system failed
    row = judged.systems[1].rows[0]
    exact = dataclasses.replace(row, marks=dataclasses.replace(row.marks, is_exact=True))
    assert "完全一致" in answer_table.score_labels(exact)
    assert not any("完全一致" in mark for mark in answer_table.score_labels(row))


def test_without_a_judge_nothing_of_one_is_shown() -> None:
    text = report.render(made.evaluation(None, seeds=(1,)))
    assert "採点の内訳" not in text
    assert "採点モデルの点" not in text
    assert "シード 1" not in text
    assert "<th>得点の内訳</th>" in text


def test_one_system_alone_has_a_report(judged: Evaluation) -> None:
    alone = report.render(dataclasses.replace(judged, systems=judged.systems[:1]))
    Page(alone)
    assert "の差</h2>" not in alone
    assert "差の大きい質問" not in alone


def test_it_is_written_in_english_too(judged: Evaluation) -> None:
    text = in_english(judged)
    assert 'lang="en"' in text
    assert "were checked and can be trusted (κ 0.62)" in text
    given = [made.question(number) for number in range(1, made.COUNT + 1)]
    theirs = {one for question in given for one in (question.text, question.reference, question.category)}
    words = Page(text).text
    for one in sorted([*theirs, *made.SYSTEMS, judged.name, judged.id, judged.questions.name], key=len, reverse=True):
        words = words.replace(one, "")
    left = {line.strip() for line in words.splitlines() if JAPANESE.search(line)}
    assert all(re.search("回を標準|月1回|回数が正解|モデルを読み込め|調査編.pdf|河川砂防", line) for line in left), left


# --------------------------------------------------------------------------- plots


def test_an_interval_is_drawn_within_its_frame_however_long_its_name_is() -> None:
    drawn = plots.interval_plot(
        "差", [PlotRow("名" * 200 + "<終", "+0.10", (PlotEstimate(0.1, -0.2, 0.4),))], has_zero=True
    )
    tree = ET.fromstring(drawn)
    (dot,) = tree.iter("circle")
    assert 12 < float(dot.get("cx", "")) < plots.WIDTH
    name = next(one for one in tree.iter("text") if one.get("class") == "name halo")
    assert re.fullmatch("名+…名+<終", name.text or "")
    assert float(name.get("textLength", "")) < plots.WIDTH - 7 * len("+0.10")
    assert [one.get("class") for one in tree.iter("path")].count("axis zero") == 1


def test_bars_are_as_long_as_each_other_and_their_parts_as_their_counts() -> None:
    tree = ET.fromstring(
        plots.bar_plot(
            "内訳", ["0 点", "1 点"], [PlotBar("甲", (1, 3)), PlotBar("乙", (40, 40)), PlotBar("空", (0, 0))]
        )
    )
    widths = [float(one.get("width", "")) for one in tree.iter("rect")][2:]
    assert widths == pytest.approx([124, 372, 248, 248])
    assert [one.text for one in tree.iter("text") if (one.get("class") or "").startswith("on-part")] == [
        "1",
        "3",
        "40",
        "40",
    ]


def test_nothing_to_draw_is_no_plot_and_what_is_nothing_is_not_drawn_among_negative_ones() -> None:
    assert plots.interval_plot("差", []) == plots.bar_plot("内訳", ["0 点"], [PlotBar("甲", (0,))]) == ""
    assert plots.interval_plot("差", [PlotRow("甲", "", (PlotEstimate(float("nan"), 0, 1),))]) == ""
    drawn = plots.interval_plot("得点", [PlotRow("甲", "0.000", (PlotEstimate(0.0, 0.0, 0.0),))])
    assert ">0.0</text>" in drawn
    assert "\u2212" not in "".join(re.findall(r">([^<]*)</text>", drawn))
