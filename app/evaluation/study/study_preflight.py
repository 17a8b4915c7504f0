"""Check a study before it runs: its documents and models must be unchanged, and need memory that the machine has.

Answers from two states of the documents would describe neither. A system that needs too much memory is asked all the
same; a judge is not.
"""

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

from app.base.errors import AppError
from app.base.files import input_file
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.retrieval import excerpts
from app.evaluation.judge import judge_prompt
from app.evaluation.study import compared_systems, studies, study_steps
from app.evaluation.study.studies import ComparedSystem, MadeModel, Study
from app.inference import gguf, machine, memory_estimate
from app.inference.gguf import GgufHeader
from app.inference.machine import MemoryBudget
from app.inference.memory_estimate import MemoryEstimate
from app.models import base_models


def documents_sha256(database: Path, scope: Sequence[CollectionRef]) -> str:
    """Return a hash of the contents of the documents in a scope, whatever their paths are; "" without a scope."""
    if not scope:
        return ""
    library = Library.open_second(database)
    try:
        known = library.collections()
        names, ids = {one.name: one.id for one in known}, {one.id for one in known}
        # a collection may have been renamed since the study was made
        asked = [names.get(ref.name) or (ref.id if ref.id in ids else 0) for ref in scope]
        found = sorted(one.sha256 for number in asked if number for one in library.documents(number))
    finally:
        library.close()
    return hashlib.sha256("".join(f"{one}\n" for one in found).encode()).hexdigest()


def require_unchanged(study: Study, folder: Path, count: int, database: Path) -> None:
    """Check that models, adapters and documents that are still needed are as they were when the study was made.

    `count`: number of questions. `database`: the documents database. Raises AppError: model_missing,
    evaluation_model_changed, evaluation_adapter_changed, evaluation_documents_changed, file_unreadable.
    """
    waiting = study_steps.unfinished_systems(study, folder, count)
    known = {contender.model.path: contender for contender in study.contenders}
    for path in dict.fromkeys(study_steps.root_of(study, one.model.path) for one in waiting):
        if path in known:
            _require_model(study, known[path])
    making = study_steps.files_to_make(study, folder, count)
    for made in making:
        if made.source_sha256 and made.source not in known:
            _require_source(study, made)
    used = {one.system.adapter: one.system.adapter_sha256 for one in waiting}
    used |= {one.adapter: one.adapter_sha256 for one in making}
    for path, sha256 in used.items():
        if sha256 and compared_systems.adapter_sha256(path) != sha256:
            raise AppError("evaluation_adapter_changed", id=study.id, path=path)
    for one in waiting:
        is_known = bool(one.documents_sha256)
        if is_known and documents_sha256(database, one.scope) != one.documents_sha256:
            names = " / ".join(ref.name for ref in one.scope)
            raise AppError("evaluation_documents_changed", id=folder.name, names=names)


def _require_model(study: Study, system: ComparedSystem) -> None:
    """Check a model by its hash; a file with the size and time recorded in the model list is not read again.

    Raises AppError("model_missing" | "evaluation_model_changed").
    """
    path = Path(system.model.path)
    if system.model.remote is not None:  # whether a server still has the same model cannot be checked
        return
    try:
        status = path.stat()
    except OSError as error:
        raise AppError("model_missing", path=str(path)) from error
    marks = [(mark.size_bytes, mark.modified_ns) for mark in system.model.files[:1]]
    if not system.system.model_sha256 or (status.st_size, status.st_mtime_ns) in marks:
        return
    if base_models.sha256_of_model(system.model) != system.system.model_sha256:
        raise AppError("evaluation_model_changed", id=study.id, path=str(path))


def _require_source(study: Study, made_model: MadeModel) -> None:
    """Check the source of an unpacked model by its hash, even if its size and time are unchanged.

    The unpacked model is shared with other studies under this hash.
    """
    path = Path(made_model.source)
    try:
        is_same = input_file.sha256_of(path) == made_model.source_sha256
    except OSError as error:
        raise AppError("model_missing", path=str(path)) from error
    if not is_same:
        raise AppError("evaluation_model_changed", id=study.id, path=str(path))


@dataclasses.dataclass(frozen=True, slots=True)
class MemoryShortage:
    """A system or judge that needs more memory than there is. `need_bytes`: estimate with its context."""

    name: str
    need_bytes: int
    is_judge: bool = False


def memory_shortages(study: Study, folder: Path, budget: MemoryBudget) -> list[MemoryShortage]:
    """Return the systems still to ask, and the judge, that need too much memory.

    Raises AppError("evaluation_damaged").
    """
    count = len(studies.questions_of(folder, study).questions)
    headers: dict[str, GgufHeader | None] = {}
    found = []
    for system in study_steps.unfinished_systems(study, folder, count):
        root = study_steps.root_of(study, system.model.path)
        if root not in headers:
            headers[root] = read_header(root)
        is_quoted = (
            bool(system.scope) and system.may_quote and excerpts.is_known_too_small(system.model)
        )  # no model is loaded
        if study.has_likelihoods or not is_quoted:
            found.append(
                (
                    _estimate_memory(system.system.size_bytes, headers[root], study.context_tokens),
                    system.system.name,
                    False,
                )
            )
    if study.judge is not None:
        judge = study.judge
        needed = _estimate_memory(judge.size_bytes, read_header(judge.path), judge_prompt.CONTEXT_TOKENS)
        found.append((needed, judge.name, True))
    return [
        MemoryShortage(name, needed.total_bytes, is_judge)
        for needed, name, is_judge in found
        if machine.judge_memory(needed, budget).verdict == "insufficient"
    ]


def _estimate_memory(weights: int, root: GgufHeader | None, context_tokens: int) -> MemoryEstimate:
    """Estimate the memory for a model of `weights` bytes.

    `root`: header of the file from which the model is made, whose cache and buffers have the same size. None: the model
    is made from a folder, and only the weights count.
    """
    if root is None:
        return MemoryEstimate(weights, 0, 0, weights)
    like = memory_estimate.estimate_memory(root, context_tokens)
    return dataclasses.replace(like, weights_bytes=weights, total_bytes=like.total_bytes - like.weights_bytes + weights)


def read_header(path: str) -> GgufHeader | None:
    """Return the header of a model; None if it cannot be read."""
    try:
        return gguf.read_header(Path(path))
    except (AppError, OSError):
        return None
