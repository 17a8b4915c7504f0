"""Run the remote engine: it handles the engine's commands and events with a model on another machine.

The command line names the only address that the process may contact, before it has read anything. With `--check` it
reads one line with a key, reports which models the server has, and ends.

Answers are server-sent events, one piece of text each, read with limits. A remote model has no adapters, grammars or
vectors. Only the sampling parameters that every such server understands are sent: temperature, top_p, seed and the
number of tokens; the server chooses the rest.
"""

import base64
import dataclasses
import http.client
import json
import secrets
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from app.base import json_lines
from app.base.errors import AppError
from app.base.isolation import network_guard, sandbox
from app.inference import local_model, prompts
from app.inference.engine import messages
from app.inference.engine.backend import Cancellation, Emit, NextAsk
from app.inference.engine.messages import Ask, EngineFacts, Failed, Load, Thought, Token
from app.inference.engine.worker import EngineWorker
from app.inference.memory_estimate import PICTURE_TOKENS_MOST
from app.inference.remote import model_server
from app.inference.remote.model_server import RemoteServer, ResponseDeadline, TokenCounter
from app.inference.thoughts import ThoughtStream
from trainer.wire import claim_stdout, ends_process

LINE_BYTES_MAX = 1_000_000
CHARACTERS_A_TOKEN = 64  # limit for the length of an answer, times the requested tokens
LEAST_CHARACTERS_MAX = 20_000


@dataclass(slots=True)
class StreamSummary:
    """Collects the facts that a stream reports besides its text. `finish`: the server's reason; "" before the end."""

    finish: str = ""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    answer_tokens: int = 0
    pieces: int = 0  # with text; most servers send one a token
    thought_pieces: int = 0
    thought_s: float = 0.0

    def limit_reached(self, command: Ask) -> str:
        """Return the reason to end before another piece; "": none."""
        if self.pieces - self.thought_pieces >= command.max_tokens:
            return "enough"
        is_thinking = self.thought_pieces == self.pieces
        return "thoughts" if is_thinking and self.thought_pieces >= command.thought_tokens > 0 else ""


def read_answer(
    response: http.client.HTTPResponse,
    summary: StreamSummary,
    max_tokens: int,
    deadline: ResponseDeadline,
    server_label: str,
) -> Iterator[tuple[str, str]]:
    """Yield the thought and the text of each event; "" for what it lacks.

    Raises AppError: remote_garbage, remote_endless, remote_broken if it ends too early, and the codes
    of `model_server.refusal_error` for an error that the server reports in the stream.
    """
    characters_left = max(LEAST_CHARACTERS_MAX, max_tokens * CHARACTERS_A_TOKEN)
    for data in _events(response, server_label):
        if data is None:  # a comment or an empty line, which servers send to keep the connection open
            continue
        deadline.note_piece()
        if data == "[DONE]":
            break
        thought, text = _pieces(_object(data, server_label), summary, server_label)
        characters_left -= len(thought) + len(text) + 1
        if characters_left < 0:
            raise AppError("remote_endless", address=server_label)
        yield thought, text
    if not summary.finish:
        raise AppError("remote_broken", address=server_label)


def _events(response: http.client.HTTPResponse, server_label: str) -> Iterator[str | None]:
    if "event-stream" not in response.headers.get("Content-Type", "").casefold():
        raise AppError("remote_garbage", address=server_label)
    while line := response.readline(LINE_BYTES_MAX + 1):
        if len(line) > LINE_BYTES_MAX:
            raise AppError("remote_endless", address=server_label)
        name, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(":")
        if name == "error":  # older versions of llama-server
            raise model_server.refusal_error(0, model_server.error_fields(_object(value, server_label)), server_label)
        yield value.strip() if name == "data" else None


def _object(data: str, server_label: str) -> dict[str, Any]:
    try:
        return json_lines.decode_object(data.encode())
    except ValueError as error:
        raise AppError("remote_garbage", address=server_label) from error


