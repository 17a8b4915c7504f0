"""Make a downloaded file visible to other programs, in the layout of Hugging Face's cache.

A program that asks huggingface_hub for that file of that commit gets ours, without another download. The file stays
where it is: the cache has a hard link to it, or a symbolic link on another drive.
"""

import contextlib
import os
import re
import sys
from pathlib import Path

from app.base.files.output_file import write_atomically
from app.models import download_queue, found_models
from app.models.download_queue import QueuedDownload


def share(queued: QueuedDownload, folder: Path) -> None:
    """Link the files of a finished download, which are in `folder`, into the cache. Raises OSError.

    A download whose commit is not known, such as one from a folder, is left out, and so is one whose hub states
    something else for it, which could lead out of the cache.
    """
    if not (queued.repository and re.fullmatch("[0-9a-f]{40}", queued.revision)):
        return
    found = found_models.known_model_folders(Path.home(), os.environ, sys.platform)
    hub = next(one.folder for one in found if one.source == "huggingface")
    if download_queue.source_kind(queued.place) != "hub" or not all(file.sha256 for file in queued.files):
        return  # its files may have other names, or were compared with nothing
    top = hub / f"models--{queued.repository.replace('/', '--')}"
    for file in queued.files:
        blob, snapshot = top / "blobs" / file.sha256, top / "snapshots" / queued.revision / file.source
        for place in (blob, snapshot):
            place.parent.mkdir(parents=True, exist_ok=True)
        _link(folder / file.name, blob)
        with contextlib.suppress(FileExistsError):
            try:
                snapshot.symlink_to(os.path.relpath(blob, snapshot.parent))
            except PermissionError:  # Windows without developer mode
                os.link(blob, snapshot)
    if queued.is_newest:  # what a catalogue pins need not be what the main branch has now
        branch = top / "refs" / "main"
        branch.parent.mkdir(exist_ok=True)
        write_atomically(branch, queued.revision.encode("ascii"))


def _link(file: Path, blob: Path) -> None:
    if os.path.lexists(blob):
        return
    try:
        os.link(file, blob)
    except OSError:  # another drive, or a file system without hard links
        blob.symlink_to(file)
