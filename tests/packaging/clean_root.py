"""The program where nothing of it is.

    python -m tests.packaging.clean_root NEW.deb NEW.tar.zst OLD.deb OLD.tar.zst KIT

As root on Debian, with debootstrap. In a Debian that has no Python, no compiler and no Qt, the package for Debian and
the archive for a home folder are installed in the version before, used (a question to the trial model from its kit, a
document), brought to the new version with the user's data, and removed again. Only apt has a network; the program is
run without one, by an ordinary user. Every step is printed with its time; the first that goes wrong ends it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.chat.exchange_trees import conversation, document

SUITE = "trixie"
USER = "yamada"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kotae" / f"root-{SUITE}"
QUESTION = "日本の首都はどこですか"
SENTENCE = "かぶりは 70 mm とする。"


class Root:
    """A throw-away Debian: a layer over a base that is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, command: str, *, user: str = "", has_network: bool = False, limit_s: float = 900) -> str:
        """Standard output. Without `user` as root. Raises RuntimeError with all that was said."""
        shell = ["su", "-l", user, "-c", command] if user else ["sh", "-ec", command]
        argv = ["chroot", str(self.folder), *shell]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
        if not has_network:
            argv = ["unshare", "-n", *argv]
        done = subprocess.run(
            argv, capture_output=True, encoding="utf-8", env=environment, timeout=limit_s, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command}\nexit status {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def exists(self, path: str) -> bool:
        return os.path.lexists(self.folder / path.lstrip("/"))

    def put(self, source: Path, path: str) -> None:
        target = self.folder / path.lstrip("/")
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(source, target)


def base() -> Path:
    """Debian's smallest set of packages and this machine's package sources; made once."""
    if not (CACHE / "etc/os-release").is_file():
        sources = Path("/etc/apt/sources.list.d/debian.sources").read_text("utf-8")
        mirror = next(line.split()[1] for line in sources.splitlines() if line.startswith("URIs:"))
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["debootstrap", "--variant=minbase", SUITE, CACHE, mirror], check=True, stdout=subprocess.DEVNULL
        )
        (CACHE / "etc/apt/sources.list").write_text("")
        shutil.copy("/etc/apt/sources.list.d/debian.sources", CACHE / "etc/apt/sources.list.d")
        subprocess.run(["chroot", CACHE, "apt-get", "update"], check=True, stdout=subprocess.DEVNULL)
    for name in ("resolv.conf", "hosts"):
        shutil.copy(f"/etc/{name}", CACHE / "etc" / name)
    return CACHE


@contextmanager
def clean_root():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6g", "tmpfs", folder], check=True)
        try:
            for part in ("upper", "work", "root"):
                (folder / part).mkdir()
            layers = f"lowerdir={base()},upperdir={folder / 'upper'},workdir={folder / 'work'}"
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, folder / "root"], check=True)
            for kind, where in (("proc", "proc"), ("tmpfs", "tmp"), ("tmpfs", "dev/shm")):
                (folder / "root" / where).mkdir(exist_ok=True)
                subprocess.run(["mount", "-t", kind, kind, folder / "root" / where], check=True)
            for device in ("null", "urandom", "zero", "random"):
                node = folder / "root/dev" / device
                node.touch()
                subprocess.run(["mount", "--bind", f"/dev/{device}", node], check=True)
            yield Root(folder / "root")
        finally:
            subprocess.run(["umount", "-R", "-l", folder], check=False)


def main(arguments: Sequence[str]) -> int:
    new_deb, new_archive, old_deb, old_archive, kit = map(Path, arguments)
    with clean_root() as root:
        report(root, "a clean Debian", nothing_there)
        root.run(f"useradd -m -s /bin/bash {USER}")
        root.put(kit, f"/home/{USER}/kit")
        root.run(f"chown -R {USER}: /home/{USER}")
        report(root, f"{old_deb.name}: install", lambda root: install(root, old_deb))
        report(root, "ask, read a document, draw the window", lambda root: use(root, "kotae"))
        report(root, f"{new_deb.name}: upgrade", lambda root: install(root, new_deb))
        report(root, "what was there before, and ask again", lambda root: still_there(root, "kotae"))
        report(root, "remove", remove_package)
        root.run(f"rm -r /home/{USER}/.local")
        report(root, f"{old_archive.name}: install", lambda root: install_archive(root, old_archive))
        kotae = f"/home/{USER}/.local/bin/kotae"
        report(root, "ask, read a document, draw the window", lambda root: use(root, kotae))
        report(root, f"{new_archive.name}: upgrade", lambda root: install_archive(root, new_archive))
        report(root, "what was there before, and ask again", lambda root: still_there(root, kotae))
        report(root, "uninstall", uninstall_archive)
    return 0


def report(root: Root, title: str, step) -> None:
    started = time.monotonic()
    said = step(root) or ""
    print(f"{title}: {said}  [{time.monotonic() - started:.1f} s]", flush=True)


