"""install.sh in real homes: what it puts where, what it leaves alone, and what it says when it cannot go on."""

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dev_scripts import write_script
from tests.installer_trees import (
    BUILT_AT,
    PROGRAM,
    VERSION,
    linux_installers,
    make_share,
    make_tree,
    needs,
    requirements,
    run,
)

if sys.platform != "linux":
    pytest.skip("install.sh is for Linux", allow_module_level=True)

ID = "jp.kotae.Kotae"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The archive, made and unpacked as people do."""
    needs("zstd")
    folder = tmp_path_factory.mktemp("packed")
    tree, share = make_tree(folder / "Kotae"), make_share(folder / "share")
    machine = requirements(platform.machine(), (2, 17), {"libnowhere.so.9": "libnowhere9"})
    packed = linux_installers.pack(tree, share, folder, VERSION, machine, BUILT_AT)
    subprocess.run(["tar", "--zstd", "-xf", packed, "-C", folder], check=True)
    return folder / packed.name.removesuffix(".tar.zst")


class Home:
    """Somebody's home folder, with their data in it, and packages of Kotae beside it."""

    def __init__(self, folder, unpacked):
        self.folder = folder / "家 の フォルダ" / "山田 太郎"
        self.data = self.folder / ".local/share/Kotae"
        self.data.mkdir(parents=True)
        (self.data / "kotae.sqlite").write_text("会話", encoding="utf-8")
        self.lib = self.folder / ".local/lib/kotae"
        self.link = self.folder / ".local/bin/kotae"
        self._unpacked, self._packages = unpacked, folder / "ダウンロード"

    def package(self, version=VERSION, program=PROGRAM, **facts):
        """A package of another version, or with another program or other `facts` of its file `release`."""
        folder = self._packages / f"kotae {version} {len(list(self._packages.glob('*')))}"
        shutil.copytree(self._unpacked, folder, symlinks=True)
        shutil.rmtree(folder / "kotae")
        make_tree(folder / "kotae", program)
        text = (folder / "release").read_text(encoding="utf-8")
        for name, value in {"version": version, **facts}.items():
            text = re.sub(f"^{name}=.*", f"{name}={value}", text, flags=re.MULTILINE)
        (folder / "release").write_text(text, encoding="utf-8")
        return folder

    def install(self, package=None, *arguments, shell="sh", **environment):
        return run(shell, (package or self.package()) / "install.sh", *arguments, home=self.folder, **environment)

    def uninstall(self, **environment):
        return run("sh", self.lib / "uninstall.sh", home=self.folder, **environment)

    def versions(self):
        return sorted(path.name for path in self.lib.iterdir() if path.is_dir() and not path.is_symlink())

    def files(self):
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*"))


@pytest.fixture
def home(tmp_path, unpacked):
    return Home(tmp_path, unpacked)


def exec_path(entry):
    """The one quoted word of a desktop entry's command, read as its specification says: file, quotes, then %%."""
    line = next(line for line in entry.read_text(encoding="utf-8").splitlines() if line.startswith("Exec="))
    quoted = re.sub(r"\\(.)", r"\1", line.removeprefix("Exec="))
    word = re.fullmatch(r'"((?:[^"`$\\]|\\["`$\\])*)" %f', quoted)[1]
    return re.sub(r"\\(.)", r"\1", word).replace("%%", "%")


def stand_in(folder, name, text):
    """A PATH in which one command says something else."""
    write_script(folder / name, f"#!/bin/sh\n{text}\n")
    return f"{folder}:{os.environ['PATH']}"


# --- installing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_the_program_starts_by_its_command_and_from_the_menu(home, shell):
    needs(shell)
    done = home.install(shell=shell)
    assert done.returncode == 0, done.stderr
    assert "Kotae 0.1.0 を入れました" in done.stdout
    assert "installed" not in done.stdout
    assert run(home.link, "ask", home=home.folder).stdout == f"Kotae of {VERSION}: ask\n"
    entry = home.folder / f".local/share/applications/{ID}.desktop"
    assert exec_path(entry) == str(home.lib / "current/Kotae")
    assert (home.lib / "current/_internal/resources/資料 の例/例.txt").read_text(encoding="utf-8") == "例"
    assert (home.lib / "current/_internal/libexample.so").is_symlink()
    for size in (16, 512):
        assert (home.folder / f".local/share/icons/hicolor/{size}x{size}/apps/{ID}.png").read_bytes()[1:4] == b"PNG"
    assert not list(home.lib.glob(".*-*"))


