"""Japanese, English and emoji: what the tokenizers of the proofs learn from, and the strings they are compared on.

Standard library only: read by both sides of a proof.
"""

import random
import re
import unicodedata
from pathlib import Path

# A copy of what the project said on 2026-11-25 in its manual, README and messages: models and figures of the proofs
# must not change with every sentence that somebody rewords.
CORPUS = Path(__file__).with_name("corpus.txt")
COUNT = 200

# Where tokenizers differ: spaces, digits, line ends, marks, contractions, widths, and characters beyond 16 bits.
HARD = [
    " ",
    "  二つの空白",
    "行末の空白   ",
    "タブ\tと\t\tタブ",
    "改行\n",
    "改行\n\n二つ",
    "改行\r\n続き",
    "\n\n\n先頭の改行",
    "空白 \n \n 交じり",
    "12345678901234567890",
    "1,234,567.89円（税込）",
    "第3条の2第1項第4号",
    "R6.4.1～R7.3.31",
    "３．１４１５９２",
    "①②③ ⅠⅡⅢ ㈱㌔㎡",
    "ｺﾝｸﾘｰﾄ ﾊﾞｲﾌﾞﾚｰﾀ",
    "全角ＡＢＣ半角ABC",
    "I'm sure they'll say we've DON'T and he'S",
    '\'tis the `code` "quoted" — “curly” ‘single’',
    "don''t 'quote' ''twice''",
    "snake_case camelCase kebab-case C++ C# .NET",
    "https://example.com/パス?q=値&r=1#見出し",
    "user@example.com, +81-3-1234-5678",
    "for (int i = 0; i < n; ++i) { a[i] += b[i]; }",
    "| 列 | 値 |\n|---|---:|\n| 幅 | 1.5 m |",
    "$E = mc^2$, σ_ck = 24 N/mm²",
    "「『入れ子』の（かっこ）」【見出し】〔注〕",
    "……――〜～・、。！？!?",
    "々〆〇ヶヵゝゞヽヾ",
    "ぁぃぅぇぉっゃゅょゎ",
    "ヴァイオリン、ファイル、ウィーン",
    "𠮷野家の𩸽と𠀋",
    "葛󠄀城市（異体字セレクタ）",
    "はひふへほ゛゜",
    "😀",
    "👍🏽👩‍👩‍👧‍👦🏳️‍🌈🇯🇵",
    "今日は☀️のち🌧、気温は25℃です🙂🙂🙂",
    "✅完了 ❌失敗 ⚠️注意",
    "안녕하세요 你好 สวัสดี Здравствуйте",
    "مرحبا שלום नमस्ते",
    "naïve café über Å",
    "a​b c d﻿e",
    "　全角の空白　です",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "ああああああああああああああああ",
    "-------- ======== ********",
    "<|not_a_token|> <b>太字</b> &amp;",
    "[INST] 命令 [/INST]",
    '{"鍵": [1, 2.5, null, true]}',
    "C:\\Users\\名前\\文書.docx",
]


def corpus() -> list[str]:
    """Lines, composed (NFC), most of them Japanese. None of HARD is among them: rare characters stay rare."""
    return CORPUS.read_text(encoding="utf-8").splitlines()


def strings() -> list[str]:
    """COUNT different strings: the hard ones, then sentences and pairs of them from the corpus.

    Composed: Qwen's tokenizer composes text before it splits it, and llama.cpp does not.
    """
    chosen = [unicodedata.normalize("NFC", text) for text in HARD]
    sentences = [part for line in corpus() for part in re.split(r"(?<=[。．.!?])", line) if len(part.strip()) > 8]
    draw = random.Random(20261125)
    while len(set(chosen)) < COUNT:
        pair = draw.sample(sentences, 2)
        chosen.append(draw.choice([pair[0], "\n".join(pair), pair[0] + "😊" + pair[1], "  " + pair[0]]))
    return list(dict.fromkeys(chosen))


def passage() -> str:
    """A longer text: what the logits are compared on."""
    return "\n".join(corpus()[20:120])
