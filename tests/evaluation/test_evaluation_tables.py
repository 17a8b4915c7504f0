"""The tables of an evaluation: what is shown, what a spreadsheet holds, and what is left out."""

import csv
import dataclasses
import io
import math

import openpyxl
import pytest

from app.base import wording
from app.base.bootstrap import ConfidenceInterval
from app.base.confidentiality import ExportRequest, permit_export
from app.base.errors import AppError
from app.evaluation.judge.paired_statistics import MEASURES, measure_of
from app.evaluation.records import Evaluation, JudgeScore, ReportSection, ReportTable, ResultRow, RuleScores
from app.evaluation.report import answer_table, export, grids, report, tables
from app.evaluation.report.grids import GridColumn, ShareValue, ValueGrid
from app.evaluation.study import studies
from tests.evaluation import made_evaluation as made
from tests.permits import PERMIT

SECTION = ReportSection(
    "おすすめ", ("資料で十分です。",), ("<svg></svg>",), (ReportTable(("構成",), (("元",),), ("注",)),)
)


@pytest.fixture(scope="module")
def judged() -> Evaluation:
    return made.evaluation()


@pytest.fixture(scope="module")
def by_rules() -> Evaluation:
    return made.evaluation(None, seeds=(1,))


def shown(grid: ValueGrid) -> list[dict[str, str]]:
    table = grids.as_report_table(grid)
    return [dict(zip(table.head, row, strict=True)) for row in table.rows]


def with_rows(evaluation: Evaluation, *rows: ResultRow) -> Evaluation:
    """Of one system, with these answers."""
    result = dataclasses.replace(evaluation.systems[0], rows=rows, likelihoods=())
    return dataclasses.replace(evaluation, systems=(result,))


# --------------------------------------------------------------------------- cells


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (None, GridColumn("x", 2), "-"),
        (math.nan, GridColumn("x", 2), "-"),
        (2.8349, GridColumn("x", 2), "2.83"),
        (0.05, GridColumn("x", 3, is_signed=True), "+0.050"),
        (-0.0001, GridColumn("x", 2, is_signed=True), "0.00"),
        (1234, GridColumn("x"), "1,234"),
        (ConfidenceInterval(0.1, -0.04, 0.14, 20), GridColumn("x", 2, is_signed=True), "-0.04〜+0.14"),
        (ShareValue(17, 20), GridColumn("x"), "17/20"),
        (ShareValue(0, 0), GridColumn("x"), "-"),
        ("", GridColumn("x"), ""),
    ],
)
def test_a_value_is_shown_with_its_digits_and_what_is_not_known_is_a_dash(value, column, text):
    assert grids.text_of(value, column) == text


def test_in_a_spreadsheet_an_interval_and_a_share_are_numbers_of_two_columns():
    grid = ValueGrid(
        (GridColumn("名"), GridColumn("区間", 2), GridColumn("件", 0)),
        (("a", ConfidenceInterval(0.5, 0.1234567, 0.9, 8), ShareValue(3, 4)), ("b", None, None)),
    )
    head, rows = grids.cells(grid)
    assert head == ["名", "区間の下限", "区間の上限", "件（件）", "件（全体）"]
    assert rows == [["a", 0.1235, 0.9, 3, 4], ["b", None, None, None, None]]


def test_grids_of_the_same_rows_become_one_without_what_is_twice():
    one = ValueGrid((GridColumn("名"), GridColumn("点", 2)), (("a", 1.0), ("b", 2.0)), ("注 1",))
    other = ValueGrid(
        (GridColumn("名"), GridColumn("点", 2), GridColumn("秒", 1)),
        (("a", 1.0, 5.0), ("b", 2.0, 6.0)),
        ("注 1", "注 2"),
    )
    both = grids.join_grids(one, other)
    assert both.rows == (("a", 1.0, 5.0), ("b", 2.0, 6.0))
    assert both.notes == ("注 1", "注 2")


