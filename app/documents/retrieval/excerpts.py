"""Answer with 抜粋表示: quote the best sentences of the passages instead of generating an answer.

The trial model (0.27 billion parameters) repeats the question or invents, and the smallest models that keep to the
documents have 1.2 billion, so below a billion parameters nothing is generated from documents. The file is long because
a quotation is chosen, completed and written by the same few rules.
"""

import itertools
import math
import re
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, structs

from app.base.errors import AppError
from app.base.lazy_pattern import lazy_pattern
from app.base.wording import phrase
from app.documents.grounding import answer_markup, sentences, source_citations
from app.documents.grounding.grounding_record import Claim
from app.documents.reading import headings
from app.documents.records import Passage
from app.documents.retrieval import clause_references, named_clauses, sentence_ranking
from app.documents.retrieval.sentence_ranking import Part, RankedSentence, SoughtAnswer
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models

PARAMETERS_MIN = 1_000_000_000
EXCERPTS_MAX = 6  # rows of one table that match equally count as one
SHOWN_FIRST = 2  # quotations that the window shows before the others are opened; a table counts as one
ROWS_SHOWN_FIRST = 8  # rows of a table that the window shows before the others are opened
LEAD_MOST = 80  # characters of a quotation, or of rows, that are the line that answers first as they are
_LEAD_LONGEST = 120  # characters of its clauses where a longer quotation is shortened
_LENGTH_LOSS = 400  # characters over LEAD_MOST that lose as much as one whole question has
_ASKED_CLAUSE, _LAST_CLAUSE = 0.3, 0.1  # what clauses count more for what is asked for, and for the main predicate
_OPENING_LONGEST = 160  # characters of the sentences that are quoted from a named clause, after the first one
_CLEAR = 0.5  # score from which the words of a sentence decide; below it, meaning does, too
_SENTENCES_COMPARED = 20  # sentences that are compared in meaning
_MEANING = 20  # exponent for each 1 of cosine; 10 to 30 did as well
_SCORE_SHARE = 0.5  # share of the best score; excerpts below it are dropped
_CONTEXT_MOST = 160  # characters of a sentence with those around it that it needs
_ANNOUNCED_MOST = 240  # characters of a sentence with those that it announces (次のとおりである。)
_CONTEXT_SHARE = 0.1  # smallest share of the question that a sentence or heading must add to be shown too
_YES_LONGEST = 5  # characters of a sentence that says little alone (はい。)
_AFTER = 0.001  # share of the score that each sentence between takes from that of an announced clause
_SUBJECT_MOST = 40  # characters
_TURNS = lazy_pattern(
    "な[いくけら]|[ずぬ](?:[、。に]|$)|禁|除|限|不要|不可|ただし|場合|とき[はに]|れば|なら(?![なず])"
)  # what may negate or limit the rest of its sentence
_TOPIC_BEFORE = lazy_pattern("[^、。]{,40}?(?<!又)(?<=[^ぁ-ゖ、。])(?:に|で|と)?は(?![ぁ-ゖ])")
_JOINS = lazy_pattern(
    r"(?:しかし(?:ながら)?|また|さらに|なお|したがって|従って|[そこ]の(?:ため|結果)|そこで|つまり|すなわち|そして|一方で?"
    r"|特に|ところで)[、 ]\s*"
)  # says how a sentence follows the one before, which is not quoted; 例えば is, as no example is a rule
_REFERS_BACK = lazy_pattern(
    rf"(?:[（(]?\d[)）]\s*|{_JOINS.pattern})?(?:こ[れのこう]|そ[れのこう](?!他)|同[じ年月日条項法様所]|当該|前[者記述]|後者|上[記述])"
)


class Excerpt(Struct, frozen=True):
    """A quoted sentence, list or table row, at `start` to `end` in the text of the passage `number`, from 1.

    `head`: the header of a row's table, or "". `row`: a row's number below it, from 1; else 0. `subject`: the heading
    that says what the text is about, if it does not itself. `is_cut`: the list that it introduces goes on. `lead`: the
    words that answer; "": all of them.
    """

    number: int
    text: str
    start: int
    end: int
    score: float
    head: str = ""
    subject: str = ""
    is_cut: bool = False
    row: int = 0
    lead: str = ""


