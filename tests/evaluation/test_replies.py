"""The journal of replies: what is written stays, half a line is dropped, and nothing is taken for another prompt."""

import dataclasses
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.inference import reply_journal
from app.inference.reply_journal import ModelReply, ReplyJournal, StandalonePrompt

PROMPT = StandalonePrompt("採点してください。", "質問", 'root ::= "はい"', 8)
REPLY = ModelReply("はい\n改行と\u2028と「引用」", "end", 12, 3, 0.25)


def test_what_was_replied_is_there_the_next_time_and_half_a_line_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "新しい" / "journal.jsonl"
    assert reply_journal.read(path) == {}
    journal = ReplyJournal(path)
    journal.add("a", REPLY)
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"key": "b", "text": "\xe3\x81')
    assert reply_journal.read(path) == {"a": REPLY}
    again = ReplyJournal(path)
    again.add("c", REPLY)
    again.close()
    assert reply_journal.read(path) == {"a": REPLY, "c": REPLY}


@pytest.mark.parametrize("line", [b"[]\n", b'{"text": ""}\n', b"not json\n", b'{"key": "a", "other": 1}\n'])
def test_what_is_no_journal_is_refused_and_left_alone(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(line)
    for opened in (ReplyJournal, reply_journal.read):
        with pytest.raises(AppError, match="journal_damaged"):
            opened(path)
    assert path.read_bytes() == line


def test_two_do_not_write_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reply_journal, "ABANDONED_S", 0.0)
    path = tmp_path / "journal.jsonl"
    journal = ReplyJournal(path)
    with pytest.raises(AppError, match="journal_busy"):
        ReplyJournal(path)
    journal.close()
    ReplyJournal(path).close()


def test_the_key_is_of_everything_that_a_reply_depends_on() -> None:
    others = [
        dataclasses.replace(PROMPT, system=""),
        dataclasses.replace(PROMPT, question="質問?"),
        dataclasses.replace(PROMPT, grammar=""),
        dataclasses.replace(PROMPT, max_tokens=9),
    ]
    keys = {reply_journal.reply_key(one, "model") for one in (PROMPT, *others)} | {
        reply_journal.reply_key(PROMPT, "other")
    }
    assert len(keys) == 6
    assert reply_journal.reply_key(PROMPT, "model") == reply_journal.reply_key(dataclasses.replace(PROMPT), "model")
