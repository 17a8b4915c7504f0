"""Where sentences end, in Japanese and English."""

import pytest

from app.documents.grounding import sentences


def split(text: str) -> list[str]:
    return [text[one.start : one.end] for one in sentences.split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("高さは5mです。幅は2mです。", ["高さは5mです。", "幅は2mです。"]),
        (
            "強度は24N/mm²です[1]。幅は2mです。[2][3]次です。",
            ["強度は24N/mm²です[1]。", "幅は2mです。[2][3]", "次です。"],
        ),
        ("「基準です。」と書かれている。次です。", ["「基準です。」と書かれている。", "次です。"]),
        ("値は（普通の場合。特記なし）2mです。次です。", ["値は（普通の場合。特記なし）2mです。", "次です。"]),
        ("値は（閉じない。次です。", ["値は（閉じない。", "次です。"]),
        ("係数は1.5とする。No. 5を見る。", ["係数は1.5とする。", "No. 5を見る。"]),
        ("係数は１．５とする。", ["係数は１．５とする。"]),
        ("It is 2.5 m high [1]. See Fig. 3 for it. Done", ["It is 2.5 m high [1].", "See Fig. 3 for it.", "Done"]),
        ("いいですか？はい！", ["いいですか？", "はい！"]),
        ("- 高さは5m\n* 幅は2m\n1. 奥行き\n(2) 重さ\n③ 色", ["高さは5m", "幅は2m", "奥行き", "重さ", "色"]),
        ("1.5倍にする", ["1.5倍にする"]),
        ("| 高さ | 5m |\n|---|---|\n| 幅 | 2m |", ["| 高さ | 5m |", "| 幅 | 2m |"]),
        ("```\n式\n```\n\n---\n", ["式"]),
        ("", []),
    ],
)
def test_sentences_end_where_they_end(text, parts):
    assert split(text) == parts


def test_headings_and_rows_are_told_apart():
    assert [one.kind for one in sentences.split_sentences("## 基準\n高さ。\n| a | b |")] == ["heading", "text", "row"]
