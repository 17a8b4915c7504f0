"""Show the settings page (設定): the list of sections in the sidebar, and the rows of one section."""

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, QStringListModel, Qt
from PySide6.QtGui import QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QListView,
    QScrollArea,
    QStackedWidget,
    QStyle,
    QStyleOptionViewItem,
    QWidget,
)

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
        self.presets = PresetsSection(theme, navigation, preferences, presets, card)
        models = ModelSection(theme, preferences, paths, phrase("shell.models_and_storage"), make_storage)
        network = NetworkSection(theme, preferences, paths, phrase("shell.network_2"), downloads)
        training = TrainingSection(theme, preferences, paths, phrase("shell.training"), make_training)
        self.network = network
        network.traffic.chosen.connect(lambda place: _show_place(navigation, place))
        about = AboutSection(theme, preferences, paths, phrase("shell.about_kotae"), navigation)
        self._sections_by_name: dict[str, SettingsSection | PresetsSection] = {
            "models": models, "network": network, "training": training, "about": about, "presets": self.presets,
        }  # fmt: skip
        self.sections: tuple[tuple[str, SettingsSection | PresetsSection], ...] = (
            (phrase("shell.appearance"), AppearanceSection(theme, preferences, paths, phrase("shell.appearance"))),
            (phrase("shell.questions"), QuestionSection(theme, preferences, paths, phrase("shell.questions"))),
            (phrase("common.presets"), self.presets),
            (phrase("shell.models_and_storage"), models),
            (phrase("shell.network_2"), network),
            (phrase("shell.training"), training),
            (phrase("common.data"), DataSection(theme, preferences, paths, phrase("common.data"))),
            (phrase("shell.about_kotae"), about),
        )
        self._build()
        self._connect()
        self.show_section(0)

    def set_header_inset(self, inset_px: int) -> None:
        self._header.set_inset(inset_px)

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
        """Show a section. `name`: models | network | training | presets | about."""
        self.show_section([part for _, part in self.sections].index(self._sections_by_name[name]))

    @property
    def storage(self) -> ModelsFolderPanel:
        section = self._sections_by_name["models"]
        assert isinstance(section, ModelSection)
        assert isinstance(section.storage, ModelsFolderPanel)
        return section.storage

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._resize()

    def _build(self) -> None:
        set_surface(self, "base")
        self._header = PageHeader(self._theme, phrase("shell.settings"))
        self.list = QListView()
        self.list.setModel(QStringListModel([name for name, _ in self.sections], self))
        self.list.setItemDelegate(SectionDelegate(self._theme, self.list))
        self.list.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.list.setAccessibleName(phrase("shell.sections"))
        self.list.setMouseTracking(True)
        self.stack = QStackedWidget()
        for _, section in self.sections:
            self.stack.addWidget(self._page_of(section))
        self.sidebar_panel = SidebarPanel(self, self.list)
        make_column(self._header, (self.stack, 1), into=self, spacing_px=0)
        self._resize()

    def _page_of(self, section: QWidget) -> QScrollArea:
        """Return a scrollable page with a section. Its rows keep a readable width at the left."""
        holder = QWidget()
        make_row((section, 1), Stretch(0), into=holder)
        section.setMaximumWidth(self._theme.px(ROWS_WIDTH_PX))
        return make_scrollable(holder)

    def _connect(self) -> None:
        self.list.selectionModel().currentChanged.connect(self._on_current_changed)
        self._theme.changed.connect(self._resize)

    def _on_current_changed(self, current: QModelIndex, _previous: QModelIndex) -> None:
        self.stack.setCurrentIndex(current.row())

    def _resize(self) -> None:
        self.list.scheduleDelayedItemsLayout()
        is_stacked = self.width() < self._theme.px(STACK_BELOW_PX)
        for _, section in self.sections:
            section.setMaximumWidth(self._theme.px(ROWS_WIDTH_PX))
            section.set_stacked(is_stacked)


def _show_place(navigation: NavigationSignals, place: str) -> None:
    """Show where more is said about a use of the network. `place`: ask | models | training | log."""
    if place == "log":
        navigation.log_requested.emit()
    elif place == "training":
        navigation.settings_requested.emit(place)
    else:
        navigation.page_requested.emit(place)
