"""Linux: no process of ours, nor what it starts, gets a socket that reaches beyond this machine, native code included.

A seccomp filter: `socket` and `socketpair` give AF_UNIX (display, D-Bus) and AF_NETLINK (the kernel itself, which
drivers ask about devices) and nothing else; io_uring, which makes sockets by another way, is refused. So is what
reaches into other processes of the user (ptrace, process_vm_*, pidfd_getfd), whose sockets would be a way out as well.
Children without a window have no AF_UNIX either, but for connected pairs: other programs of this machine could send for
them. Nor do they change modes, owners, dates and attributes of files, which Landlock does not know, the limits of other
processes, or memory and queues of System V, which belong to all programs of the user. The kernel hands the filter on to
every child, and nobody can take it off. Windows and macOS have nothing of the kind without an administrator: there the
guard of `app.base.isolation.network_guard` stands alone.

What it does not see: a socket that was open before, names of files (`app.base.isolation.sandbox` does), and, in the
window, other programs of this machine that are spoken to by AF_UNIX.

Nothing leaves this machine: called first in every process but the downloading child.

Sets the switches that libraries look at before they are imported, and refuses every connection that is not local to
the machine's own files (AF_UNIX: display, D-Bus), but for one address of the local network in the child that asks a
model there (`app.inference.remote`). Refusals are counted and logged; the window shows the count.
Crash dumps are turned off too: they hold questions and answers, and some systems send them to their maker.
What native code does past Python is not seen here: on Linux the kernel refuses it (`app.base.isolation.network_guard`);
elsewhere no part of Kotae's own native code opens sockets (`strace` in the fault tests).
"""

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base import addresses, settings

# These never need a network, whatever the settings say.
OFFLINE_ROLES = ("--engine", "--render-template", "--quantize", "--score", "--read-documents", "--read-workbook")
# These are the only ones that may have one; a file of an administrator takes it from them.
FETCHING_ROLES = ("--download", "--remote-engine", "--make-training-environment")
# Set by the offline check for its children, which count for themselves what would have left (`is_counted`).
COUNTED_VARIABLE = "KOTAE_OFFLINE_CHECK"

_EACCES = 13
_AF_UNIX, _AF_NETLINK = 1, 16
_X32_BIT = 0x4000_0000  # on x86-64: the same calls, under other numbers
_IO_URING = (425, 426, 427)  # setup, enter, register; one number on all machines


@dataclass(frozen=True, slots=True)
class _Machine:
    """Numbers of one kind of processor: AUDIT_ARCH_*, system calls (linux/audit.h, asm/unistd.h)."""

    architecture: int
    socket: int
    socketpair: int
    seccomp: int
    intrusive: tuple[int, ...]  # ptrace, process_vm_readv, process_vm_writev
    outward: tuple[int, ...]  # connect, bind, add_key, request_key, keyctl, perf_event_open, bpf, userfaultfd
    marking: tuple[int, ...]  # chmod, chown, utime, setxattr, removexattr, and those like them
    shared: tuple[int, ...]  # shmget, shmat, shmctl, sem*, msg*, mq_open
    prlimit: int
    ioctl: int


_MACHINES = {
    "x86_64": _Machine(
        0xC000_003E, 41, 53, 317, (101, 310, 311), (42, 49, 248, 249, 250, 298, 321, 323),
        marking=(90, 91, 92, 93, 94, 132, 188, 189, 190, 197, 198, 199, 235, 260, 261, 268, 280),
        shared=(29, 30, 31, 64, 65, 66, 68, 69, 70, 71, 220, 240), prlimit=302, ioctl=16,
    ),
    "aarch64": _Machine(
        0xC000_00B7, 198, 199, 277, (117, 270, 271), (203, 200, 217, 218, 219, 241, 280, 282),
        marking=(5, 6, 7, 14, 15, 16, 52, 53, 54, 55, 88),
        shared=(180, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196), prlimit=261, ioctl=29,
    ),
}  # fmt: skip
_MARKING = (452, 463, 466, 469)  # fchmodat2, setxattrat, removexattrat, file_setattr; one number on all machines
_INTRUSIVE = (438, 440)  # pidfd_getfd, process_madvise; one number on all machines
_FETCHING, _SHOWING, _HEADLESS = "fetching", "showing", "headless"  # how much is left to a process

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_FOR_ALL_THREADS, _WITHOUT_SLOWING = 1, 4  # TSYNC; SPEC_ALLOW: older kernels slow a filtered process down

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
_AND = 0x54
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24  # in struct seccomp_data; their lower halves
# Of pairs, only those of these kinds stay connected to each other: one end of another may send to any name.
_KIND_BITS, _SOCK_STREAM, _SOCK_SEQPACKET = 0xF, 1, 5
_TYPING = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: as if the user had typed it in the terminal
_ALLOW, _REFUSE = 0x7FFF_0000, 0x0005_0000 | _EACCES

