"""What cannot be done, as an HTTP status and an error object in OpenAI's shape."""

from typing import Any

from app.base import wording
from app.base.errors import AppError
from app.base.wording import phrase

_DEATHS = ("engine_died", "engine_hung", "engine_missing")
_STATUSES = {
    "grammar_invalid": 400,
    "text_unreadable": 400,
    "collections_gone": 404,
    "secret_export": 403,
    "serve_ending": 503,
}
_FIELDS = {"grammar_invalid": "response_format", "text_unreadable": "messages", "collections_gone": "model"}


class Refusal(Exception):  # noqa: N818  nothing went wrong here
    """`field`: of the request, where one is at fault."""

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        if self.status == 429:
            kind = "rate_limit_error"
        return {"error": {"message": self.message, "type": kind, "param": self.field, "code": self.code}}


def refusal(status: int, code: str, field: str | None = None, **facts: Any) -> Refusal:
    """In the words of `[text.serve_CODE]`."""
    if field is not None:
        facts["field"] = field
    return Refusal(status, code, phrase(f"serve.serve_{code}", **facts), field)


def of_error(error: AppError) -> Refusal:
    """What an answer failed with."""
    if error.code == "context_full":
        return refusal(400, "context_length_exceeded", "messages", **error.facts)
    if error.code in _DEATHS:
        return Refusal(500, error.code, phrase("serve.serve_engine_gone"))
    status, field = _STATUSES.get(error.code, 500), _FIELDS.get(error.code)
    return Refusal(status, error.code, str(wording.describe_error(error)), field)
