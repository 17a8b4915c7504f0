"""`kotae eval sets`: manage the question sets of evaluations, and load question sets for other commands.

`kotae eval sets from-chats` makes a question set of the answers that the user has rated in conversations.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.base import confidentiality
from app.base.cli.commands import Output
from app.base.confidentiality import LABELS, ExportRequest, Label
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.tables import column_mapping
from app.base.wording import format_time, help_text, phrase
from app.chat.store import Store
from app.documents.library import collections_now
from app.evaluation import conversation_questions, current_labels, question_files, question_rows, question_sets
from app.evaluation.question_files import QuestionFile
from app.evaluation.question_sets import StoredQuestionSet
from app.evaluation.records import Question, QuestionSet
from app.training.data.records import BadRow, shorten

SHOWN_ROWS = 20  # largest number of rows printed; JSON and exports contain all
SHOWN_CHARACTERS = 80  # largest number of characters printed of a question or an answer
NAMED_ROWS = 5  # largest number of rows named in one sentence


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.commands import add_command

    group = add_command(commands, shared, "sets", help_text("eval sets"), None)
    actions = group.add_subparsers(dest="action", metavar="ACTION", title=help_text("commands"), required=True)
    listing = {"list": _list, "show": _show, "add": _add, "export": _export, "remove": _remove, "restore": _restore}
    parsers = {
        name: add_command(actions, shared, name, help_text(f"eval sets {name}"), command)
        for name, command in listing.items()
    }
    parsers["from-chats"] = add_command(actions, shared, "from-chats", help_text("eval sets from-chats"), _from_chats)
    for name in ("show", "export"):
        parsers[name].add_argument("wanted", metavar="NAME[@V]", help=help_text("eval sets wanted"))
    for name in ("add", "remove", "restore", "from-chats"):
        parsers[name].add_argument("name", metavar="NAME", help=help_text("eval sets add name"))
    parsers["add"].add_argument("files", metavar="FILE", nargs="+", help=help_text("eval sets add file"))
    parsers["add"].add_argument("--label", metavar="|".join(_label_names()), help=help_text("eval sets add --label"))
    parsers["export"].add_argument("--out", metavar="FILE", required=True, help=help_text("eval sets export --out"))
    parsers["export"].add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))


def load(name_or_path: str, where: Paths, output: Output) -> QuestionSet:
    """Load a stored question set, or one from a file, whose summary is printed.

    Raises AppError as `question_sets.load`.
    """
    question_set, file = question_sets.load(name_or_path, where.questions)
    if file is not None:
        print_file_summary(file, output)
    return question_set


def print_file_summary(file: QuestionFile, output: Output) -> None:
    """Print which columns of a file were used, and which rows are not questions."""
    key = "evaluation.questions_found_sheet" if file.sheet else "evaluation.questions_found"
    output.note(key, name=file.name, sheet=file.sheet, count=len(file.questions))
    output.note("common.data_mapping", mapping=phrase("common.data_gap").join(_mapping(file.columns.column_texts())))
    if file.columns.unused:
        output.note("common.data_unused", columns=" / ".join(map(shorten, file.columns.unused[:SHOWN_ROWS])))
    if file.other_sheets:
        output.note("common.data_other_sheets", sheets=" / ".join(map(shorten, file.other_sheets)))
    if file.blank:
        output.note("common.batch_blank", count=file.blank)
    facts = [{"line": row.line, "reason": _reason(row)} for row in file.skipped]
    note_first(output, facts, "common.batch_skipped", "evaluation.questions_skipped_more")
    _print_doubts(file.doubts, output)
    _print_renamed(file.renamed, output)


def note_first(output: Output, rows: Sequence[dict[str, Any]], key: str, more_key: str) -> None:
    """Print the first `SHOWN_ROWS` rows as texts of `key`, and the number of further rows as a text of `more_key`."""
    for facts in rows[:SHOWN_ROWS]:
        output.note(key, **facts)
    if len(rows) > SHOWN_ROWS:
        output.note(more_key, count=len(rows) - SHOWN_ROWS)


def _mapping(named_columns: dict[str, str]) -> list[str]:
    """Return the columns whose name differs from that of their field, as texts, and a note if there are others."""
    shown = []
    for field, column in named_columns.items():
        name = phrase(f"evaluation.question_column.{field}")
        if field == "document_group" or column_mapping.normalize_name(column) not in map(
            column_mapping.normalize_name, (field, name)
        ):
            shown.append(phrase("common.data_mapping_one", field=name, column=shorten(column)))
    if len(shown) < len(named_columns):
        shown.append(phrase("evaluation.questions_same_columns" if shown else "evaluation.questions_all_columns"))
    return shown


def _print_doubts(doubts: Sequence[BadRow], output: Output) -> None:
    facts = [
        {"line": row.line, "reason": phrase(f"evaluation.question_doubt.{row.code}"), "detail": row.detail}
        for row in doubts
        if row.code != "not_scored"
    ]
    note_first(output, facts, "evaluation.questions_doubt", "evaluation.questions_doubts_more")
    lines = [str(row.line) for row in doubts if row.code == "not_scored"]
    if lines:
        output.note("evaluation.questions_not_scored", count=len(lines), lines=_first_names(lines))


def _first_names(named: Sequence[str]) -> str:
    return phrase("common.data_gap").join(named[:NAMED_ROWS]) + ("…" if len(named) > NAMED_ROWS else "")


def _reason(row: BadRow) -> str:
    return with_detail(phrase(f"common.data_bad.{row.code}"), row.detail)


def with_detail(reason: str, detail: str) -> str:
    return phrase("evaluation.questions_reason_detail", reason=reason, detail=detail) if detail else reason


def _print_renamed(renamed: tuple[tuple[str, str], ...], output: Output) -> None:
    facts = [{"old": shorten(old), "new": shorten(new)} for old, new in renamed]
    note_first(output, facts, "evaluation.questions_renamed", "evaluation.questions_renamed_more")


# -------------------------------------------------------------------------- looking


def _list(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Print all question sets with label and status, and the names of those in the bin.

    Return the exit status: 0; 1 if a set is damaged.
    """
    found, removed = question_sets.list_all(where.questions), question_sets.list_removed(where.questions)
    lines = ["\t".join([one.name, phrase(f"common.label.{one.label}"), _status(one)]) for one in found]
    lines = lines or [phrase("evaluation.question_sets_none")]
    lines += [phrase("evaluation.question_sets_removed", names=" / ".join(removed))] if removed else []
    output.result({"sets": [asdict(one) for one in found], "removed": removed}, "\n".join(lines))
    return 0 if all(one.versions for one in found) else 1