_NVIDIA = "nvidia-modprobe"
_state = "off"


def install_filter_for(arguments: Sequence[str]) -> None:
    """For a process with these arguments, before it has threads: where it never needs a network, or must not have one.

    `arguments`: of the command line, without the program.
    """
    global _state
    first = arguments[0] if arguments else ""
    if first in OFFLINE_ROLES:
        install_filter(_HEADLESS)
    elif first in FETCHING_ROLES:
        if settings.forbids_network(settings.system_policy_file()):
            install_filter()
        else:
            _keep_to_itself()
    elif _command(arguments) != "serve" and settings.is_network_off(settings.data_folder_of_arguments(arguments)):
        # `kotae serve` installs it itself, always, as soon as its one socket listens.
        if _command(arguments) == "" and is_display_remote():
            _state = "display"
        else:
            install_filter()


def filter_state() -> str:
    """Of this process: on | off | unsupported (this system has none) | refused (by the kernel) | counted | display (the
    window is shown by another machine, which it must reach)."""
    return _state


def is_display_remote() -> bool:
    """Whether windows are shown over the network, as with `ssh -X`: X11 with a host before the colon."""
    host = os.environ.get("DISPLAY", "").rpartition(":")[0]
    is_wayland = bool(os.environ.get("WAYLAND_DISPLAY"))
    platform_wished = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    return host not in ("", "unix") and not host.startswith("/") and (
        platform_wished == "xcb" or (platform_wished == "" and not is_wayland)
    )  # fmt: skip


def is_filter_supported() -> bool:
    return sys.platform == "linux" and os.uname().machine in _MACHINES and sys.byteorder == "little"


def install_filter(scope: str = _SHOWING) -> str:
    """Puts the filter on this process, all its threads and all that it will start. Gives `state()`."""
    global _state
    if _state == "on":
        return _state
    if not is_filter_supported():
        _state = "unsupported"
    elif is_attempt_counted():
        _state = "counted"
    else:
        _make_devices()
        _state = "on" if _install(_MACHINES[os.uname().machine], scope) else "refused"
    if _state == "refused":
        print("no_network: the kernel takes no filter", file=sys.stderr)  # noqa: T201  stderr is the log
    return _state


def _keep_to_itself() -> None:
    """For a process that may have a network: that is its own, and no other program is reached into."""
    if is_filter_supported() and not is_attempt_counted():
        _make_devices()
        _install(_MACHINES[os.uname().machine], _FETCHING)


def is_attempt_counted() -> bool:
    """Whether this is a child of the offline check in its empty network: an attempt shall reach the kernel's counters,
    and nothing can leave."""
    if COUNTED_VARIABLE not in os.environ:
        return False
    try:
        lines = Path("/proc/self/net/dev").read_text("ascii").splitlines()[2:]
    except OSError:
        return False
    return {line.partition(":")[0].strip() for line in lines} <= {"lo"}


def can_create_socket(family: int) -> bool:
    """Asks the system itself, past Python and its guard. Nothing is sent."""
    system = ctypes.CDLL(None, use_errno=True)
    number: int = system.socket(family, 2, 0)  # SOCK_DGRAM
    if number >= 0:
        os.close(number)
    return number >= 0


