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
from app.inference.engine.messages import Usage
from app.inference.local_model import LocalModel
from app.serve import completion_request
from app.serve.completion_request import CompletionRequest, http_error
from app.serve.request_queue import CompletionJob, RequestQueue
from app.serve.server import HttpConnection, Route
from app.training.runs import lineage

CLIENT_CHECK_S = 0.25  # how often the connection of the client is checked
KEEP_ALIVE_S = 15.0  # reading a long prompt takes minutes on a slow machine
MODEL_ID = "kotae"
QUESTION_CHARACTERS = 20_000  # of a question about documents, because all its words are searched for
_CUT = ("length", "context")  # stop reasons of an answer that is not complete


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A name under which the model can be asked. `scope`: the collections to answer from; (): the model alone."""

    id: str
    scope: tuple[CollectionRef, ...] = ()


class ServedModels:
    """The models that the protocol lists: the model alone, and the model with each collection.

    `named`: the collections to offer, each and all together; none: all that are not 機密 at the moment of the request.
    Labels are looked up for each request. A collection that is 機密 by then is offered only if it was named and
    `is_agreed` (--allow-secret), and each answer from it is recorded. Every method may be called from any thread.
    """

    def __init__(
        self,
        documents: Path,
        exports_log: Path,
        model: LocalModel,
        named: Sequence[CollectionRef] = (),
        *,
        is_agreed: bool = False,
    ) -> None:
        """`model`: the one that answers; it may have been trained on 機密 data."""
        self._documents = documents
        self._exports_log = exports_log
        self._model = model
        self._named = tuple(named)
        self._is_agreed = is_agreed

    def all(self) -> list[ServedModel]:
        """Return the models that may be asked now. Raises AppError as the database does."""
        return [one for one in self._known() if self._may_be_asked(one)]

    def find(self, name: str) -> ServedModel | None:
        """Return a model that may be asked now, or None. Raises AppError as `all`."""
        return next((one for one in self._known() if one.id == name and self._may_be_asked(one)), None)

    def export_of(self, offer: ServedModel, address: str) -> ExportRequest:
        return ExportRequest("served", address, lambda: self._label_now(offer), offer.id)

    def pass_out(self, offer: ServedModel, address: str) -> Permit:
        """Return the permit for one answer.

        Raises AppError("secret_export" | "export_log_unwritable"), and as the database.
        """
        return confidentiality.permit_export(
            self.export_of(offer, address), self._exports_log, is_agreed=self._is_agreed
        )

    def _known(self) -> list[ServedModel]:
        collections = self._named or self._unrestricted_collections()
        models = [ServedModel(MODEL_ID), *(ServedModel(f"{MODEL_ID}/{one.name}", (one,)) for one in collections)]
        if len(self._named) > 1:
            models.append(ServedModel(f"{MODEL_ID}/{'+'.join(one.name for one in self._named)}", self._named))
        return models

    def _may_be_asked(self, offer: ServedModel) -> bool:
        return self._is_agreed or self._label_now(offer) != confidentiality.HIGHEST_LABEL

    def _label_now(self, offer: ServedModel) -> Label:
        learned = lineage.label_of_model(self._documents, self._model)
        scope_label = (
            collection_lookup.current_label_of_scope(self._documents, offer.scope)
            if offer.scope
            else confidentiality.LABELS[0]
        )
        return confidentiality.highest_label((learned, scope_label))

    def _unrestricted_collections(self) -> tuple[CollectionRef, ...]:
        if not self._documents.is_file():
            return ()
        library = Library.beside(self._documents)
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
    """The JSON objects of one answer. `model`: the name that the request used."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, text: str, outcome: AnswerOutcome) -> dict[str, Any]:
        text = text.strip()
        content = text + _lines_below(text, outcome.grounding)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": content, "refusal": None},
            "logprobs": None,
            "finish_reason": finish_reason(outcome),
        }
        return {**self._head("chat.completion", [choice]), "usage": usage(outcome.done.usage), "kotae": facts(outcome)}

    def piece(self, text: str, *, is_first: bool = False) -> dict[str, Any]:
        delta = {"role": "assistant", "content": text} if is_first else {"content": text}
        return self._chunk(delta, None)

    def last(self, outcome: AnswerOutcome) -> dict[str, Any]:
        return {**self._chunk({}, finish_reason(outcome)), "kotae": facts(outcome)}

    def used(self, outcome: AnswerOutcome) -> dict[str, Any]:
        return {**self._head("chat.completion.chunk", []), "usage": usage(outcome.done.usage)}

    def _chunk(self, delta: dict[str, str], reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._head("chat.completion.chunk", [choice])

    def _head(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}


def _model_list(offers: Sequence[ServedModel], created: int) -> dict[str, Any]:
    entries = [{"id": one.id, "object": "model", "created": created, "owned_by": "kotae"} for one in offers]
    return {"object": "list", "data": entries}


def facts(outcome: AnswerOutcome) -> dict[str, Any]:
    """Return sources, claims and verdict as `kotae ask --json` prints them."""
    kept, reason = outcome.grounding or Grounding(), outcome.done.stop_reason
    verdict = "length" if reason in _CUT else "stopped" if reason == "cancelled" else kept.verdict
    return {**answer_check.check_facts(kept), "verdict": verdict}


def _lines_below(text: str, grounding: Grounding | None) -> str:
    """Return what follows a grounded answer: the result of its check, and where the sources that it uses are."""
    if grounding is None:
        return ""
    lines = source_citations.check_messages(grounding)
    numbers = source_citations.used_sources(text, grounding)
    if numbers:
        title = phrase("common.sources" if grounding.verdict == "answered" else "common.nearest")
        places = [f"[{number}] {source_citations.describe_place(grounding.sources[number - 1])}" for number in numbers]
        lines = [*lines, *([""] if lines else []), title, *places]
    return "\n\n" + "\n".join(lines) if lines else ""


def finish_reason(outcome: AnswerOutcome) -> str:
    return "length" if outcome.done.stop_reason in _CUT else "stop"


def usage(used: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.answer_tokens,
        "total_tokens": used.prompt_tokens + used.answer_tokens,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens},
    }


