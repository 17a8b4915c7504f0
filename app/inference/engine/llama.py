"""Wrap llama.cpp's C interface; this is the only module that imports llama_cpp.

`api` is the binding. Native callbacks for the log, the abort check and grammars are made here, facts that the interface
lacks are read from the log, and `main` is the child that lists graphics cards. The high-level
`llama_cpp.Llama` is not used: it compiles every chat template it loads, crashes on an adapter that does not fit, and
walks the whole vocabulary for each token.

A portable build (packaging/llama_build.py, PORTABLE_FLAGS) has a CPU library for each processor generation and loads
the newest that this one can run; a build for one machine has none to load. GPU packs are loaded the same way.

A JSON schema is limited before it becomes a grammar, because the grammar's parser writes each repetition out and
recurses for each level: a schema of a hundred bytes could fill the memory or end the process.
"""

import ctypes
import dataclasses
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

# Import the package without its class `Llama`, whose jinja2 and disk cache take as long as all else here.
if "llama_cpp" not in sys.modules:
    sys.modules["llama_cpp.llama"] = ModuleType("llama_cpp.llama")
    import llama_cpp

    del sys.modules["llama_cpp.llama"]

import llama_cpp
import numpy as np
import numpy.typing as npt
from llama_cpp import llama_cpp as api
from llama_cpp.llama_grammar import json_schema_to_gbnf

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.isolation import sandbox
from app.inference import engine_packs
from app.inference.engine.generation import Ids
from app.inference.engine.messages import Ask
from app.inference.memory_estimate import MIB
from app.inference.offload import Card
from trainer.wire import claim_stdout, ends_process

_PREFIX, _SUFFIX = ("ggml-cpu-", ".dll") if sys.platform == "win32" else ("libggml-cpu-", ".so")


def load_cpu_backends(library: ctypes.CDLL, folder: Path) -> None:
    """Load the CPU library that fits this processor.

    `library`: any that exports ggml's functions. `folder`: the folder with llama.cpp's libraries.
    """
    os.environ.pop("GGML_BACKEND_PATH", None)  # ggml would load any library that this variable names
    if any(folder.glob(f"{_PREFIX}*{_SUFFIX}")):
        load_all = _ggml(library, folder).ggml_backend_load_all_from_path
        load_all.argtypes, load_all.restype = [ctypes.c_char_p], None
        load_all(str(folder).encode("utf-8"))


def _ggml(library: ctypes.CDLL, folder: Path, part: str = "ggml") -> ctypes.CDLL:
    """Return ggml's library, not another copy, which would have its own list of devices.

    Windows finds functions only in the very file that exports them: ggml or ggml-base.
    """
    return ctypes.CDLL(str(folder / f"{part}.dll")) if sys.platform == "win32" else library


_needed: list[ctypes.CDLL] = []  # kept, so that the backend finds them by their names
_GPU, _INTEGRATED_GPU = 1, 2  # ggml_backend_dev_type


@dataclass(frozen=True, slots=True)
class Device:
    """A graphics card that a backend has found. `handle`: ggml's pointer."""

    handle: int
    card: Card


def devices() -> tuple[Device, ...]:
    """Return the graphics cards of the backends that are loaded; integrated ones only if there is no other."""
    registry, base = _ggml(api._lib, _LIBRARIES), _ggml(api._lib, _LIBRARIES, "ggml-base")
    count, get = registry.ggml_backend_dev_count, registry.ggml_backend_dev_get
    count.restype, get.argtypes, get.restype = ctypes.c_size_t, [ctypes.c_size_t], ctypes.c_void_p
    name, about, kind, memory = (
        getattr(base, f"ggml_backend_dev_{part}") for part in ("name", "description", "type", "memory")
    )
    for function in (name, about):
        function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_char_p
    kind.argtypes, kind.restype = [ctypes.c_void_p], ctypes.c_int
    memory.argtypes, memory.restype = [ctypes.c_void_p, *[ctypes.POINTER(ctypes.c_size_t)] * 2], None
    found = []
    for handle in map(get, range(count())):
        if kind(handle) in (_GPU, _INTEGRATED_GPU):
            free, total = ctypes.c_size_t(), ctypes.c_size_t()
            memory(handle, ctypes.byref(free), ctypes.byref(total))
            texts = [function(handle).decode("utf-8", "replace") for function in (name, about)]
            is_integrated = kind(handle) == _INTEGRATED_GPU
            found.append(Device(handle, Card(texts[0], texts[1], free.value, total.value, is_integrated)))
    own = tuple(device for device in found if not device.card.is_integrated)
    return own or tuple(found)


