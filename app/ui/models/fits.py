"""Whether each model fits into the memory that is free now, computed off the GUI thread."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.core import fit, gguf
from app.core.errors import AppError
from app.core.records import LocalModel
from app.services import background
from app.services.preferences import Preferences


class Fits(QObject):
    """`of` answers what is known; `changed` follows when more is."""

    changed = Signal()

    def __init__(self, preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._known: dict[tuple[str, int, str], str] = {}
        self._asking: dict[tuple[str, int, str], background.Task] = {}

    def of(self, model: LocalModel) -> str:
        """comfortable | tight | insufficient; "" while unknown."""
        settings = self._preferences.value
        key = (model.path, settings.context_tokens, settings.kv_type)
        if key not in self._known and key not in self._asking:
            self._asking[key] = background.run(
                lambda: (key, _verdict(*key)), self._on_known, lambda _error: self._on_known((key, ""))
            )
        return self._known.get(key, "")

    def _on_known(self, result: tuple[tuple[str, int, str], str]) -> None:
        key, verdict = result
        self._known[key] = verdict
        self._asking.pop(key, None)
        if verdict:
            self.changed.emit()


def _verdict(path: str, context_tokens: int, kv_type: str) -> str:
    try:
        header = gguf.check_model(Path(path), every_token=False)
    except AppError:
        return ""  # the page says what is wrong with a file when it is used
    context = min(context_tokens, header.context_length or context_tokens)
    return fit.verdict(fit.estimate(header, context, kv_type=kv_type), fit.available_memory_bytes())
