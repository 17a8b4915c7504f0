"""Python on Linux, as far as the program can tell, turned into Python on Windows: for a process of its own.

Only modules of ours (and platformdirs) see it: `sys.platform`, `os.name` and the like, no functions or modules that
Windows has not. For every file of the process: no rename onto an existing name, no deleting, moving or replacing of
what this process has open or mapped, no names that Windows refuses, no links, no sync of what was opened for reading.
Not shown: backslashes, drives, case, its calls (`ctypes.windll` takes anything and gives 0), other processes' files.
"""

# What is restricted here is what pathlib itself calls.
# ruff: noqa: PTH108, PTH109, PTH112, PTH115, PTH116, PTH118, PTH119, PTH120, PTH123, PTH208
import builtins
import contextlib
import ctypes
import errno
import functools
import os
import pathlib
import re
import signal
import socket
import stat
import sys
import time
import types
import warnings

import psutil

_OURS = ("app", "trainer", "platformdirs")
_ITS_CALLS = ("ctypes", "winreg")  # without them platformdirs asks the environment
_LINUX_ONLY = frozenset(
    (
        *("fcntl", "resource", "pwd", "grp", "spwd", "crypt", "nis", "posix", "syslog", "termios", "tty", "pty"),
        *("readline", "curses", "jeepney"),
    )
)
_NOT_IN_OS = frozenset(
    [
        "chown",
        "chroot",
        "confstr",
        "confstr_names",
        "copy_file_range",
        "ctermid",
        "environb",
        "eventfd",
        "fchdir",
        "fchmod",
        "fchown",
        "fdatasync",
        "fork",
        "forkpty",
        "fpathconf",
        "fstatvfs",
        "get_blocking",
        "getegid",
        "getenvb",
        "geteuid",
        "getgid",
        "getgrouplist",
        "getgroups",
        "getloadavg",
        "getpgid",
        "getpgrp",
        "getpriority",
        "getrandom",
        "getresgid",
        "getresuid",
        "getsid",
        "getuid",
        "getxattr",
        "initgroups",
        "killpg",
        "lchown",
        "listxattr",
        "lockf",
        "login_tty",
        "major",
        "makedev",
        "memfd_create",
        "minor",
        "mkfifo",
        "mknod",
        "nice",
        "openpty",
        "pathconf",
        "pathconf_names",
        "pidfd_open",
        "pipe2",
        "posix_fadvise",
        "posix_fallocate",
        "posix_openpt",
        "posix_spawn",
        "posix_spawnp",
        "pread",
        "preadv",
        "pwrite",
        "pwritev",
        "readv",
        "register_at_fork",
        "removexattr",
        "sched_getaffinity",
        "sched_setaffinity",
        "sched_yield",
        "sendfile",
        "set_blocking",
        "setegid",
        "seteuid",
        "setgid",
        "setgroups",
        "setpgid",
        "setpriority",
        "setregid",
        "setresgid",
        "setresuid",
        "setreuid",
        "setsid",
        "setuid",
        "setxattr",
        "splice",
        "statvfs",
        "statvfs_result",
        "sync",
        "sysconf",
        "sysconf_names",
        "tcgetpgrp",
        "tcsetpgrp",
        "ttyname",
        "uname",
        "uname_result",
        "unshare",
        "wait",
        "wait3",
        "wait4",
        "waitid",
        "WNOHANG",
        "WIFEXITED",
        "WEXITSTATUS",
        "O_NOFOLLOW",
        "O_NONBLOCK",
        "O_CLOEXEC",
        "O_DIRECTORY",
        "O_SYNC",
        "O_DSYNC",
        "O_DIRECT",
        "O_NOCTTY",
        "O_PATH",
        "ST_NOEXEC",
        "ST_RDONLY",
        "F_LOCK",
        "EX_OK",
        "RTLD_NOW",
        "RTLD_GLOBAL",
    ]
)
_IN_SIGNAL = frozenset(
    [
        "SIGABRT",
        "SIGFPE",
        "SIGILL",
        "SIGINT",
        "SIGSEGV",
        "SIGTERM",
        "SIG_DFL",
        "SIG_IGN",
        "Signals",
        "Handlers",
        "signal",
        "getsignal",
        "raise_signal",
        "default_int_handler",
        "set_wakeup_fd",
        "strsignal",
        "valid_signals",
    ]
)
_NOT_IN_TIME = frozenset(("tzset", "clock_gettime", "clock_gettime_ns", "clock_settime", "CLOCK_MONOTONIC"))
_NOT_IN_SOCKET = frozenset(("AF_UNIX", "AF_NETLINK", "AF_PACKET", "sethostname", "send_fds", "recv_fds"))
_FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\\]|[. ]$')
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?$")
_WRITING = os.O_WRONLY | os.O_RDWR
_REAL_OPEN, _REAL_FSYNC = os.open, os.fsync


