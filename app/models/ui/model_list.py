"""Show the models of this machine and of the catalogue as one list, with tabs and a filter above it.

An entry shows name, badges, one sentence and facts. A download's progress, with its own buttons, is a widget over its
entry.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QMouseEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QButtonGroup,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.base.files import work_folder
from app.base.wording import format_size, phrase
from app.inference.local_model import LocalModel
from app.models import base_models, catalogue, local_models, model_fit
from app.models.catalogue import ModelCard
from app.models.model_fit import FitResult
from app.models.services.downloads import Download
from app.models.services.model_fits import FitResults
from app.models.services.model_library import ModelLibrary
from app.models.ui import model_text
from app.models.ui.download_row import DownloadRow
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FLOW_SPACING_PX, FlowBox, Stretch, make_column, set_direction
from app.uikit.widgets.fields import SearchField

EntryRole = Qt.ItemDataRole.UserRole + 1

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """Describes an entry: a listed model (with its card, if any), a card without a file, fetched weights to train on
    (`base`), or a heading (none of them)."""

    title: str
    model: LocalModel | None = None
    card: ModelCard | None = None
    is_used: bool = False  # questions are sent to this model
    judged: Mapping[str, FitResult] = field(default_factory=dict)  # by quantization; empty: unknown
    quantization: str = ""  # quantization of the local file, else of the download, else of the card's usual file
    download: Download | None = None  # the download of one of the card's files
    base: Path | None = None  # the folder of the weights, and their size
    base_bytes: int = 0

    @property
    def key(self) -> str:
        """Return a key that identifies the entry while the list changes; "" for a heading."""
        if self.model is not None:
            return f"model:{self.model.id}"
        if self.base is not None:
            return f"base:{self.base}"
        return f"card:{self.card.id}" if self.card is not None else ""

    @property
    def usual(self) -> FitResult | None:
        return self.judged.get(self.quantization)

    @property
    def rank(self) -> tuple[int, int]:
        """Return the place of the verdict from the best, an unknown one last, and for the slow how long they take.

        Those that take up to twice as long as one another have one place, because then the use decides.
        """
        if self.usual is None:
            return len(model_text.FIT_ORDER), 0
        is_slow = self.usual.speed is not None and self.usual.word != "comfortable"
        wait = self.usual.speed.answer_s if is_slow and self.usual.speed is not None else 1.0
        return model_text.FIT_ORDER.index(self.usual.word), round(math.log2(wait))

    @property
    def is_tuned(self) -> bool:
        return self.model is not None and self.model.tuned is not None

    @property
    def is_remote(self) -> bool:
        return self.model is not None and self.model.remote is not None

    @property
    def has_adapter(self) -> bool:
        """Return whether the model is a base with an adapter, which uses the base's file."""
        return self.model is not None and bool(self.model.adapter)

    @property
    def is_for_search(self) -> bool:
        if self.model is not None:
            return local_models.is_for_search(self.model)
        return self.card is not None and self.card.is_for_search

    def matches(self, words: str) -> bool:
        """Return whether every word of `words` occurs in the description of the model, such as 快適."""
        card, model = self.card, self.model
        described = [self.title]
        if self.usual is not None:
            described.append(model_text.fit_word(self.usual))
        if card is not None:
            described += [card.id, card.summary, card.licence, card.size_label, card.base_model]
        if model is not None:
            described += [model.path, model.architecture, model.quantization]
            described += [model.tuned.base_name, model.tuned.run_name] if model.tuned is not None else []
        text = "\n".join(described).casefold()
        return all(word in text for word in words.casefold().split())


