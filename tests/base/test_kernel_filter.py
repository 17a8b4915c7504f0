"""The kernel filter: which sockets a process and its children can still make, past Python and its guard."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.base import settings
from app.base.isolation import network_guard

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 120

# Asks libc and the kernel themselves, in a process of its own: the filter cannot be taken off again.
PROBE = """
import ctypes, json, os, subprocess, sys, threading
from app.base.isolation import network_guard as no_network

system = ctypes.CDLL(None, use_errno=True)
def call(*numbers):
    result = system.syscall(*(ctypes.c_long(number) for number in numbers))
    return [result >= 0, ctypes.get_errno() if result < 0 else 0]

threads = {}
begin, go = threading.Event(), threading.Event()
def other():
    begin.set()
    go.wait()
    threads["inet"] = no_network.can_create_socket(2)
thread = threading.Thread(target=other)
thread.start()
begin.wait()
told = {"state": no_network.install_socket_filter()}
go.set()
thread.join()
families = {"unix": 1, "inet": 2, "inet6": 10, "netlink": 16, "packet": 17, "bluetooth": 31, "vsock": 40, "xdp": 44}
told["families"] = {name: no_network.can_create_socket(number) for name, number in families.items()}
told["thread"] = threads["inet"]
pair = (ctypes.c_int * 2)()
told["pair"] = [system.socketpair(1, 1, 0, pair) == 0, system.socketpair(30, 1, 0, pair) == 0]  # AF_UNIX, AF_TIPC
told["io_uring"] = [call(number, 4, 0) for number in (425, 426, 427)]
x32 = 0x40000000
told["x32"] = call(x32 + 41, 2, 2, 0) if os.uname().machine == "x86_64" else [False, 13]
told["file"] = os.path.exists("/")
child = "from app.base.isolation.network_guard import can_create_socket as can; print([*map(can, (1, 2, 10))])"
told["child"] = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout.strip()
told["again"] = no_network.install_socket_filter()
print(json.dumps(told))
"""


def run(code: str, *arguments: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=os.environ | variables, capture_output=True,
        encoding="utf-8", timeout=LIMIT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def probe() -> dict[str, object]:
    if not network_guard.is_filter_supported():
        pytest.skip("this system has no such filter")
    told: dict[str, object] = json.loads(run(PROBE))
    if told["state"] == "refused":
        pytest.skip("this kernel takes no filter")
    return told


def test_only_sockets_of_this_machine_are_left(probe):
    assert probe["state"] == "on"
    left = {name for name, is_given in probe["families"].items() if is_given}
    assert left == {"unix", "netlink"}
    assert probe["pair"] == [True, False]


def test_threads_that_run_already_are_under_it_too(probe):
    assert probe["thread"] is False


def test_children_inherit_it(probe):
    assert probe["child"] == "[True, False, False]"


def test_there_is_no_way_around_it(probe):
    """io_uring makes sockets without `socket`; the second numbering of x86-64 has calls of its own."""
    assert probe["io_uring"] == [[False, 13]] * 3
    assert probe["x32"] == [False, 13]


def test_files_are_as_before_and_a_second_filter_changes_nothing(probe):
    assert probe["file"] is True
    assert probe["again"] == "on"


def test_without_it_the_same_process_makes_sockets():
    code = (
        "from app.base.isolation import network_guard as n;"
        "print([n.can_create_socket(f) for f in (1, 2)], n.socket_filter_state())"
    )
    assert run(code).strip() == "[True, True] off"


def test_the_variable_of_the_check_lifts_nothing_where_there_is_a_network(probe):
    """Only in a network that has its own loopback alone; this machine's has more, or there is nothing to lift."""
    code = (
        "from pathlib import Path; from app.base.isolation import network_guard as n;"
        "names = {line.partition(':')[0].strip() for line in Path('/proc/net/dev').read_text().splitlines()[2:]};"
        "print(n.install_socket_filter() == ('counted' if names <= {'lo'} else 'on'))"
    )
    assert run(code, KOTAE_OFFLINE_CHECK="1").strip() == "True"


# ------------------------------------------------------------------------------------ which processes are under it

INSTALLED = """
import json, sys
from pathlib import Path
from app.base.isolation import network_guard as no_network
from app.base import settings as network_policy
network_policy.system_policy_file = lambda: Path(sys.argv[1])
no_network.install_socket_filter_for(sys.argv[2:])
print(no_network.socket_filter_state())
"""


def state(policy: Path, *arguments: str, data: Path) -> str:
    return run(INSTALLED, str(policy), *arguments, KOTAE_DATA_DIR=str(data)).strip()