def _status(stored_set: StoredQuestionSet) -> str:
    if not stored_set.versions:
        return phrase("evaluation.question_set_unusable")
    return phrase("evaluation.question_set_line", version=stored_set.newest.number, count=stored_set.newest.count)


def _show(options: argparse.Namespace, where: Paths, output: Output) -> int:
    found = question_sets.find(where.questions, options.wanted)
    about = question_sets.load_versions(where.questions, found.name)
    data = _described(found) | {
        "versions": [asdict(version) for version in about.versions],
        "questions": [question_rows.as_object(question) for question in found.questions],
    }
    output.result(data, "\n".join(_page(found, about)))
    return 0


def _described(question_set: QuestionSet) -> dict[str, Any]:
    return {
        "name": question_set.name,
        "version": question_set.version,
        "label": question_set.label,
        "sha256": question_set.sha256,
        "count": len(question_set.questions),
    }


def _page(question_set: QuestionSet, about: StoredQuestionSet) -> Iterator[str]:
    questions = question_set.questions
    yield phrase("evaluation.question_set_head", **_facts(question_set))
    yield phrase(
        "evaluation.question_set_contents",
        reference=sum(bool(question.reference) for question in questions),
        must_include=sum(bool(question.must_include) for question in questions),
        gold=sum(bool(question.gold) for question in questions),
        unanswerable=sum(not question.is_answerable for question in questions),
    )
    categories = Counter(question.category for question in questions if question.category).most_common()
    if categories:
        counted = phrase("common.data_gap").join(f"{shorten(name)} {count}" for name, count in categories)
        yield phrase("evaluation.question_set_categories", categories=counted)
    for version in about.versions:
        date = format_time(version.made_at)
        facts = {"version": version.number, "count": version.count, "source": version.source}
        yield phrase("evaluation.question_set_version_line", date=date, **facts)
    yield f"SHA-256 {question_set.sha256}"
    yield ""
    for one in questions[:SHOWN_ROWS]:
        yield f"{shorten(one.id)}\t{shorten(one.text, SHOWN_CHARACTERS)}"
        yield from (f"    {line}" for line in _answer_lines(one))
    if len(questions) > SHOWN_ROWS:
        name = f"{question_set.name}@{question_set.version}"
        yield phrase("evaluation.question_set_more", count=len(questions) - SHOWN_ROWS, name=name)


