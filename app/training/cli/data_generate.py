"""Run `kotae data generate COLLECTION --out FILE`: question-answer pairs from documents, each with its evidence."""

import argparse
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.base import settings
from app.base.cli.commands import Output, add_command, time_left_suffix
from app.base.cli.loop import CommandEventLoop, core_application
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import help_text, phrase
from app.documents import collection_lookup
from app.documents.records import DocumentCollection
from app.documents.retrieval import excerpts
from app.documents.services import command_documents
from app.inference import child_commands, reply_journal
from app.inference.services.engine import EngineClient
from app.models import model_registry
from app.training.generation.pair_records import MOST_PAIRS, REJECTION_REASONS
from app.training.services import pair_generation
from app.training.services.pair_generation import (
    GenerationJob,
    GenerationOutcome,
    GenerationProgress,
    PairGeneration,
)

PAIRS = 50  # default number; with fewer, the checks before training warn
LINE_S = 30.0  # seconds between progress lines in a log


def add_parser(actions: Any, shared: argparse.ArgumentParser) -> None:

    parser = add_command(actions, shared, "generate", help_text("data generate"), _generate)
    parser.add_argument("collection", metavar="COLLECTION", help=help_text("data generate collection"))
    parser.add_argument("--out", metavar="FILE", required=True, help=help_text("data generate --out"))
    parser.add_argument("--n", metavar="N", type=int, default=PAIRS, help=help_text("data generate --n"))
    parser.add_argument("--model", metavar="ID|FILE", help=help_text("data generate --model"))
    parser.add_argument("--seed", metavar="N", type=int, default=0, help=help_text("data generate --seed"))
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))


