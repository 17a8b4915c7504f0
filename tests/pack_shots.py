"""Pictures of the settings with the engine's GPU parts, for `tests.screenshots`: one that is there, and none."""

from collections.abc import Callable

from PySide6.QtWidgets import QScrollArea

from app.application import AppContext
from app.base.errors import AppError
from app.inference import engine_packs
from app.inference.engine_packs import EnginePack, PackFile
from app.shell.ui.settings.sections import EnginePacksPanel

PACKS = tuple(EnginePack(name, (PackFile(f"libggml-{name}.so", 4, "0" * 64),)) for name in ("cuda13", "vulkan"))


def _panel(parts: AppContext, *there: EnginePack) -> EnginePacksPanel:
    """As in a bundle whose engine knows two parts; `there` are in their folder."""
    folder = parts.paths.engine_packs
    folder.mkdir()
    for pack in there:
        (folder / pack.name).mkdir()
        (folder / pack.name / pack.files[0].name).write_bytes(bytes(pack.size_bytes))
    known = engine_packs.known_packs
    engine_packs.known_packs = lambda: PACKS  # type: ignore[assignment]
    try:
        parts.window.show_settings("models")
    finally:
        engine_packs.known_packs = known
    (panel,) = parts.window.findChildren(EnginePacksPanel)
    area = next(area for area in parts.window.findChildren(QScrollArea) if area.isAncestorOf(panel))
    area.ensureWidgetVisible(panel)
    return panel


def packs(parts: AppContext) -> None:
    _panel(parts, *PACKS)


def packs_none(parts: AppContext) -> None:
    _panel(parts)


def packs_refused(parts: AppContext) -> None:
    _panel(parts)._on_failed(AppError("engine_pack_unknown", path="/media/yamada/USB/kotae-vulkan-0.0.9.zip"))


def packs_removal(parts: AppContext) -> None:
    _panel(parts, PACKS[1]).ask_to_remove()


PACK_SHOTS: dict[str, Callable[[AppContext], None]] = {
    shot.__name__: shot for shot in (packs, packs_none, packs_refused, packs_removal)
}
