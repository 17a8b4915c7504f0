"""Whether a sentence says that something is, or that it is not, as far as its end tells."""

import re

REACH = 18  # characters before the end: a predicate with what politeness and duty add to it
_AMBIGUOUS = re.compile(
    "超え|超過|上回|下回|困難|難し|避け|少な|控え|除[くきい]|限[りるら]|のみ|省略|しか|だけ|ないし|とは限|以外|不[^可要]|未|無"
)
_DUTY = re.compile(
    "なければ(?:な[らり]|いけ)|なくてはな[らり]|ねばな[らり]|ないといけ|ざるを得|ないわけには|[に]過ぎ|にすぎ|かもしれ|差し?支え"
    "|問題[はが]?(?:ない|あり|なく)|やむを得|[に](?:他|ほか)なら|までもな|違いな|欠かせ|欠くこと"
)
_NOT = re.compile(
    "(?:な[いかく](?!い)|ません|[らかわさまばれえけせてべげめねじき]ず|禁止|禁じ|不可|不要)"
    "(?:[ぁ-ん]|基本|標準|原則|望|必要|重要|求){0,14}$"
)


def of(sentence: str) -> int:
    """1: it is so, -1: it is not, 0: cannot be told (避ける, 困難である, 超えない, which bounds a value)."""
    end = sentence.rstrip("。．.!！ 　\n）)」")[-REACH:]
    if _DUTY.search(end):
        return 1
    if _AMBIGUOUS.search(end):
        return 0
    return -1 if _NOT.search(end) else 1