def is_too_small(model: LocalModel) -> bool:
    """Whether a model, or `NO_MODEL`, is too small to be asked about documents. Raises AppError for a damaged file."""
    card = catalogue.card(model.card_id)
    if model == local_models.NO_MODEL or (card is not None and card.is_trial):
        return True
    if model.remote is not None:  # a user who sets up a server wants to ask it
        return False
    return gguf.read_header(Path(model.path)).parameters < PARAMETERS_MIN


def is_known_too_small(model: LocalModel) -> bool:
    """Return `is_too_small`, or False if the file is missing or damaged."""
    try:
        return is_too_small(model)
    except AppError:
        return False


def _are_named(passages: Sequence[Passage]) -> bool:
    return bool(passages) and all(passage.named == "clause" for passage in passages)


def sentences_to_compare(question: str, passages: Sequence[Passage]) -> list[str]:
    """Return the likeliest sentences for a comparison in meaning; [] if one is likely enough by its words."""
    if _are_named(passages):
        return []
    _, ranked = sentence_ranking.rank_sentences(question, passages)
    best = sorted((one for one in ranked if one.score > 0), key=lambda one: -one.score)[:_SENTENCES_COMPARED]
    return [one.part.text for one in best] if best and best[0].score < _CLEAR else []


def pick_excerpts(
    question: str,
    passages: Sequence[Passage],
    limit: int = EXCERPTS_MAX,
    near: Mapping[str, float] = types.MappingProxyType({}),
) -> list[Excerpt]:
    """Return the best two quotations, the best first, then the others in the order of the documents.

    Equally good rows of one table count as one. For a question that only names clauses, the first two begin.
    `near`: `retrieved_passages.nearness` of the sentences that were compared with the question.
    """
    if _are_named(passages):
        return clause_openings(question, passages)
    words = sentence_ranking.defined_words(question)
    compared = _compared(words, passages) if len(words) > 1 else []
    sought, ranked = sentence_ranking.rank_sentences(question, passages)
    ranked = _with_meaning(ranked, near)
    ranked = _with_equal_rows(_without_lesser_rows(ranked))
    ranked = _with_announced(ranked, passages)
    best = sorted((at for at, one in enumerate(ranked) if one.score > 0), key=lambda at: -ranked[at].score)
    kept = {answer_markup.comparable_text(f"{one.head}{one.text}"): one for one in compared}
    groups: dict[object, int] = {}
    first = list(compared)
    for at in best:
        group = groups.setdefault(_row_group(ranked[at]) or at, len(groups))
        if len(groups) > limit or ranked[at].score < ranked[best[0]].score * _SCORE_SHARE:
            break
        excerpt = _quoted(sought, ranked, at, passages)
        said = answer_markup.comparable_text(f"{excerpt.head}{excerpt.text}")
        is_repeated = any(said in other or other in said or _overlap(excerpt, kept[other]) for other in kept)
        if not is_repeated:
            kept[said] = excerpt
            first += [excerpt] if not compared and group < SHOWN_FIRST else []
    rest = list(kept.values())[len(first) :]
    places = [(passage.document_id, passage.section_id) for passage in passages]
    return first + sorted(rest, key=lambda one: (*places[one.number - 1], one.start))


def _compared(words: Sequence[str], passages: Sequence[Passage]) -> list[Excerpt]:
    """Return what each of the words is, in one quotation where it stands together; [] if one is not said."""
    found: list[Excerpt] = []
    are_apart = not any(one in other for one, other in itertools.permutations(words, 2))
    for word in words:
        best = next(iter(pick_excerpts(f"{word}とは", passages, 1)), None)
        is_all = are_apart and best is not None and all(one in best.text for one in words)
        title = " ".join(source_citations.part_at(passages[best.number - 1], best.start).heading[-1:]) if best else ""
        is_topic = best is not None and re.match(f"[^、。]{{,10}}{re.escape(word)}[^、。]{{,10}}[はも]", best.text)
        if best is None or not (is_all or is_topic or sentence_ranking.definition_share(word, best.text, title)):
            return []
        if not any(_holds(other, best) for other in found):
            found = [*(other for other in found if not _holds(best, other)), best]
    start, end = min(one.start for one in found), max(one.end for one in found)
    passage = passages[found[0].number - 1]
    text = passage.section.text
    extents = source_citations.part_extents(passage)
    is_near = len({one.number for one in found}) == 1 and end - start <= _ANNOUNCED_MOST
    is_near = is_near and any(first <= start and end <= last for _, first, last in extents)  # one place is cited
    said = [one for one in sentences.split_sentences(text) if start <= one.start < end]
    is_more = any(all(one.end <= other.start or other.end <= one.start for other in found) for one in said)
    if len(found) == 1 or not is_near or is_more or any(one.row for one in found):
        return found
    return [structs.replace(found[0], text=text[start:end], start=start, end=end, lead="", is_cut=False)]


