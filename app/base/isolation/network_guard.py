"""Keep every process off the network, by a filter of the kernel (Linux) and by a guard inside Python (everywhere).

The filter uses seccomp. It covers native code and all child processes, and cannot be removed. `socket` and `socketpair`
only make sockets of AF_UNIX (display, D-Bus) and AF_NETLINK (drivers query the kernel about devices). io_uring, which
can make sockets too, is refused, and so is access to other processes of the user (ptrace, process_vm_*, pidfd_getfd),
whose sockets could be used. Child processes without a window cannot use AF_UNIX either, except connected pairs, because
other programs of this machine could send data for them. They cannot change modes, owners, dates and
attributes of files, which Landlock does not cover, nor the limits of other processes, nor System V memory and queues,
which all programs of the user share. The filter does not cover sockets that were open before, access to files by name
(`app.base.isolation.sandbox` does), and, in the window's process, other programs of this machine that AF_UNIX reaches.
Windows and macOS have no such filter without administrator rights.

The guard is an audit hook of Python, which every process except the downloading children installs first. It refuses
every connection except AF_UNIX, one address of the local network in the child that uses a model there
(`app.inference.remote`), and the loopback socket of `kotae serve`. Refusals are counted and logged, and the window
shows the count. `enforce_offline` also sets the environment variables that libraries read at import, and turns off
crash dumps, which hold questions and answers and which some systems send to their maker. Native code bypasses the
guard: on Linux the filter stops it; elsewhere no part of Kotae's own native code opens sockets (the fault tests check
it with `strace`).
"""

import ctypes
import os
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from app.base import addresses

# Roles (the first argument of a child process) that never need a network, whatever the settings are.
OFFLINE_ROLES = (
    *("--engine", "--render-template", "--quantize", "--score", "--read-documents", "--read-workbook"),
    *("--convert-document", "--measure-speed", "--list-devices"),
)
# The only roles that may use a network, unless the policy file of an administrator forbids it.
FETCHING_ROLES = ("--download", "--remote-engine", "--make-training-environment")
# The offline check sets this variable for its children, whose connection attempts the kernel counts.
COUNTED_VARIABLE = "KOTAE_OFFLINE_CHECK"

_EACCES = 13
_AF_UNIX, _AF_NETLINK = 1, 16
_X32_BIT = 0x4000_0000  # on x86-64 this bit marks a second set of numbers for the same system calls
_IO_URING = (425, 426, 427)  # setup, enter, register; the same numbers on all machines


class _Machine(Struct, frozen=True):
    """The numbers of AUDIT_ARCH_* and of system calls for one processor type (linux/audit.h, asm/unistd.h)."""

    architecture: int
    socket: int
    socketpair: int
    seccomp: int
    intrusive: tuple[int, ...]  # ptrace, process_vm_readv, process_vm_writev
    outward: tuple[int, ...]  # connect, bind, add_key, request_key, keyctl, perf_event_open, bpf, userfaultfd
    marking: tuple[int, ...]  # chmod, chown, utime, setxattr, removexattr and their variants
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
_MARKING = (452, 463, 466, 469)  # fchmodat2, setxattrat, removexattrat, file_setattr; the same numbers on all machines
_INTRUSIVE = (438, 440)  # pidfd_getfd, process_madvise; the same numbers on all machines
_FETCHING, _SHOWING, _HEADLESS = "fetching", "showing", "headless"  # scopes of the filter, the least strict first

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_FOR_ALL_THREADS, _WITHOUT_SLOWING = 1, 4  # TSYNC; SPEC_ALLOW: older kernels slow a filtered process down

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
_AND = 0x54
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24  # offsets in struct seccomp_data
# Socket pairs of these types stay connected to each other; one end of a datagram pair may send to any address.
_KIND_BITS, _SOCK_STREAM, _SOCK_SEQPACKET = 0xF, 1, 5
_TYPING = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX: they insert text into the terminal as if the user had typed it
_ALLOW, _REFUSE = 0x7FFF_0000, 0x0005_0000 | _EACCES

_NVIDIA = "nvidia-modprobe"
_state = "off"


def install_socket_filter_for(arguments: Sequence[str]) -> None:
    """Install the filter for the role of these command-line arguments, before the process has threads."""
    global _state
    first = arguments[0] if arguments else ""
    if first in OFFLINE_ROLES:
        install_socket_filter(_HEADLESS)
        return
    from app.base import settings  # here, because the roles above start often and most need no settings

    if first in FETCHING_ROLES:
        if settings.forbids_network(settings.system_policy_file()):
            install_socket_filter()
        else:
            _protect_other_processes()
    elif _command(arguments) == "mcp":  # it speaks over its standard streams, whatever the settings are
        install_socket_filter()
    elif _command(arguments) != "serve" and settings.is_network_off(settings.data_folder_of_arguments(arguments)):
        # `kotae serve` always installs the filter itself, as soon as its one socket listens.
        if _command(arguments) == "" and is_display_remote():
            _state = "display"
        else:
            install_socket_filter()


