"""A real small model that thinks because its own template opens its thoughts: asked by commands, and compared."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.base import settings
from app.base.settings import Settings

Run = Callable[..., tuple[int, str, str]]

pytestmark = pytest.mark.model


@pytest.fixture
def ask(run_at: Run, thinker: Path, tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any], str]]:
    """`kotae ask` with the options, after the model was added with its template.

    On one thread: rounding differs with their number, which follows what other programs do.
    """
    assert run_at("pc", "models", "import", thinker, "--trust-template")[0] == 0
    settings.save(tmp_path / "pc" / "settings.json", Settings(threads=1))

    def run(*options: str) -> tuple[int, dict[str, Any], str]:
        status, out, told = run_at(
            "pc", "ask", "日本の首都は？", "--temperature", "0", "--max-tokens", "5", "--json", *options
        )
        return status, json.loads(out), told

    return run


def test_it_thinks_where_it_is_told_to_and_only_there(ask):
    status, thought, _ = ask("--think")
    assert (status, bool(thought["reasoning"]), bool(thought["answer"])) == (0, True, True)
    assert "think>" not in thought["reasoning"] + thought["answer"]
    for option in (("--no-think",), ()):  # what can be switched is off unless somebody wants it
        status, at_once, _ = ask(*option)
        assert (status, "reasoning" in at_once, bool(at_once["answer"])) == (0, False, True)
        assert at_once["answer"] != thought["answer"]


def test_a_study_compares_it_with_and_without_its_thoughts(run_at, thinker, tmp_path, starter_model):
    questions = tmp_path / "質問.jsonl"
    asked = (("二に三を足すと？", "五"), ("日本の首都は？", "東京"), ("四に五を足すと？", "九"))
    rows = [{"question": text, "answer": right, "must_include": [right]} for text, right in asked]
    questions.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    assert run_at("pc", "models", "import", thinker, "--trust-template")[0] == 0
    status, out, told = run_at("pc", "eval", "thinking", questions, "--model", "thinker", "--max-tokens", "6", "--json")
    assert status == 0, told
    found = json.loads(out)
    assert [system["name"] for system in found["systems"]] == ["考えずに答える", "考えてから答える"]
    written = [[one["answer"] for one in system["answers"]] for system in found["systems"]]
    assert written[0] != written[1]
    assert all("think>" not in one["answer"] for system in found["systems"] for one in system["answers"])
    status, _, told = run_at("pc", "eval", "thinking", questions, "--model", starter_model, "--json")
    assert (status, "考えるモデルではありません" in told) == (3, True)
