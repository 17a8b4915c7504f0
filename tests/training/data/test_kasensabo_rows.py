"""Real rows with known defects: 5,578 synthetic pairs about river engineering, and the standards they are about."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from app.training.data import data_split, personal, quality
from app.training.data.duplicates import near_duplicates
from app.training.data.rows import PARTS, RowMessage, TrainingRow


@pytest.fixture(scope="module")
def rows(kasensabo: Path) -> list[TrainingRow]:
    pairs = map(json.loads, (kasensabo / "train_all_merged_5578.jsonl").read_text("utf-8").splitlines())
    return [
        TrainingRow(line, (RowMessage("user", pair["instruction"]), RowMessage("assistant", pair["output"])))
        for line, pair in enumerate(pairs, 1)
    ]


@pytest.fixture(scope="module")
def flagged(rows: list[TrainingRow]) -> list[tuple[str, ...]]:
    return [quality.text_flags(row.answer) for row in rows]


def test_remains_of_json_are_found_and_little_else(rows: list[TrainingRow], flagged: list[tuple[str, ...]]) -> None:
    """Ends of objects, \\n in letters, and closing marks of strings that nothing opened. Formulas are none."""
    sign = re.compile(r"[}{,]\s*$|\\n|[」』'\"](?:[、，,\s]|（約?\s?\d+\s?字）)*$")
    marked = [row.line for row, flags in zip(rows, flagged, strict=True) if "json_debris" in flags]
    plain = {row.line for row in rows if sign.search(row.answer)}
    assert len(plain & set(marked)) / len(marked) >= 0.98
    hard = [row.line for row in rows if re.search(r"\},\s*\{?$|」\s*,$|[。）]\\n", row.answer)]
    assert len(hard) > 450
    assert set(hard) <= set(marked)


def test_cut_ends_are_found(rows: list[TrainingRow], flagged: list[tuple[str, ...]]) -> None:
    """500 answers do not end as a sentence does; of these a handful are lists and ends of strings in marks."""
    open_ended = {row.line for row in rows if row.answer.rstrip()[-1] not in "。．.！!？?」』）)"}
    unfinished = {row.line for row, flags in zip(rows, flagged, strict=True) if "unfinished" in flags}
    assert unfinished <= open_ended
    assert len(open_ended - unfinished) <= 10


def test_what_is_rare_stays_rare(flagged: list[tuple[str, ...]]) -> None:
    counted = Counter(flag for flags in flagged for flag in flags)
    assert (counted["mojibake"], counted["control_characters"]) == (0, 1)
    assert counted["repetition"] <= 5


def test_no_row_names_a_person(rows: list[TrainingRow]) -> None:
    assert [row.line for row in rows[::5] if personal.find_personal(f"{row.question}\n{row.answer}")] == []


def test_standards_name_their_authors_and_nobody_else(kasensabo: Path) -> None:
    """No river, office, chapter or table; the persons are authors in the lists of literature."""
    volumes = [path for path in sorted((kasensabo / "standards_md").glob("*.md")) if path.stat().st_size < 600_000]
    kinds = Counter(one.kind for path in volumes for one in personal.find_personal(path.read_text("utf-8")))
    assert set(kinds) == {"name"}
    assert kinds["name"] < 60


def test_a_split_of_real_rows_is_sound(rows: list[TrainingRow]) -> None:
    assert len(near_duplicates(rows)) < 20
    made = data_split.split_rows(rows)
    assert [len(made.rows_of(name)) for name in PARTS] == [4978, 200, 400]
    assert data_split.report_leakage(made).is_sound
