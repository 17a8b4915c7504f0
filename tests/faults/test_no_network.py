"""Nothing leaves the machine: what the system calls show, what works without a network, and what the guard refuses."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image, ImageDraw, ImageFont

from app.base.isolation import network_guard
from app.base.paths import resources
from app.models import starter
from tests import forked_program
from tests.faults.window_process import ROOT, WindowProcess, environment, screen

KOTAE = [sys.executable, "-m", "app"]
ROLES = ("window", "cli", "engine", "template", "reader")
FILTERED = ("engine", "template", "reader")
LIMIT_S = 180


def _is_possible(command: Sequence[str]) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


@pytest.fixture(scope="session")
def strace() -> list[str]:
    """The tracer's command; ends the test where it is missing or not permitted."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    if not _is_possible(["strace", "-f", "-o", os.devnull, "true"]):
        pytest.skip("this machine does not permit ptrace")
    return ["strace", "-f", "-e", "trace=%network,execve", "-e", "signal=none", "-s", "200"]


@pytest.fixture(scope="session")
def without_network() -> list[str]:
    if not _is_possible(["unshare", "-rn", "true"]):
        pytest.skip("this machine does not permit user namespaces")
    return ["unshare", "-rn"]


def foreign_families(trace: str) -> set[str]:
    """Address families in a trace that are not the machine's own files."""
    return set(re.findall(r"\b[AP]F_[A-Z0-9]+", trace)) - {"AF_UNIX", "AF_LOCAL", "AF_UNSPEC"}


def programs(trace: str, argument: str) -> int:
    """How many traced processes were started with this argument; beside others the outcome is in a line of its own."""
    return len(re.findall(rf'execve\(.*"{argument}".*(?:\) = 0| <unfinished \.\.\.>)$', trace, re.MULTILINE))


def _status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


def _filters(pid: int) -> set[tuple[bool, int]]:
    """Each kind of child of this process: whether it is an engine, and how many filters of the kernel it has."""
    found = set()
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess, OSError):  # ended meanwhile
            found.add(("--engine" in child.cmdline(), int(_status(child.pid, "Seccomp_filters"))))
    return found


def _leading_astray() -> dict[str, str | None]:
    """Every way that libraries know of to be sent somewhere; without what keeps some of them silent."""
    unset = dict.fromkeys((*network_guard.SWITCHES, "CI", "NO_PROXY", "no_proxy"))
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    return unset | dict.fromkeys((*proxies, "HF_ENDPOINT", "PIP_INDEX_URL"), "http://127.0.0.1:9")


def _window_session(
    data: Path,
    tiny: Path,
    before: Sequence[str] = (),
    *,
    with_trial_model: bool = False,
    look: Callable[[WindowProcess], None] = lambda _window: None,
    **changes: str | None,
) -> None:
    """Import, settings, a question that the real engine answers, every page, close. `look`: after the answer."""
    env = environment(KOTAE_ENGINE=None, **changes)
    with WindowProcess(data, env=env, before=before, limit_s=LIMIT_S) as window:
        if with_trial_model and starter.is_available():
            window.wait_for("imported", window.tell("starter"))
        imported = window.wait_for("imported", window.tell("import", str(tiny)))
        window.tell("change", {"model_id": imported["id"], "text_scale_percent": 115, "theme": "dark"})
        window.tell("answer_by", {"max_tokens": 8})
        for page in ("documents", "models", "settings", "ask"):
            window.wait_for("page", window.tell("page", page))
        answer = window.ask("橋脚のかぶりは？")
        assert answer["status"] == "done", answer
        look(window)
        window.wait_for("traffic", window.tell("close"), refused=0)
        assert window.wait() == 0, window.stderr()


def _commands(tiny: Path, *, with_trial_model: bool = False) -> list[tuple[str, ...]]:
    adding = [("models", "add", "starter")] if with_trial_model and starter.is_available() else []
    return [
        *adding,
        ("models", "import", str(tiny)),
        ("models", "list", "--json"),
        ("models", "show", str(tiny)),
        ("models", "fit", str(tiny)),
        ("ask", "橋脚のかぶりは？", "--model", str(tiny), "--max-tokens", "4", "--json"),
        ("models", "remove", str(tiny)),
    ]


