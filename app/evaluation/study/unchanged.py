"""What a study asks stays what it was when it began: answers of two states of documents are of neither."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from app.base.errors import AppError
from app.base.files import input_file
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.evaluation.study import contending, steps
from app.evaluation.study.study import Contender, Made, Study
from app.models import base_models


def documents_sha256(database: Path, scope: Sequence[CollectionRef]) -> str:
    """Of the content of all documents of these collections, wherever the files lie; "" where nothing is asked."""
    if not scope:
        return ""
    library = Library.beside(database)
    try:
        known = library.collections()
        names, ids = {one.name: one.id for one in known}, {one.id for one in known}
        asked = [names.get(ref.name) or (ref.id if ref.id in ids else 0) for ref in scope]  # it may be renamed
        found = sorted(one.sha256 for number in asked if number for one in library.documents(number))
    finally:
        library.close()
    return hashlib.sha256("".join(f"{one}\n" for one in found).encode()).hexdigest()


def require(study: Study, folder: Path, count: int, database: Path) -> None:
    """Of all that is still to be asked. `count`: of the questions; `database`: of the documents.

    Raises AppError: model_missing, evaluation_model_changed, evaluation_adapter_changed, evaluation_documents_changed,
    file_unreadable.
    """
    waiting = steps.waiting(study, folder, count)
    known = {one.model.path: one for one in study.contenders}
    for path in dict.fromkeys(steps.root_of(study, one.model.path) for one in waiting):
        if path in known:
            _require_model(study, known[path])
    making = steps.to_make(study, folder, count)
    for made in making:
        if made.source_sha256 and made.source not in known:
            _require_source(study, made)
    used = {one.system.adapter: one.system.adapter_sha256 for one in waiting}
    used |= {one.adapter: one.adapter_sha256 for one in making}
    for path, sha256 in used.items():
        if sha256 and contending.adapter_sha256(path) != sha256:
            raise AppError("evaluation_adapter_changed", id=study.id, path=path)
    for one in waiting:
        is_known = bool(one.documents_sha256)
        if is_known and documents_sha256(database, one.scope) != one.documents_sha256:
            names = " / ".join(ref.name for ref in one.scope)
            raise AppError("evaluation_documents_changed", id=folder.name, names=names)


def _require_model(study: Study, one: Contender) -> None:
    """A file that looks as it did when the list noted it is not read."""
    path = Path(one.model.path)
    try:
        status = path.stat()
    except OSError as error:
        raise AppError("model_missing", path=str(path)) from error
    marks = [(mark.size_bytes, mark.modified_ns) for mark in one.model.files[:1]]
    if not one.system.model_sha256 or (status.st_size, status.st_mtime_ns) in marks:
        return
    if base_models.sha256_of_model(one.model) != one.system.model_sha256:
        raise AppError("evaluation_model_changed", id=study.id, path=str(path))


def _require_source(study: Study, made: Made) -> None:
    """What is unpacked stands under the hash of its file for others too, so the file is always read."""
    path = Path(made.source)
    try:
        is_same = input_file.sha256_of(path) == made.source_sha256
    except OSError as error:
        raise AppError("model_missing", path=str(path)) from error
    if not is_same:
        raise AppError("evaluation_model_changed", id=study.id, path=str(path))