# ------------------------------------------------------------------- the paper's table


def test_the_papers_table_has_mean_shares_categories_seconds_and_size(judged):
    (grid,) = tables.results(judged)
    rows = shown(grid)
    assert [row["構成"] for row in rows] == list(made.SYSTEMS)
    row = rows[1]
    assert (row["モデル"], row["量子化"]) == ("Swallow-8B", "Q4_K_M")
    scores = [one.judgement.score for one in judged.systems[1].rows if one.judgement]
    assert row["採点の平均（0〜3）"] == f"{sum(scores) / len(scores):.2f}"
    assert [row[f"{score} 点（%）"] for score in range(4)] == [f"{100 * scores.count(n) / 40:.0f}" for n in range(4)]
    assert {"「調査編」", "「設計編 <b>砂防</b>」"} <= set(row)
    assert (float(row["秒/問"]) > 7, row["大きさ（GB）"]) == (True, "4.92")


def test_without_a_judge_are_no_columns_of_one_and_one_that_gave_no_score_is_not_said_to_be_none(by_rules, judged):
    grid = tables.paper(by_rules)
    row = shown(grid)[1]
    assert list(row) == ["構成", "モデル", "量子化", "得点（0〜1）", "秒/問", "大きさ（GB）"]
    assert float(row["得点（0〜1）"]) == pytest.approx(tables.means(by_rules).rows[1][1], abs=1e-3)
    assert any("採点モデルを使っていない" in note for note in grid.notes)
    row = dataclasses.replace(judged.systems[0].rows[0], judgement=JudgeScore(None, trouble="unreadable"))
    grid = tables.paper(with_rows(judged, row))
    assert shown(grid)[0]["採点の平均（0〜3）"] == "-"
    (note,) = grid.notes
    assert note.startswith("採点モデルの点が付いた回答がない")


@pytest.mark.parametrize(
    ("judge", "means", "has_score"),
    [(made.JUDGE, "採点の平均（0〜3）", False), (made.UNTRUSTED, "得点（0〜1）", True), (None, "得点（0〜1）", True)],
)
def test_the_first_table_shows_what_systems_are_compared_by_also_of_categories(judge, means, has_score):
    found = made.evaluation(judge, seeds=(1,))
    (first,) = tables.results(found)
    assert ("得点（0〜1）" in [column.name for column in first.columns]) == has_score
    assert f"分野ごとの値：{means}。" in first.notes
    measure, name = tables.measures(found)[0], found.questions.questions[0].category
    ids = {one.id for one in found.questions.questions if one.category == name}
    values = [measure.value_of(row) for row in found.systems[1].rows if row.question_id in ids]
    known = [value for value in values if value is not None]
    assert tables.category_means(found).rows[1][1] == pytest.approx(sum(known) / len(known))


def test_answers_that_nobody_could_judge_count_for_no_mean_and_are_counted(judged):
    row = shown(tables.rule_scores(judged))[0]
    assert row["採点できた回答"] == "38/40"  # two failed
    assert row["エラー"] == "2/40"
    scores = [one.judgement.score for one in judged.systems[0].rows if one.judgement]
    known = [score for score in scores if score is not None]
    assert tables.paper(judged).rows[0][3] == pytest.approx(sum(known) / 38)


@pytest.mark.parametrize(("count", "columns"), [(4, [4 + 10]), (8, [10, 8 + 1]), (20, [10])])
def test_many_categories_have_a_table_of_their_own_and_very_many_none(count, columns, judged):
    asked = tuple(
        dataclasses.replace(one, category=f"分類{number % count}")
        for number, one in enumerate(judged.questions.questions)
    )
    many = dataclasses.replace(judged, questions=dataclasses.replace(judged.questions, questions=asked))
    assert [len(grid.columns) for grid in tables.results(many)] == columns


# ------------------------------------------------------------------------- our tables


