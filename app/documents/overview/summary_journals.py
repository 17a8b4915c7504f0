"""Keep what a model wrote for a summary, so that it goes on after any interruption while the document is there."""

from contextlib import closing
from pathlib import Path

from app.documents.library import Library


def journal_of(documents: Path, sha256: str) -> Path:
    """Return the file of a document's replies. `documents`: the path of the library's database."""
    return _folder(documents) / f"{sha256[:32]}.jsonl"


def remove_orphans(documents: Path) -> None:
    """Delete the replies about documents that are not in the library any more."""
    files = list(_folder(documents).iterdir()) if _folder(documents).is_dir() else []
    if not files:
        return
    with closing(Library.open_second(documents)) as library:
        collections = library.collections(has_attached=True)
        kept = {one.sha256[:32] for collection in collections for one in library.documents(collection.id)}
    for file in files:
        if file.name.partition(".")[0] not in kept:
            file.unlink(missing_ok=True)


def _folder(documents: Path) -> Path:
    return documents.with_name("documents-summaries")
