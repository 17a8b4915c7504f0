"""Draw pictures of documents for a model that reads pictures, in a reading child of their own.

That child opens the foreign files, within its limits of size, memory and time; the engine only gets rows of pixels.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject

from app.base import programs
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.child_process import ChildExit
from app.base.wording import describe_error, phrase
from app.chat.services.retrieval_augmentation import PictureAsked
from app.documents.reading import messages
from app.documents.services.reading_child import PageRequest, ReadingChild
from app.inference.engine.messages import Picture

WIDTH_PX = 1024  # of a picture; models of any size then take about 1,000 tokens for a page


class PictureDrawing(QObject):
    """Draws pages, one after the other, and calls either `done` or `failed` once."""

    def __init__(
        self,
        database: Path,
        asked: Sequence[PictureAsked | str],
        done: Callable[[tuple[Picture, ...]], None],
        failed: Callable[[AppError], None],
        parent: QObject,
    ) -> None:
        """Begin. `asked`: pages of documents, or files of pictures in base64. `database`: that of the documents."""
        super().__init__(parent)
        self._waiting, self._drawn = [*asked], list[Picture]()
        self._name = ""  # of the picture that is being drawn
        self._done, self._failed = done, failed
        log = Paths(database.parent).logs / "documents-shown.log"
        self._child = ReadingChild(programs.reader_command(database), log, self)
        self._child.ended.connect(self._on_ended)
        self._draw()

    def close(self) -> None:
        """End the child; nothing is called any more."""
        self._child.stop()

    def _draw(self) -> None:
        asked = self._waiting.pop(0)
        if isinstance(asked, str):
            self._name = phrase("chat.given_picture")
            self._child.draw(asked, WIDTH_PX)
            return
        self._name = asked.name
        edges = asked.region.edges if asked.region else None
        self._child.render(PageRequest(asked.document.id, asked.page, WIDTH_PX, region=edges))

    def _on_ended(self, outcome: messages.Event | ChildExit) -> None:
        match outcome:
            case messages.Rendered(width=width, height=height, rgb=rgb):
                self._drawn.append(Picture(width, height, rgb))
                if self._waiting:
                    self._draw()
                    return
                self._done(tuple(self._drawn))
            case messages.Failed(code=code, facts=facts):
                why = describe_error(AppError(code, **facts)).message
                self._failed(AppError("attached_unreadable", name=self._name, why=why))
            case _:
                self._failed(AppError("picture_unusable"))
        self.close()
