"""Find the sections of the clauses that a question names, or tell that a clause does not exist.

The index holds the words of headings, so a clause is found by its number as a phrase, in digits and in kanji; each hit
is then checked by parsing its heading path. A document is named by its file name or title, by a short form of it
(金商法 for 金融商品取引法), or by a short title that the documents define: （以下「金商法」という。）.

The file is over 450 lines because the names of clauses and of documents are read by one grammar.
"""

import functools
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from msgspec import Struct, structs

from app.base import search_text
from app.base.database import Database, Row
from app.base.lazy_pattern import lazy_pattern
from app.base.wording import phrase
from app.documents import terms
from app.documents.document_tables import captions_of, heading_of, text_of
from app.documents.grounding import evidence
from app.documents.library import Library
from app.documents.reading.headings import fold
from app.documents.retrieval.clause_references import (
    ClauseNumber,
    ClauseReference,
    clause_number,
    parse_question,
    to_kanji,
)

ASKED_MOST = 40  # places of a question that are looked up
REFERENCES_MOST = 8  # of a section's references to other clauses that are followed
SECTIONS_MOST = 16  # sections of one clause that are returned
NEIGHBOURS = 2  # existing clauses on either side that are told when one is missing
TITLE_LINES_MOST = 8  # lines of a first section that is a title page
_BY_NAME = 3  # how well a text names what it gives the whole name of
_CAPTION_LONGEST = 200  # characters of a line that may be a caption
_STRUCTURAL = frozenset("編部章節款目条.") | {"附則"}  # kinds that only headings have
_NUMBERED_WITHIN = 400  # first sections of a document, of which any has a paragraph with a number if it numbers them
_ROWS_MOST = 4000  # sections in which a number is looked up
_SUPPLEMENTS = ("附則", "別表", "別紙", "別記", "別添", "様式", "付表", "付図")
_MATCHING = "s.id IN (SELECT rowid FROM section_terms WHERE section_terms MATCH ?)"  # a condition of `_read`
_NAME_NOISE = lazy_pattern(r"[\s_・「」『』]+")
_HEADING_NUMBER = lazy_pattern(r"^(?:第\S+?[編部章節款目条](?:の\S)?|[\d.\-]+)\s*")
_PARTICLE = lazy_pattern(r"[のはがをにでともへや、，\s]|から|より|及び|並びに|又は|または|および")
# 河川法第26条 names a document, 次の第3条 none.
_DOCUMENT_WORD = lazy_pattern(
    r"(?:法|法律|令|規則|条例|規程|基準|要領|要綱|指針|通知|通達|告示|契約|契約書|約款|仕様書|マニュアル|ガイドライン|便覧|示方書|計画書)$"
)
# What names another document right before a clause in a text: 会社法（平成十七年法律第八十六号）, JIS A 1108.
_OTHER_DOCUMENT = lazy_pattern(
    rf"{_DOCUMENT_WORD.pattern}|(?:細則|規約|協定書?|定款|条約|規格)$|[)」』]$|(?<![A-Z])[A-Z]{{2}}[A-Z\d .:-]*\d$"
)
_SAME_LAW = lazy_pattern("(?:同|当該)(?=法|令|規則|条例)")
_ASKS_FOR_ALL = lazy_pattern("(?:規定)?内容|条文|[本全]文|規定|趣旨|概要|要[点旨]|解説")  # of a clause
_WORD_ENDS = lazy_pattern(r"[\s（）()「」『』、。・?？のをはがに]+|って")
_FORMAL_NAME = lazy_pattern("関する|係る")


class NamedSection(Struct, frozen=True):
    """A section of a named clause. `depth`: of its path down to it. `has_inner`: with the named 第2項第3号."""

    section_id: int
    depth: int
    has_inner: bool = False


class MissingClause(Struct, frozen=True):
    """A clause that a named document does not contain. `neighbours`: the nearest existing ones, in order."""

    clause: str
    document: str  # name; "": any of the documents
    neighbours: tuple[tuple[str, NamedSection], ...] = ()


