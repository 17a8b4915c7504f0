"""Parse a Japanese sentence into phrases with their particles, and predicates with their modality.

The file is over 450 lines because the parser's steps share their patterns.
"""

import dataclasses
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.base.lazy_pattern import lazy_pattern
from app.documents import lexicon
from app.documents.grounding import modality
from app.documents.lexicon import Word
from app.documents.values import notation, quantities
from app.documents.values.quantities import Quantity

_ROLES = (
    ("by", r"によ(?:って|り|る)"),
    ("to", r"に対し|に対する|あて|宛|に向|へ|に"),
    ("as", r"として|とし|とす|とは"),
    ("from", r"から|より"),
    ("at", r"で(?!あ|す|な)"),
    ("object", r"を|が[^、。]{0,10}(?:い|あ)る(?:こと|か(?:どうか)?)[をがも]"),  # 係員がいることを確かめる
    ("subject", r"が"),
    ("topic", r"は|も"),
    ("of", r"の"),
    ("with", r"と(?!き)|や|か(?!ら)|又は|または|及び|および|並びに|若しくは|もしくは|・|、|,"),
)
_ROLE = lazy_pattern("|".join(f"(?P<{name}>{pattern})" for name, pattern in _ROLES))
_ENDS_CLAUSE = lazy_pattern(r"[、。,;:)]|$")
_SKIPPED = lazy_pattern(
    r"^(?:(?:の|した|する|な|る|た|である|ある)?(?:中|間|内|外|上|等|など|ら|たち|以外|全部|全員|全額|全体|一部|ごと|者|人|方|ほう|側|もの|こと|場合|とき|際|ところ)(?=[のはがもをにでとへ、か]))+"
)
_MAKES_VERB = lazy_pattern(
    r"(?:[をはがもに]{0,2})?(?:し(?:[なまてたよ、得]|$)|す(?:る|れ|べ)|せ(?:ず|ぬ|よ)|さ(?:れ|せ)|で(?:す|あ|は(?:な|あり)|き|な)|だ(?:$|[。、っ])"
    r"|とし(?!て)|と[すさな]|を?行|[にと]な[らりるっ]|出来)"
)
_GRAMMAR = lazy_pattern(  # grammatical words that are written like content words
    r"(?<=に)(?:おいて|おける|おき|ついて|つき|よって|よる|より|よれば|とって|わたって|わたり|あたって|あたり|したがって|ともなって|かかる|かかわらず)"
    r"|(?:問題|支障|差し?支え|差し?つかえ)(?:は|が|も)?(?=な[いく]|あり?ませ|ござい)"
    r"|前もって|(?<=、)(?:続いて|次いで)"
    r"|この限り(?=では?(?:な|あり))"
    r"|(?<=義務)(?:づけ|付け)|(?<=と)(?:決ま|決めら|定めら|さ)(?:っ|れ)(?=て|た)|(?<=る)ほう|(?<=の)ほう(?=[がはを])"
)
_CODE = lazy_pattern(r"(?<![A-Za-z\d])(?:[A-Za-z]{1,8}[-.]?\d[\dA-Za-z-]*|[A-Z](?![A-Za-z\d]))")
CLEFT = lazy_pattern(r"(?:の|[るた]先)(?:は|が)、?(?:[次先同]の|まず|[そこ]の)?$")  # 記録するのは
_NAMED = lazy_pattern(
    r"(?:、|。|$|で(?:す|あ|、)|だ(?:[。、]|$)|と(?:する|な))"
)  # follows the phrase that a cleft names
_JOINS = lazy_pattern("[しっいん]?[てで]")  # 確認して押すのは
_ATTRIBUTIVE = lazy_pattern(r"(?:する|した|る|た|い|な)?$")
_HAS_NONE = lazy_pattern(rf"(?:で|に|と)?(?:[がはもの]|には)?(?:{modality.NONE}|なら|未|外)")
_ASKED = lazy_pattern(  # 使うかどうかを尋ねる, 漏れていないかを見る
    r"(?:する|した|である)?か(?:どうか|否か)|[ぁ-ん]{0,5}な(?:い|かった)か(?:どうか)?(?:を|、|も(?!し))"
)
_DESCRIBES = lazy_pattern(r"(?:する|した|し|さ)?(?:られ?|れ|せ|てい)?(?:な)?(?:る|た|い|なる)?")
_DESCRIBES_WHO = lazy_pattern(r"(?:する|した|る|た)(?:人|者|方)[はがもにのを]")  # 面会する人は
_EITHER = lazy_pattern(
    r"し?、?(?:又は|または|若しくは|もしくは)|し?たり、?|(?:する)?こと(?:[もとや]|及び|および|並びに)、?"
)
_CONTRAST = lazy_pattern(r"。|が、|けれど|ものの、")
_EXCEPTED = lazy_pattern(r"[^、。]{0,8}(?:[をは]、?除[いきく]|以外)")
_OF_TOPIC = lazy_pattern(  # 立替えは、離島での給油を除いて認めない: the end denies 立替え, not 給油
    r"(?P<own>[^、。]{0,12}?(?:を除(?:いて|き)は?|以外は?|(?:場合|とき|際)(?:に限り|に|は|には)?|[にで]は|限り|まで|[れけせえめてね]ば|なら|たら)、?)"
    r"(?P<rest>(?:認|許|禁|でき|出来|可能|不可|不要|必要|義務|任意|自由)[^、。]*。?)\s*$"
)
_TOPIC = lazy_pattern(r"(?:する|した)?(?:こと|の)?[はも]、?")
_DAYS = lazy_pattern("[月火水木金土日]{2,}")
_KANA = lazy_pattern("[ぁ-ゖ\\s]")