def _command(arguments: Sequence[str]) -> str:
    """The first word that is no option of every command (`app.cli`), nor the value of one."""
    rest = iter(arguments)
    for one in rest:
        if one in ("--data-dir", "--lang"):
            next(rest, None)
        elif not one.startswith("-"):
            return one
    return ""


def _install(machine: _Machine, scope: str) -> bool:
    code = _program(machine, scope)
    instructions = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions)))
    system = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if system.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) != 0:
        return False
    return any(
        system.syscall(ctypes.c_long(machine.seccomp), ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(flags), program)
        == 0
        for flags in (_FOR_ALL_THREADS | _WITHOUT_SLOWING, _FOR_ALL_THREADS)
    )


def _program(machine: _Machine, scope: str) -> bytes:
    """For the kernel's interpreter (linux/filter.h): each line is what to do, with what, and where to go if so or not.

    A program of another architecture (32 bits) gets no system call at all: its numbers mean something else. A line of
    a name alone is a place to go to.
    """
    refused = [*machine.intrusive, *_INTRUSIVE]
    if scope != _FETCHING:
        refused += _IO_URING
    if scope == _HEADLESS:
        refused += (*machine.outward, *machine.marking, *_MARKING, *machine.shared)
    judged = [(_EQUAL, machine.prlimit, "limit", ""), (_EQUAL, machine.ioctl, "device", "")]
    sockets = [(_EQUAL, machine.socket, "socket", ""), (_EQUAL, machine.socketpair, "pair", "")]
    lines: list[tuple[int, int, str, str] | str] = [
        (_LOAD, _ARCHITECTURE, "", ""),
        (_EQUAL, machine.architecture, "", "refuse"),
        (_LOAD, _NUMBER, "", ""),
        (_AT_LEAST, _X32_BIT, "refuse", ""),
        *((_EQUAL, number, "refuse", "") for number in refused),
        *(judged if scope == _HEADLESS else []),
        *(sockets if scope != _FETCHING else []),
        (_RETURN, _ALLOW, "", ""),
        "limit",  # of this process alone
        (_LOAD, _FIRST_ARGUMENT, "", ""),
        (_EQUAL, 0, "allow", "refuse"),
        "device",
        (_LOAD, _SECOND_ARGUMENT, "", ""),
        *((_EQUAL, order, "refuse", "") for order in _TYPING),
        (_RETURN, _ALLOW, "", ""),
        "pair",
        *([(_LOAD, _SECOND_ARGUMENT, "", ""), (_AND, _KIND_BITS, "", "")] if scope == _HEADLESS else []),
        *([(_EQUAL, _SOCK_STREAM, "family", "")] if scope == _HEADLESS else []),
        *([(_EQUAL, _SOCK_SEQPACKET, "family", "refuse")] if scope == _HEADLESS else []),
        "family",
        (_LOAD, _FIRST_ARGUMENT, "", ""),
        (_EQUAL, _AF_UNIX, "allow", ""),
        "socket",
        (_LOAD, _FIRST_ARGUMENT, "", ""),
        *([(_EQUAL, _AF_UNIX, "allow", "")] if scope == _SHOWING else []),
        (_EQUAL, _AF_NETLINK, "allow", ""),
        "refuse",
        (_RETURN, _REFUSE, "", ""),
        "allow",
        (_RETURN, _ALLOW, "", ""),
    ]
    places: dict[str, int] = {}
    steps: list[tuple[int, int, str, str]] = []
    for line in lines:
        if isinstance(line, str):
            places[line] = len(steps)
        else:
            steps.append(line)
    return b"".join(
        struct.pack("=HBBI", code, *(places[to] - at - 1 if to else 0 for to in (yes, no)), value)
        for at, (code, value, yes, no) in enumerate(steps)
    )


def _make_devices() -> None:
    """The driver of NVIDIA lets a program with more rights make its device files, once after each start of the machine.

    Under the filter nothing gets more rights than it has, so that is done before.
    """
    cards = Path("/proc/driver/nvidia/gpus")
    if not cards.is_dir() or Path("/dev/nvidia-uvm").exists():
        return
    import subprocess  # few machines get to here

    each = [word for number in range(len(list(cards.iterdir()))) for word in ("-c", str(number))]
    try:
        subprocess.run([_NVIDIA, "-u", *each], stdin=subprocess.DEVNULL, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"no_network: {_NVIDIA}: {error}", file=sys.stderr)  # noqa: T201  stderr is the log