class NamedClauses(Struct, frozen=True):
    """The sections of each named clause in `groups`. `is_all`: the question asks for nothing else."""

    groups: tuple[tuple[NamedSection, ...], ...] = ()
    missing: tuple[MissingClause, ...] = ()
    is_all: bool = False

    def first(self, scored: Sequence[tuple[int, float]]) -> list[NamedSection]:
        """Return the sections to show first: those of the clauses or, if there are none, of their neighbours.

        If more is asked, only one for each name: with the named paragraph, or the best in the ranking `scored`.
        """
        if self.is_all:
            neighbours = (section for one in self.missing for _, section in one.neighbours)
            heads = [group[0] for group in self.groups]
            return [*dict.fromkeys((*heads, *(one for group in self.groups for one in group)))] or [*neighbours]
        places = {section_id: place for place, (section_id, _) in enumerate(scored)}

        def order(one: NamedSection) -> tuple[bool, int]:
            return not one.has_inner, places.get(one.section_id, len(places))

        return [*dict.fromkeys(min(group, key=order) for group in self.groups)]


def find_clauses(library: Library, question: str, collection_ids: Sequence[int]) -> NamedClauses:
    """Return the sections of the clauses that the question names, those of the first one first."""
    parsed = parse_question(question)
    if not parsed.references or not collection_ids:
        return NamedClauses()
    finder = _Finder(library.database, collection_ids)
    asked = [*dict.fromkeys(parsed.references)][:ASKED_MOST]
    found = [finder.find(one, parsed.rest) for one in asked]
    has_content = bool(evidence.content_terms(_ASKS_FOR_ALL.sub(" ", finder.without_names(parsed.rest))))
    if not (any(found) or has_content):  # 法第709条は？
        found = [finder.find(structs.replace(one, before="")) for one in asked]
    if not (any(found) or has_content):
        found = [MissingClause(str(one), "") for one in asked]
    groups = tuple(tuple(one) for one in found if one and isinstance(one, list))
    sure = [one for one, place in zip(found, asked, strict=True) if not (has_content and _may_be_value(place))]
    return NamedClauses(groups, tuple(one for one in sure if isinstance(one, MissingClause)), is_all=not has_content)


def _may_be_value(place: ClauseReference) -> bool:
    """Whether a place may be no clause, but a value: 6.5の地震の被害は."""
    return not place.before and place.levels[0].kind == "." and len(place.levels[0].numbers) == 2


def find_referred(library: Library, section_ids: Sequence[int], collection_ids: Sequence[int]) -> list[int]:
    """Return the sections of the same document to which the texts of some sections refer, in their order."""
    finder = _Finder(library.database, collection_ids)
    found: dict[int, None] = {}
    for one in finder.read_sections(section_ids):
        lines = _SAME_LAW.sub("他", one.text).splitlines()  # 同法第3条 is of a law named before
        references = [reference for line in lines for reference in parse_question(line).references]
        for reference in references[:REFERENCES_MOST]:
            found.update(dict.fromkeys(finder.find_within(reference, one.document_id)))
    return [section_id for section_id in found if section_id not in section_ids]


def missing_sentence(missing: MissingClause) -> str:
    """Return the sentence that a clause does not exist, with its neighbours."""
    near = "、".join(clause for clause, _ in missing.neighbours)
    key = "documents.clause_missing.document" if missing.document else "documents.clause_missing.anywhere"
    sentence = phrase(key, clause=missing.clause, document=PurePath(missing.document).stem)
    return sentence + (phrase("documents.clause_missing.near", near=near) if near else "")


class _Candidate(Struct, frozen=True):
    """A section whose heading path or text may have a wanted number. `captions`: numbers of its tables and figures."""

    section_id: int
    document: str  # name
    document_id: int
    path: tuple[str, ...]
    text: str
    captions: tuple[str, ...]