def test_abstaining_is_told_apart_by_whether_it_is_right(judged):
    rows = shown(tables.rule_scores(judged))
    abstained = [one.marks.has_abstained for one in judged.systems[1].rows]
    assert rows[1]["資料にない質問に「ない」"] == f"{sum(abstained)}/4"
    assert rows[1]["答えられる質問に「ない」"] == "0/36"


def test_what_always_abstains_is_seen_by_the_score_of_the_answerable_questions(by_rules):
    asked = by_rules.questions.questions
    rows = [
        ResultRow(one.id, 1, "資料にありません。", "answered", RuleScores(float(not one.is_answerable)))
        for one in asked
    ]
    grid = tables.rule_scores(with_rows(by_rules, *rows))
    assert shown(grid)[0]["答えられる質問の得点（0〜1）"] == "0.000"
    assert any("いつも「ない」と答えれば得点 1" in note for note in grid.notes)
    answerable = tuple(one for one in asked if one.is_answerable)
    only = dataclasses.replace(by_rules, questions=dataclasses.replace(by_rules.questions, questions=answerable))
    alone = tables.rule_scores(with_rows(only, *rows[: len(answerable)]))
    assert "答えられる質問の得点（0〜1）" not in [column.name for column in alone.columns]
    assert len(alone.notes) == 1


def test_what_was_cut_off_is_told_apart_from_what_is_broken_in_itself(by_rules):
    broken = RuleScores(score=0.0, is_broken=True)
    rows = [ResultRow("q1", 1, "長い", "length", broken), ResultRow("q2", 1, "", "answered", broken)]
    rows.append(ResultRow("q3", 1, "答え", "answered", RuleScores(score=1.0)))
    grid = tables.rule_scores(with_rows(by_rules, *rows))
    assert [shown(grid)[0][name] for name in ("途中で切れた", "繰り返し・空")] == ["1/3", "1/3"]
    assert "「回答の長さ」を増やすと" in grid.notes[-1]
    assert not any("回答の長さ" in note for note in tables.rule_scores(with_rows(by_rules, *rows[1:])).notes)


def test_pairs_that_all_lack_questions_are_told_in_one_sentence(judged):
    score = MEASURES["score"]
    (sentence,) = tables.sentences(tables.pairs(made.first_questions(judged, 3), score))
    assert "どの構成にも差があるとは言えません" in sentence
    assert "3 問しかありません" in sentence
    assert len(tables.sentences(tables.pairs(judged, score))) == 3
    alone = dataclasses.replace(judged, systems=judged.systems[:2])
    assert "「元のモデル」" in tables.sentences(tables.pairs(made.first_questions(alone, 3), score))[0]


def test_recall_and_mrr_are_those_of_the_gold_ranks_and_only_columns_with_a_value_are_there(by_rules):
    asked = by_rules.questions.questions
    rows = [
        ResultRow(asked[at].id, 1, "答え", "answered", RuleScores(1.0, gold_rank=rank))
        for at, rank in enumerate((1, 4, 0, 2))
    ]
    (row,) = shown(tables.documents(with_rows(by_rules, *rows)))
    assert [row[f"根拠の Recall@{depth}（%）"] for depth in (1, 3, 5)] == ["25", "50", "75"]
    assert row["根拠の MRR（0〜1）"] == "0.438"
    assert "[n] で示した引用元と、回答の文の出どころだと照合で分かった引用元" in tables.documents(by_rules).notes[0]
    bare = with_rows(by_rules, ResultRow("q1", 1, "答え", "answered", RuleScores(score=1.0)))
    assert grids.as_report_table(tables.documents(bare)).head == ("構成",)
    assert grids.as_report_table(tables.models(bare)).head == ("構成", "メモリの見込み（GB）", "大きさ（GB）")
    assert "得点の標準偏差（シード間）" not in grids.as_report_table(tables.means(bare)).head
    assert "エラー" not in grids.as_report_table(tables.rule_scores(bare)).head


