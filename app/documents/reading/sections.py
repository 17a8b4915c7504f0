"""Cut blocks into sections that follow the document's structure and are small enough to be cited and sent to a model.

A section never extends beyond a clause or beyond one mark of obligation (＜標準＞). A long one is cut between
paragraphs, table rows or, if necessary, sentences. Headings without text make no section.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import structs

from app.base.lazy_pattern import lazy_pattern
from app.documents.reading import headings
from app.documents.reading.text_blocks import Block, ReadDocument, count_letters
from app.documents.records import PageBox, Section
from app.documents.values import notation

LONGEST = 1200  # characters of a section
SHORTEST = 200  # a shorter last section joins the one before it in its clause
TITLE_LONGEST = 40  # characters of a heading inside a clause: （１）適用範囲
HEADING_LONGEST = 200  # characters of a heading that each of its sections repeats
HEADS_LONGEST = LONGEST // 2  # characters of a table's header that is repeated where the table continues

_TAG = lazy_pattern(r"[<〈＜【《](?:\s*)([^<>〈〉＜＞【】《》。]{1,14}?)(?:\s*)[>〉＞】》]")
_SENTENCE_END = lazy_pattern(r"(?<=[。！？!?])(?![」』）)])|(?<=\n)")
_ARTICLE_ITEM = lazy_pattern(
    r"[一二三四五六七八九十0-9０-９]+(?:の[一二三四五六七八九十]+)*[\s、]"
)  # 二 and ２ of statutes
_FIRST_ITEM = lazy_pattern(r"\(?[1アイai]\b")  # folded
_CAPTION = lazy_pattern(
    r"[図表]\s*[-‐‑－.．]?\s*[0-9０-９]+(?:\s*[-‐‑－―.．]\s*[0-9０-９]+)*|写真\s*[-‐‑－.．]?\s*[0-9０-９]+(?:[-‐‑－.．][0-9０-９]+)*"
)

_APPENDED = headings.HeadingNumber(headings.CHAPTER, 0, 0)  # 別表 and 様式, which rank like chapters


@dataclass(slots=True)
class _Entry:
    """A heading that contains the current place in the document.

    `rank`: the rank of its number; 0: no number. `level`: from the file format; 0: unknown. `ordinal`: as in
    HeadingNumber.
    """

    text: str
    rank: int
    level: int
    ordinal: int
    is_running: bool = False  # an article with its text on the same line, which has no title below it

    @property
    def is_bare(self) -> bool:
        return not self.rank and not self.level


@dataclass(slots=True)
class _Piece:
    text: str
    block: Block
    item: str = ""  # the text of a heading inside the clause; "" for other text


@dataclass(slots=True)
class _Clause:
    """The pieces of text under one heading and one tag (mark of obligation)."""

    path: tuple[str, ...]
    tag: str = ""
    pieces: list[_Piece] = field(default_factory=list)


def _with_certainty(section: Section, recognized: Mapping[int, Mapping[str, int]]) -> Section:
    """Return the section with the certainty of its numbers if it is on a page whose text was recognized."""
    pages = [recognized[page] for page in range(section.page, section.page_last + 1) if page in recognized]
    if not pages:
        return section
    written = "\n".join([*section.heading, section.text])
    numbers = dict.fromkeys(number for number, _, _ in notation.numbers_in(written))
    lowest = ((number, [page[number] for page in pages if number in page]) for number in numbers)
    return dataclasses.replace(section, recognized=tuple((number, min(found)) for number, found in lowest if found))


def _paragraphs(block: Block) -> list[Block]:
    if block.kind != "paragraph" or "\n" not in block.text:
        return [block]
    parts = headings.split_at_articles(block.text)
    return [structs.replace(block, text=part) for part in parts] if len(parts) > 1 else [block]


class Splitter:
    """The sections of a document that have been cut so far, and the number of letters of the headings before them."""

    def __init__(self, reading: ReadDocument) -> None:
        self.sections: list[Section] = []
        self.heading_letters = 0
        self._reading = reading
        self._stack: list[_Entry] = []
        self._clause = _Clause(())
        self._articles = headings.ArticleNumbering()

    def cut(self) -> Iterator[Section]:
        """Cut the document and yield its sections in order, each as soon as it is complete. Call it once."""
        given = 0
        for part in itertools.chain.from_iterable(map(_paragraphs, self._reading.blocks)):
            self._take(part)
            yield from self.sections[given:]
            given = len(self.sections)
        self._flush()
        yield from self.sections[given:]

    def _take(self, block: Block) -> None:
        folded = headings.fold(block.text) if len(block.text) <= headings.LONGEST else ""
        if block.kind == "heading":
            self._push(block, folded or headings.fold(block.text))
        elif tag := _TAG.fullmatch(folded.replace(" ", "")) if block.kind == "paragraph" else None:
            self._flush()
            self._clause = _Clause(self._clause.path, tag[1])
        elif block.kind == "paragraph" and (article := self._article(block.text)):
            title = "" if headings.is_titled_article(article) else self._title_above()
            self._push(structs.replace(block, text=article + title), headings.fold(article), is_running=True)
            self._clause.pieces.append(_Piece(block.text, block))
        elif block.kind == "paragraph" and (supplement := self._supplement(block.text)):
            self._push(structs.replace(block, text=supplement), headings.fold(supplement), is_running=True)
            self._clause.pieces.append(_Piece(block.text, block))
        elif block.kind == "paragraph" and self._is_in_main_text() and headings.is_appended(folded):
            self._push(block, folded, number=_APPENDED)
        elif block.kind == "paragraph" and self._is_heading(folded):
            title = self._title_above() if headings.is_bare_article(folded) else ""
            self._push(structs.replace(block, text=block.text + title), folded)
        else:
            self._clause.pieces.append(_Piece(block.text, block, self._item(block, folded)))

    def _flush(self) -> None:
        """Make sections of the current clause, which ends here."""
        clause = self._clause
        if clause.pieces:
            self.sections += (_with_certainty(one, self._reading.recognized) for one in _cut(clause))
        clause.pieces = []

    def _is_heading(self, folded: str) -> bool:
        if headings.is_certain_heading(folded) or headings.is_supplement(folded):
            return True
        number = headings.parse_number(folded)
        return not self.sections and not self._stack and number is not None and number.rank == headings.PART

    def _article(self, text: str) -> str:
        """Return the article number that begins a paragraph if the article's text follows on the same line, else ""."""
        article = headings.running_article(text)
        ranks = [one.rank for one in self._stack if one.rank]
        return article if article and self._articles.continues(article, ranks) else ""

    def _supplement(self, text: str) -> str:
        """Return the 附則 that begins a paragraph; "" if there is none, or if a clause quotes it."""
        return headings.running_supplement(text) if not self._stack or self._is_in_main_text() else ""

    def _is_in_main_text(self) -> bool:
        """Whether the current place is in an article, or after the articles in a part without a number: 附則."""
        if any(one.rank == headings.ARTICLE for one in self._stack):
            return True
        return self._articles.has_any and any(one.rank == headings.CHAPTER and not one.ordinal for one in self._stack)

    def _title_above(self) -> str:
        """Remove an article's title (（契約の保証）) from the end of the clause before; return it, or ""."""
        before = self._clause.pieces[-1] if self._clause.pieces else None
        if before is None or before.block.kind != "paragraph" or not headings.is_article_title(before.text):
            return ""
        return self._clause.pieces.pop().text

    def _item(self, block: Block, folded: str) -> str:
        is_title = (
            0 < len(folded) <= TITLE_LONGEST and not headings.reads_like_prose(folded) and block.kind == "paragraph"
        )
        return block.text if is_title and headings.parse_item(folded) else ""

    def _push(
        self, block: Block, folded: str, *, is_running: bool = False, number: headings.HeadingNumber | None = None
    ) -> None:
        self._flush()
        number = number or headings.parse_number(folded) or headings.parse_item(folded)
        text = block.text if len(block.text) <= HEADING_LONGEST else f"{block.text[:HEADING_LONGEST]}…"
        rank, ordinal = (number.rank, number.ordinal) if number else (0, 0)
        entry = _Entry(text, rank, block.level, ordinal, is_running)
        parents = _parents(self._stack, entry)
        if rank == headings.ARTICLE:
            self._articles.take(ordinal, [parent.rank for parent in parents if parent.rank])
        elif rank == headings.CHAPTER and not ordinal:
            if self._articles.has_any or headings.is_supplement(folded):  # it belongs to the statute, not to its 第五編
                parents = [one for one in parents if not (one.rank and one.ordinal)]
            self._articles.clear()
        self._stack = [*parents, entry]
        self._clause = _Clause(tuple(one.text for one in self._stack))
        if text != block.text:
            self._clause.pieces.append(_Piece(block.text, block))
        else:
            self.heading_letters += count_letters(text)