SCHEMA_BYTES = 100_000
VALUES_MOST = 5_000
DEPTH_MOST = 32
REPEATS_MOST = 2_000  # in a whole schema; llama.cpp itself refuses more in one quantifier
PATTERN_CHARACTERS = 300
GRAMMAR_CHARACTERS = 200_000
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength")
# Splits a pattern as llama-cpp-python does (llama_grammar.SchemaConverter): a text that ends in an escaped character is
# repeated as a whole, any other character by itself.
_PART = re.compile(r"(?:\\.|[^\\()\[\]{}|.*+?])*\\.|\[(?:\\.|[^\\\]])*\]?|\{[^}]*\}?|.", re.DOTALL)


def schema_problem(schema: str) -> str:
    """Return which limit a JSON schema exceeds, in English for an error's details; "" if none. Takes linear time."""
    if len(schema) > SCHEMA_BYTES:
        return f"a schema of more than {SCHEMA_BYTES:,} characters"
    try:
        values = list(_values(strict_json.loads(schema), 0))
    except ValueError:
        return f"a schema that is nested deeper than {DEPTH_MOST}, or is no JSON"
    if len(values) > VALUES_MOST:
        return f"a schema of more than {VALUES_MOST:,} values"
    repeats = 0
    for key, value in values:
        if key in _COUNTS and isinstance(value, int | float):
            repeats += int(value) if 0 <= value <= REPEATS_MOST else 0 if value < 0 else REPEATS_MOST + 1
        elif key == "pattern" and isinstance(value, str):
            if len(value) > PATTERN_CHARACTERS:
                return f"a pattern of more than {PATTERN_CHARACTERS} characters"
            repeats += _added_parts(value)
    return f"more than {REPEATS_MOST:,} repetitions" if repeats > REPEATS_MOST else ""


