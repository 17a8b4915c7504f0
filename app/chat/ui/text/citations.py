"""Turn source marks such as [1] in an answer into links, and mark unsupported sentences and values."""

import functools
from bisect import bisect_left
from collections.abc import Sequence

from PySide6.QtCore import QUrl, Signal
from PySide6.QtGui import QFont, QTextBlock, QTextCharFormat, QTextCursor, QTextDocument
from PySide6.QtWidgets import QTextEdit, QWidget

from app.base.wording import phrases
from app.chat import answer_check
from app.chat.records import Message
from app.documents.grounding import answer_markup, source_citations
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.documents.retrieval import excerpts
from app.documents.values import quantities
from app.documents.values.quantities import Quantity
from app.uikit import untrusted_text
from app.uikit.text import markdown
from app.uikit.text.rich_text import Place, RichText, selection
from app.uikit.theme import Theme

SCHEME = "cite:"  # text from models and files cannot form a link with this scheme (app.uikit.untrusted_text)
_RAISED_DIGITS = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹")
_MARKUP = frozenset("*_`~#>|\\(){}!-・\u2060\u00a0\u2028 \t\n　")  # Markdown may change or remove these


class CitedText(RichText):
    """The text of an answer, in which source marks are links and unsupported text is underlined."""

    source_chosen = Signal(int)  # number of the source

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._grounding: Grounding | None = None  # grounding of the text that is shown
        self._source: int | None = None  # number of the source that is open; None: none

    def show_markdown(self, text: str, grounding: Grounding | None = None) -> None:
        self._grounding = grounding
        super().show_markdown(text)

    def show_source(self, number: int | None) -> None:
        """Highlight the marks of the source that is open next to the conversation; None highlights none."""
        if self._grounding is not None and number != self._source:
            self._source = number
            self._show_highlights()

    def _style(self, document: markdown.SafeDocument) -> None:
        super()._style(document)
        if self._grounding is not None:
            link(document, self._grounding.sources, self._theme)

    def _highlights(self) -> list[QTextEdit.ExtraSelection]:
        found = super()._highlights()
        if self._grounding is None:
            return found
        return [*selections(self.document(), self._grounding, self._source, self._theme), *found]

    def _on_anchor_clicked(self, url: QUrl) -> None:
        number = number_of(url.toString())
        if number is not None:
            self.source_chosen.emit(number)
        else:
            super()._on_anchor_clicked(url)


def is_not_found_notice(message: Message) -> bool:
    """Return whether the program itself said, without running a model, that the documents have no answer."""
    grounding = answer_check.grounding_of(message)
    is_asked = message.details is not None and message.details.answer_tokens > 0
    return grounding is not None and grounding.verdict == "not_in_documents" and not is_asked


def shown_text(message: Message) -> str:
    """Return the text to show for a message.

    "" for a not-found notice, and for an answer that says no more, which the box in the footer shows instead, and for
    an action, which the heading names.
    """
    if message.is_action:
        return ""
    grounding = answer_check.grounding_of(message)
    if message.role == "question" or message.status == "streaming" or grounding is None:
        return message.text
    refusals = phrases("chat.not_in_your_documents")
    left = functools.reduce(lambda text, words: text.replace(words, ""), refusals, message.text)
    says_no_more = not grounding.has_answer and not any(map(str.isalnum, left))
    return "" if says_no_more or is_not_found_notice(message) else source_citations.add_marks(message.text, grounding)


def hidden_excerpts(message: Message) -> int:
    """Return the number of an answer's quotations that are shown only on request; 0 for any other message."""
    grounding = answer_check.grounding_of(message)
    return len(grounding.claims) - len(_first_claims(message)) if grounding is not None else 0


def excerpt_pages(message: Message) -> list[str]:
    """Return the first quotations of an answer, and all of its text; [] if it has no more than the first ones."""
    return [message.text[: _first_claims(message)[-1].end], message.text] if hidden_excerpts(message) else []


def sources_at_first(message: Message) -> set[int]:
    """Return the sources of the first quotations if an answer has more of them; else an empty set."""
    return (
        {number for claim in _first_claims(message) for number in claim.sources} if hidden_excerpts(message) else set()
    )


def _first_claims(message: Message) -> Sequence[Claim]:
    """Return the claims of the quotations that an answer shows at first; all claims of any other answer.

    Rows of one table count as one quotation.
    """
    grounding = answer_check.grounding_of(message)
    claims = grounding.claims if grounding is not None else ()
    if grounding is None or not grounding.is_excerpt:
        return claims
    quotations = rows = 0
    end, was_row = 0, False
    for count, claim in enumerate(claims):
        is_row = message.text.startswith("|", message.text.rfind("\n", 0, claim.start) + 1)
        is_next = is_row and was_row and message.text.count("\n", end, claim.start) == 1
        quotations, rows = (quotations, rows + 1) if is_next else (quotations + 1, 1)
        if quotations > excerpts.SHOWN_FIRST or rows > excerpts.ROWS_SHOWN_FIRST:
            return claims[:count]
        end, was_row = claim.end, is_row
    return claims