@pytest.mark.parametrize("role", network_guard.OFFLINE_ROLES)
def test_a_child_that_never_needs_a_network_never_has_one(probe, role, tmp_path):
    assert state(tmp_path / "none.toml", role, data=tmp_path) == "on"


@pytest.mark.parametrize("role", network_guard.FETCHING_ROLES)
def test_a_child_that_fetches_has_one_unless_an_administrator_forbids_it(probe, role, tmp_path):
    policy = tmp_path / "policy.toml"
    assert state(policy, role, data=tmp_path / "data") == "off"
    policy.write_text('network = "never"\n', "utf-8")
    assert state(policy, role, data=tmp_path / "data") == "on"


def test_the_window_and_the_commands_follow_the_settings_and_the_policies(probe, tmp_path):
    data, policy = tmp_path / "データ", tmp_path / "none.toml"
    data.mkdir()
    assert state(policy, data=data) == "off"
    (data / "settings.json").write_text('{"network_allowed": false}', "utf-8")
    assert state(policy, data=data) == "on"
    assert state(policy, "models", "list", data=data) == "on"
    assert state(policy, "--data-dir", str(data), data=tmp_path) == "on"
    assert state(policy, "models", f"--data-dir={data}", data=tmp_path) == "on"
    assert state(policy, "--data-dir=", data=data) == "on"  # as good as none
    assert state(policy, data=tmp_path) == "off"
    policy.write_text('network = "never"\n', "utf-8")
    assert state(policy, data=tmp_path) == "on"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"DISPLAY": "localhost:10.0"}, "display"),
        ({"DISPLAY": "192.0.2.1:0"}, "display"),
        ({"DISPLAY": ":0"}, "on"),
        ({"DISPLAY": "unix:0"}, "on"),
        ({"DISPLAY": "/private/tmp/x:0"}, "on"),
        ({"DISPLAY": ""}, "on"),
        ({"DISPLAY": "localhost:10.0", "WAYLAND_DISPLAY": "wayland-0"}, "on"),
        ({"DISPLAY": "localhost:10.0", "QT_QPA_PLATFORM": "offscreen"}, "on"),
        ({"DISPLAY": "localhost:10.0", "WAYLAND_DISPLAY": "wayland-0", "QT_QPA_PLATFORM": "xcb"}, "display"),
    ],
)
def test_a_window_that_another_machine_shows_still_opens(probe, tmp_path, variables, expected):
    """The filter would cut it off from its screen; commands and the window's children have none to lose."""
    (tmp_path / "settings.json").write_text('{"network_allowed": false}', "utf-8")
    around = {"WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": "", "KOTAE_DATA_DIR": str(tmp_path)} | variables
    none = str(tmp_path / "none.toml")
    assert run(INSTALLED, none, **around).strip() == expected
    assert run(INSTALLED, none, "models", "list", **around).strip() == "on"


# ----------------------------------------------------------------------------------------------------------- policies


@pytest.mark.parametrize(
    ("content", "is_forbidden"),
    [
        (b'network = "never"\n', True),
        (b'\xef\xbb\xbfnetwork = "never"\r\n', True),  # as an editor of Windows writes it
        (b'network = "allowed"\n', False),
        (b"# nothing said\n", False),
        (b'[kotae]\nnetwork = "never"\n', True),  # in a place where nobody looks for it
        (b"network_allowed = false\n", True),
        (b"network = " + b"[" * 100_000, True),
        (b'network = "nevr"\n', True),
        (b"network = never\n", True),  # no TOML
        (b"\xff\xfe\x00", True),
        (b"", False),
    ],
)
def test_a_policy_that_is_not_understood_forbids(tmp_path, content, is_forbidden):
    file = tmp_path / "policy.toml"
    file.write_bytes(content)
    assert settings.forbids_network(file) is is_forbidden
    assert settings.policy_forbidding_network(tmp_path, tmp_path / "none") == (file if is_forbidden else None)
    assert settings.policy_forbidding_network(tmp_path / "other", file) == (file if is_forbidden else None)


def test_without_a_file_nothing_is_forbidden(tmp_path):
    assert settings.policy_forbidding_network(tmp_path, tmp_path / "none" / "policy.toml") is None
    assert not settings.is_network_off(tmp_path)


def test_no_variable_moves_the_file_of_the_administrator(monkeypatch):
    before = settings.system_policy_file()
    for name in ("ProgramData", "ALLUSERSPROFILE", "HOME", "XDG_CONFIG_DIRS", "KOTAE_DATA_DIR"):
        monkeypatch.setenv(name, "/elsewhere")
    assert settings.system_policy_file() == before
