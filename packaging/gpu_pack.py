"""The engine's parts for graphics cards, from the same source as the engine, as files of their own.

    python3 packaging/dev.py packs vulkan cuda13

    dist/kotae-<pack>-<llama-cpp-python's version>-<system>-<machine>.zip   its libraries and their licences
    resources/engine_packs.json   the packs made here with the hash of each file; the program takes no others

Only the backend is compiled, which ggml loads beside the processor's. Every recipe needs cmake's usual compiler and
what `tool` is part of, but for CUDA 13 on Linux, which is fetched. Run on no card yet: Vulkan on a processor that plays
one; CUDA, Metal and ROCm not at all.
"""

import hashlib
import itertools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import llama_build
import system_packages
from archive import sha256_of
from steps import ONLINE_HINT, SetupError, python_in, run_step

COMMON = ("-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_SKIP_RPATH=ON", "-DLLAMA_BUILD_COMMON=OFF", "-DLLAMA_BUILD_APP=OFF")
CUDA13 = Path(__file__).parent / "linux" / "cuda13_toolkit.txt"  # the packages of CUDA 12 lack nvcc itself
LIST = Path("resources") / "engine_packs.json"
_TIME = (2020, 1, 1, 0, 0, 0)  # the same pack from the same libraries
_WINDOWS = sys.platform == "win32"


@dataclass(frozen=True, slots=True)
class Recipe:
    """`runtime`: patterns of the libraries that the pack brings along, in the order in which they are loaded."""

    target: str  # of cmake
    flags: str
    tool: str  # a program that must be there, and how to get it
    hint: str
    runtime: tuple[str, ...] = ()
    release: str = ""  # what `tool --version` must say
    packages: Path | None = None  # on PyPI, with their hashes, that are the tool; then none has to be there

    @property
    def library(self) -> str:
        return f"{self.target}.dll" if _WINDOWS else f"lib{self.target}.so"


def _cuda(major: int) -> Recipe:
    """CUDA's driver is the machine's; cuBLAS and the runtime come along, as attachment A of NVIDIA's EULA allows."""
    names = ("cudart", "cublasLt", "cublas")
    runtime = [f"{name}64_{major}.dll" if _WINDOWS else f"lib{name}.so.{major}" for name in names]
    return Recipe("ggml-cuda", "-DGGML_CUDA=ON -DGGML_CUDA_NCCL=OFF", "nvcc",
                  f"CUDA Toolkit {major} (developer.nvidia.com/cuda-downloads)", tuple(runtime),
                  f"release {major}.", CUDA13 if major == 13 and sys.platform == "linux" else None)  # fmt: skip


RECIPES = {
    "vulkan": Recipe("ggml-vulkan", "-DGGML_VULKAN=ON", "glslc",
                     "sudo apt-get install -y glslc libvulkan-dev spirv-headers (LunarG SDK)"),
    "cuda13": _cuda(13),
    "cuda12": _cuda(12),
    # ROCm (7 or newer) stays on the machine: rocBLAS alone has gigabytes of kernels.
    # Cards: those of llama.cpp's own image for ROCm, but the ones of servers.
    "rocm": Recipe("ggml-hip", "-DGGML_HIP=ON -DGPU_TARGETS="
                   "gfx1030;gfx1100;gfx1101;gfx1102;gfx1150;gfx1151;gfx1200;gfx1201", "hipcc",
                   "ROCm 7 (rocm.docs.amd.com); CMAKE_ARGS=-DCMAKE_HIP_COMPILER=$(hipconfig -l)/clang"),
    "metal": Recipe("ggml-metal", "-DGGML_METAL=ON -DGGML_METAL_EMBED_LIBRARY=ON", "xcrun", "xcode-select --install"),
}  # fmt: skip


def main(root: Path, names: Sequence[str]) -> int:
    """Builds the packs named, and adds them to the list of this checkout."""
    if not names or set(names) - RECIPES.keys():
        raise SetupError(f"packs: {' | '.join(RECIPES)}")
    version = llama_build.pinned_version(root / "pyproject.toml")
    for name in names:
        file, entry = build(name, version, root / "dist")
        listed = [one for one in packs_listed(root, version) if one["name"] != name]
        text = json.dumps({"engine": version, "packs": [*listed, entry]}, indent=1)
        (root / LIST).write_text(f"{text}\n", encoding="utf-8")
        print(f"{file}  {file.stat().st_size / 1e6:.1f} MB")
    return 0