class _Finder:
    """Looks up references in the documents of some collections."""

    def __init__(self, database: Database, collection_ids: Sequence[int]) -> None:
        self._database = database
        self._collections = json.dumps(list(collection_ids))
        self._names = self._read_names()
        self._used: set[str] = set()

    def find(self, reference: ClauseReference, rest: str = "") -> list[NamedSection] | MissingClause:
        """Return the sections of a reference; [] if it is about another document or cannot be found.

        `rest`: the question without its references, which may name the document elsewhere.
        """
        documents = self._documents(reference.before)
        if documents and reference.before:
            self._used.add(reference.before)
        elif not documents and not _DOCUMENT_WORD.search(_last_word(reference.before)):
            documents = self._named_in(rest)  # 第709条（民法）
        reference = self._moved(reference, documents)
        candidates = self._candidates(reference, documents)
        if not candidates and (within := documents or self._documents_with_heading(reference.before)):
            return self._missing(reference, within)
        found = self._choose(reference, candidates, is_document_known=bool(documents))
        if found and documents and reference.inner and not found[0].has_inner:
            return self._missing_inner(reference, documents, found)
        return found

    def find_within(self, reference: ClauseReference, document_id: int) -> list[int]:
        """Return the section, or none, of a reference in a document's text, if it is not to another document."""
        written = _name(reference.before)
        named = [one for one, names in self._names.items() if any(map(written.endswith, filter(None, names)))]
        is_other = document_id not in named if named else _OTHER_DOCUMENT.search(reference.before)
        is_elsewhere = is_other or reference.page  # printed numbers of pages are not those of a file
        candidates = [] if is_elsewhere else self._candidates(reference, [document_id])
        return [one.section_id for one in self._choose(reference, candidates, is_document_known=True)[:1]]

    def read_sections(self, section_ids: Sequence[int]) -> list[_Candidate]:
        return self._read("s.id IN (SELECT value FROM json_each(?))", (), json.dumps(list(section_ids)))

    def without_names(self, text: str) -> str:
        """Return a text without the names that were found to be those of documents or headings."""
        for name in sorted(self._used, key=len, reverse=True):
            text = text.replace(name, " ")
        return text

    # ------------------------------------------------------------------- documents

    def _read_names(self) -> dict[int, tuple[str, ...]]:
        """Return the names of each document, folded: its file's, its first heading, and its title page."""
        found = self._database.read_as(
            _names_of_document,
            """SELECT d.id, d.name, s.heading, s.text FROM document d
               LEFT JOIN section s ON s.document_id = d.id AND s.position = 0
               WHERE d.collection_id IN (SELECT value FROM json_each(?))""",
            self._collections,
        )
        return dict(found)

    def _documents(self, before: str) -> list[int]:
        """Return the documents that the text before a clause number names, [] for none."""
        if not before:
            return list(self._names) if len(self._names) == 1 else []
        if found := self._best(before):
            return found
        word = _last_word(before)
        return [one for title in self._full_titles(word) for one in self._best(title)] if len(word) > 1 else []

    def _best(self, before: str) -> list[int]:
        scores = {
            document: max((match_name(before, name) for name in names), default=0.0)
            for document, names in self._names.items()
        }
        best = max(scores.values(), default=0.0)
        return [document for document, score in scores.items() if score == best] if best else []

    def _named_in(self, text: str) -> list[int]:
        """Return the documents that a text names anywhere by a whole name, or by the short form of a statute's."""
        written = _name(text)
        whole = {name for names in self._names.values() for place, name in enumerate(names) if _is_telling(name, place)}
        if names := [name for name in whole if name in written.replace(f"{name}施行", "")]:
            longest = max(names, key=len)
            self._used.add(longest)
            return [document for document, own in self._names.items() if longest in own]
        for word in _WORD_ENDS.split(text):
            if len(word) > 2 and _DOCUMENT_WORD.search(word, 1) and (found := self._best(word)):
                self._used.add(word)
                return found
        return []

    def _documents_with_heading(self, before: str) -> list[int]:
        """Return the documents with an outermost heading (設計編) that ends the text before a number."""
        expression = search_text.match_expression(_last_word(before))
        if not expression:
            return []
        found = self._read(_MATCHING, (), f"heading_terms : ({expression})")
        named = [one for one in found if _match_place(before, "", one.path[:1]) >= _BY_NAME]
        if named:
            self._used.add(before)
        return sorted({one.document_id for one in named})

    def _moved(self, reference: ClauseReference, documents: Sequence[int]) -> ClauseReference:
        """Return 第27条の2 for the clause after 第27条, if the documents have it."""
        if not reference.step or not documents or not reference.headings:
            return reference
        place, last = len(reference.headings) - 1, reference.headings[-1]
        origin = structs.replace(last, numbers=(*last.numbers[:-1], last.numbers[-1] - reference.step))
        existing = self._existing((*reference.headings[:-1], origin), documents)
        ordered = sorted(existing, key=lambda one: one.numbers)
        if origin not in ordered or not 0 <= ordered.index(origin) + reference.step < len(ordered):
            return reference
        levels = list(reference.levels)
        levels[place] = ordered[ordered.index(origin) + reference.step]
        return structs.replace(reference, levels=tuple(levels))

    def _full_titles(self, short: str) -> list[str]:
        """Return the titles for which a document defines a short one: 金融商品取引法（以下「金商法」という。）."""
        defined = " ".join(terms.extract_terms(f"「{short}」とい"))
        texts = self._database.read_as(
            lambda row: fold(text_of(row, "text")),
            "SELECT s.text FROM section_terms t CROSS JOIN section s ON s.id = t.rowid"
            " CROSS JOIN document d ON d.id = s.document_id"
            " WHERE t.section_terms MATCH ? AND d.collection_id IN (SELECT value FROM json_each(?)) LIMIT 20",
            f'body_terms : "{defined}" *',
            self._collections,
        )
        brackets = r"(?:[（(][^（）()]*[）)])?\s?[（(][^（）()「」]*以下[^（）()「」]{0,20}"
        pattern = re.compile(rf"([^（）()「」、。\s]{{2,60}}){brackets}「{re.escape(short)}」とい")
        return list(dict.fromkeys(match[1] for text in texts for match in pattern.finditer(text)))

    # --------------------------------------------------------------------- sections

    def _candidates(self, reference: ClauseReference, documents: Sequence[int]) -> list[_Candidate]:
        """Return the sections whose heading path, captions or pages have the reference's levels."""
        if page := reference.page:
            return self._read("s.page > 0 AND ? BETWEEN s.page AND max(s.page, s.page_last)", documents, page)
        headings = reference.headings
        if not headings:
            return []
        phrases = _phrases(headings[-1])
        read = self._read(_MATCHING, documents, f"heading_terms : ({phrases})", most=_ROWS_MOST)
        found = [one for one in read if _depth(headings, one.path)]
        if found or headings[-1].kind in _STRUCTURAL:
            return found
        read = self._read(_MATCHING, documents, f"body_terms : ({phrases})", most=_ROWS_MOST)
        return [one for one in read if headings[-1] in _captions(one)]

    def _read(self, condition: str, documents: Sequence[int], *values: object, most: int = -1) -> list[_Candidate]:
        """Return at most so many sections (-1: all) of the documents, or of all without any, in their order."""
        column, ids = ("id", json.dumps(list(documents))) if documents else ("collection_id", self._collections)
        return self._database.read_as(
            _candidate,
            f"""SELECT s.id, s.document_id, s.heading, s.text, s.captions, d.name
                FROM section s JOIN document d ON d.id = s.document_id
                WHERE d.{column} IN (SELECT value FROM json_each(?)) AND {condition}
                ORDER BY s.document_id, s.position LIMIT ?""",  # noqa: S608
            ids,
            *values,
            most,
        )

    def _choose(
        self, reference: ClauseReference, candidates: Sequence[_Candidate], *, is_document_known: bool
    ) -> list[NamedSection]:
        """Return the sections that fit best: of the document or part named, outside of supplements unless wanted."""
        candidates = [one for one in candidates if not _is_contents(one.text)] or candidates
        if not candidates:
            return []
        headings = reference.headings
        wants_supplement = any(one.kind in _SUPPLEMENTS for one in headings)

        def fit(one: _Candidate) -> tuple[float, bool]:
            above = one.path[: max(0, _depth(headings, one.path) - 1)]
            named = 0.0 if is_document_known else _match_place(reference.before, one.document, above)
            return named, wants_supplement or not any(map(_is_supplement, one.path))

        fits = {one.section_id: fit(one) for one in candidates}
        best = max(fits.values())
        if best[0]:
            self._used.add(reference.before)
        elif not is_document_known and _DOCUMENT_WORD.search(_last_word(reference.before)):
            return []  # of a document that is not there
        clauses: dict[tuple[int, tuple[str, ...]], list[_Candidate]] = {}
        for one in candidates:
            if fits[one.section_id] == best:
                depth = _depth(headings, one.path) or len(one.path)  # no heading has the number of a table or a page
                clauses.setdefault((one.document_id, one.path[:depth]), []).append(one)
        found = []
        for (_, path), sections in clauses.items():
            inner = _inner_section(reference.inner, len(path), sections)
            if inner:
                sections.insert(0, sections.pop(sections.index(inner)))
            found.append([NamedSection(one.section_id, len(path), one is inner) for one in sections[:SECTIONS_MOST]])
        if any(one[0].has_inner for one in found):
            found = [one for one in found if one[0].has_inner]
        return [*(one[0] for one in found), *(section for one in found for section in one[1:])]

    def _missing(self, reference: ClauseReference, documents: Sequence[int]) -> list[NamedSection] | MissingClause:
        """Return that a clause is missing, if the documents number their clauses in this way."""
        *outer, last = reference.headings or reference.levels
        existing = self._existing((*outer, last), documents)
        if not existing and outer:
            parents = self._existing(outer, documents)
            if outer[-1] not in parents:
                return self._missing(structs.replace(reference, levels=tuple(outer)), documents)
            return self._lacking(reference, documents, (str(ClauseReference(tuple(outer))), parents[outer[-1]]))
        if not existing:
            return []
        ordered = sorted(existing, key=lambda one: one.numbers)
        below = [one for one in ordered if one.numbers < last.numbers][-NEIGHBOURS:]
        above = [one for one in ordered if one.numbers > last.numbers][:NEIGHBOURS]
        return self._lacking(reference, documents, *((str(one), existing[one]) for one in (*below, *above)))

    def _missing_inner(
        self, reference: ClauseReference, documents: Sequence[int], found: list[NamedSection]
    ) -> list[NamedSection] | MissingClause:
        """Return that an article has no such paragraph or item, with the article; `found` if none are numbered here."""
        first = structs.replace(reference.inner[-1], numbers=(2,))  # the first paragraph has no number
        sections = self._read("TRUE", documents, most=_NUMBERED_WITHIN)
        if not any(
            first in map(clause_number, one.path) or line_start(one.text, first) is not None for one in sections
        ):
            return found
        return self._lacking(reference, documents, (str(ClauseReference(reference.headings)), found[0]))

    def _existing(self, headings: Sequence[ClauseNumber], documents: Sequence[int]) -> dict[ClauseNumber, NamedSection]:
        """Return the clauses of the last one's kind below the others, each with its first section.

        Of 3.2.1 only those with as many numbers, and of articles those outside of supplements, or within.
        """
        *outer, like = headings
        in_supplement = any(one.kind in _SUPPLEMENTS for one in headings)
        paths = self._database.read_as(
            lambda row: (row["id"], heading_of(row)),
            """SELECT id, heading, min(position) FROM section
               WHERE document_id IN (SELECT value FROM json_each(?)) GROUP BY document_id, heading
               ORDER BY document_id DESC, min(position) DESC""",
            json.dumps(list(documents)),
        )
        return {
            number: NamedSection(section_id, depth)
            for section_id, path in paths
            if any(map(_is_supplement, path)) == in_supplement and (not outer or _depth(outer, path))
            for depth, number in enumerate(map(clause_number, path), start=1)
            if number is not None
            and number.kind == like.kind
            and (like.kind == "条" or len(number.numbers) == len(like.numbers))
        }

    def _lacking(
        self, reference: ClauseReference, documents: Sequence[int], *near: tuple[str, NamedSection]
    ) -> MissingClause:
        name = next((one.document for one in self._read("TRUE", documents[:1], most=1)), "")
        return MissingClause(str(reference), name, near)


