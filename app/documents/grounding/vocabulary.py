"""Find nouns of an answer that its sources do not contain."""

import re
from collections.abc import Sequence

from app.base.lazy_pattern import lazy_pattern
from app.documents import lexicon
from app.documents.grounding import alignment, roles, statements
from app.documents.grounding.alignment import Place, SourceFacts
from app.documents.grounding.statements import Phrase, Statement
from app.documents.lexicon import Word

_NAMES = lazy_pattern("(?:です|で、|だ|である|。|$)")  # 提出先は整備課です


def find_absent_nouns(statement: Statement, facts: SourceFacts, is_label: bool = False) -> list[Place]:
    """Return nouns that the sources lack and that replace one of theirs, which explanations (塩素の濃度) do not.

    `is_label`: the sentence is a table row, whose words have no particles.
    """
    near: Sequence[Statement] | None = None
    spans: list[Place] = []
    for unit in statement.units:
        if facts.statements and _is_stranger(unit, statement, facts):
            spans.append((unit.start, unit.end))
            continue
        words = [word for word in unit.words if _is_absent(word, unit, facts)]
        if not words:
            continue
        if near is None:
            near = alignment.nearest_statements(statement, facts, alignment.weigh_shared_words(statement, facts)) or []
        if is_label or _replaces(unit, words[0], statement, near):
            is_name = unit.head.is_noun or unit.head.kind.startswith("接尾辞")
            spans.append((unit.start, unit.end) if is_name else (words[0].start, words[0].end))
    return spans


def _replaces(unit: Phrase, word: Word, statement: Statement, near_statements: Sequence[Statement]) -> bool:
    """Whether the source has another word in the place of this one, and the answer omits that word."""
    role = roles.role_of(unit, statement)
    for source in near_statements:
        # 元の文字が読める for 元の記載が読める specifies a general word of the source.
        if any(one.is_general and roles.role_of(one, source) == role for one in source.units):
            continue
        for other in source.units:
            shared = other.keys & statement.keys
            is_there = bool(role) and roles.role_of(other, source) == role and bool(other.kind) <= (role == "is")
            if (
                is_there
                and not shared
                and not other.is_general
                and alignment.have_one_end(unit, statement, other, source)
            ):
                return True
            if not unit.keys & other.keys:
                continue
            left_out = [one for one in other.words if one.is_noun and not statements.keys_of(one) & statement.keys]
            if word is unit.head and len(unit.words) > 1:  # 経理係 for 経理課
                left_out = [one for one in left_out if one is other.head and one is not other.words[0]]
            if left_out:  # 豚もも肉 for 鶏もも肉
                return True
    return _stands_for_a_value(unit, statement, near_statements)


def _is_stranger(unit: Phrase, statement: Statement, facts: SourceFacts) -> bool:
    """Whether the phrase names an actor, addressee or office that no source mentions: 警察へ通報する."""
    is_done = bool(unit.kind) and not _NAMES.match(unit.tail)  # 受付はしていない
    if is_done or not lexicon.is_someone(unit.text) or unit.text in facts.text:
        return False
    role = roles.role_of(unit, statement)
    if role not in ("subject", "to", "from", "by", "is") and not _NAMES.match(unit.tail):
        return False
    content_words = [word for word in unit.words if word.is_noun] or list(unit.words)
    if any(statements.keys_of(word) & facts.keys or word.text in facts.text for word in content_words):
        return False
    stem = statements.kanji_of(unit.text)[:-1]
    named = "".join(one.kanji for other in facts.statements for one in other.units if lexicon.is_agent(one.text))
    return not stem or not all(sign in named for sign in stem)  # 医師 for 主治医


def _stands_for_a_value(unit: Phrase, statement: Statement, near_statements: Sequence[Statement]) -> bool:
    """Whether a word stands where the source has a value: 室温で保存できる for 4℃で保存できる."""
    end = next((one for one in statement.units[unit.number + 1 :] if one.kind), None)
    if end is None or not unit.role or unit.tail[:1] not in "でにへをが":
        return False
    between = re.compile(f"{unit.tail[:1]}[^、。]{{0,8}}")
    return any(
        value.unit and between.fullmatch(source.text, value.bound_end, one.start)
        for source in near_statements[:1]
        for value in source.values
        for one in source.units
        if one.kind and one.keys & end.keys
    )


def _pairs_with(word: Word, unit: Phrase) -> list[str]:
    """Return a word of one character with the one before or after it, as the dictionary may split it otherwise."""
    at = word.start - unit.start
    return [pair for pair in (unit.text[max(0, at - 1) : at + 1], unit.text[at : at + 2]) if len(pair) > 1]


def _with_affixes(word: Word, unit: Phrase) -> str:
    """Return the whole phrase if its other words are affixes (お子さん for 子); else the word alone."""
    others = [one for one in unit.words if one is not word]
    return unit.text if all(one.is_affix for one in others) else word.text


def _is_absent(word: Word, unit: Phrase, facts: SourceFacts) -> bool:
    if (
        not word.is_noun
        or lexicon.is_everyday(_with_affixes(word, unit))
        or word.base in lexicon.GENERAL
        or word.text in lexicon.GENERAL
    ):
        return False
    if statements.keys_of(word) & facts.keys or ("副詞可能" in word.kind and unit.tail.startswith("に")):  # 一度に
        return False
    if len(word.text) == 2 and word.text[0] in "同本当各両毎" and word.text[1] in facts.text:  # 同課
        return False
    if len(word.text) > 1 and word.text in facts.text:
        return False
    if len(word.text) == 1 and any(pair in facts.text for pair in _pairs_with(word, unit)):  # 課 and 長 of 課長
        return False
    kanji = statements.kanji_of(word.text)
    if len(kanji) > 1 and kanji in facts.kanji:
        return False
    if len(unit.text.lstrip("おご")) == len(kanji) == 1 and kanji in facts.kanji:  # 船 of 船舶, お湯 of 熱湯
        return False
    if word.is_verbal_noun and word is unit.head:
        return False
    if word.is_verbal_noun or unit.kind:  # 着工 of 工事に着手する
        return not any(sign in facts.kanji for sign in kanji)
    return True
