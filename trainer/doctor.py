"""Report what the training environment contains: `<trainer python> start.py trainer.doctor LIBRARY...`.

It prints one line of JSON. It also tests 4-bit matrix products, which QLoRA needs, by one forward and backward pass.
"""

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from trainer import offline
from trainer.wire import claim_stdout

_ROWS, _WIDTH = 64, 256  # shape of the test weights; each block of 64 shares a constant


def main(libraries: list[str]) -> None:
    writer = claim_stdout()
    offline.enforce()
    import torch

    cards = range(torch.cuda.device_count())
    names = [torch.cuda.get_device_name(n) for n in cards]
    sizes = [torch.cuda.get_device_properties(n).total_memory for n in cards]
    least = least_capability(torch.cuda.get_arch_list())
    can_use_card = bool(cards) and torch.cuda.get_device_capability(0) >= least
    tried = ["cpu", "cuda"] if can_use_card else ["cpu"]
    writer.send(
        {
            "python": sys.version.split()[0],
            "versions": {name: _version(name) for name in libraries},
            "cuda": torch.version.cuda,
            "least_capability": least,
            "devices": list(zip(names, sizes, strict=True)),
            "products": {device: measure_product_error(device) for device in tried},
        }
    )


def least_capability(architectures: list[str]) -> tuple[int, int]:
    """Return the lowest compute capability for which this torch was compiled; (0, 0) if there is none.

    `architectures`: a list like ["sm_75", ..., "compute_120"].
    """
    numbers = [int("".join(filter(str.isdecimal, name))) for name in architectures if name.startswith("sm_")]
    return divmod(min(numbers, default=0), 10)


def measure_product_error(device: str) -> tuple[float | None, str]:
    """Return the relative error of 4-bit matrix products against 32-bit ones (0.1 is usual), and "".

    It covers the forward and backward pass. If bitsandbytes fails, return None and the reason.
    """
    import torch

    from trainer.libraries import bitsandbytes

    try:
        torch.manual_seed(0)
        weights = torch.randn(_ROWS, _WIDTH, device=device)
        inputs = torch.randn(8, _WIDTH, device=device, requires_grad=True)
        options: dict[str, Any] = {"quant_type": "nf4", "compress_statistics": True}
        packed, state = bitsandbytes.functional.quantize_4bit(weights, **options)
        made = bitsandbytes.matmul_4bit(inputs, packed.t(), quant_state=state)
        made.backward(torch.ones_like(made))
        forward = _difference(made, inputs @ weights.t())
        backward = _difference(inputs.grad, torch.ones_like(made) @ weights)
    except RuntimeError as error:
        return None, str(error).strip().partition("\n")[0]
    return max(forward, backward), ""


def _difference(found: Any, expected: Any) -> float:
    return float((found.detach().float() - expected.detach()).norm() / expected.detach().norm())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    main(sys.argv[1:])