def _holds(excerpt: Excerpt, other: Excerpt) -> bool:
    return excerpt.number == other.number and excerpt.start <= other.start and other.end <= excerpt.end


def clause_openings(question: str, passages: Sequence[Passage]) -> list[Excerpt]:
    """Return the first sentences of each clause, or of the paragraphs, items or tables in it that the question names.

    A list that the last of them announces follows, and the rows of a table follow its title.
    """
    references = clause_references.parse_question(question).references
    found: list[list[Excerpt]] = []
    begun: set[tuple[int, tuple[str, ...]]] = set()
    for number, passage in enumerate(passages, start=1):
        clause = (passage.document_id, passage.section.heading)
        above = [*map(clause_references.clause_number, passage.section.heading)]
        inner = [one.inner for one in references if one.inner and one.headings[-1] in above]
        starts = [_inner_start(passage.section.text, one) for one in inner]
        tables = [_table_excerpts(number, passage, one.headings[-1]) for one in references if one.headings]
        begins = list(dict.fromkeys(at for at in starts if at is not None))
        openings = [_opening(number, passage, at) for at in begins or ([] if clause in begun else [0])]
        begun.add(clause)
        found += [table for table in tables if table] or [[one] for one in openings if one]
    return [one for group in found[:EXCERPTS_MAX] for one in group]


def _opening(number: int, passage: Passage, start: int) -> Excerpt | None:
    """Return the sentences of a passage from an offset on, with the list that they announce."""
    text = passage.section.text
    parts = [part for part in sentences.split_sentences(text) if part.start >= start and part.kind != "heading"]
    extents = source_citations.part_extents(passage)
    parts = [part for part in parts if any(first <= part.start < end for _, first, end in extents)]
    if not parts:
        return None
    said = parts[0]
    for part in parts[1:]:
        if part.end - parts[0].start > _OPENING_LONGEST or "\n" in text[said.end : part.start]:
            break
        said = part
    section_end = next(end for _, first, end in extents if first <= said.start < end)
    end, is_cut = sentences.end_of_list(text, said.start, said.end, section_end)
    lead = text[parts[0].start : said.end] if end > said.end else ""
    return Excerpt(number, text[parts[0].start : end], parts[0].start, end, 1.0, is_cut=is_cut, lead=lead)


def _table_excerpts(number: int, passage: Passage, wanted: clause_references.ClauseNumber) -> list[Excerpt]:
    """Return the title of a table or figure and the rows below it; [] if no line of the passage is its title."""
    text, at = passage.section.text, 0
    for line in text.splitlines(keepends=True):
        if named_clauses.is_caption(line, wanted):
            break
        at += len(line)
    else:
        return []
    title = Excerpt(number, line.strip(), at, at + len(line.rstrip()), 1.0)
    rows = itertools.dropwhile(lambda part: part.end <= title.end, sentence_ranking.parts_of(passage))
    table = itertools.takewhile(lambda pair: pair[1].row == pair[0], enumerate(rows, start=1))
    below = [Excerpt(number, row.text, row.start, row.end, 1.0, head=row.header, row=row.row) for _, row in table]
    return [title, *below]


def _inner_start(text: str, inner: Sequence[clause_references.ClauseNumber]) -> int | None:
    """Return the offset of 第3号 of 第2項 in a text, which may begin amid the paragraph; None if it is not there."""
    found, at = None, 0
    for number in inner:
        found = named_clauses.line_start(text, number, at)
        at = at if found is None else found + 1  # below its number, which may be that of an item, too
    return found


