"""Rank the sentences and table rows of passages by how likely each one answers a question.

Each of the question's terms weighs by how few sentences have it; header, heading and the sentence before count less.
What is asked for raises a sentence: a value in the unit, a definition, or, less, a time, an actor, a place, a name or a
reason. The numbers below were chosen on half of the questions of three domains, and did as well on the others.

The file is over 450 lines because a question is read for what it asks by the words that sentences are compared with.
"""

import collections
import functools
import itertools
import math
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct

from app.base import search_text
from app.base.lazy_pattern import lazy_pattern
from app.documents import lexicon, terms
from app.documents.grounding import sentences, source_citations
from app.documents.records import Passage, Section
from app.documents.values import notation, quantities
from app.documents.values.quantities import Quantity

LIMITS = lazy_pattern("(?:ただし|なお|また、?この場合|この場合)")  # begins a sentence that limits the one before
DEFINING_TITLES = "内容|意義|定義|意味|概念"  # 質権の内容, in statutes
TOPIC = lazy_pattern(
    "[^ぁ-ゖ、。](?:に|で|と)?[はがも]|(?<!また)(?<!あるい)[はが](?![ぁ-ゖ])"
)  # 橋脚には, かぶりは70mm
_LIMITED_MOST = 400  # characters of a sentence with the limiting one after it
_HEADER_SHARE, _HEADING_SHARE, _BEFORE_SHARE = 0.5, 0.4, 0.4  # what a term counts that is only there
_RANK_HALVES = 6  # a passage this far behind the first counts half
_NAMED_FACTOR = 2.0  # for passages of a clause that the question names
_ANSWER_FACTOR = 2.0  # for what follows a heading that asks the same (in an FAQ)
_ASKED_SHARE = 0.6  # of the question's terms that such a heading has
_LENGTH_FREE, _LENGTH_HALVES = 100, 600  # characters; a sentence longer by the second number counts half
_LITTLE_FACTOR = 0.6  # for a title, a caption or an entry of a list
_ECHO_FACTOR = 0.1  # for a title that is what the question asks about
_LISTED_FACTOR = 0.3  # for a question, or an entry of a list of literature, notices, amendments or contents
_VALUE_GAIN = 0.6  # for a value in the unit asked for, or in any unit if the question names none
_LIST_GAIN = 2.0  # for the parts or kinds of something, where they are asked for
_KIND_GAIN = 0.1  # for a time, an actor, a place, a name or a reason where one is asked for
_PROBABLE = 0.5  # of these gains, for what only may be it: 18歳 where a price is asked for, 出水時に for a time
_DEFINITION_GAIN = 1.0
_COMPARED_MOST = 20  # characters of each of the words that a question compares

