"""How many of a model's quotes stand in their passage, and why pairs are rejected by the rules.

    python -m tests.benchmarks.generation DATA_DIR COLLECTION [--passages N] [--model ID|FILE] [--free]

`--free`: any words may be quoted, as without the grammar of the passage's sentences. `--without-adapter`: not with the
model card's own. Only the first prompt of each passage is asked: neither scores nor second questions. Replies are kept
in the working folder and not asked again.
"""

import argparse
import json
import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from app.base import programs, settings
from app.base.cli.loop import CommandEventLoop, core_application
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.chat.services.prompt_run import PromptJob, PromptRun
from app.documents.library import Library
from app.documents.records import Passage
from app.inference import child_commands
from app.inference.reply_journal import ModelReply, StandalonePrompt
from app.inference.services.engine import EngineClient
from app.models import model_registry
from app.training.generation import generation_plan, passages, prompts
from app.training.generation.pair_records import PairCandidate

Asked = tuple[Passage, str, StandalonePrompt]  # with the style


def asked(where: Paths, collection: str, count: int, *, is_free: bool) -> list[Asked]:
    library = Library.open_second(where.documents)
    selected = passages.select_passages(library, library.collection(collection), 0, count)
    library.close()
    used: Counter[str] = Counter()
    found = []
    for passage in selected.passages:
        style = prompts.style_for(passage, used)
        used[style.key] += 1
        prompt = prompts.pair_prompt(passage, style)
        if is_free:
            rules = re.sub(
                "^quote ::= .*$", f"quote ::= character{{1,{prompts.QUOTE_MAX}}}", prompt.grammar, flags=re.M
            )
            prompt = replace(prompt, grammar=rules)
        found.append((passage, style.key, prompt))
    return found


def replied(engine: EngineClient, job: PromptJob) -> dict[StandalonePrompt, ModelReply]:
    run = PromptRun(engine, job)
    found: dict[StandalonePrompt, ModelReply] = {}
    failures: list[AppError] = []
    waiting = CommandEventLoop(run.stop)
    run.progressed.connect(lambda progress: print(f"{progress.done}/{progress.total}", flush=True))
    run.finished.connect(lambda replies: (found.update(replies), waiting.stop()))
    run.failed.connect(lambda error: (failures.append(error), waiting.stop()))
    run.stopped.connect(waiting.stop)
    run.start()
    waiting.run()
    if failures:
        raise failures[0]
    return found


def report(every: Sequence[Asked], replies: dict[StandalonePrompt, ModelReply]) -> None:
    reasons: Counter[str] = Counter()
    valid = 0
    for passage, style, prompt in every:
        written = prompts.reply_texts(replies[prompt], "quote", "question", "answer")
        if written is None:
            reason = "unreadable"
        else:
            valid += written[0] in passage.section.text and written[0] != ""
            reason = (
                generation_plan.rejection_reason(PairCandidate(passage, style, *written), lambda _question: True)
                or "accepted"
            )
        reasons[reason] += 1
        print(style, reason, json.dumps(written, ensure_ascii=False))
    seconds = [reply.seconds for reply in replies.values()]
    print(f"{len(every)} passages, quotes that stand there {valid}, {dict(reasons)}, {sum(seconds):.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("collection")
    parser.add_argument("--passages", type=int, default=30)
    parser.add_argument("--model")
    parser.add_argument("--free", action="store_true")
    parser.add_argument("--without-adapter", action="store_true")
    options = parser.parse_args()
    where = Paths(options.data_dir)
    keep = core_application()
    programs.prepare_child_environment()
    every = asked(where, options.collection, options.passages, is_free=options.free)
    engine = EngineClient(child_commands.engine(), Path("engine-generation.log"))
    started = time.monotonic()
    try:
        job = PromptJob(
            model_registry.choose_model(options.model, where), settings.load(where.settings),
            tuple(prompt for _, _, prompt in every), Path("generation-replies.jsonl"),
            adapters=() if options.without_adapter else None,
        )  # fmt: skip
        report(every, replied(engine, job))
    finally:
        engine.shut_down()
        background.shut_down()
    print(f"{time.monotonic() - started:.0f} s")
    del keep


if __name__ == "__main__":
    main()
