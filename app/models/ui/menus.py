"""The menus of the page モデル: what is done to the models as a whole."""

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu, QWidget

from app.base.wording import phrase
from app.models.ui.care.care import Care
from app.uikit.theme import Theme


class ModelMenu(QMenu):
    """All of it: in a narrow window the header has no room for the kits' own button."""

    def __init__(
        self,
        theme: Theme,
        care: Care,
        parent: QWidget,
        *,
        has_models: bool,
        build: Callable[[], object],
        to_folder: Callable[[], object],
        to_server: Callable[[], object],
    ) -> None:
        """`build`: asks what to build. `to_folder`: shows where the models folder is chosen. `to_server`: asks for one
        of the local network."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        verify = self.addAction(theme.icon("shield-check"), phrase("models.verify_all"), care.verify)
        verify.setEnabled(has_models)
        self.addAction(theme.icon("search"), phrase("models.find_models_of_other_apps"), care.look_for_others)
        self.addSeparator()
        self.addAction(theme.icon("file-up"), phrase("models.write_a_kit"), care.choose_export)
        self.addAction(theme.icon("file-down"), phrase("models.import_a_kit"), care.choose_import)
        self.addSeparator()
        self.addAction(theme.icon("box"), phrase("models.build_a_model_2"), build)
        self.addAction(theme.icon("external-link"), phrase("models.use_a_server_in_the"), to_server)
        self.addAction(theme.icon("folder-input"), phrase("models.change_the_models_folder"), to_folder)


class KitMenu(QMenu):
    def __init__(self, theme: Theme, care: Care, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.addAction(theme.icon("file-up"), phrase("models.write_a_kit"), care.choose_export)
        self.addAction(theme.icon("file-down"), phrase("models.import_a_kit"), care.choose_import)


def pop_up(menu: QMenu, button: QWidget) -> None:
    """Below the button, ending where it ends."""
    menu.popup(button.mapToGlobal(QPoint(button.width() - menu.sizeHint().width(), button.height() + 2)))
