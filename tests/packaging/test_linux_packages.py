"""What is built for Linux: the archive, the package for Debian, what desktops read of them, and their requirements."""

import gzip
import hashlib
import os
import platform
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PySide6.QtCore import QLibraryInfo
from PySide6.QtGui import QImage

from app import DESKTOP_ID, __version__
from tests.dev_scripts import ROOT, isolate, steps
from tests.installer_trees import (
    BUILT_AT,
    VERSION,
    archive,
    completions,
    deb,
    desktop_files,
    elf,
    icons,
    linux_installers,
    linux_requirements,
    make_share,
    make_tree,
    needs,
    requirements,
    run,
)

if sys.platform != "linux":
    pytest.skip("packages for Linux are made on Linux", allow_module_level=True)


@pytest.fixture(scope="module")
def share(tmp_path_factory):
    return make_share(tmp_path_factory.mktemp("desktop") / "share")


@pytest.fixture
def tree(tmp_path):
    """With a real program in it."""
    return make_tree(tmp_path / "Kotae", Path("/usr/bin/sleep"))


def output(*argv):
    return subprocess.run([str(word) for word in argv], check=True, capture_output=True, encoding="utf-8").stdout


# --- all of it ------------------------------------------------------------------------------------------------


def test_the_recipe_is_read_by_a_python_without_packages():
    code = f"import sys; sys.path.insert(0, {str(ROOT / 'packaging')!r}); import bundle"
    done = run(sys.executable, "-I", "-S", "-c", code, home=ROOT)
    assert done.returncode == 0, done.stderr


def test_one_call_makes_everything_with_its_sums(tmp_path, tree):
    needs("zstd")
    needs("dpkg-deb")
    packed, package, sums = linux_installers.build(tree, tmp_path / "out", VERSION, Path(sys.executable))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        [packed.name, package.name, "SHA256SUMS"]
    )
    assert packed.name == f"kotae-{VERSION}-linux-{platform.machine()}.tar.zst"
    done = subprocess.run(["sha256sum", "-c", sums.name], cwd=sums.parent, capture_output=True, check=False)
    assert done.returncode == 0


# --- archive --------------------------------------------------------------------------------------------------


def test_the_same_files_make_the_same_archive(tmp_path, share):
    needs("zstd")
    made = []
    for place, mode in (("一", 0o600), ("二", 0o664)):
        tree = make_tree(tmp_path / place / "Kotae")
        example = tree / "_internal/libexample.so.1"
        example.chmod(mode)
        os.utime(example, (mode, mode))
        (tmp_path / place / "out").mkdir()
        made.append(linux_installers.pack(tree, share, tmp_path / place / "out", VERSION, requirements(), BUILT_AT))
    assert made[0].read_bytes() == made[1].read_bytes()


def test_the_archive_holds_the_tree_its_scripts_and_the_licence(tmp_path, tree, share):
    needs("zstd")
    (tree / "NOTICES.txt").write_text("notices", encoding="utf-8")
    found = requirements("x86_64", (2, 36), {"libGL.so.1": "libgl1"})
    packed = linux_installers.pack(tree, share, tmp_path, VERSION, found, BUILT_AT)
    plain = tmp_path / "plain.tar"
    subprocess.run(["zstd", "-q", "-d", packed, "-o", plain], check=True)
    with tarfile.open(plain) as tar:
        members = {member.name.partition("/")[2]: member for member in tar.getmembers()}
        facts = tar.extractfile(members["release"]).read().decode()
    assert {"install.sh", "uninstall.sh", "LICENSE", "NOTICES.txt", "kotae/Kotae"} <= set(members)
    assert members["install.sh"].mode == members["kotae/Kotae"].mode == 0o755
    assert members["kotae/_internal/libexample.so"].linkname == "libexample.so.1"
    assert members["kotae/_internal/libexample.so.1"].mode == 0o644
    assert {(member.uid, member.gid, member.mtime) for member in members.values()} == {(0, 0, BUILT_AT)}
    assert "glibc=2.36\n" in facts
    assert "libraries=libGL.so.1:libgl1\n" in facts


def test_without_zstd_it_says_what_to_install(tmp_path, monkeypatch):
    isolate(tmp_path, monkeypatch)
    with pytest.raises(steps.SetupError, match="apt-get install -y zstd"):
        archive.pack(tmp_path, tmp_path / "x.tar.zst", BUILT_AT)


