"""Run a study on the command line with its progress; list, show, compare, remove and restore studies; collect pairs."""

import argparse
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from app.base import confidentiality, settings
from app.base.cli import commands
from app.base.cli.commands import Output, set_command
from app.base.cli.loop import core_application
from app.base.confidentiality import ExportRequest, Permit
from app.base.errors import AppError
from app.base.files.output_file import check_new_target
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import format_size, help_text, phrase
from app.documents.services.command_documents import QuestionEmbedder
from app.evaluation import current_labels, preference_pairs, records
from app.evaluation.cli import eval_output
from app.evaluation.judge import human_ratings
from app.evaluation.records import Evaluation, ReportSection
from app.evaluation.report import export
from app.evaluation.services.study_run import StudyRun
from app.evaluation.study import studies, study_preflight
from app.evaluation.study.studies import Study, StudyEntry
from app.inference import child_commands, machine
from app.inference.services.engine import EngineClient
from app.models.artifact_steps import StepProgress
from app.models.services.artifact_session import ArtifactSession, StepLines
from app.training.generation import pair_files
from app.training.services import terminal_run, training_run
from app.training.services.training_run import Trainer

RATED = 40  # default number of answers in a rating sheet: an hour's work, and enough for a kappa
SHOWN_DAMAGED = "-"


def add_options(parser: argparse.ArgumentParser, name: str) -> None:
    commands = {
        "list": _list, "show": _show, "resume": _resume, "remove": _remove, "restore": _restore, "ratings": _ratings,
        "compare": _compare, "pairs": _pairs,
    }  # fmt: skip
    set_command(parser, commands[name])
    if name == "pairs":
        parser.add_argument("--out", metavar="FILE.jsonl", required=True, help=help_text("eval pairs --out"))
        parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))
    elif name != "list":
        several = "+" if name == "compare" else None
        parser.add_argument("wanted", metavar="EVALUATION", nargs=several, help=help_text("eval id"))
    if name in ("show", "compare", "ratings"):
        is_sheet = name == "ratings"
        shown = help_text("eval ratings --out" if is_sheet else "eval show --out")
        parser.add_argument("--out", metavar="FILE", required=is_sheet, help=shown)
        parser.add_argument("--allow-secret", action="store_true", help=help_text("eval show --allow-secret"))
    if name == "ratings":
        parser.add_argument("--n", metavar="N", type=int, default=RATED, help=help_text("eval ratings --n"))


def run_study(folder: Path, where: Paths, output: Output) -> int:
    """Run a study and print its results.

    Return the exit status: 0; 3 after an expected error; 130 after an interruption, which prints the id of the study,
    so that `kotae eval resume` can continue it.
    """
    status = carry_out(folder, where, output)
    return status or print_results(folder, *studies.read_results(folder), output)


def carry_out(folder: Path, where: Paths, output: Output) -> int:
    """Run a study without printing its results."""
    study = studies.read(folder)
    for shortage in study_preflight.memory_shortages(study, folder, machine.measure_memory()):
        key = "evaluation.eval_memory_short_judge" if shortage.is_judge else "evaluation.eval_memory_short"
        output.note(key, name=shortage.name, need=format_size(shortage.need_bytes))
    running: ArtifactSession | None = None
    try:
        running = _run(folder, study, where, output)
    except KeyboardInterrupt:  # interrupted before the first step, or a second time
        output.end_progress()
    if running is not None and running.error is not None:
        output.note("evaluation.eval_goes_on", id=folder.name)
        raise running.error
    if running is None or running.result is None:
        entry = StudyEntry(folder.name, folder, study, "waiting")
        output.result(_described(entry), phrase("evaluation.eval_interrupted", id=folder.name))
        return 128 + signal.SIGINT
    return 0


def _run(folder: Path, study: Study, where: Paths, output: Output) -> ArtifactSession:
    """Run a study until it ends or is interrupted. Raises as `StudyRun.start`, and KeyboardInterrupt."""
    app = core_application()
    has_documents = any(contender.scope for contender in study.contenders)
    with QuestionEmbedder(where, output) if has_documents else nullcontext() as meanings:
        if meanings is not None:
            meanings.complete()  # otherwise the last answers would be retrieved in another way than the first
        engine = EngineClient(child_commands.engine(), where.logs / "engine-eval.log")
        run = StudyRun(
            folder,
            engine,
            trainer=_trainer(where),
            documents=where.documents,
            settings=settings.load(where.settings),
            embedding=meanings.embedding if meanings else None,
        )

        def interrupt() -> None:
            if run.training is not None:  # a training saves its state before it stops, which may take minutes
                output.end_progress()
                terminal_run.show_pausing(run.training, output)
            run.stop()

        running = ArtifactSession(run, output, step_lines(output).show, interrupt)
        try:
            running.wait(run.start)
        finally:
            engine.shut_down()
            background.shut_down()
    del app
    return running


def step_lines(output: Output) -> StepLines:
    def describe(progress: StepProgress) -> str:
        return phrase(f"evaluation.eval_step_kind.{progress.kind}", name=progress.name)

    return StepLines(output, "evaluation.eval_step", "evaluation.eval_step_percent", describe)


def print_results(
    folder: Path | None, evaluation: Evaluation, sections: Sequence[ReportSection], output: Output
) -> int:
    output.result(eval_output.as_json(folder, evaluation, sections), eval_output.as_text(folder, evaluation, sections))
    return 0


# ---------------------------------------------------------------------------- look


