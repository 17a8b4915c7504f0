"""The program on Windows, as far as Linux can play it (tests/windows_world.py): every module loads, and real commands
with their children work in a home like C:\\Users\\山田 太郎."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINUX_ONLY = ["app.base.desktop_notification"]

if sys.platform != "linux":
    pytest.skip("Windows is played on Linux only", allow_module_level=True)

IMPORT_ALL = """
import importlib, json, pkgutil
import app
failed = {}
names = [module.name for module in pkgutil.walk_packages(app.__path__, "app.")]
for name in names:
    if name != "app.__main__":
        try:
            importlib.import_module(name)
        except Exception as error:
            failed[name] = repr(error)
print(json.dumps({"count": len(names), "failed": failed}))
"""
FILE_WORK = """
import dataclasses, time
from pathlib import Path
from app.base import database as backups
from app.base import paths
from app.base import diagnostics as program_log
from app.base import settings
from app.base.files import work_folder as bin_folder
from app.base.files import work_folder as dated_folder
from app.models import models_folder
from app.training import drafts
from app.chat.store import Store

where = paths.locate()
program_log.set_up_logging(where.logs)
settings.save(where.settings, dataclasses.replace(settings.load(where.settings), language="en"))
settings.save(where.settings, dataclasses.replace(settings.load(where.settings), language="ja"))
store = Store.open(where.database, where.backups)
models_folder.move(where, Path.home() / "モデル 置き場", store)
backups.make_daily_backup(where.database, where.backups, time.time())
store.close()
draft = drafts.create(where.drafts, time.time())
drafts.save(where.drafts, draft, time.time())
run = dated_folder.timestamped_path(where.runs, "学習: 1?", time.time())
run.mkdir(parents=True)
(run / "log.txt").write_text("x", "utf-8")
bin_folder.move_to_bin(run, time.time())
bin_folder.restore_from_bin(where.runs, run.name)
print(where.data)
print(run.name)
"""

COMMANDS = """
from app import cli
for command in ("models list", "models find", "chats list", "eval sets list", "train list"):
    assert cli.main(command.split(), None) == 0, command
"""
IN_MODULES_OF_OURS = """
import json, os, sys, traceback
said = []
for number, code in enumerate(sys.argv[1:]):
    os.mkdir(str(number))
    os.chdir(str(number))
    try:
        exec(code, {"__name__": "app.example"})
        said.append("")
    except Exception as error:
        said.append("".join(traceback.format_exception_only(error)))
    os.chdir("..")
print(json.dumps(said))
"""


class Windows:
    """A home there, and Python started in it."""

    def __init__(self, folder):
        self.home = folder / "C" / "Users" / "山田 太郎"
        self.local = self.home / "AppData/Local"
        self.local.mkdir(parents=True)
        site = folder / "site"
        site.mkdir()
        (site / "sitecustomize.py").write_text("import tests.windows_world\n", encoding="utf-8")
        hidden = ("KOTAE_DATA_DIR", "XDG_DATA_HOME", "LD_LIBRARY_PATH")
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in hidden},
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "LOCALAPPDATA": str(self.local),
            "APPDATA": str(self.home / "AppData/Roaming"),
            "PYTHONPATH": f"{site}{os.pathsep}{ROOT}",
            "PYTHONWARNDEFAULTENCODING": "1",
            "KOTAE_ENGINE": "echo",
            "QT_QPA_PLATFORM": "offscreen",
        }

    def python(self, *arguments, check=True):
        done = subprocess.run(
            [sys.executable, "-P", *map(str, arguments)],
            cwd=self.home, env=self._environment, capture_output=True, encoding="utf-8", check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0 or not check, done.stderr
        return done

    def kotae(self, *arguments):
        return self.python("-m", "app", *arguments).stdout


@pytest.fixture
def windows(tmp_path):
    return Windows(tmp_path)


def test_every_module_loads_where_posix_is_not(windows):
    found = json.loads(windows.python("-c", IMPORT_ALL).stdout)
    assert sorted(found["failed"]) == LINUX_ONLY, found["failed"]
    assert found["count"] > 500


def test_files_are_made_moved_and_deleted_by_the_rules_of_windows(windows):
    data, run = windows.python("-c", FILE_WORK).stdout.splitlines()
    assert data == str(windows.local / "Kotae")
    assert (windows.local / "Kotae/runs" / run).is_dir()
    assert (windows.local / "Kotae/settings.json").exists()


def test_commands_and_their_children_do_their_work(windows):
    (windows.home / "基準 書.md").write_text(
        "# 基準\n\n## 3.2 かぶり\n\nかぶりは 40 mm 以上とする。\n", encoding="utf-8"
    )
    row = {"messages": [{"role": "user", "content": "かぶりは？"}, {"role": "assistant", "content": "40 mm です。"}]}
    (windows.home / "組.jsonl").write_text(json.dumps(row, ensure_ascii=False), encoding="utf-8")
    windows.kotae("docs", "add", "資料", "基準 書.md")
    found = json.loads(windows.kotae("docs", "search", "資料", "かぶり", "--json"))
    assert found["passages"][0]["document"] == "基準 書.md"
    assert json.loads(windows.kotae("data", "check", "組.jsonl", "--json"))
    windows.python("-c", COMMANDS)
    assert not (windows.home / ".local").exists()
    assert {path.name for path in windows.home.iterdir() if path.suffix == ""} <= {"AppData", ".cache"}


REFUSED = {
    "import os; os.geteuid()": "has no attribute 'geteuid'",
    "import os; os.O_NOFOLLOW": "has no attribute 'O_NOFOLLOW'",
    "from signal import SIGKILL": "SIGKILL",
    "import fcntl": "No module named 'fcntl'",
    "import sys, os; assert (sys.platform, os.name) == ('linux', 'posix')": "AssertionError",
    "from pathlib import Path; Path('a').touch(); Path('b').touch(); Path('a').rename('b')": "WinError 183",
    "from pathlib import Path; held = open('a', 'w', encoding='utf-8'); Path('a').unlink()": "WinError 32",
    "from pathlib import Path; Path('d').mkdir(); held = open('d/a', 'wb'); Path('d').rename('e')": "WinError 32",
    "import os; held = open('a', 'wb'); open('b', 'wb').close(); os.replace('b', 'a')": "WinError 32",
    "open('a:b', 'wb')": "WinError 123",
    "from pathlib import Path; Path('aux.txt').touch()": "WinError 123",
    "from pathlib import Path; Path('a').symlink_to('b')": "WinError 1314",
    "import os; os.open('.', os.O_RDONLY)": "a folder cannot be opened",
    "import os; open('a', 'wb').close(); os.fsync(open('a', 'rb'))": "opened for reading only",
    "open('a', 'w')": "EncodingWarning",
}
ALLOWED = "import os; open('a', 'wb').close(); open('b', 'wb').close(); os.replace('b', 'a'); os.unlink('a')"


def test_what_windows_refuses_is_refused_and_nothing_else(windows):
    """In a module of ours; the world would prove nothing otherwise."""
    *said, nothing = json.loads(windows.python("-c", IN_MODULES_OF_OURS, *REFUSED, ALLOWED).stdout)
    assert [code for code, why in zip(REFUSED, said, strict=True) if REFUSED[code] not in why] == []
    assert nothing == ""
