"""The tree that a screen reader walks, as plain values."""

from collections.abc import Iterator
from dataclasses import dataclass

from PySide6.QtGui import QAccessible, QAccessibleInterface
from PySide6.QtWidgets import QWidget

# Roles of what a person can act on.
INTERACTIVE = {
    getattr(QAccessible.Role, name)
    for name in (
        "Button", "ButtonDropDown", "ButtonMenu", "CheckBox", "ComboBox", "EditableText", "HotkeyField", "Link",
        "ListItem", "MenuItem", "PageTab", "RadioButton", "Slider", "SpinBox", "TreeItem", "Cell", "Dial",
    )
}  # fmt: skip
DEPTH_MAX = 40


@dataclass(frozen=True)
class Node:
    role: str
    name: str
    description: str
    is_interactive: bool
    owner: str  # class and object name of the widget, for finding it

    def __str__(self) -> str:
        return f"{self.role} “{self.name}” of {self.owner}"


def walk(widget: QWidget) -> list[Node]:
    """Every node below a widget that is shown."""
    root = QAccessible.queryAccessibleInterface(widget)
    assert root is not None
    return list(_walk(root, 0))


def _walk(place: QAccessibleInterface, depth: int) -> Iterator[Node]:
    assert depth < DEPTH_MAX
    if not place.isValid() or place.state().invisible:
        return
    owner = place.object()
    yield Node(
        str(place.role()).removeprefix("Role."),
        place.text(QAccessible.Text.Name),
        place.text(QAccessible.Text.Description),
        place.role() in INTERACTIVE and not place.state().disabled,
        f"{type(owner).__name__} {owner.objectName()}".strip() if owner is not None else "",
    )
    for number in range(place.childCount()):
        child = place.child(number)
        if child is not None:
            yield from _walk(child, depth + 1)