@dataclass(frozen=True)  # without slots, for cached properties that are read thousands of times
class Phrase:
    """A run of adjacent content words (工事 請負者), with the text after it.

    `tail`: the text up to the next phrase. `role`: the grammatical role, by the particle: topic | subject | object | to
    | from | at | of | with | by | as | "" none. `kind`: the modality of a predicate (app.documents.grounding.modality),
    "" for other phrases. `keys`: the keys of its words (`keys_of`). `start`, `end`: offsets in the text. `number`: its
    index in the statement.
    """

    words: tuple[Word, ...]
    start: int
    end: int
    tail: str
    role: str
    kind: str
    keys: frozenset[object]
    number: int = 0
    is_condition: bool = False
    is_concession: bool = False

    @functools.cached_property
    def text(self) -> str:
        return "".join(word.text for word in self.words)

    @functools.cached_property
    def word_keys(self) -> tuple[frozenset[object], ...]:
        """Return the keys of each word."""
        return tuple(map(keys_of, self.words))

    @functools.cached_property
    def phrase_and_word_keys(self) -> frozenset[object]:
        return self.keys.union(*self.word_keys)

    @functools.cached_property
    def is_general(self) -> bool:
        """Whether all words are general nouns for a topic or a kind of value."""
        return all(word.base in lexicon.GENERAL or word.text in lexicon.GENERAL for word in self.words)

    @functools.cached_property
    def kanji(self) -> str:
        return kanji_of(self.text)

    @property
    def head(self) -> Word:
        return self.words[-1]

    @property
    def is_act(self) -> bool:
        """Whether the phrase is a predicate, or ends in a noun that する makes a verb (提出)."""
        return bool(self.kind) or self.head.is_verbal_noun


