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

from app.training.data import duplicates, leakage, personal, quality, reading, split
from app.training.data.duplicates import PAPER
from app.training.data.rows import Message, Row
from tests import evaluation_data

FILE = "train_all_merged_5578.jsonl"
Result = TypeVar("Result")


def timed(name: str, work: Callable[[], Result]) -> Result:
    started, processor = time.perf_counter(), time.process_time()
    result = work()
    elapsed, used = time.perf_counter() - started, time.process_time() - processor
    print(f"{name:<44} {elapsed:6.1f} s  (processor {used:.1f} s)")
    return result


def made(rows: tuple[Row, ...], count: int) -> list[Row]:
    """`count` rows whose questions and answers are sentences of `rows` in other places."""
    chance = random.Random(0)
    sentences = [one for row in rows for one in re.findall(r"[^。]{8,}。", row.answer)]
    found: list[Row] = []
    for line in range(1, count + 1):
        if found and line % 10 == 0:
            question, answer = (message.text for message in chance.choice(found).messages)
            at = chance.randrange(len(answer))
            answer = answer[:at] + "また" + answer[at + 1 :]
        else:
            question = chance.choice(rows).question[:30] + chance.choice(sentences)[:25]
            answer = "".join(chance.sample(sentences, 4))
        found.append(Row(line, (Message("user", question), Message("assistant", answer))))
    return found


def main() -> None:
    file = evaluation_data.for_benchmark(sys.argv[1] if len(sys.argv) > 1 else None, "kasensabo", FILE)
    rows: list[Row] | tuple[Row, ...] = timed("reading", lambda: reading.read(file)).rows
    if len(sys.argv) > 2:
        rows = made(tuple(rows), int(sys.argv[2]))
    print(
        f"{len(rows):,} rows of {sum(len(row.question) + len(row.answer) for row in rows) / len(rows):.0f} characters"
    )
    flags = timed("flags of answers", lambda: [quality.flags(row.answer) for row in rows])
    print("   ", dict(Counter(flag for found in flags for flag in found)))
    persons = timed("personal details", lambda: [personal.found(f"{row.question}\n{row.answer}") for row in rows])
    print("   ", dict(Counter(one.kind for found in persons for one in found)))
    print("    the same:", len(timed("exact duplicates", lambda: duplicates.exact(rows))))
    print("    pairs:", len(timed("near-duplicates (5 characters, 0.8)", lambda: duplicates.near(rows))))
    paper = timed("near-duplicates (paper)", lambda: duplicates.near(rows, PAPER.threshold, PAPER.n, PAPER.part))
    print("    pairs:", len(paper))
    for name, settings in (("", split.Settings()), (" (paper)", split.PAPER)):
        parts = timed(f"split{name}", lambda settings=settings: split.split(rows, settings))
        counts = {part: len(parts.part(part)) for part in split.PARTS} | {"removed": len(parts.removed)}
        print("   ", counts)
        report = timed(f"leakage{name}", lambda parts=parts: leakage.report(parts))
        print("    nearest:", report.histogram, "near:", report.near)


if __name__ == "__main__":
    main()
