"""`kotae eval questions` of a model on a server that computes many answers together, as vLLM does."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base import confidentiality, paths
from app.evaluation import question_sets
from tests.command_fixtures import Kotae
from tests.inference.remote.servers import Request, end, piece, scripted_server, stream_head, whole

CHAT = "POST /v1/chat/completions"
QUESTIONS = 30
TOGETHER = 12  # more than any other server is asked at a time


class Counted:
    """Answers nobody after the first ten before so many have asked at a time."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._now = self._asked = self.most = 0

    def answer(self, _request: Request) -> Iterator[bytes]:
        with self._condition:
            self._now += 1
            self._asked += 1
            self.most = max(self.most, self._now)
            self._condition.notify_all()
            if self._asked > 10:
                self._condition.wait_for(lambda: self.most >= TOGETHER, timeout=60)
        try:
            yield from (stream_head(), piece("五年ごとです。"), end(usage={"prompt_tokens": 9, "completion_tokens": 3}))
        finally:
            with self._condition:
                self._now -= 1


@pytest.mark.parametrize("owner", ["vllm", "someone"])
def test_many_questions_are_sent_at_once_to_a_server_that_computes_them_together(
    owner: str, kotae: Kotae, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"question": f"橋{n}の点検は何年ごとですか？", "reference": "五年ごとです。"} for n in range(QUESTIONS)]
    file = tmp_path / "問い.jsonl"
    file.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), encoding="utf-8")
    counted = Counted()
    monkeypatch.setattr(f"{__name__}.TOGETHER", TOGETHER if owner == "vllm" else 1)
    with scripted_server() as script:
        model = {"id": "m", "object": "model", "owned_by": owner, "max_model_len": 4096}
        script.says("GET /v1/models", whole({"object": "list", "data": [model]}))
        script.answers[CHAT] = counted.answer
        (tmp_path / "データ").mkdir()
        status, added, log = kotae("models", "add-remote", script.address)
        assert status == 0, log
        refused = kotae("eval", "questions", str(file), "--model", added["id"])
        assert (refused[0], refused[1]["error"]["code"]) == (3, "remote_not_allowed")
        assert script.questions == []
        status, result, log = kotae("eval", "questions", str(file), "--model", added["id"], "--allow-remote")
        assert status == 0, log
        assert len(script.questions) == QUESTIONS
    assert (len(result["systems"][0]["answers"]), result["systems"][0]["failed"]) == (QUESTIONS, 0)
    assert (counted.most >= 12) is (owner == "vllm")
    assert counted.most <= (32 if owner == "vllm" else 4)


def test_questions_of_secret_documents_are_sent_to_no_server(kotae: Kotae, tmp_path: Path) -> None:
    where = paths.locate(str(tmp_path / "データ"))
    where.questions.mkdir(parents=True)
    question_sets.store(where.questions, "秘", question_sets.shipped().questions[:3], confidentiality.HIGHEST_LABEL)
    with scripted_server() as script:
        script.answers[CHAT] = Counted().answer
        _, added, _ = kotae("models", "add-remote", script.address)
        _, result, _ = kotae("eval", "questions", "秘", "--model", added["id"], "--allow-remote")
        assert result["error"]["code"] == "remote_secret"
        assert script.questions == []