def number_rows(
    passages: Sequence[Passage], excerpts: Sequence[Excerpt], texts_of: Callable[[int], Sequence[str]]
) -> list[Excerpt]:
    """Return the excerpts with rows numbered as in their whole table; `texts_of`: texts of a document by id."""
    found: list[Excerpt] = []
    for one in excerpts:
        passage = passages[one.number - 1]
        text = source_citations.part_at(passage, one.start).text if one.row and one.head else ""
        if text.startswith(one.head) and text in (texts := texts_of(passage.document_id) if text else ()):
            at = texts.index(text)
            while text.startswith(one.head) and at > 0:
                at, text = at - 1, texts[at - 1]
                one = structs.replace(one, row=one.row + _rows_below(one.head, text))
        found.append(one)
    return found


def _rows_below(head: str, text: str) -> int:
    """Return the number of rows of the table below `head` with which a text ends; 0 if it ends otherwise."""
    rows = [text[one.start : one.end] for one in sentences.split_sentences(text.rpartition(head)[2])]
    return len(rows) if head in text and all(map(sentences.is_table_row, rows)) else 0


def answer_from_excerpts(excerpts: Sequence[Excerpt], before: str = "") -> tuple[str, tuple[Claim, ...]]:
    """Return the answer in Markdown, begun by `before`, and one supported claim for each excerpt.

    A bold line answers the question; the other excerpts follow as a list, rows as tables with their numbers.
    """
    lead, found = _lead_line(excerpts), list[Claim]()
    text, previous = f"{before}**{lead}**" if lead else before, None
    for excerpt in excerpts:
        mark, after = f"[{excerpt.number}]", ""
        is_next = previous is not None and _table(previous) == _table(excerpt)
        gap = "" if text == before else "\n" if is_next else "\n\n"
        if excerpt.row:
            names, cells = _in_columns(excerpt, [one for one in excerpts if _table(one) == _table(excerpt)])
            text += f"{gap}{'' if is_next else _table_head(names)}| {excerpt.row} | "
            claim, after = f"{' | '.join(map(_plain, cells))} {mark}", " |"
        elif text == before:
            text, claim, after = f"{before}**", f"{_escaped(_quotation(excerpt))}{mark}", "**"
        else:
            text, claim = f"{text}{gap}- ", f"{_quotation(excerpt)}{mark}"
        found.append(Claim(claim, len(text), len(text) + len(claim), (excerpt.number,), is_supported=True))
        text += claim + after
        previous = None if after == "**" else excerpt  # nothing continues the first line
    return text, tuple(found)


def _lead_line(excerpts: Sequence[Excerpt]) -> str:
    """Return the words that answer the question, with their mark; "" if the first excerpt itself says it as briefly."""
    if not excerpts or not excerpts[0].lead:
        return ""
    first = excerpts[0]
    lead, mark = first.lead, f"[{first.number}]"
    if first.row:
        rows = list(itertools.takewhile(lambda one: _table(one) == _table(first), excerpts))
        lead = phrase("documents.lead_gap").join(one.lead for one in rows)
        is_clear = len(lead) <= LEAD_MOST and len({_split(one.text)[0] for one in rows}) == len(rows)
        if not is_clear and len(rows) > 1:
            return phrase("documents.as_in_table")
    elif first.subject:
        lead = phrase("documents.quoted_about", subject=first.subject, quoted=lead)
    return f"{_escaped(_plain(lead))}{mark}"


def _quotation(excerpt: Excerpt) -> str:
    quoted = phrase("documents.quoted", text=_plain(excerpt.text))
    if excerpt.subject:
        quoted = phrase("documents.quoted_about", subject=_plain(excerpt.subject), quoted=quoted)
    return f"{quoted}{'…' if excerpt.is_cut else ''}"


def _table(excerpt: Excerpt) -> tuple[int, str] | None:
    """Return the same for the rows of one table; None for anything else."""
    return (excerpt.number, excerpt.head) if excerpt.row else None


def _table_head(names: Sequence[str]) -> str:
    return f"| {' | '.join([phrase('documents.row'), *map(_plain, names)])} |\n|---:|{'---|' * len(names)}\n"


def _in_columns(excerpt: Excerpt, rows: Sequence[Excerpt]) -> tuple[list[str], list[str]]:
    """Return the names of the columns of a table's rows, and the cells of one of them."""
    all_pairs = [_pairs(one.text, one.head) for one in rows]
    if not excerpt.head and all(len({name for name, _ in pairs} - {""}) == len(pairs) for pairs in all_pairs):
        names = list(dict.fromkeys(name for pairs in all_pairs for name, _ in pairs))
        own = dict(_pairs(excerpt.text, excerpt.head))
        return names, [own.get(name, "") for name in names]
    width = max(map(len, all_pairs))
    return _padded(_split(excerpt.head), width), _padded(_split(excerpt.text), width)


