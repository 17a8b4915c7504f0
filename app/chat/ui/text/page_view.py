"""Show the pages of a document as images, with marks on the passages that an answer uses, and let parts be selected."""

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QImage,
    QIntValidator,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
    QShowEvent,
    QTransform,
)
from PySide6.QtWidgets import QFrame, QLineEdit, QScrollArea, QWidget

from app.base.errors import AppError
from app.base.wording import phrase
from app.documents.reading.messages import QuotePlace
from app.documents.services.reading_child import PagePicture, PagePictures, PageRequest
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.containers import Stretch, make_column, make_row
from app.uikit.widgets.labels import Label, Separator, plain_tooltip

MARGIN_PX = 16


class PagePane(QWidget):
    """Shows one page at a time, with buttons to the others and for its size, and has its images drawn."""

    page_chosen = Signal(int)  # page number, from 1, that the user wants
    drawn = Signal(object)  # PagePicture; shown by `show_picture` unless another page is requested instead
    failed = Signal(object)  # AppError

    def __init__(self, theme: Theme, pictures: PagePictures, *, can_select: bool = False) -> None:
        """Build the view. `can_select`: the user may select a part of a page, to ask about it."""
        super().__init__()
        self._theme = theme
        self._pictures = pictures
        self._wanted: PageRequest | None = None
        self._is_drawn = False  # whether `_wanted` was answered
        self._page = self._page_count = 0
        self.view = PageView(theme, can_select=can_select)
        make_column(self._build_row(), Separator(), (self.view, 1), into=self, spacing_px=0)
        self.page_before.clicked.connect(lambda: self._go_to(self._page - 1))
        self.page_after.clicked.connect(lambda: self._go_to(self._page + 1))
        self.page_field.editingFinished.connect(self._on_page_typed)
        self.smaller.clicked.connect(lambda: self.view.zoom(-1))
        self.fit_button.clicked.connect(lambda: self.view.zoom(0))
        self.larger.clicked.connect(lambda: self.view.zoom(1))
        self.frame_button.clicked.connect(self.view.place_frame)
        self.view.width_changed.connect(self._on_width_changed)
        pictures.drawn.connect(self._on_drawn)
        pictures.failed.connect(self._on_failed)

    @property
    def page(self) -> int:
        """Return the number of the page that was requested last; 0 for none."""
        return self._wanted.page if self._wanted is not None else 0

    @property
    def frame(self) -> QRectF:
        """Return the part that is selected on the page that was requested last, in shares of it; null for none."""
        wanted, paper = self._wanted, self.view.paper
        is_shown = wanted is not None and paper.shown == (wanted.document_id, wanted.page)
        return paper.frame if is_shown else QRectF()

    def request(self, document_id: int, page: int, quotes: tuple[str, ...] = ()) -> None:
        """Have a page drawn, from 1, with the places of `quotes`."""
        self._wanted, self._is_drawn = PageRequest(document_id, page, self.view.width_px, quotes), False
        self._pictures.request(self._wanted)

    def forget(self) -> None:
        """Draw nothing until the next `request`, and drop the drawn images, because files may change."""
        self._wanted = None
        self._pictures.forget()

    def show_picture(self, picture: PagePicture) -> None:
        self._page, self._page_count = picture.request.page, picture.pages
        self.page_field.setText(str(self._page))
        self.pages.setText(phrase("chat.n_pages", n=f"{picture.pages:,}"))
        self.page_before.setEnabled(self._page > 1)
        self.page_after.setEnabled(self._page < picture.pages)
        self.smaller.setEnabled(self.view.can_shrink)
        self.larger.setEnabled(self.view.can_grow)
        self._fit()
        self.view.show_picture(picture, phrase("chat.page_n", n=self._page))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        """Request the page again if another view has taken its turn meanwhile."""
        super().showEvent(event)
        if self._wanted is not None and not self._is_drawn:
            self._pictures.request(self._wanted)

    def _build_row(self) -> QWidget:
        theme = self._theme
        self.page_before = IconButton(theme, "chevron-left", phrase("chat.previous_page"))
        self.page_after = IconButton(theme, "chevron-right", phrase("chat.next_page"))
        self.page_field = QLineEdit()
        self.page_field.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.page_field.setValidator(QIntValidator(1, 99_999, self.page_field))
        self.page_field.setFixedWidth(theme.px(60))
        self.page_field.setAccessibleName(phrase("common.batch_column.page"))
        self.pages = Label(tone="text2")
        self.smaller = IconButton(theme, "zoom-out", phrase("chat.smaller"))
        self.fit_button = Button(theme, phrase("chat.fit_width"), "quiet", compact=True)
        self.larger = IconButton(theme, "zoom-in", phrase("chat.larger"))
        self.frame_button = IconButton(theme, "part", phrase("chat.select_part"))
        self.frame_button.setToolTip(plain_tooltip(phrase("chat.select_part_tip")))
        side = theme.px(MARGIN_PX) - 4
        self._row = QWidget()
        make_row(
            self.page_before, self.page_field, self.pages, self.page_after, Stretch(), self.frame_button, self.smaller,
            self.fit_button, self.larger,
            into=self._row, margins_px=(side, theme.px(4), side, theme.px(4)), spacing_px=theme.px(4),
        )  # fmt: skip
        self.frame_button.setVisible(self.view.paper.can_select)
        return self._row

    def _fit(self) -> None:
        self.fit_button.show()
        self.fit_button.setVisible(self._row.sizeHint().width() <= self.width())

    def _go_to(self, page: int) -> None:
        self.view.expect_new_page()
        self.page_chosen.emit(page)

    def _on_page_typed(self) -> None:
        page = min(int(self.page_field.text() or self._page), self._page_count)
        self.page_field.setText(str(page))
        if page != self._page:
            self._go_to(page)

    def _on_width_changed(self) -> None:
        if self._wanted is not None:
            self.request(self._wanted.document_id, self._wanted.page, self._wanted.quotes)

    def _on_drawn(self, picture: PagePicture) -> None:
        if picture.request == self._wanted:
            self._is_drawn = True
            self.drawn.emit(picture)

    def _on_failed(self, request: PageRequest, error: AppError) -> None:
        if request == self._wanted:
            self._is_drawn = True
            self.failed.emit(error)


