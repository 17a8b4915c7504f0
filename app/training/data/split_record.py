"""What the record of a split, a file beside its parts, says of the rows that were split."""

from pathlib import Path
from typing import Any

from app.base.confidentiality import HIGHEST_LABEL, Label, stored_label
from app.base.files import strict_json
from app.documents.collection_lookup import Origin

MANIFEST = "split.json"


def told_of(folder: Path) -> tuple[Label | None, tuple[Origin, ...]]:
    """Return what the record of a split says of its rows, which do not say it themselves; nothing where there is none.
    One that is damaged may have said anything."""
    try:
        return label_and_origins(strict_json.load_file(folder / MANIFEST)["source"])
    except (FileNotFoundError, NotADirectoryError, KeyError):
        return None, ()
    except (OSError, ValueError, TypeError):
        return HIGHEST_LABEL, ()


def label_and_origins(told: Any) -> tuple[Label | None, tuple[Origin, ...]]:
    """Read the label and the origins of a record. What cannot be understood counts as the highest."""
    label, origins = (told.get(key) for key in ("label", "origins")) if isinstance(told, dict) else (None, None)
    known: Label | None = stored_label(label) if label else None
    try:
        return known, tuple((str(collection), str(document)) for collection, document in origins or ())
    except (TypeError, ValueError):
        return HIGHEST_LABEL, ()
