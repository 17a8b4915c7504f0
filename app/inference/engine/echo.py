"""Implement a fake engine for tests, which answers with the question itself, one character per token.

Words in the question make it misbehave: `!crash` aborts the process, `!hang` stops it, `!garbage` writes a line that is
not JSON, `!slow` takes a tenth of a second per token, `!memory` raises an expected error. `!say TEXT` anywhere in the
prompt makes it answer TEXT, up to the end of that line, instead; the last one counts. So a test can place the answer in
the text that the model is to read.
"""

import os
import re
import signal
import sys
import time
from pathlib import Path

from app.base.errors import AppError
from app.base.isolation import sandbox
from app.inference import thoughts
from app.inference.engine import messages
from app.inference.engine.backend import Cancellation, Emit, NextAsk
from app.inference.engine.messages import Ask, EngineFacts, Load, Thought, Token
from app.inference.prompts import common_length

TOKEN_S = 0.002
_SAY = re.compile(r"!say(?: (.*)|$)", re.MULTILINE)


class EchoBackend:
    name = "echo"

    def __init__(self) -> None:
        self.progress = 0
        self._facts: EngineFacts | None = None
        self._cached: list[str] = []

    def load(self, command: Load, cancellation: Cancellation, emit: Emit) -> EngineFacts:
        started = time.monotonic()
        if not Path(command.path).is_file():
            raise AppError("model_missing", path=command.path)
        for step in range(1, 4):
            if cancellation.is_set:
                raise AppError("cancelled")
            emit(messages.LoadProgress(command.id, step / 3))
            time.sleep(TOKEN_S)
        self._cached = []
        self._facts = _facts(command, time.monotonic() - started)
        return self._facts

    def unload(self) -> None:
        self._facts = None

    def answer(self, first: Ask, next_ask: NextAsk, cancellation: Cancellation, emit: Emit) -> None:  # noqa: ARG002
        """Answer one question; others wait."""
        command = first
        facts = self._require_model()
        prompt = list("".join(segment.text for segment in command.prompt))
        if len(prompt) + 1 > facts.context_tokens:
            raise AppError("context_full", prompt_tokens=len(prompt), context_tokens=facts.context_tokens)
        question = command.prompt[-2].text if len(command.prompt) > 1 else command.prompt[0].text
        _misbehave(question)
        cached = common_length(self._cached, prompt)
        emit(messages.PromptProgress(command.id, len(prompt) - cached, len(prompt) - cached))
        started = time.monotonic()
        scripted = _SAY.findall("".join(prompt))
        token_s = 0.1 if "!slow" in question else TOKEN_S
        answer, thought_tokens, reason = self._stream(
            command, scripted[-1] if scripted else question, token_s, cancellation, emit
        )
        elapsed = time.monotonic() - started
        self._cached = prompt + list(answer)
        timings = messages.Timings(0.0, TOKEN_S, elapsed, elapsed, facts.threads)
        emit(
            messages.Done(
                command.id,
                reason,
                messages.Usage(len(prompt), cached, len(answer), thought_tokens),
                timings,
                command.sampling.seed or 1,
            )
        )

    def embed(self, command: messages.Embed) -> tuple[tuple[float, ...], ...]:
        self._require_model()
        return tuple((1.0, 0.0) if len(text) % 2 else (0.0, 1.0) for text in command.texts)

    def rank(self, command: messages.Rank) -> messages.Ranked:
        self._require_model()
        return messages.Ranked(command.id, tuple(float(len(passage)) for passage in command.passages), TOKEN_S)

    def tokenize(self, command: messages.Tokenize) -> tuple[int, ...]:
        self._require_model()
        return tuple(sum(len(segment.text) for segment in prompt) for prompt in command.prompts)

    def settle(self) -> None:
        pass

    def _require_model(self) -> EngineFacts:
        if self._facts is None:
            raise AppError("no_model_loaded")
        return self._facts

    def _stream(
        self, command: Ask, answer: str, token_s: float, cancellation: Cancellation, emit: Emit
    ) -> tuple[str, int, str]:
        text, shown, thought_tokens, stream = "", "", 0, thoughts.ThoughtStream(thoughts.begins_open(command.prompt))
        for character in answer:
            if cancellation.is_set:
                return text, thought_tokens, "cancelled"
            if len(shown) >= command.max_tokens:
                return text, thought_tokens, "length"
            if thought_tokens >= command.thought_tokens:
                return text, thought_tokens, "thoughts"
            time.sleep(token_s)
            text += character
            self.progress += 1
            for piece, is_thought in stream.push(character):
                emit((Thought if is_thought else Token)(command.id, piece))
                shown += "" if is_thought else piece
            thought_tokens += stream.is_thinking
            if text.endswith("!crash"):
                os.abort()
        for piece, is_thought in stream.flush():
            emit((Thought if is_thought else Token)(command.id, piece))
        return text, thought_tokens, "end"


def _misbehave(question: str) -> None:
    if "!hang" in question:
        os.kill(os.getpid(), signal.SIGSTOP)
    if "!garbage" in question:
        # Not through the claimed descriptor: a stray copy of the pipe would write to the parent the same way.
        for descriptor in range(3, 16):
            try:
                os.write(descriptor, b"\xff not json\n")
            except OSError:
                print(f"echo: no pipe at {descriptor}", file=sys.stderr)  # noqa: T201
    if "!memory" in question:
        raise AppError("out_of_memory")


def _facts(command: Load, load_s: float) -> EngineFacts:
    return EngineFacts(
        path=command.path,
        architecture="echo",
        weights_bytes=Path(command.path).stat().st_size,
        context_tokens=command.context_tokens or 4096,
        trained_context_tokens=32768,
        batch_tokens=command.batch_tokens,
        threads=command.threads or 1,
        repack=command.repack,
        kv_type=command.kv_type,
        gpu_reason="no_backend",
        backend="CPU",
        embedding_dimensions=2,
        end_text="</s>",
        resident_bytes=sandbox.resident_bytes(),
        load_s=load_s,
    )