def _parents(stack: list[_Entry], entry: _Entry) -> list[_Entry]:
    """Return the headings of `stack` that contain the new one."""
    end = next((place for place, one in enumerate(stack) if not _is_above(one, entry)), len(stack))
    parents = stack[:end]
    is_lost = end < len(stack) and stack[-1].is_bare and entry.rank <= headings.ARTICLE
    if is_lost and entry.ordinal == 1 < stack[end].ordinal:
        # Numbers restart below a heading whose own number was lost: that one is the parent, not the last 第9節.
        while parents and parents[-1].is_bare:
            parents.pop()
        return [*parents, stack[-1]]
    return parents


def _is_above(upper: _Entry, entry: _Entry) -> bool:
    """Whether a heading contains the new one; one without number and level is below all that have one."""
    if upper.is_running and not entry.rank:
        return False
    if upper.rank and entry.rank:
        return upper.rank < entry.rank
    if upper.level and entry.level:
        return upper.level < entry.level
    return bool(upper.rank or upper.level or entry.rank)


def _cut(clause: _Clause) -> list[Section]:
    pieces = [part for piece in _with_titles_only(clause.pieces) for part in _sentences(piece)]
    total = sum(len(piece.text) + 1 for piece in pieces)
    count = -(-total // LONGEST)
    aim = total / count
    groups: list[list[_Piece]] = [[]]
    heads: list[_Piece] = []  # header rows of the current table
    length = 0
    for piece in pieces:
        size = len(piece.text) + 1
        is_good_place = bool(piece.item) and length > aim * 0.6
        if groups[-1] and (length + size > LONGEST or length >= aim or is_good_place):
            groups.append(_repeated_heads(heads, piece))
            length = sum(len(one.text) + 1 for one in groups[-1])
        groups[-1].append(piece)
        length += size
        if piece.block.kind != "row":
            heads = []
        elif piece.block.is_head and len(heads) < HEADS_LONGEST:
            heads.append(piece)
    if len(groups) > 1 and sum(len(one.text) for one in groups[-1]) < SHORTEST:
        last = groups.pop()
        groups[-1] += [piece for piece in last if not any(piece is one for one in groups[-1])]
    return _with_items(clause, [group for group in groups if any(piece.text for piece in group)])


def _with_titles_only(pieces: Sequence[_Piece]) -> list[_Piece]:
    """Return the pieces, where the item of a list, which the next one follows at once, is no title."""
    kept: list[_Piece] = []
    for piece, after in itertools.zip_longest(pieces, pieces[1:]):
        if piece.item and (after is None or _continues_list(piece.item, after.text)):
            piece = dataclasses.replace(piece, item="")
        kept.append(piece)
    return kept


def _continues_list(item: str, after: str) -> bool:
    """Whether the line after an item is the next item of its list or of a list that contains it."""
    folded = headings.fold(after[: headings.LONGEST])
    following = headings.parse_item(folded)
    if following is None:
        return bool(_ARTICLE_ITEM.match(after))
    own = headings.parse_item(headings.fold(item))
    return not _FIRST_ITEM.match(folded) or (own is not None and own.rank == following.rank)


def _repeated_heads(heads: list[_Piece], piece: _Piece) -> list[_Piece]:
    """Return the header rows of a table to repeat before the piece; [] if they are longer than half a section."""
    is_body = piece.block.kind == "row" and not piece.block.is_head
    return list(heads) if is_body and sum(len(one.text) + 1 for one in heads) <= HEADS_LONGEST else []


def _with_items(clause: _Clause, groups: list[list[_Piece]]) -> list[Section]:
    """Return the sections of a clause, each with the items that it continues in its path: （２） in its second half."""
    sections: list[Section] = []
    items: list[_Entry] = []
    for group in groups:
        if group[0].item and len(groups) > 1:
            items = _entries_after(items, group[0])
        path = (*clause.path, *(item.text for item in items)) if len(groups) > 1 else clause.path
        sections.append(_section(path, clause.tag, group))
        for piece in group:
            if piece.item:
                items = _entries_after(items, piece)
    return sections


def _entries_after(items: list[_Entry], piece: _Piece) -> list[_Entry]:
    number = headings.parse_item(headings.fold(piece.item))
    rank = number.rank if number else 0
    return [*(item for item in items if item.rank < rank), _Entry(piece.item, rank, 0, 0)]


def _section(path: tuple[str, ...], tag: str, group: list[_Piece]) -> Section:
    pages = [piece.block.page for piece in group if piece.block.page]
    boxes: list[PageBox] = []
    for piece in group:
        boxes += [box for box in piece.block.boxes if box not in boxes]
    captions = [match[0] for piece in group if piece.block.kind == "caption" and (match := _CAPTION.match(piece.text))]
    text = group[0].text
    for before, piece in itertools.pairwise(group):
        is_one_paragraph = piece.block is before.block  # a paragraph that was cut into sentences
        text += piece.text if is_one_paragraph else f"\n{piece.text}"
    return Section(
        heading=path,
        text=text,
        tag=tag,
        page=min(pages, default=0),
        page_last=max(pages, default=0),
        boxes=tuple(boxes),
        captions=tuple(captions),
    )


def _sentences(piece: _Piece) -> list[_Piece]:
    """Split a paragraph longer than a section into parts of whole sentences."""
    if len(piece.text) <= LONGEST:
        return [piece]
    parts: list[str] = []
    for sentence in _SENTENCE_END.split(piece.text):
        if parts and len(parts[-1]) + len(sentence) <= LONGEST * 2 // 3:
            parts[-1] += sentence
        else:
            parts += [sentence[at : at + LONGEST] for at in range(0, len(sentence), LONGEST)]
    return [_Piece(part, piece.block) for part in parts if part]
