"""What a bundle asks of the Linux it is installed on: processor, glibc, libraries that it does not carry."""

from dataclasses import dataclass
from pathlib import Path

import elf
from steps import SetupError
from system_packages import QT_LIBRARIES

# Where no file of the bundle says anything (a tree without programs): what the wheels of PySide6 6.11 are made for.
OLDEST_GLIBC = (2, 34)

# More than QT_LIBRARIES, which lists what a bare Debian 13 lacks.
_LIBRARIES = {
    **dict.fromkeys(("libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1"), "libc6"),
    **dict.fromkeys(("libmvec.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libresolv.so.2"), "libc6"),
    "libgcc_s.so.1": "libgcc-s1",
    "libstdc++.so.6": "libstdc++6",
    "libgomp.so.1": "libgomp1",
    "libz.so.1": "zlib1g",
    "libzstd.so.1": "libzstd1",
    "libexpat.so.1": "libexpat1",
    "libfreetype.so.6": "libfreetype6",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libX11.so.6": "libx11-6",
    "libxcb.so.1": "libxcb1",
    "libxcb-render.so.0": "libxcb-render0",
    "libxcb-shm.so.0": "libxcb-shm0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-util.so.1": "libxcb-util1",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    **QT_LIBRARIES,
}
# Debian 13 and Ubuntu 24.04 renamed what holds times of 64 bits.
_RENAMED = {"libglib2.0-0": "libglib2.0-0t64 | libglib2.0-0"}

# Last number of GLIBCXX_3.4.N -> Debian's version of libstdc++6 (GCC's manual, "ABI Policy and Guidelines").
_LIBSTDCXX = {30: "12", 31: "13.1", 32: "13.2", 33: "14", 34: "15"}

# Qt goes on without any of its plugins but this one; what the others lack (GTK, Wayland) keeps nobody from starting.
_PLUGINS, _NEEDED_PLUGIN = "plugins", "libqxcb.so"


@dataclass(frozen=True)
class Requirements:
    """`machine`: as `uname -m` says it. `libraries`: sonames with Debian's packages, those of glibc left out.

    `libstdcxx`: the version that Debian gives to the least C++ library, empty for any.
    """

    machine: str
    glibc: tuple[int, ...]
    libstdcxx: str
    libraries: dict[str, str]

    def depends(self) -> list[str]:
        """Debian's field, without commas."""
        wanted = [f"libc6 (>= {'.'.join(map(str, self.glibc))})"]
        for package in sorted(set(self.libraries.values())):
            if package == "libstdc++6" and self.libstdcxx:
                wanted.append(f"{package} (>= {self.libstdcxx})")
            else:
                wanted.append(_RENAMED.get(package, package))
        return wanted


def read(tree: Path, machine: str) -> Requirements:
    """`machine` counts where the tree holds no program. Raises SetupError for a library of an unknown package."""
    files = sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())
    binaries = {path: binary for path in files if (binary := elf.read(path)) is not None}
    machines = {binary.machine for binary in binaries.values()} or {machine}
    if len(machines) > 1:
        raise SetupError(
            f"{tree}: 二つの種類の CPU のプログラムがあります / programs for {' and '.join(sorted(machines))}"
        )
    carried = {path.name for path in tree.rglob("*")}
    outside: dict[str, Path] = {}
    for path, binary in binaries.items():
        if _PLUGINS in path.relative_to(tree).parts and path.name != _NEEDED_PLUGIN:
            continue
        outside.update({name: path for name in binary.needed_libraries if name not in carried})
    versions = {name for binary in binaries.values() for name in binary.versions}
    libstdcxx = elf.newest(versions, "GLIBCXX_")
    least = "" if libstdcxx < (3, 4, min(_LIBSTDCXX)) else _LIBSTDCXX.get(libstdcxx[2], "15")
    glibc = max(elf.newest(versions, "GLIBC_"), OLDEST_GLIBC)
    return Requirements(machines.pop(), glibc, least, _packages(outside, tree))


def _packages(outside: dict[str, Path], tree: Path) -> dict[str, str]:
    unknown = sorted(f"{name} ({path.relative_to(tree)})" for name, path in outside.items() if name not in _LIBRARIES)
    if unknown:
        raise SetupError(
            f"どのパッケージのものか分からないライブラリがあります / of unknown packages: {', '.join(unknown)}\n"
            "次に: packaging/linux_requirements.py に足してください / add them there."
        )
    return {name: _LIBRARIES[name] for name in sorted(outside) if _LIBRARIES[name] != "libc6"}