def nothing_there(root: Root) -> str:
    found = [
        name for name in ("python3", "gcc", "cc", "qmake6", "Xvfb") if shutil.which(name, path=f"{root.folder}/usr/bin")
    ]
    assert not found, found
    assert not list(root.folder.glob("usr/lib/*/libQt6*"))
    packages = root.run("dpkg-query -f '.' -W")
    return f"{len(packages)} packages; no Python, no compiler, no Qt"


def install(root: Root, deb: Path) -> str:
    root.put(deb, "/tmp/kotae.deb")
    before = len(root.run("dpkg-query -f '.' -W"))
    root.run("apt-get install -y --no-install-recommends /tmp/kotae.deb", has_network=True)
    root.run("rm /tmp/kotae.deb")
    size = root.run("du -sm $(dirname $(readlink -f $(command -v kotae))) | cut -f1").strip()
    version = root.run("kotae --version", user=USER).strip()
    return f"{version}, {size} MB, {len(root.run('dpkg-query -f . -W')) - before} packages more"


def use(root: Root, kotae: str) -> str:
    root.run(f"{kotae} models import-kit /home/{USER}/kit", user=USER)
    answer = json.loads(root.run(f"{kotae} ask {QUESTION} --json", user=USER))
    assert answer["answer"]
    root.run(
        f"mkdir -p 資料 && printf '# 3 かぶり\\n\\n{SENTENCE}\\n' > 資料/基準.md && {kotae} docs add 基準 資料/基準.md",
        user=USER,
    )
    found = json.loads(root.run(f"{kotae} docs search 基準 かぶり --json", user=USER))
    assert SENTENCE in found["passages"][0]["text"]
    return f"「{answer['answer']}」 in {answer['timings']['total_s']:.1f} s; {window(root, kotae)}"


def window(root: Root, kotae: str) -> str:
    """Started until it takes input, then closed by itself."""
    variables = "KOTAE_REPORT_START=1 QT_QPA_PLATFORM=offscreen"
    told = root.run(f"{variables} {kotae} 2>/dev/null", user=USER)
    return f"window in {json.loads(told)['resident_bytes'] / 1e6:.0f} MB"


def still_there(root: Root, kotae: str) -> str:
    models = json.loads(root.run(f"{kotae} models list --json", user=USER))["models"]
    assert [model["is_present"] for model in models] == [True, True]  # the trial model and the one for searching
    found = json.loads(root.run(f"{kotae} docs search 基準 かぶり --json", user=USER))
    assert SENTENCE in found["passages"][0]["text"]
    answer = json.loads(root.run(f"{kotae} ask かぶりは何ミリですか --collection 基準 --json", user=USER))
    (root.folder / "home" / USER / "会話.json").write_text(json.dumps(document(conversation())), "utf-8")
    root.run(
        f"mkdir -p 書き出し && {kotae} chats import 会話.json && {kotae} chats export --format docx --to 書き出し",
        user=USER,
    )
    assert list((root.folder / "home" / USER / "書き出し").glob("**/*.docx"))
    return f"2 models, 1 document, a conversation as Word file; {answer['verdict']}; {window(root, kotae)}"


def remove_package(root: Root) -> str:
    files = [line for line in root.run("dpkg -L kotae").splitlines() if not (root.folder / line[1:]).is_dir()]
    root.run("apt-get purge -y kotae")
    left = [path for path in files if root.exists(path)]
    assert not left, left
    return f"{len(files)} files, none left; data kept: {kept(root)}"


def install_archive(root: Root, archive: Path) -> str:
    home = root.folder / "home" / USER
    with tempfile.TemporaryDirectory(dir=home) as name:
        subprocess.run(["tar", "--zstd", "-xf", archive, "-C", name], check=True)
        top = next(Path(name).iterdir())
        root.run(f"chown -R {USER}: '/home/{USER}/{Path(name).name}' && chmod 755 '/home/{USER}/{Path(name).name}'")
        root.run(f"sh '/home/{USER}/{Path(name).name}/{top.name}/install.sh'", user=USER)
    return root.run(f"/home/{USER}/.local/bin/kotae --version", user=USER).strip()


def uninstall_archive(root: Root) -> str:
    script = next((root.folder / "home" / USER / ".local/lib/kotae").glob("**/uninstall.sh"))
    root.run(f"sh /{script.relative_to(root.folder)}", user=USER)
    share = f"/home/{USER}/.local/share"
    places = [f"/home/{USER}/.local/bin/kotae", f"/home/{USER}/.local/lib/kotae"]
    places += [f"{share}/{name}" for name in ("applications", "icons", "metainfo")]
    left = [path for path in places if root.exists(path)]
    return f"left: {left or 'nothing'}; data kept: {kept(root)}"


def kept(root: Root) -> str:
    data = root.folder / "home" / USER / ".local/share/Kotae"
    assert (data / "kotae.sqlite").is_file()
    return ", ".join(sorted(re.sub(r".*/", "", str(path)) for path in data.iterdir() if path.suffix == ".sqlite"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
