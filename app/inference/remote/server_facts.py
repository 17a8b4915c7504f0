"""What a server says of its models: their names, how much they read at once, and how their tokens are counted."""

from dataclasses import dataclass
from typing import Any

from app.base.errors import AppError
from app.inference import remote_prompt
from app.inference.remote.connection import Server

MODELS_MAX = 500
NAME_MAX = 200  # characters
_CONTEXT_MAX = 1 << 24  # tokens; more is no number of tokens
_PROBE = "\u3042"  # a letter that no tokenizer can do without


@dataclass(frozen=True, slots=True)
class Offered:
    """A model of a server. `context_tokens` 0: it does not say."""

    name: str
    context_tokens: int = 0


def models(server: Server) -> list[Offered]:
    """Raises AppError: "remote_garbage" for an answer that is none, "remote_no_models", and as `Server.json`."""
    answer = server.json("/models")
    entries = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(entries, list):
        raise AppError("remote_garbage", address=server.shown)
    found = [_offered(entry) for entry in entries[:MODELS_MAX] if isinstance(entry, dict)]
    named = [one for one in found if one.name]
    if not named:
        raise AppError("remote_no_models", address=server.shown)
    return named


def context_of(server: Server, offered: Offered) -> int:
    """Tokens; 0: the server does not tell. llama-server tells in /props, of the model that it runs."""
    if offered.context_tokens:
        return offered.context_tokens
    try:
        props = server.json("/props", from_root=True)
    except AppError:
        return 0
    settings = props.get("default_generation_settings") if isinstance(props, dict) else None
    return _tokens(settings.get("n_ctx")) if isinstance(settings, dict) else 0


class Counter:
    """Counts with the server's own tokenizer where it has one to ask; else estimates, rather too many."""

    # llama-server; vLLM (which takes the same body, with its own names in it); llama_cpp.server.
    _PATHS = ("/tokenize", "/extras/tokenize/count")

    def __init__(self, server: Server, model: str) -> None:
        self._server = server
        self._model = model
        self._path = next((path for path in self._PATHS if self._asked(path, _PROBE)), "")

    @property
    def is_exact(self) -> bool:
        return bool(self._path)

    def count(self, text: str) -> int:
        """A tokenizer that fails once is not asked again."""
        found = self._asked(self._path, text) if self._path and text else 0
        if found or not text:
            return found
        self._path = ""
        return remote_prompt.estimated_tokens(text)

    def _asked(self, path: str, text: str) -> int:
        """0: it cannot be asked there."""
        body = {"content": text, "prompt": text, "input": text, "model": self._model, "add_special_tokens": False}
        try:
            answer = self._server.json(path, body, from_root=True)
        except AppError:
            return 0
        if not isinstance(answer, dict):
            return 0
        listed = answer.get("tokens")
        return _tokens(answer.get("count")) or (len(listed) if isinstance(listed, list) else 0)


def _offered(entry: dict[str, Any]) -> Offered:
    """vLLM: max_model_len; llama-server: meta.n_ctx; others of its kind: context_length."""
    name, meta = entry.get("id"), entry.get("meta")
    told = [entry.get("max_model_len"), meta.get("n_ctx") if isinstance(meta, dict) else 0, entry.get("context_length")]
    is_name = isinstance(name, str) and name.isprintable() and len(name) <= NAME_MAX
    return Offered(str(name) if is_name else "", next((tokens for tokens in map(_tokens, told) if tokens), 0))


def _tokens(value: object) -> int:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _CONTEXT_MAX
    return value if is_count and isinstance(value, int) else 0
