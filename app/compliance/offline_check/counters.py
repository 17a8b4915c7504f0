"""An empty network of one's own, and what the kernel counts in it. Linux alone."""

import ctypes
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from app.compliance.offline_check.records import Attempts

_NEW_USER, _NEW_NETWORK = 0x1000_0000, 0x4000_0000  # CLONE_NEWUSER, CLONE_NEWNET
_SET_FLAGS, _UP = 0x8914, 0x1  # SIOCSIFFLAGS, IFF_UP
_NET = Path("/proc/self/net")
# Of these every one is a try: a datagram, a connection, a packet, or one of them that found no way out.
_TRIES = (
    "Ip.OutRequests", "Ip.OutNoRoutes", "Icmp.OutMsgs", "Tcp.ActiveOpens", "Udp.OutDatagrams", "UdpLite.OutDatagrams",
    "Ip6OutRequests", "Ip6OutNoRoutes", "Icmp6OutMsgs", "Udp6OutDatagrams", "UdpLite6OutDatagrams",
)  # fmt: skip


def isolate() -> str:
    """Takes this process, and all that it will start, into a network that has its own loopback and no way out. For a
    process with one thread.

    Gives namespace | unsupported | refused (some systems keep this from all but administrators).
    """
    if sys.platform != "linux":
        return "unsupported"
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER | _NEW_NETWORK) != 0:
        return "refused"
    try:
        # The same numbers as outside: the display and D-Bus ask who is speaking.
        Path("/proc/self/setgroups").write_text("deny", "ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", "ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", "ascii")
        _start_loopback()
        read()
    except OSError as error:
        print(f"offline check: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
        return "refused"
    return "namespace"


def _start_loopback() -> None:
    """With it there is an address to send from: without one, IPv6 gives up before anything is counted."""
    import fcntl  # not on Windows

    system = ctypes.CDLL(None, use_errno=True)
    number: int = system.socket(1, 2, 0)  # AF_UNIX, SOCK_DGRAM: any socket does
    try:
        fcntl.ioctl(number, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
    finally:
        os.close(number)


def read() -> dict[str, int]:
    """The counters of the network that this process is in. Raises OSError."""
    return dict([*_named(), *_of_version_6(), ("packets", _packets())])


def difference(before: dict[str, int], after: dict[str, int]) -> Attempts:
    moved = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    return Attempts(moved.pop("packets", 0), sum(moved.values()), moved)


def _named() -> Iterator[tuple[str, int]]:
    """Of /proc/net/snmp, where a line of names stands above each line of numbers."""
    lines = [line.split() for line in (_NET / "snmp").read_text("ascii").splitlines()]
    for names, numbers in zip(lines[::2], lines[1::2], strict=True):
        for name, number in zip(names[1:], numbers[1:], strict=True):
            if (full := f"{names[0].rstrip(':')}.{name}") in _TRIES:
                yield full, int(number)


def _of_version_6() -> Iterator[tuple[str, int]]:
    try:
        text = (_NET / "snmp6").read_text("ascii")
    except FileNotFoundError:  # a kernel without it
        return
    for line in text.splitlines():
        name, number = line.split()
        if name in _TRIES:
            yield name, int(number)


def _packets() -> int:
    """Sent, on all interfaces together: the tenth number of each line (proc_net(5))."""
    lines = (_NET / "dev").read_text("ascii").splitlines()[2:]
    return sum(int(line.partition(":")[2].split()[9]) for line in lines)