_ITEM_CODE = lazy_pattern(r"(?<![a-z\d])[a-z]+-?\d+(?![a-z\d])")  # D13, SD345: distinguishes the rows of a list
_MEASURE = (
    "率|割合|比|倍率|値|量|数|額|長さ|幅|高さ|深さ|厚さ|太さ|重さ|広さ|大きさ|径|面積|体積|容積|容量|重量|質量|距離|速度|温度|圧力"
    "|強度|密度|濃度|勾配|角度|頻度|間隔|周期|期間|時間|年齢|料金|費用|金額|単価|価格|代金|人口|上限|下限|限度|寸法|目安|基準"
)
_ASKED_UNIT = lazy_pattern(r"[何なん]\s?([^\s、。?？がをにはのとかな（(]{1,6})")
_ASKS_FREQUENCY = lazy_pattern("頻度|間隔|周期|何[回度]")
_ASKS_VALUE = lazy_pattern(
    rf"いくつ|いくら|どれ(?:くらい|ぐらい|ほど|だけ)|どの(?:くらい|ぐらい|程度)|{_ASKS_FREQUENCY.pattern}"
    rf"|(?:{_MEASURE})(?:[（(][^）)]*[）)])?(?:[はをの](?![^、。]*(?:方法?|手順|には|たい)[?？。]*$)[^、。]{{0,12}})?[?？。]*$|以[上下内]"
)
# The units of what a question may ask for, by the word for it; of several words the last one counts.
_UNITS_OF = {
    "長さ|太さ|幅|径|距離|寸法|水位|[高深厚](?:さ|(?=[はの?？]|$))": "m",
    "面積|広さ": "m2 坪 畳",
    "体積|容積|容量": "m3",
    "流量": "m3/s",
    "速度|流速|風速": "m/s",
    "重さ|重量|質量": "kg",
    "強度|圧力|応力度?": "N/mm2",
    "温度|気温|水温": "°C 度",
    "勾配|角度|傾斜": "° 度 1: %",
    "率|割合": "% 1:",
    "期間|時間|日数|年数|期限": "s か月 時",
    "年齢": "歳 才",
    "人数|人口": "人",
    "(?<![材資燃原飼肥試食飲])料|費(?!用対)|金額|代金|単価|価格|値段|賃金": "円 ドル 米ドル ユーロ ポンド",
}
_WHO = "人物?|者|会社|企業|団体|組織|機関|部署|部門|省庁?|政?党|大学|学校|チーム|局|選手|作家|監督|社長|大臣"
_WHERE = "場所|位置|箇所|地点|地域?|区間|範囲|所在地|国|首都|都市|[都県市町村]"
_ENDS = (
    "(?:[はがを]?(?:何|なに|なん|どこ|誰|だれ|どれ|いつ)?(?:です|でしょう|にな[りる](?:ます)?)?か?|を?教えて(?:ください)?)"
    "[?？。]*$"
)
_ASKED_KINDS = {
    "time": lazy_pattern(
        "いつ(?![もで])|何(?:年度?|月|日|時|曜日|世紀|年代)(?!に?[一1１何]?[回度]|ごと|おき|毎|間|以[上下内]|前|後|目|かか|ぶ)"
        f"|(?:時期|期日|期限|日付|日時|時刻|[ぁ-ん]年){_ENDS}"
    ),
    "who": lazy_pattern(f"だれ|誰|どなた|何者|(?:どの|どこの|何という|何)(?:{_WHO})|(?:{_WHO}|主体){_ENDS}"),
    "where": lazy_pattern(f"どこ|何処|(?:どの|何という|何)(?:{_WHERE})(?!数|的)|(?:{_WHERE}){_ENDS}"),
    "name": lazy_pattern(
        f"(?:何|なん)(?:と|て|って)(?:[いよ]|言|呼|称)|(?:名前?|名称|呼び名|別名|[総通略]称|読み){_ENDS}"
    ),
    "reason": lazy_pattern("なぜ|何故|なんで|どうして(?!も)|(?:理由|原因|わけ)[はを]"),
    "list": lazy_pattern(
        "列挙|挙げ|(?:大別|分類|区分)す|(?:どんな|どのような|どういった|いかなる)[^、。]{1,12}が(?:あ[りる]|含ま)|何と何|何種類"
        "|[2-9２-９二三四五六七八九](?:[つ種]の?|(?=要素|原則|段階|区分|類型|方式|条件))[一-鿿ァ-ヺー]{1,8}(?:とは|は?何|を|[?？。]*$)"
        f"|(?:種類|分類|区分|内訳|構成|要素)(?:は|と?は?(?:何|どの|どう)[^、。]{{,12}}|に?{_ENDS}|[?？。]*$)"
    ),
}
_WHICH = lazy_pattern(
    "(?:何という|なんという|(?<!な)どの|(?<!幾)何)(?P<noun>[一-鿿ァ-ヺー]{2,8})"
)  # 何気団: 揚子江気団
_FORMS = {
    "time": lazy_pattern(
        "[一-鿿](?:前|後|期|時|際|頃)(?:に|は|から|まで|、|と)|(?:とき|ころ|際|まで|前|後)に|世紀|年代|曜日?"
    ),
    "where": lazy_pattern(
        "[^、。]{,3}(?:側|部|[箇場]所|地点|区間|範囲|付近|[上下]流|面|端|内|外|[前後左右]|周辺|位置|地|区域|口|場|室|[都県市町村国])"
        "(?=[にへをで]|から|まで|より|とする|の)"
    ),
    "name": lazy_pattern(
        "と(?:[いよ]|言[いう]|呼|称|名[付づ])|いわゆる|所謂|[総通略]称|別名|の名|[（(「『][^（）()「」]{2,24}[）)」』]"
    ),
    "reason": lazy_pattern(
        "ため(?!に[^、]*[うるす]$)|から(?=[、。]|で)|ので|により|によって|理由|原因|ことで|おそれ|恐れ|支障"
    ),
    "list": lazy_pattern(
        "(?:、|及び|・|①).*(?:大別|(?:区分|分類)[さし]|に分け|から(?:な[るりっ]|構成)|で構成され|[2-9２-９二三四五六七八九](?:[つ種]|要素))|①.*②"
    ),
}
_DEFINED = lazy_pattern(
    r"(?:.*(?:における|での|で(?:いう|の)|に(?:いう|おいて))|.*[、。「『])?(?P<word>[^、。「」『』]{1,40}?)[」』]?"
    r"(?:(?:とは|というのは|って|というと)、?(?:何|なに|なん|どう|どんな|いかなる|[?？。]*$)|の(?:定義|意味|意義)|について(?:教え|説明|知))"
)
_COMPARED = lazy_pattern(
    r"(?P<words>[^。?？\n]+?[」』]?)(?:って)?、?(?:の(?:違い|差異?|相違点?|区別|使い?分け|それぞれの[^、。?？]{1,12})"
    r"|(?:と?[はでが]|とで?は)?、?(?:それぞれ|何が|何か|どこが|どう|どのように|いかに)、?(?:違|異な|区別|使い?分|定義)"
    r"|(?:の[^、。?？]{1,8})?を?(?:比べて?|比較)|(?:と?[はで])?、?それぞれ)"
)
_AND = lazy_pattern("[」』]?(?:とは?|、|・|／|及び|および|並びに|ならびに|や)[「『]?")
_ASKS = lazy_pattern(r"か[。?？」』）)\s]*$|[?？][」』）)\s]*$")  # the sentence is a question itself
_STEPS = lazy_pattern("手順|方法|手続|やり方|進め方|流れ|どうやって")
_LISTS_OTHERS = lazy_pattern(
    "目次|索引|文献|参考(?:図書|資料)|(?:関[係連]|主な)?通[知達](?:等|一覧)?$|(?:改[正訂定]|制定).{0,4}(?:履歴|経[緯過])|沿革"
)
_IS_LISTED = lazy_pattern(
    r"[.．・…‥]{3}\s*\d*$|(?:(?:昭和|平成|令和)\s?[\d０-９元]+年|\d{4}年?)[^。]{0,30}$|第\s?[\d０-９]+\s?号[^、。]{0,3}$"
    r"|(?i:\bvol\b|\bpp?\.\s?\d|\bNo\.\s?\d)|https?:"
)
_POINTS_AT_SOURCES = lazy_pattern("(?:資料|文献|図書|通[知達]|基準|指針|要領|マニュアル)[^。]{0,20}参[考照]")
_COLON = lazy_pattern("[:：]")
_NOTE_NUMBER = lazy_pattern(r"[\[（(][\d０-９]{1,3}[)）\]]")  # 少ないシステム[2]へ
_WORKING_DAY = lazy_pattern("(?:労働|営業|就業|稼働)日")  # 十労働日 answers 何日
_SAYS_WHAT_IT_IS = lazy_pattern(
    "(?:もの|こと|[一-鿿ァ-ヺー])(?:で(?:ある|す|あり|あって)|を(?:い[いう]|言[いう]|指[しす]))"
)
_BRACKETED = r"[」』]?(?:\s?[（(][^（）()]{0,40}[）)])?\s?"  # ends with the space after a Latin word: sudo は
# NMU とは呼ばれない; but とは、いわゆる… and とは、違法な… say what it is
_WHAT_IT_IS_NOT = "、?(?:呼ば|(?:言|い)[えわ](?!ゆる|ば)|限ら|異な|違[いうっわ]|別|無?関係|なら[なず]|思[えいわ])"
_NO_WORD_BEFORE = "(?<![一-鿿ァ-ヺーa-z])(?<![a-z] )"


