"""JSON from elsewhere: bounded in size, depth and number of values, at one place for the whole program."""

import ast
import json
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.files import strict_json
from app.chat.batch import question_table
from app.evaluation import question_files
from app.training.data import file_import
from tests.sources import sources

MEBIBYTE = 1 << 20

_BOMBS: dict[str, Callable[[], str]] = {
    "empty lists": lambda: "[" + "[]," * 3_000_000 + "[]]",
    "empty objects": lambda: "[" + "{}," * 3_000_000 + "{}]",
    "numbers of one digit": lambda: "[" + "1," * 4_000_000 + "1]",
    "short keys": lambda: "{" + ",".join(f'"{n:x}":{{}}' for n in range(1_000_000)) + "}",
    "lists in lists": lambda: "[" * 2_000_000,
    "a number of a million digits": lambda: "1" * 1_000_000,
}


@pytest.fixture(params=_BOMBS)
def bomb(request, tmp_path: Path) -> Path:
    path = tmp_path / "x.json"
    path.write_text(_BOMBS[request.param]())
    return path


@pytest.fixture
def peak_mb() -> Iterator[list[float]]:
    """What was taken at most, known when the test has ended; it fails then where it was too much."""
    tracemalloc.start()
    yield []
    peak = tracemalloc.get_traced_memory()[1] / MEBIBYTE
    tracemalloc.stop()
    assert peak < 100


@pytest.mark.fault("S19")
def test_a_short_text_of_many_values_is_refused_before_it_takes_memory(bomb, peak_mb):
    begun = time.process_time()
    with pytest.raises(ValueError):
        strict_json.load_file(bomb)
    assert time.process_time() - begun < 2


@pytest.mark.fault("S19")
def test_a_file_beyond_the_limit_is_not_read_at_all(tmp_path, peak_mb):
    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(OSError, match="too large"):
        strict_json.load_file(path, 1000)


@pytest.mark.fault("S19")
@pytest.mark.parametrize(
    ("read", "suffix"),
    [
        (file_import.import_file, ".json"),
        (file_import.import_file, ".jsonl"),
        (file_import.read_outline, ".json"),
        (question_files.read, ".json"),
        (question_files.read, ".jsonl"),
        (question_table.read_question_table, ".jsonl"),
    ],
)
def test_data_question_sets_and_batches_have_the_same_limit(read, suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    row = '{"question": "あ", "answer": [' + "[]," * 200_000 + "[]]}\n"
    path.write_text(row * 10 if suffix == ".jsonl" else f"[{','.join([row] * 10)}]", "utf-8")
    with pytest.raises(AppError) as caught:
        read(path)
    assert caught.value.code == "table_crowded"


def test_what_training_data_and_journals_look_like_is_no_bomb():
    row = '{"messages":[{"role":"user","content":"あ、い、う"},{"role":"assistant","content":"え。"}]},'
    assert not strict_json.is_crowded(row * 30_000)
    assert not strict_json.is_crowded('{"type":"step","step":1,"loss":0.1,"lr":1e-5,"time":12.5}\n' * 100_000)
    assert strict_json.loads(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


# Lines between this program and its own children, rows of its own database, and files that it ships.
OWN = {
    "app/base/diagnostics.py", "app/base/migrations.py", "app/chat/presets.py", "app/chat/store.py",
    "app/chat/records.py", "app/compliance/components.py", "app/documents/library.py",
    "app/documents/document_tables.py", "app/evaluation/study/studies.py", "app/inference/engine/chat_template.py",
    "app/serve/tool_calls.py",
    "app/inference/engine_packs.py", "app/inference/remote/worker.py", "app/models/model_store.py",
    "app/models/model_registry.py", "app/models/training_environment.py", "app/training/environment/base_pythons.py",
}  # fmt: skip


def test_nothing_else_reads_json_that_came_from_outside():
    found = {
        source.path
        for source in sources("app")
        for node in source.nodes
        if isinstance(node, ast.Attribute)
        and node.attr in ("load", "loads")
        and isinstance(node.value, ast.Name)
        and node.value.id == "json"
    }
    assert found - OWN == {"app/base/files/strict_json.py"}


def test_of_a_file_beyond_the_limit_it_is_said_that_it_is_too_large_to_be_read(tmp_path):
    (tmp_path / "large.json").write_bytes(b"[1, 2, 3]")
    with pytest.raises(OSError, match="too large to be read"):
        strict_json.read_bytes(tmp_path / "large.json", 8)


@pytest.mark.parametrize("odd", ["NaN", "-Infinity", "1e999", '"\\ud800"', "1" * 40, "-0.0", "1e-400", '"\\u0000"'])
def test_a_long_text_is_read_as_a_short_one_is(odd):
    text = f'[{odd}, {{"a": 1, "a": [0.1, 2.2250738585072011e-308, null]}}]'
    *values, padding = strict_json.loads(f'{text[:-1]}, "{"x" * strict_json.FREE_VALUES}"]'.encode())
    assert (repr(values), len(padding)) == (repr(strict_json.loads(text)), strict_json.FREE_VALUES)


def test_every_part_of_a_long_text_is_read():
    rows = [{"id": at, "text": "点検" * (at % 7), "score": at / 3} for at in range(20_000)]
    long = [{"rows": rows[at : at + 7000], "text": "x" * 300_000, "": None} for at in range(0, 20_000, 7000)]
    for value in (rows, long, {"a": {"b": rows, "c": [], "d": {}}}, [rows, "x", 1], dict(enumerate("x" * 200_000))):
        text = json.dumps(value, ensure_ascii=False)
        assert strict_json.loads(text.encode()) == strict_json.loads(text) == json.loads(text)


@pytest.mark.parametrize("wrong", ["01", "[1,]", '"\x01"', "{1: 2}", "1 2", '"\\x"', "\x0b1"])
def test_what_is_no_json_is_none_in_a_long_text(wrong):
    for padding in ("", "x" * strict_json.FREE_VALUES):
        with pytest.raises(ValueError, match="line 1"):
            strict_json.loads(f'["{padding}", {wrong}]')
