"""The compiled llama-cpp-python wheel and llama.cpp's converter, made once per user and kept in the cache.

There is no wheel to fetch: llama-cpp-python is published as source only and compiles for about 3 minutes on two idle
cores, 6 for many processors. The converter comes from the same archive, because it must match the runtime and the
registry's `gguf` package of the same number differs from it.
"""

import hashlib
import os
import platform
import re
import shlex
import shutil
import sys
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import system_packages
from steps import ONLINE_HINT, SetupError, cache_dir, run_step

DISTRIBUTION = "llama-cpp-python"
# OpenMP's spin barriers collapse when anything else uses a core (68 -> 3 tokens/s). LLAVA_BUILD makes libmtmd, which
# reads pictures; no video, for which it would start ffmpeg.
DEFAULT_FLAGS = "-DGGML_OPENMP=OFF -DLLAVA_BUILD=ON -DMTMD_VIDEO=OFF"
# For other people's machines: a library for each generation of processors, of which the program loads the newest that
# can run (app/inference/engine/llama.py). Without them the build is made for this machine's processor alone.
# macOS would compile Metal in, which is a pack like any other card's there.
PORTABLE_FLAGS = "-DGGML_NATIVE=OFF -DGGML_BACKEND_DL=ON -DGGML_CPU_ALL_VARIANTS=ON" + (
    " -DGGML_METAL=OFF" if sys.platform == "darwin" else ""
)
VENDOR = "vendor/llama.cpp/"
CONVERTER = ("LICENSE", "convert_hf_to_gguf.py", "convert_lora_to_gguf.py", "conversion/", "gguf-py/gguf/")
ABANDONED_AFTER_S = 24 * 3600


def pinned_version(pyproject: Path) -> str:
    """The version in pyproject.toml, so that it is stated once."""
    for requirement in tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["dependencies"]:
        if match := re.fullmatch(rf"{DISTRIBUTION}==([\w.]+)", requirement):
            return match[1]
    raise SetupError(f"pyproject.toml: {DISTRIBUTION}==… が見つかりません / no exact {DISTRIBUTION} version.")


def cmake_flags(more: str = "") -> str:
    """Ours, `more`, then the caller's CMAKE_ARGS (-DGGML_CUDA=ON and the like); CMake lets the later one win."""
    return " ".join(flags for flags in (DEFAULT_FLAGS, more, os.environ.get("CMAKE_ARGS", "")) if flags)


def cpu_features(cpuinfo: str) -> str:
    """The vector extensions in /proc/cpuinfo: the build is native and would die on a CPU with fewer of them."""
    match = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo, re.MULTILINE)
    words = match[1].split() if match else []
    return " ".join(sorted(word for word in words if re.match(r"avx|sse|fma|f16c|bmi|amx|asimd|sve|i8mm|bf16", word)))


def build_folder(version: str, python_tag: str, more: str = "") -> Path:
    """Where this machine's build for these flags is, or would be."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:  # not Linux: a cache folder is not shared between machines there
        cpuinfo = ""
    features = "" if "GGML_NATIVE=OFF" in more else cpu_features(cpuinfo)
    target = "\n".join([cmake_flags(more), platform.machine(), features])
    digest = hashlib.sha256(target.encode()).hexdigest()[:12]
    return cache_dir() / "build" / f"{version}-{python_tag}-{digest}"


def ensure(folder: Path, version: str, python: Path, more: str = "") -> None:
    """Makes `folder` unless it is there: the wheel at its top, the converter in `llama.cpp/`."""
    if folder.is_dir():
        return
    system_packages.require(
        system_packages.packages_for_compiling(),
        "C/C++ コンパイラがありません / no C and C++ compiler",
    )
    with published(folder) as part:
        archive = download(version, python, part)
        _compile(archive, python, part, more)
        extract_converter(archive, part / "llama.cpp")
        archive.unlink()


def wheel_in(folder: Path) -> Path:
    return next(folder.glob("*.whl"))


@contextmanager
def published(folder: Path) -> Iterator[Path]:
    """Gives a temporary sibling that becomes `folder` only when the block succeeds, so nothing half-made is used."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder.parent)
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        yield part
        try:
            part.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise another set-up was faster, and its result is as good
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def remove_abandoned(parent: Path) -> None:
    """Deletes what set-ups killed a day or more ago left behind."""
    for part in parent.glob("*.part"):
        if time.time() - part.stat().st_mtime > ABANDONED_AFTER_S:
            shutil.rmtree(part, ignore_errors=True)


def extract_converter(archive: Path, target: Path) -> None:
    """Copies the converter's files out of the source archive, plain files only."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = converter_path(member.name)
            source = tar.extractfile(member) if name and member.isfile() else None
            if name is None or source is None:
                continue
            path = target / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with source, path.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    if not (target / "convert_hf_to_gguf.py").is_file():
        raise SetupError(f"{archive.name}: 変換器が入っていません / the archive has no converter.")


def converter_path(member_name: str) -> str | None:
    """A converter file's path relative to llama.cpp's folder; None for everything else in the archive."""
    inside = member_name.partition("/")[2]
    if not inside.startswith(VENDOR) or ".." in PurePosixPath(inside).parts:
        return None
    name = inside.removeprefix(VENDOR)
    is_wanted = any(name == wanted or (wanted.endswith("/") and name.startswith(wanted)) for wanted in CONVERTER)
    return name if is_wanted else None


def download(version: str, python: Path, folder: Path) -> Path:
    """The source archive, in `folder`."""
    run_step(
        "llama.cpp の入手 / fetching (77 MB)",
        [
            python,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--no-binary",
            DISTRIBUTION,
            "--dest",
            folder,
            f"{DISTRIBUTION}=={version}",
        ],
        log_name="llama-download",
        next_step=ONLINE_HINT,
    )
    return next(folder.glob("*.tar.gz"))


def _compile(archive: Path, python: Path, folder: Path, more: str) -> None:
    # The binding forces on what llama.cpp's own programs share: nearly half of the work, and nothing here uses it.
    less = folder / "less.cmake"
    less.write_text("set(LLAMA_BUILD_COMMON OFF)\n", encoding="utf-8")
    run_step(
        "llama.cpp の組み立て（初回のみ） / compiling (once, 3-10 min)",
        [python, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, archive],
        log_name="llama-compile",
        env={
            "CMAKE_ARGS": f"{cmake_flags(more)} -DCMAKE_PROJECT_llama.cpp_INCLUDE={shlex.quote(less.as_posix())}",
            # Without ninja the build falls back to make, which uses one core unless told.
            "CMAKE_BUILD_PARALLEL_LEVEL": os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 1)),
        },
    )
    less.unlink()
