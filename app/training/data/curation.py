"""Curate rows: record a person's decision on each (accepted, edited, rejected), which can be undone.

The folder holds `items.jsonl`, the imported or generated rows, which never change, and `decisions.jsonl`, one line for
each decision and each undo. Each line is on the disk before the next decision. Only one process may write at a time.

The module also inspects a row for its reviewer and estimates the time left. It checks only the form of a text: whether
an answer is right, the person decides.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from app.base import json_lines
from app.base.confidentiality import LABELS
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import lines_of
from app.base.files.output_file import append_line, drive_error, drive_errors, write_atomically
from app.base.wording import phrase
from app.documents.grounding import evidence as grounds
from app.documents.values import quantities
from app.training.data import check, personal, quality, records
from app.training.data.check import DataCheckReport
from app.training.data.records import RowRefusedError
from app.training.data.rows import RowMessage, TrainingRow

ITEMS, DECISIONS = "items.jsonl", "decisions.jsonl"

DecisionKind = Literal["accepted", "edited", "rejected"]
# Without a decision, a row is "used" if it has no grave flaw, "left_out" if it has one, and "undecided" if it is a
# generated pair. The other states are decisions, made here or earlier in a review table.
RowState = Literal["used", "left_out", "undecided", "accepted", "edited", "rejected"]
TRAINED_STATES: tuple[RowState, ...] = ("used", "accepted", "edited")
# Flags that exclude no row: a split keeps such rows together, so that training reveals nothing of the hold-out.
HARMLESS_FLAGS = frozenset(("repeated_question", "near_duplicate"))


@dataclass(frozen=True, slots=True)
class RowEvidence:
    """The origin of a generated pair. `quote`: excerpt of `passage`; "" if the documents do not contain the answer."""

    document: str
    heading: tuple[str, ...] = ()
    page: int = 0  # page number from 1; 0: unknown
    quote: str = ""
    passage: str = ""
    category: str = ""  # the question style that the prompt requested
    quality: int | None = None  # score by the model, 0 to 3; None: not scored
    review: Literal["", "accepted", "edited"] = ""  # decision in an earlier review table
    label: str = ""  # the document's label (`app.base.confidentiality.LABELS`); "": unknown
    collection: str = ""


@dataclass(frozen=True, slots=True)
class CurationItem:
    """A row to decide on.

    `number`: its position, from 1. `flags`: codes of `check.CODES`. `like`: number of the earlier item that it
    resembles; 0 if there is none. `is_proposed`: the program found it, and it is used only once a person accepts it.
    """

    number: int
    row: TrainingRow
    flags: tuple[str, ...] = ()
    like: int = 0
    evidence: RowEvidence | None = None
    is_proposed: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision. `question`, `answer`, `rejected`: the new texts of an edited row; "" for other decisions."""

    number: int  # the item's number
    kind: DecisionKind
    question: str = ""
    answer: str = ""
    rejected: str = ""


def items_from_rows(
    rows: Sequence[TrainingRow], report: DataCheckReport, *, are_proposed: bool = False
) -> list[CurationItem]:
    """Return items for the rows of an imported file, flagged with the findings of its check."""
    numbers = {row.line: number for number, row in enumerate(rows, start=1)}
    flags: defaultdict[int, list[str]] = defaultdict(list)
    like: dict[int, int] = {}
    for finding in report.findings:
        for place in finding.places:
            flags[place.line].append(finding.code)
            if place.like:
                like.setdefault(place.line, numbers[place.like])
    return [
        CurationItem(number, row, tuple(flags[row.line]), like.get(row.line, 0), is_proposed=are_proposed)
        for number, row in enumerate(rows, start=1)
    ]


def items_from_pairs(pairs: Sequence[Mapping[str, Any]]) -> list[CurationItem]:
    """Return items for generated pairs, which are given as objects of `app.training.generation.pair_files`."""
    found = []
    for number, pair in enumerate(pairs, start=1):
        origin = pair["provenance"]
        messages = (RowMessage("user", pair["question"]), RowMessage("assistant", pair["answer"]))
        quote = next((gold["quote"] for gold in pair["gold"]), "")
        evidence = RowEvidence(
            origin["document"], tuple(origin["heading"]), origin["page"], quote, origin["passage"],
            pair["category"], pair["quality"], pair.get("review", ""), origin.get("label", ""),
            origin.get("collection", ""),
        )  # fmt: skip
        found.append(CurationItem(number, TrainingRow(number, messages, pair["group"]), evidence=evidence))
    return found


