"""The trial model's answers to the questions that were kept back, without its adapter and with it.

    python -m tests.benchmarks.starter_answers [--penalty P]... [--out FILE]

Both as the program asks them: greedy, at most 200 tokens, in their own form, passages in the system message. A row that
has passages is held against them as the program does it: every sentence found in its source, and cited. A row whose
passages do not have the answer is right when the model says so. `numbers`: answers that have every quantity of the
answer that was written for them, among those that have one. `penalty`: of repetition, of the answers with the adapter;
the card's where none is given.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.cli.loop import core_application
from app.base.settings import Settings
from app.chat.presets import Choices
from app.chat.services.answer_run import AnswerRequest, choices_in_force
from app.documents.grounding import answer_markup, claims
from app.documents.values import quantities
from app.inference import child_commands, scoring_files
from app.inference.engine.messages import AdapterUse
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.inference.services.engine import EngineClient
from app.models import local_models, starter
from tests.benchmarks import asking
from tests.dev_scripts import load_scripts

(starter_adapter,) = load_scripts("starter_adapter")

TOKENS = 200
SETTINGS = Settings(context_tokens=2048)


@dataclass(frozen=True, slots=True)
class Answered:
    row: dict[str, Any]
    text: str
    ended_by: str
    seconds: float

    @property
    def is_right(self) -> bool:
        """Of a row with passages."""
        passages = starter_adapter.passages(self.row["passages"])
        found = claims.check(self.text, passages, self.row["question"])
        if self.row["kind"] == "abstain":
            return claims.states_not_found(self.text, found)
        return bool(found) and all(claim.is_supported and claim.sources for claim in found) and self.cites

    @property
    def cites(self) -> bool:
        return answer_markup.CITED_MARK.search(self.text) is not None

    @property
    def has_numbers(self) -> bool | None:
        wanted, have = (
            quantities.parse(answer_markup.CITED_MARK.sub("", text)) for text in (self.row_answer, self.text)
        )
        return all(any(one.is_same(other) for other in have) for one in wanted) if wanted else None

    @property
    def row_answer(self) -> str:
        return str(self.row["turns"][-1][1] if "turns" in self.row else self.row["answer"])

    def as_dict(self) -> dict[str, Any]:
        question = self.row["turns"][-1][0] if "turns" in self.row else self.row["question"]
        told = {"kind": self.row["kind"], "question": question, "written": self.row_answer, "answer": self.text}
        return {**told, "ended_by": self.ended_by}


def rows() -> Iterator[dict[str, Any]]:
    for path in starter_adapter.files():
        if path.stem.endswith(starter_adapter.HOLDOUT):
            yield from map(json.loads, path.read_text("utf-8").splitlines())


def ask(engine: EngineClient, model: LocalModel, row: dict[str, Any], *, penalty: float | None, bare: bool) -> Answered:
    messages = starter_adapter.messages(row)
    system = messages[0].text if messages[0].role == "system" else ""
    spoken = [message.text for message in messages if message.role != "system"]
    turns = (*(Turn(*pair) for pair in zip(spoken[:-2:2], spoken[1:-2:2], strict=True)), Turn(spoken[-2]))
    own = Choices(temperature=0, max_tokens=TOKENS, seed=1, system_prompt=system, repeat_penalty=penalty)
    adapters: tuple[AdapterUse, ...] | None = () if bare else None
    request = AnswerRequest(model, turns, SETTINGS, choices_in_force(model, own), adapters)
    outcome, text = asking.ask(engine, request)
    return Answered(row, text.strip(), outcome.done.stop_reason, outcome.total_s)


def show(name: str, answers: Sequence[Answered]) -> None:
    print(f"\n{name}: {len(answers)} answers")
    kinds = list(dict.fromkeys(one.row["kind"] for one in answers))
    for kind in (*kinds, ""):
        those = [one for one in answers if kind in ("", one.row["kind"])]
        numbers = [one.has_numbers for one in those if one.has_numbers is not None]
        with_passages = [one for one in those if "passages" in one.row]
        parts = [
            f"ended by itself {sum(one.ended_by == 'end' for one in those):>2}",
            f"looping {sum(scoring_files.is_looping(one.text) for one in those):>2}",
            f"numbers {sum(numbers):>2} of {len(numbers):>2}",
            f"{sum(one.seconds for one in those) / len(those):.2f} s a question",
        ]
        if with_passages:
            right = sum(one.is_right for one in with_passages)
            parts.insert(2, f"right {right:>2} of {len(with_passages):>2} with passages")
        print(f"  {kind or 'all':<9}{len(those):>3}: " + ", ".join(parts))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--penalty", type=float, action="append", default=[])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    keep = core_application()
    written: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        model = local_models.describe(starter.assemble(starter.card(), Path(folder)))
        engine = EngineClient(child_commands.engine(), Path(folder) / "engine.log")
        tuned = [(f"adapter, penalty {p or 'of the card'}", p, False) for p in options.penalty or [None]]
        try:
            for name, penalty, bare in [("base", None, True), *tuned]:
                answers = [ask(engine, model, row, penalty=penalty, bare=bare) for row in rows()]
                show(name, answers)
                written += [{"run": name, **one.as_dict()} for one in answers]
        finally:
            engine.shut_down()
    if options.out:
        options.out.write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in written) + "\n", "utf-8")
    del keep


if __name__ == "__main__":
    main()
