"""The wire: what is sent is what arrives, and nonsense is refused."""

from typing import Any

import pytest

from app.base import json_lines
from app.inference.engine import messages
from app.inference.engine.messages import AdapterUse, Ask, Cancel, Done, Failed, Load, Sampling, Segment, Timings, Usage


@pytest.mark.parametrize(
    "command",
    [
        Load("1", "/モデル/深い　場所/😀.gguf", context_tokens=0, threads=None, repack=True),
        Ask(
            "2",
            (Segment("<s>", markup=True), Segment("改行\n「引用」\u2028\x00")),
            stop=("\n",),
            sampling=Sampling(seed=2**32 - 1),
            adapters=(AdapterUse("a.gguf", 0.5),),
        ),
        Cancel("3"),
    ],
)
def test_a_command_arrives_as_it_was_sent_on_one_line(command: messages.Command) -> None:
    line = json_lines.encode_line(command)
    assert line.count(b"\n") == 1
    assert json_lines.decode(line, messages.COMMANDS) == command


def test_an_event_arrives_as_it_was_sent() -> None:
    done = Done("1", "stop", Usage(10, 4, 3), Timings(0.1, 0.2, 0.3, 0.25, 1), 7)
    assert json_lines.decode(json_lines.encode_line(done), messages.EVENTS) == done
    failed = Failed("2", "context_full", {"prompt_tokens": 9, "nested": {"a": [1]}})
    assert json_lines.decode(json_lines.encode_line(failed), messages.EVENTS) == failed


def test_a_lone_surrogate_in_a_file_name_does_not_break_the_line() -> None:
    assert b"?" in json_lines.encode_line(Load("1", "bad\udcff.gguf"))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"type": "Nonsense"},
        {"type": "Cancel"},
        {"type": "Cancel", "id": "1", "more": 2},
        {"type": "Done", "id": "1"},
    ],
)
def test_nonsense_is_refused_with_a_value_error(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        json_lines.convert_message(data, messages.COMMANDS)
