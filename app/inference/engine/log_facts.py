"""What llama.cpp's log says about a load that its interface does not: offloaded layers, buffer sizes, real settings."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")
_DEVICE = re.compile(r"using device (.+?)(?: - \d+ MiB free)?$")
_KV = re.compile(r"(?:KV|RS) buffer size = +([\d.]+) MiB")
_KV_TYPE = re.compile(r", K \((\w+)\):")
_COMPUTE = re.compile(r"compute buffer size = +([\d.]+) MiB")
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LogFacts:
    offloaded_layers: int = 0
    devices: tuple[str, ...] = ()
    kv_bytes: int = 0
    compute_bytes: int = 0
    kv_type: str = ""  # of the keys; the values have the same
    is_repacked: bool = False
    flash_attention: bool = False

    def gpu_reason(self, has_backend: bool, requested_layers: int) -> str:
        """Why no layer runs on a GPU; "" when one does."""
        if self.offloaded_layers > 0:
            return ""
        if not has_backend:
            return "no_backend"
        if requested_layers == 0:
            return "not_requested"
        return "offload_failed" if self.devices else "no_device"


def read(lines: Sequence[str]) -> LogFacts:
    """The facts of one load. Lines that are missing (another version's wording) leave their default."""
    text = "\n".join(lines)
    offloaded = _OFFLOADED.search(text)
    return LogFacts(
        offloaded_layers=int(offloaded[1]) if offloaded else 0,
        devices=tuple(match[1] for line in lines if (match := _DEVICE.search(line.strip()))),
        kv_bytes=_total(_KV, text),
        compute_bytes=_total(_COMPUTE, text),
        kv_type=found[1] if (found := _KV_TYPE.search(text)) else "",
        is_repacked="_REPACK model buffer size" in text,
        flash_attention=bool(re.search(r"Flash Attention enabled|flash_attn += enabled", text)),
    )


def first_error(lines: Sequence[str]) -> str:
    """The first line that tells why something failed (later ones only pass it on), else the last line."""
    telling = [line.strip() for line in lines if "error" in line.lower() or "failed" in line.lower()]
    return telling[0] if telling else (lines[-1].strip() if lines else "")


def _total(pattern: re.Pattern[str], text: str) -> int:
    return int(sum(float(match[1]) for match in pattern.finditer(text)) * _MIB)
