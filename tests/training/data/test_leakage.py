"""What of a hold-out is known from training is said row by row."""

import dataclasses

from app.training.data import data_split
from app.training.data.data_split import Split, SplitSettings
from tests.training.data.split_rows import distinct, row


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
    assert [one.train.line for one in report.nearest[:2]] == [31, 32]
    assert report.nearest[0].similarity == 1.0
    assert report.histogram == (2, 0, 0, 0, 0, 0, 0, 0, 0, 2)
    assert report.as_json()["most_similar"] == 1.0


def test_what_is_like_training_in_validation_is_counted_apart() -> None:
    rows = distinct(30)
    near_one = row(31, rows[10].question, rows[10].answer + "あ")
    report = data_split.report_leakage(Split(SplitSettings(), (*rows[10:],), (rows[8], near_one), (*rows[:4],), ()))
    assert report.is_sound
    assert (report.near, report.near_validation) == (0, 1)
    assert report.as_json()["near_validation"] == 1
    assert len(report.nearest) == sum(report.histogram) == 4


def test_an_answer_that_stands_in_training_is_a_leak_though_its_row_is_not_like_another() -> None:
    rows = distinct(30)
    asked = row(31, rows[25].question[::-1], rows[0].answer)
    report = data_split.report_leakage(
        Split(SplitSettings(), (*rows[10:], asked), (rows[8],), (*rows[:4], row(32, "門は？", "開く。")), ())
    )
    assert (report.near, report.compared, report.is_sound) == (0, 4, False)
    assert [(held.line, train.line) for held, train in report.known] == [(1, 31)]
    assert report.as_json()["answers_known"] == [{"id": rows[0].id, "train_id": asked.id}]