def match_name(before: str, name: str) -> float:
    """Return how well the text before a clause number names a document or heading: 0 not at all, `_BY_NAME` wholly."""
    if len(name) < 2:
        return 0.0
    written = _name(before)
    if written.endswith(name):
        return _BY_NAME + len(name) / 1000
    pieces = [_name(piece) for piece in _suffixes(before)]
    found = next(
        (piece for piece in pieces if len(piece) > 1 and piece in name and not _is_end(piece, before, name)), ""
    )
    if found:
        return 2 + len(found) / len(name)
    return 1.0 if any(_is_short_form(piece, name) for piece in pieces) else 0.0


def _is_end(piece: str, before: str, name: str) -> bool:
    """Whether a piece is only the end of a longer name: 整備に関する法律 of 河川の整備に関する法律 (道路の整備に…)."""
    return (
        _FORMAL_NAME.search(piece) is not None
        and not name.startswith(piece)
        and _name(before).removesuffix(piece).endswith(("の", "に"))
    )


def _names_of_document(row: Row) -> tuple[int, tuple[str, ...]]:
    """Return a document's id and names, from its own row and its first section's, which may be missing."""
    names = [PurePath(text_of(row, "name")).stem]
    if row["heading"] is not None:
        lines = text_of(row, "text").splitlines()
        is_title_page = len(lines) <= TITLE_LINES_MOST and not any("。" in line for line in lines)
        names += [*heading_of(row)[:1], "".join(lines) if is_title_page else ""]
    return row["id"], tuple(map(_name, names))


