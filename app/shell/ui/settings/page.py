"""Show the settings page (設定): the list of sections in the sidebar, and the rows of one section."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, QStringListModel, Qt
from PySide6.QtGui import QPainter, QResizeEvent
from PySide6.QtWidgets import QListView, QStackedWidget, QStyle, QStyleOptionViewItem, QWidget

from app.base import confidentiality
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.base.wording import phrase
from app.chat.services.preset_library import PresetLibrary
from app.chat.ui.preset_section import PresetsSection
from app.models.catalogue import ModelCard
from app.models.services.downloads import Downloads
from app.shell.ui.settings.about import AboutSection
from app.shell.ui.settings.network import NetworkSection
from app.shell.ui.settings.sections import (
    AppearanceSection,
    DataSection,
    ModelSection,
    QuestionSection,
    SettingsSection,
)
from app.shell.ui.settings.storage import ModelsFolderPanel
from app.shell.ui.settings.training import TrainingPanel, TrainingSection
from app.uikit.page import NavigationSignals, Page, PageHeader, SidebarPanel, focus_first_widget
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.containers import Stretch, make_column, make_row, make_scrollable
from app.uikit.widgets.labels import set_surface

ROW_SPACING_PX = 4  # px; smallest space between two names
ROWS_WIDTH_PX = 760
STACK_BELOW_PX = 500

Index = QModelIndex | QPersistentModelIndex
Section = SettingsSection | PresetsSection


class SectionDelegate(list_rows.ThemedDelegate):
    """Paints the section names, closer if they do not fit, as a scroll bar would cut them."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        usual, least = self._theme.metric("row_list"), option.fontMetrics.height() + ROW_SPACING_PX
        room = self._view.viewport().height() // index.model().rowCount()
        return QSize(0, max(least, min(usual, room)))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        area: QRect = option.rect.adjusted(4, 0, -4, 0)
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        list_rows.draw_ground(painter, self._theme, area, is_chosen=is_chosen, option=option)
        words = area.adjusted(12, 0, -8, 0)
        list_rows.draw_text(painter, self._theme, words, index.data(), "ui", "text", weight=600 if is_chosen else 400)
        painter.restore()


class SettingsPage(Page):
    """The settings page: a list of sections, and the rows of the chosen one."""

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        preferences: Preferences,
        presets: PresetLibrary,
        card: Callable[[], ModelCard | None],
        paths: Paths,
        downloads: Downloads,
        make_storage: Callable[[], ModelsFolderPanel],
        make_training: Callable[[], TrainingPanel],
    ) -> None:
        """Build the page. `card` returns the catalogue card of the selected model, or None without one. `make_storage`
        and `make_training` make the panels of the models folder and of the training environment."""
        super().__init__()
        self._theme = theme
        made = (theme, preferences, paths)
        self._lines: list[tuple[str, str]] = []
        self._makers: dict[str, tuple[str, Callable[[str], Section]]] = {
            "appearance": (phrase("shell.appearance"), lambda title: AppearanceSection(*made, title)),
            "questions": (phrase("shell.questions"), lambda title: QuestionSection(*made, title)),
            "presets": (
                phrase("common.presets"), lambda _: PresetsSection(theme, navigation, preferences, presets, card)
            ),
            "models": (phrase("shell.models_and_storage"), lambda title: ModelSection(*made, title, make_storage)),
            "network": (phrase("shell.network_2"), lambda title: NetworkSection(*made, title, downloads)),
            "training": (phrase("shell.training"), lambda title: TrainingSection(*made, title, make_training)),
            "data": (phrase("common.data"), lambda title: DataSection(*made, title)),
            "about": (phrase("shell.about_kotae"), lambda title: AboutSection(*made, title, navigation)),
        }  # fmt: skip
        self._navigation = navigation
        self._sections: dict[str, Section] = {}
        self._build()
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self._theme.changed.connect(self._resize)
        self.show_section(0)

    def label_now(self) -> confidentiality.Label:
        return confidentiality.LABELS[0]  # the page shows only settings and presets

    def focus_first(self) -> None:
        if self.list.isVisible():
            self.list.setFocus(Qt.FocusReason.ShortcutFocusReason)
        else:
            focus_first_widget(self.stack)

    def show_section(self, index: int) -> None:
        self.list.setCurrentIndex(self.list.model().index(index, 0))

    def show_named(self, name: str) -> None:
        """Show a section. `name`: appearance, questions, presets, models, network, training, data or about."""
        self.show_section(list(self._makers).index(name))

    def section(self, name: str) -> Any:
        """Return a section, building it at its first use. `name`: as for `show_named`."""
        if name not in self._sections:
            title, make = self._makers[name]
            section = self._sections[name] = make(title)
            if isinstance(section, NetworkSection):
                section.traffic.chosen.connect(lambda place: _show_place(self._navigation, place))
                section.traffic.show_lines(self._lines)
            page = QWidget()
            make_row((section, 1), Stretch(0), into=page)  # the rows keep a readable width at the left
            make_column(make_scrollable(page), into=self.stack.widget(list(self._makers).index(name)))
            self._resize()
        return self._sections[name]

    def show_traffic(self, lines: list[tuple[str, str]]) -> None:
        """Show what used the network, as `TrafficIndicator.lines` returns it."""
        self._lines = lines
        if "network" in self._sections:
            self.section("network").traffic.show_lines(lines)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._resize()

    def _build(self) -> None:
        set_surface(self, "base")
        self.header = PageHeader(self._theme, phrase("shell.settings"))
        self.list = QListView()
        titles = QStringListModel([title for title, _ in self._makers.values()], self)
        list_rows.set_up_list(self.list, titles, SectionDelegate(self._theme, self.list), phrase("shell.sections"))
        self.stack = QStackedWidget()
        for _ in self._makers:
            self.stack.addWidget(QWidget())
        self.sidebar_panel = SidebarPanel(self, self.list)
        make_column(self.header, (self.stack, 1), into=self, spacing_px=0)
        self._resize()

    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self.section(list(self._makers)[current.row()])
        self.stack.setCurrentIndex(current.row())

    def _resize(self) -> None:
        self.list.scheduleDelayedItemsLayout()
        is_stacked = self.width() < self._theme.px(STACK_BELOW_PX)
        for section in self._sections.values():
            section.setMaximumWidth(self._theme.px(ROWS_WIDTH_PX))
            section.set_stacked(is_stacked)


def _show_place(navigation: NavigationSignals, place: str) -> None:
    """Show where more is said about a use of the network. `place`: ask | models | training | documents | log."""
    if place == "log":
        navigation.log_requested.emit()
    elif place == "training":
        navigation.settings_requested.emit(place)
    else:
        navigation.page_requested.emit(place)
