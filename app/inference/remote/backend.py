"""A model of another machine behind the same commands and events as one of this machine.

It has no adapters, no grammar and no vectors. Of the sampling, what every such server understands is sent:
temperature, top_p, seed and the number of tokens; the rest is the server's own.
"""

import secrets
import time
from typing import Any

import psutil

from app.base.errors import AppError
from app.inference import remote_address, remote_prompt
from app.inference.engine.backend import Cancellation, Emit, no_model
from app.inference.engine.messages import (
    Ask,
    Done,
    Embed,
    EngineFacts,
    Load,
    LoadProgress,
    PromptProgress,
    StateReport,
    Timings,
    Token,
    Tokenize,
    Usage,
)
from app.inference.prompt import Segment
from app.inference.remote import answer_stream, server_facts
from app.inference.remote.answer_stream import Heard
from app.inference.remote.connection import Patience, Server
from app.inference.remote.server_facts import Counter

QUIET_S = 300.0  # for a server that reads a long prompt, or has others before us, and between two pieces
WHOLE_S = 3600.0
LEAST_ANSWER_TOKENS = 64  # are asked for where an estimate says that none would fit
_STOP_REASONS = {"stop": "end", "length": "length"}  # the server's word -> ours; others end by themselves


class RemoteBackend:
    name = "remote"

    def __init__(self, address: str) -> None:
        """`address`: a normal one, of the only server that this process may speak to."""
        self.progress = 0
        self._address = address
        self._server: Server | None = None
        self._facts: EngineFacts | None = None
        self._counter: Counter | None = None
        self._model = ""
        self._is_limit_told = False  # the server knows how much fits, and says so when it does not

    def load(self, command: Load, cancellation: Cancellation, emit: Emit) -> EngineFacts:
        remote, started = command.remote, time.monotonic()
        self.unload()
        if remote is None or remote.address != self._address:
            raise AppError("remote_bad_address", address=remote_address.shown(self._address))
        server = Server(self._address, command.key)
        server.look_up()
        offered = next((one for one in server_facts.models(server) if one.name == remote.model), None)
        if offered is None:
            raise AppError("remote_model_unknown", address=server.shown, model=remote.model)
        emit(LoadProgress(command.id, 0.5))
        if cancellation.is_set:
            raise AppError("cancelled")
        told = server_facts.context_of(server, offered)
        context = min((n for n in (told, remote.context_tokens) if n), default=command.context_tokens)
        self._server, self._model, self._is_limit_told = server, remote.model, bool(told)
        self._counter = Counter(server, remote.model)
        self._facts = _facts(command, server.shown, context, time.monotonic() - started)
        return self._facts

    def unload(self) -> None:
        self._server = self._facts = self._counter = None

    def ask(self, command: Ask, cancellation: Cancellation, emit: Emit) -> Done:
        server, facts, counter = self._loaded()
        if command.adapters or command.grammar or command.json_schema:
            raise AppError("remote_cannot", address=server.shown)
        prompt_tokens = self._count(command.prompt)
        is_known = counter.is_exact or not self._is_limit_told
        if is_known and prompt_tokens >= facts.context_tokens:
            raise AppError("context_full", prompt_tokens=prompt_tokens, context_tokens=facts.context_tokens)
        room = facts.context_tokens - prompt_tokens
        max_tokens = min(command.max_tokens, max(room, 1 if counter.is_exact else LEAST_ANSWER_TOKENS))
        seed = secrets.randbits(31) if command.sampling.seed is None else command.sampling.seed
        emit(PromptProgress(command.id, 0, prompt_tokens))
        body = _body(command, self._model, max_tokens, seed)
        heard = Heard()
        try:
            timings, is_cancelled = self._stream(command.id, body, heard, cancellation, emit)
        except AppError as error:
            if error.code == "remote_broken" and not heard.pieces and not self._is_limit_told:
                raise AppError("remote_broken_early", **error.facts) from error  # llama_cpp.server, of a long prompt
            raise _with_facts(error, self._model, prompt_tokens, facts.context_tokens) from error
        reason = "cancelled" if is_cancelled else _STOP_REASONS.get(heard.finish, "end")
        if reason == "length" and max_tokens < command.max_tokens:
            reason = "context"
        usage = Usage(heard.prompt_tokens or prompt_tokens, heard.cached_tokens, heard.answer_tokens or heard.pieces)
        return Done(command.id, reason, usage, timings, seed)

    def embed(self, command: Embed) -> tuple[tuple[float, ...], ...]:  # noqa: ARG002 (as of Backend)
        raise AppError("remote_cannot", address=remote_address.shown(self._address))

    def tokenize(self, command: Tokenize) -> tuple[int, ...]:
        self._loaded()
        return tuple(self._count(prompt) for prompt in command.prompts)

    def state(self, command_id: str) -> StateReport:
        return StateReport(command_id, self._facts, 0, 0, psutil.Process().memory_info().rss)

    # ------------------------------------------------------------------- private

    def _loaded(self) -> tuple[Server, EngineFacts, Counter]:
        if self._server is None or self._facts is None or self._counter is None:
            raise no_model()
        return self._server, self._facts, self._counter

    def _count(self, prompt: tuple[Segment, ...]) -> int:
        _, _, counter = self._loaded()
        self.progress += 1
        texts = [message["content"] for message in remote_prompt.messages(prompt)]
        return remote_prompt.framing_tokens(prompt) + counter.count("\n".join(texts))

    def _stream(
        self, command_id: str, body: dict[str, Any], heard: Heard, cancellation: Cancellation, emit: Emit
    ) -> tuple[Timings, bool]:
        """How long it took, and whether it was cancelled. `heard` is filled."""
        server, _, _ = self._loaded()
        patience = Patience(QUIET_S, WHOLE_S)
        first = started = time.monotonic()
        try:
            with server.stream("/chat/completions", body, patience, cancellation) as response:
                for text in answer_stream.read(response, heard, body["max_tokens"], patience, server.shown):
                    if cancellation.is_set:
                        break
                    self.progress += 1
                    if text:
                        first = time.monotonic() if heard.pieces == 1 else first
                        emit(Token(command_id, text))
        except AppError:
            if not cancellation.is_set:  # else it is us who have gone
                raise
        ended = time.monotonic()
        first = first if heard.pieces else ended
        return Timings(first - started, first - started, ended - first, ended - first, 0), cancellation.is_set


