"""Import bitsandbytes with its functions as they are written. Import this before peft, which imports bitsandbytes.

It wraps four of them, which other code stands in for on processors and CUDA, in `torch.compile`. That alone would load
the compiler at each start: a fifth of the time, and 40 MB.
"""

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["bitsandbytes"]


def _as_written(function: Callable[..., Any] | None = None, **_options: Any) -> Any:
    """Return the function, or what does for a decorator with options."""
    return function or (lambda decorated: decorated)


_compile = torch.compile
torch.compile = _as_written
try:
    import bitsandbytes
finally:
    torch.compile = _compile
