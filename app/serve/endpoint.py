"""Answer OpenAI's paths: models, chat/completions, completions, responses and embeddings; and /health."""

import asyncio
import base64
import json
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from app.base.confidentiality import Permit
from app.chat.services.answer_run import AnswerOutcome
from app.inference.engine.messages import Thought
from app.serve import answer_forms, completion_request
from app.serve.answer_forms import AnswerForm, ChatCompletion, Event, ResponseForm, TextCompletion
from app.serve.completion_request import CompletionRequest, HttpError, http_error
from app.serve.request_queue import CompletionJob, RequestQueue
from app.serve.served_models import MODEL_ID, ServedModel, ServedModels
from app.serve.server import read_body

KEEP_ALIVE_S = 15.0  # the interval of comments in a stream, because processing a long prompt may take minutes
QUESTION_CHARACTERS = 20_000  # the limit of a question about documents, because all its words are searched for
EMBEDDING_ID = f"{MODEL_ID}-embedding"
TEXTS_MOST = 2048  # of one request for embeddings
TEXTS_AT_ONCE = 16  # after which a client that has gone is noticed


class Endpoint:
    """The functions that answer requests, by path. `model_name`: that of the loaded model, for /health."""

    def __init__(self, requests: RequestQueue, served_models: ServedModels, model_name: str) -> None:
        self._requests = requests
        self._served_models = served_models
        self._model_name = model_name
        self._started = int(time.time())

    @property
    def routes(self) -> list[Route]:
        answering = (
            ("/v1/chat/completions", completion_request.parse_chat, ChatCompletion),
            ("/v1/completions", completion_request.parse_text, TextCompletion),
            ("/v1/responses", completion_request.parse_response, ResponseForm),
        )
        return [
            Route("/v1/models", self._models),
            *(Route(path, self._answering(parse, form), methods=["POST"]) for path, parse, form in answering),
            Route("/v1/embeddings", self._embeddings, methods=["POST"]),
            Route("/health", self._health),
        ]

    def model_names(self) -> list[str]:
        """Return the models that clients may ask now. Raises as `ServedModels.offered_models`."""
        names = [one.id for one in self._served_models.offered_models()]
        return [*names, EMBEDDING_ID] if self._requests.can_embed else names

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok", "model": self._model_name, "requests": self._requests.count})

    def _models(self, _request: Request) -> Response:  # starlette runs it in a thread, because it reads a database
        names = self.model_names()
        entries = [{"id": one, "object": "model", "created": self._started, "owned_by": "kotae"} for one in names]
        return JSONResponse({"object": "list", "data": entries})

    def _answering(self, parse: Callable[[bytes], CompletionRequest], form: type[AnswerForm]) -> Any:
        async def answer(http: Request) -> "_Answer":
            raw = await read_body(http)
            assert http.client is not None
            address = f"{http.client.host}:{http.client.port}"
            request, served, permit = await run_in_threadpool(self._prepare, parse, raw, address)
            return _Answer(self._requests, self._requests.submit(request, served.scope, permit), form(request))

        return answer

    def _prepare(
        self, parse: Callable[[bytes], CompletionRequest], raw: bytes, address: str
    ) -> tuple[CompletionRequest, ServedModel, Permit]:
        """Return what a client asks, which model it asks, and the permission to answer it.

        Raises HttpError, and AppError as `ServedModels`.
        """
        request = parse(raw)
        served = self._served_models.find(request.model)
        if served is None:
            raise http_error(404, "model_not_found", "model")
        if served.scope and request.json_schema:
            raise http_error(400, "no_format_of_documents", "tools" if request.tools else "response_format")
        if request.pictures and (served.scope or not self._requests.sees_pictures):
            raise http_error(400, "no_pictures_of_documents" if served.scope else "no_pictures", "messages")
        if served.scope and any(len(turn.question) > QUESTION_CHARACTERS for turn in request.turns):
            raise http_error(400, "long_question", "messages", most=f"{QUESTION_CHARACTERS:,}")
        return request, served, self._served_models.permit_answer(served, address)

    async def _embeddings(self, http: Request) -> Response:
        """Embed texts as they are: which prefix they need, the client knows from its purpose."""
        data = completion_request.parse_object(await read_body(http))
        texts, form = data.get("input"), data.get("encoding_format") or "float"
        if data.get("model") != EMBEDDING_ID or not self._requests.can_embed:
            raise http_error(404, "model_not_found", "model")
        texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(texts, list) or not all(isinstance(one, str) and one for one in texts):
            raise completion_request.wrong_type("input", "texts")
        if not 1 <= len(texts) <= TEXTS_MOST:
            raise completion_request.out_of_range("input", 1, TEXTS_MOST)
        if form not in ("float", "base64") or data.get("dimensions"):
            raise http_error(400, "unsupported", "dimensions" if data.get("dimensions") else "encoding_format")
        rows: list[tuple[float, ...]] = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            rows += await self._requests.embed(texts[start : start + TEXTS_AT_ONCE])
            if await http.is_disconnected():
                raise ClientDisconnect
        packed = (base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode() for row in rows)
        vectors: Iterable[Any] = packed if form == "base64" else rows
        entries = [{"object": "embedding", "index": at, "embedding": one} for at, one in enumerate(vectors)]
        usage = {"prompt_tokens": 0, "total_tokens": 0}  # nobody counts them
        return JSONResponse({"object": "list", "data": entries, "model": EMBEDDING_ID, "usage": usage})


