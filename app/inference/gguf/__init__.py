"""Read GGUF headers, and check whether the engine may load a file.

llama.cpp aborts the process on many kinds of damage; each kind that was found to do so is refused here first, with
an error message. Nothing here reads weights, and for any file the package raises no other exception than AppError.
"""

from app.inference.gguf.header import GgufArray, GgufHeader, TensorInfo, parts_of
from app.inference.gguf.reader import read_header
from app.inference.gguf.validation import check_adapter, check_model, check_projector

__all__ = [
    "GgufArray", "GgufHeader", "TensorInfo", "check_adapter", "check_model", "check_projector", "parts_of",
    "read_header",
]  # fmt: skip