def _is_telling(name: str, place: int) -> bool:
    """Whether a name is no everyday word, as 概要, 目的 and 基準 are. `place`: among the names of its document."""
    return (not place and len(name) > 3) or (_DOCUMENT_WORD.search(name, 1) is not None and len(name) > 1)


def _candidate(row: Row) -> _Candidate:
    text = text_of(row, "text")
    return _Candidate(row["id"], text_of(row, "name"), row["document_id"], heading_of(row), text, captions_of(row))


@functools.lru_cache(maxsize=64)  # asked for each document
def _suffixes(before: str) -> list[str]:
    """Return the text and what remains of it after each particle, the longest first."""
    return [before[start:] for start in (0, *(match.end() for match in _PARTICLE.finditer(before)))]


def _last_word(before: str) -> str:
    return _suffixes(before)[-1]


def _is_short_form(short: str, name: str) -> bool:
    """Whether at least 3 characters are some of a name's in order with its begin and end (or 法): 金商法."""
    if not 3 <= len(short) < len(name) or short[0] != name[0]:
        return False
    at = 0
    for character in short:
        at = name.find(character, at) + 1
        if not at:
            return False
    return short[-1] == name[-1] or (name.endswith("法律") and short[-1] == "法")


def _match_place(before: str, document: str, path: Sequence[str]) -> float:
    """Return how well the text before a number names the document or a heading above, as `match_name` does."""
    names = (_name(PurePath(document).stem), *(_name(_HEADING_NUMBER.sub("", fold(part))) for part in path))
    return max((match_name(before, name) for name in names), default=0.0) if before else 0.0