def test_an_archive_that_cannot_be_written_leaves_none(tmp_path, tree):
    needs("zstd")
    with pytest.raises(steps.SetupError):
        archive.pack(tree, tmp_path / "no such folder" / "x.tar.zst", BUILT_AT)
    assert not list(tmp_path.glob("**/*.part"))


def test_the_time_of_a_build_is_the_one_that_is_given(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1234567890")
    assert archive.build_time() == 1234567890
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert archive.build_time() > BUILT_AT - 10**8


# --- what desktops read ---------------------------------------------------------------------------------------


def test_the_window_and_its_entry_have_one_name(share):
    assert desktop_files.APP_ID == DESKTOP_ID
    assert (share / f"applications/{DESKTOP_ID}.desktop").exists()
    entry = (share / f"applications/{DESKTOP_ID}.desktop").read_text(encoding="utf-8")
    assert f"\nIcon={DESKTOP_ID}\n" in entry
    assert "\nName[ja]=Kotae（答え）\n" in entry


def test_the_entry_is_valid(share):
    needs("desktop-file-validate")
    done = run("desktop-file-validate", share / f"applications/{DESKTOP_ID}.desktop", home=share)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_page_of_the_software_centre_is_valid(share):
    needs("appstreamcli")
    page = share / f"metainfo/{DESKTOP_ID}.metainfo.xml"
    # There is no home page yet that it could name.
    done = run("appstreamcli", "validate", "--no-net", "--override", "url-homepage-missing=info", page, home=share)
    assert done.returncode == 0, done.stdout
    assert "W:" not in done.stdout
    assert "E:" not in done.stdout


def test_the_page_names_this_release(share):
    page = ElementTree.parse(share / f"metainfo/{DESKTOP_ID}.metainfo.xml")
    release = page.find("releases/release")
    assert release.get("version") == __version__
    assert release.get("date") == time.strftime("%Y-%m-%d", time.gmtime(BUILT_AT))
    points = [point.text for point in release.findall("description/ul/li")]
    assert len(points) == desktop_files.MOST_CHANGES
    assert "`" not in "".join(points)


def test_changes_are_those_of_the_version_that_is_asked_for():
    changelog = "# C\n\nText.\n\n## Unreleased (0.2.0)\n\n- `a`\n  goes on.\n- **b**\n\n## 0.1.0\n\n- c & d\n"
    assert desktop_files.changes_of(changelog, "0.2.0") == ["a goes on.", "b"]
    assert desktop_files.changes_of(changelog, "0.1.0") == ["c & d"]
    assert "<li>c &amp; d</li>" in desktop_files.releases("0.1.0", BUILT_AT, ["c & d"])
    with pytest.raises(steps.SetupError, match=r"0\.3\.0"):
        desktop_files.changes_of(changelog, "0.3.0")


# --- icons ----------------------------------------------------------------------------------------------------


def test_icons_have_the_size_they_are_named_by(share):
    for size in icons.HICOLOR_SIZES_PX:
        image = QImage(str(share / f"icons/hicolor/{size}x{size}/apps/{DESKTOP_ID}.png"))
        assert (image.width(), image.height()) == (size, size)
        assert image.pixelColor(size // 2, size // 8).name() == "#1f5a96"


def test_the_icon_of_windows_holds_every_size(tmp_path):
    data = icons.write_ico(tmp_path / "kotae.ico").read_bytes()
    kind, count = struct.unpack_from("<HH", data, 2)
    assert (kind, count) == (1, 7)
    widths = []
    for index in range(count):
        side, _, _, _, _, _, length, place = struct.unpack_from("<BBBBHHII", data, 6 + 16 * index)
        image = QImage.fromData(data[place : place + length], "PNG")
        assert image.width() == (side or 256)
        widths.append(image.width())
    assert widths == [16, 24, 32, 48, 64, 128, 256]
    assert place + length == len(data)


def test_the_icon_of_macos_holds_every_size(tmp_path):
    data = icons.write_icns(tmp_path / "kotae.icns").read_bytes()
    assert data[:4] == b"icns"
    assert struct.unpack_from(">I", data, 4) == (len(data),)
    place, found = 8, {}
    while place < len(data):
        kind, length = struct.unpack_from(">4sI", data, place)
        found[kind.decode()] = QImage.fromData(data[place + 8 : place + length], "PNG").width()
        place += length
    del found["TOC "]
    assert found == dict(ic11=32, ic12=64, ic07=128, ic13=256, ic08=256, ic14=512, ic09=512, ic10=1024)  # noqa: C408


# --- what the bundle asks for ---------------------------------------------------------------------------------


def qt_library(name):
    return Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.LibrariesPath)) / name