def test_the_installed_entry_is_valid(home):
    needs("desktop-file-validate")
    home.install()
    entry = home.folder / f".local/share/applications/{ID}.desktop"
    checked = run("desktop-file-validate", entry, home=home.folder)
    assert (checked.returncode, checked.stdout) == (0, "")


def test_a_path_full_of_special_characters_is_quoted(home, tmp_path):
    needs("desktop-file-validate")
    prefix = tmp_path / "100%a $HOME `x` \"二\" back\\slash 'q'"
    done = home.install(None, "--prefix", prefix)
    assert done.returncode == 0, done.stderr
    entry = prefix / f"share/applications/{ID}.desktop"
    assert exec_path(entry) == str(prefix / "lib/kotae/current/Kotae")
    assert run("desktop-file-validate", entry, home=home.folder).returncode == 0
    assert run("sh", prefix / "lib/kotae/uninstall.sh", home=home.folder).returncode == 0
    assert not prefix.exists()


def test_a_data_folder_of_ones_own_is_respected(home, tmp_path):
    home.install(XDG_DATA_HOME=str(tmp_path / "共有"))
    assert (tmp_path / f"共有/applications/{ID}.desktop").exists()
    assert not (home.folder / ".local/share/applications").exists()
    home.install(XDG_DATA_HOME="relative")
    assert (home.folder / f".local/share/applications/{ID}.desktop").exists()
    assert not (tmp_path / f"共有/applications/{ID}.desktop").exists()  # of the version before, and gone with it


def test_where_no_desktop_looks_the_command_that_starts_it_is_said(home, tmp_path):
    prefix = tmp_path / "別の 'ところ'"
    lines = home.install(None, "--prefix", prefix).stdout.splitlines()
    assert lines[0].startswith("Kotae 0.1.0 を入れました。アプリの一覧には出ない")
    command = lines[0].partition("：")[2]
    assert shlex.split(command) == [str(prefix / "lib/kotae/current/Kotae")]
    assert run("sh", "-c", f"{command} ask", home=home.folder).stdout == f"Kotae of {VERSION}: ask\n"
    assert not any("次にログインしたときから" in line for line in lines)
    assert "It is not among your applications" in home.install(None, "--prefix", prefix, LANG="C").stdout


@pytest.mark.parametrize("dirs", ["/usr/share:{share}/", "{link}:/usr/share"])
def test_where_desktops_look_the_list_of_applications_is_named(home, tmp_path, dirs):
    prefix = tmp_path / "opt"
    (tmp_path / "link").symlink_to(prefix / "share")
    places = dirs.format(share=prefix / "share", link=tmp_path / "link")
    said = home.install(None, "--prefix", prefix, XDG_DATA_DIRS=places).stdout
    assert "アプリの一覧から「Kotae（答え）」を開いてください" in said
    said = home.install(None, "--prefix", prefix, XDG_DATA_HOME=str(prefix / "share")).stdout
    assert "アプリの一覧から「Kotae（答え）」を開いてください" in said


def test_what_else_the_window_needs_is_said(home):
    needs("ldconfig")
    assert "sudo apt install libnowhere9" in home.install().stdout


def test_a_command_of_the_same_name_is_left_alone(home):
    write_script(home.link, "#!/bin/sh\necho mine\n")
    done = home.install()
    assert done.returncode == 0
    assert f"{home.link} は別のもの" in done.stdout
    assert run(home.link, home=home.folder).stdout == "mine\n"
    assert home.uninstall().returncode == 0
    assert home.link.exists()


def test_outside_japan_it_is_said_in_english_too(home):
    said = home.install(LANG="en_US.UTF-8").stdout
    assert "入れました" in said
    assert "Kotae 0.1.0 is installed" in said


# --- a new version --------------------------------------------------------------------------------------------


def test_a_new_version_keeps_the_data_and_one_version_before(home):
    for version in ("0.1.0", "0.2.0", "0.3.0"):
        assert home.install(home.package(version)).returncode == 0
    assert home.versions() == ["0.2.0", "0.3.0"]
    assert run(home.link, home=home.folder).stdout == "Kotae of 0.3.0: \n"
    assert (home.data / "kotae.sqlite").read_text(encoding="utf-8") == "会話"
    assert not (home.lib / "0.1.0.files").exists()


