"""The upper edge of 質問: the conversation's title, the model that answers, and a menu."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QMenu

from app.core.records import LocalModel
from app.ui.chat.words import icon_button, literal, spaced
from app.ui.language import joined
from app.ui.theme import Theme
from app.ui.widgets.buttons import IconButton
from app.ui.widgets.header import Header

NARROW_PX = 620  # below, the model is chosen in the menu
NAME_CHARACTERS = 28


class ChatHeader(Header):
    model_chosen = Signal(str)  # its id
    models_requested = Signal()
    new_requested = Signal()
    copy_requested = Signal()
    log_requested = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self._models: list[LocalModel] = []
        self._model_id: str | None = None
        self.model_button = icon_button(theme, "", "box")
        self.model_button.setMenu(QMenu(self.model_button))
        self.model_button.menu().aboutToShow.connect(lambda: self._fill_models(self.model_button.menu()))
        self.menu_button = IconButton(theme, "ellipsis", self.tr("その他の操作"))
        self.menu_button.clicked.connect(self._show_menu)
        self.add_action(self.model_button)
        self.add_action(self.menu_button)

    def show_models(self, models: list[LocalModel], model_id: str | None) -> None:
        self._models, self._model_id = models, model_id
        model = next((model for model in models if model.id == model_id), None)
        name = model.name if model else self.tr("モデルを選ぶ")
        short = name if len(name) <= NAME_CHARACTERS else name[: NAME_CHARACTERS - 1] + "…"
        self.model_button.setText(spaced(literal(short)))
        self.model_button.setAccessibleName(self.tr("モデル：{name}").format(name=name))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.model_button.setVisible(not self._is_narrow())

    def menu(self) -> QMenu:
        menu = QMenu(self)
        if self._is_narrow():
            self._fill_models(menu.addMenu(self.tr("モデル")))
            menu.addSeparator()
        menu.addAction(self.tr("新しい質問"), self.new_requested.emit)
        menu.addAction(self.tr("会話をコピー"), self.copy_requested.emit)
        menu.addAction(self.tr("記録を見る"), self.log_requested.emit)
        return menu

    def _is_narrow(self) -> bool:
        return self.width() < self._theme.px(NARROW_PX)

    def _show_menu(self) -> None:
        menu = self.menu()
        menu.aboutToHide.connect(menu.deleteLater)
        corner = self.menu_button.rect().bottomRight()
        menu.popup(self.menu_button.mapToGlobal(corner) - menu.rect().topRight())

    def _fill_models(self, menu: QMenu) -> None:
        menu.clear()
        for model in self._models:
            size = f"{model.size_bytes / 1e9:.1f} GB" if model.size_bytes >= 1e8 else f"{model.size_bytes / 1e6:.0f} MB"
            action = menu.addAction(literal(joined(model.name, size)))
            action.setCheckable(True)
            action.setChecked(model.id == self._model_id)
            action.triggered.connect(lambda _=False, model_id=model.id: self.model_chosen.emit(model_id))
        menu.addSeparator()
        menu.addAction(self.tr("モデルを追加…"), self.models_requested.emit)
