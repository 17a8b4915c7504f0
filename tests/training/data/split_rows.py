"""Rows to split: such that have nothing in common, and such that have all that a split must keep together."""

import dataclasses
import random

from app.training.data.rows import RowMessage, TrainingRow


def row(line: int, question: str, answer: str, group: str = "") -> TrainingRow:
    return TrainingRow(line, (RowMessage("user", question), RowMessage("assistant", answer)), group)


def distinct(count: int, seed: int = 0) -> list[TrainingRow]:
    """Rows that have next to nothing in common."""
    chance = random.Random(seed)

    def text(length: int) -> str:
        return "".join(chr(chance.randrange(0x4E00, 0x9000)) for _ in range(length))

    return [row(line, text(12) + "？", text(40) + "。") for line in range(1, count + 1)]


def troubled(seed: int, count: int = 150) -> list[TrainingRow]:
    """Rows with groups, twins, questions asked twice, and copies with a letter changed."""
    chance = random.Random(seed)
    rows = distinct(count, seed)
    for at in range(count):
        kind, other = chance.random(), chance.choice(rows)
        if kind < 0.1:
            rows[at] = row(at + 1, other.question, other.answer + " ")
        elif kind < 0.2:
            rows[at] = row(at + 1, other.question, rows[at].answer)
        elif kind < 0.3:
            rows[at] = row(at + 1, other.question, "あ" + other.answer)
        if chance.random() < 0.5:
            rows[at] = dataclasses.replace(rows[at], group=f"第{chance.randrange(40)}章")
    return rows


def ids(rows: tuple[TrainingRow, ...]) -> list[str]:
    return [one.id for one in rows]