def test_the_version_before_comes_back_as_the_help_says(home):
    home.install(home.package("0.1.0"))
    home.install(home.package("0.2.0"))
    assert "ln -sfn 前の版の名前 ~/.local/lib/kotae/current" in home.install(None, "--help").stdout
    subprocess.run(["ln", "-sfn", "0.1.0", home.lib / "current"], check=True)
    assert run(home.link, home=home.folder).stdout == "Kotae of 0.1.0: \n"


def test_the_same_version_again_gets_a_folder_of_its_own(home):
    home.install()
    home.install()
    assert home.versions() == ["0.1.0", "0.1.0-2"]
    assert run(home.link, home=home.folder).stdout == "Kotae of 0.1.0-2: \n"
    for _ in range(3):
        before = (home.lib / "current").readlink().name
        home.install()
        assert home.versions() == sorted([before, (home.lib / "current").readlink().name])


def test_attempts_that_fail_behind_the_program_leave_one_version_before_too(home):
    """What the desktop has of it cannot be written; each attempt has put one more program there."""
    (home.folder / ".local/share/applications").write_text("", encoding="utf-8")
    for version in ("0.1.0", "0.2.0", "0.3.0"):
        done = home.install(home.package(version))
        assert done.returncode == 1
        assert "applications に書き込めません" in done.stderr
    assert home.versions() == ["0.2.0", "0.3.0"]
    (home.folder / ".local/share/applications").unlink()
    assert home.install(home.package("0.4.0")).returncode == 0
    assert home.versions() == ["0.3.0", "0.4.0"]


def test_what_is_running_stays_until_it_has_ended(home):
    sleeper = Path(shutil.which("sleep"))
    home.install(home.package("0.1.0", sleeper))
    with subprocess.Popen([home.link, "600"]) as running:
        home.install(home.package("0.2.0", sleeper))
        home.install(home.package("0.3.0", sleeper))
        assert home.versions() == ["0.1.0", "0.2.0", "0.3.0"]
        assert running.poll() is None
        running.kill()
    home.install(home.package("0.4.0", sleeper))
    assert home.versions() == ["0.3.0", "0.4.0"]


def test_what_a_program_has_open_there_stays_until_it_is_closed(home):
    home.install(home.package("0.1.0"))
    with (home.lib / "0.1.0/_internal/resources/資料 の例/例.txt").open(encoding="utf-8"):
        home.install(home.package("0.2.0"))
        home.install(home.package("0.3.0"))
        assert home.versions() == ["0.1.0", "0.2.0", "0.3.0"]
    home.install(home.package("0.4.0"))
    assert home.versions() == ["0.3.0", "0.4.0"]


def test_a_version_that_does_not_start_is_not_taken(home):
    home.install(home.package("0.1.0"))
    done = home.install(home.package("0.2.0", "#!/bin/sh\necho libz がありません >&2\nexit 127\n"))
    assert done.returncode == 1
    assert "新しい版が起動しない" in done.stderr
    assert "libz がありません" in done.stderr
    assert home.versions() == ["0.1.0"]
    assert run(home.link, home=home.folder).stdout == "Kotae of 0.1.0: \n"


def test_what_a_killed_installation_left_is_cleared(home):
    home.install(home.package("0.1.0"))
    (home.lib / ".new-7" / "_internal").mkdir(parents=True)
    (home.lib / ".files-7").touch()
    home.install(home.package("0.2.0"))
    assert not list(home.lib.glob(".*-*"))