def _pairs(row: str, head: str) -> list[tuple[str, str]]:
    """Return the cells of a row with the names of their columns; a spreadsheet's row has them itself (単価: 152)."""
    cells, names = _split(row), _split(head)
    if not head:
        return [(name, cell) if gap else ("", name) for name, gap, cell in (one.partition(": ") for one in cells)]
    width = max(len(cells), len(names))
    return list(zip(_padded(names, width), _padded(cells, width), strict=True))


def _split(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip().strip("|").split("|")]


def _padded(cells: Sequence[str], width: int) -> list[str]:
    return [*cells, *[""] * (width - len(cells))]


def _escaped(text: str) -> str:
    """Return a text for a bold line, in which no sign of its own ends the bold type."""
    return re.sub(r"([*_`\\])", r"\\\1", text)


def _plain(text: str) -> str:
    return " ".join(answer_markup.neutralize_marks(text).split())


def _with_meaning(ranked: Sequence[RankedSentence], near: Mapping[str, float]) -> list[RankedSentence]:
    """Let the sentences that are less near in meaning than the nearest count less; the others as the least near."""
    best, least = max(near.values(), default=0.0), min(near.values(), default=0.0)
    return [
        structs.replace(one, score=one.score * math.exp(_MEANING * (near.get(one.part.text, least) - best)))
        for one in ranked
    ]


def _without_lesser_rows(ranked: Sequence[RankedSentence]) -> list[RankedSentence]:
    """Drop each table row whose question terms are a proper subset of another row's."""
    rows = {one.terms for one in ranked if one.part.is_row and one.score > 0}
    return [one for one in ranked if not (one.part.is_row and any(one.terms < other for other in rows))]


def _row_group(one: RankedSentence) -> tuple[object, ...]:
    """Return the same for rows of one table that match a question equally; () for anything else."""
    is_matching = one.part.is_row and bool(one.terms or one.part.header)
    return (one.number, one.part.header, one.terms) if is_matching else ()


def _with_equal_rows(ranked: Sequence[RankedSentence]) -> list[RankedSentence]:
    """Give the rows of each group the score of the best one, so that they stay together and in order."""
    best: dict[tuple[object, ...], float] = {}
    for one in ranked:
        best[_row_group(one)] = max(best.get(_row_group(one), 0.0), one.score)
    return [structs.replace(one, score=best[group]) if (group := _row_group(one)) else one for one in ranked]


def _with_announced(ranked: Sequence[RankedSentence], passages: Sequence[Passage]) -> list[RankedSentence]:
    """Score what the best sentence announces (次に掲げる行為), clauses or items, right after it."""
    found = list(ranked)
    at = max(range(len(found)), key=lambda at: found[at].score, default=-1)
    if at < 0:
        return found
    best, part = found[at], found[at].part
    text, above = passages[best.number - 1].section.text, part.section.heading
    is_last = not text[part.end : part.section_end].strip()
    if not is_last or not sentences.announces_items(text, part.start, part.end):
        return found
    for before, place in itertools.pairwise(range(at, len(found))):
        one = found[place].part
        if found[place].number != best.number or one.section.heading[: len(above)] != above:
            break
        if _sign(text, one) or one.section is not found[before].part.section:
            found[place] = structs.replace(found[place], score=best.score * (1 - _AFTER * (place - at)))
    return found


def _overlap(excerpt: Excerpt, other: Excerpt) -> bool:
    return excerpt.number == other.number and excerpt.start < other.end and other.start < excerpt.end