def create(folder: Path, items: Sequence[CurationItem]) -> None:
    """Write the items and delete the folder's old decisions. Raises AppError("draft_unwritable" | "drive_space")."""
    with drive_errors(folder, "draft_unwritable"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(folder / ITEMS, b"".join(json_lines.encode_line(item, "Item") for item in items))
        (folder / DECISIONS).unlink(missing_ok=True)


def undecided_state(item: CurationItem) -> RowState:
    """Return the state that an item has as long as nobody decides on it."""
    if not HARMLESS_FLAGS.issuperset(item.flags):
        return "left_out"
    if item.is_proposed:
        return "undecided"
    return (item.evidence.review or "undecided") if item.evidence is not None else "used"


class Curation:
    """The items of a folder with the decisions on them.

    `counts`: number of items in each state. `label`: the highest confidentiality label of an item; "" if none has one.
    `revision`: a number that rises with each decision and undo, so that callers can detect outdated results.
    """

    def __init__(self, folder: Path) -> None:
        """Load the folder's items and decisions.

        Raises AppError("draft_damaged" | "draft_unwritable" | "drive_space").
        """
        self.folder = folder
        self._path = folder / DECISIONS
        self._decision_history: list[
            tuple[Decision, Decision | None]
        ] = []  # each decision with the one that it replaced
        self._decisions: dict[int, Decision] = {}
        self.revision = 0
        try:
            self.items = tuple(json_lines.decode(line, {"Item": CurationItem}) for line in lines_of(folder / ITEMS))
            self.label = _label(self.items)
            self.counts = Counter(map(self.state_of, self.items))
            raw = strict_json.read_bytes(self._path) if self._path.exists() else b""
            whole = raw[: raw.rfind(b"\n") + 1]  # a power failure may have left an incomplete last line
            for line in whole.splitlines():
                self._replay(json_lines.decode_object(line))
            if raw != whole:
                os.truncate(self._path, len(whole))
            self._size = len(whole)
        except FileNotFoundError as error:
            raise AppError("draft_damaged", path=str(folder)) from error
        except OSError as error:
            raise drive_error(error, folder, "draft_unwritable") from error
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise AppError("draft_damaged", path=str(folder)) from error

    # ------------------------------------------------------------------ deciding

    def decide(self, decision: Decision) -> None:
        """Record a decision.

        Raises AppError: row_unusable (an edited row without a question, an answer or text), draft_changed (another
        process wrote), draft_unwritable, drive_space; IndexError for an unknown number.
        """
        self._require(decision.number)
        if decision.kind == "edited":
            question, answer = (message.text for message in _messages(decision))
            decision = replace(decision, question=question, answer=answer, rejected=decision.rejected.strip())
            if self.are_pairs and decision.rejected in ("", answer):
                code = "rejected_same" if decision.rejected else "empty_rejected"
                raise AppError("row_unusable", reason=phrase(f"common.data_bad.{code}"))
        self._write(asdict(decision))
        self._apply(decision)

    def undo(self) -> int:
        """Undo the last decision and return the number of its item; 0 if there is none.

        Raises AppError("draft_changed" | "draft_unwritable" | "drive_space").
        """
        if not self._decision_history:
            return 0
        self._write({"undo": True})
        return self._revert()

    # ------------------------------------------------------------------- looking

    @property
    def are_pairs(self) -> bool:
        """Return whether each row also has a rejected answer; a file has one for all rows or for none."""
        return bool(self.items and self.items[0].row.rejected)

    @property
    def last(self) -> Decision | None:
        """Return the decision that `undo` would take back; None if there is none."""
        return self._decision_history[-1][0] if self._decision_history else None

    def state_of(self, item: CurationItem) -> RowState:
        decision = self._decisions.get(item.number)
        return undecided_state(item) if decision is None else decision.kind

    def row_of(self, item: CurationItem) -> TrainingRow:
        """Return the item's row, with the person's changes if it was edited."""
        decision = self._decisions.get(item.number)
        if decision is None or decision.kind != "edited":
            return item.row
        messages = (*item.row.messages[:-2], *_messages(decision))
        return replace(item.row, messages=messages, rejected=decision.rejected)

    def rows(self) -> list[TrainingRow]:
        """Return the rows that will be trained on, in the order of the items."""
        return [self.row_of(item) for item in self.items if self.state_of(item) in TRAINED_STATES]

    # ------------------------------------------------------------- private methods

    def _replay(self, data: dict[str, Any]) -> None:
        if data.get("undo"):
            self._revert()
        else:
            self._apply(json_lines.convert(data, Decision))

    def _apply(self, decision: Decision) -> None:
        """Apply a decision in memory. Raises IndexError for an unknown number."""
        self._require(decision.number)
        self._decision_history.append((decision, self._decisions.get(decision.number)))
        self._set_decision(decision.number, decision)

    def _require(self, number: int) -> None:
        """Raise IndexError if no item has this number."""
        if not 1 <= number <= len(self.items):
            raise IndexError(number)

    def _revert(self) -> int:
        decision, before = self._decision_history.pop()
        self._set_decision(decision.number, before)
        return decision.number

    def _set_decision(self, number: int, decision: Decision | None) -> None:
        item = self.items[number - 1]
        self.counts[self.state_of(item)] -= 1
        self._decisions.pop(number, None)
        if decision is not None:
            self._decisions[number] = decision
        self.counts[self.state_of(item)] += 1
        self.revision += 1

    def _write(self, data: dict[str, Any]) -> None:
        line = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
        with drive_errors(self.folder, "draft_unwritable"):
            size = self._path.stat().st_size if self._size or self._path.exists() else 0
            if size != self._size:
                # another process has written, so numbers and revisions would differ
                raise AppError("draft_changed", path=str(self.folder))
            append_line(self._path, line)
        self._size += len(line) + 1


def _label(items: Sequence[CurationItem]) -> str:
    """Return the highest label of the items; "" if none has one. Raises ValueError for an unknown label."""
    labels = {item.evidence.label for item in items if item.evidence is not None and item.evidence.label}
    return max(labels, key=LABELS.index, default="")


def _messages(decision: Decision) -> tuple[RowMessage, ...]:
    """Return the question and answer of an edited row as messages. Raises AppError("row_unusable")."""
    try:
        return records.question_answer_messages(
            records.text_from_value(decision.question), records.text_from_value(decision.answer)
        )
    except RowRefusedError as error:
        raise AppError("row_unusable", reason=phrase(f"common.data_bad.{error.code}")) from error


@dataclass(frozen=True, slots=True)
class RowInspection:
    """Details of a row that a reviewer sees.

    `flaws`: codes of `quality.CODES`; `personal`: kinds of `personal.KINDS`; both over all messages. `numbers`: how
    many numbers the answer contains, with or without units; `missing`: those of them that the quote does not contain,
    as written; () without a quote.
    """

    flaws: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    numbers: int = 0
    missing: tuple[str, ...] = ()


def inspect_row(row: TrainingRow, evidence: RowEvidence | None) -> RowInspection:
    flaws = {code for code, _ in check.find_flaws(row)}
    kinds = {code.removeprefix("personal_") for code, _ in check.find_personal(row)}
    values = quantities.parse(row.answer)
    missing: list[str] = []
    if values and evidence is not None and evidence.quote:
        known = grounds.prepare_text(evidence.quote)
        written = ((value, row.answer[value.start : value.end]) for value in values)
        missing = [text.strip() for value, text in written if not known.holds(value, text)]
    return RowInspection(
        tuple(code for code in quality.CODES if code in flaws),
        tuple(kind for kind in personal.KINDS if kind in kinds),
        len(values),
        tuple(dict.fromkeys(missing)),
    )


def is_quoted(evidence: RowEvidence) -> bool:
    """Return whether the passage contains the quote verbatim."""
    return evidence.quote != "" and evidence.quote in evidence.passage


def count_by_passage(items: Sequence[CurationItem]) -> Counter[tuple[str, str]]:
    """Return the number of generated pairs for each (document, passage text)."""
    found = (item.evidence for item in items)
    return Counter((one.document, one.passage) for one in found if one is not None)
