"""Whether a PEFT adapter from elsewhere is one for the base that its run claims, without loading a single weight."""

import re
from pathlib import Path

from app.base.errors import AppError
from app.inference import gguf
from app.models import hf_folders
from trainer.spec import RunSpec

# What the trainer puts LoRA on, in a base's own layers, and what llama.cpp calls it.
_TENSORS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_TARGET = re.compile(r"(?:\w+\.)*layers\.(\d{1,4})\.(\w+\.\w+)")


def check(folder: Path, effective: RunSpec, base: Path) -> None:
    """Raises AppError: hf_*, job_adapter_differs; of a base that is not here only the adapter itself is looked at."""
    found = hf_folders.read_adapter_shapes(folder)
    if (found.rank, found.alpha) != (effective.rank, effective.alpha):
        raise _differs(folder, f"r={found.rank}, alpha={found.alpha:g}")
    if base.is_dir():
        hf_folders.read_hf_adapter(folder, hf_folders.read_hf_model(base))
    header = gguf.read_header(base) if base.is_file() else None
    for target, shape in found.shapes.items():
        place = _TARGET.fullmatch(target)
        if place is None or place[2] not in _TENSORS:
            raise _differs(folder, target)
        if header is not None:
            weight = header.tensors.get(f"blk.{int(place[1])}.{_TENSORS[place[2]]}.weight")
            if weight is None or tuple(reversed(weight.shape)) != shape:
                raise _differs(folder, target)


def _differs(folder: Path, where: str) -> AppError:
    return AppError("job_adapter_differs", path=str(folder), where=where[:80])
