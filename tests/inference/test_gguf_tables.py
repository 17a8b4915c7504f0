"""The tables of what the pinned engine knows, against the library that is installed."""

import ctypes
import subprocess
import sys
from pathlib import Path

import llama_cpp
import pytest

from app.inference.gguf import tables
from tests.inference.gguf_bytes import STRING, header, pair, text, write

LIBRARIES = Path(llama_cpp.__file__).parent / "lib"

_ASK_THE_ENGINE = """
import ctypes, sys
from llama_cpp import llama_cpp as api
lines = []
callback = api.llama_log_callback(lambda level, text, data: lines.append(text.decode("utf-8", "replace")))
api.llama_log_set(callback, None)
for path in sys.argv[1:]:
    lines.clear()
    parameters = api.llama_model_default_params()
    parameters.vocab_only = True
    assert not api.llama_model_load_from_file(path.encode(), parameters)
    print(path, "|", "".join(lines).replace("\\n", " "))
"""


def engine_says(paths: list[Path]) -> dict[str, str]:
    """What llama.cpp logs while refusing each of these files."""
    command = [sys.executable, "-c", _ASK_THE_ENGINE, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    lines = (line.split(" | ", 1) for line in done.stdout.splitlines())
    return {Path(path).stem: said for path, said in lines}


def test_tensor_types_have_ggmls_names_and_sizes() -> None:
    ggml = ctypes.CDLL(str(next(LIBRARIES.glob("*ggml-base*"))))
    ggml.ggml_type_name.restype = ctypes.c_char_p
    ggml.ggml_blck_size.restype = ctypes.c_int64
    ggml.ggml_type_size.restype = ctypes.c_size_t
    known = {
        number: tables.TensorType(
            ggml.ggml_type_name(number).decode().upper(), ggml.ggml_blck_size(number), ggml.ggml_type_size(number)
        )
        for number in range(43)
        if ggml.ggml_blck_size(number)
    }
    assert {number: kind._replace(name=kind.name.upper()) for number, kind in tables.TENSOR_TYPES.items()} == known


def test_every_listed_architecture_is_known_to_the_engine(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / f"{name}.gguf", header([pair("general.architecture", STRING, text(name))]))
        for name in [*sorted(tables.ARCHITECTURES), "llama9"]
    ]
    unknown = {name for name, said in engine_says(paths).items() if "unknown model architecture" in said}
    assert unknown == {"llama9"}
    for others in (tables.RECURRENT_ARCHITECTURES, tables.EQUAL_HEAD_LENGTHS, tables.ROTARY_COVERS_HEAD):
        assert others <= tables.ARCHITECTURES


@pytest.mark.parametrize("kind", ["tokenizer", "pre-tokenizer"])
def test_every_listed_tokenizer_is_known_to_the_engine(kind: str, tmp_path: Path) -> None:
    names = sorted(tables.TOKENIZERS if kind == "tokenizer" else tables.PRE_TOKENIZERS)
    paths = []
    for name in [*names, "home-made"]:
        model, pre = (name, "default") if kind == "tokenizer" else ("gpt2", name)
        merges = pair("tokenizer.ggml.merges", 9, b"\x08\0\0\0" + bytes(8))
        pairs = [
            pair("general.architecture", STRING, text("llama")),
            pair("tokenizer.ggml.model", STRING, text(model)),
            pair("tokenizer.ggml.pre", STRING, text(pre)),
            merges,
        ]
        paths.append(write(tmp_path / f"{name}.gguf", header(pairs)))
    said = engine_says(paths)
    assert {name for name, line in said.items() if f"unknown {kind}" in line} == {"home-made"}