@dataclass(frozen=True)
class PredicateFrame:
    """A predicate `unit` with the phrases of its clause (`lead`) and the topics of the sentence."""

    unit: Phrase
    lead: tuple[Phrase, ...]
    topics: tuple[Phrase, ...]
    keys: frozenset[object]  # keys of the predicate, and of the object of a verb with little meaning
    scope: frozenset[object] = frozenset()  # keys of its part of the sentence, up to a contrast (…が、)

    @functools.cached_property
    def arguments(self) -> tuple[Phrase, ...]:
        return (*self.topics, *self.lead)

    @functools.cached_property
    def argument_keys(self) -> frozenset[object]:
        return frozenset(key for unit in self.arguments for key in unit.keys)


@dataclass(frozen=True, slots=True)
class Statement:
    """A parsed sentence. `keys`: the keys of all its words."""

    text: str
    units: tuple[Phrase, ...]
    frames: tuple[PredicateFrame, ...]
    keys: frozenset[object]
    kanji: str = ""
    values: tuple[Quantity, ...] = ()
    origin: tuple[int, ...] = ()  # offset in `text` -> offset in the original sentence; (): identical
    required_keys: frozenset[object] = frozenset()  # an exception applies only to sentences with one of these keys
    has_exception: bool = False  # the next sentence is an exception
    excepted_count: int = (
        0  # the first phrases, for which the rule before この限りでない does not hold; -1: derived from a clause
    )

    def placed(self, span: tuple[int, int]) -> tuple[int, int]:
        """Convert a place (start, end) in `text` to the original sentence."""
        start, end = span
        return (self.origin[start], self.origin[end]) if self.origin else span


def keys_of(word: Word) -> frozenset[object]:
    """Return the keys of a word: its base form and synonym groups, so that words with the same meaning share one."""
    days = [f"{day}曜" for day in word.text] if _DAYS.fullmatch(word.text) else []  # 土日
    return frozenset([word.base, *word.synonyms, *days])


def kanji_of(text: str) -> str:
    return _KANA.sub("", text)


@functools.lru_cache(maxsize=2048)
def parse_statement(text: str) -> Statement:
    """Parse one sentence into phrases and predicates."""
    flat, place_of = notation.flatten(text)
    origin = () if len(flat) == len(text) else tuple(place_of(at) for at in range(len(flat) + 1))
    text = flat
    units = _units(text)
    frames = _frames(units)
    keys = frozenset(key for unit in units for key in unit.keys)
    return Statement(
        text,
        tuple(units),
        tuple(frames),
        keys,
        _KANA.sub("", text),
        tuple(quantities.parse(text)),
        origin,
    )


def _units(text: str) -> list[Phrase]:
    values = quantities.parse(text)
    taken = [
        *((one.start, one.end) for one in values),
        *((date.start, date.end) for date in notation.parse_dates(text)),
    ]
    taken += [found.span() for found in _GRAMMAR.finditer(text)]
    for value in values:  # 5回を下回らない is a bound, not a negation
        if re.search("な|ません", text[value.end : value.bound_end]):
            text = text[: value.end] + " " * (value.bound_end - value.end) + text[value.bound_end :]
            taken.append((value.end, value.bound_end))
    groups: list[list[Word]] = []
    before: Word | None = None
    for word in _words(text):
        is_meant, before = _means(word, before), word
        if not is_meant or any(start < word.end and word.start < end for start, end in taken):
            continue
        if groups and groups[-1][-1].end == word.start and not _begins(groups[-1][-1], word):
            groups[-1].append(word)
        else:
            groups.append([word])
    groups = [group for group in groups if any(not word.is_affix for word in group)]
    if not groups:
        return []
    units: list[Phrase] = []
    ends = [*(group[0].start for group in groups[1:]), len(text)]
    for number, (group, end) in enumerate(zip(groups, ends, strict=True)):
        units.append(_unit(text, group, end, number))
    return _with_weaker_modality(_with_clefts(_with_roles(_with_either(_with_ends(units)))), text)