def _pieces(chunk: dict[str, Any], summary: StreamSummary, server_label: str) -> tuple[str, str]:
    if "error" in chunk:
        raise model_server.refusal_error(0, model_server.error_fields(chunk), server_label)
    _record_usage(chunk.get("usage"), summary)
    choices = chunk.get("choices")
    if not isinstance(choices, list):
        raise AppError("remote_garbage", address=server_label)
    first = choices[0] if choices else {}
    if not isinstance(first, dict):
        raise AppError("remote_garbage", address=server_label)
    if isinstance(first.get("finish_reason"), str):
        summary.finish = first["finish_reason"]
    delta = first.get("delta")
    delta = delta if isinstance(delta, dict) else {}
    thought = delta.get("reasoning_content") or delta.get("reasoning") or ""  # llama-server, vLLM; newer vLLM, Ollama
    text = delta.get("content") or ""
    if not isinstance(text, str) or not isinstance(thought, str):
        raise AppError("remote_garbage", address=server_label)
    return thought, text


def _record_usage(usage: object, summary: StreamSummary) -> None:
    if not isinstance(usage, dict):
        return
    details = usage.get("prompt_tokens_details")
    summary.prompt_tokens = _count(usage.get("prompt_tokens"))
    summary.answer_tokens = _count(usage.get("completion_tokens"))
    summary.cached_tokens = _count(details.get("cached_tokens")) if isinstance(details, dict) else 0


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 else 0


QUIET_S = 300.0  # longest silence, while a server reads a long prompt or serves others, and between two pieces
WHOLE_S = 3600.0
POLL_S = 0.05  # how often another question is looked for while answers are written
LEAST_ANSWER_TOKENS = 64  # requested even if an estimate says that none would fit
_STOP_REASONS = {
    "enough": "length",
    "stop": "end",
    "length": "length",
    "thoughts": "thoughts",
}  # server's reason -> ours; anything else counts as end


