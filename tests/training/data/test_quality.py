"""What is wrong with a text of training data, and what only looks so."""

import random

import pytest

from app.training.data.quality import CODES, text_flags

WHOLE = "床止めは、河床の洗掘を防ぐために設ける。"


def seeded(seed: int, sentences: int = 3) -> str:
    """Sentences without any defect, different for each seed."""
    chance = random.Random(seed)
    parts = (
        ["堤防", "護岸", "水門", "樋門", "床止め"],
        ["点検", "補修", "設計", "調査"],
        ["行う", "記録する", "確かめる"],
    )
    return "".join(
        f"{chance.choice(parts[0])}の{chance.choice(parts[1])}を{n}回目に{chance.choice(parts[2])}。"
        for n in range(sentences)
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_text_without_defects_has_no_flag(seed: int) -> None:
    assert text_flags(seeded(seed)) == ()


DEBRIS = [
    WHOLE + "」\n    },\n    {",
    WHOLE + "」,",
    WHOLE + '"},',
    WHOLE + '"}',
    WHOLE + '",',
    WHOLE + "」、",
    WHOLE + "」",
    WHOLE + " |\n  },\n  {",
    WHOLE + '"\n  }\n]',
    '{"question": "床止めとは？", "answer": "' + WHOLE,
    '{"question": "床止めとは？", "answer": "河床を守るものです。"}',
    '```json\n{"answer": "' + WHOLE,
    "```json\n{'answer': " + WHOLE + "\n```",
    r"次のとおりです。\n1. 点検する。\n2. 補修する。",
    r"床止めは『河床』を守る。\\n以上である。",
    r"\"床止め\"は河床を守る。",
    r"\u5e8a\u6b62\u3081は河床を守る。",
]


NO_DEBRIS = [
    '{"name": "床止め", "count": 3}',  # an answer that was to be JSON
    '["堤防", "護岸"]',
    'こう書きます。\n\n```json\n{"name": "床止め"}\n```',
    'こう書きます。\n\n```python\nprint("a\\n")\nx = {"question": 1}["a"],\n```\n以上です。'.replace("question", "key"),
    r"改行は \n で表す。",
    r"改行コード「\n」を使う。",
    r"流速は \(v_{c} = \frac{4\nu}{d}\) で求める。",
    r"$$ Q = \frac{a}{b} \neq \nu $$ とする。",
    r"設定は C:\new\nagoya に置く。",
    "集合 {1, 2, 3} を考える。",
    "流量[m³/s]と面積[ha]を使う。",
    "彼は「点検を行う。」",
    '"堤防"は土で造る。',
    "係数 a_{max} は 0.5、d_{min} は 0.2 とする。",
    "文献 [1], [2] を見る。",
]


@pytest.mark.parametrize("seed", range(20))
def test_a_text_cut_anywhere_inside_a_sentence_is_unfinished(seed: int) -> None:
    text = seeded(seed, sentences=6)
    cut = random.Random(seed).randrange(60, len(text) - 1)
    whole = text[:cut].endswith("。")
    assert text_flags(text[:cut]) == (() if whole else ("unfinished",))


MISREAD = [("utf-8", "cp932"), ("utf-8", "cp1252"), ("utf-8", "latin-1"), ("cp932", "cp1252"), ("cp932", "latin-1")]


@pytest.mark.parametrize(("written", "read"), [*MISREAD, ("euc_jp", "cp932")])
@pytest.mark.parametrize(
    "text", ["河川の流れは、雨が降ると速くなります。", "これはテストです。", "カードを入れてください。"]
)
def test_japanese_read_in_a_wrong_encoding_is_found(text: str, written: str, read: str) -> None:
    misread = text.encode(written).decode(read, "ignore")
    assert "mojibake" in text_flags(misread), misread


def test_a_sentence_three_times_is_a_loop_and_twice_is_none() -> None:
    sentence = "堤防の沈下を年に一度測ることとする。"
    assert text_flags(sentence + WHOLE + sentence) == ()
    assert text_flags(sentence + WHOLE + sentence + WHOLE + sentence) == ("repetition",)


def test_several_defects_are_named_in_one_order() -> None:
    text = "\ufffd\0" + "点検する、" * 8 + '",'
    assert text_flags(text) == CODES


@pytest.mark.parametrize(
    ("unit", "found"),
    [
        ("`", ()),
        ("$", ()),
        (r"\(", ("unfinished",)),
        ('"', ()),
        ("{", ("unfinished",)),
        ("\n", ()),
        ("?", ("mojibake",)),
        ("?a", ("unfinished", "repetition")),
        ("。」", ("json_debris",)),
        ("あ", ("unfinished", "repetition")),
        ("a,", ("unfinished", "repetition")),
    ],
)
def test_a_hostile_text_is_judged_as_a_short_one(unit: str, found: tuple[str, ...]) -> None:
    """With patterns that go back over what they have read this would take hours."""
    assert text_flags(unit * 2_000) == text_flags(unit * 20_000) == found


# What a text is -> the only flags that it has, and texts of that kind.
FLAGGED: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "an open end": (
        ("unfinished",),
        [
            "点検を行い、",
            "次のとおりである：",
            "堤防の点検は年に一度以上行うこととされており、その結果は記録として残すことと定められています",
            "点検する項目は次の通り。\n1. 沈下を測る。\n2. 亀裂を調べる。\n3. 漏水を",
            "基準は「第4章 水制",
            "水位が上がったときは",
        ],
    ),
    "what ends as it should": (
        (),
        [
            "24 N/mm²",
            "東京都千代田区",
            "はい",
            "点検の項目\n- 沈下\n- 亀裂\n- 漏水",
            "手順は次のとおりです。\n1. 沈下を測る\n2. 亀裂を調べる",
            "| 項目 | 値 |\n|---|---|\n| 流量 | 30 |",
            "こう書く。\n```python\nx = 1\n```",
            "彼は「点検する」と言った（昨日）",
            "行きますか?",
            "**点検を行う。**",
            "詳しくは https://example.com/a/b",
            "すごい！",
            "It ends here.",
            "$x = 1$",
        ],
    ),
    "signs for lost letters": (
        ("mojibake",),
        [
            "床\ufffdめを造る。",
            "〓〓川を渡る。",
            "？？？？",
            "????",
            "?? ???。",
            "?????は????です。",
            "これは？？？？？ます。",
        ],
    ),
    "foreign letters and signs": (
        (),
        [
            "Ångström、résumé、naïve、Ørsted と書く。",
            "20°C±0.5、3–5 m、x² です。",
            "糸が縺れる。縺れた。",
            "ｶﾀｶﾅ､ﾃｽﾄを書く。",
            "100 ¥、£5、«引用» だ。",
        ],
    ),
    "blanks and joined emoji": (
        (),
        ["タブ\tと\r\n改行。", "家族👨\u200d👩\u200d👧。", "☀\ufe0fです。", "全角\u3000空白、\u202f細い空白。"],
    ),
    "characters that nobody sees": (
        ("control_characters",),
        [f"床止めを{sign}造る。" for sign in ("\0", "\x1b", "\x7f", "\x85", "\u200b", "\ufeff", "\u202e", "\ue000")],
    ),
}