def _with_either(units: list[Phrase]) -> list[Phrase]:
    """Copy the modality of the second of two alternatives: 転貸し、又は改造してはならない prohibits both."""
    for at in range(len(units) - 2, -1, -1):
        following = next((one for one in units[at + 1 :] if one.kind and not _JOINS.fullmatch(one.tail)), None)
        if (
            units[at].kind == modality.PLAIN
            and following is not None
            and _EITHER.fullmatch(re.split(r"\d", units[at].tail)[0])
        ):
            units[at] = dataclasses.replace(units[at], kind=following.kind)
    return units


def _with_ends(units: list[Phrase]) -> list[Phrase]:
    """Give the last modality to its topic behind an inserted clause: 立替えは、離島での給油を除いて認めない."""
    for at, unit in enumerate(units):
        match = _OF_TOPIC.match(unit.tail)
        topic = next((one.number for one in reversed(units[:at]) if _TOPIC.fullmatch(one.tail)), None)
        if not match or topic is None or units[topic].kind not in ("", modality.PLAIN):
            continue
        if re.match("[にで]は", match["own"]) and topic != at - 1:
            continue
        kind = modality.classify_modality(match["rest"])
        is_act = units[topic].is_act or lexicon.is_everyday(units[topic].head.text)  # 持込み
        if kind == modality.PLAIN or not is_act:
            continue
        units[topic] = dataclasses.replace(units[topic], kind=kind)
        is_clause = modality.CONDITION.match(match["own"]) is not None
        own = _modality_of(unit.words, match["own"], match["own"])
        units[at] = dataclasses.replace(unit, kind=own, is_condition=bool(own) and is_clause)
    return units


def _with_weaker_modality(units: list[Phrase], text: str) -> list[Phrase]:
    """Weaken the modality of predicates after a softening word: なるべく洗う only advises."""
    for at, unit in enumerate(units):
        if unit.kind in (modality.PLAIN, modality.SUGGESTED, modality.DENIED):
            begin = max(text.rfind(sign, 0, unit.start) for sign in ("。", "が、"))
            if unit.kind == modality.DENIED:  # 可能な限り換気し、喫煙しない
                begin = max([begin, *(one.end for one in units[:at] if one.kind and "、" in one.tail)])
            if modality.SOFTENED.search(text, max(0, begin), unit.start):
                softer = modality.DISCOURAGED if unit.kind == modality.DENIED else modality.ADVISED
                units[at] = dataclasses.replace(unit, kind=softer)
    return units


def _words(text: str) -> list[Word]:
    """Return the words of the dictionary, with each code (L-350, SD345, B) as one word."""
    codes = [
        Word(
            found.group(),
            *found.span(),
            re.sub("[-. ]", "", found.group()).casefold(),
            found.group(),
            "名詞-固有名詞-記号",
        )
        for found in _CODE.finditer(text)
    ]
    taken = [(code.start, code.end) for code in codes]
    others = [
        word
        for word in lexicon.tokenize(text)
        if not any(start < word.end and word.start < end for start, end in taken)
    ]
    return sorted([*others, *codes], key=lambda word: word.start)


def _begins(before: Word, word: Word) -> bool:
    """Whether a word begins a new phrase although no particle precedes it."""
    return before.kind.startswith(("動詞", "形容詞")) and not word.kind.startswith(("動詞-非自立", "接尾辞", "動詞"))


def _means(word: Word, before: Word | None) -> bool:
    """Whether the word, after the word `before` or as the first, is not only grammatical."""
    if word.kind.startswith("接尾辞"):
        return word.kind == "接尾辞-名詞的-一般" and word.text not in ("外", "等", "毎", "間", "上", "内", "中")
    if word.text == "先" and before is not None and before.end == word.start and before.is_noun:  # 仕入先
        return True
    if word.base in lexicon.GRAMMATICAL or word.text in lexicon.GRAMMATICAL:
        return False
    if word.kind.startswith("動詞-非自立") and before is not None and before.end == word.start:
        if before.kind.startswith("助詞-接続助詞"):
            return False
        if before.kind.startswith("動詞"):
            return word.base in ("出す", "込む", "付ける", "入れる", "切る", "取る", "替える", "戻す")
    return word.kind.startswith(("名詞-普通名詞", "名詞-固有名詞", "動詞", "形容詞", "形状詞-一般", "接頭辞"))


