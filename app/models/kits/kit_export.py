"""Export models into a transfer kit of parts for a FAT32 stick, each written completely or not at all and read back.

Run again with the same folder, the export resumes and replaces only damaged parts.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from app.base import confidentiality
from app.base.confidentiality import ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.files.input_file import read_regular
from app.base.files.output_file import (
    CopyProgress,
    ReportBytes,
    drive_error,
    open_atomically,
    require_space,
    safe_name,
    sync_folder,
)
from app.base.paths import resources
from app.base.wording import phrase
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models, starter
from app.models.kits import transfer_kit
from app.models.kits.transfer_kit import (
    EXTRA_NAMES,
    PART_BYTES,
    PART_SUFFIX,
    Kit,
    KitExtra,
    KitExtraKind,
    KitFile,
    KitModel,
    PartWriter,
)


def export_for_gate(
    models: Sequence[LocalModel], folder: Path, label_of: Callable[[LocalModel], Label]
) -> ExportRequest:
    """Return the request to export models into a kit, for which the confidentiality check grants a permit or not.

    `label_of`: returns the current confidentiality label of the data that a model was trained with.
    """
    secret = [model.name for model in models if label_of(model) == confidentiality.HIGHEST_LABEL]
    return ExportRequest(
        "kit", str(folder.absolute()), lambda: confidentiality.highest_label(map(label_of, models)), " / ".join(secret)
    )


def export_kit(
    models: Sequence[LocalModel],
    folder: Path,
    *,
    permit: Permit,
    presets: bytes = b"",
    part_bytes: int = PART_BYTES,
    report: ReportBytes = lambda _done, _total: None,
) -> Kit:
    """Write the kit and return its table of contents. `presets`: a file to include unchanged; b"": none.

    `report` gets the bytes done and the total (each byte counts twice: written, read back); an exception from it ends
    the export, and complete parts stay for the next attempt. Raises AppError: kit_nothing_chosen, kit_folder_taken,
    kit_unwritable, drive_space, drive_file_limit, model_file_damaged, secret_export, and the codes of
    `gguf.check_model`.
    """
    if not models:
        raise AppError("kit_nothing_chosen")
    taken = foreign_file(folder)
    if taken is not None:
        raise AppError("kit_folder_taken", path=str(taken))
    files = {model.id: _files(model) for model in models}
    try:
        permit.at(folder).mkdir(parents=True, exist_ok=True)
        (folder / transfer_kit.MANIFEST_NAME).unlink(missing_ok=True)  # from here on the kit is incomplete
        kit = _KitWriter(permit.at(folder), part_bytes, report).write(models, files, presets)
        _require_permit(permit, folder)
        licences = "\n\n".join(model.licence for model in kit.models) + "\n"
        _write_file(folder / transfer_kit.LICENCES_NAME, licences.encode("utf-8"))
        _write_file(folder / transfer_kit.MANIFEST_NAME, transfer_kit.kit_bytes(kit))
        sync_folder(folder)
        _remove_old_parts(folder, kit)
    except OSError as error:
        raise drive_error(error, folder, "kit_unwritable", part_bytes) from error
    return kit


def _require_permit(permit: Permit, folder: Path) -> None:
    """Delete the parts and raise AppError if the models have become confidential during the export."""
    try:
        permit.require()
    except AppError:
        for part in folder.glob(f"*{PART_SUFFIX}"):
            part.unlink()
        raise


def foreign_file(folder: Path) -> Path | None:
    """Return a file that a kit in this folder would overwrite although no kit has written it; None if there is none."""
    try:
        transfer_kit.read_kit(folder)
    except AppError as error:
        if error.code == "kit_foreign":
            return folder / transfer_kit.MANIFEST_NAME
        if error.code != "kit_missing" or any(folder.glob(f"*{PART_SUFFIX}")):
            return None
        names = (transfer_kit.MANIFEST_NAME, transfer_kit.LICENCES_NAME, *EXTRA_NAMES.values())
        return next((folder / name for name in names if os.path.lexists(folder / name)), None)
    return None


def _files(model: LocalModel) -> list[Path]:
    header = gguf.check_model(Path(model.path))
    projector = [Path(model.projector)] if model.projector and Path(model.projector).is_file() else []
    return [Path(model.path), *header.parts, *projector]


class _KitWriter:
    """Writes the parts and extras of one kit."""

    def __init__(self, folder: Path, part_bytes: int, report: ReportBytes) -> None:
        self._folder = folder
        self._part_bytes = part_bytes
        self._report = report
        self._number = 0  # number of the last file, counted through the whole kit
        self._stems: set[str] = set()

    def write(self, models: Sequence[LocalModel], files: dict[str, list[Path]], presets: bytes) -> Kit:
        """Write parts and extras; return the kit. Raises AppError, and OSError for write errors."""
        total = sum(path.stat().st_size for paths in files.values() for path in paths)
        present = sum(path.stat().st_size for path in self._folder.glob(f"*{PART_SUFFIX}") if path.is_file())
        require_space(self._folder, max(0, total - present))
        self._writer = PartWriter(self._folder, self._part_bytes, CopyProgress(self._report, total, passes=2))
        written = tuple(self._model(model, files[model.id]) for model in models)
        extras = [self._extra("presets", presets)] if presets else []
        terms = [path.with_name(starter.TERMS_NAME) for paths in files.values() for path in paths[:1]]
        found = next((read_regular(path, 1 << 20) for path in terms if path.is_file()), b"")
        is_ours = hashlib.sha256(found).hexdigest() == starter.TERMS_SHA256
        if is_ours and any(model.card_id == starter.card().id for model in models):
            extras.append(self._extra("gemma_terms", found))
        return Kit(written, tuple(extras))

    def _model(self, model: LocalModel, paths: list[Path]) -> KitModel:
        known = {fingerprint.name: fingerprint.sha256 for fingerprint in model.files}
        promised = local_models.promised_sha256
        files = tuple(self._file(path, known.get(path.name) or promised(model, path)) for path in paths)
        return KitModel(self._stem(model), files, licence_text(model), has_projector=str(paths[-1]) == model.projector)

    def _file(self, path: Path, known_sha256: str) -> KitFile:
        self._number += 1
        file = self._writer.write(path, self._number)
        if known_sha256 and file.sha256 != known_sha256:
            raise AppError("model_file_damaged", path=str(path))
        return file

    def _stem(self, model: LocalModel) -> str:
        """Return a unique stem: the file's name without a part number, or the model's name for Ollama's files.

        Ollama's files have no suffix and are named by their hash.
        """
        path = Path(model.path)
        own = path.stem.partition("-00001-of-")[0] if path.suffix.casefold() == ".gguf" else model.name
        base = stem = safe_name(own, "model")
        number = 2
        while stem.casefold() in self._stems:
            stem, number = safe_name(f"{base[:60]}-{number}", "model"), number + 1
        self._stems.add(stem.casefold())
        return stem

    def _extra(self, kind: KitExtraKind, content: bytes) -> KitExtra:
        _write_file(self._folder / EXTRA_NAMES[kind], content)
        return KitExtra(kind, len(content), hashlib.sha256(content).hexdigest())


def _write_file(path: Path, content: bytes) -> None:
    with open_atomically(path) as file:
        file.write(content)


def licence_text(model: LocalModel) -> str:
    card = catalogue.card(model.card_id)
    if card is None:
        return phrase("models.kit_licence_unknown", name=model.name)
    text = phrase(
        "models.kit_licence", name=model.name, licence=card.licence, url=card.licence_url, notice=card.licence_notice
    ).rstrip()
    if card.licence_text:
        text += "\n\n" + (resources() / "licences" / "notices" / card.licence_text).read_text("utf-8").rstrip()
    return text


def _remove_old_parts(folder: Path, kit: Kit) -> None:
    """Delete the parts of an earlier kit in the same folder."""
    wanted = {part.name for part in kit.parts()}
    for path in folder.glob(f"[0-9][0-9][0-9]-[0-9][0-9][0-9][0-9]{PART_SUFFIX}*"):
        if path.name not in wanted and path.is_file() and not path.is_symlink():
            path.unlink()