def test_loss_and_divergence_are_of_all_tokens_or_unknown_and_said_to_be_from_the_first_of_the_model(judged):
    assert [row["模範解答の損失（nat/トークン）"] for row in shown(tables.models(judged))] == [
        "2.100",
        "2.100",
        "1.800",
        "1.800",
    ]
    known = tuple(dataclasses.replace(one, divergence=2.0, same_first=30) for one in judged.systems[1].likelihoods)
    partly = (*known[:-1], dataclasses.replace(known[-1], divergence=None, same_first=None))
    likelihoods = (judged.systems[0].likelihoods, known, partly)
    systems = tuple(
        dataclasses.replace(one, likelihoods=some) for one, some in zip(judged.systems, likelihoods, strict=False)
    )
    grid = tables.models(dataclasses.replace(judged, systems=systems))
    rows = shown(grid)
    assert [row["KL（nat/トークン）"] for row in rows] == ["-", "0.0500", "-"]
    assert [row["最有力トークンの一致（%）"] for row in rows] == ["-", "75.0", "-"]
    assert any("最初の構成（KL が「-」のもの）" in note for note in grid.notes)
    assert not any("KL" in note for note in tables.models(judged).notes)


def test_differences_are_from_the_first_system_with_both_intervals_and_a_verdict(judged):
    found = tables.pairs(judged, MEASURES["score"])
    rows = shown(tables.differences(judged, found))
    assert [row["構成"] for row in rows] == list(made.SYSTEMS[1:])
    assert [row["判断"] for row in rows] == ["良い", "差があるとは言えない", "良い"]
    assert float(rows[0]["差"]) == pytest.approx(
        tables.means(judged).rows[1][4] - tables.means(judged).rows[0][4], abs=1e-3
    )
    assert rows[0]["95 % 区間（質問ごと）"] != rows[0]["95 % 区間（文書などのグループごと）"]
    assert "差があるとは言えません" in found[1].sentence
    assert sum(int(rows[1][name]) for name in ("勝ち（問）", "同じ（問）", "負け（問）")) == made.COUNT


def test_what_a_judge_says_that_is_not_trusted_is_said_with_that_doubt():
    for judge, is_doubted in ((made.UNTRUSTED, True), (made.UNCALIBRATED, True), (made.JUDGE, False)):
        found = made.evaluation(judge, seeds=(1,))
        for name, says_so in (("judge", is_doubted), ("score", False)):
            for pair in tables.pairs(found, MEASURES[name]):
                assert ("採点モデルの点は信用できると確かめられていません" in pair.sentence) == says_so


def test_what_makes_differences_doubtful_stands_in_their_notes(judged):
    found = tables.pairs(judged, MEASURES["score"])
    assert any("3 つの差" in note for note in tables.differences(judged, found).notes)
    assert not any("つの差" in note for note in tables.differences(judged, found[:1]).notes)
    asked = tuple(dataclasses.replace(one, group="甲" if one.id < "q2" else "乙") for one in judged.questions.questions)
    few = dataclasses.replace(judged, questions=dataclasses.replace(judged.questions, questions=asked))
    for found, is_few in ((few, True), (judged, False)):
        grid = tables.differences(found, tables.pairs(found, MEASURES["score"]))
        assert any("グループが 5 個に満たない" in note for note in grid.notes) == is_few
        assert ("95 % 区間（文書などのグループごと）" in shown(grid)[0]) != is_few
    by_judge = tables.differences(judged, tables.pairs(judged, MEASURES["judge"]))
    assert any("1 問は、差に含みません" in note for note in by_judge.notes)
    by_score = tables.differences(judged, tables.pairs(judged, MEASURES["score"]))
    assert not any("差に含みません" in note for note in by_score.notes)