def _unit(text: str, group: list[Word], end: int, number: int) -> Phrase:
    tail = text[group[-1].end : end]
    role = _ROLE.match(_SKIPPED.sub("", tail))
    ending = _own_ending(tail)
    kind = _modality_of(group, tail, ending)
    is_concession = modality.CONCESSION.search(re.split(r"\d", ending)[0]) is not None  # 認めれば60℃以下でも
    is_condition = bool(kind) and (modality.CONDITION.match(ending) is not None or is_concession)
    content = [word for word in group if not word.is_suffix] or group  # 通知書 and 証明書 share no word
    keys: set[object] = {key for word in content for key in keys_of(word)}
    kanji = kanji_of("".join(word.text for word in group))
    if len(kanji) > 1:
        keys.add(kanji)
    if kind and modality.CHOICE.match(text, group[-1].end):
        kind, is_condition = modality.PERMITTED, False
    elif kind in (modality.PLAIN, modality.DENIED) and _ASKED.match(tail):
        kind = ""
    elif kind == modality.PLAIN and re.match(r"か、", tail):  # 閉じるか、小さくする: either is allowed
        kind = modality.PERMITTED
    return Phrase(
        tuple(group), group[0].start, group[-1].end, tail, role.lastgroup or "" if role else "", kind,
        frozenset(keys), number, is_condition, is_concession,
    )  # fmt: skip


def _modality_of(group: Sequence[Word], tail: str, ending: str) -> str:
    """Return the modality of a predicate, and "" for other phrases."""
    last = group[-1]
    is_verb = last.kind.startswith(("動詞", "形容詞")) and not (
        "連用形" in last.kind and re.match("[はがをのも]", tail)  # 打込みは
    )
    kind = modality.classify_modality(ending)
    if is_verb and _is_potential(last):
        kind = {  # 読めるようにする makes it possible
            modality.DENIED: modality.PROHIBITED,
            modality.PLAIN: modality.ABLE,
            modality.SUGGESTED: modality.ABLE,
        }.get(kind, kind)
    if kind == modality.PLAIN and not is_verb and not _MAKES_VERB.match(ending):
        kind = ""
    if kind == modality.DENIED and not is_verb and not _MAKES_VERB.match(ending) and not _HAS_NONE.match(ending):
        kind = ""  # 夜間に人がいなくなる does not negate 夜間
    is_turned = any(word.kind.startswith("接頭辞") and word.text in ("非", "未", "無", "不") for word in group)
    return modality.opposite(kind or modality.PLAIN) if is_turned else kind


def _is_potential(word: Word) -> bool:
    """Whether the verb is a potential form: 使える, whose base is 使う."""
    return "下一段" in word.kind and word.form != word.base and word.form[:-2] == word.base[:-1]


def _own_ending(tail: str) -> str:
    """Return the tail up to the end of the phrase's clause; after a comma another clause begins."""
    cut = re.search(r"[。]|(?<!は)(?<!も)(?<!が)、", tail)
    return tail[: cut.start() + 1] if cut else tail


def _with_roles(units: list[Phrase]) -> list[Phrase]:
    """Give both phrases of A と B the role of B."""
    for at in range(len(units) - 2, -1, -1):
        joins = units[at].role == "with" and not units[at].kind and not units[at + 1].kind
        if joins and re.fullmatch(
            r"(?:と|や|か|又は|または|及び|および|並びに|若しくは|もしくは|・|、|,|\s)*", units[at].tail
        ):
            units[at] = dataclasses.replace(units[at], role=units[at + 1].role)
    return units


