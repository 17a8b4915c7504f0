"""Nothing that is held out is known from training, whatever the rows and the seed."""

import dataclasses
import random

import pytest

from app.training.data import data_split
from app.training.data.data_split import PAPER, Split
from app.training.data.duplicates import near_duplicates
from app.training.data.rows import PARTS
from app.training.data.split_record import PAPER_MEASURE, KnownAnswer, SplitSettings
from tests.training.data.split_rows import distinct, ids, row, troubled
from tests.training.driver import code_of, refused


@pytest.mark.parametrize("seed", range(12))
def test_nothing_comes_apart_and_nothing_is_lost(seed: int) -> None:
    rows = troubled(seed)
    made = data_split.split_rows(rows, SplitSettings(seed=seed))
    parts = {name: made.rows_of(name) for name in PARTS}
    lines = [one.line for part in parts.values() for one in part] + [one.row.line for one in made.removed]
    assert sorted(lines) == [one.line for one in rows]
    for what in (lambda one: one.group or one.id, lambda one: one.question):
        where: dict[str, set[str]] = {}
        for name, part in parts.items():
            for one in part:
                where.setdefault(what(one), set()).add(name)
        assert all(len(names) == 1 for names in where.values())
    kept = [one for part in parts.values() for one in part]
    part_of = [name for name, part in parts.items() for _ in part]
    assert all(part_of[one] == part_of[other] for one, other, _ in near_duplicates(kept))
    assert all(parts.values())
    assert data_split.report_leakage(made).is_sound


@pytest.mark.parametrize("seed", range(6))
def test_the_paper_removes_what_is_like_a_held_out_question(seed: int) -> None:
    rows = troubled(seed)
    made = data_split.split_rows(rows, dataclasses.replace(PAPER, seed=seed))
    known = [*made.holdout, *made.train, *made.validation]
    pairs = near_duplicates(known, PAPER_MEASURE.threshold, PAPER_MEASURE.n, PAPER_MEASURE.part)
    assert not [pair for pair in pairs if pair[0] < len(made.holdout) <= pair[1]]
    report = data_split.report_leakage(made)
    assert report.near == 0
    assert report.shared_groups == ()


def test_the_paper_names_what_it_removed_and_why() -> None:
    rows = distinct(100)
    rows += [row(101 + at, f"では{one.question}", "別の答え。" + one.answer[::-1]) for at, one in enumerate(rows)]
    made = data_split.split_rows(rows, PAPER)
    assert made.removed
    held_out = set(ids(made.holdout))
    for one in made.removed:
        assert one.reason == "near_holdout"
        assert one.similar_row.id in held_out
        assert abs(one.row.line - one.similar_row.line) == 100
        assert 0.45 <= one.similarity < 1


def test_rows_that_are_the_same_are_kept_once_and_listed() -> None:
    rows = distinct(60)
    rows += [row(61, rows[3].question, rows[3].answer + "\n"), row(62, rows[3].question, rows[3].answer)]
    made = data_split.split_rows(rows)
    assert [(one.row.line, one.reason, one.similar_row.line, one.similarity) for one in made.removed] == [
        (61, "same", 4, 1.0),
        (62, "same", 4, 1.0),
    ]


def test_a_row_that_stands_for_a_twin_stays_with_the_twins_group() -> None:
    rows = distinct(60)
    rows[0] = dataclasses.replace(rows[0], group="第1章")
    rows.append(row(61, rows[0].question, rows[0].answer, "第2章"))
    rows += [dataclasses.replace(one, line=one.line + 61, group="第2章") for one in distinct(4, seed=9)]
    for seed in range(10):
        made = data_split.split_rows(rows, SplitSettings(seed=seed))
        where = {name for name in PARTS for one in made.rows_of(name) if one.group in ("第1章", "第2章")}
        assert len(where) == 1


@pytest.mark.parametrize(
    ("count", "settings", "sizes"),
    [
        (1000, SplitSettings(), (800, 100, 100)),
        (100, SplitSettings(), (60, 20, 20)),  # twenty at the least
        (40, SplitSettings(), (20, 10, 10)),  # but not more than a quarter
        (10, SplitSettings(), (6, 2, 2)),
        (4100, SplitSettings(), (3500, 200, 400)),  # at the most
        (1000, SplitSettings(holdout=0.25, validation=0.05), (700, 50, 250)),
    ],
)
def test_parts_have_the_size_they_should(count: int, settings: SplitSettings, sizes: tuple[int, int, int]) -> None:
    made = data_split.split_rows(distinct(count), settings)
    assert tuple(len(made.rows_of(name)) for name in PARTS) == sizes


def test_the_order_of_the_file_makes_no_difference_and_the_seed_does() -> None:
    rows = troubled(3)
    gone = {one.row.line for one in data_split.split_rows(rows).removed}
    one_of_each = [one for one in rows if one.line not in gone]
    shuffled = random.Random(1).sample(one_of_each, len(one_of_each))
    first, second, other = (
        data_split.split_rows(one_of_each),
        data_split.split_rows(shuffled),
        data_split.split_rows(one_of_each, SplitSettings(seed=1)),
    )
    assert [ids(first.rows_of(name)) for name in PARTS] == [ids(second.rows_of(name)) for name in PARTS]
    assert [ids(first.rows_of(name)) for name in PARTS] != [ids(other.rows_of(name)) for name in PARTS]