def socket_filter_state() -> str:
    """Return the state of the filter in this process.

    on | off | unsupported (this system has no filter) | refused (by the kernel) | counted (not installed, because the
    offline check counts attempts) | display (not installed, because another machine shows the window).
    """
    return _state


def is_display_remote() -> bool:
    """Return whether X11 shows windows over the network, as with `ssh -X`: DISPLAY has a host before the colon."""
    host = os.environ.get("DISPLAY", "").rpartition(":")[0]
    is_wayland = bool(os.environ.get("WAYLAND_DISPLAY"))
    qt_platform = os.environ.get("QT_QPA_PLATFORM", "").partition(":")[0]
    return host not in ("", "unix") and not host.startswith("/") and (
        qt_platform == "xcb" or (qt_platform == "" and not is_wayland)
    )  # fmt: skip


def is_filter_supported() -> bool:
    return sys.platform == "linux" and os.uname().machine in _MACHINES and sys.byteorder == "little"


def install_socket_filter(scope: str = _SHOWING) -> str:
    """Install the filter of a `scope` of `_compile_filter` for this process and its children; return the state."""
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


def _protect_other_processes() -> None:
    """Prevent this process, which may use the network, from accessing other processes of the user."""
    if is_filter_supported() and not is_attempt_counted():
        _make_devices()
        _install(_MACHINES[os.uname().machine], _FETCHING)


def is_attempt_counted() -> bool:
    """Whether this is a child of the offline check in its empty namespace, where the kernel must count attempts."""
    if COUNTED_VARIABLE not in os.environ:
        return False
    try:
        lines = Path("/proc/self/net/dev").read_text("ascii").splitlines()[2:]
    except OSError:
        return False
    return {line.partition(":")[0].strip() for line in lines} <= {"lo"}


def can_create_socket(family: int) -> bool:
    """Return whether the system creates a socket of a family (AF_*), bypassing the guard. Nothing is sent."""
    system = ctypes.CDLL(None, use_errno=True)
    number: int = system.socket(family, 2, 0)  # SOCK_DGRAM
    if number >= 0:
        os.close(number)
    return number >= 0


def _command(arguments: Sequence[str]) -> str:
    """Return the subcommand: the first argument that is neither a common option (`app.cli`) nor its value; else ""."""
    rest = iter(arguments)
    for one in rest:
        if one in ("--data-dir", "--lang"):
            next(rest, None)
        elif not one.startswith("-"):
            return one
    return ""


def _install(machine: _Machine, scope: str) -> bool:
    """Install the filter for all threads of this process. Return whether the kernel accepted it."""
    code = _compile_filter(machine, scope)
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


def _compile_filter(machine: _Machine, scope: str) -> bytes:
    """Return the seccomp filter as BPF instructions of 8 bytes each (linux/filter.h).

    `scope`: _FETCHING, _SHOWING or _HEADLESS, the least strict first. Each entry of `lines` is an operation, its value,
    and the labels to jump to if the operation is true or false ("": the next entry); a string alone is a label. All
    system calls of a 32-bit program are refused, because their numbers have another meaning.
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
        "limit",  # prlimit is allowed only for pid 0, this process
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
    labels: dict[str, int] = {}
    steps: list[tuple[int, int, str, str]] = []
    for line in lines:
        if isinstance(line, str):
            labels[line] = len(steps)
        else:
            steps.append(line)
    return b"".join(
        struct.pack("=HBBI", code, *(labels[to] - at - 1 if to else 0 for to in (yes, no)), value)
        for at, (code, value, yes, no) in enumerate(steps)
    )


def _make_devices() -> None:
    """Let NVIDIA's setuid program create its device files, which it could not do under the filter."""
    cards = Path("/proc/driver/nvidia/gpus")
    if not cards.is_dir() or Path("/dev/nvidia-uvm").exists():
        return
    import subprocess  # imported here, because few machines need it

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
    "ORT_DISABLE_TELEMETRY": "1",  # of onnxruntime since 1.29, whose native code has an uploader (not on Windows)
    "WANDB_MODE": "disabled",
}

# Only these keep libraries off the network. The others of SWITCHES, against telemetry and stored tokens, also apply to
# the downloading children.
_ONLY_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")