def _clefts(units: Sequence[Phrase]) -> dict[int, int]:
    """Return number of a predicate with のは -> that of the phrase it names: 記録するのは調理責任者."""
    found: dict[int, int] = {}
    for at, unit in enumerate(units):
        if not unit.kind or not CLEFT.search(unit.tail):
            continue
        for other in units[at + 1 :]:
            is_verb = other.head.kind.startswith(("動詞", "形容詞"))
            if not is_verb and _NAMED.match(other.tail):
                found[at] = other.number
                break
            if (other.kind and not _ATTRIBUTIVE.match(other.tail)) or _ENDS_CLAUSE.match(other.tail):
                break
    return found


def _ends_inner(unit: Phrase) -> bool:
    """Whether the phrase ends a clause, including one inside a cleft: 風が吹いた後に点検するのは."""
    return _ENDS_CLAUSE.match(unit.tail) is not None or (bool(unit.kind) and not _JOINS.fullmatch(unit.tail))


def _with_clefts(units: list[Phrase]) -> list[Phrase]:
    """Set the role of the phrase that a predicate with のは names: subject for an actor, else addressee or object."""
    for at, named in _clefts(units).items():
        begin = next((one.number + 1 for one in reversed(units[:at]) if _ends_inner(one)), 0)
        roles = {one.role for one in units[begin:at]}
        is_agent = lexicon.is_agent(units[named].text) and "subject" not in roles
        role = "subject" if is_agent else "to" if "object" in roles else "object"
        units[named] = dataclasses.replace(units[named], role=role, kind="")
    return units


def _frames(units: Sequence[Phrase]) -> list[PredicateFrame]:
    topics = [unit for unit in units if unit.role == "topic" and not unit.kind][:1]
    clefts = _clefts(units)
    frames: list[PredicateFrame] = []
    begin = 0
    for at, unit in enumerate(units):
        if at in clefts.values():
            begin = at + 1
        if not unit.kind:
            continue
        lead = list(units[begin:at])
        has_topic = any(one.role == "topic" and not one.kind for one in lead)
        own_topics = [topic for topic in topics if topic.number < at and topic not in lead and not has_topic]
        lead += [units[clefts[at]]] if at in clefts else []
        keys = set(unit.keys)
        if unit.head.base in lexicon.LITTLE:
            done_to = [one for one in lead if one.role == "object"]
            done_to = done_to or [one for one in (*own_topics, *lead) if one.role == "topic"]
            keys |= {key for one in done_to[-1:] for key in one.keys}
        frames.append(
            PredicateFrame(unit, tuple(lead), tuple(own_topics), frozenset(keys), _keys_around_predicate(units, at))
        )
        begin = at + 1
    return frames


def is_attributive(unit: Phrase, sentence: Statement) -> bool:
    """Whether a predicate only modifies the noun after it: 夜間に人がいなくなる管制所."""
    is_who = unit.kind == modality.PLAIN and _DESCRIBES_WHO.match(unit.tail) is not None
    is_last = unit.number + 1 >= len(sentence.units)
    return is_who or (not is_last and _DESCRIBES.fullmatch(unit.tail) is not None)


def _keys_around_predicate(units: Sequence[Phrase], at: int) -> frozenset[object]:
    """Return the keys around predicate `at`, up to a contrast (…が、), without excluded clauses (…の場合を除き)."""
    begin = next((one.number + 1 for one in reversed(units[:at]) if _CONTRAST.search(one.tail)), 0)
    end = next((one.number for one in units[at:] if _CONTRAST.search(one.tail)), len(units) - 1)
    kept: list[Phrase] = []
    for unit in units[begin : end + 1]:
        kept.append(unit)
        if _EXCEPTED.match(unit.tail):
            while kept and (kept[-1] is unit or not re.search("(?<![とや])、", kept[-1].tail)):
                kept.pop()
    return frozenset(key for unit in kept for key in unit.keys)
