"""Read facts from llama.cpp's log that its interface lacks: devices, buffers, settings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_DEVICE = re.compile(r"using device (\S+ \(.+?\))(?: \([^)]*\))?(?: - \d+ MiB free)?$")
_WEIGHTS = re.compile(r"load_tensors: +(\S+) model buffer size = +([\d.]+) MiB")
_KV = re.compile(r"(?:KV|RS) buffer size = +([\d.]+) MiB")
_KV_TYPE = re.compile(r", K \((\w+)\):")
_COMPUTE = re.compile(r"compute buffer size = +([\d.]+) MiB")
_REPACKED = re.compile(r"(?:_REPACK|AMX) +model buffer size")
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoadLogFacts:
    """Holds the facts that llama.cpp's log states about a load."""

    devices: tuple[str, ...] = ()
    gpu_bytes: int = 0  # weights in buffers of these devices
    kv_bytes: int = 0
    compute_bytes: int = 0
    kv_type: str = ""  # type of the cached keys and values
    is_repacked: bool = False
    flash_attention: bool = False


def read_load_log(lines: Sequence[str]) -> LoadLogFacts:
    """Read the facts of one load. Lines missing in another version's log leave the defaults."""
    text = "\n".join(lines)
    devices = tuple(match[1] for line in lines if (match := _DEVICE.search(line.strip())))
    names = {device.partition(" ")[0] for device in devices}
    sizes = (float(match[2]) for match in _WEIGHTS.finditer(text) if match[1] in names)
    return LoadLogFacts(
        devices=devices,
        gpu_bytes=int(sum(sizes) * _MIB),
        kv_bytes=_total(_KV, text),
        compute_bytes=_total(_COMPUTE, text),
        kv_type=found[1] if (found := _KV_TYPE.search(text)) else "",
        is_repacked=bool(_REPACKED.search(text)),
        flash_attention=bool(re.search(r"Flash Attention enabled|flash_attn += enabled", text)),
    )


def first_error_line(lines: Sequence[str]) -> str:
    """Return the first line that states an error (later ones only repeat it), else the last line."""
    candidates = [line.strip() for line in lines if "error" in line.lower() or "failed" in line.lower()]
    return candidates[0] if candidates else (lines[-1].strip() if lines else "")


def _total(pattern: re.Pattern[str], text: str) -> int:
    return int(sum(float(match[1]) for match in pattern.finditer(text)) * _MIB)