class _Answer:
    """Sends the answer of a job as an ASGI application, and ends the job when the client has gone."""

    def __init__(self, requests: RequestQueue, job: CompletionJob, form: AnswerForm) -> None:
        self._requests = requests
        self._job = job
        self._form = form

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.ensure_future(self._response())
        gone = asyncio.ensure_future(receive())  # the body has been read, so only the end of the connection can follow
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            gone.cancel()
            if sending.done():
                await sending.result()(scope, receive, send)
        finally:
            sending.cancel()
            self._requests.cancel(self._job)

    async def _response(self) -> Response:
        """Return the response once its status is known.

        A stream begins with the first text, so that an earlier error gets its own status; but after KEEP_ALIVE_S
        without text it begins all the same.
        """
        if self._job.request.is_streamed:
            first = await self._job.take(KEEP_ALIVE_S)
            return StreamingResponse(self._events(first), media_type="text/event-stream")
        while not isinstance(item := await self._job.take(), AnswerOutcome):
            pass
        return JSONResponse(self._form.whole(answer_forms.finish(self._job.request, self._job.text, item)))

    async def _events(self, item: str | Thought | AnswerOutcome | None) -> AsyncIterator[bytes]:
        """Yield the events of the stream. `item`: the first one."""
        for event in self._form.begin():
            yield _line(event)
        while True:
            if item is None:
                yield b": \n\n"  # a comment, so that clients do not time out
            for event in self._events_of(item):
                yield _line(event)
            if isinstance(item, AnswerOutcome):
                return
            try:
                item = await self._job.take(KEEP_ALIVE_S)
            except HttpError as error:
                yield _line(self._form.failure(error))
                return

    def _events_of(self, item: str | Thought | AnswerOutcome | None) -> Iterator[Event]:
        match item:
            case AnswerOutcome():
                yield from self._form.end(answer_forms.finish(self._job.request, self._job.text, item))
            case Thought():
                yield from self._form.thought(item.text)
            case str() if not self._job.request.tools:  # with tools it is JSON that nobody but Kotae knows
                yield from self._form.text(item)


def _line(event: Event) -> bytes:
    """Return a server-sent event."""
    if isinstance(event, str):
        return f"data: {event}\n\n".encode()
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n".encode("utf-8", "replace")