def packs_listed(root: Path, version: str) -> list[dict[str, object]]:
    """The entries of the list, if they are of this version of the engine."""
    try:
        listed = json.loads((root / LIST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return list(listed["packs"]) if listed["engine"] == version else []


def pack_file(name: str, version: str, dist: Path) -> Path:
    return dist / f"kotae-{name}-{version}-{sys.platform}-{platform.machine().lower()}.zip"


def build(name: str, version: str, dist: Path) -> tuple[Path, dict[str, object]]:
    """Compiled once for each version and set of flags, and kept in the cache. Returns the pack and its entry."""
    recipe = RECIPES[name]
    flags = llama_build.cmake_flags(" ".join((llama_build.PORTABLE_FLAGS, *COMMON, recipe.flags)))
    digest = hashlib.sha256(flags.encode()).hexdigest()[:12]
    folder = llama_build.build_folder(version, name, digest)
    if not folder.is_dir():
        if recipe.packages is None:
            _require_tool(recipe)
        with llama_build.published(folder) as part:
            _compile(recipe, version, part, flags)
    return _pack(name, recipe, folder, pack_file(name, version, dist))


def _require_tool(recipe: Recipe) -> None:
    program = shutil.which(recipe.tool)
    told = subprocess.run([program, "--version"], capture_output=True, text=True).stdout if program else ""
    if program is None or recipe.release not in told:
        wanted = " ".join(part for part in (recipe.tool, recipe.release) if part)
        raise SetupError(f"{wanted} がありません / {wanted} is missing\n次に / next: {recipe.hint}")


def _compile(recipe: Recipe, version: str, part: Path, flags: str) -> None:
    tools, made = part / "tools", part / "build"
    system_packages.make_venv(tools)
    python = python_in(tools)
    programs = python.parent
    run_step("cmake・ninja の入手 / fetching cmake and ninja", [python, "-m", "pip", "install", "cmake", "ninja"],
             log_name="pack-tools", next_step=ONLINE_HINT)  # fmt: skip
    archive = llama_build.download(version, python, part)
    with tarfile.open(archive) as tar:
        tar.extractall(part / "source", filter="data")
    source = next((part / "source").glob("*/vendor/llama.cpp"))
    toolkit = _cuda_toolkit(recipe.packages, tools / "cuda", python) if recipe.packages else []
    run_step("GPU 部品の準備 / configuring the GPU part",
             [programs / "cmake", "-S", source, "-B", made, "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={programs / 'ninja'}",
              *toolkit, *flags.split()], log_name="pack-configure")  # fmt: skip
    run_step("GPU 部品の組み立て（初回のみ） / compiling the GPU part (once)",
             [programs / "cmake", "--build", made, "--target", recipe.target], log_name="pack-compile")  # fmt: skip
    (part / "licences").mkdir()
    shutil.copy2(source / "LICENSE", part / "licences" / "LICENSE")
    shutil.copy2(next(made.rglob(recipe.library)), part / recipe.library)
    for library in _runtime_libraries(recipe, made / "CMakeCache.txt"):
        shutil.copy2(library, part / library.name)
        text = _licence(library)
        shutil.copy2(text, part / "licences" / f"NVIDIA-{text.name}")
    for folder in (made, part / "source", tools):
        shutil.rmtree(folder)
    archive.unlink()


def _cuda_toolkit(packages: Path, folder: Path, python: Path) -> list[str]:
    """Puts NVIDIA's packages into `folder` as the toolkit that cmake looks for. Returns cmake's arguments.

    They lack lib64, the names without a version and the driver, of which an empty library with its name is enough.
    """
    run_step("CUDA の入手 / fetching CUDA (530 MB)",
             [python, "-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--require-hashes", "--target",
              folder, "-r", packages], log_name="pack-cuda", next_step=ONLINE_HINT)  # fmt: skip
    toolkit = next(folder.glob("nvidia/cu*"))
    libraries = toolkit / "lib"
    for library in list(libraries.glob("lib*.so.*")):
        (libraries / f"{library.name.partition('.so')[0]}.so").symlink_to(library.name)
    (toolkit / "lib64").symlink_to(libraries.name)
    (libraries / "stubs").mkdir()
    driver = libraries / "stubs" / "libcuda.so"
    run_step("CUDA のドライバーの代わり / a stand-in for CUDA's driver",
             ["cc", "-shared", "-Wl,-soname,libcuda.so.1", "-x", "c", os.devnull, "-o", driver],
             log_name="pack-driver")  # fmt: skip
    return [f"-DCUDAToolkit_ROOT={toolkit}", f"-DCMAKE_CUDA_COMPILER={toolkit / 'bin' / 'nvcc'}",
            "-DCMAKE_MODULE_LINKER_FLAGS=-Wl,--no-as-needed"]  # fmt: skip


def _runtime_libraries(recipe: Recipe, cache: Path) -> Iterator[Path]:
    """The libraries beside those that cmake has found; on Windows they are in bin, and cmake's are in lib/x64."""
    found = re.findall(r"^\w+:FILEPATH=(.+)$", cache.read_text(encoding="utf-8"), re.MULTILINE)
    folders = {Path(path).parent for path in found}
    folders |= {
        folder.parents[1] / inner for folder in folders if len(folder.parts) > 2 for inner in ("bin", "bin/x64")
    }
    for name in recipe.runtime:
        library = next((folder / name for folder in sorted(folders) if (folder / name).is_file()), None)
        if library is None:
            raise SetupError(f"{name} がありません / {name} is missing\n次に / next: {recipe.hint}")
        yield library


def _licence(library: Path) -> Path:
    """NVIDIA's licence, without which its libraries may not be passed on: of a toolkit, or of a package of pip."""
    folders = [folder for file in (library, library.resolve()) for folder in file.parents[1:4]]
    for folder, pattern in itertools.product(folders, ("EULA*.txt", "nvidia_*.dist-info/**/License.txt")):
        if found := sorted(folder.glob(pattern)):
            return found[0]
    raise SetupError(f"{library} のライセンスの文書がありません / the licence of {library} is missing\n"
                     f"次に / next: EULA.txt → {library.parents[1]}")  # fmt: skip


def _pack(name: str, recipe: Recipe, folder: Path, file: Path) -> tuple[Path, dict[str, object]]:
    file.parent.mkdir(exist_ok=True)
    libraries = [folder / library for library in (*recipe.runtime, recipe.library)]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in (*libraries, *sorted((folder / "licences").iterdir())):
            entry = zipfile.ZipInfo(path.name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as member, path.open("rb") as content:
                shutil.copyfileobj(content, member)
    entries = [{"name": path.name, "size_bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in libraries]
    return file, {"name": name, "files": entries}
