"""What is answered under which path: /v1/models, /v1/chat/completions, /health."""

import time
from collections.abc import Iterator, Mapping

from app.base.errors import AppError
from app.chat.services.answer_run import Outcome
from app.serve import refusals, replies, wishes
from app.serve.desk import Desk, Job
from app.serve.offers import Offer, Offers
from app.serve.refusals import refusal
from app.serve.replies import Reply
from app.serve.server import Connection, Route
from app.serve.wishes import Wish

LOOK_S = 0.25  # how often it is looked whether a client is still there
SIGN_OF_LIFE_S = 15.0  # a long prompt is read for minutes on a slow machine


class Endpoint:
    """`model_name`: of the one model that answers. Its routes run in the threads of their connections."""

    def __init__(self, desk: Desk, offers: Offers, model_name: str) -> None:
        self._desk = desk
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

    def _health(self, connection: Connection) -> None:
        connection.send(200, {"status": "ok", "model": self._model_name, "requests": self._desk.count})

    def _models(self, connection: Connection) -> None:
        try:
            offers = self._offers.all()
        except AppError as error:
            raise refusals.of_error(error) from error
        connection.send(200, replies.models(offers, self._started))

    def _chat(self, connection: Connection) -> None:
        wish = wishes.parse(connection.body())
        offer = self._offer(wish)
        job = self._desk.submit(wish, offer.scope)
        try:
            if wish.is_streamed:
                _stream(connection, job, Reply(offer.id))
            else:
                _send(connection, job, Reply(offer.id))
        finally:
            self._desk.cancel(job)

    def _offer(self, wish: Wish) -> Offer:
        try:
            offer = self._offers.find(wish.model)
        except AppError as error:
            raise refusals.of_error(error) from error
        if offer is None:
            raise refusal(404, "model_not_found", "model")
        if offer.scope and wish.json_schema:
            raise refusal(400, "no_format_of_documents", "response_format")
        return offer


def _send(connection: Connection, job: Job, reply: Reply) -> None:
    text = ""
    for told in _told(connection, job):
        if isinstance(told, Outcome):
            connection.send(200, reply.whole(text, told))
        else:
            text += told or ""


def _stream(connection: Connection, job: Job, reply: Reply) -> None:
    """Until the first text nothing is sent, so that a refusal has its own status; unless that takes long."""
    text, has_begun, heard_at = "", False, time.monotonic()
    for told in _told(connection, job):
        is_late = time.monotonic() - heard_at > SIGN_OF_LIFE_S
        if told is None and not is_late:
            continue
        if not has_begun:
            has_begun = True
            connection.begin_stream()
            connection.send_event(reply.piece("", is_first=True))
        heard_at = time.monotonic()
        if told is None:
            connection.send_sign_of_life()
        elif isinstance(told, str):
            text += told
            connection.send_event(reply.piece(told))
        else:
            _end(connection, job, reply, text, told)


def _end(connection: Connection, job: Job, reply: Reply, text: str, outcome: Outcome) -> None:
    below = replies.below(text.strip(), outcome.grounding)
    if below:
        connection.send_event(reply.piece(below))
    connection.send_event(reply.last(outcome))
    if job.wish.tells_usage:
        connection.send_event(reply.used(outcome))
    connection.send_event("[DONE]")
    connection.end_stream()


def _told(connection: Connection, job: Job) -> Iterator[str | Outcome | None]:
    """Texts and the outcome; None while nothing comes. Raises Refusal, and ConnectionAbortedError without a client."""
    looked_at = time.monotonic()
    while True:
        told = job.take(LOOK_S)
        if isinstance(told, AppError):
            raise refusals.of_error(told)
        if time.monotonic() - looked_at >= LOOK_S:
            looked_at = time.monotonic()
            if connection.is_gone:
                raise ConnectionAbortedError
        yield told
        if isinstance(told, Outcome):
            return