class ModelListModel(QAbstractListModel):
    """Provides the entries as a Qt list model."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[ModelEntry] = []

    def set_entries(self, local: Sequence[ModelEntry], cards: Sequence[ModelEntry], title: str) -> None:
        """Fill the list; cards that are being downloaded come first. `title`: the heading of the other cards."""
        downloading_cards = [entry for entry in cards if entry.download is not None]
        cards = [entry for entry in cards if entry.download is None]
        self.beginResetModel()
        self._entries = []
        if downloading_cards:
            self._entries += [ModelEntry(phrase("models.download")), *downloading_cards]
        here, elsewhere = [one for one in local if not one.is_remote], [one for one in local if one.is_remote]
        if here:
            self._entries += [ModelEntry(phrase("models.models_on_this_pc")), *here]
        if elsewhere:
            self._entries += [ModelEntry(phrase("models.models_of_servers_in_the")), *elsewhere]
        if cards:
            self._entries += [ModelEntry(title), *cards]
        self.endResetModel()

    def downloading(self) -> list[QModelIndex]:
        return [self.index(row) for row, entry in enumerate(self._entries) if entry.download is not None]

    def entry(self, index: Index) -> ModelEntry | None:
        return self._entries[index.row()] if index.isValid() else None

    def index_of(self, key: str) -> QModelIndex:
        """Return the index of the entry with that key, else of the first that is no heading, else an invalid one."""
        rows = [row for row, entry in enumerate(self._entries) if entry.key]
        row = next((row for row in rows if self._entries[row].key == key), rows[0] if rows else -1)
        return self.index(row) if row >= 0 else QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        entry = self._entries[index.row()]
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return entry.title
        return entry if role == EntryRole else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not self._entries[index.row()].key:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable


def list_entries(
    library: ModelLibrary, chosen_id: str | None, fits: FitResults, downloads: Sequence[Download]
) -> tuple[list[ModelEntry], list[ModelEntry]]:
    """Return the entries of listed models, and those of cards without a listed model.

    `chosen_id`: id of the model that the user has chosen to answer. A download is shown in the entry of its card or
    model. Cards come in the order of downloads, then of their verdicts, slow ones by speed, then of the catalogue.
    """
    local = library.listed()
    order = {item.card_id: place for place, item in reversed(list(enumerate(downloads)))}
    downloading_cards: dict[str, Download] = {}
    for item in downloads:
        downloading_cards.setdefault(item.card_id, item)
    used, here, names = local_models.answering_model(local, chosen_id), [], local_models.distinct_names(local)
    for model in local:
        card = library.card(model)
        judged = dict(fits.cards.get(card.id, {})) if card else {}
        if model.path in fits.models:
            judged[model.quantization] = fits.models[model.path]
        own = downloading_cards.pop(card.id, None) if card and model.tuned is None else None
        here.append(ModelEntry(names[model.id], model, card, model is used, judged, model.quantization, own))
    cards_here = {model.card_id for model in local if model.tuned is None}
    cards = []
    for card in catalogue.load().cards:
        download = downloading_cards.get(card.id)
        if card.id not in cards_here and (download is not None or not card.is_found):
            cards.append(card_entry(card, fits, download))
    return here, sorted(cards, key=lambda entry: (order.get(entry.key.removeprefix("card:"), len(order)), entry.rank))


def base_entries(models_folder: Path) -> list[ModelEntry]:
    """Return the entries of the weights that were fetched to train on."""
    return [
        ModelEntry(base_models.fetched_name(one), base=one, base_bytes=work_folder.folder_size_bytes(one))
        for one in base_models.fetched_bases(models_folder)
    ]


def card_entry(card: ModelCard, fits: FitResults, download: Download | None) -> ModelEntry:
    usual = model_fit.usual_file(card)
    quantization = download.quantization if download else usual.quantization if usual else ""
    judged = dict(fits.cards.get(card.id, {}))
    return ModelEntry(card.title, card=card, judged=judged, quantization=quantization, download=download)


MARGIN_PX = 16
DOWNLOAD_PX = 52  # height of the progress below the text; its widget lies over the entry


class ModelDelegate(QStyledItemDelegate):
    """Paints the entries of the list."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        entry: ModelEntry = index.data(EntryRole)
        if not entry.key:
            return QSize(0, self._theme.px(32))
        height = 2 * self._theme.line_height("ui") + self._theme.line_height("caption") + self._theme.px(26)
        return QSize(0, height + (self._theme.px(DOWNLOAD_PX) if entry.download else 0))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        entry: ModelEntry = index.data(EntryRole)
        theme = self._theme
        painter.save()
        area: QRect = option.rect
        if entry.key:
            self._paint_entry(painter, option, area, entry)
        else:
            painter.fillRect(area, theme.color("raised"))
            words_area = area.adjusted(MARGIN_PX, 0, -MARGIN_PX, 0)
            list_rows.draw_text(painter, theme, words_area, entry.title, "caption", "text2", weight=600)
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()

    def _paint_entry(self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, entry: ModelEntry) -> None:
        theme = self._theme
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        left, right = area.left() + MARGIN_PX, area.right() - MARGIN_PX
        top = area.top() + theme.px(12)
        free = self._paint_badges(painter, entry, right, top)
        lines = (
            (entry.title, "ui", "text", 600, free - theme.px(12)),
            (_summary_line(entry), "ui", "text2", 400, right),
            (self._facts(entry), "caption", "text2" if is_chosen else "muted", 400, right),
        )
        for text, role, tone, weight, end in lines:
            line = QRect(left, top, end - left, theme.line_height(role))
            list_rows.draw_text(painter, theme, line, text, role, tone, weight=weight)
            top = line.bottom() + 1 + theme.px(1)

    def _paint_badges(self, painter: QPainter, entry: ModelEntry, right: int, top: int) -> int:
        """Paint badges from right to left; return the right edge of the space for the name."""
        theme = self._theme
        if entry.usual is not None:
            tone, icon = model_text.fit_badge(entry.usual)
            right = (
                list_rows.draw_badge(painter, theme, right, top, model_text.fit_badge_word(entry.usual), tone, icon) - 6
            )
        if entry.is_used:
            right = list_rows.draw_badge(painter, theme, right, top, phrase("models.in_use"), "accent") - 6
        if entry.is_tuned:
            right = (
                list_rows.draw_badge(painter, theme, right, top, phrase("common.tuned"), "accent", "graduation-cap") - 6
            )
        return right

    def _facts(self, entry: ModelEntry) -> str:
        if entry.model is not None:
            return model_text.remote_facts(entry.model) if entry.is_remote else model_text.model_facts(entry.model)
        if entry.card is not None and entry.download is not None:
            return join_facts(model_text.card_facts(entry.card), entry.download.quantization)
        if entry.base is not None:
            return join_facts(format_size(entry.base_bytes), str(entry.base))
        return model_text.card_facts(entry.card) if entry.card else ""


