"""Which systems of a study need more memory than there is: they are asked all the same, but it is told before."""

import dataclasses
from pathlib import Path

from app.core import fit, gguf, room
from app.core.errors import AppError
from app.core.evaluation import steps
from app.core.evaluation.study import Contender, Study
from app.core.fit import MemoryEstimate
from app.core.gguf import GgufHeader
from app.core.room import Room


@dataclasses.dataclass(frozen=True, slots=True)
class Beyond:
    """`need_bytes`: about, with the study's context."""

    name: str
    need_bytes: int


def beyond(study: Study, there: Room) -> list[Beyond]:
    headers: dict[str, GgufHeader | None] = {}
    found = []
    for one in study.contenders:
        root = steps.root_of(study, one.model.path)
        if root not in headers:
            headers[root] = _header(root)
        needed = _needed(one, headers[root], study.context_tokens)
        if room.judge(needed, there).verdict == "insufficient":
            found.append(Beyond(one.system.name, needed.total_bytes))
    return found


def _needed(one: Contender, root: GgufHeader | None, context_tokens: int) -> MemoryEstimate:
    """`root`: of what the file is made of, whose cache and buffers it shares; None: a folder, whose weights count."""
    weights = one.system.size_bytes
    if root is None:
        return MemoryEstimate(weights, 0, 0, weights)
    like = fit.estimate(root, context_tokens)
    return dataclasses.replace(like, weights_bytes=weights, total_bytes=like.total_bytes - like.weights_bytes + weights)


def _header(path: str) -> GgufHeader | None:
    try:
        return gguf.read_header(Path(path))
    except (AppError, OSError):
        return None
