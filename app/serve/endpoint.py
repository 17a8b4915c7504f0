"""Answer the paths /v1/models, /v1/chat/completions and /health."""

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.base import confidentiality
from app.base.confidentiality import ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.wording import phrase
from app.chat import answer_check
from app.chat.services.answer_run import AnswerOutcome
from app.documents import collection_lookup
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import CollectionRef, Grounding
from app.documents.library import Library
from app.inference.engine.messages import CUT_OFF, Thought, Usage
from app.inference.local_model import LocalModel
from app.serve import completion_request
from app.serve.completion_request import CompletionRequest, http_error
from app.serve.request_queue import CompletionJob, RequestQueue
from app.serve.server import HttpConnection, Route
from app.training.runs import lineage

CLIENT_CHECK_S = 0.25  # the interval of checks whether the client is still connected
KEEP_ALIVE_S = 15.0  # the interval of comments in a stream, because processing a long prompt may take minutes
MODEL_ID = "kotae"
QUESTION_CHARACTERS = 20_000  # the limit of a question about documents, because all its words are searched for


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model as clients see it. `id`: its name in requests. `scope`: the collections to answer from; (): none."""

    id: str
    scope: tuple[CollectionRef, ...] = ()


class ServedModels:
    """The models that clients can request: the loaded model alone, and with each collection.

    `named_collections`: the collections to offer, each and all together; (): each one that is not 機密 (secret).
    Labels are looked up for each request. A secret collection is offered only if it is in `named_collections` and the
    user has consented (`is_agreed`, --allow-secret), and each answer from it is recorded. Methods may be called from
    any thread.
    """

    def __init__(
        self,
        documents: Path,
        exports_log: Path,
        model: LocalModel,
        named_collections: Sequence[CollectionRef] = (),
        *,
        is_agreed: bool = False,
    ) -> None:
        """`model`: the loaded model, which may have been trained on secret data, and so may be secret itself.

        `documents`: the documents' database. `exports_log`: the file that records answers from secret content.
        """
        self._documents = documents
        self._exports_log = exports_log
        self._model = model
        self._named_collections = tuple(named_collections)
        self._is_agreed = is_agreed

    def offered_models(self) -> list[ServedModel]:
        """Return the models that clients may use now. Raises the AppErrors of reading the documents' database."""
        return [one for one in self._candidates() if self._is_offered(one)]

    def find(self, name: str) -> ServedModel | None:
        """Return the model with this id; None if clients may not use it now or there is none.

        Raises as `offered_models`.
        """
        return next((one for one in self._candidates() if one.id == name and self._is_offered(one)), None)

    def export_request_for(self, served: ServedModel, address: str) -> ExportRequest:
        """Return the request for permission to send a model's answers out of Kotae to a client.

        `address`: that of the client, as HOST:PORT; "": not known yet.
        """
        return ExportRequest("served", address, lambda: self._label_now(served), served.id)

    def permit_answer(self, served: ServedModel, address: str) -> Permit:
        """Return the permission to send one answer to a client, and record it if the content is secret.

        `address`: that of the client, as HOST:PORT. Raises AppError("secret_export" | "export_log_unwritable"), and
        those of reading the documents' database.
        """
        return confidentiality.permit_export(
            self.export_request_for(served, address), self._exports_log, is_agreed=self._is_agreed
        )

    def _candidates(self) -> list[ServedModel]:
        collections = self._named_collections or self._unrestricted_collections()
        models = [ServedModel(MODEL_ID), *(ServedModel(f"{MODEL_ID}/{one.name}", (one,)) for one in collections)]
        if len(self._named_collections) > 1:
            models.append(
                ServedModel(
                    f"{MODEL_ID}/{'+'.join(one.name for one in self._named_collections)}", self._named_collections
                )
            )
        return models

    def _is_offered(self, served: ServedModel) -> bool:
        return self._is_agreed or self._label_now(served) != confidentiality.HIGHEST_LABEL

    def _label_now(self, served: ServedModel) -> Label:
        """Return the confidentiality label of a model's answers: that of its training data and of its collections."""
        learned = lineage.label_of_model(self._documents, self._model)
        scope_label = (
            collection_lookup.current_label_of_scope(self._documents, served.scope)
            if served.scope
            else confidentiality.LABELS[0]
        )
        return confidentiality.highest_label((learned, scope_label))

    def _unrestricted_collections(self) -> tuple[CollectionRef, ...]:
        if not self._documents.is_file():
            return ()
        library = Library.open_second(self._documents)
        try:
            return tuple(
                CollectionRef(one.id, one.name)
                for one in library.collections()
                if one.label != confidentiality.HIGHEST_LABEL and one.documents and not one.is_builtin
            )
        finally:
            library.close()