@functools.lru_cache(maxsize=4096)
def _name(text: str) -> str:
    return _NAME_NOISE.sub("", search_text.fold(text))


def _phrases(number: ClauseNumber) -> str:
    """Return an FTS5 expression for the spellings of a number."""
    return " OR ".join(dict.fromkeys(search_text.match_expression(one) for one in _spellings(number)))


def _spellings(number: ClauseNumber) -> Iterable[str]:
    if number.kind == ".":
        return (".".join(map(str, number.numbers)),)
    if number.kind == "附則":
        return ("附則", "附 則", "付則")
    written = [[str(one) for one in number.numbers], [to_kanji(one) for one in number.numbers]]
    if number.kind in "編部章節款目条":
        branches = [f"第{first}{number.kind}" + "".join(f"の{one}" for one in rest) for first, *rest in written]
        return (*branches, *(f"第{'-'.join(one)}{number.kind}" for one in written if len(one) > 1))
    joints = ("", "第") if number.numbers else ("",)
    between = "-の" if len(number.numbers) > 1 else "-"  # 別表第一の二
    found = [f"{number.kind}{joint}{sign.join(one)}" for one in written for joint in joints for sign in between]
    return [*found, *(f"第{one[0]}号様式" for one in written if number.kind == "様式" and one)]