@pytest.mark.parametrize(
    ("judge", "order"),
    [
        (made.JUDGE, ["judge", "score"]),
        (made.UNTRUSTED, ["score", "judge"]),
        (made.UNCALIBRATED, ["score", "judge"]),
        (None, ["score"]),
    ],
)
def test_a_judge_that_is_not_trusted_does_not_lead(judge, order):
    found = made.evaluation(judge, seeds=(1,))
    assert [measure.name for measure in tables.measures(found)] == order
    assert measure_of(found).name == order[0]  # by which advice and verdicts compare


def test_each_category_has_its_systems_with_intervals(judged):
    rows = shown(tables.categories(judged))
    assert [row["構成"] for row in rows] == [*made.SYSTEMS] * 2
    assert [row["質問数"] for row in rows[::4]] == ["11", "9"]
    assert "〜" in rows[0]["採点の 95 % 区間"]
    quiet = shown(grids.without_repeats(tables.categories(judged), columns=2))
    assert [row["分野"] for row in quiet[:2]] == ["設計編 <b>砂防</b>", ""]


def test_every_answer_stands_by_its_question_with_its_marks_and_the_reason(judged):
    rows = shown(answer_table.every_answer(judged))
    assert len(rows) == made.COUNT * 4 * 2
    assert [row["構成"] for row in rows[:8:2]] == list(made.SYSTEMS)
    failed = next(row for row in rows if row["エラーの内容"] not in ("", "-"))
    assert (failed["結果"], failed["採点"], failed["採点の理由"]) == ("回答できません", "-", "採点できませんでした。")
    unanswerable = next(row for row in rows if row["質問 ID"] == "q20")
    assert (unanswerable["回答できるか"], unanswerable["模範解答"]) == ("いいえ", "")
    cut = next(row for row in rows if row["質問 ID"] == "q4")
    assert "終わりの 120 字を見ていません" in cut["採点の理由"]


def test_people_read_answers_and_references_without_markdown_and_results_keep_it(judged, tmp_path):
    answer = "**「幅」[1]**\n\n| 行 | 幅 |\n|---:|---|\n| 2 | 2 m [1] |"
    of = with_rows(judged, dataclasses.replace(judged.systems[0].rows[0], answer=answer))
    asked = dataclasses.replace(judged.questions.questions[0], reference=answer)
    of = dataclasses.replace(
        of, questions=dataclasses.replace(of.questions, questions=(asked, *of.questions.questions[1:]))
    )
    plain = "「幅」[1]\n\n行 / 幅\n2 / 2 m [1]"
    (listed,) = answer_table.questions(of, MEASURES["score"])[0].list_answers()
    told = shown(answer_table.every_answer(of))[0]
    assert (listed.text, told["回答"], told["模範解答"]) == (plain, plain, plain)
    studies.write_results(of, (), tmp_path)
    read = studies.read_results(tmp_path)[0]
    assert (read.systems[0].rows[0].answer, read.questions.questions[0].reference) == (answer, answer)


def test_the_largest_changes_come_first_and_show_answers_of_one_seed(judged):
    better, worse = answer_table.changes(judged, judged.systems[2], MEASURES["score"])
    gains = [one.second_score - one.first_score for one in better]
    assert gains == sorted(gains, reverse=True)
    assert 0 < len(gains) <= answer_table.MOST
    assert all(one.second_score < one.first_score for one in worse)
    assert all(one.first_row.seed == one.second_row.seed for one in (*better, *worse))


def test_an_empty_answer_is_zero_without_a_question_to_the_judge():
    assert "採点せずに 0 点" in answer_table.reason(JudgeScore(0, trouble="empty"))
    assert answer_table.reason(None) == ""


