"""List the values that documents require: what, value, unit, bound and condition, with clause and page.

A value is listed if it is bounded (以上, 未満), or if it has a unit and its sentence or the mark of its clause obliges
(なければならない, 標準とする, 必須). Numbers of clauses, dates, mere counts (3つの条件), literature and
what only explains or describes are left out. In tables the column names the thing, and the row the condition.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec import structs

from app.base.lazy_pattern import lazy_pattern
from app.base.wording import phrase
from app.documents.grounding import sentences
from app.documents.overview.result_table import Column, LinePair, Piece, ResultRow, ResultTable, clause_of, place_of
from app.documents.retrieval import excerpts
from app.documents.values import notation, quantities
from app.documents.values.quantities import Quantity
from app.documents.whole_document import PAUSE_S, WholeDocument

GROUPS = (">=", "<=", ">", "<", "range", "value")
STEPS = 100  # of progress, for each document
COLUMNS = (
    Column("requirement", "clause", 4), Column("value", share=3), Column("number", "number"), Column("unit", share=1),
    Column("bound"), Column("condition", "clause"), Column("document", "clause", 4), Column("clause", "clause", 4),
    Column("page", "number", 1), Column("sentence", "text"),
)  # fmt: skip
_OBLIGING_TAGS, _EXPLAINING_TAGS = frozenset({"必須", "標準", "推奨"}), lazy_pattern("考え|例|参考|関連|通知|資料")
_OBLIGES = lazy_pattern(
    "(?:なければ|なくては)(?:ならない|いけない)|てはならない|(?:もの|こと|標準|基本|原則|限度|上限|下限|目安|基準|有効|効力)と(?:する|し、)"
    "|とする(?:。|$|こと|もの)|こと(?:。|$)|必要(?:が|で)あ|望まし|義務|を要する|許容|限る|でなければ|満たす|処する|ことができる"
)
_DESCRIBES = lazy_pattern(
    r"(?:例|もの|場合|こと)(?:が|も)(?:多|あ)|事例|呼[ぶび]|傾向|と(?:推定|言わ|いわ)れ|(?:であ|てい)った|ていた|及んで|一般的"
)
_READ_AS = lazy_pattern("とあるのは")  # 「四十時間」とあるのは「四十二時間」とする
_LITERATURE = lazy_pattern(
    r"(?:pp?|Vol|No)\.\s?\d|第\d+巻|ISBN|https?:|[,、]\s?(?:(?:19|20)\d\d|(?:昭和|平成|令和)\s?\d+)\s?年?\s?(?:\d+\s?月)?[^。ぁ-ん]*$"
)
_CONDITION = lazy_pattern(
    r"(?P<words>[^、。）][^、。]{1,59}?(?:場合|とき|際|時|区間|以外|おいて))(?:に|は|には|においては|では)?、"
)
_NOUN = r"[一-鿿々ァ-ヺーA-Za-z0-9]"
_TOPIC = lazy_pattern(
    rf"(?P<words>{_NOUN}[一-鿿々ァ-ヺーA-Za-z0-9・]*(?:(?:の|及び|又は|と|や|・|等の|における|に対する|に係る|からの|までの)"
    rf"{_NOUN}+)*(?:さ|等|み|め|き)?)(?<![又或])(?<!若しく)(?P<mark>については|に関しては|において|にあって|には|では|は|が|を)(?![ぁ-ん]*(?:よ|あり))"
)
_KANA_TOPIC = lazy_pattern(  # かぶりは, 設計かぶりは
    r"(?:^|[、。])\s*(?P<words>(?![にをでとがのへも])[^、。は（）()]{1,24}(?<![にでとてつめの])(?<!こと)(?<!もの)(?<!とき)(?<!場合)(?<!又))は[^は]*$"
)
_MEASURE = lazy_pattern(
    r"(?P<words>(?:[一-鿿々ァ-ヺーA-Za-z・]+の)?[一-鿿々ァ-ヺー]*(?:径|幅|高さ?|厚さ?|長さ?|深さ?|率|量|比|角|度|配|速|位|積|間隔|距離|期間|時間"
    r"|年数|荷重|水深|口|数|額|料|金))\s?(?:約|概ね|おおむね|最大|最小)?\s?$"
)
_CLOCKS = frozenset({"時"})
BOUND_NAMES = {">=": "least", "<=": "most", ">": "above", "<": "below", "range": "range", "": "value"}


@dataclass(frozen=True, slots=True)
class RequiredValue:
    """A value in a sentence or a table cell. `written`: with unit and bound, as in the text.

    `numbers`: one, or both ends of a range. `unit`: as written, with the base of a rate. `bound`: as in Quantity, or
    "range".
    """

    requirement: str
    written: str
    numbers: tuple[float, ...]
    unit: str
    bound: str
    condition: str
    sentence: str


def find_values(text: str, tag: str = "", title: str = "") -> list[RequiredValue]:
    """Return the required values of a section. `tag`: its mark of obligation. `title`: of its innermost heading."""
    if not notation.NUMERIC.search(text):
        return []
    found: list[RequiredValue] = []
    headers = sentences.find_table_headers(text)
    for one in sentences.split_sentences(text):
        written = text[one.start : one.end]
        if one.kind == "heading" or _LITERATURE.search(notation.flatten(written)[0]):
            continue
        if one.kind == "row" or sentences.is_table_row(written):
            if _EXPLAINING_TAGS.search(tag):
                continue
            header = next((head for head in headers if head.start <= one.start <= head.last_line), None)
            if header is None or header.start != one.start:
                found += _of_row(text[header.start : header.end] if header else "", written, title)
        else:
            found += _of_sentence(written, tag, title)
    return found


def list_values(
    documents: Iterable[WholeDocument],
    count: int,
    title: str,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> ResultTable:
    """Return the required values of documents as a table. `count`: about how many; `report` is as for `compare`."""
    rows: list[ResultRow] = []
    ids: list[int] = []
    empty = done = 0
    for document in documents:
        before, size = len(rows), len(document.sections)
        for at, section in enumerate(document.sections):
            if at % 50 == 0:
                report(STEPS * done + STEPS * at // size, STEPS * count)
                time.sleep(PAUSE_S)
            last = section.heading[-1] if section.heading else document.name
            heading = excerpts.title_of(last) or last
            rows += [_row(document, at, value) for value in find_values(section.text, section.tag, heading)]
        ids += [document.document.id] if document.document else []
        done += 1
        empty += len(rows) == before
    report(1, 1)
    facts = [phrase("documents.values_found", n=f"{len(rows):,}", documents=f"{done:,}")]
    facts += [phrase("documents.documents_without_values", n=f"{empty:,}")] if empty and done > 1 else []
    facts.append(phrase("documents.values_by_rule"))
    return ResultTable("values", title, COLUMNS, tuple(rows), tuple(facts), tuple(ids), GROUPS)


def _row(document: WholeDocument, at: int, value: RequiredValue) -> ResultRow:
    section = document.sections[at]
    numbers = [int(one) if one.is_integer() else one for one in value.numbers]
    number = numbers[0] if len(numbers) == 1 else "～".join(map(str, numbers))
    bound = phrase(f"documents.bound.{BOUND_NAMES[value.bound]}")
    cells = (
        value.requirement, value.written, number, value.unit, bound, value.condition, document.name,
        clause_of(document, at), section.page or "", value.sentence,
    )  # fmt: skip
    before, written, after = value.sentence.partition(" ".join(value.written.split()))
    pieces: tuple[Piece, ...] = ((before, ""), (written, "number"), (after, ""))
    return ResultRow(cells, value.bound or "value", place_of(document, at), lines=(LinePair(new=pieces),))


# ----------------------------------------------------------------------- sentences


def _of_sentence(text: str, tag: str, title: str) -> Iterator[RequiredValue]:
    obliges = _OBLIGES.search(text) is not None
    is_told = _DESCRIBES.search(text) or _EXPLAINING_TAGS.search(tag)
    if (is_told and not obliges) or _READ_AS.search(text):
        return
    obliges = obliges or tag in _OBLIGING_TAGS
    values = [_with_later_bound(text, one) for one in quantities.parse(text)]
    at, requirement = 0, ""
    for index, one in enumerate(values):
        last = values[index + 1] if one.is_range_start and index + 1 < len(values) else one
        is_rare = index > 0 and values[index - 1].is_per and text[: values[index - 1].start].endswith("数")
        if one.is_range_end or last.is_per or is_rare or not _is_required(text, one, last, obliges=obliges):
            continue
        requirement = _requirement(text[at : one.start], is_first=not requirement) or requirement
        yield RequiredValue(
            _with_title(requirement, title), text[one.start : last.bound_end], *_number_and_unit(text, one, last, base=
            _base(text, values[:index], one)), "range" if last is not one else one.bound, _condition(text[: one.start]),
            " ".join(text.split()),
        )  # fmt: skip
        at = last.bound_end


def _with_later_bound(text: str, value: Quantity) -> Quantity:
    """Return a value with the bound that follows the amount for which it stands: 百分の三十に相当する額未満."""
    found = None if value.bound else _LATER_BOUND.match(text, value.end)
    if found is None:
        return value
    return structs.replace(value, bound=(">=", "<=", ">", "<")[(found.lastindex or 1) - 1], bound_end=found.end())


def _is_required(text: str, value: Quantity, last: Quantity, *, obliges: bool) -> bool:
    """Whether a value, or the range from it to `last`, is no number of a part, no date and no mere count."""
    unit = last.unit
    is_vague = text[: value.start].endswith(("数", "何", "幾")) or (value.per is not None and value.per[0] == unit)
    if value.names_part or unit.startswith("第") or unit in _CLOCKS or is_vague:
        return False
    if last.bound:
        return bool(unit) or value.number > _SMALL or not text.startswith("の", last.bound_end)
    is_certain = obliges or value is not last
    if unit in ("か月", "s") and not value.per:  # a span of time that nothing limits
        is_certain = obliges and not text[: value.start].endswith(_PAST) and bool(_IS_SET.match(text, last.end))
    return is_certain and bool(unit) and (unit not in notation.COUNTED or value.per is not None)


_PERIOD = lazy_pattern(r"([年月週日]|四半期|半期)(?:間|額)?(?:に|につき|当たり|あたり)?[^年月週日\d]{0,6}$")
_SMALL = 10  # 2以上の河川
_OTHER_CHARACTERS = 6  # of a cell besides its value
_IS_SET = lazy_pattern(
    r"(?:程度|前後|間)?(?:[（(][^（）()]*[）)])?(?:とす|とし|と定|を標準|を基本|を目安|ごと|毎|の間隔|前まで|前に|を経過|間?、|保存|備え)"
)
_LATER_BOUND = lazy_pattern(r"に相当する(?:額|金額|価額|数)?(?:(以上)|(以下|以内)|(を超え)|(未満))")
_PAST = ("過去", "前", "直近", "最近", "開始後", "締結前")


def _requirement(before: str, *, is_first: bool) -> str:
    """Return what the words before a value say that it is: the measure directly before it, or the last topic."""
    clause = before.rpartition("。")[2]
    if found := _MEASURE.search(clause):
        return found["words"]
    topics = list(_TOPIC.finditer(clause))
    mains = [one for one in topics if one["mark"] not in ("を", "が")]
    if not mains and (in_kana := _KANA_TOPIC.search(clause)):
        return in_kana["words"]
    mains = mains or topics
    return mains[-1]["words"] if mains and (is_first or mains[-1]["mark"] != "を") else ""


def _condition(before: str) -> str:
    found = [one["words"] for one in _CONDITION.finditer(before.rpartition("。")[2])]
    return found[-1].strip() if found else ""


def _base(text: str, before: Sequence[Quantity], value: Quantity) -> str:
    """Return the base of a rate as written: /3年 for 3年に1回, /年 for 年2回, /m2 for 1m2当たり; "" without a base."""
    if value.per is None or "/" in text[value.start : value.end]:
        return ""
    if before and before[-1].is_per:
        first = before[-2] if len(before) > 1 and before[-2].is_range_start else before[-1]
        written = text[first.start : before[-1].end].strip()
        return f"/{re.sub(r'^[1１一](?=[^0-9０-９.．])', '', written)}"
    found = _PERIOD.search(text[: value.start])
    return f"/{found[1]}" if found else ""


_SAYS_NOTHING = lazy_pattern("場合等?|者|もの|一般|範囲内|基準|規定|次|法律|日|とき|原則|[前同]項")
_MEASURES = lazy_pattern("額|割合|日?数|比?率|量|期間|金額|値|合計|長さ|高さ|幅|厚さ")


def _with_title(requirement: str, title: str) -> str:
    """Return what a value is, with the clause's title where it says little by itself."""
    if not requirement or _SAYS_NOTHING.fullmatch(requirement):
        return title or requirement
    is_vague = _MEASURES.fullmatch(requirement) and title and requirement not in title
    return phrase("documents.quoted_about", subject=title, quoted=requirement) if is_vague else requirement