class Anything:
    """Stands for Windows' own functions: takes every call, gives 0."""

    def __getattr__(self, _name):
        return Anything()

    def __call__(self, *_arguments):
        return 0


class WindowsProcess(psutil.Process):
    """With classes of priority, and the peak of its memory."""

    def nice(self, value=None):
        assert value in (None, 16384)
        return 32

    def memory_info(self):
        found = super().memory_info()
        return types.SimpleNamespace(rss=found.rss, vms=found.vms, peak_wset=found.rss)


class Seen(types.ModuleType):
    """A module as it is on Windows: what it has not is missing, and some is different."""

    def __init__(self, real, missing=frozenset(), only=None, **different):
        super().__init__(real.__name__)
        self.__dict__.update(different)
        self.__dict__["_parts"] = (real, missing, only)

    def __getattr__(self, name):
        real, missing, only = self.__dict__["_parts"]
        if name in missing or (only is not None and name not in only and not name.startswith("_")):
            raise AttributeError(f"module {real.__name__!r} on Windows has no attribute {name!r}")
        return getattr(real, name)

    def __setattr__(self, name, value):
        if name in self.__dict__:
            self.__dict__[name] = value
        else:
            setattr(self.__dict__["_parts"][0], name, value)


def enter():
    """From now on. There is no way back."""
    warnings.filterwarnings("error", category=EncodingWarning, module=r"(app|trainer)\b")
    seen = _seen_modules()
    real_import = builtins.__import__

    def imported(name, globals=None, locals=None, fromlist=(), level=0):
        package = str((globals or {}).get("__name__")).partition(".")[0]
        if level == 0 and package in _OURS:
            if name.partition(".")[0] in _LINUX_ONLY or (package == "platformdirs" and name in _ITS_CALLS):
                raise ModuleNotFoundError(f"No module named {name!r} (on Windows)", name=name)
            if name in seen:
                return seen[name]
        return real_import(name, globals, locals, fromlist, level)

    builtins.__import__ = imported
    _restrict_files()
    _delete_released_locks()


def _seen_modules():
    winreg = types.ModuleType("winreg")
    winreg.__getattr__ = lambda name: _no_key if name.startswith(("Open", "Query", "Enum", "Connect")) else 0
    msvcrt = types.ModuleType("msvcrt")
    msvcrt.__getattr__ = lambda _name: Anything()
    return {
        "sys": Seen(sys, platform="win32", getwindowsversion=_version),
        "os": Seen(os, _NOT_IN_OS, name="nt", O_BINARY=0, startfile=Anything(), open=_open, fsync=_fsync),
        "signal": Seen(signal, only=_IN_SIGNAL, SIGBREAK=21, CTRL_C_EVENT=0, CTRL_BREAK_EVENT=1),
        "time": Seen(time, _NOT_IN_TIME),
        "socket": Seen(socket, _NOT_IN_SOCKET, SO_EXCLUSIVEADDRUSE=socket.SO_REUSEADDR),
        "ctypes": Seen(
            ctypes, CDLL=_library, WinDLL=_library, WINFUNCTYPE=ctypes.CFUNCTYPE, windll=Anything(),
            get_last_error=lambda: 0, FormatError=lambda *_: "error",
        ),
        "psutil": Seen(psutil, Process=WindowsProcess, BELOW_NORMAL_PRIORITY_CLASS=16384),
        "winreg": winreg,
        "msvcrt": msvcrt,
    }  # fmt: skip


