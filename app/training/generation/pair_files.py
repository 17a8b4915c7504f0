"""Write generated pairs as files, and as tables in which a person accepts, edits or rejects each pair.

A line of the file is both a row of training data and a question of a question set, with its origin. The table is read
back and compared with the lines of the file: an edit counts only with the decision "edited". The file never changes.
"""

import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.base import confidentiality
from app.base.confidentiality import LABELS, Label, Permit, highest_label
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.tables import table_writer
from app.base.tables.column_mapping import normalize_name
from app.base.tables.table_reader import Cell, TableRow
from app.base.wording import current_language, phrase
from app.chat.batch import question_table
from app.documents.grounding import evidence, source_citations
from app.documents.records import Section
from app.documents.values import notation, quantities
from app.training.generation import prompts
from app.training.generation.pair_records import UNANSWERABLE, PairCandidate, PairWriter, QuestionAnswerPair

GENERATED_ORIGIN = "generated"


def pairs_to_lines(pairs: Sequence[QuestionAnswerPair], writer: PairWriter, least: Label = LABELS[0]) -> bytes:
    """Encode the pairs as JSON Lines. `least`: the lowest allowed label, that of the writing model's training data."""
    return rows_to_lines(pair_row(pair, writer, least) for pair in pairs)


def rows_to_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in rows).encode("utf-8", "replace")


def pair_row(pair: QuestionAnswerPair, writer: PairWriter, least: Label = LABELS[0]) -> dict[str, Any]:
    """Return the object for a pair's line. `least`: the lowest label that the line may get.

    The line's group is its document, so that a split keeps the document's rows together. The line contains the passage
    for later checks.
    """
    candidate = pair.candidate
    passage, is_answerable = candidate.passage, candidate.category != UNANSWERABLE
    section = _section(candidate)
    place = {"document": passage.document, "heading": list(section.heading), "page": section.page}
    return {
        "id": _id(candidate),
        "question": candidate.question,
        "answer": candidate.answer,
        "must_include": must_include(candidate.question, candidate.answer) if is_answerable else [],
        "gold": [{"quote": candidate.quote, **place}] if is_answerable else [],
        "category": candidate.category,
        "group": passage.document,
        "answerable": is_answerable,
        "origin": GENERATED_ORIGIN,
        "quality": pair.score,
        "provenance": {
            "collection": passage.collection,
            **place,
            "tag": section.tag,
            "label": highest_label((passage.label, least)),
            "passage": passage.section.text,
            "passage_sha256": _sha256(passage.section.text),
            **asdict(writer),
        },
    }


def is_unchanged(row: dict[str, Any]) -> bool:
    """Return whether the passage stored in the row still matches the stored hash."""
    origin = row["provenance"]
    return bool(_sha256(origin["passage"]) == origin["passage_sha256"])


def must_include(question: str, answer: str) -> list[str]:
    """Return the answer's quantities, ranges and dates as written, each once, except those in the question."""
    asked = evidence.prepare_text(question)
    values = quantities.parse(answer)
    found = [
        (before.start if before is not None and before.is_range_start else one.start, one.end)
        for before, one in zip((None, *values), values, strict=False)
        if not (one.is_range_start or evidence.is_own_count(one) or asked.holds(one, answer[one.start : one.end]))
    ]
    found += [(date.start, date.end) for date in notation.parse_dates(answer) if not asked.holds_date(date)]
    written = (answer[start:end].strip() for start, end in sorted(found))
    return list(dict.fromkeys(one for one in written if not one.isdecimal()))  # drops list numbers, the 2 of レベル2


def _section(candidate: PairCandidate) -> Section:
    """Return the section of the passage that contains the quote."""
    passage = candidate.passage
    return (
        source_citations.part_at(passage, passage.section.text.find(candidate.quote))
        if candidate.quote
        else passage.section
    )


def _id(candidate: PairCandidate) -> str:
    """Return an id, the same each time for the same pair; its first letter makes spreadsheets keep it as text."""
    parts = [
        _sha256(candidate.passage.section.text),
        candidate.category,
        candidate.quote,
        candidate.question,
        candidate.answer,
    ]
    return "g" + hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()[:15]