class Part(Struct, frozen=True, eq=False):
    """A sentence of a passage together with the one that limits it (ただし…), or a row of a table.

    `start`, `end`: offsets in the passage's text. `section`: the section that holds it, which ends at `section_end`.
    `header`: the header row of its table, or "". `row`: its number below the header in this section, from 1; 0 for a
    sentence. `weight`: a factor for its form, 1 for a sentence or row; less for a title, a caption, an entry of a list,
    or if it only announces a table.
    """

    text: str
    start: int
    end: int
    section: Section
    section_end: int
    row: int
    header: str
    weight: float

    @property
    def is_row(self) -> bool:
        return self.row > 0


class RankedSentence(Struct, frozen=True, eq=False):
    """A part of passage `number` (from 1) with the question's terms in it."""

    number: int
    part: Part
    terms: frozenset[str]
    score: float


class SoughtAnswer:
    """What a question asks for. `weights`: its terms with the share of each in the whole, which is 1."""

    def __init__(self, question: str, sentence_terms: Sequence[Collection[str]]) -> None:
        wanted = terms.weigh_query_terms(question) | dict.fromkeys(_item_codes(question), terms.WEIGHT_WORD)
        found = [self._among(wanted, one) for one in sentence_terms]
        having = collections.Counter(itertools.chain.from_iterable(found))
        weights = {term: weight * math.log(1 + len(found) / (having[term] + 0.5)) for term, weight in wanted.items()}
        whole = math.fsum(weights.values()) or 1.0
        self.weights: Mapping[str, float] = {term: weight / whole for term, weight in weights.items()}
        self.informative = frozenset(term for term, weight in wanted.items() if weight > terms.WEIGHT_KANA)
        self._values = quantities.parse(question)
        asked = (quantities.parse(f"3{unit}") for unit in _ASKED_UNIT.findall(question))
        self._units = frozenset(one[0].unit for one in asked if one and one[0].unit)
        self._asks_frequency = _ASKS_FREQUENCY.search(question) is not None
        self._asks_value = bool(self._units) or _ASKS_VALUE.search(question) is not None
        self._defined = defined_words(question)
        self._question = question.strip().rpartition("\n")[2]
        self._folded = search_text.fold(self._question)
        self._kind = next((kind for kind, asks in _ASKED_KINDS.items() if asks.search(self._question)), "")
        which = _WHICH.search(self._question) if not (self._kind or self._asks_value) else None
        self._which = lazy_pattern(f"[一-鿿ァ-ヺーA-Za-z・]{re.escape(which['noun'])}") if which else None
        measures = [
            (found.start(), units) for word, units in _UNITS_OF.items() for found in re.finditer(word, question)
        ]
        names_unit = bool(self._units) or self._asks_frequency
        self._expected = frozenset() if names_unit else frozenset(max(measures, default=(0, ""))[1].split())

    def terms_in(self, having: Collection[str]) -> frozenset[str]:
        """Return the question's terms that occur among these; 堰* occurs where any term begins with 堰."""
        return frozenset(self._among(self.weights, having))

    @staticmethod
    def _among(wanted: Mapping[str, float], having: Collection[str]) -> set[str]:
        return {
            term
            for term in wanted
            if term in having or (term.endswith("*") and any(one.startswith(term[:-1]) for one in having))
        }

    def share(self, found: Collection[str]) -> float:
        """Return the share (0 to 1) of the question that these of its terms are."""
        return math.fsum(self.weights[term] for term in found)  # the same in each order, so that ties stay ties

    def names(self, column: str) -> bool:
        """Return whether the question has a noun of a column's title."""
        return any(word.is_noun and word.text in self._question for word in lexicon.tokenize(column))

    def gain(self, text: str, title: str = "") -> float:
        """Return the factor by which a sentence counts more because it has what the question asks for.

        `title`: the heading of which it is the first sentence.
        """
        kind = _LIST_GAIN if self._kind == "list" else _VALUE_GAIN if self._asks_value else _KIND_GAIN
        return 1 + kind * self.asked_share(text) + _DEFINITION_GAIN * self._definition_share(text, title)

    def is_asked_by(self, title: str) -> bool:
        """Return whether a heading asks the same, or names the steps that are asked for."""
        asks = _ASKS.search(title) or (_STEPS.search(title) and _STEPS.search(self._question))
        return asks is not None and self.share(self.terms_in(terms_of(title))) >= _ASKED_SHARE

    def is_defined_by(self, text: str) -> bool:
        """Return whether the question asks what something is, and a sentence says it."""
        return self._definition_share(text) > _PROBABLE

    def ends_with(self, text: str) -> bool:
        """Return whether the question is about nothing but the words of a text: …許容応力度の割増しは."""
        return self._folded.rstrip("?？。はを ").endswith(search_text.fold(text).strip())

    def is_defined_below(self, title: str) -> bool:
        """Return whether a heading says that its section begins with what the question asks for."""
        return any(is_titled_definition(word, title) for word in self._defined)

    def asked_share(self, text: str) -> float:
        """Return how surely (0 to 1) a text has the value, time, actor, place, name or reason that is asked for."""
        if self._asks_value:
            plain = _WORKING_DAY.sub("日", _NOTE_NUMBER.sub("", text))
            units = {one.unit for one in quantities.parse(plain) if self._is_asked(one)}
            if units:
                return 1.0 if not self._expected or units & {*self._expected, ""} else _PROBABLE
        found = itertools.chain(
            zip(self._names_in(text), itertools.repeat(1.0)), zip(self._forms_in(text), itertools.repeat(_PROBABLE))
        )
        return next((share for words, share in found if words not in self._question), 0.0)

    def _definition_share(self, text: str, title: str = "") -> float:
        return max((definition_share(word, text, title) for word in self._defined), default=0.0)

    @property
    def asks(self) -> bool:
        """Whether the question asks for a value or for one of the other kinds of words."""
        return self._asks_value or bool(self._kind or self._which)

    @property
    def asks_name(self) -> bool:
        """Whether the question asks for somebody or something by name, as a heading may say it."""
        return self._kind in ("who", "where", "name")

    @property
    def may_be_listed(self) -> bool:
        """Whether the question asks for a time or a publication, as entries of lists have."""
        return self._kind == "time" or _LISTS_OTHERS.search(self._question) is not None

    def _names_in(self, text: str) -> Iterator[str]:
        """Yield the dates, the actors, or the names of places in a text, whichever the question asks for."""
        if self._kind == "time":
            yield from (text[one.start : one.end] for one in notation.parse_dates(text))
        elif self._kind in ("who", "where"):
            yield from _proper_names(self._kind, text)

    def _forms_in(self, text: str) -> Iterator[str]:
        """Yield the words of a text that are formed like a time, a place, a name or a reason."""
        form = self._which or _FORMS.get(self._kind)
        yield from (one.group() for one in form.finditer(text)) if form else ()

    def _is_asked(self, value: Quantity) -> bool:
        if value.unit.startswith("第") or any(map(value.is_same, self._values)):  # a value of the question is no answer
            return False
        is_frequency = self._asks_frequency and (value.per is not None or value.unit == "回")
        is_unit = value.unit in self._units or (value.per is not None and value.per[0] in self._units)
        return is_frequency or is_unit or not (self._units or self._asks_frequency)


