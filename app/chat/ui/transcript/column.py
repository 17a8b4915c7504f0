"""Where messages stand: a column in the middle, and which of thousands of rows need a widget now."""

from dataclasses import dataclass

from app.chat import answer_origin
from app.chat.records import Message
from app.uikit.theme import Theme

TOP, BOTTOM = 20, 28  # px above the first and below the last message
GAP_AFTER_QUESTION, GAP_AFTER_ANSWER = 14, 18
SIDE = 16
USED_SOURCES = 2  # of an answer, as far as is known without looking at it
_NARROWEST = 160  # before the window has its size, pages are narrower than any text could bear


@dataclass(frozen=True, slots=True)
class Column:
    """Sizes in pixels for one width of the page."""

    left: int
    width: int

    @classmethod
    def of(cls, page_width: int, theme: Theme) -> "Column":
        """640 px at a text size of 100 %, or all but 16 px at each side of a narrow page."""
        width = max(_NARROWEST, min(theme.metric("column_width"), page_width - 2 * theme.px(SIDE)))
        return cls(max(0, (page_width - width) // 2), width)


class Estimate:
    """Heights of messages that have no widget yet, from the number of their characters."""

    def __init__(self, column: Column, theme: Theme) -> None:
        font_px = theme.font("reading").pixelSize()
        self._line = theme.line_height("reading")
        self._answer_characters = max(1, column.width // font_px)
        self._question_characters = max(1, (column.width - theme.px(32)) // font_px)
        self._question_frame = theme.px(46 + GAP_AFTER_QUESTION)
        self._answer_frame = theme.px(34 + GAP_AFTER_ANSWER)
        self._check, self._source = theme.px(34), theme.px(30)

    def height(self, message: Message) -> int:
        text = message.text[:20_000]
        if message.role == "question":
            return self._question_frame + self._lines(text, self._question_characters) * self._line
        return self._answer_frame + self._lines(text, self._answer_characters) * self._line + self._grounds(message)

    def _grounds(self, message: Message) -> int:
        """Of the check and the sources below an answer from documents."""
        kept, mark = answer_origin.grounding_of(message), 2 * self._check if answer_origin.mark(message) else 0
        return mark + (self._check + self._source * min(USED_SOURCES, len(kept.sources)) if kept is not None else 0)

    @staticmethod
    def _lines(text: str, characters: int) -> int:
        return len(text) // characters + text.count("\n") + 1


def gap_after(message: Message, theme: Theme) -> int:
    return theme.px(GAP_AFTER_QUESTION if message.role == "question" else GAP_AFTER_ANSWER)