def test_conditions_name_the_set_the_judge_and_files_but_no_folder(judged):
    told = dict(report.evaluation_facts(judged))
    assert told["質問集"] == "河川砂防 現場質問（版 3）"
    assert told["質問数"] == "20 問（うち資料にない質問 2 問）"
    assert told["ラベル"] == "機密"
    assert told["構成 4"].startswith(
        "学習済み + 資料 / モデル Swallow-8B Q4_K_M / アダプター adapter.gguf（強さ 0.75） / 資料 "
    )
    assert "/home/" not in "".join(told.values())
    systems = [dataclasses.replace(judged.systems[0].system, model_name="お試し用 270M Q4_K_M")]
    named = dataclasses.replace(judged, systems=(dataclasses.replace(judged.systems[0], system=systems[0]),))
    assert "モデル お試し用 270M Q4_K_M / SHA" in dict(report.evaluation_facts(named))["構成 1"]
    assert dict(report.evaluation_facts(made.evaluation(made.UNCALIBRATED)))["採点は信用できるか"] == "まだ分からない"


# --------------------------------------------------------------------------- export


def test_a_workbook_holds_numbers_and_no_formula(judged, tmp_path):
    export.save(judged, [], tmp_path / "結果.xlsx", permit=PERMIT)
    book = openpyxl.load_workbook(tmp_path / "結果.xlsx")
    assert book.sheetnames == ["結果", "差", "分野別", "回答", "条件"]
    head, first, *_ = book["結果"].iter_rows(values_only=True)
    row = dict(zip(head, first, strict=True))
    assert isinstance(row["採点の平均（0〜3）"], float)
    assert (row["繰り返し・空（件）"], row["繰り返し・空（全体）"]) == (0, 40)
    answers = [cell for line in book["回答"].iter_rows() for cell in line]
    assert any(cell.value == made.FORMULA for cell in answers)
    assert not any(cell.data_type == "f" for sheet in book for line in sheet.iter_rows() for cell in line)
    assert book["回答"].max_row == 1 + made.COUNT * 4 * 2
    assert {line[0] for line in book["差"].iter_rows(min_row=2, values_only=True)} == {"採点モデルの点", "得点"}


def test_differences_of_one_measure_may_know_what_those_of_another_do_not(tmp_path):
    found = made.evaluation(made.UNTRUSTED, seeds=(1,))
    scored = {one.id for one in found.questions.questions[4:7]}  # by the rules

    def unmarked(row: ResultRow) -> ResultRow:
        return row if row.question_id in scored else dataclasses.replace(row, marks=RuleScores())

    systems = tuple(dataclasses.replace(one, rows=tuple(map(unmarked, one.rows))) for one in found.systems)
    export.save(dataclasses.replace(found, systems=systems), [], tmp_path / "結果.xlsx", permit=PERMIT)
    head, *rows = openpyxl.load_workbook(tmp_path / "結果.xlsx")["差"].iter_rows(values_only=True)
    told = [dict(zip(head, row, strict=True)) for row in rows]
    low = "95 % 区間（質問ごと）の下限"
    assert [(one["比べたもの"], one[low] is None) for one in told[::3]] == [("得点", True), ("採点モデルの点", False)]
    assert all(isinstance(one["説明"], str) for one in told)


@pytest.mark.fault("S16")
def test_a_file_says_the_label_of_what_was_asked_and_not_of_the_questions_alone(by_rules, tmp_path):
    asked = dataclasses.replace(by_rules, questions=dataclasses.replace(by_rules.questions, label="public"))
    for suffix in (".xlsx", ".html"):
        out = tmp_path / f"結果{suffix}"
        export.save(
            asked,
            [SECTION],
            out,
            permit=permit_export(
                ExportRequest("answers", str(out), lambda: "secret"), tmp_path / "exports.log", is_agreed=True
            ),
        )
    facts_said = dict(openpyxl.load_workbook(tmp_path / "結果.xlsx")["条件"].iter_rows(values_only=True))
    assert "機密" in facts_said.values()
    assert "公開" not in facts_said.values()
    page = (tmp_path / "結果.html").read_text("utf-8")
    assert "資料で十分です。" in page
    assert "機密" in page
    assert "公開" not in page


