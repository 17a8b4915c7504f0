"""Show the components of Kotae in a list, and the licence text of the chosen one."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.compliance import components
from app.uikit import clipboard_guard
from app.uikit.desktop import open_folder
from app.uikit.dialogs import fit_to_parent
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_box, make_column, make_row, make_scrollable
from app.uikit.widgets.labels import Label, Separator, announce, set_surface
from app.uikit.widgets.list_rows import EntryListModel, EntryRole, EntryRow, NamedList

SIZE_PX = (900, 640)
MARGIN_PX = 16
LIST_WIDTH_PX = 300
LIST_HEIGHT_PX, TEXT_HEIGHT_PX = 104, 140  # minimum heights; a lower window scrolls
STACK_BELOW_PX = 640  # in a narrower window the list is above the text
Index = QModelIndex | QPersistentModelIndex


def _kind_name(component: components.Component) -> str:
    return {
        "python": phrase("compliance.python_package"),
        "native": phrase("compliance.library"),
        "data": phrase("compliance.fonts_and_icons"),
        "model": phrase("common.batch_column.model"),
    }[component.kind]


def _row(component: components.Component) -> EntryRow:
    summary = join_facts(_kind_name(component), component.version, component.licence)
    return EntryRow(component.name, entry=component, description=summary, about=summary)


class LicencesWindow(QDialog):
    """The window of licences, which may stay open during other work. `load`: is run in a background thread."""

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None = None,
        load: Callable[[], Sequence[components.Component]] = components.load_all,
    ) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model = EntryListModel()
        self.setWindowTitle(phrase("common.licences"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._build()
        self._connect()
        fit_to_parent(self, theme, SIZE_PX)
        self._restyle()
        background.run(load, self._on_loaded, self._on_failed)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def label_now(self) -> confidentiality.Label:
        return confidentiality.LABELS[0]  # licence texts are public

    def _build(self) -> None:
        set_surface(self, "base")
        intro = phrase("compliance.kotae_is_under_the_apache")
        self.list = NamedList(self._theme, self._model, phrase("compliance.list_of_parts"))
        self.count = Label(phrase("compliance.loading"), "caption", "text2", wraps=True)
        self._left = make_box(self.count, self.list, spacing_px=8)
        self._body = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._body.setSpacing(MARGIN_PX)
        self._body.addWidget(self._left, 2)
        self._body.addLayout(self._build_detail(), 3)
        page = make_box(
            Label(intro, "caption", "text2", wraps=True),
            (self._body, 1),
            margins_px=(MARGIN_PX, MARGIN_PX, MARGIN_PX, 12),
            spacing_px=12,
        )
        area = make_scrollable(page)  # with a large font a small window is too low for the page
        make_column((area, 1), Separator(), self._build_foot(), into=self, spacing_px=0)

    def _build_detail(self) -> QVBoxLayout:
        self.name = Label(role="heading3", wraps=True)
        self.facts = Label(role="caption", tone="text2", wraps=True)
        self.holder = Label(role="caption", tone="muted", wraps=True)
        self.holder.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setProperty("field", True)
        self.text.setAccessibleName(phrase("compliance.licence_text"))
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        return make_column(self.name, self.facts, self.holder, 4, (self.text, 1), spacing_px=4)

    def _build_foot(self) -> QHBoxLayout:
        self.copy_button = Button(self._theme, phrase("compliance.copy_text"), icon="copy")
        self.folder_button = Button(self._theme, phrase("common.open_the_folder"), icon="folder-open")
        self.close_button = Button(self._theme, phrase("common.close"))
        self.status_label = Label(role="caption", tone="text2", wraps=True)
        return make_row(
            self.copy_button,
            self.folder_button,
            (self.status_label, 1),
            self.close_button,
            margins_px=(MARGIN_PX, 12, MARGIN_PX, 12),
            spacing_px=8,
        )

    def _connect(self) -> None:
        self.list.selectionModel().currentChanged.connect(self._show_chosen)
        self.copy_button.clicked.connect(self._on_copy_clicked)
        self.folder_button.clicked.connect(lambda: open_folder(components.folder()))
        self.close_button.clicked.connect(self.close)
        self._theme.changed.connect(self._restyle)

    def _restyle(self) -> None:
        self.text.setFont(self._theme.font("mono"))
        self.text.setMinimumHeight(self._theme.px(TEXT_HEIGHT_PX))
        self.list.setMinimumHeight(self._theme.px(LIST_HEIGHT_PX))
        self._lay_out()

    def _lay_out(self) -> None:
        is_stacked = self.width() < self._theme.px(STACK_BELOW_PX)
        down, across = QBoxLayout.Direction.TopToBottom, QBoxLayout.Direction.LeftToRight
        self._body.setDirection(down if is_stacked else across)
        self._left.setMaximumWidth(16_777_215 if is_stacked else self._theme.px(LIST_WIDTH_PX))

    def _on_loaded(self, parts: Sequence[components.Component]) -> None:
        self._model.set_rows([_row(part) for part in parts])
        self.count.setText(phrase("compliance.n_parts", n=len(parts)))
        self.list.setCurrentIndex(self._model.index(0, 0))

    def _on_failed(self, error: AppError) -> None:
        self.count.setText(str(describe_error(error)))

    def _show_chosen(self, index: QModelIndex) -> None:
        chosen: components.Component = index.data(EntryRole)
        self.status_label.setText("")
        self.name.setText(join_facts(chosen.name, chosen.version))
        self.facts.setText(join_facts(_kind_name(chosen), chosen.licence))
        self.holder.setText("\n".join(filter(None, (chosen.copyright, chosen.homepage))))
        self.text.setPlainText(chosen.notice)

    def _on_copy_clicked(self) -> None:
        clipboard_guard.copy_text(self, self.text.toPlainText())
        text = phrase("compliance.copied")
        self.status_label.setText(text)
        announce(self, text)
