"""Use each part of Kotae once in watched processes, in an empty network where the system allows one.

It reads a `CheckJob`, prints a `CheckStage` for each scenario (a use of Kotae), then `MeasuredTraffic`, and ends with
its input. The empty network is a namespace of Linux, in which the kernel counts. Before, processes try to leak to
addresses of examples (RFC 5737, RFC 3849) and this machine's, so that a count of zero afterwards is evidence.
"""

import ctypes
import functools
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import psutil

from app.base import json_lines, programs
from app.base.isolation import network_guard, sandbox
from app.compliance.offline_check import records
from app.compliance.offline_check.records import CheckStage, GuardProbe, KernelProbe, ScenarioResult
from trainer.wire import end_with_parent

_NEW_USER, _NEW_NETWORK = 0x1000_0000, 0x4000_0000  # CLONE_NEWUSER, CLONE_NEWNET
_SET_FLAGS, _UP = 0x8914, 0x1  # SIOCSIFFLAGS, IFF_UP
_NET = Path("/proc/self/net")
# Kernel counters that an attempt increments: of datagrams, connections and packets, also those without a route.
_TRIES = (
    "Ip.OutRequests", "Ip.OutNoRoutes", "Icmp.OutMsgs", "Tcp.ActiveOpens", "Udp.OutDatagrams", "UdpLite.OutDatagrams",
    "Ip6OutRequests", "Ip6OutNoRoutes", "Icmp6OutMsgs", "Udp6OutDatagrams", "UdpLite6OutDatagrams",
)  # fmt: skip


