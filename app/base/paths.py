"""Where Kotae keeps things, and where it finds what it ships."""

import contextlib
import dataclasses
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
    """The folders and files below one data folder. Nothing is written anywhere else but in `models_folder`."""

    data: Path
    models_folder: Path | None = None  # where the user has moved the models; None: in the data folder

    @property
    def database(self) -> Path:
        return self.data / "kotae.sqlite"

    @property
    def documents(self) -> Path:
        """What was read of the user's documents. It can be made again from them."""
        return self.data / "documents.sqlite"

    @property
    def glossary(self) -> Path:
        """The user's own list of words that mean the same, one group a line. Made by the user."""
        return self.data / "glossary.csv"

    @property
    def exports_log(self) -> Path:
        """What confidential content was exported where to."""
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
        """The user's own model cards. Made by the user."""
        return self.data / "cards"

    @property
    def runs(self) -> Path:
        """Training runs, a folder each (`app.training.runs.run_folders`). Made when the first one is."""
        return self.data / "runs"

    @property
    def drafts(self) -> Path:
        """Trainings that are being planned, a folder each (`app.training.drafts`). Made when the first one is."""
        return self.data / "drafts"

    @property
    def questions(self) -> Path:
        """Question sets, a folder each (`app.evaluation.question_sets`). Made by the user."""
        return self.data / "questions"

    @property
    def evaluations(self) -> Path:
        """Evaluations and studies, a folder each. Made when the first one is."""
        return self.data / "evaluations"

    @property
    def bases(self) -> Path:
        """GGUF files as folders that can be trained, by their hash. They can be made again from them."""
        return self.data / "bases"

    @property
    def engine_packs(self) -> Path:
        """GPU parts of the engine (`app.inference.engine_packs`). Made when the first one is taken."""
        return self.data / "engine-packs"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def downloads(self) -> Path:
        """What is not finished of them; what has arrived is in `models`."""
        return self.data / "downloads.json"

    @property
    def lock(self) -> Path:
        return self.data / "window.lock"

    @property
    def raise_request(self) -> Path:
        """Touched by a second instance; the first one watches it and comes to the front."""
        return self.data / "window.raise"


def locate(data_dir: str | None = None) -> Paths:
    """The data folder: `data_dir`, else $KOTAE_DATA_DIR, else the platform's own. Created, for this user alone (0700);
    what others may read in one that is there is taken from them.

    Models that were moved to a drive that is not plugged in now: new ones go into the data folder meanwhile.
    Raises AppError: data_dir_unusable when it cannot be created or written; data_dir_no_files.
    """
    chosen = data_dir or "~"
    try:
        chosen = settings.find_data_folder(data_dir)
        paths = Paths(Path(chosen).expanduser().absolute())
        str(paths.data).encode("utf-8")
    except (RuntimeError, UnicodeEncodeError) as error:
        # No HOME and no entry in the list of users, `~` of nobody, or bytes of an older Japanese encoding, which Qt
        # and sqlite's addresses cannot carry.
        shown = chosen.encode("utf-8", "replace").decode("utf-8")
        raise AppError("data_dir_unusable", path=shown, reason=str(error)) from error
    try:
        for folder in (paths.data, paths.models, paths.logs, paths.backups):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_files(paths.data)
        # A folder can exist and still refuse writing (read-only home, wrong owner): try, do not guess.
        with tempfile.TemporaryFile(dir=paths.data):
            pass
        file_permissions.tighten_permissions(paths.data)
        authenticity.use_registry(paths.data)
    except OSError as error:
        raise AppError("data_dir_unusable", path=str(paths.data), reason=error.strerror or str(error)) from error
    moved = settings.load(paths.settings).models_folder
    return dataclasses.replace(paths, models_folder=Path(moved)) if moved and _is_folder(Path(moved)) else paths


def _require_files(data: Path) -> None:
    """That nothing in a data folder, perhaps of somebody else, is a pipe or a device, which would be read without end.

    It and the folders in it are looked at: what lies deeper is opened by `open_plain` or `open_regular`.
    Raises AppError("data_dir_no_files"), OSError.
    """
    entries = list(os.scandir(data))
    for folder in [entry for entry in entries if entry.is_dir()]:
        with contextlib.suppress(OSError), os.scandir(folder.path) as found:
            entries += found
    for entry in entries:
        with contextlib.suppress(FileNotFoundError):  # a link without a target, or gone meanwhile
            if not entry.is_file() and not entry.is_dir() and stat.S_IFMT(entry.stat().st_mode):
                raise AppError("data_dir_no_files", path=str(data), name=os.path.relpath(entry.path, data))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # not allowed to look, or a name that no file system takes
        return False


def resources() -> Path:
    """The shipped resources: beside the sources in a checkout, inside the package when installed."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent / "resources"
    return checkout if (checkout / "models.toml").is_file() else package / "_resources"