SWITCHES = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "DO_NOT_TRACK": "1",
    "WANDB_MODE": "disabled",
}

# These keep libraries from the network; the downloading child has it, but tells nobody anything and takes no token
# that lies around.
_ONLY_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")

_REFUSED = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind")
# Each of these can ask a name server: a question that leaves the machine before any connection does.
_REFUSED_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
LOOPBACK = "127.0.0.1"
_refusals: list[str] = []
_is_on = False
_only: tuple[str, int] | None = None  # a host and its port, of the child that asks a model elsewhere
_allowed_addresses: set[tuple[str, int]] = set()
_listener: socket.socket | None = None


class NetworkRefusedError(PermissionError):
    """A connection that this process must not make. It was not made."""


def enforce_offline(only: tuple[str, int] | None = None) -> None:
    """Turns the guard on for the rest of this process; there is no way back.

    `only`: a host and its port. Their name may be looked up, and what `open_door` has judged may be connected to.
    """
    global _is_on, _only
    if not _is_on:
        _is_on, _only = True, only
        os.environ.update(SWITCHES)
        _forbid_dumps()
        sys.addaudithook(_watch)


def permit_downloads() -> None:
    """For the downloading child alone, which the user's click has started: no guard, and nothing told to anybody."""
    assert not _is_on
    os.environ.update(SWITCHES)
    for name in _ONLY_OFFLINE:
        os.environ.pop(name, None)  # inherited from the process that started this one
    os.environ["HF_HUB_DISABLE_XET"] = "1"  # its own transfer would go around ours
    _forbid_dumps()


def allow_address(ip: str, port: int) -> None:
    """Lets this process connect to that numeric address, where the guard knows the port and the address is local.

    Raises NetworkRefusedError.
    """
    if _only is None or port != _only[1] or not addresses.is_local_address(ip):
        _refuse(f"door {ip}:{port}")
    _allowed_addresses.add((ip, port))


def listen_on_loopback(port: int) -> socket.socket:
    """The one socket on which `kotae serve` hears other programs of this machine, and nobody beyond it. 0: a free port.

    Only this socket may be bound, and only to 127.0.0.1; connecting stays refused. Raises OSError.
    """
    global _listener
    assert _listener is None
    _listener = endpoint = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Windows lets another program take over a port that is shared so; elsewhere it only need not be waited for.
        option = "SO_EXCLUSIVEADDRUSE" if sys.platform == "win32" else "SO_REUSEADDR"
        endpoint.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
        endpoint.bind((LOOPBACK, port))
        endpoint.listen()
    except OSError:
        _listener = None
        endpoint.close()
        raise
    return endpoint


def refused_attempts() -> tuple[str, ...]:
    """What was refused since the start, oldest first. Empty on a machine where nothing tried."""
    return tuple(_refusals)


def _forbid_dumps() -> None:
    """For this process and its children. Windows writes none unless somebody asks for them.

    A limit of 1 byte: Linux hands a dump to the program that collects them whatever the limit is, but not at 1
    (fs/coredump.c), and no file is that small.
    """
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (min(1, most) if most >= 0 else 1, most))


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        endpoint, address = arguments[0], arguments[1]
        if event == "socket.bind" and endpoint is _listener and address[0] == LOOPBACK:
            return
        if event == "socket.connect" and isinstance(address, tuple) and tuple(address[:2]) in _allowed_addresses:
            return
        if getattr(endpoint, "family", None) != getattr(socket, "AF_UNIX", None):
            _refuse(f"{event} {address!r}")
    elif event in _REFUSED_LOOKUPS and (event != "socket.getaddrinfo" or tuple(arguments[:2]) != _only):
        _refuse(f"{event} {arguments[0]!r}")


def _refuse(what: str) -> None:
    _refusals.append(what)
    print(f"network refused: {what}", file=sys.stderr)  # noqa: T201  stderr is the log
    raise NetworkRefusedError(f"Kotae does not use the network here: {what}")