@pytest.mark.parametrize("kind", FLAGGED)
def test_a_text_has_the_flags_of_its_kind_and_no_others(kind: str) -> None:
    flags, texts = FLAGGED[kind]
    assert {text: text_flags(text) for text in texts} == dict.fromkeys(texts, flags)


# A flag -> texts that have it, and texts that only look so.
TOLD_APART: dict[str, tuple[list[str], list[str]]] = {
    "json_debris": (DEBRIS, NO_DEBRIS),
    "repetition": (
        [
            f"はじめに。{unit * 8}以上。"
            for unit in ("点検する、", "流速と水位と", "安全率を考慮した設計により、", "abc ")
        ],
        [
            "はははははははは。",
            "| 項目 | あり | なし |\n|------|------|------|\n| 無 | 無 | 無 |\n| 無 | 無 | 無 |\n| 無 | 無 | 無 |",
            "値は 0.000000000000000000000000001 です。"[:12] + "です。",
            "--------------------------------\n以上です。",
            "1、2、3、4、5、6、7、8、9、10、11、12、13、14、15。",
        ],
    ),
    "mojibake": ([], ["本当ですか？？？？", "えっ？？本当？", "a ?? b", "値は ??? とする。", "。"]),
}


@pytest.mark.parametrize("flag", TOLD_APART)
def test_a_defect_is_told_from_what_only_looks_like_it(flag: str) -> None:
    found, passed = TOLD_APART[flag]
    assert [text for text in found if flag not in text_flags(text)] == []
    assert [text for text in passed if flag in text_flags(text)] == []
