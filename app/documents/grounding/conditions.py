"""Find where an answer drops a condition or exception of its source, or strengthens or weakens an obligation."""

import re
from collections.abc import Iterable, Sequence

from app.base.lazy_pattern import lazy_pattern
from app.documents.grounding import alignment, modality, roles
from app.documents.grounding.alignment import Place, SourceFacts, shares_kanji
from app.documents.grounding.statements import Phrase, PredicateFrame, Statement

_WITHOUT = lazy_pattern(  # after a noun: 許可がなくても, 補助者なしで
    r"[がはもの]?(?:なし|無し)(?:でも?|に(?!な))|[がはも](?:い|居)?な(?:くて|くと|い(?:まま|場合で|ときで|人で|者で))も?"
)
_NOT_DONE = lazy_pattern(  # after a verb: 受けずに, 修了していない技術員でも
    r"[しさらわかたばまえけせてべめれ]?(?:てい|てお)?(?:ら|さ)?(?:れ)?(?:ない(?:で|まま|場合|とき|者|人)?|なく[てと]も|ずに?(?!つ))"
)
_HAS_NONE = lazy_pattern(rf"[がはもの]?(?:{modality.NONE}|不要|問わ)")
_EVERY = lazy_pattern(
    rf"{modality.EVERY}|どの[^、。]{{1,8}}でも|(?:^|(?<=[、はもがら]))みな(?!し|ら)|みんな|全員|すべて|全て|一律|(?:誰|だれ|どこ|いつ)も|例外[はも]?(?:認め|設け|{modality.NONE})"
)
_EXCEPTS = lazy_pattern("ただし|但し|除|以外|限り|別")
_BINDS = lazy_pattern(
    r"(?<![一-鿿])必ず(?!し)|義務(?:です|で、|だ|であ|とな|が(?:あ|課)|づけ|付け)|必須|(?:な(?:けれ|きゃ)ば?|なくては|ないと)(?:な[らり]|いけ)"
    r"|禁[止じ]|厳禁|[てで]は(?:いけ|な[らり]|だめ)"
)
_BINDS_NOT = lazy_pattern(
    r"(?:義務|必須|強制|決まり)(?:的)?では(?:な|あり?ませ)|任意|(?:すれ|掛けれ|れ)ば(?:足り|十分)"
)
_ADVISES = lazy_pattern(
    r"(?:推奨|望まし|努め|勧め|薦め|すすめ|奨励|好まし|心が?掛け|心がけ|(?:の|ほう|方)が[よ良い]い)[^。、]{0,8}。?$"
)
_PERMITS = lazy_pattern(r"(?:こと[がも]でき|でき|[てで]も?(?:よ|構わ|差し?支え))[^。、]{0,5}。?$")
_FREES = lazy_pattern(
    "推奨|望ま|努め|勧め|薦め|すすめ|奨励|好まし|心が?掛け|心がけ|でき|よい|任意|不要|必要(?:は|が)な|支えな"
)
_LIMITS = lazy_pattern("限[りるっ]|のみ|だけ|以外|なけれ|ただし")
_EVEN_SO = lazy_pattern("(?:で(?:あって)?|の(?:場合|とき|時|際)(?:で|に)?)も(?!、?(?:よ|構|かま|差))")
_CASE = lazy_pattern("の?(?:場合|とき|時|際)(?:に|で)?は")
_ABOUT_MIN = 0.5  # smallest share of the answer's words in the source sentence
_FREE = (modality.PLAIN, modality.ABLE, modality.PERMITTED)


def find_waived_conditions(
    statement: Statement, near_statements: Sequence[Statement], facts: SourceFacts
) -> Iterable[Place]:
    """Yield where an answer waives a source's condition: 許可がなくてもできる, unless the source does, too."""
    for frame, things in _done_without(statement):
        main = _main(statement, frame)
        if main is None or main.unit.kind not in _FREE:
            continue
        end = frame.unit.end
        is_way = main.unit.kind == modality.PLAIN and re.match(r".?ず(?!に?も)|.?ないで(?!も)", statement.text[end:])
        required = [
            one
            for one in things
            if any(roles.is_same_name(one, other) for source in near_statements for other in source.units)
        ]
        if (
            not is_way
            and required
            and not any(_is_free(source, one) for source in facts.statements for one in required)
        ):
            yield things[0].start, end


