"""Pieces of text up to a stop string: nothing of it is shown, nothing else is lost."""

import random

import pytest

from app.inference.engine.generation import TextStream

TEXT = "橋脚の配筋は 24 N/mm² 以上とする。😀「答え」\n次の行"


@pytest.mark.parametrize("seed", range(20))
def test_any_cut_through_the_text_gives_the_same_text(seed: int) -> None:
    text, rng, stream, shown = TEXT, random.Random(seed), TextStream(["[終]"]), ""
    while text:
        cut = rng.randint(1, 4)
        shown += stream.push(text[:cut])
        text = text[cut:]
    assert shown + stream.flush() == TEXT


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_stop_string_split_over_tokens_is_never_shown(cut: int) -> None:
    data, stream, shown = "東京です。\n質問: 次", TextStream(["\n質問"]), ""
    for at in range(0, len(data), cut):
        shown += stream.push(data[at : at + cut])
    assert shown + stream.flush() == "東京です。"
    assert stream.is_stopped


def test_what_only_looked_like_a_stop_string_is_shown_in_the_end() -> None:
    stream = TextStream(["\n質問"])
    assert stream.push("行の終わり\n質") == "行の終わり"
    assert stream.push("量") == "\n質量"


def test_the_earliest_of_several_stop_strings_counts() -> None:
    stream = TextStream(["二", "一"])
    assert stream.push("零一二") == "零"