TABLES = (".xlsx", ".csv")
COLUMNS = ("decision", "question", "answer", "quote", "document", "heading", "page", "quality", "line", "id")
NEEDED = ("decision", "question", "answer", "quote", "id")
WIDTHS = (8, 44, 50, 60, 28, 36, 8, 8, 6, 20)
HEADING_GAP = " > "

_Pair = dict[str, Any]  # an object that `pair_row` returns


@dataclass(frozen=True, slots=True)
class ReviewProblem:
    """A row of the table that cannot be used. `line`: its line, from 1; `code`: key of the reason's text."""

    line: int
    code: str


@dataclass(frozen=True, slots=True)
class PairReview:
    """The decisions of a table.

    `kept_pairs`: the accepted and edited pairs, in the order of the pairs' file. The counts include each pair once:
    `undecided` have no decision; `missing` have no row in the table.
    """

    kept_pairs: tuple[_Pair, ...]
    total: int
    accepted: int = 0
    edited: int = 0
    rejected: int = 0
    undecided: int = 0
    missing: int = 0
    problems: tuple[ReviewProblem, ...] = ()


# ------------------------------------------------------------------------ writing


def load_pairs(path: Path) -> list[_Pair]:
    """Load the objects on the lines of a file of generated pairs.

    Raises AppError("review_rows_missing" | "review_rows_unreadable").
    """
    try:
        lines = strict_json.read_bytes(path).decode("utf-8").split("\n")
    except FileNotFoundError as error:
        raise AppError("review_rows_missing", path=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise AppError("review_rows_unreadable", path=str(path), line=1) from error
    found: dict[str, _Pair] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        pair = _pair(line)
        if pair is None or pair["id"] in found:
            raise AppError("review_rows_unreadable", path=str(path), line=number)
        found[pair["id"]] = pair
    if not found:
        raise AppError("review_rows_unreadable", path=str(path), line=1)
    return list(found.values())


def write_review_table(pairs: Sequence[_Pair], out: Path, *, permit: Permit) -> None:
    """Write the table as a workbook or CSV, by the suffix of `out`.

    Raises AppError as `Permit.open_atomically` does.
    """
    place = 0 if current_language() == "ja" else 1
    head = [prompts.review_words(name)[place] for name in COLUMNS]
    lines = (_cells(number, pair) for number, pair in enumerate(pairs, start=1))
    with permit.open_atomically(out) as file:
        if out.suffix.lower() == ".csv":
            table_writer.write_csv(file, head, lines)
            return
        label = confidentiality.highest_label((confidentiality.label_of_rows(pairs), permit.label))
        book = table_writer.WorkbookWriter(phrase("common.batch_cut"), phrase(f"common.label.{label}"))
        book.add(phrase("training.review_sheet"), WIDTHS, lines, head)
        book.save(file)


def _pair(line: str) -> _Pair | None:
    try:
        pair = strict_json.loads(line)
        quotes = [gold["quote"] for gold in pair["gold"]]
        origin, quality = pair["provenance"], pair["quality"]
        texts = [pair[name] for name in ("id", "question", "answer", "category", "group")]
        texts += [origin["document"], origin["passage"], *origin["heading"], *quotes]
        is_sound = (
            all(isinstance(text, str) for text in texts)
            and isinstance(origin["heading"], list)
            and type(origin["page"]) is int
            and (quality is None or type(quality) is int)
            and origin.get("label", LABELS[0]) in LABELS
            and is_unchanged(pair)
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return pair if is_sound else None


def _cells(number: int, pair: _Pair) -> list[object]:
    origin = pair["provenance"]
    heading, page = HEADING_GAP.join(origin.get("heading", ())), origin.get("page") or ""
    shown = [origin.get("document", ""), heading, page, pair.get("quality"), number, pair["id"]]
    return ["", pair["question"], pair["answer"], _quote(pair), *shown]


def _quote(pair: _Pair) -> str:
    return next((str(gold["quote"]) for gold in pair["gold"]), "")


# ------------------------------------------------------------------------ reading


def read_review_table(path: Path, pairs: Sequence[_Pair]) -> PairReview:
    """Read the decisions of a table. `pairs`: the pairs in the file from which the table was made.

    Raises AppError("review_no_columns"), and as `read_question_table` does.
    """
    known = {pair["id"]: pair for pair in pairs}
    decided: dict[str, _Pair | str] = {}  # by id: the pair to keep, the decision, or a problem's code
    problems: list[ReviewProblem] = []
    for row in _rows(path):
        id = row.texts["id"]
        decision = "unknown_id" if id not in known else "twice" if id in decided else _decided(row.texts, known[id])
        if isinstance(decision, str) and decision not in ("rejected", "undecided"):
            problems.append(ReviewProblem(row.line, decision))
        if id in known:
            decided.setdefault(id, decision)
    kept = tuple(pair for id in known if isinstance(pair := decided.get(id), dict))
    values = list(decided.values())
    return PairReview(
        kept,
        total=len(known),
        accepted=sum(pair["review"] == "accepted" for pair in kept),
        edited=sum(pair["review"] == "edited" for pair in kept),
        rejected=values.count("rejected"),
        undecided=values.count("undecided"),
        missing=len(known) - len(decided),
        problems=tuple(problems),
    )


@dataclass(frozen=True, slots=True)
class _TableRow:
    line: int
    texts: Mapping[str, str]  # the keys are the names in COLUMNS


def _rows(path: Path) -> Iterator[_TableRow]:
    filled = [row for row in question_table.read_question_table(path).rows if any(map(_text, row.cells))]
    head = [normalize_name(_text(cell)) for cell in filled[0].cells] if filled else []
    places = {name: at for name in COLUMNS if (at := _column_index(name, head)) is not None}
    missing = [prompts.review_words(name)[0] for name in NEEDED if name not in places]
    if missing:
        raise AppError("review_no_columns", name=path.name, missing=missing)
    for row in filled[1:]:
        yield _TableRow(row.line, {name: _cell(row, at) for name, at in places.items()})


def _column_index(name: str, head: Sequence[str]) -> int | None:
    return next((head.index(word) for word in _known_column_names(name) if word in head), None)


@functools.cache
def _known_column_names(name: str) -> tuple[str, ...]:
    return tuple(map(normalize_name, prompts.review_words(name)))


def _cell(row: TableRow, at: int) -> str:
    return _text(row.cells[at]) if at < len(row.cells) else ""


def _text(cell: Cell) -> str:
    """Return the cell's text without the apostrophe that a CSV has before formulas."""
    return table_writer.remove_formula_apostrophe("" if cell is None else str(cell).replace("\r\n", "\n").strip())


def _decided(texts: Mapping[str, str], pair: _Pair) -> _Pair | str:
    """Return the pair to keep, "rejected", "undecided", or the code of a ReviewProblem."""
    decision = texts["decision"]
    if not decision:
        return "undecided"
    meant = next((name for name in ("accepted", "edited", "rejected") if _is_word(decision, name)), "unknown_decision")
    if meant in ("rejected", "unknown_decision"):
        return meant
    changed = _changed(texts, pair)
    if not changed:
        return pair | {"review": "accepted"} if meant == "accepted" else "unchanged"
    return _edited(changed, pair)


def _is_word(decision: str, name: str) -> bool:
    return decision.strip().casefold() in prompts.review_words(name)


def _changed(texts: Mapping[str, str], pair: _Pair) -> dict[str, str]:
    before = {"question": pair["question"], "answer": pair["answer"], "quote": _quote(pair)}
    return {name: texts[name] for name, text in before.items() if texts[name] != text.strip()}


def _edited(changed: Mapping[str, str], pair: _Pair) -> _Pair | str:
    """Return the edited pair, or a problem's code, for example if the passage does not contain the edited quote."""
    if "" in (changed.get("question"), changed.get("answer")):
        return "empty"
    made = pair | {name: changed[name] for name in ("question", "answer") if name in changed} | {"review": "edited"}
    if not pair["gold"]:
        return "answer_of_unanswerable" if "answer" in changed or "quote" in changed else made
    if "answer" in changed or "question" in changed:
        made["must_include"] = must_include(made["question"], made["answer"])
    if "quote" in changed:
        if not changed["quote"] or changed["quote"] not in pair["provenance"]["passage"]:
            return "quote_not_in_passage"
        made["gold"] = [pair["gold"][0] | {"quote": changed["quote"]}]
    return made


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
