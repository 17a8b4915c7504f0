"""A transfer kit into the models folder: every part is checked while it is joined, and nothing half is registered.

What is joined already is checked where it lies when the import is run again, so that after one damaged part has been
replaced only that one is read from the kit.
"""

import dataclasses
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from app.base.errors import AppError
from app.base.files.output_file import ReportBytes, drive_error, require_space, write_atomically
from app.base.wording import phrase
from app.inference.local_model import FileFingerprint, LocalModel
from app.models import local_models, starter
from app.models.kits import kit_manifest
from app.models.kits.kit_export import licence_text
from app.models.kits.kit_joining import Joined, Joining, is_regular, read_small
from app.models.kits.kit_manifest import EXTRA_NAMES, KitExtra, KitModel

Register = Callable[[LocalModel], LocalModel]  # puts a model into the list and gives it as it stands there
# Returns the presets of a file, and what is wrong with others of it. Raises AppError where it is no such file.
ReadPresets = Callable[[bytes], tuple[Sequence[Any], Sequence[AppError]]]


class KitPresets(Protocol):
    """The user's presets, which a kit carries as one file without knowing what is in it."""

    def to_kit(self) -> bytes:
        """Return the file of the user's own presets; b"" where there are none."""

    def from_kit(self, content: bytes) -> tuple[Sequence[Any], Sequence[AppError]]:
        """Read such a file, as `ReadPresets`, in any thread."""

    def add_new(self, presets: Iterable[Any], /) -> Sequence[Any]:
        """Add the presets that are not here already, and return them as they were added."""


@dataclass(slots=True)
class Imported:
    """`here`: those of `models` whose files were there already, so that the kit's parts were not looked at.
    `waiting`: the models that were not taken in (as the kit calls them), because of `problems`."""

    models: list[LocalModel] = field(default_factory=list)
    here: list[LocalModel] = field(default_factory=list)
    presets: Sequence[Any] = ()  # as `ReadPresets` has read them
    waiting: list[str] = field(default_factory=list)
    problems: list[AppError] = field(default_factory=list)

    @property
    def unchecked(self) -> list[LocalModel]:
        """Models whose content the catalogue does not know: the kit alone says what they are."""
        return [model for model in self.models if not local_models.is_published(model)]


def bring_in(
    folder: Path,
    target: Path,
    register: Register,
    read_presets: ReadPresets,
    report: ReportBytes = lambda _done, _total: None,
) -> Imported:
    """Join the kit's models in `target` and hand each whole one to `register`.

    `report` is told bytes; what it raises ends the import, and what was half joined goes.
    Raises AppError: those of `kit_manifest.read`, drive_space, drive_file_limit, kit_target_unusable, and those of
    `read_presets`. What is wrong with single parts or models is in the outcome.
    """
    kit = kit_manifest.read(folder)
    outcome = Imported()
    try:
        target.mkdir(parents=True, exist_ok=True)
        joining = Joining(kit, folder, target, report)
        require_space(target, joining.missing_bytes())
        for model in kit.models:
            _take(model, joining, register, outcome)
        for extra in kit.extras:
            _take_extra(extra, folder, target, read_presets, outcome)
    except OSError as error:
        raise drive_error(error, target, "kit_target_unusable") from error
    return outcome


def _take(model: KitModel, joining: Joining, register: Register, outcome: Imported) -> None:
    joined = joining.join(model)
    problems = list(joined.problems)
    if not problems:
        try:
            described = _described(model, joined)
            taken = register(described)
        except AppError as error:
            for path in joined.made:  # not one that was there before
                path.unlink(missing_ok=True)
            problems = [error]
        else:
            outcome.models.append(taken)
            outcome.here += [] if joined.made else [taken]
            licence = joined.paths[0].with_name(f"{joined.paths[0].stem}-licence.txt")
            if not licence.exists():
                write_atomically(licence, _terms(described, model).encode("utf-8"))
    if problems:
        outcome.waiting.append(model.stem)
        outcome.problems += problems


def _terms(described: LocalModel, model: KitModel) -> str:
    """What it is, not what it came as: where the catalogue does not know the content, the kit's words are only its own.

    Anybody can make a kit, and name a model in it as a known one.
    """
    if local_models.is_published(described):
        return licence_text(described)
    return "\n\n".join(part for part in (phrase("models.kit_licence_unchecked"), model.licence) if part)


def _described(model: KitModel, joined: Joined) -> LocalModel:
    """With the hashes, which are known. Raises AppError for what is no model, or not the one of the table."""
    described = local_models.describe(joined.paths[0])
    marks = tuple(
        FileFingerprint(path.name, file.size_bytes, path.stat().st_mtime_ns, file.sha256)
        for path, file in zip(joined.paths, model.files, strict=True)
    )
    if [mark.name for mark in described.files] != [mark.name for mark in marks]:
        raise AppError("kit_content_refused", name=model.stem)
    promised = [local_models.promised_sha256(described, path) for path in joined.paths]
    if any(sha256 not in ("", now.sha256) for sha256, now in zip(promised, marks, strict=True)):
        raise AppError("kit_content_refused", name=model.stem)  # the catalogue knows better
    return dataclasses.replace(described, files=marks)


def _take_extra(extra: KitExtra, folder: Path, target: Path, read_presets: ReadPresets, outcome: Imported) -> None:
    name = EXTRA_NAMES[extra.kind]
    if not is_regular(folder / name):
        outcome.problems.append(AppError("kit_part_missing", part=name))
        return
    content = read_small(folder / name, extra)
    if content is None:
        outcome.problems.append(AppError("kit_part_damaged", part=name))
    elif extra.kind == "presets":
        outcome.presets, problems = read_presets(content)
        outcome.problems += problems
    elif extra.sha256 != starter.TERMS_SHA256:  # a page that a browser opens, under a name that is ours
        outcome.problems.append(AppError("kit_content_unknown", name=name))
    elif not os.path.lexists(target / name):
        write_atomically(target / name, content)