def isolate() -> str:
    """Move this process, of one thread, into a network namespace with a loopback only.

    Return namespace | unsupported (not Linux) | refused (some systems allow it only to administrators).
    """
    if sys.platform != "linux":
        return "unsupported"
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER | _NEW_NETWORK) != 0:
        return "refused"
    try:
        # The ids stay the same as outside, because the display and D-Bus check them.
        Path("/proc/self/setgroups").write_text("deny", "ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", "ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", "ascii")
        _start_loopback()
        read_counters()
    except OSError as error:
        print(f"offline check: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
        return "refused"
    return "namespace"


def _start_loopback() -> None:
    """Switch the loopback interface on. Without its address, IPv6 attempts would fail before the kernel counts them."""
    import fcntl  # not on Windows

    system = ctypes.CDLL(None, use_errno=True)
    number: int = system.socket(1, 2, 0)  # AF_UNIX, SOCK_DGRAM: ioctl accepts any socket
    try:
        fcntl.ioctl(number, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
    finally:
        os.close(number)


def read_counters() -> dict[str, int]:
    """Return the counters of this process's network namespace, by their names in /proc/net. Raises OSError."""
    lines = (_NET / "dev").read_text("ascii").splitlines()[2:]
    packets = sum(int(line.partition(":")[2].split()[9]) for line in lines)  # the tenth number: sent on an interface
    return dict([*_ipv4_counters(), *_ipv6_counters(), ("packets", packets)])


def counted_attempts(before: dict[str, int], after: dict[str, int]) -> records.NetworkAttempts:
    """Return the differences between two results of `read_counters`."""
    moved = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    return records.NetworkAttempts(moved.pop("packets", 0), sum(moved.values()), moved)


def _ipv4_counters() -> Iterator[tuple[str, int]]:
    """Yield the counters of /proc/net/snmp, where a line of names precedes each line of numbers."""
    lines = [line.split() for line in (_NET / "snmp").read_text("ascii").splitlines()]
    for names, numbers in zip(lines[::2], lines[1::2], strict=True):
        for name, number in zip(names[1:], numbers[1:], strict=True):
            if (full := f"{names[0].rstrip(':')}.{name}") in _TRIES:
                yield full, int(number)


def _ipv6_counters() -> Iterator[tuple[str, int]]:
    try:
        text = (_NET / "snmp6").read_text("ascii")
    except FileNotFoundError:  # a kernel without IPv6
        return
    for line in text.splitlines():
        name, number = line.split()
        if name in _TRIES:
            yield name, int(number)


T = TypeVar("T")
LIMIT_S = 900.0  # the limit of one scenario, for a large model on a slow machine
_SAMPLE_S = 0.25
_REFUSED = "network refused: "
_COLLECTION = "offline-check"
_REASON_CHARACTERS = 400
_TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"


@dataclass(frozen=True, slots=True)
class CheckJob:
    """The coordinator's input. `folder`: an empty one, deleted later. `model`: a file or "". Texts in the user's
    language."""

    folder: str
    model: str
    text: str
    question: str


@dataclass
class _Watch:
    """Samples the open internet sockets of all descendants of this process, from `run` until `end`."""

    sockets: set[str] = field(default_factory=set)
    samples: int = 0
    _over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self._over.wait(_SAMPLE_S):
            self.sample()

    def sample(self) -> None:
        is_sampled = False
        for process in psutil.Process().children(recursive=True):
            try:
                self.sockets |= {_connection_text(one) for one in process.net_connections(kind="inet")}
            except psutil.Error:  # the process has ended, or the system denies access
                continue
            is_sampled = True
        self.samples += is_sampled  # a sample counts only if a process could be read

    def end(self) -> None:
        self._over.set()


def main() -> NoReturn:
    is_filtered = network_guard.is_filter_supported() and not network_guard.can_create_socket(2)  # AF_INET
    isolation = isolate()
    if is_filtered:
        isolation = "filtered"
    elif isolation == "namespace":
        os.environ[network_guard.COUNTED_VARIABLE] = "1"
    job = json_lines.decode(sys.stdin.buffer.readline(), {CheckJob.__name__: CheckJob})
    end_with_parent(functools.partial(_clean_up, job.folder))
    send_message(measure(job, isolation))
    os._exit(0)


def measure(job: CheckJob, isolation: str) -> records.MeasuredTraffic:
    is_counted = isolation == "namespace"
    send_message(CheckStage("self_test"))
    before = read_counters() if is_counted else {}
    if is_counted:  # a process tries to reach the network on purpose
        run_probe("leak", GuardProbe)
    leak = counted_attempts(before, read_counters()) if is_counted else None
    guard = run_probe("guard", GuardProbe)
    before = read_counters() if is_counted else {}
    watch = _Watch()
    watcher = threading.Thread(target=watch.run)
    watcher.start()
    try:
        flows = tuple(_run_scenario(name, job) for name in records.SCENARIOS)
    finally:
        watch.end()
        watcher.join()
    kernel = counted_attempts(before, read_counters()) if is_counted else None
    refusals = _logged_refusals(Path(job.folder))
    refused, sockets = (guard.refused, guard.tried), tuple(sorted(watch.sockets))
    return records.MeasuredTraffic(isolation, refused, leak, kernel, flows, sockets, watch.samples, refusals)


def run_probe(role: str, kind: type[T]) -> T:
    """Run a child in this role and return the probe that it prints, or the default `kind()` if it prints none."""
    command = [*programs.own_program(), "--offline-check", role]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False)
        return json_lines.decode(done.stdout, {kind.__name__: kind})
    except (ValueError, subprocess.TimeoutExpired):
        return kind()


def _run_scenario(name: str, job: CheckJob) -> ScenarioResult:
    if name == "answer" and not job.model:
        return ScenarioResult(name, "not_tried", reason="no_model")
    send_message(CheckStage(name))
    command, text, extra = _command(name, job)
    errors = Path(job.folder) / f"{name}.stderr.log"
    began = time.monotonic()
    with errors.open("wb") as log:
        try:
            done = subprocess.run(
                [*programs.own_program(), *command], input=text.encode("utf-8"), stdout=subprocess.PIPE, stderr=log,
                env=os.environ | extra, timeout=LIMIT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return ScenarioResult(name, "failed", time.monotonic() - began, f"> {LIMIT_S:.0f} s")
    seconds = time.monotonic() - began
    if done.returncode == 0 and not (name == "template" and b'"segments"' not in done.stdout):
        return ScenarioResult(name, "passed", seconds)
    printed = errors.read_text("utf-8", "replace").strip() or done.stdout.decode("utf-8", "replace")
    return ScenarioResult(name, "failed", seconds, f"{done.returncode}: {printed[-_REASON_CHARACTERS:]}")


def _command(name: str, job: CheckJob) -> tuple[list[str], str, dict[str, str]]:
    """Return arguments, input and extra environment of a scenario: documents | search | models | template | answer, or
    window."""
    data = ["--data-dir", str(Path(job.folder) / "data")]
    if name == "documents":
        document = Path(job.folder) / "check.md"
        document.write_text(job.text, "utf-8")
        return ["docs", "add", _COLLECTION, str(document), *data, "--json"], "", {}
    if name == "search":
        return ["docs", "search", _COLLECTION, job.question, *data, "--json"], "", {}
    if name == "models":
        return ["models", "list", "--catalogue", *data, "--json"], "", {}
    if name == "template":
        messages = [{"role": "user", "content": job.question}]
        request = {"template": _TEMPLATE, "messages": messages, "end": "</s>", "thinks": False}
        return ["--render-template"], json.dumps(request) + "\n", {}
    if name == "answer":
        ask = ["ask", job.question, "--model", job.model, "--collection", _COLLECTION, "--max-tokens", "8"]
        return [*ask, *data, "--json"], "", {}
    return data, "", {"QT_QPA_PLATFORM": "offscreen", programs.REPORT_START_VARIABLE: "1"}


def _logged_refusals(folder: Path) -> tuple[str, ...]:
    """Return the accesses that the guard of `network_guard` has refused, as lines of the processes' logs name them."""
    logs = sorted([*folder.glob("*.log"), *(folder / "data" / "logs").glob("*.log")])
    lines = (line for log in logs for line in log.read_text("utf-8", "replace").splitlines())
    return tuple(line.partition(_REFUSED)[2] for line in lines if _REFUSED in line)


def _connection_text(connection: Any) -> str:
    ends = [f"{end.ip}:{end.port}" for end in (connection.laddr, connection.raddr) if end]
    return " → ".join([*ends, connection.status] if connection.status != "NONE" else ends) or "socket"


def send_message(message: Any) -> None:
    os.write(1, json_lines.encode_line(message))


def _clean_up(folder: str) -> None:
    """Kill all children and delete the folder."""
    for process in psutil.Process().children(recursive=True):
        try:
            process.kill()
        except psutil.Error:
            continue
    shutil.rmtree(folder, ignore_errors=True)  # the process that created it may have been killed


_FOREIGN, _OWN, _FOREIGN_6 = "192.0.2.1", "127.0.0.1", "2001:db8::1"
_PORT = 9  # the discard service


def probe_guard() -> NoReturn:
    """Try to reach the network, refused by this process's guard or the kernel before it; print a `GuardProbe`."""
    ways = _ways_out()
    _send_and_exit(GuardProbe(len(ways), sum(map(_is_refused, ways))))


def probe_filter() -> NoReturn:
    """Print a `KernelProbe`: the states of the kernel filter and of Landlock on this machine, as in `CheckResult`."""
    state = network_guard.install_socket_filter()
    if state == "on" and (
        network_guard.can_create_socket(socket.AF_INET) or network_guard.can_create_socket(socket.AF_INET6)
    ):
        state = "leaky"
    _send_and_exit(KernelProbe(state, _confinement()))


def _confinement() -> str:
    """Confine this process by Landlock, and return its state as in `CheckResult.confinement`."""
    if sys.platform != "linux":
        return "unsupported"
    if not sandbox.confine():
        return "off"
    try:
        with tempfile.TemporaryFile():
            return "leaky"
    except OSError:
        return "on"


def try_to_leak() -> NoReturn:
    """Try to reach the network by native calls, past the guard, and print how often; in an empty namespace only."""
    assert network_guard.is_attempt_counted()
    system, foreign_6 = ctypes.CDLL(None, use_errno=True), socket.inet_pton(socket.AF_INET6, _FOREIGN_6)
    tries = [
        (socket.AF_INET, _address_4(_FOREIGN)),
        (socket.AF_INET, _address_4(_OWN)),
        (socket.AF_INET6, struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16sI", _PORT, 0, foreign_6, 0)),
    ]
    for family, address in tries:
        for kind, call in ((socket.SOCK_DGRAM, _send), (socket.SOCK_STREAM, _connect)):
            number = system.socket(int(family), int(kind), 0)
            call(system, number, address)
            os.close(number)
    _send_and_exit(GuardProbe(2 * len(tries)))


def _is_refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except PermissionError:  # includes NetworkRefusedError
        return True
    except OSError:
        return False
    return False


def _ways_out() -> list[Callable[[], object]]:
    def send_datagram(family: int, host: str) -> None:
        with socket.socket(family, socket.SOCK_DGRAM) as endpoint:
            endpoint.sendto(b"x", (host, _PORT))

    ways: list[Callable[[], object]] = [
        lambda: socket.create_connection((_FOREIGN, _PORT), 1),
        lambda: socket.create_connection((_OWN, _PORT), 1),
        lambda: send_datagram(socket.AF_INET, _FOREIGN),
        lambda: socket.getaddrinfo("example.invalid", 443),
    ]
    if socket.has_ipv6:
        ways.append(lambda: send_datagram(socket.AF_INET6, _FOREIGN_6))
    return ways


def _address_4(host: str) -> bytes:
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", _PORT, socket.inet_aton(host))


def _send(libc: ctypes.CDLL, descriptor: int, address: bytes) -> None:
    libc.sendto(descriptor, b"x", ctypes.c_size_t(1), 0, address, len(address))


def _connect(libc: ctypes.CDLL, descriptor: int, address: bytes) -> None:
    libc.connect(descriptor, address, len(address))


def _send_and_exit(probe: GuardProbe | KernelProbe) -> NoReturn:
    send_message(probe)
    os._exit(0)
