"""GGUF files: what they say of themselves, and whether the engine may be given them.

llama.cpp aborts the process for many kinds of damage that it could have refused; everything known to do that is refused
here first, in words. Nothing here reads weights, and no other exception than AppError leaves this package for any file.
"""

from app.inference.gguf.header import GgufArray, GgufHeader, TensorInfo, parts_of
from app.inference.gguf.reader import read_header
from app.inference.gguf.validation import check_adapter, check_model

__all__ = ["GgufArray", "GgufHeader", "TensorInfo", "check_adapter", "check_model", "parts_of", "read_header"]
