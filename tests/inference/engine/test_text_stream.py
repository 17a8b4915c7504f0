"""Token bytes into text: whole characters, nothing of a stop string, nothing lost."""

import random

import pytest

from app.inference.engine.generation import TextStream

TEXT = "橋脚の配筋は 24 N/mm² 以上とする。😀「答え」\n次の行"


@pytest.mark.parametrize("seed", range(20))
def test_any_cut_through_the_bytes_gives_the_same_text_and_never_half_a_character(seed: int) -> None:
    data, rng, stream, shown = TEXT.encode("utf-8"), random.Random(seed), TextStream(["[終]"]), []
    while data:
        cut = rng.randint(1, 4)
        shown.append(stream.push(data[:cut]))
        data = data[cut:]
    shown.append(stream.flush())
    assert "".join(shown) == TEXT
    assert all("\ufffd" not in piece for piece in shown)


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_stop_string_split_over_tokens_is_never_shown(cut: int) -> None:
    data, stream, shown = "東京です。\n質問: 次".encode(), TextStream(["\n質問"]), ""
    for at in range(0, len(data), cut):
        shown += stream.push(data[at : at + cut])
    assert shown + stream.flush() == "東京です。"
    assert stream.is_stopped


def test_what_only_looked_like_a_stop_string_is_shown_in_the_end() -> None:
    stream = TextStream(["\n質問"])
    assert stream.push("行の終わり\n質".encode()) == "行の終わり"
    assert stream.push("量".encode()) == "\n質量"


def test_the_earliest_of_several_stop_strings_counts() -> None:
    stream = TextStream(["二", "一"])
    assert stream.push("零一二".encode()) == "零"


def test_bytes_that_are_no_utf_8_are_left_out() -> None:
    stream = TextStream()
    assert stream.push(b"a\xff\xfeb\x80") + stream.push(b"c") + stream.flush() == "abc"


def test_half_a_character_at_the_end_is_dropped() -> None:
    stream = TextStream()
    assert stream.push("橋".encode()[:2]) == ""
    assert stream.flush() == ""