def _proper_names(kind: str, text: str) -> Iterator[str]:
    """Yield the names and nouns for actors ("who") or the names of places ("where") in a text."""
    noun = ""
    for word in lexicon.tokenize(text):
        if "地名" in word.kind if kind == "where" else "人名" in word.kind or "固有名詞-一般" in word.kind:
            yield word.text
        if word.is_noun or word.is_affix:
            noun += word.text
            continue
        if kind == "who" and noun and lexicon.is_agent(noun):
            yield noun
        noun = ""


def _item_codes(text: str) -> frozenset[str]:
    return frozenset(_ITEM_CODE.findall(unicodedata.normalize("NFKC", text).casefold()))


def terms_of(text: str) -> frozenset[str]:
    return frozenset(terms.extract_terms(text)) | _item_codes(text)


def rank_sentences(question: str, passages: Sequence[Passage]) -> tuple[SoughtAnswer, list[RankedSentence]]:
    """Return what is asked for, and all sentences in the order of the passages; unrelated ones have the score 0."""
    parts = [(number, part) for number, passage in enumerate(passages, start=1) for part in parts_of(passage)]
    having = [terms_of(part.text) for _, part in parts]
    sought = SoughtAnswer(question, having)
    found_in = functools.cache(lambda text: sought.terms_in(terms_of(text)))
    ranked: list[RankedSentence] = []
    for (number, part), own in zip(parts, having, strict=True):
        words = sought.terms_in(own)
        last = ranked[-1] if ranked and ranked[-1].number == number else None
        is_first = last is None or last.part.section is not part.section
        title = part.section.heading[-1] if is_first and part.section.heading and not part.row else ""
        about = dict.fromkeys(last.terms, _BEFORE_SHARE) if last and last.part.section is part.section else {}
        heading_share = 1.0 if sought.is_defined_below(title) else _HEADING_SHARE
        about |= dict.fromkeys(found_in(" ".join(part.section.heading)), heading_share)
        about |= dict.fromkeys(found_in(part.header), _HEADER_SHARE)
        about |= dict.fromkeys(words, 1.0)
        score = 0.0
        if not sought.informative.isdisjoint(about):
            score = math.fsum(share * sought.weights[term] for term, share in about.items())
            score *= sought.gain(part.text, title) / (1 + max(0, len(part.text) - _LENGTH_FREE) / _LENGTH_HALVES)
            score *= max(part.weight, _LITTLE_FACTOR) if sought.may_be_listed else part.weight
            score /= 1 + (number - 1) / _RANK_HALVES
            if is_first:
                score *= _ANSWER_FACTOR if sought.is_asked_by(" ".join(part.section.heading[-1:])) else 1.0
            score *= _ECHO_FACTOR if sought.ends_with(part.text) else 1.0
            score *= _NAMED_FACTOR if passages[number - 1].named == "clause" else 1.0
        ranked.append(RankedSentence(number, part, words, score))
    return sought, ranked