def test_the_first_rows_of_training_are_a_mixture_of_all() -> None:
    """Pieces of growing length are nested as pieces of one list; but they must not be one end of the file."""
    made = data_split.split_rows(distinct(400))
    first = [one.line for one in made.train[:100]]
    assert 150 < sum(first) / len(first) < 250
    assert len(set(first)) == 100


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_rows_are_an_error_that_counts_them(count: int) -> None:
    error = refused(data_split.split_rows, distinct(count))
    assert (error.code, error.facts["rows"]) == ("split_too_few", count)


def test_twins_do_not_count() -> None:
    error = refused(data_split.split_rows, [row(line, "床止めとは？", "施設です。") for line in range(50)])
    assert error.facts["rows"] == 1


def test_large_groups_are_held_out_whole() -> None:
    rows = [dataclasses.replace(one, group=f"第{one.line % 5}編") for one in distinct(100)]
    made = data_split.split_rows(rows)
    assert [len(made.rows_of(name)) for name in PARTS] == [60, 20, 20]
    rows = [dataclasses.replace(one, group=f"第{one.line % 3}編") for one in distinct(99)]
    assert [len(data_split.split_rows(rows).rows_of(name)) for name in PARTS] == [33, 33, 33]


@pytest.mark.parametrize("groups", [1, 2])
def test_too_few_groups_are_an_error(groups: int) -> None:
    rows = [dataclasses.replace(one, group=f"第{one.line % groups}編") for one in distinct(100)]
    assert code_of(data_split.split_rows, rows) == "split_few_groups"


def test_a_question_of_every_row_is_an_instruction_and_binds_nothing() -> None:
    rows = [row(one.line, "次の俳句を続けてください。", one.answer) for one in distinct(200)]
    made = data_split.split_rows(rows)
    assert len(made.holdout) == 20


@pytest.mark.parametrize("settings", [SplitSettings(), PAPER])
def test_the_same_answer_to_other_questions_stays_together(settings: SplitSettings) -> None:
    rows = [
        row(one.line, one.question, other.answer) for one, other in zip(distinct(60, 1), distinct(20) * 3, strict=True)
    ]
    for seed in range(5):
        made = data_split.split_rows(rows, dataclasses.replace(settings, seed=seed))
        answers = [{one.answer for one in made.rows_of(name)} for name in PARTS]
        assert sum(map(len, answers)) == 20
        assert data_split.report_leakage(made).is_sound


def test_what_an_adapter_knows_is_trained_with_all_that_belongs_to_it() -> None:
    rows = [*distinct(60), row(90, "鉄筋は？", "甲", "群"), row(91, "塗装は？", "乙", "群")]
    known = {one.id for one in [*rows[:20], rows[-1]]}
    made = data_split.split_rows(rows, known=known)
    held = {one.id for one in (*made.holdout, *made.validation)}
    assert held
    assert held.isdisjoint(known | {rows[-2].id})
    assert len(made.train) + len(held) == 62
    error = refused(data_split.split_rows, rows, known={one.id for one in rows[1:]})
    assert (error.code, error.facts["rows"]) == ("split_all_known", 1)


def test_a_leak_is_reported() -> None:
    rows = distinct(30)
    copied = dataclasses.replace(rows[0], line=31)
    near_one = row(32, rows[1].question, rows[1].answer + "あ")
    shared = dataclasses.replace(rows[2], group="第1章")
    train = (*rows[10:], copied, near_one, dataclasses.replace(rows[9], group="第1章"))
    report = data_split.report_leakage(
        Split(SplitSettings(), train, (rows[8],), (rows[0], rows[1], shared, rows[3]), ())
    )
    assert not report.is_sound
    assert report.near == 2
    assert report.shared_groups == ("第1章",)
    assert [one.train_id for one in report.nearest[:2]] == [copied.id, near_one.id]
    assert report.nearest[0].similarity == 1.0
    assert report.histogram == (2, 0, 0, 0, 0, 0, 0, 0, 0, 2)
    assert report.most_similar == 1.0


def test_what_is_like_training_in_validation_is_counted_apart() -> None:
    rows = distinct(30)
    near_one = row(31, rows[10].question, rows[10].answer + "あ")
    report = data_split.report_leakage(Split(SplitSettings(), (*rows[10:],), (rows[8], near_one), (*rows[:4],), ()))
    assert report.is_sound
    assert (report.near, report.near_validation) == (0, 1)
    assert len(report.nearest) == sum(report.histogram) == 4


def test_an_answer_that_stands_in_training_is_a_leak_though_its_row_is_not_like_another() -> None:
    rows = distinct(30)
    asked = row(31, rows[25].question[::-1], rows[0].answer)
    report = data_split.report_leakage(
        Split(SplitSettings(), (*rows[10:], asked), (rows[8],), (*rows[:4], row(32, "門は？", "開く。")), ())
    )
    assert (report.near, report.answers_compared, report.is_sound) == (0, 4, False)
    assert report.answers_known == (KnownAnswer(rows[0].id, asked.id),)
