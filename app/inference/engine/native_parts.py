"""Which of ggml's native parts compute here: the one made for this processor, and GPU packs.

A build for many machines (packaging/llama_build.py, PORTABLE_FLAGS) has a library for each generation of processors
and loads the newest that this one can run, so that none dies of an instruction it does not know. A build for one
machine has a single one inside, and nothing is to be loaded.
"""

import ctypes
import os
import sys
from pathlib import Path

_PREFIX, _SUFFIX = ("ggml-cpu-", ".dll") if sys.platform == "win32" else ("libggml-cpu-", ".so")


def load_processor(library: ctypes.CDLL, folder: Path) -> None:
    """`library`: any that ggml's functions are found through; `folder`: where llama.cpp's libraries lie."""
    os.environ.pop("GGML_BACKEND_PATH", None)  # ggml would load that library, whatever it is
    if any(folder.glob(f"{_PREFIX}*{_SUFFIX}")):
        load_all = _ggml(library, folder).ggml_backend_load_all_from_path
        load_all.argtypes, load_all.restype = [ctypes.c_char_p], None
        load_all(str(folder).encode("utf-8"))


def load_pack(library: ctypes.CDLL, folder: Path, pack: Path) -> bool:
    """Whether it could be loaded: its driver may be missing, in which case the processor computes."""
    load = _ggml(library, folder).ggml_backend_load
    load.argtypes, load.restype = [ctypes.c_char_p], ctypes.c_void_p
    return bool(load(str(pack).encode("utf-8")))


def _ggml(library: ctypes.CDLL, folder: Path) -> ctypes.CDLL:
    """Not another copy of it, which would have a list of devices of its own. Windows looks only into the very file."""
    return ctypes.CDLL(str(folder / "ggml.dll")) if sys.platform == "win32" else library
