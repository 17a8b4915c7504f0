"""What of a study needs more memory than there is. Systems are asked all the same; a judge is not."""

import dataclasses
from pathlib import Path

from app.base.errors import AppError
from app.documents.retrieval import excerpts
from app.evaluation.judge import judging
from app.evaluation.study import steps
from app.evaluation.study import study as studies
from app.evaluation.study.study import Contender, Study
from app.inference import gguf, machine, memory_estimate
from app.inference.gguf import GgufHeader
from app.inference.machine import MemoryBudget
from app.inference.memory_estimate import MemoryEstimate


@dataclasses.dataclass(frozen=True, slots=True)
class Beyond:
    """`need_bytes`: about, with the study's context, or the judge's."""

    name: str
    need_bytes: int
    is_judge: bool = False


def beyond(study: Study, folder: Path, there: MemoryBudget) -> list[Beyond]:
    """Of the systems that are still to be asked, and the judge. Raises AppError("evaluation_damaged")."""
    count = len(studies.questions_of(folder, study).questions)
    headers: dict[str, GgufHeader | None] = {}
    found = []
    for one in steps.waiting(study, folder, count):
        root = steps.root_of(study, one.model.path)
        if root not in headers:
            headers[root] = _header(root)
        if study.has_likelihoods or not _is_quoted(one):
            found.append((_needed(one.system.size_bytes, headers[root], study.context_tokens), one.system.name, False))
    if study.judge is not None:
        judge = study.judge
        needed = _needed(judge.size_bytes, _header(judge.path), judging.CONTEXT_TOKENS)
        found.append((needed, judge.name, True))
    return [
        Beyond(name, needed.total_bytes, is_judge)
        for needed, name, is_judge in found
        if machine.judge_memory(needed, there).verdict == "insufficient"
    ]


def _needed(weights: int, root: GgufHeader | None, context_tokens: int) -> MemoryEstimate:
    """`root`: of what the file is made of, whose cache and buffers it shares; None: a folder, whose weights count."""
    if root is None:
        return MemoryEstimate(weights, 0, 0, weights)
    like = memory_estimate.estimate_memory(root, context_tokens)
    return dataclasses.replace(like, weights_bytes=weights, total_bytes=like.total_bytes - like.weights_bytes + weights)


def _is_quoted(one: Contender) -> bool:
    """Whether no model is loaded for it."""
    return bool(one.scope) and one.may_quote and excerpts.is_known_too_small(one.model)


def _header(path: str) -> GgufHeader | None:
    try:
        return gguf.read_header(Path(path))
    except (AppError, OSError):
        return None