def _list(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    entries = studies.list_all(where.evaluations)
    removed = [one.id for one in studies.list_all(where.evaluations / studies.BIN)]
    data = {"evaluations": [_described(one) for one in entries], "removed": removed}
    lines = [
        phrase("evaluation.eval_entry", **described | {"state": phrase(f"evaluation.eval_state.{described['state']}")})
        for described in map(_described, entries)
    ]
    lines = lines or [phrase("evaluation.eval_none")]
    lines += [phrase("evaluation.eval_in_bin", ids=" / ".join(removed))] if removed else []
    output.result(data, "\n".join(lines))
    return 0


def _described(entry: StudyEntry) -> dict[str, Any]:
    study = entry.study
    return {
        "id": entry.id,
        "name": study.name if study else SHOWN_DAMAGED,
        "kind": study.kind if study else SHOWN_DAMAGED,
        "set": study.set_name if study else SHOWN_DAMAGED,
        "systems": len(study.contenders) if study else 0,
        "state": entry.state if study else "damaged",
        "folder": str(entry.folder),
    }


def _show(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval show`: print or export the results of a finished study.

    Return the exit status: 0; 3 if the study is not finished, or after another expected error.
    """
    entry, found, sections = _finished(options.wanted, where)
    if options.out:
        return _export(options, found, sections, where, output, entry.folder)
    return print_results(entry.folder, found, sections, output)


def _compare(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval compare`: print or export the results of several studies of the same questions together.

    Return the exit status: 0; 3 if the questions differ, or after another expected error.
    """
    found = records.merge_evaluations([_finished(wanted, where)[1] for wanted in options.wanted])
    if options.out:
        return _export(options, found, (), where, output)
    return print_results(None, found, (), output)


def _export(
    options: argparse.Namespace,
    evaluation: Evaluation,
    sections: Sequence[ReportSection],
    where: Paths,
    output: Output,
    folder: Path | None = None,
) -> int:
    out = Path(options.out).expanduser()
    export.check_target(out)
    permit = _permit_export(evaluation, out, where, allows_secret=options.allow_secret)
    export.save(evaluation, sections, out, folder, permit=permit)
    data = {"id": evaluation.id, "name": evaluation.name, "out": str(out)}
    output.result(data, phrase("evaluation.eval_exported", name=evaluation.name, path=out))
    return 0


def _ratings(options: argparse.Namespace, where: Paths, output: Output) -> int:
    _entry, found, _sections = _finished(options.wanted, where)
    commands.check_limit("--n", options.n, 1, 10_000)
    answers, out = human_ratings.draw_answers(found, options.n), Path(options.out).expanduser()
    human_ratings.check_target(out)
    permit = _permit_export(found, out, where, allows_secret=options.allow_secret)
    human_ratings.write_blank(out, answers, permit=permit)
    asked = found.questions
    facts = {"set": f"{asked.name}@{asked.version}" if asked.version else asked.name, "path": out}
    output.result(
        {"out": str(out), "answers": len(answers)}, phrase("evaluation.eval_blank", count=len(answers), **facts)
    )
    return 0


def _permit_export(evaluation: Evaluation, out: Path, where: Paths, *, allows_secret: bool) -> Permit:
    """Return the permit to write an evaluation's answers to `out`. `allows_secret`: even secret ones (--allow-secret).

    Raises AppError as `confidentiality.permit_export`.
    """
    export = ExportRequest(
        "answers",
        str(out.absolute()),
        lambda: current_labels.label_of_evaluation(evaluation, where.documents),
        evaluation.name,
    )
    return confidentiality.permit_export(export, where.exports_log, is_agreed=allows_secret)


def _finished(reference: str, where: Paths) -> tuple[StudyEntry, Evaluation, tuple[ReportSection, ...]]:
    """Return a finished study with its results. `reference`: the study's id or name, or a part of one.

    Raises AppError: evaluation_unknown, evaluation_ambiguous, evaluation_not_finished, evaluation_damaged.
    """
    entry = studies.find(where.evaluations, reference)
    if entry.state != "finished":
        raise AppError("evaluation_not_finished", id=entry.id)
    return entry, *studies.read_results(entry.folder)


def _resume(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Run `kotae eval resume`: continue a study."""
    entry = studies.find(where.evaluations, options.wanted)
    return run_study(entry.folder, where, output)


def _remove(options: argparse.Namespace, where: Paths, output: Output) -> int:
    entry = studies.find(where.evaluations, options.wanted)
    place = studies.remove(entry)
    output.result({"removed": entry.id, "path": str(place)}, phrase("evaluation.eval_removed", id=entry.id, path=place))
    return 0


def _restore(options: argparse.Namespace, where: Paths, output: Output) -> int:
    entry = studies.restore(where.evaluations, options.wanted)
    output.result(_described(entry), phrase("evaluation.eval_restored", id=entry.id))
    return 0


def _pairs(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Write the collected pairs. Exit status: 0; 3 for an expected error."""
    out = Path(options.out).expanduser()
    check_new_target(out, (".jsonl",), "generation_out_format")
    rows = preference_pairs.collect_stored(where)
    if not rows:
        raise AppError("no_preference_pairs")
    label = confidentiality.label_of_rows(rows)
    export = ExportRequest("rows", str(out.absolute()), lambda: label, out.name)
    permit = confidentiality.permit_export(export, where.exports_log, is_agreed=options.allow_secret)
    with permit.open_atomically(out) as file:
        file.write(pair_files.rows_to_lines(rows))
    origins = Counter(row["origin"] for row in rows)
    output.result(
        {"out": str(out), "pairs": len(rows), "origins": dict(origins), "label": label},
        phrase("evaluation.pairs_written", path=out, n=f"{len(rows):,}"),
    )
    return 0


def _trainer(where: Paths) -> Trainer | AppError:
    try:
        return training_run.locate_trainer(where.data)
    except AppError as error:
        return error