def test_a_librarys_needs_are_read_from_its_headers():
    found = elf.read(qt_library("libQt6Gui.so.6"))
    assert found.machine == platform.machine()
    assert {"libEGL.so.1", "libfontconfig.so.1", "libQt6Core.so.6", "libc.so.6"} <= set(found.needed_libraries)
    assert elf.newest(found.versions, "GLIBC_") >= (2, 17)


def test_a_library_loads_without_the_zeros_between_its_parts(tmp_path):
    needs("gcc")
    source, wide, narrow = (tmp_path / name for name in ("count.c", "wide.so", "narrow.so"))
    source.write_text("int count(void) { static int number = 41; return ++number; }")
    argv = ["gcc", "-shared", "-fPIC", "-Wl,-z,max-page-size=0x200000", "-Wl,-z,noseparate-code"]
    subprocess.run([*argv, "-o", wide, source], check=True)
    narrow.write_bytes(elf.without_gap(wide.read_bytes()))
    assert narrow.stat().st_size < wide.stat().st_size / 10
    assert elf.read(narrow) == elf.read(wide)
    asked = "import ctypes, sys; print(ctypes.CDLL(sys.argv[1]).count())"
    assert subprocess.run([sys.executable, "-c", asked, narrow], capture_output=True, check=True).stdout == b"42\n"


def test_a_library_without_a_gap_stays_as_it_is():
    data = qt_library("libQt6Core.so.6").read_bytes()
    assert elf.without_gap(data) is data


@pytest.mark.parametrize(
    "data", [b"", b"#!/bin/sh\n", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + bytes(80), b"\x7fELF\x01\x01"]
)
def test_what_is_no_whole_program_is_none(tmp_path, data):
    (tmp_path / "x").write_bytes(data)
    found = elf.read(tmp_path / "x")
    assert found is None or found.needed_libraries == ()


def test_the_newest_version_counts():
    versions = {"GLIBC_2.2.5", "GLIBC_2.34", "GLIBC_2.4", "GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR", "GLIBCXX_3.4.32"}
    assert elf.newest(versions, "GLIBC_") == (2, 34)
    assert elf.newest(versions, "GLIBCXX_") == (3, 4, 32)
    assert elf.newest(versions, "CXXABI_") == ()


def put(tree, *names):
    for name in names:
        (tree / "_internal" / name).write_bytes(qt_library(name).read_bytes())


def test_what_the_bundle_does_not_carry_becomes_a_dependency(tree):
    names = ("libQt6Core.so.6", "libQt6Gui.so.6", "libQt6DBus.so.6", "libQt6XcbQpa.so.6")
    put(tree, *names, *(path.name for path in qt_library("").glob("libicu*.so.*")))
    found = linux_requirements.read(tree, "x86_64")
    assert found.machine == platform.machine()
    assert {"libgl1", "libegl1", "libxcb-cursor0", "libfontconfig1"} <= set(found.libraries.values())
    (tree / "_internal/libxcb-cursor.so.0").write_bytes(b"carried")
    assert "libxcb-cursor0" not in linux_requirements.read(tree, "x86_64").depends()


def test_a_library_of_no_known_package_stops_the_build(tree):
    put(tree, "libQt6Widgets.so.6")
    with pytest.raises(steps.SetupError, match=r"libQt6Core\.so\.6"):
        linux_requirements.read(tree, "x86_64")


def test_a_tree_without_programs_is_for_the_machine_that_is_named(tmp_path):
    found = linux_requirements.read(make_tree(tmp_path / "Kotae"), "aarch64")
    assert (found.machine, found.glibc, found.libraries) == ("aarch64", linux_requirements.OLDEST_GLIBC, {})


# --- the package for Debian -----------------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, tree, share):
    needs("dpkg-deb")
    found = requirements("x86_64", (2, 36), {"libGL.so.1": "libgl1", "libglib-2.0.so.0": "libglib2.0-0"})
    return deb.build(tree, share, tmp_path, VERSION, found, BUILT_AT)


def test_the_package_names_what_it_needs(package):
    assert package.name == f"kotae_{VERSION}_amd64.deb"
    fields = dict(
        line.split(": ", 1) for line in output("dpkg-deb", "-f", package).splitlines() if not line.startswith(" ")
    )
    assert fields["Package"] == "kotae"
    assert fields["Depends"] == "libc6 (>= 2.36), libgl1, libglib2.0-0t64 | libglib2.0-0"
    assert int(fields["Installed-Size"]) > 50
    assert "fonts-noto-cjk" in fields["Recommends"]


