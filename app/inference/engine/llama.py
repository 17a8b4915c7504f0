"""llama.cpp's C interface: the only module of the program that imports llama_cpp.

`api` is the binding itself. Beside it stands what has to be made of native callbacks: the log, the abort check and
grammars. The high-level `llama_cpp.Llama` is not used: it compiles every chat template it loads, crashes on an adapter
that does not fit, and walks the whole vocabulary for each token.
"""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import llama_cpp
import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as api
from llama_cpp.llama_grammar import json_schema_to_gbnf

from app.base.errors import AppError
from app.inference.engine import native_parts, schema_limits
from app.inference.engine.messages import Ask
from app.inference.engine.sampler import Ids

__all__ = ["NAME", "EngineLog", "Grammar", "api", "grammar_of", "is_cancelled_natively", "load_pack"]

NAME = f"llama-cpp-python {llama_cpp.__version__}"

_LIBRARIES = Path(llama_cpp.__file__).parent / "lib"
native_parts.load_processor(api._lib, _LIBRARIES)

# llama.cpp asks `bool abort(void *data)` at every node of the graph. A Python function there would take the
# interpreter's lock thousands of times a token. strlen of a C string that is empty until cancelled answers the same
# question natively: 0 or 1.
_libc = ctypes.CDLL(None) if sys.platform != "win32" else ctypes.CDLL("msvcrt")
is_cancelled_natively = api.ggml_abort_callback(ctypes.cast(_libc.strlen, ctypes.c_void_p).value or 0)

# Of a JSON string: the converter lets line breaks stand in it as they are, which readers of JSON refuse.
_ANY_CHARACTER, _NO_CONTROL_CHARACTER = r'[^"\\]', r'[^"\\\x00-\x1F\x7F]'


def load_pack(pack: Path) -> bool:
    """A GPU's library (`app.inference.engine_packs`), before the first model. Whether it could be loaded."""
    return native_parts.load_pack(api._lib, _LIBRARIES, pack)


class EngineLog:
    """llama.cpp's log: to standard error, the lines of the current load kept, and each told to `listener`."""

    _in_force: ClassVar[Any] = None

    def __init__(self, listener: Callable[[str], None] | None = None) -> None:
        self.lines: list[str] = []
        self._listener = listener
        EngineLog._in_force = api.llama_log_callback(self._take)  # kept: llama.cpp calls it also when this is gone
        api.llama_log_set(EngineLog._in_force, None)

    def _take(self, level: int, text: bytes, _data: Any) -> None:
        if level >= 2:  # 1 is debug: thousands of lines a load
            line = text.decode("utf-8", "replace")
            self.lines.append(line)
            sys.stderr.write(line)
            if self._listener is not None:
                self._listener(line)


class Grammar:
    """A grammar's state for one answer, as `Sampler` wants it."""

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler

    def allowed(self, ids: Ids) -> npt.NDArray[np.bool_]:
        candidates = np.zeros(ids.size, dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        candidates["id"] = ids
        data = ctypes.cast(candidates.ctypes.data, api.llama_token_data_p)
        array = api.llama_token_data_array(data, ids.size, -1, False)
        api.llama_sampler_apply(self._sampler, ctypes.byref(array))
        kept: npt.NDArray[np.bool_] = np.isfinite(candidates["logit"])
        return kept

    def accept(self, token: int) -> None:
        api.llama_sampler_accept(self._sampler, token)


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep native code from writing into the log, which is the process's standard error."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def grammar_of(vocabulary: Any, command: Ask) -> Iterator[Grammar | None]:
    text = command.grammar
    problem = schema_limits.problem_of(command.json_schema) if command.json_schema is not None else ""
    if problem:
        raise AppError("grammar_invalid", reason=problem)
    try:
        if command.json_schema is not None:
            text = json_schema_to_gbnf(command.json_schema).replace(_ANY_CHARACTER, _NO_CONTROL_CHARACTER)
    except Exception as error:  # the converter raises whatever its recursion meets
        raise AppError("grammar_invalid", reason=str(error)) from error
    if text is None:
        yield None
        return
    if command.json_schema is not None and len(text) > schema_limits.GRAMMAR_CHARACTERS:
        raise AppError("grammar_invalid", reason=f"a grammar of {len(text):,} characters")
    with _silenced():  # what it cannot parse is written out whole, with the texts of whoever asks
        sampler = api.llama_sampler_init_grammar(vocabulary, text.encode("utf-8"), b"root")
    if not sampler:
        raise AppError("grammar_invalid", reason="not a GBNF grammar with a rule named root")
    try:
        yield Grammar(sampler)
    finally:
        api.llama_sampler_free(sampler)
