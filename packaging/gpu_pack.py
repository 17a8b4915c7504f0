"""The engine's part for graphics cards (Vulkan), from the same source as the engine, as a file of its own.

    kotae-vulkan-<llama-cpp-python's version>-<system>-<machine>.zip
        libggml-vulkan.so (ggml-vulkan.dll)
        LICENSE

A bundle that is built together with it knows its hash (resources/engine_packs.json) and takes no other. Needs the
Vulkan headers and glslc (Debian: libvulkan-dev, glslc, spirv-headers; elsewhere LunarG's SDK).
"""

import hashlib
import os
import platform
import shutil
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import llama_build
from steps import SetupError, run_step

LIBRARY = "ggml-vulkan.dll" if sys.platform == "win32" else "libggml-vulkan.so"
FLAGS = ("-DCMAKE_BUILD_TYPE=Release", "-DGGML_VULKAN=ON", "-DLLAMA_CURL=OFF", "-DLLAMA_BUILD_TESTS=OFF",
         "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_SERVER=OFF", "-DLLAMA_BUILD_TOOLS=OFF")  # fmt: skip
_TIME = (2020, 1, 1, 0, 0, 0)  # the same pack from the same library


@dataclass(frozen=True, slots=True)
class Pack:
    name: str
    file: Path
    library: str
    size_bytes: int
    sha256: str


def build(version: str, python: Path, dist: Path) -> Pack:
    """Compiled once for each version and set of flags, and kept in the cache beside the engine's own build."""
    flags = llama_build.cmake_flags(" ".join((llama_build.PORTABLE_FLAGS, *FLAGS)))
    digest = hashlib.sha256(flags.encode()).hexdigest()[:12]
    folder = llama_build.build_folder(version, "vulkan", digest)
    if not folder.is_dir():
        _require_tools()
        with llama_build.published(folder) as part:
            _compile(llama_build.download(version, python, part), python, part, flags)
    return _pack(folder, version, dist)


def _require_tools() -> None:
    if shutil.which("glslc") is None:
        raise SetupError(
            "glslc がありません / glslc is missing\n"
            "次に / next: sudo apt-get install -y glslc libvulkan-dev spirv-headers"
        )


def _compile(archive: Path, python: Path, part: Path, flags: str) -> None:
    with tarfile.open(archive) as tar:
        tar.extractall(part / "source", filter="data")
    archive.unlink()
    source = next((part / "source").glob("*/vendor/llama.cpp"))
    _step("cmake・ninja の入手 / fetching cmake and ninja",
          [python, "-m", "pip", "install", "cmake", "ninja"], "vulkan-tools")  # fmt: skip
    cmake = python.parent / ("cmake.exe" if os.name == "nt" else "cmake")
    ninja = python.parent / ("ninja.exe" if os.name == "nt" else "ninja")
    made = part / "build"
    _step("GPU 部品の準備 / configuring the GPU part",
          [cmake, "-S", source, "-B", made, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}", *flags.split()],
          "vulkan-configure")  # fmt: skip
    _step("GPU 部品の組み立て（初回のみ） / compiling the GPU part (once)",
          [cmake, "--build", made, "--target", "ggml-vulkan"], "vulkan-compile")  # fmt: skip
    shutil.copy2(next(made.rglob(LIBRARY)), part / LIBRARY)
    shutil.copy2(source / "LICENSE", part / "LICENSE")
    shutil.rmtree(made)
    shutil.rmtree(part / "source")


def _pack(folder: Path, version: str, dist: Path) -> Pack:
    library = folder / LIBRARY
    dist.mkdir(exist_ok=True)
    file = dist / f"kotae-vulkan-{version}-{sys.platform}-{platform.machine().lower()}.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in (LIBRARY, "LICENSE"):
            archive.writestr(zipfile.ZipInfo(name, _TIME), (folder / name).read_bytes(), zipfile.ZIP_DEFLATED)
    return Pack("vulkan", file, LIBRARY, library.stat().st_size, hashlib.sha256(library.read_bytes()).hexdigest())


def _step(title: str, argv: list[str | Path], log_name: str) -> None:
    next_step = "次に: 記録の error の行を確かめてください / read the lines with 'error' in the log."
    run_step(title, argv, log_name=log_name, next_step=next_step)