def test_two_at_once_do_not_meet(home):
    import fcntl  # not where this file is skipped

    needs("flock")
    home.install(home.package("0.1.0"))
    before = home.files()
    with (home.lib / ".lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for done in (home.install(home.package("0.2.0")), home.uninstall()):
            assert done.returncode == 1
            assert "別の install.sh が動いています" in done.stderr
    assert home.files() == before
    assert home.install(home.package("0.2.0")).returncode == 0


def test_a_folder_that_another_installation_has_made_goes_too(home):
    home.lib.mkdir(parents=True)
    home.install()
    assert home.uninstall().returncode == 0
    assert not home.lib.exists()


def test_a_folder_that_is_called_otherwise_is_the_same_one(home, tmp_path):
    """Through a link, or with a slash more: what was just installed is not taken for what is gone."""
    before = home.files()
    (tmp_path / "link").symlink_to(home.folder)
    link = tmp_path / "link"
    said = home.install(home.package("0.1.0"), HOME=str(link), PATH=f"{link}/.local/bin:{os.environ['PATH']}").stdout
    assert "PATH に加えて" not in said
    home.install(home.package("0.2.0"))
    home.install(home.package("0.3.0"), "--prefix", f"{home.folder}/.local//")
    assert home.versions() == ["0.2.0", "0.3.0"]
    assert run(home.link, home=home.folder).stdout == "Kotae of 0.3.0: \n"
    assert (home.folder / f".local/share/applications/{ID}.desktop").exists()
    assert home.uninstall(HOME=str(tmp_path / "link")).returncode == 0
    assert home.files() == before


def test_what_runs_is_seen_through_a_link_too(home, tmp_path):
    (tmp_path / "link").symlink_to(home.folder)
    environment = {"HOME": str(tmp_path / "link")}
    package = home.package("0.1.0", Path(shutil.which("sleep")))
    home.install(package, **environment)
    with subprocess.Popen([home.link, "600"]) as running:
        done = run("sh", package / "install.sh", "--uninstall", home=home.folder, **environment)
        running.kill()
    assert done.returncode == 1
    assert "Kotae を閉じてから" in done.stderr


# --- removing -------------------------------------------------------------------------------------------------


def test_removing_leaves_exactly_what_was_there_before(home):
    (home.folder / ".local/bin").mkdir()  # an empty folder of theirs
    before = home.files()
    home.install(home.package("0.1.0"))
    home.install(home.package("0.2.0"))
    done = home.uninstall()
    assert done.returncode == 0, done.stderr
    assert home.files() == before


def test_removing_says_where_the_data_are_and_how_they_go(home):
    home.install()
    lines = home.uninstall().stdout.splitlines()
    assert lines[0] == "Kotae を取り除きました。"
    assert lines[1].endswith(str(home.data))
    command = lines[2].partition("：")[2]
    assert shlex.split(command) == ["rm", "-r", str(home.data)]
    assert home.data.exists()
    subprocess.run(["sh", "-c", command], check=True)
    assert not home.data.exists()


def test_removing_from_the_unpacked_archive_does_the_same(home):
    package = home.package()
    before = home.files()
    home.install(package)
    assert run("sh", package / "uninstall.sh", home=home.folder, LANG="C").stdout.count("removed") == 1
    assert home.files() == before


def test_a_file_of_somebody_else_stays(home):
    home.install()
    note = home.lib / VERSION / "_internal" / "メモ.txt"
    note.write_text("x", encoding="utf-8")
    assert home.uninstall().returncode == 0
    assert note.exists()
    assert not (home.lib / VERSION / "Kotae").exists()


def test_nothing_is_removed_while_kotae_runs(home):
    home.install(home.package("0.1.0", Path(shutil.which("sleep"))))
    before = home.files()
    with subprocess.Popen([home.link, "600"]) as running:
        done = home.uninstall()
        running.kill()
    assert done.returncode == 1
    assert "Kotae を閉じてから" in done.stderr
    assert home.files() == before


def test_where_nothing_is_installed_that_is_said(home):
    done = run("sh", home.package() / "uninstall.sh", home=home.folder)
    assert done.returncode == 1
    assert "Kotae は入っていません" in done.stderr


# --- what keeps it from installing ----------------------------------------------------------------------------


def refused(home, done, words):
    """It said so, in a line, and left nothing behind."""
    assert done.returncode == 1, done.stdout
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(home.folder.rglob(".new-*"))
    assert not home.link.is_symlink()


@pytest.mark.parametrize(
    ("commands", "words"),
    [
        ({"uname": "echo armv7l"}, "この PC の CPU（armv7l）では動きません"),
        (
            {"getconf": "exit 1", "ldd": 'echo "ldd (Debian GLIBC 2.31-13+deb11u5) 2.31"'},
            "glibc（2.31）は古すぎます",
        ),
        ({"getconf": "exit 1", "ldd": "echo 'musl libc (x86_64)' >&2; exit 1"}, "glibc が見つかりません"),
    ],
)
def test_another_processor_or_c_library_is_refused(home, tmp_path, commands, words):
    for name, text in commands.items():
        path = stand_in(tmp_path / "stand-in", name, text)
    refused(home, home.install(home.package(glibc="2.34"), PATH=path), words)


@pytest.mark.parametrize("said", ["echo glibc 2.9", "echo glibc 2.33", "echo glibc 1.99"])
def test_an_old_c_library_is_refused(home, tmp_path, said):
    path = stand_in(tmp_path / "stand-in", "getconf", said)
    refused(home, home.install(home.package(glibc="2.34"), PATH=path), "は古すぎます。2.34 以上が要ります")


@pytest.mark.parametrize("said", ["echo glibc 2.34", "echo glibc 2.100", "echo glibc 3.0"])
def test_a_new_c_library_is_taken(home, tmp_path, said):
    path = stand_in(tmp_path / "stand-in", "getconf", said)
    assert home.install(home.package(glibc="2.34"), PATH=path).returncode == 0


@pytest.mark.parametrize(
    ("facts", "arguments", "environment", "words"),
    [
        ({}, ("--prefix", "/proc/kotae"), {}, "/proc/kotae に書き込めません"),
        ({"size_kib": 10**12}, (), {}, "976562501 MB 空けて"),  # said before anything is copied
        ({}, (), {"SUDO_USER": "yamada"}, "sudo は要りません"),
        ({}, (), {"HOME": ""}, "HOME を設定してください"),
    ],
)
def test_a_place_without_room_or_rights_and_a_home_that_is_not_known_are_refused(
    home, facts, arguments, environment, words
):
    refused(home, home.install(home.package(**facts), *arguments, **environment), words)


def test_a_script_without_its_archive_is_refused(home, tmp_path):
    (tmp_path / "alone").mkdir()
    shutil.copy(home.package() / "install.sh", tmp_path / "alone")
    refused(home, home.install(tmp_path / "alone"), "アーカイブ全体を展開し")


@pytest.mark.parametrize(
    ("arguments", "japanese", "english"),
    [
        (["--unknown"], "知らない指定です：--unknown", "Unknown option: --unknown"),
        (["--prefix"], "--prefix の置き場所がありません", "--prefix needs a place"),
        (["--prefix", ""], "--prefix の置き場所がありません", "--prefix needs a place"),
        (["--prefix="], "--prefix の置き場所がありません", "--prefix needs a place"),
        (["extra"], "余分な指定です：extra", "Unexpected argument: extra"),
    ],
)
def test_wrong_usage_is_said_and_shows_the_help(home, arguments, japanese, english):
    before = home.files()
    done = home.install(None, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(japanese)
    assert english not in done.stderr
    assert english in home.install(None, *arguments, LC_ALL="C.UTF-8").stderr
    assert "使い方" in done.stderr
    assert home.files() == before


def mounted(home, options, package):
    """install.sh into a file system of its own with `options`; skips where nobody may mount one."""
    prefix = home.folder / "mounted"
    prefix.mkdir()
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o {options} none {shlex.quote(str(prefix))}"
    if shutil.which("unshare") is None or run(*own, "sh", "-c", mount, home=home.folder).returncode != 0:
        pytest.skip("no file system can be mounted here")
    install = f"sh {shlex.quote(str(package / 'install.sh'))} --prefix {shlex.quote(str(prefix))}"
    after = f"find {shlex.quote(str(prefix))} -name '.new-*'"
    return run(*own, "sh", "-c", f"{mount} && {install}; code=$?; {after}; exit $code", home=home.folder)


def test_a_place_where_nothing_can_be_run_is_refused(home):
    done = mounted(home, "size=8m,noexec", home.package())
    refused(home, done, "プログラムを実行できません（noexec）")
    assert ".new" not in done.stdout


def test_a_disk_that_fills_up_while_copying_is_cleared(home):
    package = home.package(size_kib=1)  # as if somebody else had filled it meanwhile
    (package / "kotae/_internal/large").write_bytes(bytes(2_000_000))
    done = mounted(home, "size=1m", package)
    assert done.returncode == 1
    assert "ディスクの空きが足りません" in done.stderr
    assert ".new" not in done.stdout