def _number_and_unit(text: str, first: Quantity, last: Quantity, base: str = "") -> tuple[tuple[float, ...], str]:
    """Return the numbers and their unit as written; those of a share (百分の五十, 二割五分) in per cent."""
    values = tuple(dict.fromkeys((first, last)))
    written = notation.flatten(text[last.start : last.end])[0].strip()
    unit = _NUMERAL.sub("", written)
    if last.unit == "%" and (_PER_CENT.search(unit) is None or _COMPOUND.match(unit)):
        return tuple(one.value for one in values), "%"
    return tuple(one.number for one in values), (_COMPOUND.sub(r"\1", unit) or unit) + base


_COMPOUND = lazy_pattern(rf"(割|年)[\d{notation.KANJI_NUMERALS}].*")  # 二割五分, 一年六箇月
_PER_CENT = lazy_pattern("^(?:%|パーセント|割|‰|パーミル|倍)")
_NUMERAL = lazy_pattern(
    rf"^\D{{0,4}}?(?:\d[\d,]*(?:\.\d+)?|[{notation.KANJI_NUMERALS}]+)(?:\s?[:/×x]\s?\d[\d,.^-]*|\s?[万億兆千百](?!円)\d*|[{notation.KANJI_NUMERALS}万億兆]+)*\s*"
)