def _quoted(sought: SoughtAnswer, ranked: Sequence[RankedSentence], at: int, passages: Sequence[Passage]) -> Excerpt:
    """Return a sentence as an excerpt, with its list, or with those sentences around it that it needs."""
    one = ranked[at]
    part, text = one.part, passages[one.number - 1].section.text
    start, (end, is_cut) = part.start, sentences.end_of_list(text, part.start, part.end, part.section_end)
    said_end, found = part.end, one.terms | sought.terms_in(sentence_ranking.terms_of(part.header))
    lacks = sought.asks and not part.is_row and not sought.asked_share(part.text)
    if end == part.end and not part.is_row:
        before, following = (_neighbour(ranked, at, step, text) for step in (-1, 1))
        is_needed = before and (
            _REFERS_BACK.match(part.text) or (not sought.is_defined_by(part.text) and _adds(sought, before, found))
        )
        if before and is_needed and end - before.part.start <= _CONTEXT_MOST:
            start, found = before.part.start, found | before.terms
        if sentences.announces_items(text, part.start, part.end):
            while following and following.part.end - start <= _ANNOUNCED_MOST:
                at, end, found = at + 1, following.part.end, found | following.terms
                following = _neighbour(ranked, at, 1, text)
        elif following and following.part.end - start <= _CONTEXT_MOST:
            has_asked = lacks and sought.asked_share(following.part.text) > 0
            if has_asked or part.end - part.start <= _YES_LONGEST or _adds(sought, following, found):
                end, found = following.part.end, found | following.terms
        said_end = end
    cases = _cases(sought, ranked, ranked.index(one), text)
    if len(cases) > 1:
        start, end = min(start, cases[0].start), max(end, cases[-1].end)
    elif joins := _JOINS.match(text, start):
        start = joins.end()
    excerpt = Excerpt(one.number, text[start:end], start, end, one.score, part.header, is_cut=is_cut, row=part.row)
    subject = _subject(sought, one, excerpt.text, found)
    lead = _row_lead(sought, part) if part.row else _lead(sought, excerpt.text, text[start:said_end])
    if len(cases) > 1:
        said = (_first_sentence(case.text) for case in cases)
        lead = phrase("documents.lead_gap").join(said) if sought.asks else ""  # steps are quoted with their numbers
    return structs.replace(excerpt, subject="" if part.row else subject, lead=lead)


def _lead(sought: SoughtAnswer, quoted: str, text: str) -> str:
    """Return the words of a long quotation that answer; "" if all do.

    A long sentence is cut to its topic and the clauses with what is asked for, unless the rest may negate or limit it.
    """
    if len(_plain(quoted)) <= LEAD_MOST:
        return ""
    whole = [" ".join(text[one.start : one.end].split()) for one in sentences.split_sentences(text)] or [text]
    split = [sentences.split_clauses(one) if len(one) > LEAD_MOST else [one] for one in whole]
    place_of = [at for at, clauses in enumerate(split) for _ in clauses]  # of the sentence of each clause
    clauses = list(itertools.chain.from_iterable(split))
    shares = [sought.terms_in(sentence_ranking.terms_of(clause)) for clause in clauses]
    asked = list(map(sought.asked_share, clauses))

    def fitness(window: tuple[int, int]) -> tuple[float, int]:
        begin, end = window
        share = sought.share(frozenset().union(*shares[begin:end])) + _ASKED_CLAUSE * max(asked[begin:end])
        share += _LAST_CLAUSE * (place_of[end - 1 : end + 1] != [place_of[end - 1]] * 2)
        return share - max(0, len("".join(clauses[begin:end])) - LEAD_MOST) / _LENGTH_LOSS, end - begin

    windows = [
        (begin, end)
        for begin, end in itertools.combinations(range(len(clauses) + 1), 2)
        if (end - begin == 1 or len("".join(clauses[begin:end])) <= _LEAD_LONGEST)
        and not (begin and sentence_ranking.LIMITS.match(clauses[begin]))
    ]
    begin, end = max(windows, key=fitness)
    touched = place_of.index(place_of[begin]), len(clauses) - place_of[::-1].index(place_of[end - 1])
    if any(map(_TURNS.search, (*clauses[touched[0] : begin], *clauses[end : touched[1]]))):
        begin, end = touched
    if text == quoted and end - begin == len(clauses):
        return ""
    topic = _TOPIC_BEFORE.match(clauses[touched[0]]) if begin > touched[0] else None
    head = f"{topic.group() if topic else ''}…" if begin > touched[0] else ""
    return f"{head}{''.join(clauses[begin:end]).rstrip('、，,。． ')}{'…' if end < len(clauses) else ''}"