class RemoteBackend:
    """Implements the engine's backend interface with a model on another machine."""

    name = "remote"

    def __init__(self, address: str) -> None:
        """Prepare the backend. `address`: normalized, of the only server that this process may contact."""
        self.progress = 0
        self._address = address
        self._server: RemoteServer | None = None
        self._facts: EngineFacts | None = None
        self._counter: TokenCounter | None = None
        self._model = ""
        self._parallel = 1
        self._is_thinking_model = False  # as an answer has shown
        self._knows_limit = False  # True: the server reports its context length, and so a long prompt

    def load(self, command: Load, cancellation: Cancellation, emit: Emit) -> EngineFacts:
        remote, started = command.remote, time.monotonic()
        self.unload()
        if remote is None or remote.address != self._address:
            raise AppError("remote_bad_address", address=local_model.address_label(self._address))
        server = RemoteServer(self._address, command.key)
        server.resolve_host()
        offered = next((model for model in model_server.list_models(server) if model.name == remote.model), None)
        if offered is None:
            raise AppError("remote_model_unknown", address=server.label, model=remote.model)
        emit(messages.LoadProgress(command.id, 0.5))
        if cancellation.is_set:
            raise AppError("cancelled")
        told = offered if offered.context_tokens else model_server.with_props(server, offered)
        context_tokens = told.context_tokens
        context = min((n for n in (context_tokens, remote.context_tokens) if n), default=command.context_tokens)
        self._server, self._model, self._knows_limit = server, remote.model, bool(context_tokens)
        self._is_thinking_model = False
        self._counter = TokenCounter(server, remote.model)
        self._parallel = command.parallel
        self._facts = EngineFacts(
            path=command.path,
            context_tokens=context,
            trained_context_tokens=context,
            resident_bytes=sandbox.resident_bytes(),
            load_s=time.monotonic() - started,
            remote=server.label,
        )
        return self._facts

    def unload(self) -> None:
        self._server = self._facts = self._counter = None

    def answer(self, first: Ask, next_ask: NextAsk, cancellation: Cancellation, emit: Emit) -> None:
        """Answer prompts, as many at a time as the model was loaded for, each with a request of its own."""

        def request(ask: Ask) -> None:
            try:
                emit(self._request_answer(ask, lambda: cancellation.has(ask.id), emit))
            except AppError as error:
                emit(Failed(ask.id, error.code, error.facts))

        with ThreadPoolExecutor(self._parallel) as pool:
            running = {pool.submit(request, first)}
            while running:
                while len(running) < self._parallel and (ask := next_ask()) is not None:
                    running.add(pool.submit(request, ask))
                ended, running = wait(running, POLL_S if self._parallel > 1 else None, FIRST_COMPLETED)
                for one in ended:
                    one.result()

    def _request_answer(self, command: Ask, is_cancelled: Callable[[], bool], emit: Emit) -> messages.Done:
        server, facts, counter = self._require_model()
        if command.adapters or command.grammar or command.json_schema:
            raise AppError("remote_cannot", address=server.label)
        prompt_tokens = self._count(command.prompt)
        is_known = counter.is_exact or not self._knows_limit
        if is_known and prompt_tokens >= facts.context_tokens:
            raise AppError("context_full", prompt_tokens=prompt_tokens, context_tokens=facts.context_tokens)
        tokens_left = facts.context_tokens - prompt_tokens
        # A server counts thoughts and answer as one; the first answer shows whether its model thinks.
        wanted = command.max_tokens + (command.thought_tokens if self._is_thinking_model else 0)
        max_tokens = min(wanted, max(tokens_left, 1 if counter.is_exact else LEAST_ANSWER_TOKENS))
        seed = secrets.randbits(31) if command.sampling.seed is None else command.sampling.seed
        emit(messages.PromptProgress(command.id, 0, prompt_tokens))
        body = _body(command, self._model, max_tokens, seed) | _thinking_fields(command.thinks, counter)
        summary = StreamSummary()
        try:
            timings = self._stream(command, body, summary, is_cancelled, emit)
        except AppError as error:
            if error.code == "remote_broken" and not summary.pieces and not self._knows_limit:
                raise AppError("remote_broken_early", **error.facts) from error  # llama_cpp.server, on a long prompt
            raise _with_facts(error, self._model, prompt_tokens, facts.context_tokens) from error
        reason = "cancelled" if is_cancelled() else _STOP_REASONS.get(summary.finish, "end")
        if summary.finish == "length" and summary.thought_pieces == summary.pieces > 0:
            reason = "thoughts"
        if summary.finish == "length" and max_tokens < wanted:
            reason = "context"
        usage = messages.Usage(
            summary.prompt_tokens or prompt_tokens,
            summary.cached_tokens,
            summary.answer_tokens or summary.pieces,
            summary.thought_pieces,
        )
        return messages.Done(command.id, reason, usage, timings, seed)

    def embed(self, command: messages.Embed) -> tuple[tuple[float, ...], ...]:  # noqa: ARG002 (as of Backend)
        raise AppError("remote_cannot", address=local_model.address_label(self._address))

    def rank(self, command: messages.Rank) -> messages.Ranked:  # noqa: ARG002 (as of Backend)
        raise AppError("remote_cannot", address=local_model.address_label(self._address))

    def tokenize(self, command: messages.Tokenize) -> tuple[int, ...]:
        self._require_model()
        shown = len(command.pictures) * PICTURE_TOKENS_MOST  # the server decides how many it really takes
        return tuple(self._count(prompt) + (0 if at else shown) for at, prompt in enumerate(command.prompts))

    def settle(self) -> None:
        pass

    def _require_model(self) -> tuple[RemoteServer, EngineFacts, TokenCounter]:
        if self._server is None or self._facts is None or self._counter is None:
            raise AppError("no_model_loaded")
        return self._server, self._facts, self._counter

    def _count(self, prompt: tuple[prompts.Segment, ...]) -> int:
        _, _, counter = self._require_model()
        self.progress += 1
        texts = [message["content"] for message in prompts.to_messages(prompt)]
        return prompts.estimate_framing_tokens(prompt) + counter.count("\n".join(texts))

    def _stream(
        self,
        command: Ask,
        body: dict[str, Any],
        summary: StreamSummary,
        is_cancelled: Callable[[], bool],
        emit: Emit,
    ) -> messages.Timings:
        """Stream an answer, filling `summary`."""
        server, _, _ = self._require_model()
        deadline = ResponseDeadline(QUIET_S, WHOLE_S)
        first = started = time.monotonic()
        stream = ThoughtStream()

        def emit_pieces(found: Iterable[tuple[str, bool]]) -> None:
            for piece, is_thought in found:
                emit((Thought if is_thought else Token)(command.id, piece))

        try:
            with server.stream("/chat/completions", body, deadline, is_cancelled) as response:
                for thought, text in read_answer(response, summary, body["max_tokens"], deadline, server.label):
                    if is_cancelled():
                        break
                    self.progress += 1
                    if not thought and not text:
                        continue
                    if self._is_thinking_model and (reason := summary.limit_reached(command)):
                        summary.finish = reason
                        break
                    first = first if summary.pieces else time.monotonic()
                    summary.pieces += 1
                    emit_pieces([(thought, True)] if thought else stream.push(text))
                    if thought or stream.is_thinking:
                        summary.thought_pieces += 1
                        self._is_thinking_model = True
                        summary.thought_s = time.monotonic() - first
                emit_pieces(stream.flush())
        except AppError:
            if not is_cancelled():  # otherwise our closing of the connection caused it
                raise
        ended = time.monotonic()
        first = first if summary.pieces else ended
        return messages.Timings(first - started, first - started, ended - first, ended - first, 0, summary.thought_s)


