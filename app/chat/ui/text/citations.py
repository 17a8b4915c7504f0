"""Marks of sources in a shown answer: [1] as a link, and what its sources do not have, marked where it stands."""

from bisect import bisect_left
from collections.abc import Sequence

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QTextBlock, QTextCharFormat, QTextCursor, QTextDocument
from PySide6.QtWidgets import QTextEdit, QWidget

from app.chat import answer_check
from app.chat.records import Message
from app.documents.grounding import answer_markup, source_citations
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.uikit import untrusted_text
from app.uikit.text import markdown
from app.uikit.text.rich_text import Place, RichText, selection
from app.uikit.theme import Theme

SCHEME = "cite:"  # nothing that others wrote can become a link with it (app.uikit.untrusted_text)
_MARKUP = frozenset("*_`~#>|\\(){}!-・\u2060\u00a0\u2028 \t\n　")  # may be shown otherwise than it was written


class CitedText(RichText):
    """The text of an answer: marks of its sources are links, and what no source supports is underlined."""

    source_chosen = Signal(int)  # the number of its mark

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._grounding: Grounding | None = None  # of what is shown
        self._source: int | None = None  # that is open

    def show_markdown(self, text: str, grounding: Grounding | None = None) -> None:
        self._grounding = grounding
        super().show_markdown(text)

    def show_source(self, number: int | None) -> None:
        """Fill the marks of the source that is open beside the conversation."""
        if self._grounding is not None and number != self._source:
            self._source = number
            self._mark()

    def _style(self, document: markdown.SafeDocument) -> None:
        super()._style(document)
        if self._grounding is not None:
            link(document, self._grounding.sources, self._theme)

    def _marks(self) -> list[QTextEdit.ExtraSelection]:
        found = super()._marks()
        if self._grounding is None:
            return found
        return [*selections(self.document(), self._grounding, self._source, self._theme), *found]

    def _on_anchor_clicked(self, url: QUrl) -> None:
        number = number_of(url.toString())
        if number is not None:
            self.source_chosen.emit(number)
        else:
            super()._on_anchor_clicked(url)


def is_ours(message: Message) -> bool:
    """Return whether the program itself answered, without a model, that it is not in the documents."""
    kept = answer_check.grounding_of(message)
    is_asked = message.details is not None and message.details.answer_tokens > 0
    return kept is not None and kept.verdict == "not_in_documents" and not is_asked


def shown_text(message: Message) -> str:
    """What the answer shows as its text; "" where a box says it in its place."""
    kept = answer_check.grounding_of(message)
    if message.role == "question" or message.status == "streaming" or kept is None:
        return message.text
    return "" if is_ours(message) else source_citations.add_marks(message.text, kept)


def link(document: QTextDocument, sources: Sequence[CitedSource], theme: Theme) -> None:
    """Makes links of the marks of these sources. Code and links that are there already stay as they are.

    Their ground comes from `selections`: with one of its own, Qt paints a link that has the keyboard over its text.
    """
    look = QTextCharFormat()
    look.setForeground(theme.color("accent"))
    look.setFontWeight(theme.font("reading", 600).weight())
    look.setFontUnderline(False)
    look.setAnchor(True)
    code = theme.font("mono").families()
    cursor = QTextCursor(document)
    for block in markdown.blocks(document):
        for start, end, number in [] if markdown.is_code(block) else _marks(block, sources):
            cursor.setPosition(start)
            cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            there = cursor.charFormat()
            if not there.isAnchor() and there.fontFamilies() != code:
                look.setAnchorHref(f"{SCHEME}{number}")
                cursor.mergeCharFormat(look)


def number_of(href: str) -> int | None:
    """The source that a link leads to; None for one to anywhere else."""
    digits = href.removeprefix(SCHEME)
    return int(digits) if href.startswith(SCHEME) and digits.isdecimal() else None


def selections(
    document: QTextDocument, grounding: Grounding, current: int | None, theme: Theme
) -> list[QTextEdit.ExtraSelection]:
    """What is doubtful, the grounds of marks, and those of the source that is open: the document stays as it is."""
    ground = QTextCharFormat()
    ground.setBackground(theme.color("accent_soft"))
    wave = QTextCharFormat()
    wave.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
    wave.setUnderlineColor(theme.color("warning"))
    missing = QTextCharFormat(wave)
    missing.setBackground(theme.color("warning_soft"))
    missing.setForeground(theme.color("warning"))
    sentences, values = doubtful_places(document, grounding.claims)
    look = QTextCharFormat()
    look.setBackground(theme.color("accent"))
    look.setForeground(theme.color("on_accent"))
    links = _links(document)
    found = [selection(document, place, ground) for place, number in links if number != current]
    found += [selection(document, place, wave) for place in sentences]
    found += [selection(document, place, missing) for place in values]
    found += [selection(document, place, look) for place, number in links if number == current]
    return found


def doubtful_places(document: QTextDocument, claims: Sequence[Claim]) -> tuple[list[Place], list[Place]]:
    """Where the sentences without support stand, and the values and names in them that no source has, as Qt counts.
    What cannot be found again is left out."""
    sentences: list[Place] = []
    values: list[Place] = []
    if all(claim.is_supported for claim in claims):
        return sentences, values
    shown, at = _Shown(document), 0
    for claim in claims:
        place = shown.find(claim.sentence, at, shown.end)
        if place is None:
            continue
        at = place[1]
        if not claim.is_supported:
            sentences.append(place)
            values += [found for value in claim.missing if (found := shown.find(value, *place))]
    return sentences, values


class _Shown:
    """The text of a document in which what was written is found again, whatever Markdown has made of its signs."""

    def __init__(self, document: QTextDocument) -> None:
        text = document.toPlainText()
        kept = [(place, one) for place, one in enumerate(text) if one not in _MARKUP]
        self._text = "".join(one for _, one in kept)
        self._places = [place for place, _ in kept]
        if max(text, default="") > "\uffff":
            self._places = [untrusted_text.utf16_offset(text, place) for place in self._places]
        self.end = document.characterCount()

    def find(self, written: str, first: int, last: int) -> Place | None:
        """Between two places."""
        wanted = "".join(one for one in untrusted_text.make_harmless(written) if one not in _MARKUP)
        start, stop = bisect_left(self._places, first), bisect_left(self._places, last)
        at = self._text.find(wanted, start, stop) if wanted else -1
        return (self._places[at], self._places[at + len(wanted) - 1] + 1) if at >= 0 else None


def _marks(block: QTextBlock, sources: Sequence[CitedSource]) -> list[tuple[int, int, int]]:
    """Places in the document and numbers. Of [1, 2] each number by itself, else with its brackets."""
    text = block.text()
    found: list[answer_markup.SourceMark] = []
    for mark in source_citations.answer_marks(text, sources):
        found += [mark] if len(mark.numbers) == 1 else answer_markup.written_numbers(text, mark)
    base = block.position()
    return [
        (base + untrusted_text.utf16_offset(text, start), base + untrusted_text.utf16_offset(text, end), number)
        for start, end, (number,) in found
        if 0 < number <= len(sources)
    ]


def _links(document: QTextDocument) -> list[tuple[Place, int]]:
    """Where the marks of sources stand, with their numbers."""
    found: list[tuple[Place, int]] = []
    for block in markdown.blocks(document):
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            iterator += 1
            if (number := number_of(fragment.charFormat().anchorHref())) is not None:
                found.append(((fragment.position(), fragment.position() + fragment.length()), number))
    return found
