"""Hold a model of llama.cpp with its context: load and free it, tokenize, and spell tokens.

The engine, the scoring and the measuring of an importance matrix build on it; each decodes in its own way.
"""

import ctypes
import re
from collections.abc import Sequence
from typing import Any

from app.base.errors import AppError
from app.inference.engine.llama import Device, EngineLog, api, first_error_line
from app.inference.engine.threads import ThreadPolicy
from app.inference.offload import Offload
from app.inference.prompts import Segment

_PLACE = re.compile(r"\{(query|document)\}")  # where a reranker's template has the texts


class NativeModel:
    """Holds one model with one context. `close` frees both, and then another model can be loaded."""

    def __init__(self) -> None:
        self._log = EngineLog()
        self._model: Any = None
        self._context: Any = None
        self._vocabulary: Any = None
        self._pieces: dict[int, tuple[bytes, str]] = {}
        self._thread_policy = ThreadPolicy()
        api.llama_backend_init()

    def close(self) -> None:
        if self._context is not None:
            api.llama_free(self._context)
        if self._model is not None:
            api.llama_model_free(self._model)  # frees its adapters, too
        self._context = self._model = None
        self._pieces = {}

    def _place(self, params: Any, cards: Sequence[Device], plan: Offload) -> None:
        """Set on which cards the layers are to lie; those that the plan has no card for stay on the processor."""
        used = [(one.handle, share) for one, share in zip(cards, plan.shares, strict=False) if share]
        # It ends with a null pointer, and is kept until it is read.
        self._handles = (ctypes.c_void_p * (len(used) + 1))(*(handle for handle, _ in used))
        params.devices = ctypes.cast(self._handles, ctypes.c_void_p)
        params.tensor_split = (ctypes.c_float * api.LLAMA_MAX_DEVICES)(*(share for _, share in used))
        params.n_gpu_layers = plan.layers

    def _load(self, path: str, params: Any) -> None:
        """Load a model. `params`: llama_model_params. Raises AppError("model_unreadable")."""
        self._model = api.llama_model_load_from_file(path.encode("utf-8"), params) or None
        if self._model is None:
            raise self._error("model_unreadable")
        self._vocabulary = api.llama_model_get_vocab(self._model)

    def _open(self, params: Any) -> None:
        """Make the context. `params`: llama_context_params. Raises AppError("context_failed")."""
        self.threads = self._thread_policy.now()
        params.n_threads, params.n_threads_batch = self.threads.token, self.threads.batch
        self._context = api.llama_init_from_model(self._model, params) or None
        if self._context is None:
            raise self._error("context_failed")

    def _adapt_threads(self) -> None:
        """Use as many threads as are best now."""
        wanted = self._thread_policy.now()
        if wanted != self.threads:
            self.threads = wanted
            api.llama_set_n_threads(self._context, wanted.token, wanted.batch)

    def _load_adapter(self, path: str) -> Any:
        """Load an adapter that `gguf.check_adapter` has accepted. Raises AppError("adapter_unreadable")."""
        adapter = api.llama_adapter_lora_init(self._model, path.encode("utf-8"))
        if not adapter:  # a null pointer is falsy, but not None
            raise self._error("adapter_unreadable", path=path)
        return adapter

    def _set_adapters(self, adapters: Sequence[Any], strengths: Sequence[float]) -> None:
        count = len(adapters)
        pointers = (api.llama_adapter_lora_p_ctypes * count)(*adapters)
        api.llama_set_adapters_lora(self._context, pointers, count, (ctypes.c_float * count)(*strengths))

    def _clear(self) -> None:
        """Empty the cache."""
        if self._context is not None:
            api.llama_memory_clear(api.llama_get_memory(self._context), True)

    def _error(self, code: str, **facts: Any) -> AppError:
        """Return an AppError with the first error line of the log as its reason."""
        return AppError(code, **facts, reason=first_error_line(self._log.lines))

    def prompt_tokens(self, segments: Sequence[Segment]) -> list[int]:
        """Return a prompt's token ids, with a beginning-of-text token if the model's metadata requires one."""
        found = [api.llama_vocab_bos(self._vocabulary)] if api.llama_vocab_get_add_bos(self._vocabulary) else []
        for segment in segments:
            found += self.tokens_of(segment.text, has_markup=segment.markup)
        return found

    def tokens_of(self, text: str, *, has_markup: bool = False, with_begin_end: bool = False) -> list[int]:
        """Return the tokens of a text.

        `has_markup`: parse control tokens in the text. `with_begin_end`: add the begin and end tokens that the model's
        metadata requires. Raises AppError("text_unreadable").
        """
        encoded = text.encode("utf-8", "replace")
        size = len(encoded) + 8
        out = (api.llama_token * size)()
        count = api.llama_tokenize(self._vocabulary, encoded, len(encoded), out, size, with_begin_end, has_markup)
        if count < 0:
            raise AppError("text_unreadable")
        return out[:count]

    def pair_tokens(self, query: str, document: str, template: str | None) -> list[int]:
        """Return the tokens of a pair that a reranker scores, as llama-server makes them.

        `template`: that of the file, with {query} and {document}; without one, the texts are joined by the begin, end
        and separator tokens that the file requires.
        """
        vocabulary, texts = self._vocabulary, {"query": query, "document": document}
        if template:  # split at its control tokens, so that those in a question or a passage stay text
            tokens = set(self.tokens_of(template, has_markup=True))
            names = [self.name_of(token) for token in tokens if api.llama_vocab_is_control(vocabulary, token)]
            parts = re.split(f"({'|'.join(map(re.escape, names))})", template) if names else [template]
            filled = [_PLACE.sub(lambda match: texts[match[1]], part) for part in parts]
            return [
                token for place, part in enumerate(filled) for token in self.tokens_of(part, has_markup=place % 2 == 1)
            ]
        separator = api.llama_vocab_sep(vocabulary)
        begins = [api.llama_vocab_bos(vocabulary)] if api.llama_vocab_get_add_bos(vocabulary) else []
        separators = [separator] if api.llama_vocab_get_add_sep(vocabulary) else []
        end = api.llama_vocab_eos(vocabulary)
        ends = [end if end >= 0 else separator] if api.llama_vocab_get_add_eos(vocabulary) else []
        return [*begins, *self.tokens_of(query), *ends, *separators, *self.tokens_of(document), *ends]

    def spell(self, token: int) -> tuple[bytes, str]:
        """Return the token's bytes, or b"" and its name for a control token."""
        known = self._pieces.get(token)
        if known is None:
            buffer = ctypes.create_string_buffer(64)
            length = api.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, False)
            if length < 0:  # that many bytes are needed
                buffer = ctypes.create_string_buffer(-length)
                length = api.llama_token_to_piece(self._vocabulary, token, buffer, len(buffer), 0, False)
            is_control = api.llama_vocab_is_control(self._vocabulary, token)
            known = self._pieces[token] = (buffer.raw[: max(0, length)], self.name_of(token) if is_control else "")
        return known

    def name_of(self, token: int) -> str:
        """Return the text by which a control token is written; "" for none (-1)."""
        raw = api.llama_vocab_get_text(self._vocabulary, token) if token >= 0 else b""
        return (raw or b"").decode("utf-8", "replace")

    def is_end(self, token: int) -> bool:
        return bool(api.llama_vocab_is_eog(self._vocabulary, token))