_REFUSED = ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind")
# Each of these can query a name server, which sends data before any connection is made.
_REFUSED_LOOKUPS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
LOOPBACK = "127.0.0.1"
_refusals: list[str] = []
_is_on = False
_is_hub_offline = False  # as it was before this program's own switches
_only: tuple[str, int] | None = None  # the host and port that the child for a remote model may use
_allowed_addresses: set[tuple[str, int]] = set()
_listener: socket.socket | None = None
_is_pairing = False  # during `making_event_loop`


class NetworkRefusedError(PermissionError):
    """The guard refused a network access before it was made."""


def enforce_offline(allowed_address: tuple[str, int] | None = None) -> None:
    """Turn the guard on for good; `allowed_address`: a host, which may be looked up, and port to which it may
    connect."""
    global _is_on, _is_hub_offline, _only
    if not _is_on:
        _is_hub_offline = is_hub_offline()
        _is_on, _only = True, allowed_address
        os.environ.update(SWITCHES)
        _disable_core_dumps()
        sys.addaudithook(_audit_hook)


def is_hub_offline() -> bool:
    """Return whether the user has set HF_HUB_OFFLINE, by which other programs, too, leave the hub alone."""
    stated = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    return _is_hub_offline if _is_on else stated


def permit_downloads() -> None:
    """Prepare a downloading child: turn off telemetry, stored tokens and crash dumps, but leave the guard off."""
    assert not _is_on
    os.environ.update(SWITCHES)
    for name in _ONLY_OFFLINE:
        os.environ.pop(name, None)  # inherited from the process that started this one
    os.environ["HF_HUB_DISABLE_XET"] = "1"  # Xet's own transfer would bypass Kotae's
    _disable_core_dumps()


def allow_address(ip: str, port: int) -> None:
    """Let this process connect to a numeric address of the host that `enforce_offline` allowed.

    Raises NetworkRefusedError for another port, or an address outside of this machine and the local network.
    """
    if _only is None or port != _only[1] or not addresses.is_local_address(ip):
        _refuse(f"door {ip}:{port}")
    _allowed_addresses.add((ip, port))


def listen_on_loopback(port: int) -> socket.socket:
    """Return the one socket, on 127.0.0.1, on which `kotae serve` listens. `port` 0: any. Raises OSError."""
    global _listener
    assert _listener is None
    _listener = endpoint = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # On Windows SO_REUSEADDR lets another program take over the port; elsewhere it only avoids a waiting time.
        option = "SO_EXCLUSIVEADDRUSE" if sys.platform == "win32" else "SO_REUSEADDR"
        endpoint.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
        endpoint.bind((LOOPBACK, port))
        endpoint.listen()
    except OSError:
        _listener = None
        endpoint.close()
        raise
    return endpoint


@contextmanager
def making_event_loop() -> Iterator[None]:
    """Allow the block to make an event loop of asyncio, for which Windows connects two sockets over the loopback."""
    global _is_pairing
    _is_pairing = sys.platform == "win32"
    try:
        yield
    finally:
        _is_pairing = False


def refused_attempts() -> tuple[str, ...]:
    """Return a text for each attempt that the guard has refused since the start, oldest first."""
    return tuple(_refusals)


def _disable_core_dumps() -> None:
    """Turn off core dumps: a limit of 1 byte, as Linux pipes dumps to a collector at any other (fs/coredump.c)."""
    if sys.platform != "win32":
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (min(1, most) if most >= 0 else 1, most))


def _audit_hook(event: str, arguments: tuple[Any, ...]) -> None:
    """Raise NetworkRefusedError for audit events of network access, except those allowed. For `sys.addaudithook`."""
    if event in _REFUSED:
        endpoint, address = arguments[0], arguments[1]
        if event == "socket.bind" and endpoint is _listener and address[0] == LOOPBACK:
            return
        if event == "socket.connect" and isinstance(address, tuple) and tuple(address[:2]) in _allowed_addresses:
            return
        if _is_pairing and isinstance(address, tuple) and address[0] == LOOPBACK:
            return
        if getattr(endpoint, "family", None) != getattr(socket, "AF_UNIX", None):
            _refuse(f"{event} {address!r}")
    elif event in _REFUSED_LOOKUPS and (event != "socket.getaddrinfo" or tuple(arguments[:2]) != _only):
        _refuse(f"{event} {arguments[0]!r}")


def _refuse(action: str) -> None:
    _refusals.append(action)
    print(f"network refused: {action}", file=sys.stderr)  # noqa: T201  stderr is the log
    raise NetworkRefusedError(f"Kotae does not use the network here: {action}")
