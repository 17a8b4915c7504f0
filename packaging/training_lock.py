"""Locks the training environment and the part that recognizes text (OCR): exact files with hashes, one lock for a kind
of machine and a Python.

    python packaging/training_lock.py [--find-links DIR] [LOCK...]

Asks uv what resources/training_environment/requirements.txt means now (for `ocr-…` resources/ocr/requirements.txt), and
writes locked/LOCK.txt beside that file. LOCK: cpu-linux-x86_64-py311, ocr-win32-x86_64-py312 and the like; without any,
all of them. None of those machines is needed for it, and nothing is installed: uv resolves for others too. One file of
each package is taken, the one that pip and uv would take there, with its name and size for whoever fetches it.

PyPI has torch with CUDA for Linux, and without for Windows and macOS. The other ways round are published at
https://download.pytorch.org/whl/cpu (and cu130, …): `UV_EXTRA_INDEX_URL` or `--find-links` says where they are found,
and a lock whose torch is not there is left as it is, which is said. That of cuda-win32 differs from cpu-win32 in its
torch alone (`WINDOWS_CUDA`), whose libraries of NVIDIA are in the wheel itself.
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import uv
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename
from steps import SetupError

ROOT = Path(__file__).resolve().parent.parent
TRAINING, OCR = (ROOT / "resources" / name / "requirements.txt" for name in ("training_environment", "ocr"))
OF_THE_PROGRAM = {"numpy", "pillow"}  # which has them, and imports them before the part is used
PYTHONS = ((3, 11), (3, 12), (3, 13))
_MACOS_LEAST = 14  # bitsandbytes has nothing for older ones
_GLIBC_LEAST = 28  # manylinux_2_28: Debian 10, RHEL 8, Ubuntu 18.10
_SYSTEMS = {  # kind of machine -> what uv calls it, and what wheels for it are tagged with, best first
    "linux-x86_64": (
        "x86_64-manylinux_2_28",
        [*(f"manylinux_2_{minor}_x86_64" for minor in range(_GLIBC_LEAST, 16, -1)),
         "manylinux2014_x86_64", "manylinux_2_12_x86_64", "manylinux2010_x86_64", "manylinux_2_5_x86_64",
         "manylinux1_x86_64", "linux_x86_64"],
    ),
    "win32-x86_64": ("x86_64-pc-windows-msvc", ["win_amd64"]),
    "darwin-arm64": (
        "aarch64-apple-darwin",
        [*(f"macosx_{major}_0_{kind}" for major in range(_MACOS_LEAST, 10, -1) for kind in ("arm64", "universal2")),
         *(f"macosx_10_{minor}_universal2" for minor in range(16, 8, -1))],
    ),
}  # fmt: skip
_KINDS = (
    *(("cpu", system) for system in _SYSTEMS), ("cuda", "linux-x86_64"), ("cuda", "win32-x86_64"),
    *(("ocr", system) for system in _SYSTEMS),
)  # fmt: skip
# Size and sha256 as the index at https://download.pytorch.org/whl/cu130 publishes them. A file with another hash is
# refused, so a wrong entry cannot bring in anything. Those of the wheel for 3.11 are not known.
WINDOWS_CUDA = {
    (3, 12): (
        "torch-2.13.0+cu130-cp312-cp312-win_amd64.whl", 1_915_519_202,
        "2efab1e83604ca628c6d85b9e188c153690980498d1297081a9dad704919303c",
    ),
    (3, 13): (
        "torch-2.13.0+cu130-cp313-cp313-win_amd64.whl", 1_915_517_499,
        "cf23236e9deed7d3510d14d9b9592d75d272ef7b35bbfee31a02bea339c73971",
    ),
}  # fmt: skip
_NAME = re.compile(r"(cpu|cuda|ocr)-(.+)-py(3)(\d\d)")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--find-links", metavar="DIR", help="a folder or page with wheels that the index has not")
    parser.add_argument("locks", metavar="LOCK", nargs="*")
    options = parser.parse_args(arguments)
    failed = 0
    for variant, system, python in map(_parsed, options.locks or _all_names()):
        try:
            print(_write(variant, system, python, options.find_links))
        except SetupError as problem:
            print(problem, file=sys.stderr)
            failed += 1
    return 1 if failed else 0


def _all_names() -> list[str]:
    return [
        f"{variant}-{system}-py{python[0]}{python[1]}"
        for variant, system in _KINDS
        for python in PYTHONS
        if (variant, system) != ("cuda", "win32-x86_64") or python in WINDOWS_CUDA
    ]


def _parsed(name: str) -> tuple[str, str, tuple[int, int]]:
    found = _NAME.fullmatch(name)
    if found is None or found[2] not in _SYSTEMS:
        raise SetupError(f"{name}: not a name such as {_all_names()[0]}")
    return found[1], found[2], (int(found[3]), int(found[4]))


def _write(variant: str, system: str, python: tuple[int, int], find_links: str | None) -> Path:
    name = f"{variant}-{system}-py{python[0]}{python[1]}"
    requirements = OCR if variant == "ocr" else TRAINING
    found = _resolved(requirements, system, python, find_links if variant == "cpu" else None)
    left_out = OF_THE_PROGRAM if variant == "ocr" else set()
    packages = {package["name"]: package for package in found if package["name"] not in left_out}
    version = packages["torch"]["version"] if variant != "ocr" else ""
    if version and system == "linux-x86_64" and version.endswith("+cpu") is not (variant == "cpu"):
        raise SetupError(f"{name}: the torch that was found is {version}; no lock was written")
    lines = ["# Written by packaging/training_lock.py. Not for editing. FILE SIZE, then what uv reads."]
    tags = list(_tags(system, python))
    for package in sorted(packages.values(), key=lambda package: package["name"]):
        number, (file, size, sha256) = package["version"], _best_file(package, tags)
        if (package["name"], variant, system) == ("torch", "cuda", "win32-x86_64"):
            file, size, sha256 = WINDOWS_CUDA.get(python, ("", 0, ""))
            if file.partition("+")[0] != f"torch-{number}":
                raise SetupError(f"{name}: torch {number} for it is not in WINDOWS_CUDA; no lock was written")
            number = file.split("-")[1]
        lines += [f"# {file} {size}", f"{package['name']}=={number} \\", f"    --hash=sha256:{sha256}"]
    path = requirements.parent / "locked" / f"{name}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _resolved(requirements: Path, system: str, python: tuple[int, int], find_links: str | None) -> list[dict[str, Any]]:
    platform = _SYSTEMS[system][0]
    argv = [uv.find_uv_bin(), "pip", "compile", str(requirements), "--format", "pylock.toml", "--no-config", "--quiet",
            "--python-platform", platform, "--python-version", f"{python[0]}.{python[1]}", "--only-binary", ":all:",
            "--no-header", *(["--find-links", find_links] if find_links else [])]  # fmt: skip
    environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": f"{_MACOS_LEAST}.0"}
    run = subprocess.run(argv, stdout=subprocess.PIPE, encoding="utf-8", check=False, env=environment)
    if run.returncode != 0:
        raise SetupError(f"{system}, Python {python[0]}.{python[1]}: uv {run.returncode}")
    packages: list[dict[str, Any]] = tomllib.loads(run.stdout)["packages"]
    return packages


def _tags(system: str, python: tuple[int, int]) -> Iterator[Tag]:
    platforms = _SYSTEMS[system][1]
    yield from cpython_tags(python, platforms=platforms)
    yield from compatible_tags(python, f"cp{python[0]}{python[1]}", platforms)


def _best_file(package: dict[str, Any], tags: list[Tag]) -> tuple[str, int, str]:
    """Name, size in bytes and sha256 of the file that is taken there."""
    ranked = []
    for wheel in package["wheels"]:
        address = wheel.get("url") or Path(wheel["path"]).as_uri()
        name = unquote(urlsplit(address).path).rpartition("/")[2]
        fitting = [tags.index(tag) for tag in parse_wheel_filename(name)[3] if tag in tags]
        if fitting:
            size = wheel.get("size") or Path(unquote(urlsplit(address).path)).stat().st_size
            ranked.append((min(fitting), name, size, wheel["hashes"]["sha256"]))
    if not ranked:
        raise SetupError(f"{package['name']} {package['version']}: no file fits")
    return min(ranked)[1:]


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as problem:
        sys.exit(str(problem))
