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
from app.base.files.output_file import write_atomically

__all__ = ["Paths", "locate", "resources", "write_atomically"]


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders and files below one data folder. Nothing is written elsewhere, except in `models_folder`."""

    data: Path
    models_folder: Path | None = None  # where the user has moved the models; None: in the data folder

    @property
    def database(self) -> Path:
        return self.data / "kotae.sqlite"

    @property
    def documents(self) -> Path:
        """The database of texts read from the user's documents. It can be made again from them."""
        return self.data / "documents.sqlite"

    @property
    def glossary(self) -> Path:
        """The user's list of synonyms, one group per line. It exists only if the user has created it."""
        return self.data / "glossary.csv"

    @property
    def exports_log(self) -> Path:
        """The log of exports of secret content, with their time and target."""
        return self.data / "exports.log"

    @property
    def settings(self) -> Path:
        return self.data / "settings.json"

    @property
    def backups(self) -> Path:
        return self.data / "backups"

    @property
    def models(self) -> Path:
        return self.models_folder or self.data / "models"

    @property
    def cards(self) -> Path:
        """The folder of model cards that the user has made."""
        return self.data / "cards"

    @property
    def runs(self) -> Path:
        """The folder of training runs, one folder each (`app.training.runs.run_folders`). The first run creates it."""
        return self.data / "runs"

    @property
    def drafts(self) -> Path:
        """The folder of planned trainings, with one folder each (`app.training.drafts`). The first draft creates it."""
        return self.data / "drafts"

    @property
    def questions(self) -> Path:
        """The folder of question sets, one folder each (`app.evaluation.question_sets`). The first set creates it."""
        return self.data / "questions"

    @property
    def evaluations(self) -> Path:
        """The folder of evaluations and studies, with one folder each. The first one creates it."""
        return self.data / "evaluations"

    @property
    def bases(self) -> Path:
        """The folder of base models for training, converted from GGUF files and named by their hashes."""
        return self.data / "bases"

    @property
    def engine_packs(self) -> Path:
        """The folder of GPU backends of the engine (`app.inference.engine_packs`). The first one creates it."""
        return self.data / "engine-packs"

    @property
    def crashes(self) -> Path:
        """The file of parts that have ended the engine (`app.inference.crashes`). The first one creates it."""
        return self.data / "crashes.json"

    @property
    def prefix_states(self) -> Path:
        """The folder of evaluated beginnings of prompts (`app.inference.prefix_states`). The engine creates it."""
        return self.data / "prefix-states"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def downloads(self) -> Path:
        """The file that lists unfinished downloads. Their data is in `models`."""
        return self.data / "downloads.json"

    @property
    def lock(self) -> Path:
        return self.data / "window.lock"

    @property
    def raise_request(self) -> Path:
        """The file that a second instance writes to bring the window of the first to the front."""
        return self.data / "window.raise"


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