def _body(command: Ask, model: str, max_tokens: int, seed: int) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [*prompts.to_messages(command.prompt)]
    question = next((one for one in reversed(messages) if one["role"] == "user"), None)
    if command.pictures and question is not None:
        shown = ({"type": "image_url", "image_url": {"url": _data_url(one)}} for one in command.pictures)
        question["content"] = [*shown, {"type": "text", "text": question["content"]}]
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": max_tokens,
        "temperature": command.sampling.temperature,
        "top_p": command.sampling.top_p,
        "seed": seed,
    }
    return body | ({"stop": list(command.stop)} if command.stop else {})


def _data_url(picture: messages.Picture) -> str:
    """Return a picture as a PNG file in an address that holds it."""
    rows, stride = zlib.decompress(base64.b64decode(picture.rgb)), 3 * picture.width
    lines = b"".join(b"\0" + rows[start : start + stride] for start in range(0, len(rows), stride))  # 0: no filter
    head = struct.pack(">IIBBBBB", picture.width, picture.height, 8, 2, 0, 0, 0)  # 8 bits a colour, RGB
    file = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(lines)), (b"IEND", b"")):
        file += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return f"data:image/png;base64,{base64.b64encode(file).decode('ascii')}"


def _thinking_fields(thinks: bool | None, counter: TokenCounter) -> dict[str, Any]:
    """Return what tells a server to think or not; {} for None.

    llama-server and vLLM, which count tokens, hand the names of Qwen and of DeepSeek and Granite to the chat template;
    Ollama has only efforts, of which vLLM refuses "none" in older versions.
    """
    if thinks is None:
        return {}
    if counter.is_exact:
        return {"chat_template_kwargs": {"enable_thinking": thinks, "thinking": thinks}}
    return {"reasoning_effort": "medium" if thinks else "none"}


def _with_facts(error: AppError, model: str, prompt_tokens: int, context_tokens: int) -> AppError:
    """Return the server's error with the facts for its message: the model's name, or the numbers of tokens.

    "remote_too_long" becomes "context_full".
    """
    if error.code == "remote_too_long":  # the server may count more than our estimate
        needed = max(prompt_tokens, context_tokens + 1)
        return AppError("context_full", prompt_tokens=needed, context_tokens=context_tokens)
    return AppError(error.code, **{**error.facts, "model": model}) if "model" in error.facts else error


def guard(arguments: Sequence[str]) -> None:
    """Block network access to all addresses but one; call this before anything else in the process.

    `arguments`: the allowed address, then optionally --check. Raises AppError("remote_bad_address").
    """
    place = local_model.parse_address(local_model.normalize_address(arguments[0]))
    network_guard.enforce_offline((place.host, place.port))


@ends_process
def main(arguments: Sequence[str]) -> None:
    """Run until standard input closes, then end the process. `arguments`: the address, then optionally --check."""
    writer = claim_stdout()
    address = local_model.normalize_address(arguments[0])
    if arguments[1:2] == ["--check"]:
        writer.send(_check_server(address, sys.stdin.buffer.readline()))
    else:
        EngineWorker(RemoteBackend(address), writer).run()


def _check_server(address: str, line: bytes) -> dict[str, object]:
    """Return the server's models as {"models": [...]}, or {"error": code, "facts": {...}}.

    `line`: JSON with the "key" of the server; b"": none.
    """
    try:
        server = RemoteServer(address, str(json.loads(line or b"{}").get("key", "")))
        server.resolve_host()
        found = model_server.list_models(server)
        if len(found) == 1:
            found = [model_server.with_props(server, found[0])]
    except AppError as error:
        return {"error": error.code, "facts": error.facts}
    return {"models": [dataclasses.asdict(entry) for entry in found]}