def _is_nominal(text: str) -> bool:
    """Whether a text has no predicate or topic, as a title, a caption or an entry of a list of literature."""
    has_predicate = re.search(r"[ぁ-ゖ](?<!について)[」』）)]*[。．.、，,]?$", text.strip()) is not None
    return not has_predicate and TOPIC.search(text) is None


def defined_words(question: str) -> tuple[str, ...]:
    """Return the words whose definitions the last line of a question asks for: 堰とは何ですか, 堰と水門の違いは."""
    line = question.strip().rpartition("\n")[2]
    if asked := _COMPARED.match(line):
        *others, last = _AND.split(asked["words"].strip("「『」』 "))
        words = [*(_last_noun(one.strip()) for one in others), last.strip()]
        while words and not 0 < len(words[0]) <= _COMPARED_MOST:  # 水抜きで、横ボーリング工と集水井工
            del words[0]
        if len(words) > 1 and all(0 < len(word) <= _COMPARED_MOST for word in words):
            return tuple(words)
    asked = _DEFINED.match(line)
    return (asked["word"].strip(),) if asked and asked["word"].strip() else ()


def _last_noun(text: str) -> str:
    """Return the nouns at the end of a text: 定期点検 of 砂防の定期点検; "" for other words."""
    start = len(text)
    for word in reversed(lexicon.tokenize(text)):
        is_kana = re.search("[ぁ-ゖ、]$", word.text) is not None
        is_stem = word.kind.startswith("動詞") and re.search("[うくぐすつぬぶむる]$", word.text) is None  # わだち掘れ
        if word.end != start or (is_kana and not (word.kind.startswith("名詞") or word.is_affix or is_stem)):
            break
        start = word.start
    return text[start:]


