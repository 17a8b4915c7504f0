"""Linux: no process of ours, nor what it starts, gets a socket that reaches beyond this machine, native code included.

A seccomp filter: `socket` and `socketpair` give AF_UNIX (display, D-Bus) and AF_NETLINK (the kernel itself, which
drivers ask about devices) and nothing else; io_uring, which makes sockets by another way, is refused. The kernel hands
the filter on to every child, and nobody can take it off. Windows and macOS have nothing of the kind without an
administrator: there the guard of `app.base.offline` stands alone.

What it does not see: a socket that was open before, and other programs of this machine that are spoken to by AF_UNIX.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from app.base import data_folder, network_policy

# These never need a network, whatever the settings say.
ROLES = ("--engine", "--render-template", "--bare-loop", "--quantize", "--score", "--read-documents")
# These are the only ones that may have one; a file of an administrator takes it from them.
FETCHING_ROLES = ("--download", "--remote-engine", "--make-training-environment")
# Set by the offline check for its children, which count for themselves what would have left (`is_counted`).
COUNTED_VARIABLE = "KOTAE_OFFLINE_CHECK"

_EACCES = 13
_AF_UNIX, _AF_NETLINK = 1, 16
_X32_BIT = 0x4000_0000  # on x86-64: the same calls, under other numbers
_IO_URING = (425, 426, 427)  # setup, enter, register; one number on all machines
# AUDIT_ARCH_*, socket, socketpair, seccomp: linux/audit.h, asm/unistd.h
_MACHINES = {"x86_64": (0xC000_003E, 41, 53, 317), "aarch64": (0xC000_00B7, 198, 199, 277)}

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_FOR_ALL_THREADS, _WITHOUT_SLOWING = 1, 4  # TSYNC; SPEC_ALLOW: older kernels slow a filtered process down

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # in struct seccomp_data; the lower half of the argument
_ALLOW, _REFUSE = 0x7FFF_0000, 0x0005_0000 | _EACCES

_NVIDIA = "nvidia-modprobe"
_state = "off"


def install_for(arguments: Sequence[str]) -> None:
    """For a process with these arguments, before it has threads: where it never needs a network, or must not have one.

    `arguments`: of the command line, without the program.
    """
    global _state
    first = arguments[0] if arguments else ""
    if first in ROLES:
        install()
    elif first in FETCHING_ROLES:
        if network_policy.forbids(network_policy.system_file()):
            install()
    elif _command(arguments) != "serve" and network_policy.is_off(data_folder.of_arguments(arguments)):
        # `kotae serve` installs it itself, always, as soon as its one socket listens.
        if _command(arguments) == "" and is_display_remote():
            _state = "display"
        else:
            install()


def state() -> str:
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


def is_supported() -> bool:
    return sys.platform == "linux" and os.uname().machine in _MACHINES and sys.byteorder == "little"


def install() -> str:
    """Puts the filter on this process, all its threads and all that it will start. Gives `state()`."""
    global _state
    if _state == "on":
        return _state
    if not is_supported():
        _state = "unsupported"
    elif is_counted():
        _state = "counted"
    else:
        _make_devices()
        _state = "on" if _install(_MACHINES[os.uname().machine]) else "refused"
    if _state == "refused":
        print("no_network: the kernel takes no filter", file=sys.stderr)  # noqa: T201  stderr is the log
    return _state


def is_counted() -> bool:
    """Whether this is a child of the offline check in its empty network: an attempt shall reach the kernel's counters,
    and nothing can leave."""
    if COUNTED_VARIABLE not in os.environ:
        return False
    try:
        lines = Path("/proc/self/net/dev").read_text("ascii").splitlines()[2:]
    except OSError:
        return False
    return {line.partition(":")[0].strip() for line in lines} <= {"lo"}


def gives_a_socket(family: int) -> bool:
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


def _install(machine: tuple[int, int, int, int]) -> bool:
    architecture, make_socket, make_pair, seccomp = machine
    code = _program(architecture, (make_socket, make_pair))
    instructions = ctypes.create_string_buffer(code, len(code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions)))
    system = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if system.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) != 0:
        return False
    return any(
        system.syscall(ctypes.c_long(seccomp), ctypes.c_uint(_SET_MODE_FILTER), ctypes.c_uint(flags), program) == 0
        for flags in (_FOR_ALL_THREADS | _WITHOUT_SLOWING, _FOR_ALL_THREADS)
    )


def _program(architecture: int, socket_calls: Sequence[int]) -> bytes:
    """For the kernel's interpreter (linux/filter.h): each line is what to do, with what, and where to go if so or not.

    A program of another architecture (32 bits) gets no system call at all: its numbers mean something else.
    """
    lines: list[tuple[int, int, str, str]] = [
        (_LOAD, _ARCHITECTURE, "", ""),
        (_EQUAL, architecture, "", "refuse"),
        (_LOAD, _NUMBER, "", ""),
        (_AT_LEAST, _X32_BIT, "refuse", ""),
        *((_EQUAL, number, "family", "") for number in socket_calls),
        *((_EQUAL, number, "refuse", "") for number in _IO_URING),
        (_RETURN, _ALLOW, "", ""),
        (_LOAD, _FIRST_ARGUMENT, "", ""),
        (_EQUAL, _AF_UNIX, "allow", ""),
        (_EQUAL, _AF_NETLINK, "allow", ""),
        (_RETURN, _REFUSE, "", ""),
        (_RETURN, _ALLOW, "", ""),
    ]
    places = {"family": len(lines) - 5, "refuse": len(lines) - 2, "allow": len(lines) - 1}
    return b"".join(
        struct.pack("=HBBI", code, *(places[to] - at - 1 if to else 0 for to in (yes, no)), value)
        for at, (code, value, yes, no) in enumerate(lines)
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
