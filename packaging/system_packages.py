"""What the operating system must provide: Qt's libraries, a Japanese font, a compiler, tools of the tests.

Detects by asking the loader's cache and PATH, not dpkg, so that libraries from elsewhere count too. Installs on
Debian-like systems only, and only as root; elsewhere it says what to type.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from steps import SetupError, run_step

# What PySide6-Essentials' xcb platform plugin and libQt6Gui link to beyond a bare Debian 13 (readelf -d).
QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",  # Debian 13 gives libglib2.0-0t64 for this name
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}

TEST_COMMANDS = {
    "Xvfb": "xvfb",
    "xauth": "xauth",
    "xdotool": "xdotool",
    "openbox": "openbox",
    "import": "imagemagick",
    "strace": "strace",
    "dbus-run-session": "dbus",
    "fcitx5": "fcitx5",
    "desktop-file-validate": "desktop-file-utils",
    "appstreamcli": "appstream",
    "lintian": "lintian",
    "zstd": "zstd",
}

# What has no command of its own: Japanese conversion for fcitx5.
TEST_FILES = {"/usr/share/fcitx5/addon/anthy.conf": "fcitx5-anthy"}

# An ordinary user's PATH on Debian lacks the folders of ldconfig.
SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def is_debian_like() -> bool:
    return sys.platform == "linux" and shutil.which("apt-get") is not None


def packages_for_window() -> list[str]:
    """Missing packages without which the window does not open, or shows boxes for kanji."""
    if not is_debian_like():
        return []
    return missing_libraries(_output("ldconfig", "-p")) + missing_fonts()


def packages_for_tests() -> list[str]:
    if not is_debian_like():
        return []
    commands = [package for command, package in TEST_COMMANDS.items() if shutil.which(command) is None]
    return commands + [package for file, package in TEST_FILES.items() if not Path(file).exists()]


def packages_for_venv() -> list[str]:
    """Debian splits `ensurepip` from its Python; a venv without pip is of no use."""
    if importlib.util.find_spec("ensurepip") is not None:
        return []
    return [f"python3.{sys.version_info.minor}-venv"]


def make_venv(venv: Path) -> None:
    """Makes an environment anew. Raises SetupError."""
    require(packages_for_venv(), "Python の venv が使えません / this Python cannot make a venv")
    # Not sys.executable: that may be of the environment which is deleted here.
    base_python = getattr(sys, "_base_executable", sys.executable)
    if venv.exists():
        shutil.rmtree(venv)
    run_step(
        f"{venv.name} の作成 / creating {venv.name}",
        [base_python, "-m", "venv", venv],
        log_name=f"venv{venv.name}",
        next_step="次に: 空き容量と書き込み権限を確かめてください / check free space and permissions.",
    )


def packages_for_compiling() -> list[str]:
    """The C and C++ compilers; cmake and ninja come as wheels with the build."""
    has_c = os.environ.get("CC") or any(map(shutil.which, ("cc", "gcc", "clang")))
    has_cxx = os.environ.get("CXX") or any(map(shutil.which, ("c++", "g++", "clang++")))
    return [] if has_c and has_cxx else ["g++"]


def missing_libraries(ldconfig_listing: str) -> list[str]:
    """Packages whose library is absent from the output of `ldconfig -p`."""
    present = {words[0] for words in map(str.split, ldconfig_listing.splitlines()) if "=>" in words}
    return [package for soname, package in QT_LIBRARIES.items() if soname not in present]


def missing_fonts() -> list[str]:
    if shutil.which("fc-list") is None:
        return ["fontconfig", "fonts-noto-cjk"]
    return [] if _output("fc-list", ":lang=ja", "family").strip() else ["fonts-noto-cjk"]


def install_line(packages: Sequence[str]) -> str:
    return "sudo apt-get install -y --no-install-recommends " + " ".join(packages)


def install(packages: Sequence[str]) -> list[str]:
    """Installs `packages` where it may; returns those that are still missing, after saying how to get them."""
    if not packages or not is_debian_like():
        return list(packages)
    if os.geteuid() != 0:
        print("足りないシステム部品があります。次で入れられます / missing system packages; to install them:")
        print(f"    {install_line(packages)}", flush=True)
        return list(packages)
    try:
        _apt_get(packages)
    except SetupError as error:  # the rest of set-up does not depend on these
        print(f"{error}", flush=True)
        return list(packages)
    return []


def require(packages: Sequence[str], reason: str) -> None:
    """Stops with the line to type when the next step cannot do without `packages`."""
    if packages and is_debian_like():
        raise SetupError(f"{reason}\n次に / next: {install_line(packages)}")
    if packages:
        raise SetupError(
            f"{reason}\n次に: {' '.join(packages)} を入れて、もう一度実行してください / install it, run this again."
        )


def _apt_get(packages: Sequence[str]) -> None:
    try:
        _run_apt_get("パッケージ一覧の更新 / apt-get update", ["update"], "次に / next: apt-get update")
    except SetupError as error:  # one broken third-party source is enough; Debian's own may have been read
        print(f"{error}\n続けます / going on", flush=True)
    _run_apt_get(
        f"システム部品 / system packages ({len(packages)})",
        ["install", "-y", "--no-install-recommends", *packages],
        f"次に / next: {install_line(packages)}",
    )


def _run_apt_get(title: str, arguments: Sequence[str], next_step: str) -> None:
    # A freshly started machine is often still updating itself and holds dpkg's lock.
    argv = ["apt-get", "-o", "DPkg::Lock::Timeout=300", *arguments]
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    run_step(title, argv, log_name=f"apt-{arguments[0]}", next_step=next_step, env=env)


def _output(command: str, *arguments: str) -> str:
    """What a query command prints; nothing when the command does not exist."""
    path = shutil.which(command, path=SEARCH_PATH)
    if path is None:
        return ""
    return subprocess.run([path, *arguments], capture_output=True, text=True, errors="replace", check=False).stdout