# -------------------------------------------------------------------------- tables


def _of_row(header: str, row: str, title: str) -> Iterator[RequiredValue]:
    names, cells = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in (header, row))
    label = "" if _only_number(cells[0], quantities.parse(cells[0])) else cells[0]
    for column, cell in enumerate(cells):
        name = names[column] if header and column < len(names) else ""
        units = notation.units_of_heads(notation.flatten(name)[0])
        values = quantities.parse(cell)
        is_alone = _only_number(cell, values)
        for index, one in enumerate(values):
            last = values[index + 1] if one.is_range_start and index + 1 < len(values) else one
            is_plain = (last.unit or units) and last.unit not in notation.COUNTED and (is_alone or last is not one)
            is_number = one.is_range_end or one.names_part or one.unit.startswith("第") or one.is_per
            if is_number or not (one.bound or (column and is_plain)):
                continue
            numbers, unit = _number_and_unit(cell, one, last)
            yield RequiredValue(
                name or title, cell[one.start : last.bound_end], numbers, unit or (_head_unit(name) if units else ""),
                "range" if last is not one else one.bound, label if column else "", " | ".join(cells),
            )  # fmt: skip


def _only_number(cell: str, values: Sequence[Quantity]) -> bool:
    """Whether a cell has a value and little else."""
    rest = len(notation.flatten(cell)[0].strip()) - sum(one.bound_end - one.start for one in values)
    return bool(values) and rest <= _OTHER_CHARACTERS


def _head_unit(name: str) -> str:
    found = re.search(r"[（(\[]\s?(?:単位\s?[:：]\s?)?([^（）()\[\]]+?)\s?[）)\]]|単位\s?[:：]\s?(\S+)", name)
    return (found[1] or found[2]) if found else ""
