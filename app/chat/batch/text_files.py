"""Answers as CSV, for any spreadsheet, and as JSON Lines, for other programs."""

import json
from typing import Any, BinaryIO

from app.base import invisible_characters
from app.base.tables import table_writer
from app.base.wording import phrase
from app.chat import answer_facts
from app.chat.batch import report as words
from app.chat.batch.report import Line, Report
from app.documents.grounding.grounding_record import Grounding


def write_csv(report: Report, file: BinaryIO) -> None:
    names = [phrase(f"common.batch_column.{name}") for name in ("line", "question", *words.ANSWER_COLUMNS)]
    head = [names[0], *words.original_names(report.questions), *names[1:]]
    table_writer.write_csv(file, head, (words.cells(report, line) for line in report.lines()))


def write_json(report: Report, file: BinaryIO) -> None:
    """One object a line: as `kotae ask --json` prints it, with the question and where it stood."""
    for line in report.lines():
        written = invisible_characters.escape_json(json.dumps(_object(report, line), ensure_ascii=False))
        file.write(written.encode("utf-8", "replace") + b"\n")


def _object(report: Report, line: Line) -> dict[str, Any]:
    names = words.original_names(report.questions)
    others = dict(zip(names, words.originals(report.questions, line.row), strict=True))
    data: dict[str, Any] = {"line": line.row.line, "question": line.question, "verdict": line.verdict}
    data["original"] = {name: _plain(value) for name, value in others.items()}
    result = line.result
    if result is None:
        return data | {"reason": line.note} if line.note else data
    kept = result.grounding or Grounding()
    if result.error_code:
        data["error"] = {"code": result.error_code, "message": result.error}
    return data | {
        "answer": result.answer,
        **answer_facts.facts(kept),
        "label": result.label,
        "model": result.model,
        "seed": result.seed,
        "usage": {
            "prompt_tokens": result.prompt_tokens,
            "cached_tokens": result.cached_tokens,
            "answer_tokens": result.answer_tokens,
        },
        "timings": {
            "load_s": round(result.load_s, 4),
            "retrieval_s": round(kept.retrieval_s, 4),
            "first_token_s": round(result.first_token_s, 4),
            "total_s": round(result.total_s, 4),
            "tokens_per_s": round(result.tokens_per_s, 2),
        },
    }


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str | int | float) else str(value)