def _done_without(statement: Statement) -> Iterable[tuple[PredicateFrame, list[Phrase]]]:
    """Yield each predicate of doing without (許可なしで, 届け出ずに), with the phrases of what is missing."""
    for frame in statement.frames:
        unit = frame.unit
        if _WITHOUT.match(unit.tail):
            yield frame, [unit]
        elif unit.kind == modality.DENIED and _NOT_DONE.match(unit.tail):
            is_still = "も" in unit.tail
            is_without = re.match(r".?ずに|.?ないで|.?ないまま", unit.tail)
            objects = [one for one in frame.lead if one.role in ("object", "subject")]
            if is_still or is_without:
                yield frame, [*objects[-1:], unit]


def _main(statement: Statement, frame: PredicateFrame) -> PredicateFrame | None:
    """Return the main predicate after a clause; None if there is none."""
    later = [one for one in statement.frames if one.unit.number > frame.unit.number]
    return next((one for one in later if one is later[-1] or re.search("。|が、", one.unit.tail)), None)


def _is_free(source: Statement, phrase: Phrase) -> bool:
    """Whether a source sentence itself allows doing without the thing."""
    if any(frame.unit.kind in (modality.PROHIBITED,) for frame in source.frames):
        return False
    return any(
        phrase.keys & one.keys and _HAS_NONE.match(one.tail) and one.kind != modality.DUTY for one in source.units
    )


def find_dropped_exceptions(statement: Statement, near_statements: Sequence[Statement]) -> Iterable[Place]:
    """Yield a word like 例外なく if the sentence of the source has an exception (ただし…)."""
    found = _EVERY.search(statement.text)
    if not found or not near_statements or _EVERY.search(near_statements[0].text) or _EXCEPTS.search(statement.text):
        return
    if near_statements[0].has_exception or re.match(r"\s*(?:ただし|但し)", near_statements[0].text):
        yield found.span()


def find_ignored_cases(statement: Statement, facts: SourceFacts) -> Iterable[Place]:
    """Yield a case that the source excepts: 雨天でも行う for 雨天の場合は中止する."""
    for unit in statement.units:
        found = _EVEN_SO.match(unit.tail)
        if found is None or unit.is_general or unit.head.kind.startswith(("動詞", "形容詞")):
            continue
        named = [(one, other) for one in facts.statements for other in one.units if other.keys & unit.keys]
        if any(_EVEN_SO.match(other.tail) for _, other in named):
            continue
        cases = [one for one, other in named if _is_in_limiting_clause(other, one)]
        if cases and not any(_agrees_with_case(statement, one) for one in cases):
            yield unit.start, unit.end + found.end()


def _is_in_limiting_clause(unit: Phrase, source: Statement) -> bool:
    """Whether the phrase is in a clause that limits its sentence to a case: 雨天の場合は."""
    for one in source.units[unit.number :]:
        if one.is_condition or _CASE.match(one.tail):
            return True
        if "、" in one.tail:
            break
    return False


def _agrees_with_case(statement: Statement, case: Statement) -> bool:
    """Whether the answer agrees with the source's sentence about the case, including one of its values."""
    if not statement.frames or not case.frames:
        return True
    own, theirs = statement.frames[-1], case.frames[-1]
    is_same = bool(own.keys & theirs.keys) or shares_kanji(own.unit, theirs.unit)
    is_same = is_same and (own.unit.kind in modality.NEGATIVE) == (theirs.unit.kind in modality.NEGATIVE)
    has_value = any(one.is_same(two) for one in statement.values for two in case.values)
    return is_same and (has_value or not statement.values or not case.values)


def find_changed_obligations(
    statement: Statement, near_statements: Sequence[Statement], is_kept: bool
) -> Iterable[Place]:
    """Yield what strengthens or weakens an obligation: 義務です for 推奨する. `is_kept`: its condition is there."""
    if not near_statements or alignment.share_of_words(statement.units, near_statements[0].units) < _ABOUT_MIN:
        return
    there = near_statements[0].text
    binds, frees = list(_BINDS.finditer(statement.text)), _BINDS_NOT.search(statement.text)
    if frees and not _FREES.search(there):
        yield frees.span()
    elif binds and not frees and statement.text[binds[-1].end() :].count("、") == 0 and not _BINDS.search(there):
        is_permitted = _PERMITS.search(there) and not is_kept and not _LIMITS.search(there)
        if _ADVISES.search(there) or is_permitted:
            yield binds[-1].span()