def _depth(levels: Sequence[ClauseNumber], path: Sequence[str]) -> int:
    """Return the length of the heading path down to the last of the levels; 0 if it does not have them all in order."""
    at = 0
    for place, heading in enumerate(path, start=1):
        if clause_number(heading) == levels[at]:
            at += 1
            if at == len(levels):
                return place
    return 0


def line_start(text: str, number: ClauseNumber, start: int = 0) -> int | None:
    """Return the offset, from `start` on, of the line that begins with the paragraph or item; None without."""
    value = number.numbers[0]
    branches = "".join(f"の{to_kanji(one)}" for one in number.numbers[1:])
    # Statutes number paragraphs in digits and items in kanji.
    starts = {
        "項": (f"{value} ", f"{value}. ", f"第{value}項"),
        "号": (f"{to_kanji(value)}{branches} ", *(() if branches else (f"{value} ", f"({value})"))),
    }
    sign = chr(ord("①") + value - 1) if number.kind == "項" and value <= 20 else "\n"
    at = start
    for line in text[start:].splitlines(keepends=True):
        if line.lstrip().startswith(sign) or fold(line).lstrip("○◯〇").startswith(
            starts.get(number.kind, (f"({value})", f"{value})"))
        ):
            return at
        at += len(line)
    return None


def _is_contents(text: str) -> bool:
    """Whether each line of a text begins with a number of a clause, as those of a table of contents."""
    return "。" not in text and all(clause_number(line) for line in text.splitlines())


def _is_supplement(heading: str) -> bool:
    number = clause_number(heading)
    return number is not None and number.kind in _SUPPLEMENTS


def _captions(section: _Candidate) -> set[ClauseNumber | None]:
    lines = [line for line in section.text.splitlines() if len(line) < _CAPTION_LONGEST]
    return {clause_number(text) for text in (*section.captions, *lines)}


def is_caption(line: str, number: ClauseNumber) -> bool:
    """Whether a line is the title of the table or figure of this number, and no sentence about it."""
    is_title = number.kind not in _STRUCTURAL and len(line) < _CAPTION_LONGEST and "。" not in line
    return is_title and clause_number(line) == number


def _inner_section(inner: Sequence[ClauseNumber], depth: int, sections: Sequence[_Candidate]) -> _Candidate | None:
    """Return the section of a clause with the named paragraph or item, which is a heading or begins a line, or None.

    An item is that of its paragraph or of a later section; the first paragraph has no number.
    """
    for one in sections:
        numbers = [number for part in one.path[depth:] if (number := clause_number(part))]
        if inner and numbers and all(number in numbers for number in inner):
            return one
    place = start = -1
    for number in inner:
        for at in range(max(0, place), len(sections)):
            found = line_start(sections[at].text, number, start + 1 if at == place else 0)
            if found is not None:
                place, start = at, found
                break
        else:
            if (number.kind, number.numbers) != ("項", (1,)):
                return None
            place = start = 0
    return sections[place] if place >= 0 else None