def _body(command: Ask, model: str, max_tokens: int, seed: int) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "messages": remote_prompt.messages(command.prompt),
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": max_tokens,
        "temperature": command.sampling.temperature,
        "top_p": command.sampling.top_p,
        "seed": seed,
    }
    return body | ({"stop": list(command.stop)} if command.stop else {})


def _with_facts(error: AppError, model: str, prompt_tokens: int, context_tokens: int) -> AppError:
    """What the reader of a refusal does not know."""
    if error.code == "remote_too_long":  # an estimate may have been lower than what the server counts
        needed = max(prompt_tokens, context_tokens + 1)
        return AppError("context_full", prompt_tokens=needed, context_tokens=context_tokens)
    return AppError(error.code, **{**error.facts, "model": model}) if "model" in error.facts else error


def _facts(command: Load, shown: str, context: int, load_s: float) -> EngineFacts:
    return EngineFacts(
        path=command.path,
        architecture="",
        parameters=0,
        weights_bytes=0,
        context_tokens=context,
        trained_context_tokens=context,
        batch_tokens=0,
        threads=0,
        repack=False,
        kv_type="",
        kv_bytes=0,
        compute_bytes=0,
        flash_attention=False,
        gpu_layers=0,
        total_layers=0,
        gpu_reason="",
        backend="",
        embedding_dimensions=0,
        end_text="",
        resident_bytes=psutil.Process().memory_info().rss,
        load_s=load_s,
        warm_up_s=0.0,
        remote=shown,
    )