ZOOMS = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0)  # factors; at 1.0 the page is as wide as the view
SETTLED_MS = 150  # ms without a resize before a new picture is requested
NEAR = 0.2  # distance of the first mark from the top, as a share of the view's height
DIMMED = 0.25  # opacity of the shade around the frame
FRAME_STEP = 0.02  # by which a key moves an edge of the frame, as a share of the page
FRAME_LEAST = 0.03  # width and height of the frame, as a share of the page; a smaller one was a click
_STEPS = {
    Qt.Key.Key_Left: (-FRAME_STEP, 0.0),
    Qt.Key.Key_Right: (FRAME_STEP, 0.0),
    Qt.Key.Key_Up: (0.0, -FRAME_STEP),
    Qt.Key.Key_Down: (0.0, FRAME_STEP),
}


class PageView(QScrollArea):
    """Shows the last picture, scaled, and emits `width_changed` when a picture of another width is needed.

    A part of the page is selected by dragging, or with a frame that keys place, move, resize and remove.
    """

    width_changed = Signal()
    asked = Signal()  # the user wants to ask about the frame

    def __init__(self, theme: Theme, *, can_select: bool = False) -> None:
        super().__init__()
        self._theme = theme
        self._zoom = ZOOMS.index(1.0)
        self._is_new = False  # True when the next picture must be scrolled to its first mark
        self.paper = Paper(theme, can_select=can_select)
        self.setWidget(self.paper)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.viewport().setProperty("surface", "side")
        self._settled = QTimer(self, interval=SETTLED_MS, singleShot=True)
        self._settled.timeout.connect(self.width_changed)
        theme.changed.connect(self._lay_out)

    @property
    def width_px(self) -> int:
        """Return the width for the next picture, in device pixels."""
        return max(1, round(self._paper_width() * self.devicePixelRatioF()))

    @property
    def can_grow(self) -> bool:
        return self._zoom + 1 < len(ZOOMS)

    @property
    def can_shrink(self) -> bool:
        return self._zoom > 0

    def expect_new_page(self) -> None:
        """Scroll the next picture to its first mark, because it shows another page."""
        self._is_new = True

    def show_picture(self, picture: PagePicture, name: str) -> None:
        """Show a picture. `name` is its accessible name, for screen readers."""
        self.paper.show_picture(picture)
        self.paper.setAccessibleName(name)
        self.setAccessibleName(name)
        self._lay_out()
        if self._is_new:
            self._is_new = False
            top = self.paper.first_mark()
            self.verticalScrollBar().setValue(round(top - NEAR * self.viewport().height()) if top else 0)

    def zoom(self, step: int) -> None:
        """Zoom in (1), out (-1), or to the width of the view (0)."""
        self._zoom = max(0, min(len(ZOOMS) - 1, self._zoom + step)) if step else ZOOMS.index(1.0)
        self._lay_out()
        self.width_changed.emit()

    def place_frame(self) -> None:
        """Put a frame in the middle of what is in sight, which keys then move."""
        self.setFocus(Qt.FocusReason.OtherFocusReason)
        if self.paper.can_select and self.paper.frame.isNull():
            seen = self.paper.shares_of(QRectF(self.paper.visibleRegion().boundingRect()))
            width, height = seen.width() / 4, seen.height() / 4
            self.paper.select(seen.adjusted(width, height, -width, -height))

    def event(self, event: QEvent) -> bool:
        """Take Esc while there is a frame, which would close the page."""
        is_escape = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape
        if is_escape and event.type() == QEvent.Type.ShortcutOverride and not self.paper.frame.isNull():
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scroll to the top with Home and to the bottom with End. Space places a frame, and other keys then act on it:
        arrows move it, with Shift its lower right corner; Enter asks about it; Esc removes it."""
        bar, key, frame = self.verticalScrollBar(), event.key(), self.paper.frame
        if key == Qt.Key.Key_Home:
            bar.setValue(bar.minimum())
        elif key == Qt.Key.Key_End:
            bar.setValue(bar.maximum())
        elif self.paper.can_select and key == Qt.Key.Key_Space:
            self.place_frame()
        elif not frame.isNull() and key in _STEPS:
            across, down = _STEPS[Qt.Key(key)]
            is_resized = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            left, top = (0.0, 0.0) if is_resized else (across, down)
            moved = frame.adjusted(left, top, across, down)
            self.paper.select(moved.intersected(QRectF(0, 0, 1, 1)) if is_resized else moved)
            place = self.paper.rectangle_of(self.paper.frame).toRect()
            self.ensureVisible(place.right(), place.bottom())
            self.ensureVisible(place.left(), place.top())
        elif not frame.isNull() and key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.asked.emit()
        elif not frame.isNull() and key == Qt.Key.Key_Escape:
            self.paper.select(QRectF())
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()
        self._settled.start()

    def _paper_width(self) -> int:
        room = self.width() - 2 * self._theme.px(MARGIN_PX) - self.verticalScrollBar().sizeHint().width()
        return max(40, round(room * ZOOMS[self._zoom]))

    def _lay_out(self) -> None:
        self.paper.fit(self._paper_width())


class Paper(QWidget):
    """The page, white in every theme, because documents are made for paper.

    `frame`: the selected part, in shares of the page's width and height; null: none.
    """

    frame_changed = Signal()

    def __init__(self, theme: Theme, *, can_select: bool = False) -> None:
        super().__init__()
        self._theme = theme
        self.frame = QRectF()
        self.shown: tuple[int, int] = (0, 0)  # id of the document and number of the page
        self._corner: QPointF | None = None  # where the mouse button was pressed
        self.can_select = can_select
        if can_select:
            self.setCursor(Qt.CursorShape.CrossCursor)
        self._pixmap = QPixmap()
        self._places: tuple[QuotePlace, ...] = ()
        self._ratio = 1.414  # height / width of the page

    def show_picture(self, picture: PagePicture) -> None:
        image = QImage(picture.rgb, picture.width, picture.height, 3 * picture.width, QImage.Format.Format_RGB888)
        self._pixmap = QPixmap.fromImage(image)  # fromImage copies the data
        self._places = picture.places
        self._ratio = picture.height / picture.width
        shown = (picture.request.document_id, picture.request.page)
        if shown != self.shown:
            self.shown, self._corner = shown, None
            self.select(QRectF())
        self.update()

    def select(self, frame: QRectF) -> None:
        """Select a part of the page, in shares of it; a null one: none. It is kept on the page and not too small."""
        if not frame.isNull():
            width, height = (min(1.0, max(FRAME_LEAST, size)) for size in (frame.width(), frame.height()))
            left, top = min(max(0.0, frame.left()), 1 - width), min(max(0.0, frame.top()), 1 - height)
            frame = QRectF(left, top, width, height)
        if frame != self.frame:
            self.frame = frame
            self.update()
            self.frame_changed.emit()

    def rectangle_of(self, frame: QRectF) -> QRectF:
        """Return where a part of the page is in this widget."""
        page = self._page()
        return QTransform(page.width(), 0, 0, page.height(), page.left(), page.top()).mapRect(frame)

    def shares_of(self, rectangle: QRectF) -> QRectF:
        """Return the part of the page in a rectangle of this widget, in shares of the page."""
        page = self._page()
        inside = rectangle.normalized().intersected(page).translated(-page.topLeft())
        return QTransform.fromScale(1 / page.width(), 1 / page.height()).mapRect(inside)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.can_select and event.button() == Qt.MouseButton.LeftButton and not self._pixmap.isNull():
            self._corner = event.position()
            self.select(QRectF())
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._corner is None:
            super().mouseMoveEvent(event)
            return
        drawn = self.shares_of(QRectF(self._corner, event.position()))
        is_click = drawn.width() < FRAME_LEAST and drawn.height() < FRAME_LEAST
        self.select(QRectF() if is_click else drawn)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._corner = None
        super().mouseReleaseEvent(event)

    def fit(self, width: int) -> None:
        margin = self._theme.px(MARGIN_PX)
        self.setFixedSize(QSize(width + 2 * margin, round(width * self._ratio) + 2 * margin))

    def first_mark(self) -> float:
        """Return the y coordinate of the top of the first mark in this widget; 0 when there is none."""
        return min((self._marked(place).top() for place in self._places), default=0.0)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        page = self._page()
        painter.fillRect(page, self._theme.light_color("base"))
        if not self._pixmap.isNull():
            painter.drawPixmap(page, self._pixmap, QRectF(self._pixmap.rect()))
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Multiply)
        for place in self._places:
            painter.fillRect(self._marked(place), self._theme.light_color("cite"))
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        for place in self._places:
            mark = self._marked(place)
            bar = QRectF(mark.left() - self._theme.px(6), mark.top(), self._theme.px(3), mark.height())
            painter.fillRect(bar, self._theme.light_color("cite_bar"))
        painter.setPen(QPen(self._theme.color("control"), 1))
        painter.drawRect(page.adjusted(-0.5, -0.5, 0.5, 0.5))
        if not self.frame.isNull():
            frame = self.rectangle_of(self.frame)
            around = QPainterPath()
            around.addRect(page)
            around.addRect(frame)  # which the rule of odd and even leaves out
            dim = self._theme.light_color("text")
            dim.setAlphaF(DIMMED)
            painter.fillPath(around, dim)
            painter.setPen(QPen(self._theme.light_color("accent"), self._theme.px(2)))
            painter.drawRect(frame)
        event.accept()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self.update()

    def _page(self) -> QRectF:
        margin = self._theme.px(MARGIN_PX)
        return QRectF(self.rect()).adjusted(margin, margin, -margin, -margin)

    def _marked(self, quote: QuotePlace) -> QRectF:
        """Return the rectangle of a mark in this widget, 1 px larger than the text on each side."""
        width, height = max(1, self._pixmap.width()), max(1, self._pixmap.height())
        first, last = QPointF(quote.left, quote.top), QPointF(quote.right, quote.bottom)
        shares = QTransform.fromScale(1 / width, 1 / height).mapRect(QRectF(first, last))
        return self.rectangle_of(shares).adjusted(-1, -1, 1, 1)
