"""llama.cpp's libraries from the installed wheel, each once, where the program looks for them.

The wheel holds every library three times (links become copies in a wheel) and puts the processors' own ones into a
folder where nothing finds them.
"""

import shutil
from pathlib import Path

SUFFIXES = (".so", ".dylib", ".dll")
_FOLDERS = ("llama_cpp/lib", "bin")  # of site-packages
_LEFT_OUT = (
    *("cannonlake", "cooperlake", "piledriver"),  # rare, and they run what is made for those before them, too
    "icelake",  # cascadelake's code, instruction by instruction: nothing in llama.cpp is written for VBMI
    "x64",  # without SSE4.2, where numpy does not start either
)


def copy(site_packages: Path, target: Path) -> list[Path]:
    """Into `target`, which is emptied before.

    On Linux the name that others link to (libllama.so.0) is the file, and libllama.so a link. macOS keeps every name,
    because none of them was tried there.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for folder in _FOLDERS:
        for source in sorted((site_packages / folder).iterdir()):
            if source.is_symlink() or not _is_library(source.name) or ".so." in source.name:
                continue
            if source.stem.rpartition("-")[2] in _LEFT_OUT:
                continue
            _place(source, target)
    return sorted(target.iterdir())


def _place(source: Path, target: Path) -> None:
    linked = next(iter(source.parent.glob(f"{source.name}.[0-9]")), None)  # libllama.so -> libllama.so.0
    if linked is None:
        shutil.copy2(source, target / source.name)
        return
    shutil.copy2(source, target / linked.name)
    (target / source.name).symlink_to(linked.name)


def _is_library(name: str) -> bool:
    return any(suffix in name for suffix in SUFFIXES)