def test_a_csv_file_holds_the_summary(by_rules, tmp_path):
    export.save(by_rules, [], tmp_path / "結果.csv", permit=PERMIT)
    rows = list(csv.reader(io.StringIO((tmp_path / "結果.csv").read_text("utf-8-sig"))))
    assert len({len(row) for row in rows}) == 1
    assert [row[0] for row in rows] == ["構成", *made.SYSTEMS]
    assert "得点の 95 % 区間の下限" in rows[0]


@pytest.fixture
def of_trainings(by_rules: Evaluation) -> tuple[Evaluation, tuple[ReportSection, ...]]:
    """What a study of the amount of data finds: no systems, but tables of its own."""
    sizes = ReportTable(
        ("行数", "損失", "変化", "時期"), (("1,200", "2.310", "-0.05", "2024-05"), ("007", "=1+1", "-", "90%"))
    )
    kept = (
        ReportSection("データ/量", (), (), (ReportTable(("空",), ()), dataclasses.replace(sizes, notes=("注の一",)))),
        SECTION,
    )
    return dataclasses.replace(by_rules, systems=()), kept


def test_tables_of_sections_are_sheets_with_numbers_and_notes(of_trainings, tmp_path):
    found, sections = of_trainings
    export.save(found, [*sections, SECTION], tmp_path / "結果.xlsx", permit=PERMIT)
    book = openpyxl.load_workbook(tmp_path / "結果.xlsx")
    assert book.sheetnames == ["データ 量", "データ 量 (2)", "おすすめ", "おすすめ (2)", "条件"]
    sheet = book["データ 量 (2)"]
    rows = [[cell for cell in row if cell is not None] for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert rows == [[1200, 2.31, -0.05, "2024-05"], ["007", "=1+1", "90%"], [], ["注の一"]]
    assert sheet["B3"].data_type == "s"
    assert sheet.auto_filter.ref == "A1:D3"


def test_a_csv_file_holds_the_first_table_with_rows_where_there_are_no_systems(of_trainings, tmp_path):
    found, sections = of_trainings
    export.save(found, sections, tmp_path / "結果.csv", permit=PERMIT)
    rows = list(csv.reader(io.StringIO((tmp_path / "結果.csv").read_text("utf-8-sig"))))
    assert rows[:2] == [["行数", "損失", "変化", "時期"], ["1200", "2.31", "-0.05", "2024-05"]]


def test_the_tables_are_in_english_too(judged):
    wording.use_language("en")
    found = [tables.summary(judged), tables.categories(judged), answer_table.every_answer(judged)]
    found.append(tables.differences(judged, tables.pairs(judged, MEASURES["score"])))
    heads = " ".join(name for grid in found for name in (*grids.as_report_table(grid).head, *grid.notes))
    ours = heads.replace(made.CATEGORIES[0], "").replace(made.CATEGORIES[1], "").replace(made.SYSTEMS[0], "")
    assert all(ord(character) < 0x3000 for character in ours), ours


# ------------------------------------------------------------------------ results.json


def test_what_was_written_is_read_again(judged, tmp_path):
    path = studies.write_results(judged, [SECTION], tmp_path)
    assert path.name == "results.json"
    assert studies.read_results(tmp_path) == (judged, (SECTION,))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: None,  # there are none
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace('"version":1', '"version":2'),
        lambda text: text.replace('"rows":', '"lines":', 1),
        lambda text: text.replace('"question_id":"q7"', '"question_id":"nobody"', 1),
        lambda text: text.replace('"sections":[', '"sections":[],"other":[', 1),
    ],
)
def test_damaged_results_are_said_to_be_so(damage, by_rules, tmp_path):
    path = studies.write_results(by_rules, [], tmp_path)
    damaged = damage(path.read_text("utf-8"))
    path.unlink() if damaged is None else path.write_text(damaged, "utf-8")
    with pytest.raises(AppError, match="evaluation_damaged"):
        studies.read_results(tmp_path)