def test_the_package_puts_files_where_they_belong(package):
    listed = output("dpkg-deb", "-c", package)
    assert "./usr/bin/kotae -> ../lib/kotae/Kotae" in listed
    lines = {line.split(maxsplit=5)[5]: line for line in listed.splitlines()}
    assert lines["./usr/lib/kotae/Kotae"].startswith("-rwxr-xr-x root/root")
    assert lines["./usr/lib/kotae/_internal/libexample.so.1"].startswith("-rw-r--r-- root/root")
    for name in (f"applications/{DESKTOP_ID}.desktop", "doc/kotae/copyright", "man/man1/kotae.1.gz"):
        assert f"./usr/share/{name}" in lines
    assert not any(name.startswith(("./opt", "./usr/local", "./home")) for name in lines)


def test_the_packages_sums_are_those_of_its_files(package, tmp_path):
    subprocess.run(["dpkg-deb", "-R", package, tmp_path / "out"], check=True)
    sums = (tmp_path / "out/DEBIAN/md5sums").read_text(encoding="utf-8").splitlines()
    files = [path for path in (tmp_path / "out/usr").rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(sums) == len(files)
    for line in sums:
        digest, name = line.split("  ", 1)
        assert hashlib.md5((tmp_path / "out" / name).read_bytes()).hexdigest() == digest
    changelog = gzip.decompress((tmp_path / "out/usr/share/doc/kotae/changelog.gz").read_bytes()).decode()
    assert changelog.startswith(f"kotae ({VERSION}) ")
    assert max(map(len, changelog.splitlines())) <= 80


def test_lintian_finds_nothing(package):
    needs("lintian")
    done = run("lintian", "--tag-display-limit", "0", "--allow-root", package, home=package.parent)
    assert [line for line in done.stdout.splitlines() if line.startswith(("E:", "W:"))] == []


def test_the_same_tree_makes_the_same_package(package, tmp_path, tree, share):
    first = package.read_bytes()
    found = requirements("x86_64", (2, 36), {"libGL.so.1": "libgl1", "libglib-2.0.so.0": "libglib2.0-0"})
    assert deb.build(tree, share, tmp_path, VERSION, found, BUILT_AT).read_bytes() == first


@pytest.mark.parametrize(
    ("version", "debian"),
    [("0.1.0", "0.1.0"), ("0.2.0rc1", "0.2.0~rc1"), ("1.0.0a2", "1.0.0~a2"), ("0.2.0.dev3", "0.2.0~dev3")],
)
def test_a_preliminary_version_sorts_before_the_version(version, debian):
    assert deb.debian_version(version) == debian


def test_without_dpkg_it_says_what_to_install(tmp_path, monkeypatch, tree, share):
    isolate(tmp_path, monkeypatch)
    with pytest.raises(steps.SetupError, match="apt-get install -y dpkg"):
        deb.build(tree, share, tmp_path, VERSION, requirements(), BUILT_AT)


def test_every_script_is_read_by_every_shell():
    for script in (ROOT / "packaging/linux").glob("*.sh"):
        for shell in ("sh", "dash", "bash"):
            needs(shell)
            assert run(shell, "-n", script, home=ROOT).stderr == ""


# --- file type and completions --------------------------------------------------------------------------------


def test_desktops_know_gguf_files_by_their_content_and_open_them_with_the_program(share, tmp_path):
    needs("update-mime-database")
    mime = tmp_path / "mime"
    shutil.copytree(share / "mime", mime)
    done = run("update-mime-database", mime, home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "application/x-gguf:*.gguf" in (mime / "globs").read_text()
    assert b"application/x-gguf" in (mime / "magic").read_bytes()
    entry = (share / f"applications/{DESKTOP_ID}.desktop").read_text(encoding="utf-8")
    assert {"MimeType=application/x-gguf;", "Exec=kotae %f"} <= set(entry.splitlines())


@pytest.mark.parametrize("shell", completions.PLACES)
def test_a_shell_completes_commands_and_options(share, shell):
    text = (share / completions.PLACES[shell]).read_text(encoding="utf-8")
    assert {"offline-check", "download", "quant"} <= set(re.findall(r"[\w-]*[a-z]", text.replace("--quant", " quant ")))
    if shell == "bash":
        completed = 'COMP_WORDS=(kotae mod); COMP_CWORD=1; _shtab_kotae; echo "${COMPREPLY[*]}"'
        assert output("bash", "-c", f"{text}\n{completed}").strip() == "models"
    elif shutil.which(shell):
        run(shell, "-n", share / completions.PLACES[shell], home=share)