def _summary_line(entry: ModelEntry) -> str:
    """Return the summary of an entry: an alternative if the model does not fit, else a description."""
    if entry.usual is not None and entry.usual.verdict == "insufficient":
        way = model_text.fit_alternative(entry.usual)
        return way or model_text.fit_reason(entry.usual)
    if entry.model is not None and entry.model.tuned is not None:
        return model_text.trained_on(entry.model.tuned)
    if entry.card is not None:
        return entry.card.summary
    if entry.model is not None and entry.model.remote is not None:
        return entry.model.remote.address
    if entry.base is not None:
        return phrase("models.base_to_train")
    return entry.model.path if entry.model else ""


LEAST_PX = 48  # low enough for a banner above the list in a small window


class ModelListView(QListView):
    """Shows the list; downloads are shown by widgets over their entries."""

    def __init__(self, theme: Theme, models: ModelListModel) -> None:
        super().__init__()
        self._theme = theme
        self.models = models
        self.setModel(models)
        self.setItemDelegate(ModelDelegate(theme, self))
        self.setProperty("framed", True)
        self.setAccessibleName(phrase("models.models"))
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)  # otherwise the widgets over the entries keep their width
        self.setMinimumHeight(LEAST_PX)

    def place_rows(self) -> dict[str, DownloadRow]:
        """Put a new row over each entry with a download; return the rows by download id.

        Call it after each change of the list, because Qt then deletes the rows.
        """
        rows = {}
        for index in self.models.downloading():
            entry = self.models.entry(index)
            assert entry is not None
            assert entry.download is not None
            row = rows[entry.download.id] = DownloadRow(self._theme)
            self.setIndexWidget(index, _Holder(self._theme, row))
        return rows


class _Holder(QWidget):
    """Holds a download row below the entry's text; clicks beside it reach the entry."""

    def __init__(self, theme: Theme, row: DownloadRow) -> None:
        super().__init__()
        make_column(Stretch(), row, into=self, margins_px=(MARGIN_PX, 0, MARGIN_PX, theme.px(10)))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.ignore()


FILTER_LEAST_PX, FILTER_MOST_PX = 96, 190
PADDING_PX = 24  # left and right of the search field's text


class ModelTabs(QWidget):
    """Shows the tabs and the filter above the list. `tab`: chat | search | local | hub; `words`: the filter's text."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.names = {
            "chat": phrase("models.for_answers"),
            "search": phrase("models.for_document_search"),
            "local": phrase("models.on_this_pc"),
            "hub": "Hugging Face",
        }
        self.buttons = {tab: Button(theme, name, compact=True) for tab, name in self.names.items()}
        self.filter = SearchField(theme, phrase("models.filter_by_name_or_feature"))
        self.filter.setMinimumWidth(theme.px(FILTER_LEAST_PX))
        self.group = QButtonGroup(self)
        for button in self.buttons.values():
            button.setCheckable(True)
            self.group.addButton(button)
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(6)
        self._row.addWidget(FlowBox(*self.buttons.values()), 1, Qt.AlignmentFlag.AlignVCenter)
        self._row.addWidget(self.filter, 4)
        self.buttons["chat"].setChecked(True)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        """Keep the tabs in one row: narrow the filter, or move it below them, and shorten its placeholder if needed."""
        field, px = self.filter, self._theme.px
        buttons = sum(button.sizeHint().width() + FLOW_SPACING_PX for button in self.buttons.values())
        room = self.width() - buttons - self._row.spacing()
        is_row = room >= px(FILTER_LEAST_PX)
        set_direction(self._row, is_row=is_row)
        field.setMaximumWidth(min(px(FILTER_MOST_PX), room) if is_row else px(FILTER_MOST_PX))
        text_width = min(field.maximumWidth(), self.width()) - field.textMargins().left() - px(PADDING_PX)
        placeholder = field.accessibleName()
        fits = field.fontMetrics().horizontalAdvance(placeholder) <= text_width
        field.setPlaceholderText(placeholder if fits else phrase("models.filter"))

    @property
    def tab(self) -> str:
        return next(tab for tab, button in self.buttons.items() if button.isChecked())

    @property
    def words(self) -> str:
        return self.filter.text()

    def show_tab(self, tab: str) -> None:
        self.buttons[tab].setChecked(True)

    def set_counts(self, counts: Mapping[str, int]) -> None:
        for tab, count in counts.items():
            self.buttons[tab].setText(f"{self.names[tab]} {count}")
        self._arrange()
