"""One question to a model as the program asks it, waited for."""

from app.base.cli.loop import CommandEventLoop
from app.base.errors import AppError
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, AnswerRun
from app.inference.services.engine import EngineClient


def ask(engine: EngineClient, request: AnswerRequest) -> tuple[AnswerOutcome, str]:
    """The outcome and the answer. Raises what it failed with."""
    run = AnswerRun(engine, request)
    waiting = CommandEventLoop(run.stop)
    outcomes: list[AnswerOutcome] = []
    failures: list[AppError] = []
    pieces: list[str] = []
    run.text_received.connect(pieces.append)
    run.finished.connect(lambda outcome: (outcomes.append(outcome), waiting.stop()))
    run.failed.connect(lambda error: (failures.append(error), waiting.stop()))
    run.start()
    waiting.run()
    if failures:
        raise failures[0]
    return outcomes[0], "".join(pieces)