def _row_lead(sought: SoughtAnswer, part: Part) -> str:
    """Return the name of a row, and the cells that the question names or whose columns it names, or all that fit."""
    (_, name), *others = _pairs(part.text, part.header)
    named = [one for one in others if one[1]]
    asked = [one for one in named if sought.names(one[0])]
    if asked and (not sought.asks or any(sought.asked_share(cell) for _, cell in asked)):
        named = [one for one in named if one in asked or sought.terms_in(sentence_ranking.terms_of(one[1]))]
    cells = [" ".join(filter(None, one)) for one in named]
    fits = max((n for n in range(1, len(cells) + 1) if len("".join(cells[:n])) <= LEAD_MOST), default=bool(not name))
    values = phrase("common.batch_gap").join(cells[:fits]) + ("…" if fits < len(cells) else "")
    return phrase("documents.quoted_about", subject=name, quoted=values) if name and fits else f"{name}{values}"


def _neighbour(ranked: Sequence[RankedSentence], at: int, step: int, text: str) -> RankedSentence | None:
    """Return the sentence before or after one in the same paragraph, or None."""
    if not 0 <= at + step < len(ranked):
        return None
    one, other = ranked[at], ranked[at + step]
    first, last = sorted((one.part, other.part), key=lambda part: part.start)
    is_near = one.number == other.number and one.part.section is other.part.section and not other.part.is_row
    return other if is_near and "\n" not in text[first.end : last.start] else None


def _cases(sought: SoughtAnswer, ranked: Sequence[RankedSentence], at: int, text: str) -> list[Part]:
    """Return an item of a list with those beside it that answer the same for other cases, or are the next steps."""
    section = ranked[at].part.section
    are_steps = sought.is_asked_by(" ".join(section.heading[-1:]))

    def answered(one: RankedSentence) -> frozenset[str] | None:
        first = _first_sentence(one.part.text)
        if not _sign(text, one.part) or one.part.section is not section:
            return None
        if are_steps:
            return frozenset()
        found = sought.terms_in(sentence_ranking.terms_of(first)) if sought.asks and sought.asked_share(first) else None
        return found or None

    own, first, last = answered(ranked[at]), at, at
    while own is not None and first > 0 and answered(ranked[first - 1]) == own:
        first -= 1
    while own is not None and last + 1 < len(ranked) and answered(ranked[last + 1]) == own:
        last += 1
    found = [one.part for one in ranked[first : last + 1]]
    return found if found[-1].end - found[0].start <= _ANNOUNCED_MOST else [ranked[at].part]


def _sign(text: str, part: Part) -> str:
    """Return the list marker before a part on its line; "" if there is none."""
    return text[text.rfind("\n", 0, part.start) + 1 : part.start].strip()


def _first_sentence(text: str) -> str:
    return next((text[one.start : one.end] for one in sentences.split_sentences(text)), text)


def _adds(sought: SoughtAnswer, other: RankedSentence, found: frozenset[str]) -> bool:
    return sought.share(other.terms - found) >= _CONTEXT_SHARE


def _subject(sought: SoughtAnswer, one: RankedSentence, text: str, found: frozenset[str]) -> str:
    """Return the title of the heading that has terms of the question, or the subject, which the text lacks; or "".

    There is none below a heading that asks the same, as in an FAQ.
    """
    if any(map(sought.is_asked_by, one.part.section.heading)):
        return ""
    titles = [title for heading in reversed(one.part.section.heading) if (title := title_of(heading))]
    titles = [title for title in titles if len(title) <= _SUBJECT_MOST and title not in text]
    adds = {title: sought.share(sought.terms_in(sentence_ranking.terms_of(title)) - found) for title in titles}
    best = max(titles, key=lambda title: adds[title], default="")  # the innermost of several
    has_topic = one.part.is_row or sentence_ranking.TOPIC.search(_first_sentence(text)) is not None
    has_topic = has_topic and not (sought.asks_name and not sought.asked_share(text))  # the name may be the title
    return best if not has_topic or adds.get(best, 0.0) >= _CONTEXT_SHARE else ""


def title_of(heading: str) -> str:
    """Return a heading without its number: 建物買取請求権 of 第13条（建物買取請求権）."""
    folded = headings.fold(heading)
    number = headings.parse_number(folded) or headings.parse_item(folded)
    title = folded[number.length :].removeprefix(")") if number else folded
    return re.sub(r"^[(（]([^()（）]+)[)）]$", r"\1", title.strip(" .．、,:："))