class Endpoint:
    """The routes of the server, which run in the threads of their connections.

    `model_name`: of the model that answers.
    """

    def __init__(self, requests: RequestQueue, offers: ServedModels, model_name: str) -> None:
        self._requests = requests
        self._offers = offers
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
            offers = self._offers.all()
        except AppError as error:
            raise completion_request.http_error_of(error) from error
        connection.send(200, _model_list(offers, self._started))

    def _chat(self, connection: HttpConnection) -> None:
        request = completion_request.parse_request(connection.body())
        offer = self._find_offer(request)
        permit = self._pass_out(offer, connection)
        job = self._requests.submit(request, offer.scope, permit)
        try:
            if request.is_streamed:
                _stream(connection, job, CompletionResponse(offer.id))
            else:
                _send(connection, job, CompletionResponse(offer.id))
        finally:
            self._requests.cancel(job)

    def _pass_out(self, offer: ServedModel, connection: HttpConnection) -> Permit:
        try:
            return self._offers.pass_out(offer, "{}:{}".format(*connection.client_address))
        except AppError as error:
            raise completion_request.http_error_of(error) from error

    def _find_offer(self, request: CompletionRequest) -> ServedModel:
        try:
            offer = self._offers.find(request.model)
        except AppError as error:
            raise completion_request.http_error_of(error) from error
        if offer is None:
            raise http_error(404, "model_not_found", "model")
        if offer.scope and request.json_schema:
            raise http_error(400, "no_format_of_documents", "response_format")
        if offer.scope and any(len(turn.question) > QUESTION_CHARACTERS for turn in request.turns):
            raise http_error(400, "long_question", "messages", most=f"{QUESTION_CHARACTERS:,}")
        return offer


def _send(connection: HttpConnection, job: CompletionJob, reply: CompletionResponse) -> None:
    text = ""
    for item in _items(connection, job):
        if isinstance(item, AnswerOutcome):
            connection.send(200, reply.whole(text, item))
        else:
            text += item or ""


def _stream(connection: HttpConnection, job: CompletionJob, reply: CompletionResponse) -> None:
    """Stream the answer. Nothing is sent before its first text, so that an error can have its own status.

    After KEEP_ALIVE_S without text the stream begins nevertheless.
    """
    text, has_begun, sent_at = "", False, time.monotonic()
    for item in _items(connection, job):
        is_late = time.monotonic() - sent_at > KEEP_ALIVE_S
        if item is None and not is_late:
            continue
        if not has_begun:
            has_begun = True
            connection.begin_stream()
            connection.send_event(reply.piece("", is_first=True))
        sent_at = time.monotonic()
        if item is None:
            connection.send_keep_alive()
        elif isinstance(item, str):
            text += item
            connection.send_event(reply.piece(item))
        else:
            _end(connection, job, reply, text, item)


def _end(
    connection: HttpConnection, job: CompletionJob, reply: CompletionResponse, text: str, outcome: AnswerOutcome
) -> None:
    below = _lines_below(text.strip(), outcome.grounding)
    if below:
        connection.send_event(reply.piece(below))
    connection.send_event(reply.last(outcome))
    if job.request.includes_usage:
        connection.send_event(reply.used(outcome))
    connection.send_event("[DONE]")
    connection.end_stream()


def _items(connection: HttpConnection, job: CompletionJob) -> Iterator[str | AnswerOutcome | None]:
    """Yield the texts and at last the outcome; None while nothing arrives.

    Raises HttpError, and ConnectionAbortedError when the client is gone.
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