@dataclass(frozen=True, slots=True)
class CompletionResponse:
    """Builds the JSON objects of one answer in OpenAI's form. `model`: as requested; `created`: seconds since 1970."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole_answer(self, text: str, outcome: AnswerOutcome) -> dict[str, Any]:
        """Return the object for an answer that is not streamed."""
        text = text.strip()
        content = text + _lines_below(text, outcome.grounding)
        message = {"role": "assistant", "content": content, "refusal": None}
        choice = {
            "index": 0,
            "message": message | ({"reasoning_content": outcome.thoughts} if outcome.thoughts else {}),
            "logprobs": None,
            "finish_reason": finish_reason(outcome),
        }
        return {
            **self._common_fields("chat.completion", [choice]),
            "usage": usage(outcome.done.usage),
            "kotae": grounding_fields(outcome),
        }

    def text_chunk(self, text: str, *, is_first: bool = False) -> dict[str, Any]:
        """Return the object for a piece of a streamed answer."""
        delta = {"role": "assistant", "content": text} if is_first else {"content": text}
        return self._chunk(delta, None)

    def thought_chunk(self, thought: Thought) -> dict[str, Any]:
        """Return the object for a piece of what the model thinks before a streamed answer."""
        return self._chunk({"reasoning_content": thought.text}, None)

    def last_chunk(self, outcome: AnswerOutcome) -> dict[str, Any]:
        """Return the object that ends a streamed answer, with its finish reason and sources."""
        return {**self._chunk({}, finish_reason(outcome)), "kotae": grounding_fields(outcome)}

    def usage_chunk(self, outcome: AnswerOutcome) -> dict[str, Any]:
        """Return the object with the token counts of a streamed answer."""
        return {**self._common_fields("chat.completion.chunk", []), "usage": usage(outcome.done.usage)}

    def _chunk(self, delta: dict[str, str], reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._common_fields("chat.completion.chunk", [choice])

    def _common_fields(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}


def _model_list(served_models: Sequence[ServedModel], created: int) -> dict[str, Any]:
    entries = [{"id": one.id, "object": "model", "created": created, "owned_by": "kotae"} for one in served_models]
    return {"object": "list", "data": entries}


def grounding_fields(outcome: AnswerOutcome) -> dict[str, Any]:
    """Return the field "kotae" of a response: sources, claims and verdict, in the form of `kotae ask --json`."""
    kept, reason = outcome.grounding or Grounding(), outcome.done.stop_reason
    verdict = "length" if reason in CUT_OFF else "stopped" if reason == "cancelled" else kept.verdict
    return {**answer_check.check_facts(kept), "verdict": verdict}


def _lines_below(text: str, grounding: Grounding | None) -> str:
    """Return the lines to add below an answer: the result of its check, and the places of the sources it cites.

    `grounding`: None for an answer without documents, which gets "".
    """
    if grounding is None:
        return ""
    lines = source_citations.check_messages(grounding)
    numbers = source_citations.used_sources(text, grounding)
    if numbers:
        title = phrase("common.sources" if grounding.has_answer else "common.nearest")
        places = [f"[{number}] {source_citations.describe_place(grounding.sources[number - 1])}" for number in numbers]
        lines = [*lines, *([""] if lines else []), title, *places]
    return "\n\n" + "\n".join(lines) if lines else ""


def finish_reason(outcome: AnswerOutcome) -> str:
    return "length" if outcome.done.stop_reason in CUT_OFF else "stop"


def usage(token_usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": token_usage.prompt_tokens,
        "completion_tokens": token_usage.answer_tokens,
        "total_tokens": token_usage.prompt_tokens + token_usage.answer_tokens,
        "prompt_tokens_details": {"cached_tokens": token_usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": token_usage.thought_tokens},
    }


class Endpoint:
    """The functions that answer requests, by path. They run in the threads of the connections.

    `model_name`: the name of the loaded model, for /health.
    """

    def __init__(self, requests: RequestQueue, served_models: ServedModels, model_name: str) -> None:
        self._requests = requests
        self._served_models = served_models
        self._model_name = model_name
        self._started = int(time.time())

    @property
    def routes(self) -> Mapping[str, Route]:
        return {
            "/v1/models": ("GET", self._models),
            "/v1/chat/completions": ("POST", self._chat),
            "/health": ("GET", self._health),
        }

    def _health(self, connection: HttpConnection) -> None:
        connection.send(200, {"status": "ok", "model": self._model_name, "requests": self._requests.count})

    def _models(self, connection: HttpConnection) -> None:
        try:
            served_models = self._served_models.offered_models()
        except AppError as error:
            raise completion_request.http_error_of(error) from error
        connection.send(200, _model_list(served_models, self._started))

    def _chat(self, connection: HttpConnection) -> None:
        request = completion_request.parse_request(connection.body())
        served = self._find_model(request)
        permit = self._permit_answer(served, connection)
        job = self._requests.submit(request, served.scope, permit)
        try:
            if request.is_streamed:
                _stream(connection, job, CompletionResponse(served.id))
            else:
                _send(connection, job, CompletionResponse(served.id))
        finally:
            self._requests.cancel(job)

    def _permit_answer(self, served: ServedModel, connection: HttpConnection) -> Permit:
        try:
            return self._served_models.permit_answer(served, "{}:{}".format(*connection.client_address))
        except AppError as error:
            raise completion_request.http_error_of(error) from error

    def _find_model(self, request: CompletionRequest) -> ServedModel:
        try:
            served = self._served_models.find(request.model)
        except AppError as error:
            raise completion_request.http_error_of(error) from error
        if served is None:
            raise http_error(404, "model_not_found", "model")
        if served.scope and request.json_schema:
            raise http_error(400, "no_format_of_documents", "response_format")
        if served.scope and any(len(turn.question) > QUESTION_CHARACTERS for turn in request.turns):
            raise http_error(400, "long_question", "messages", most=f"{QUESTION_CHARACTERS:,}")
        return served


def _send(connection: HttpConnection, job: CompletionJob, reply: CompletionResponse) -> None:
    text = ""
    for item in _items(connection, job):
        if isinstance(item, AnswerOutcome):
            connection.send(200, reply.whole_answer(text, item))
        else:
            text += item if isinstance(item, str) else ""


def _stream(connection: HttpConnection, job: CompletionJob, reply: CompletionResponse) -> None:
    """Send an answer as server-sent events.

    Send nothing before the first text, so that an earlier error gets its own HTTP status; but after KEEP_ALIVE_S
    without text begin the stream.
    """
    text, has_begun, sent_at = "", False, time.monotonic()
    for item in _items(connection, job):
        is_late = time.monotonic() - sent_at > KEEP_ALIVE_S
        if item is None and not is_late:
            continue
        if not has_begun:
            has_begun = True
            connection.begin_stream()
            connection.send_event(reply.text_chunk("", is_first=True))
        sent_at = time.monotonic()
        if item is None:
            connection.send_keep_alive()
        elif isinstance(item, Thought):
            connection.send_event(reply.thought_chunk(item))
        elif isinstance(item, str):
            text += item
            connection.send_event(reply.text_chunk(item))
        else:
            _send_rest(connection, job, reply, text, item)


def _send_rest(
    connection: HttpConnection, job: CompletionJob, reply: CompletionResponse, text: str, outcome: AnswerOutcome
) -> None:
    """Send what follows the text of a streamed answer, and end the stream: sources, outcome, token counts, [DONE]."""
    below = _lines_below(text.strip(), outcome.grounding)
    if below:
        connection.send_event(reply.text_chunk(below))
    connection.send_event(reply.last_chunk(outcome))
    if job.request.includes_usage:
        connection.send_event(reply.usage_chunk(outcome))
    connection.send_event("[DONE]")
    connection.end_stream()


def _items(connection: HttpConnection, job: CompletionJob) -> Iterator[str | Thought | AnswerOutcome | None]:
    """Yield the pieces of an answer's text and at last the outcome; None each CLIENT_CHECK_S while nothing arrives.

    Raises HttpError for an AppError of the job, and ConnectionAbortedError if the client has disconnected.
    """
    checked_at = time.monotonic()
    while True:
        item = job.take(CLIENT_CHECK_S)
        if isinstance(item, AppError):
            raise completion_request.http_error_of(item)
        if time.monotonic() - checked_at >= CLIENT_CHECK_S:
            checked_at = time.monotonic()
            if connection.is_gone:
                raise ConnectionAbortedError
        yield item
        if isinstance(item, AnswerOutcome):
            return
