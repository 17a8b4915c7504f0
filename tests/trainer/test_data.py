"""Rows are read strictly, nothing is cut silently, and each example stays alone in its row of a batch."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.trainer import trainer_side
from tests.trainer.card_forms import CARD_FORMS, as_json, form_of
from tests.trainer.chats import CHATS, rows
from tests.trainer.training_runs import RunServer
from trainer import data
from trainer.events import RunError

Json = dict[str, Any]
CONTEXT = 160
LLAMA = as_json(form_of(CARD_FORMS["llama3"]))
PLAIN = as_json(form_of(CARD_FORMS["question_answer"]))
SYSTEM = "橋の専門家です。"


def conversation(turns: int, words: int = 6, system: str = "") -> list[dict[str, str]]:
    """`words`: of each answer."""
    messages = [{"role": "system", "content": system}] if system else []
    for turn in range(turns):
        messages.append({"role": "user", "content": f"問{turn}"})
        messages.append({"role": "assistant", "content": f"答{turn} " + "橋の長さです。" * words})
    return messages


# What each line of the file is, for the three ways with what is too long.
SHORT, MANY_TURNS, WITH_SYSTEM, LONG_ANSWER, LONG_MIDDLE = 1, 2, 3, 4, 5
LINES = {
    SHORT: conversation(1),
    MANY_TURNS: conversation(9),
    WITH_SYSTEM: conversation(7, system=SYSTEM),
    LONG_ANSWER: conversation(1, words=80),
    LONG_MIDDLE: [*conversation(1), *conversation(1, words=80), *conversation(1, words=5)],
}


def written(folder: Path, conversations: list[Any]) -> Path:
    file = folder / "rows.jsonl"
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows(conversations))
    file.write_text("".join(lines), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def encoded(server: RunServer, tiny_bases: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Json:
    folder = tmp_path_factory.mktemp("data")
    files = {"lines": written(folder, list(LINES.values()))}
    (folder / "chats").mkdir()
    files["chats"] = written(folder / "chats", CHATS)

    def request(file: str, over_length: str, form: Json = LLAMA, loss: str = "answers", context: int = CONTEXT) -> Json:
        limits = {"over_length": over_length, "loss": loss, "context_tokens": context}
        return {"call": "examples", "folder": str(tiny_bases["llama"]), "file": str(files[file]), "form": form} | limits

    asked = {way: request("lines", way) for way in ("refuse", "drop", "split")}
    asked["split plain"] = request("lines", "split", PLAIN)
    asked["all"] = request("lines", "drop", loss="all")
    asked["chats"] = request("chats", "refuse", context=100_000)
    asked["whole"] = request("lines", "refuse", context=100_000)
    return trainer_side.ask(server, asked, folder)


# ------------------------------------------------------------------- reading


def refused(file: Path, sha256: str = "") -> RunError:
    with pytest.raises(RunError) as caught:
        data.read_rows(file, sha256)
    return caught.value


def test_rows_are_read_with_their_lines(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    first = {"id": "a1", "messages": conversation(1), "group": "第1章"}
    lines = ["\ufeff" + json.dumps(first), "", json.dumps({"messages": conversation(2, system=SYSTEM)}), "  "]
    file.write_text("\r\n".join(lines), encoding="utf-8")
    found = data.read_rows(file)
    assert [(row.line, len(row.messages)) for row in found] == [(1, 2), (3, 5)]
    assert found[0].messages == tuple(conversation(1))


BAD_ROWS = {
    "not json": "JSON",
    "[1, 2]": "messages",
    '{"text": "x"}': "messages",
    '{"messages": []}': "messages",
    '{"messages": "x"}': "messages",
    '{"messages": ["x"]}': "role",
    '{"messages": [{"role": "tool", "content": "x"}]}': "tool",
    '{"messages": [{"role": "user", "content": "x"}]}': "roles",
    '{"messages": [{"role": "system", "content": "x"}]}': "roles",
    '{"messages": [{"role": "assistant", "content": "x"}, {"role": "user", "content": "x"}]}': "roles",
    '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": " \\n"}]}': "no text",
    '{"messages": [{"role": "user", "content": "x"}, {"role": "assistant"}]}': "no text",
    '{"messages": [{"role": "user", "content": ["x"]}, {"role": "assistant", "content": "x"}]}': "no text",
    '{"messages": [{"role": "user", "content": "\\ud83d"}, {"role": "assistant", "content": "x"}]}': "UTF-8",
}


@pytest.mark.parametrize("line", BAD_ROWS)
def test_what_is_no_row_is_refused_with_its_line(line: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    good = json.dumps({"messages": conversation(1)})
    file.write_text(f"{good}\n\n{line}\n{good}\n", encoding="utf-8")
    error = refused(file)
    assert (error.code, error.facts["path"], error.facts["line"]) == ("data_invalid", str(file), 3)
    assert BAD_ROWS[line] in error.facts["reason"]


def test_other_encodings_and_a_missing_file_are_told(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(json.dumps({"messages": conversation(1)}, ensure_ascii=False).encode("cp932"))
    error = refused(file)
    assert (error.code, error.facts["reason"]) == ("data_invalid", "no UTF-8")
    assert refused(tmp_path / "none.jsonl").code == "data_missing"


def test_a_file_that_has_changed_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, [conversation(1)])
    frozen = hashlib.sha256(file.read_bytes()).hexdigest()
    assert len(data.read_rows(file, frozen)) == 1
    with file.open("a", encoding="utf-8") as stream:
        stream.write("\n")
    error = refused(file, frozen)
    assert (error.code, error.facts) == ("data_changed", {"path": str(file)})


# ------------------------------------------------------------------ too long


def lines_of(found: Json) -> list[int]:
    return [example["line"] for example in found["examples"]]


def test_refused_rows_are_told_and_stay_whole_and_dropped_ones_are_told(encoded: Json) -> None:
    found = encoded["refuse"]
    assert found["too_long"] == [MANY_TURNS, WITH_SYSTEM, LONG_ANSWER, LONG_MIDDLE]
    assert (found["dropped"], found["split"]) == ([], [])
    assert lines_of(found) == [1, 2, 3, 4, 5]
    assert found["examples"] == encoded["whole"]["examples"]
    assert found["longest"] == max(found["lengths"]) > CONTEXT
    found = encoded["drop"]
    assert found["dropped"] == [MANY_TURNS, WITH_SYSTEM, LONG_ANSWER, LONG_MIDDLE]
    assert (found["too_long"], found["split"], lines_of(found)) == ([], [], [SHORT])
    assert found["longest"] == encoded["refuse"]["longest"]


@pytest.mark.parametrize(("name", "before"), [("split", ""), ("split plain", " ")])
def test_a_split_trains_each_answer_once_and_whole(name: str, before: str, encoded: Json) -> None:
    found = encoded[name]
    assert max(found["lengths"]) <= CONTEXT
    assert found["split"] == [MANY_TURNS, WITH_SYSTEM, LONG_MIDDLE]
    assert found["dropped"] == [LONG_ANSWER, LONG_MIDDLE]
    end = "<|eot_id|>" if name == "split" else "<|end_of_text|>"
    for line in (MANY_TURNS, WITH_SYSTEM, LONG_MIDDLE):
        answers = [message["content"] for message in LINES[line] if message["role"] == "assistant"]
        if line == LONG_MIDDLE:
            del answers[1]
        trained = "".join(
            text for text, example in zip(found["trained"], found["examples"], strict=True) if example["line"] == line
        )
        assert trained == "".join(f"{before}{answer}{end}" for answer in answers)


def test_a_part_of_a_conversation_begins_with_turns_before_it_and_the_system_message(encoded: Json) -> None:
    found = encoded["split"]
    parts = [
        text for text, example in zip(found["texts"], found["examples"], strict=True) if example["line"] == WITH_SYSTEM
    ]
    assert len(parts) > 2
    for text in parts:
        assert text.count("<|begin_of_text|>") == 1
        assert text.startswith("<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n" + SYSTEM)
    for one, other in pairwise(parts):
        last = one.rpartition("user<|end_header_id|>\n\n")[2].partition("<|eot_id|>")[0]
        assert last in other  # the turn that the part before ended with


# ------------------------------------------------------------ loss and batches


def test_every_row_learns_its_end_and_the_whole_sequence_where_the_spec_says_so(encoded: Json) -> None:
    for example in encoded["all"]["examples"]:
        assert example["labels"] == [-100, *example["ids"][1:]]
    found = encoded["chats"]
    for example, text in zip(found["examples"], found["trained"], strict=True):
        assert example["labels"][-1] == example["ids"][-1] != -100
        assert text.endswith("<|eot_id|>")


def test_every_example_is_alone_in_its_row_of_the_batch(encoded: Json) -> None:
    """No packing: nothing of one example can be seen from another."""
    found = encoded["chats"]
    batch, examples = found["batch"], found["examples"]
    assert len(examples) == len(CHATS) == len(batch["input_ids"])
    longest = max(found["lengths"])
    for at, example in enumerate(examples):
        length = len(example["ids"])
        assert batch["input_ids"][at][:length] == example["ids"]
        assert batch["labels"][at] == example["labels"] + [-100] * (longest - length)
        assert batch["attention_mask"][at] == [1] * length + [0] * (longest - length)
        assert example["ids"].count(0) == 1  # <|begin_of_text|>


# --------------------------------------------------------------------- order


LENGTHS = [(at * 37) % 101 for at in range(100)]


@pytest.mark.parametrize("batch", [1, 8, 16, 1000])
def test_an_epoch_has_each_example_once(batch: int) -> None:
    assert sorted(data.epoch_order(100, batch, 42, 0, LENGTHS)) == list(range(100))


def test_the_order_comes_from_seed_and_epoch_alone() -> None:
    def drawn(seed: int, epoch: int) -> list[int]:
        return data.epoch_order(100, 8, seed, epoch, LENGTHS)

    assert drawn(42, 3) == drawn(42, 3)
    assert len({tuple(drawn(seed, epoch)) for seed in (1, 2) for epoch in (0, 1)}) == 4
    assert drawn(42, 0)[:8] == FIRST_STEP


# On every platform and Python: a run that is resumed elsewhere goes on with the same rows.
FIRST_STEP = [27, 54, 2, 78, 9, 28, 66, 11]


def test_a_step_holds_the_examples_of_the_shuffled_order_the_longest_first() -> None:
    plain = data.epoch_order(100, 1, 42, 0, LENGTHS)
    sorted_steps = data.epoch_order(100, 16, 42, 0, LENGTHS)
    for begin in range(0, 100, 16):
        step = sorted_steps[begin : begin + 16]
        assert set(step) == set(plain[begin : begin + 16])
        lengths = [LENGTHS[at] for at in step]
        assert lengths == sorted(lengths, reverse=True)