def is_titled_definition(word: str, title: str) -> bool:
    """Return whether a heading says that its section begins with what a word is: 第342条（質権の内容）."""
    said = f"(?:^|[\\s　（(.．]){re.escape(word.casefold())}の(?:{DEFINING_TITLES})[）)]?$"
    return bool(word) and re.search(said, title.casefold()) is not None


def definition_share(word: str, text: str, title: str = "") -> float:
    """Return how much a sentence looks like the definition of a word, from 0 to 1.

    `title`: the heading of which it is the first sentence.
    """
    if is_titled_definition(word, title):
        return 0.8
    word, text = word.casefold(), text.casefold()
    if not word or word not in text or _ASKS.search(text):
        return 0.0
    named = f"{re.escape(word)}{_BRACKETED}"
    if re.search(f"{_NO_WORD_BEFORE}{named}とは(?!{_WHAT_IT_IS_NOT})", text) or re.match(
        rf"[^ぁ-ゖ]{{0,6}}{named}[　 ：:].*をいう", text
    ):
        return 1.0
    if re.search(f"{_NO_WORD_BEFORE}{named}(?:である)?と(?:い[うい]|言う|呼[ぶば]|称|総称|定義|規定)", text):
        return 0.8
    class_noun = "(?:[一-鿿ァ-ヺー]{1,8})?" if word.isascii() else ""  # apt コマンドは
    if re.match(f"[「『＜<〈]{re.escape(word)}[」』＞>〉]の[^、。]{{,20}}は", text):  # 「必須」の位置付けは、
        return 0.4
    if re.match(f"[「『]?{named}{class_noun}は", text) is None:
        # …前の状況に補修する「修繕」, but not 前条に規定する「届出」
        described = (
            f"[うくすつぬふむゆるただ](?<!規定する)(?<!掲げる|定める|関する)(?<!いう)[「『]{re.escape(word)}[」』]"
        )
        return 0.4 if re.search(described, text) else 0.0
    return 0.8 if _SAYS_WHAT_IT_IS.search(text) else 0.4


