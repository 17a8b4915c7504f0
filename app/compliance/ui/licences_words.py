"""How parts of Kotae are spoken of."""

from PySide6.QtCore import QCoreApplication

from app.compliance.components import Component
from app.uikit.language import joined


def kind(component: Component) -> str:
    translate = QCoreApplication.translate
    return {
        "python": translate("Licences", "Python の部品"),
        "native": translate("Licences", "ライブラリ"),
        "data": translate("Licences", "書体とアイコン"),
        "model": translate("Licences", "モデル"),
    }[component.kind]


def summary(component: Component) -> str:
    """One line below its name."""
    return joined(kind(component), component.version, component.licence)