def _command_session(
    data: Path, commands: Sequence[Sequence[str]], before: Sequence[str] = (), **changes: str | None
) -> None:
    given: dict[str, str | None] = {"KOTAE_ENGINE": None, "DISPLAY": None, "WAYLAND_DISPLAY": None}
    env = environment(**(given | {"KOTAE_DATA_DIR": str(data)} | changes))
    for command in commands:
        done = subprocess.run(
            [*before, *KOTAE, *command], env=env, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=LIMIT_S
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"


# ---------------------------------------------------------------------------------------------------- system calls


def test_the_tracer_would_see_a_socket_of_another_family(strace, tmp_path):
    trace = tmp_path / "trace"
    code = "import os, socket; os.fork(); socket.socket(socket.AF_INET6).close(); socket.socketpair()"
    subprocess.run([*strace, "-o", str(trace), sys.executable, "-c", code], check=True, timeout=60)
    assert foreign_families(trace.read_text()) == {"AF_INET6"}
    assert programs(trace.read_text(), "-c") == 1


@pytest.mark.parametrize("is_on_screen", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_whole_session_of_the_window_opens_only_unix_sockets(strace, tmp_path, tiny_model, is_on_screen):
    """The window may download; its engine may not, and is under the kernel's filter."""

    def look(window: WindowProcess) -> None:
        if not network_guard.is_filter_supported():
            return
        before = int(_status(os.getpid(), "Seccomp_filters"))
        expected = {(True, before + 1), (False, before)}
        deadline = time.monotonic() + LIMIT_S
        while (found := _filters(window.process.pid)) != expected and time.monotonic() < deadline:
            time.sleep(0.1)  # the engine that embeds may still be starting
        assert found == expected

    trace = tmp_path / "trace"
    before = [*strace, "-o", str(trace)]
    with screen() if is_on_screen else nullcontext() as display:
        changes = {"QT_QPA_PLATFORM": "xcb", "DISPLAY": display, "WAYLAND_DISPLAY": None} if display else {}
        changes |= _leading_astray()
        _window_session(tmp_path / "データ", tiny_model, before, with_trial_model=True, look=look, **changes)
    text = trace.read_text("utf-8", "replace")
    assert foreign_families(text) == set()
    assert "AF_UNIX" in text or not is_on_screen  # the screen itself
    assert programs(text, "--engine") == max(1, len(starter.cards()))  # traced too: one answers, one embeds
    assert programs(text, "--read-documents") >= 1  # reads the manual


def test_the_command_line_passes_without_a_network_and_opens_only_unix_sockets(
    strace, without_network, tmp_path, tiny_model
):
    trace = tmp_path / "trace"
    commands = _commands(tiny_model, with_trial_model=True)
    _command_session(
        tmp_path / "データ", commands, [*strace, "-A", "-o", str(trace), *without_network], **_leading_astray()
    )
    text = trace.read_text("utf-8", "replace")
    assert foreign_families(text) == set()
    assert programs(text, "app") == 2 * len(commands) + 1  # unshare before each, and an engine


@pytest.mark.ocr
@pytest.mark.skipif("KOTAE_OCR_WHEELS" not in os.environ, reason="KOTAE_OCR_WHEELS names no folder with wheels")
def test_text_is_recognized_without_a_socket_and_without_code_that_sends_telemetry(strace, tmp_path):
    wheels, data, scan = Path(os.environ["KOTAE_OCR_WHEELS"]), tmp_path / "データ", tmp_path / "走査.png"
    for wheel in wheels.glob("onnxruntime-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            libraries = [name for name in archive.namelist() if ".so" in name]
            assert libraries
            assert not [name for name in libraries if b"events.data.microsoft" in archive.read(name)]
    page = Image.new("L", (1240, 300), 255)
    font = ImageFont.truetype(resources() / "fonts" / "BIZUDPGothic-Regular.ttf", 40)
    ImageDraw.Draw(page).text((90, 90), "鉄筋のかぶりは70mm以上とする。", font=font, fill=0)
    page.save(scan)
    _command_session(data, [("docs", "ocr", "--install", "--wheels", str(wheels))])
    trace = tmp_path / "trace"
    _command_session(data, [("docs", "add", "基準", str(scan))], [*strace, "-o", str(trace)], **_leading_astray())
    _command_session(data, [("docs", "search", "基準", "鉄筋のかぶり")])  # fails where nothing is found
    text = trace.read_text("utf-8", "replace")
    # urllib3, which the part imports and does not use, asks at its import for one, and the kernel refuses it.
    assert len(re.findall(r"socket\(AF_INET6, SOCK_STREAM", text)) == len(re.findall("AF_INET", text)) <= 1
    assert foreign_families(text) <= {"AF_INET6"}
    assert programs(text, "--read-documents") == 1


# ------------------------------------------------------------------------------------------------- without a network


def test_there_is_no_network_in_the_namespace(without_network):
    code = "import socket; print(socket.if_nameindex()); socket.create_connection(('127.0.0.1', 9), 2)"
    done = subprocess.run([*without_network, sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "Network is unreachable" in done.stderr


@pytest.mark.slow  # in each run it is asked for what is more: also the kernel gives no socket
def test_a_whole_session_of_the_window_passes_without_a_network(without_network, tmp_path, tiny_model):
    _window_session(tmp_path / "データ", tiny_model, without_network)


# ------------------------------------------------------------------------------------------- a kernel that gives none


@pytest.fixture
def forbidden(tmp_path: Path) -> Path:
    """A data folder whose programs must not have a network, where the kernel can see to that."""
    if not network_guard.is_filter_supported():
        pytest.skip("this system has no such filter")
    data = tmp_path / "データ"
    data.mkdir()
    (data / "policy.toml").write_text('network = "never"\n', "utf-8")
    return data


def test_everything_works_while_the_kernel_gives_no_socket(without_network, forbidden, tiny_model):
    """The window and all its children are under the filter."""

    def look(window: WindowProcess) -> None:
        family = [window.process.pid, *(child.pid for child in window.orphans())]
        assert len(family) >= 2
        assert {_status(pid, "Seccomp") for pid in family} == {"2"}
        assert {_status(pid, "NoNewPrivs") for pid in family} == {"1"}

    _window_session(forbidden, tiny_model, without_network, look=look)


def test_the_downloading_child_of_such_a_program_gets_no_socket(tmp_path):
    if not network_guard.is_filter_supported():
        pytest.skip("this system has no such filter")
    code = (
        "import os, sys; from app.base.isolation import network_guard;"
        "assert network_guard.install_socket_filter() == 'on';"
        "os.execv(sys.executable, [sys.executable, '-m', 'tests.faults.network_probe', 'download'])"
    )
    env = environment(KOTAE_DATA_DIR=str(tmp_path / "data"), KOTAE_TEST_SOCKET=str(tmp_path / "socket"))
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert len(report["outcomes"]) == 2
    assert {outcome.partition("(")[0] for outcome in report["outcomes"].values()} == {"tried: PermissionError"}
    assert report["unix"] == "done: b'ok'"


# ----------------------------------------------------------------------------------------------------------- guard


def _probed(role: str, folder: Path, before: Sequence[str] = (), **changes: str | None) -> dict[str, Any]:
    """What a process in that role could do."""
    unset: dict[str, str | None] = dict.fromkeys(network_guard.SWITCHES)
    env = environment(KOTAE_DATA_DIR=str(folder / "data"), KOTAE_TEST_SOCKET=str(folder / "socket"), **unset | changes)
    command = [*before, sys.executable, "-m", "tests.faults.network_probe", role]
    done = forked_program.run(command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    report["stderr"] = done.stderr
    return report


@pytest.fixture(scope="module", params=ROLES)
def probe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the guard refuses in each role. The roles that have the kernel's filter besides are asked without it: in an
    empty network, where the offline check asks them too."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param not in FILTERED or not network_guard.is_filter_supported():
        return _probed(request.param, folder)
    before = request.getfixturevalue("without_network")
    return _probed(request.param, folder, before, **{network_guard.COUNTED_VARIABLE: "1"})


@pytest.mark.parametrize("role", FILTERED)
def test_a_role_that_never_needs_a_network_gets_no_socket_even_from_the_kernel(role, tmp_path):
    if not network_guard.is_filter_supported():
        pytest.skip("this system has no such filter")
    report = _probed(role, tmp_path)
    by_kernel = {name for name, outcome in report["outcomes"].items() if outcome.startswith("tried: PermissionError")}
    by_guard = {name for name, outcome in report["outcomes"].items() if outcome == "refused"}
    assert by_kernel | by_guard == set(report["outcomes"])
    assert {
        f"{way} {family}" for way in ("connect", "bind", "sendto") for family in ("AF_INET", "AF_INET6")
    } <= by_kernel
    assert report["unix"].startswith("tried: PermissionError")  # other programs of this machine could send for it


def test_every_way_out_is_refused(probe):
    assert len(probe["outcomes"]) == 18
    assert {name: outcome for name, outcome in probe["outcomes"].items() if outcome != "refused"} == {}


def test_refusals_are_counted_and_logged(probe):
    assert probe["before"] == 0
    assert probe["refusals"] == len(probe["outcomes"])
    assert probe["stderr"].count("network refused") == len(probe["outcomes"])


def test_the_switches_of_libraries_are_set(probe):
    assert probe["switches"] == network_guard.SWITCHES


def test_sockets_of_the_machine_itself_pass(probe):
    assert probe["unix"] == "done: b'ok'"


def test_only_the_downloading_child_may_use_the_network(tmp_path):
    """Started from a guarded process, whose switches it inherits."""
    env = environment(KOTAE_DATA_DIR=str(tmp_path / "data"), KOTAE_TEST_SOCKET=str(tmp_path / "socket"))
    command = [sys.executable, "-m", "tests.faults.network_probe", "download"]
    env |= network_guard.SWITCHES
    done = forked_program.run(command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, timeout=60)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["refusals"] == 0
    assert {outcome.partition(":")[0] for outcome in report["outcomes"].values()} == {"done"}
    lifted = {"HF_HUB_OFFLINE": None, "TRANSFORMERS_OFFLINE": None}
    assert report["switches"] == network_guard.SWITCHES | lifted


# ---------------------------------------------------------------------------------------------------------- source

NETWORK_MODULES = {
    "QtNetwork", "QtNetworkAuth", "QtWebSockets", "QtWebEngineCore", "QtWebEngineWidgets", "QtHttpServer",
    "asyncio", "ftplib", "h11", "http", "httpx", "httpx2", "huggingface_hub", "mcp", "requests",
    "smtplib", "starlette", "uvicorn", "socketserver", "urllib3", "xmlrpc", "webbrowser",
}  # fmt: skip


# These refuse, and ask on purpose whether what refuses does so.
GUARDS = ("app/base/isolation/network_guard.py", "app/compliance/offline_check/coordinator.py")
# Only these get to other machines, or listen: the downloading child, the child that asks a model elsewhere, and
# `kotae serve`, which hears this machine alone.
SPEAKING = ("app/models/downloads/", "app/inference/remote/", "app/serve/", "app/serve/cli/serve.py")
HARMLESS = ("urllib.request.url2pathname",)  # of a path


def network_imports(path: str, source: str) -> list[str]:
    """Imports by which code of the desktop program could speak to other machines."""
    found: list[str] = []
    if not any(name in source for name in (*NETWORK_MODULES, "socket", "urllib")):
        return found
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            is_request = name.startswith(("urllib.request", "socket")) and path not in GUARDS and name not in HARMLESS
            if NETWORK_MODULES & set(name.split(".")) or is_request:
                found.append(f"{path}:{node.lineno} imports {name}")
    return found


def test_no_module_but_those_that_are_named_can_speak_to_the_network():
    files = sorted((ROOT / "app").rglob("*.py"))
    assert files
    found = [line for file in files for line in network_imports(file.relative_to(ROOT).as_posix(), file.read_text())]
    assert [line for line in found if not line.startswith(SPEAKING)] == []
    assert {place for place in SPEAKING if any(line.startswith(place) for line in found)} == set(SPEAKING)


@pytest.mark.parametrize(
    "source",
    ["from PySide6.QtNetwork import QLocalServer", "from PySide6 import QtNetwork", "import urllib.request",
     "def f():\n    import socket", "from http.client import HTTPConnection", "import PySide6.QtNetwork as n"],
)  # fmt: skip
def test_an_import_that_could_is_found(source):
    assert len(network_imports("app/ui/x.py", source)) == 1
