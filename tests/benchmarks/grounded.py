"""How much sooner another question on the same passages is answered, also after a restart of the program.

    python -m tests.benchmarks.grounded [MODEL.gguf] [--pairs N]

The trial model where none is given. Passages and answers are those of tests/documents/claims.toml. Each pair asks two
questions of five passages that were not read before, so that the first reads them and the second finds them read; the
ratio is taken within a pair, and the median over all pairs is printed. After that two engines are started, one with and
one without the states that the first has kept on disk, and asked the first question of each pair in turn.
"""

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from PySide6.QtCore import QEventLoop, QTimer

from app.base.cli.loop import core_application
from app.base.paths import Paths
from app.base.settings import Settings
from app.chat.presets import Choices
from app.chat.services.answer_run import AnswerRequest, choices_in_force
from app.chat.services.retrieval_augmentation import RetrievalRequest
from app.documents.grounding.grounding_record import source_of
from app.documents.library import Library
from app.inference import child_commands, prefix_states
from app.inference.engine.messages import Done
from app.inference.engine.worker import PAUSE_S
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.inference.services.engine import EngineClient
from app.models import local_models, starter
from tests.benchmarks import asking
from tests.documents import test_claims

QUESTIONS = ("数値の基準をまとめてください。", "点検や試験の頻度を教えてください。")
PASSAGES = 5
CONTEXT_TOKENS = 4096


def ask(engine: EngineClient, model: LocalModel, documents: Path, first_passage: int, *turns: Turn) -> tuple[Done, str]:
    chosen = [test_claims.PASSAGES[(first_passage + at) % len(test_claims.PASSAGES)] for at in range(PASSAGES)]
    given = tuple(source_of(passage) for passage in chosen)
    request = AnswerRequest(
        model,
        turns,
        Settings(context_tokens=CONTEXT_TOKENS),
        choices_in_force(model, Choices(temperature=0, max_tokens=16, seed=1)),
        retrieval=RetrievalRequest(documents, (), turns, given, given),
        may_share=True,
    )
    outcome, text = asking.ask(engine, request)
    return outcome.done, text


def wait(seconds: float) -> None:
    loop = QEventLoop()
    QTimer.singleShot(round(1000 * seconds), loop.quit)
    loop.exec()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    keep = core_application()
    with tempfile.TemporaryDirectory() as folder:
        model = local_models.describe(options.model or starter.assemble(starter.card(), Path(folder)))
        where = Paths(Path(folder))
        with closing(Library.open(where.documents)) as library:
            library.add_collection(test_claims.PASSAGES[0].collection)
        with running_engine(where, "first", where.prefix_states) as engine:
            measure(engine, model, where, options.pairs)
        with running_engine(where, "with", where.prefix_states) as kept, running_engine(where, "without") as bare:
            measure_restart(kept, bare, model, where, options.pairs)
    del keep


@contextmanager
def running_engine(where: Paths, name: str, states: Path | None = None) -> Iterator[EngineClient]:
    engine = EngineClient(child_commands.engine(states), where.data / f"{name}.log")
    try:
        yield engine
    finally:
        engine.shut_down()


def measure_restart(kept: EngineClient, bare: EngineClient, model: LocalModel, where: Paths, pairs: int) -> None:
    ratios = []
    print("after a restart: tokens  kept  first s without  with  ratio")
    for engine in (kept, bare):
        ask(engine, model, where.documents, 20, Turn("準備"))
    for pair in range(pairs):
        question = Turn(QUESTIONS[pair % 2])
        without, plain = ask(bare, model, where.documents, pair * PASSAGES, question)
        having, same = ask(kept, model, where.documents, pair * PASSAGES, question)
        before, after = without.timings.first_token_s, having.timings.first_token_s
        ratios.append(before / after)
        usage, is_equal = having.usage, "" if plain == same else "  other answer"
        print(
            f"{usage.prompt_tokens:22d} {usage.cached_tokens:6d} {before:10.3f} {after:13.3f} {ratios[-1]:6.1f}"
            + is_equal
        )
    size = prefix_states.used_bytes(where.prefix_states) / 1e6
    print(f"median: {statistics.median(ratios):.1f} times sooner; {size:.0f} MB on disk")


def measure(engine: EngineClient, model: LocalModel, where: Paths, pairs: int) -> None:
    first_question, second_question = QUESTIONS
    alone, following = [], []
    documents = where.documents
    ask(engine, model, documents, 20, Turn("準備"))  # the load and its warming up
    print("tokens  first s  second s  ratio  follow-up s  ratio")
    for pair in range(pairs):
        start = pair * PASSAGES
        first, answer = ask(engine, model, documents, start, Turn(first_question))
        second, _ = ask(engine, model, documents, start, Turn(second_question))
        wait(PAUSE_S + 1)  # the engine keeps what was asked twice
        third, _ = ask(engine, model, documents, start, Turn(first_question, answer), Turn(second_question))
        before = first.timings.first_token_s
        alone.append(before / second.timings.first_token_s)
        following.append(before / third.timings.first_token_s)
        print(
            f"{first.usage.prompt_tokens:6d}  {before:7.3f}  {second.timings.first_token_s:8.3f}  {alone[-1]:5.1f}"
            f"  {third.timings.first_token_s:11.3f}  {following[-1]:5.1f}"
        )
    print(f"median: another question {statistics.median(alone):.1f} times sooner,")
    print(f"        a question after the answer {statistics.median(following):.1f} times")


if __name__ == "__main__":
    main()