def parts_of(passage: Passage) -> Iterator[Part]:
    """Yield the sentences and rows of a passage that may be quoted, without headings and table headers."""
    text = passage.section.text
    headers = sentences.find_table_headers(text)
    extents = source_citations.part_extents(passage)
    found = sentences.split_sentences(text)
    is_row = [sentences.is_table_row(text[one.start : one.end]) for one in found]
    is_limit = [LIMITS.match(text, one.start) is not None for one in found]
    row = row_section = 0
    for at, one in enumerate(found):
        extent = next((extent for extent in extents if extent[1] <= one.start < extent[2]), None)
        header = next((header for header in headers if header.start <= one.start < header.last_line), None)
        shown = text[header.start : header.end] if header else ""
        is_header = header is not None and (one.start < header.end or text[one.start : one.end] == shown.strip())
        if extent is None or is_header:  # a table that continues in another section has its header there too
            row = 0
            continue
        section, begins, ends = extent
        row, row_section = (row if begins == row_section else 0) + 1 if is_row[at] else 0, begins
        if at and is_limit[at] and begins <= found[at - 1].start:
            continue  # it belongs to the sentence before
        end = one.end
        for following, limits in zip(found[at + 1 :], is_limit[at + 1 :], strict=True):
            if not limits or following.start >= ends or following.end - one.start >= _LIMITED_MOST:
                break
            end = following.end
        is_before_row = at + 1 < len(found) and is_row[at + 1]
        weight = 1.0
        announces = not is_row[at] and sentences.announces_items(text, one.start, one.end)
        if announces and (is_before_row or _POINTS_AT_SOURCES.search(text, one.start, one.end)):
            weight = _LITTLE_FACTOR
        elif not is_row[at] and _ASKS.search(text, one.start, end):
            weight = _LISTED_FACTOR
        elif not is_row[at] and _is_nominal(text[one.start : end]):
            is_listed = _IS_LISTED.search(text, one.start, end) or any(map(_LISTS_OTHERS.search, section.heading[-1:]))
            weight = _LISTED_FACTOR if is_listed else 1.0 if _COLON.search(text, one.start, end) else _LITTLE_FACTOR
        yield Part(text[one.start : end], one.start, end, section, ends, row, shown, weight)
