"""Locate the folders and files of Kotae's data folder, and the resources that Kotae ships."""

import contextlib
import dataclasses
import functools
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.base import authenticity, settings
from app.base.errors import AppError
from app.base.files import file_permissions


class _Inside:
    """A path below the data folder, as an attribute of `Paths`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, paths: "Paths", _kind: object) -> Path:
        return paths.data / self._name


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders and files below one data folder. Nothing is written elsewhere, except in `models_folder`.

    Where nothing else is said, the first item of its kind creates a folder, and each item is a folder in it.
    """

    data: Path
    models_folder: Path | None = None  # where the user has moved the models; None: in the data folder

    database = _Inside("kotae.sqlite")
    documents = _Inside("documents.sqlite")  # texts read from the user's documents, from which it can be made again
    glossary = _Inside("glossary.csv")  # the user's synonyms, a group a line; exists only if the user has created it
    exports_log = _Inside("exports.log")  # exports of secret content, with time and target
    settings = _Inside("settings.json")
    backups = _Inside("backups")
    cards = _Inside("cards")  # model cards that the user has made, a file each
    runs = _Inside("runs")  # of trainings (`app.training.runs.run_folders`)
    drafts = _Inside("drafts")  # planned trainings (`app.training.drafts`)
    questions = _Inside("questions")  # question sets (`app.evaluation.question_sets`)
    evaluations = _Inside("evaluations")  # evaluations and studies
    bases = _Inside("bases")  # for training, converted from GGUF files and named by their hashes
    engine_packs = _Inside("engine-packs")  # GPU backends of the engine (`app.inference.engine_packs`)
    crashes = _Inside("crashes.json")  # parts that have ended the engine (`app.inference.crashes`)
    prefix_states = _Inside("prefix-states")  # beginnings of prompts (`app.inference.prefix_states`); the engine's
    logs = _Inside("logs")
    downloads = _Inside("downloads.json")  # unfinished downloads, whose data is in `models`
    lock = _Inside("window.lock")
    raise_request = _Inside("window.raise")  # a second instance writes it to bring the window of the first to the front

    @property
    def all_runs(self) -> list[Path]:
        """Return the folders of trainings: that of the user's own, and that of each study."""
        return [self.runs, *self.evaluations.glob("*/runs")]

    @property
    def models(self) -> Path:
        return self.models_folder or self.data / "models"


def locate(data_dir: str | None = None) -> Paths:
    """Create the data folder for this user only, and return its paths: `data_dir`, $KOTAE_DATA_DIR, or the default.

    `models` is in it while their drive is not connected. Raises AppError: "data_dir_unusable" when it cannot be
    written, "data_dir_no_files" when it holds a pipe or a device.
    """
    chosen = data_dir or "~"
    try:
        chosen = settings.find_data_folder(data_dir)
        paths = Paths(Path(chosen).expanduser().absolute())
        str(paths.data).encode("utf-8")
    except (RuntimeError, UnicodeEncodeError) as error:
        # There is no home folder, `~name` is an unknown user, or the path has bytes that are not UTF-8, as in an older
        # Japanese encoding, which Qt and sqlite's URIs cannot represent.
        shown = chosen.encode("utf-8", "replace").decode("utf-8")
        raise AppError("data_dir_unusable", path=shown, reason=str(error)) from error
    try:
        for folder in (paths.data, paths.models, paths.logs, paths.backups):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_files(paths.data)
        # An existing folder may not be writable (read-only home, wrong owner), so try to write.
        with tempfile.TemporaryFile(dir=paths.data):
            pass
        file_permissions.tighten_permissions(paths.data)
        authenticity.use_registry(paths.data)
    except OSError as error:
        raise AppError("data_dir_unusable", path=str(paths.data), reason=error.strerror or str(error)) from error
    moved = settings.load(paths.settings).models_folder
    return dataclasses.replace(paths, models_folder=Path(moved)) if moved and _is_folder(Path(moved)) else paths


def _require_files(data: Path) -> None:
    """Raise AppError("data_dir_no_files") for a pipe or device in the upper two levels of a foreign data folder."""
    entries = list(os.scandir(data))
    for folder in [entry for entry in entries if entry.is_dir()]:
        with contextlib.suppress(OSError), os.scandir(folder.path) as inner:
            entries += inner
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):  # a link without a target, or deleted meanwhile
            if not entry.is_file() and not entry.is_dir() and stat.S_IFMT(entry.stat().st_mode):
                raise AppError("data_dir_no_files", path=str(data), name=os.path.relpath(entry.path, data))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # access denied, or a name that no file system allows
        return False


@functools.cache
def resources() -> Path:
    """Return the folder of the shipped resources: beside the sources, or inside the installed package."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent / "resources"
    return checkout if (checkout / "models.toml").is_file() else package / "_resources"