def _values(value: Any, depth: int, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each nested value with its key ("" in a list). Raises ValueError beyond DEPTH_MOST levels."""
    if depth > DEPTH_MOST:
        raise ValueError("depth")
    yield key, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _values(inner, depth + 1, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner, depth + 1)


def _added_parts(pattern: str) -> int:
    """Return how many parts a pattern gains when its repetitions are written out.

    Sizes of parts side by side are added; the size of a group is multiplied by its repetitions.
    """
    groups, written = [[0]], 0  # sizes of the parts of each open group; size as written
    for part in _PART.findall(pattern):
        if part == "(":
            groups.append([0])
        elif part == ")" and len(groups) > 1:
            groups[-2].append(sum(groups.pop()))
        elif part[0] == "{":
            groups[-1][-1] *= _most_repeats(part)
        else:
            size = 1 if part[0] == "[" else len(part)
            groups[-1].append(size)
            written += size
    return sum(map(sum, groups)) - written


def _most_repeats(quantifier: str) -> int:
    """Return how often a quantifier repeats its part at most; 1 if it is malformed, since it is refused later."""
    try:
        return max([1, *(int(number) for number in quantifier.strip("{}").split(",") if number.strip())])
    except ValueError:
        return 1


__all__ = ["api"]

NAME = f"llama-cpp-python {llama_cpp.__version__}"

_LIBRARIES = Path(api._lib._name).parent  # beside the library that was loaded, wherever that is
load_cpu_backends(api._lib, _LIBRARIES)

# llama.cpp calls `bool abort(void *data)` at every node of the graph. A Python function would take the interpreter's
# lock thousands of times per token. strlen of a C string that is empty until cancelled answers the same question
# natively: 0 or 1.
_libc = ctypes.CDLL(None) if sys.platform != "win32" else ctypes.CDLL("msvcrt")
is_cancelled_natively = api.ggml_abort_callback(ctypes.cast(_libc.strlen, ctypes.c_void_p).value or 0)

# Inside a JSON string: the converter would allow raw line breaks, which JSON parsers refuse.
_ANY_CHARACTER, _NO_CONTROL_CHARACTER = r'[^"\\]', r'[^"\\\x00-\x1F\x7F]'


def load_pack(pack: Sequence[Path]) -> bool:
    """Load a GPU pack (`engine_packs.verified`): its last file is the backend, the others are what that needs.

    Return whether that worked; without its driver it fails.
    """
    try:
        _needed.extend(ctypes.CDLL(str(needed)) for needed in pack[:-1])
    except OSError as error:
        print(f"engine: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
        return False
    load = _ggml(api._lib, _LIBRARIES).ggml_backend_load
    load.argtypes, load.restype = [ctypes.c_char_p], ctypes.c_void_p
    return bool(load(str(pack[-1]).encode("utf-8")))


def load_packs(packs: Sequence[str]) -> tuple[str, tuple[Device, ...]]:
    """Load the first pack that finds a graphics card. Return its folder ("": none does) and the cards."""
    for pack in packs:
        files = engine_packs.verified(Path(pack))
        if files and load_pack(files) and (found := devices()):
            return pack, found
    return "", devices()


@ends_process
def main(packs: Sequence[str]) -> None:
    """Run the child that lists graphics cards, because drivers crash and hang: a line of JSON for each `Card`.

    `packs`: folders of packs, best first.
    """
    writer = claim_stdout()
    sandbox.confine(sandbox.graphics_paths())
    for device in load_packs(packs)[1]:
        writer.send(dataclasses.asdict(device.card))


def load_mtmd() -> Any:
    """Return the binding of llama.cpp's multimodal library; None if this engine was built without it."""
    os.environ.pop("MTMD_CPP_LIB", None)  # the binding would load any library that this variable names
    try:
        from llama_cpp import mtmd_cpp
    except (OSError, RuntimeError):
        return None
    return mtmd_cpp


class EngineLog:
    """Receives llama.cpp's log: writes it to standard error, keeps `lines`, and passes each line to `listener`."""

    callback: ClassVar[Any] = None

    def __init__(self, listener: Callable[[str], None] | None = None) -> None:
        self.lines: list[str] = []
        self._listener = listener
        EngineLog.callback = api.llama_log_callback(self._on_line)  # kept alive: llama.cpp may call it later
        api.llama_log_set(EngineLog.callback, None)

    def _on_line(self, level: int, text: bytes, _data: Any) -> None:
        if level >= 2:  # 1 is debug: thousands of lines per load
            line = text.decode("utf-8", "replace")
            self.lines.append(line)
            sys.stderr.write(line)
            if self._listener is not None:
                self._listener(line)


class LlamaGrammar:
    """Holds the state of a grammar during one answer, for `Sampler`."""

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

    def close(self) -> None:
        api.llama_sampler_free(self._sampler)


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep native code from writing into the log, which is this process's standard error."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def grammar_of(vocabulary: Any, command: Ask) -> LlamaGrammar | None:
    """Return the grammar of a command, or None if it has none. Raises AppError("grammar_invalid")."""
    text = command.grammar
    problem = schema_problem(command.json_schema) if command.json_schema is not None else ""
    if problem:
        raise AppError("grammar_invalid", reason=problem)
    try:
        if command.json_schema is not None:
            text = json_schema_to_gbnf(command.json_schema).replace(_ANY_CHARACTER, _NO_CONTROL_CHARACTER)
    except Exception as error:  # the converter may raise any exception
        raise AppError("grammar_invalid", reason=str(error)) from error
    if text is None:
        return None
    if command.json_schema is not None and len(text) > GRAMMAR_CHARACTERS:
        raise AppError("grammar_invalid", reason=f"a grammar of {len(text):,} characters")
    with _silenced():  # it would print a grammar that it cannot parse, with the user's texts
        sampler = api.llama_sampler_init_grammar(vocabulary, text.encode("utf-8"), b"root")
    if not sampler:
        raise AppError("grammar_invalid", reason="not a GBNF grammar with a rule named root")
    return LlamaGrammar(sampler)


_DEVICE = re.compile(r"using device (\S+ \(.+?\))(?: \([^)]*\))?(?: - \d+ MiB free)?$")
_WEIGHTS = re.compile(r"load_tensors: +(\S+) model buffer size = +([\d.]+) MiB")
_KV = re.compile(r"(?:KV|RS) buffer size = +([\d.]+) MiB")
_KV_TYPE = re.compile(r", K \((\w+)\):")
_COMPUTE = re.compile(r"compute buffer size = +([\d.]+) MiB")
_REPACKED = re.compile(r"(?:_REPACK|AMX) +model buffer size")


@dataclass(frozen=True, slots=True)
class LoadLogFacts:
    """Holds the facts that llama.cpp's log states about a load."""

    devices: tuple[str, ...] = ()
    gpu_bytes: int = 0  # weights in buffers of these devices
    kv_bytes: int = 0
    compute_bytes: int = 0
    kv_type: str = ""  # type of the cached keys and values
    is_repacked: bool = False
    flash_attention: bool = False


def read_load_log(lines: Sequence[str]) -> LoadLogFacts:
    """Read the facts of one load. Lines missing in another version's log leave the defaults."""
    text = "\n".join(lines)
    devices = tuple(match[1] for line in lines if (match := _DEVICE.search(line.strip())))
    names = {device.partition(" ")[0] for device in devices}
    sizes = (float(match[2]) for match in _WEIGHTS.finditer(text) if match[1] in names)
    return LoadLogFacts(
        devices=devices,
        gpu_bytes=int(sum(sizes) * MIB),
        kv_bytes=_total(_KV, text),
        compute_bytes=_total(_COMPUTE, text),
        kv_type=found[1] if (found := _KV_TYPE.search(text)) else "",
        is_repacked=bool(_REPACKED.search(text)),
        flash_attention=bool(re.search(r"Flash Attention enabled|flash_attn += enabled", text)),
    )


def first_error_line(lines: Sequence[str]) -> str:
    """Return the first line that states an error (later ones only repeat it), else the last line."""
    candidates = [line.strip() for line in lines if "error" in line.lower() or "failed" in line.lower()]
    return candidates[0] if candidates else (lines[-1].strip() if lines else "")


def _total(pattern: re.Pattern[str], text: str) -> int:
    return int(sum(float(match[1]) for match in pattern.finditer(text)) * MIB)