def link(document: QTextDocument, sources: Sequence[CitedSource], theme: Theme) -> None:
    """Turn the marks of these sources into links, except in code and in existing links.

    `selections` draws their background instead, because a link's own background would be painted over its text while it
    has the focus.
    """
    link_format = QTextCharFormat()
    link_format.setForeground(theme.color("accent"))
    link_format.setFontWeight(theme.font("reading", 600).weight())
    link_format.setFontUnderline(False)
    link_format.setAnchor(True)
    code = theme.font("mono").families()
    cursor = QTextCursor(document)
    for block in markdown.blocks(document):
        for start, end, number in [] if markdown.is_code(block) else _marks(block, sources):
            cursor.setPosition(start)
            cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            text_format = cursor.charFormat()
            if not text_format.isAnchor() and text_format.fontFamilies() != code:
                link_format.setAnchorHref(f"{SCHEME}{number}")
                cursor.mergeCharFormat(link_format)


def number_of(href: str) -> int | None:
    """Return the number of the source that a link opens; None for any other link."""
    digits = href.removeprefix(SCHEME)
    return int(digits) if href.startswith(SCHEME) and digits.isdecimal() else None


def selections(
    document: QTextDocument, grounding: Grounding, current: int | None, theme: Theme
) -> list[QTextEdit.ExtraSelection]:
    """Return the selections that mark doubtful text and source marks. `current`: the number of the open source."""
    ground = QTextCharFormat()
    ground.setBackground(theme.color("accent_soft"))
    wave = QTextCharFormat()
    wave.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
    wave.setUnderlineColor(theme.color("warning"))
    missing = QTextCharFormat(wave)
    missing.setBackground(theme.color("warning_soft"))
    missing.setForeground(theme.color("warning"))
    sentences, values = doubtful_places(document, grounding.claims)
    open_mark = QTextCharFormat()
    open_mark.setBackground(theme.color("accent"))
    open_mark.setForeground(theme.color("on_accent"))
    links = _links(document)
    found = [selection(document, place, ground) for place, number in links if number != current]
    if grounding.is_excerpt:
        value = QTextCharFormat()
        value.setBackground(theme.color("cite"))
        value.setForeground(theme.color("text"))
        found += [selection(document, place, value) for place in lead_values(document)]
    found += [selection(document, place, wave) for place in sentences]
    found += [selection(document, place, missing) for place in values]
    found += [selection(document, place, open_mark) for place, number in links if number == current]
    return found


def lead_values(document: QTextDocument) -> list[Place]:
    """Return the places of the values in the first line of an answer of excerpts, as Qt positions."""
    block = document.begin()
    text, formats = block.text(), block.textFormats()
    if not formats or formats[0].format.fontWeight() < QFont.Weight.DemiBold:
        return []  # an answer of an earlier version, which begins with a quotation
    values = [one for one in quantities.parse(text[: _lead_end(text)]) if not _is_reference(one, text)]
    places = ((one.start, max(one.end, one.bound_end)) for one in values)
    return [tuple(block.position() + untrusted_text.utf16_offset(text, at) for at in place) for place in places]  # type: ignore[misc]


def _is_reference(one: Quantity, text: str) -> bool:
    """Whether a number names a clause (第24条, 「４　…) or a note (¹⁾) instead of giving a value."""
    is_first = not text[: one.start].strip("「○◯")
    return one.names_part or (not one.unit and (is_first or text[one.start] in _RAISED_DIGITS))


def _lead_end(text: str) -> int:
    """Return where the words of a first line end and its mark begins."""
    return max((mark.start for mark in answer_markup.find_marks(text)), default=len(text))


def doubtful_places(document: QTextDocument, claims: Sequence[Claim]) -> tuple[list[Place], list[Place]]:
    """Return the places of unsupported sentences, and of those values and names in them that no source contains, as Qt
    positions.

    A sentence that cannot be found in the document is left out.
    """
    sentences: list[Place] = []
    values: list[Place] = []
    if all(claim.is_supported for claim in claims):
        return sentences, values
    shown, at = _ShownText(document), 0
    for claim in claims:
        place = shown.find(claim.sentence, at, shown.end)
        if place is None:
            continue
        at = place[1]
        if not claim.is_supported:
            sentences.append(place)
            values += [found for value in claim.missing if (found := shown.find(value, *place))]
    return sentences, values


class _ShownText:
    """The text of a document without markup characters, in which text from before the rendering can be found."""

    def __init__(self, document: QTextDocument) -> None:
        text = document.toPlainText()
        characters = [(place, one) for place, one in enumerate(text) if one not in _MARKUP]
        self._text = "".join(one for _, one in characters)
        self._places = [place for place, _ in characters]
        if max(text, default="") > "\uffff":
            self._places = [untrusted_text.utf16_offset(text, place) for place in self._places]
        self.end = document.characterCount()

    def find(self, quoted_text: str, first: int, last: int) -> Place | None:
        """Return the place of a text between the positions `first` and `last`, or None."""
        stripped = "".join(one for one in untrusted_text.make_harmless(quoted_text) if one not in _MARKUP)
        start, stop = bisect_left(self._places, first), bisect_left(self._places, last)
        at = self._text.find(stripped, start, stop) if stripped else -1
        return (self._places[at], self._places[at + len(stripped) - 1] + 1) if at >= 0 else None


def _marks(block: QTextBlock, sources: Sequence[CitedSource]) -> list[tuple[int, int, int]]:
    """Return (start, end, number) for each source mark of a block. In [1, 2] each number has its own start and end."""
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
    """Return the place and the source number of each source mark that is a link."""
    found: list[tuple[Place, int]] = []
    for block in markdown.blocks(document):
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            iterator += 1
            if (number := number_of(fragment.charFormat().anchorHref())) is not None:
                found.append(((fragment.position(), fragment.position() + fragment.length()), number))
    return found