def _generate(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Generate pairs.

    Exit status: 0; 1 for fewer pairs than requested; 3 for an expected error; 130 if interrupted, which can be resumed.
    """
    if not 1 <= options.n <= MOST_PAIRS:
        raise AppError(
            "bad_option", option="--n", value=options.n, expected=phrase("common.range", low=1, high=f"{MOST_PAIRS:,}")
        )
    out = Path(options.out).expanduser()
    pair_generation.check_target(out)
    collection = _collection(options.collection, where)
    model = model_registry.choose_model(options.model, where)
    chosen = settings.load(where.settings)
    job = GenerationJob(where, collection, out, options.n, options.seed, model, chosen, options.allow_secret)
    job.export_request.check(is_agreed=options.allow_secret)
    if excerpts.is_too_small(model):
        output.note("training.generation_small_model", model=model.name)
    kept = len(reply_journal.read(job.journal))
    if kept:
        output.note("training.generation_resumed", count=kept)
    app = core_application()
    engine = EngineClient(child_commands.engine(), where.logs / "engine-generate.log")
    waiting = _GenerationOutput(PairGeneration(engine, job), output)
    try:
        waiting.generation.start()
        waiting.run()
    except KeyboardInterrupt:  # the user pressed Ctrl+C a second time
        pass
    finally:
        waiting.generation.abandon()
        engine.shut_down()
        background.shut_down()
    del app
    return _print(waiting, job, output)


def _collection(name: str, where: Paths) -> DocumentCollection:
    """Return the collection of this name; if it is Kotae's own manual, index the manual first.

    Raises AppError as `find_collection` does.
    """
    command_documents.scope_of([name], where)
    library = collection_lookup.open_library(where.documents)
    try:
        return collection_lookup.find_collection(library, name)
    finally:
        library.close()


class _GenerationOutput(CommandEventLoop):
    """Shows the progress of a generation until it ends.

    `result`: GenerationOutcome or GenerationStopped; None if a second Ctrl+C ended the wait before the generation
    stopped.
    """

    def __init__(self, generation: PairGeneration, output: Output) -> None:
        super().__init__(generation.stop)
        self.generation = generation
        self._output = output
        self._printed_at: float | None = None  # monotonic time of the last progress line; None: none was printed
        self._has_printed_time_left = False
        generation.progressed.connect(self._on_progressed)
        generation.finished.connect(self.finish)
        generation.failed.connect(self.fail)
        generation.stopped.connect(self.finish)

    def _on_progressed(self, progress: GenerationProgress) -> None:
        done, total = progress.round.done, progress.round.total
        facts: dict[str, Any] = {
            "accepted": progress.accepted,
            "wanted": progress.pair_count,
            "done": done,
            "total": total,
        }
        if self._printed_at is None:
            name = self.generation.job.collection.name
            self._output.note(
                "training.generation_begun", name=name, passages=progress.passages, wanted=progress.pair_count
            )
        facts["left"] = time_left_suffix(progress.round.left_s)
        if sys.stderr.isatty():
            self._printed_at = time.monotonic()
            self._output.progress("training.generation_progress", **facts)
        elif self._is_due(progress):
            self._printed_at = time.monotonic()
            self._output.note("training.generation_progress", **facts)

    def _is_due(self, progress: GenerationProgress) -> bool:
        """Return whether to print a progress line in a log.

        Lines are printed at the start, when the time left is first known, and every LINE_S seconds.
        """
        is_known = progress.round.left_s is not None
        is_first = is_known and not self._has_printed_time_left
        self._has_printed_time_left |= is_known
        return self._printed_at is None or is_first or time.monotonic() - self._printed_at >= LINE_S


def _print(waiting: _GenerationOutput, job: GenerationJob, output: Output) -> int:
    output.end_progress()
    if waiting.error is not None:
        raise waiting.error
    generated = waiting.result
    if not isinstance(generated, GenerationOutcome):
        facts = asdict(generated) if generated is not None else {}
        key = "training.generation_interrupted_counted" if facts else "training.generation_interrupted"
        text = output.phrase(key, wanted=job.pair_count, **facts)
        output.result(_of_job(job) | {"state": "waiting"} | facts, text)
        return 128 + signal.SIGINT
    output.result(as_object(generated), "\n".join(_text(generated, output)))
    return 0 if len(generated.standing.accepted) >= job.pair_count else 1


def _of_job(job: GenerationJob) -> dict[str, Any]:
    return {
        "out": None,
        "collection": job.collection.name,
        "label": job.collection.label,
        "model": job.model.id,
        "seed": job.seed,
        "wanted": job.pair_count,
    }


def as_object(generated: GenerationOutcome) -> dict[str, Any]:
    standing, selected = generated.standing, generated.selected
    return _of_job(generated.job) | {
        "out": str(generated.file) if generated.file else None,
        "asked": standing.judged_pairs,
        "accepted": len(standing.accepted),
        "rejected": {reason: standing.rejected[reason] for reason in REJECTION_REASONS if standing.rejected[reason]},
        "categories": dict(Counter(pair.candidate.category for pair in standing.accepted)),
        "passages": standing.passages,
        "passages_chosen": len(selected.passages),
        "sections": selected.sections,
        "sections_suitable": selected.suitable,
        "seconds": round(generated.seconds, 3),
    }


def _text(generated: GenerationOutcome, output: Output) -> list[str]:
    standing, job = generated.standing, generated.job
    accepted, asked = len(standing.accepted), standing.judged_pairs
    facts = {"accepted": accepted, "asked": asked, "passages": standing.passages, "name": job.collection.name}
    lines = [
        output.phrase("training.generation_done" if accepted else "training.generation_none", path=job.out, **facts)
    ]
    if standing.rejected:
        lines.append(output.phrase("training.generation_rejected", count=standing.rejected.total()))
    for reason, count in standing.rejected.most_common():
        lines.append(
            "  "
            + output.phrase("training.generation_reason", what=phrase(f"training.pair_refusal.{reason}"), count=count)
        )
    if accepted < job.pair_count:
        lines.append(output.phrase("training.generation_few", wanted=job.pair_count))
    if accepted:
        lines.append(output.phrase("training.generation_next", path=job.out, table=job.out.with_suffix(".xlsx").name))
    return lines