def _answer_lines(question: Question) -> Iterator[str]:
    """Yield the right answer of a question as short lines: reference, required words, number of gold passages."""
    if not question.is_answerable:
        yield phrase("evaluation.question_shown_unanswerable")
    if question.reference:
        yield phrase("evaluation.question_shown_reference", text=shorten(question.reference, SHOWN_CHARACTERS))
    if question.must_include:
        words = " / ".join(question.must_include)
        yield phrase("evaluation.question_shown_must_include", text=shorten(words, SHOWN_CHARACTERS))
    if question.gold:
        yield phrase("evaluation.question_shown_gold", count=len(question.gold))


# ------------------------------------------------------------------------- changing


def _add(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval sets add`: store the questions of the files as a set, or as the next version of a set.

    Return the exit status: 0; 1 if some rows are not questions; 3 after an expected error.
    """
    given = _label(options.label)
    files = [question_files.read(Path(file)) for file in options.files]
    for found in files:
        print_file_summary(found, output)
    questions, renamed = question_files.with_ids(question for found in files for question in found.questions)
    _print_renamed(renamed, output)
    newest = question_sets.newest_version(where.questions, options.name)
    source = phrase("common.data_gap").join(found.name for found in files)
    label = _raised(given, confidentiality.highest_label(found.label for found in files))
    stored = question_sets.store(where.questions, options.name, questions, label, source)
    is_new = stored.version > newest
    skipped = [
        {"file": found.name, "line": row.line, "code": row.code, "message": _reason(row)}
        for found in files
        for row in found.skipped
    ]
    data = _described(stored) | {
        "is_new": is_new,
        "skipped": skipped,
        "renamed": dict(renamed),
    }
    output.result(data, _stored_message(stored, is_new=is_new))
    return 1 if skipped else 0


def _facts(question_set: QuestionSet) -> dict[str, Any]:
    return _described(question_set) | {"label": phrase(f"common.label.{question_set.label}")}


def _stored_message(question_set: QuestionSet, *, is_new: bool) -> str:
    return phrase(
        "evaluation.question_set_stored" if is_new else "evaluation.question_set_same", **_facts(question_set)
    )


def _label_names() -> list[str]:
    """Return the names of the confidentiality labels in the language in use."""
    return [phrase(f"common.label.{label}") for label in LABELS]


def _label(word: str | None) -> Label | None:
    """Return the confidentiality label that the word names; None for None. Raises AppError("bad_option")."""
    label = confidentiality.label_from_word(word) if word is not None else None
    if word is not None and label is None:
        raise AppError("bad_option", option="--label", value=word, expected=" / ".join(_label_names()))
    return label


def _raised(label: Label | None, carried: Label) -> Label | None:
    """Return the label given by the user, but at least that of the files.

    `label`: None if the user gave none. `carried`: the highest label of the files. None: the files have the lowest
    label and the user gave none.
    """
    return label if carried == LABELS[0] else confidentiality.highest_label((label or carried, carried))


def _export(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Export a question set to a new file."""
    out = Path(options.out).expanduser()
    found = question_sets.find(where.questions, options.wanted)
    question_files.check_target(out)
    export = ExportRequest(
        "questions", str(out.absolute()), lambda: current_labels.label_of_set(found, where.documents), found.name
    )
    permit = confidentiality.permit_export(export, where.exports_log, is_agreed=options.allow_secret)
    question_files.write(out, found.questions, permit=permit)
    output.result(
        _described(found) | {"out": str(out)},
        phrase("evaluation.question_set_exported", path=out, **_facts(found)),
    )
    return 0


def _remove(options: argparse.Namespace, where: Paths, output: Output) -> int:
    place = question_sets.remove(where.questions, options.name)
    data = {"name": place.name.rpartition("@")[0], "path": str(place)}
    output.result(data, phrase("evaluation.question_set_removed", **data))
    return 0


def _restore(options: argparse.Namespace, where: Paths, output: Output) -> int:
    restored = question_sets.restore(where.questions, options.name)
    newest = restored.newest
    text = phrase("evaluation.question_set_restored", name=restored.name, version=newest.number, count=newest.count)
    output.result(asdict(restored), text)
    return 0


def _from_chats(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval sets from-chats`: store the rated answers as a set."""
    store = Store.open(where.database, where.backups)
    try:
        questions = conversation_questions.collect_questions(store, collections_now(where.documents))
    finally:
        store.close()
    for reason, count in questions.left_out.items():
        output.note(f"evaluation.chat_questions.{reason}", count=count)
    if not questions.questions:
        raise AppError("no_rated_answers")
    before = question_sets.newest_version(where.questions, options.name)
    source = phrase("evaluation.chat_questions_source")
    stored = question_sets.store(where.questions, options.name, questions.questions, questions.label, source)
    is_new = stored.version > before
    data = _described(stored) | {"is_new": is_new, "left_out": questions.left_out}
    output.result(data, _stored_message(stored, is_new=is_new))
    return 0
