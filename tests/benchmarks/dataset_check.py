"""How long the checks of training data and a split take, and what they find in kasensabo's 5,578 pairs.

    python -m tests.benchmarks.dataset_check [FILE] [ROWS]

FILE is kasensabo/train_all_merged_5578.jsonl in the folder of KOTAE_EVALUATION_DATA where none is given. With
ROWS, as many are made from its sentences, every tenth of them a copy with some letters changed.
"""

import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from app.training.data import data_split, duplicates, file_import, personal, quality, split_record
from app.training.data.rows import PARTS, RowMessage, TrainingRow
from app.training.data.split_record import PAPER_MEASURE
from tests import evaluation_data

FILE = "train_all_merged_5578.jsonl"
Result = TypeVar("Result")


def timed(name: str, work: Callable[[], Result]) -> Result:
    started, processor = time.perf_counter(), time.process_time()
    result = work()
    elapsed, used = time.perf_counter() - started, time.process_time() - processor
    print(f"{name:<44} {elapsed:6.1f} s  (processor {used:.1f} s)")
    return result


def made(rows: tuple[TrainingRow, ...], count: int) -> list[TrainingRow]:
    """`count` rows whose questions and answers are sentences of `rows` in other places."""
    chance = random.Random(0)
    sentences = [one for row in rows for one in re.findall(r"[^。]{8,}。", row.answer)]
    found: list[TrainingRow] = []
    for line in range(1, count + 1):
        if found and line % 10 == 0:
            question, answer = (message.text for message in chance.choice(found).messages)
            at = chance.randrange(len(answer))
            answer = answer[:at] + "また" + answer[at + 1 :]
        else:
            question = chance.choice(rows).question[:30] + chance.choice(sentences)[:25]
            answer = "".join(chance.sample(sentences, 4))
        found.append(TrainingRow(line, (RowMessage("user", question), RowMessage("assistant", answer))))
    return found


def main() -> None:
    file = evaluation_data.for_benchmark(sys.argv[1] if len(sys.argv) > 1 else None, "kasensabo", FILE)
    rows: list[TrainingRow] | tuple[TrainingRow, ...] = timed("reading", lambda: file_import.import_file(file)).rows
    if len(sys.argv) > 2:
        rows = made(tuple(rows), int(sys.argv[2]))
    print(
        f"{len(rows):,} rows of {sum(len(row.question) + len(row.answer) for row in rows) / len(rows):.0f} characters"
    )
    flags = timed("flags of answers", lambda: [quality.text_flags(row.answer) for row in rows])
    print("   ", dict(Counter(flag for found in flags for flag in found)))
    persons = timed(
        "personal details", lambda: [personal.find_personal(f"{row.question}\n{row.answer}") for row in rows]
    )
    print("   ", dict(Counter(one.kind for found in persons for one in found)))
    print("    the same:", len(timed("exact duplicates", lambda: duplicates.exact_duplicates(rows))))
    print("    pairs:", len(timed("near-duplicates (5 characters, 0.8)", lambda: duplicates.near_duplicates(rows))))
    paper = timed(
        "near-duplicates (paper)",
        lambda: duplicates.near_duplicates(rows, PAPER_MEASURE.threshold, PAPER_MEASURE.n, PAPER_MEASURE.part),
    )
    print("    pairs:", len(paper))
    for name, settings in (("", split_record.SplitSettings()), (" (paper)", data_split.PAPER)):
        parts = timed(f"split{name}", lambda settings=settings: data_split.split_rows(rows, settings))
        counts = {part: len(parts.rows_of(part)) for part in PARTS} | {"removed": len(parts.removed)}
        print("   ", counts)
        report = timed(f"leakage{name}", lambda parts=parts: data_split.report_leakage(parts))
        print("    nearest:", report.histogram, "near:", report.near)


if __name__ == "__main__":
    main()