def _version():
    return types.SimpleNamespace(major=10, minor=0, build=22631)


def _library(name, *arguments, **more):
    if name in ("kernel32", "shell32", "user32", "advapi32"):
        return Anything()
    return ctypes.CDLL(None if name == "msvcrt" else name, *arguments, **more)


def _no_key(*_arguments, **_more):
    raise FileNotFoundError(errno.ENOENT, "there is no such key in the registry")


# --- files ----------------------------------------------------------------------------------------------------


def _restrict_files():
    for name in ("rename", "replace"):
        setattr(os, name, _moving(getattr(os, name), may_replace=name == "replace"))
    for name in ("unlink", "remove", "rmdir"):
        setattr(os, name, _deleting(getattr(os, name)))
    sys.addaudithook(_watch)


def _delete_released_locks():
    """filelock does so on Windows."""
    import filelock

    real = filelock.FileLock._release

    def release(lock):
        real(lock)
        with contextlib.suppress(OSError):
            os.unlink(lock.lock_file)

    filelock.FileLock._release = release


def _moving(real, *, may_replace):
    @functools.wraps(real)
    def move(source, target, **more):
        _refuse_open(source, more.get("src_dir_fd"))
        if pathlib.Path(target).is_dir() or (not may_replace and os.path.lexists(target)):
            if not _is_same(source, target):  # only its case, say, is changed
                raise FileExistsError(errno.EEXIST, "[WinError 183] it exists already", str(target))
        else:
            _refuse_open(target, more.get("dst_dir_fd"))
        return real(source, target, **more)

    return move


def _deleting(real):
    @functools.wraps(real)
    def delete(path, *, dir_fd=None):
        _refuse_open(path, dir_fd)
        return real(path, dir_fd=dir_fd)

    return delete


def _is_same(one, other):
    try:
        return os.path.samestat(os.lstat(one), os.lstat(other))
    except OSError:
        return False


def _refuse_open(path, dir_fd=None):
    """As Windows does for files that were opened without FILE_SHARE_DELETE, as Python's, sqlite's and Qt's are."""
    folder = os.readlink(f"/proc/self/fd/{dir_fd}") if dir_fd is not None else os.getcwd()
    place = os.path.join(folder, os.fsdecode(path))
    place = os.path.join(os.path.realpath(os.path.dirname(place)), os.path.basename(place))
    used = next((name for name in _used() if name == place or name.startswith(f"{place}/")), None)
    if used is not None:
        raise PermissionError(errno.EACCES, f"[WinError 32] used by this process: {used}", place)


def _used():
    """Files (not folders: POSIX's own rmtree holds those) that this process has open or mapped."""
    for number in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISREG(os.stat(f"/proc/self/fd/{number}").st_mode):
                yield os.readlink(f"/proc/self/fd/{number}")
        except OSError:  # the one that listed them
            continue
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            name = line[73:].rstrip("\n")
            if name.startswith("/"):
                yield name


def _watch(event, arguments):
    if event == "os.symlink":
        raise OSError(errno.EPERM, "[WinError 1314] links need a privilege")
    if (event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT) or event == "os.mkdir":
        _refuse_name(arguments[0])
    elif event == "os.rename":
        _refuse_name(arguments[1])


def _refuse_name(path):
    if isinstance(path, str | bytes | os.PathLike):
        name = os.path.basename(os.path.normpath(os.fsdecode(path)))
        if _FORBIDDEN.search(name) or _RESERVED.match(name):
            raise OSError(errno.EINVAL, "[WinError 123] no name for a file", os.fsdecode(path))


def _open(path, flags, *arguments, **more):
    if os.path.isdir(path):
        raise PermissionError(errno.EACCES, "a folder cannot be opened", str(path))
    return _REAL_OPEN(path, flags, *arguments, **more)


def _fsync(file):
    number = file if isinstance(file, int) else file.fileno()
    with open(f"/proc/self/fdinfo/{number}", encoding="ascii") as facts:
        flags = int(re.search(r"flags:\s*(\d+)", facts.read())[1], 8)
    if not flags & _WRITING:
        raise OSError(errno.EBADF, "opened for reading only")
    _REAL_FSYNC(number)


enter()
