"""How much sooner a second question on the same passages is answered, and how often the check of sentences is right.

    python -m tests.benchmarks.grounded [MODEL.gguf] [--pairs N]

The trial model where none is given. Passages and answers are those of tests/documents/claims.toml. Each pair asks two
questions of five passages that were not read before, so that the first reads them and the second finds them read; the
ratio is taken within a pair, and the median over all pairs is printed.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from app.base.cli.loop import core_application
from app.base.settings import Settings
from app.chat.presets import Choices
from app.chat.services.answer_run import AnswerRequest, choices_in_force
from app.chat.services.retrieval_augmentation import RetrievalRequest
from app.documents.grounding.grounding_record import source_of
from app.inference import child_commands
from app.inference.engine.messages import Done
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.inference.services.engine import EngineClient
from app.models import local_models, starter
from tests.benchmarks import asking
from tests.documents import test_claims

QUESTIONS = ("数値の基準をまとめてください。", "点検や試験の頻度を教えてください。")
PASSAGES = 5
CONTEXT_TOKENS = 4096


def ask(engine: EngineClient, model: LocalModel, first_passage: int, turns: tuple[Turn, ...]) -> tuple[Done, str]:
    chosen = [test_claims.PASSAGES[(first_passage + at) % len(test_claims.PASSAGES)] for at in range(PASSAGES)]
    given = tuple(source_of(passage) for passage in chosen)
    request = AnswerRequest(
        model,
        turns,
        Settings(context_tokens=CONTEXT_TOKENS),
        choices_in_force(model, Choices(temperature=0, max_tokens=16, seed=1)),
        retrieval=RetrievalRequest(Path(), (), turns, given, given),
    )
    outcome, text = asking.ask(engine, request)
    return outcome.done, text


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", nargs="?", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    keep = core_application()
    with tempfile.TemporaryDirectory() as folder:
        model = local_models.describe(options.model or starter.assemble(starter.card(), Path(folder)))
        engine = EngineClient(child_commands.engine(), Path(folder) / "engine.log")
        try:
            measure(engine, model, options.pairs)
        finally:
            engine.shut_down()
    del keep
    marked = sum(test_claims.is_marked(at, answer) for at, answer in test_claims.RIGHT)
    seen = sum(test_claims.is_marked(at, answer) for at, _, answer in test_claims.WRONG)
    print(f"claim check: of {len(test_claims.WRONG)} answers with one seeded error {seen} marked,")
    print(f"             of {len(test_claims.RIGHT)} right ones {marked}")


def measure(engine: EngineClient, model: LocalModel, pairs: int) -> None:
    first_question, second_question = QUESTIONS
    alone, following = [], []
    ask(engine, model, 20, (Turn("準備"),))  # the load and its warming up
    print("tokens  first s  second s  ratio  follow-up s  ratio")
    for pair in range(pairs):
        start = pair * PASSAGES
        first, answer = ask(engine, model, start, (Turn(first_question),))
        second, _ = ask(engine, model, start, (Turn(second_question),))
        third, _ = ask(engine, model, start, (Turn(first_question, answer), Turn(second_question)))
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
