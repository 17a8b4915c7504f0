"""`kotae ask -`: the question from standard input."""

import io
import sys
from types import SimpleNamespace

import pytest

from app.models import starter
from tests.chat.cli.conftest import COVER, QUESTION


def pipe(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))


@pytest.mark.model
@pytest.mark.skipif(not starter.is_available(), reason="the starter's package is not installed")
def test_the_question_comes_from_standard_input(ask_json, monkeypatch):
    pipe(monkeypatch, f"{QUESTION}\r\n".encode("utf-8-sig"))
    status, answer, told = ask_json("-", "--collection", "基準")
    assert status == 0, told
    assert COVER in answer["answer"]


@pytest.mark.parametrize(("content", "code"), [(b" \n", "empty_question"), (b"\x8e\xbf\x96\xe2", "question_not_utf8")])
def test_what_is_no_question_is_said(run_at, monkeypatch, content, code):
    pipe(monkeypatch, content)
    status, said, _ = run_at("データ", "ask", "-", "--json")
    assert (status, code in said) == (3, True)
