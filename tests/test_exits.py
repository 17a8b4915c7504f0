"""Whatever writes a file, opens a socket or fills the clipboard passes the gate for what is 機密, or says why not.

The writers are found in the source, not listed: a call of one of the library functions below, or of a function of ours
that is excused as a means (`MEANS`), for which its callers answer. A function answers for its calls with a parameter or
a variable of the type `Permit`, which `app.base.export_gate.pass_out` alone gives, or with a line in `EXCUSED`.
"""

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

# Of a library, by the last name of what is called; those of two by both.
FILES = {
    "write_text", "write_bytes", "touch", "symlink_to", "hardlink_to", "link_to", "mkstemp", "NamedTemporaryFile",
    "TemporaryFile", "SpooledTemporaryFile", "copyfile", "copy2", "copytree", "copyfileobj", "make_archive",
    "writestr", "extractall", "savefig", "QFile", "QSaveFile", "QTemporaryFile", "QPdfWriter", "QPrinter",
    "QImageWriter", "FileHandler", "RotatingFileHandler", "memmap", "tofile", "savez", "save_file", "QSettings",
    "mkfifo",
    "os.open", "os.rename", "os.link", "os.symlink", "os.write", "shutil.copy", "shutil.move",
    "sqlite3.connect", "zipfile.ZipFile", "tarfile.open",
}  # fmt: skip
SOCKETS = {
    "create_connection", "create_server", "urlopen", "HTTPServer", "ThreadingHTTPServer", "HTTPConnection",
    "HTTPSConnection", "QTcpServer", "QTcpSocket", "QLocalServer", "QLocalSocket", "QUdpSocket",
    "QNetworkAccessManager", "QWebSocket", "socketpair", "socket.socket", "requests.get", "requests.post",
    "httpx.Client",
}  # fmt: skip
CLIPBOARDS = {"QDrag", "QMimeData", "setMimeData", "setPixmap", "setImage", "setDragEnabled", "setDragDropMode"}
MODES = set("rwaxbt+")


@dataclass(frozen=True)
class Writer:
    """`name`: module:function, with the class."""

    name: str
    calls: frozenset[str]
    has_permit: bool


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for top in ("app", "trainer"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
            yield name, ast.parse(path.read_text("utf-8"))


def _last_names(function: ast.expr) -> tuple[str, str]:
    """The last name of what is called, and the last two."""
    parts = ast.unparse(function).rsplit(".", 2)
    return parts[-1], ".".join(parts[-2:])


def _mode(call: ast.Call, at: int) -> str:
    """Of `open`; "?" where it cannot be read off."""
    given = [word.value for word in call.keywords if word.arg == "mode"] + call.args[at : at + 1]
    if not given:
        return "r"
    return str(given[0].value) if isinstance(given[0], ast.Constant) else "?"


def _writes(call: ast.Call) -> str:
    """What a call of a library writes with; "": nothing."""
    last, two = _last_names(call.func)
    if {last, two} & (FILES | SOCKETS | CLIPBOARDS):
        return last if last in FILES | SOCKETS | CLIPBOARDS else two
    if last == "open" and two != "os.open":
        is_method = isinstance(call.func, ast.Attribute) and two != "io.open"
        mode = _mode(call, 0 if is_method else 1)
        is_mode = mode == "?" or (mode and set(mode) <= MODES)
        return "open" if is_mode and (mode == "?" or set(mode) & set("wax+")) else ""
    if last in ("replace", "rename") and isinstance(call.func, ast.Attribute) and len(call.args) == 1:
        return last if not call.keywords else ""  # of paths; texts take two arguments, dataclasses keywords
    if last == "save" and call.args:  # of an image, a book, a document; settings and places of ours are means
        return last
    if last == "backup":
        return last
    if last in ("setText", "clear") and "clipboard" in ast.unparse(call.func).lower():
        return f"clipboard.{last}" if last == "setText" else ""
    return ""


def _has_permit(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """By the type of a parameter: nothing but the gate makes one."""
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return any(one.annotation is not None and ast.unparse(one.annotation) == "Permit" for one in every)


@functools.cache
def _functions() -> dict[str, tuple[list[ast.Call], bool]]:
    """Every function with the calls in it and whether it, or one around it, has a permit."""
    found: dict[str, tuple[list[ast.Call], bool]] = {}

    def walk(node: ast.AST, name: str, has_permit: bool) -> None:
        for child in ast.iter_child_nodes(node):
            inner, may = name, has_permit
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{name}{'' if name.endswith(':') else '.'}{child.name}"
                may = has_permit or (not isinstance(child, ast.ClassDef) and _has_permit(child))
                found.setdefault(inner, ([], may))
            if isinstance(child, ast.Call):
                found.setdefault(name, ([], has_permit))[0].append(child)
                if _takes_permit_at(child):
                    found[name] = (found[name][0], True)
            walk(child, inner, may)

    for module, tree in _modules():
        walk(tree, f"{module}:", False)
    return found


def _takes_permit_at(call: ast.Call) -> bool:
    """`permit.at(...)` and `self._permit…`: in a function that holds one."""
    return ast.unparse(call.func).endswith(("permit.at", "permit.require"))


@functools.cache
def _writers() -> dict[str, Writer]:
    """All that write, by themselves or by means of ours."""
    means = {name.partition(":")[2].rpartition(".")[2]: name for name in MEANS}
    found: dict[str, Writer] = {}
    for name, (calls, has_permit) in _functions().items():
        written = set()
        for call in calls:
            last, _two = _last_names(call.func)
            kind = _writes(call) or (last if last in means and _is_ours(call, means[last]) else "")
            if kind:
                written.add(kind)
        if written:
            found[name] = Writer(name, frozenset(written), has_permit)
    return found


def _is_ours(call: ast.Call, mean: str) -> bool:
    """Whether a call may be of this function: by its name, or by that of its module or class before it."""
    if isinstance(call.func, ast.Name):
        return True
    module, _, name = mean.partition(":")
    before = ast.unparse(call.func).rsplit(".", 2)[-2]
    owner = name.rpartition(".")[0] or module.rpartition(".")[2]
    return before.lower().strip("_").endswith(owner.lower().rsplit(".", 1)[-1])


# Means: what they write, and where to, is their callers' matter, who are writers in their turn.
MEANS: set[str] = set()
# Reason -> those of which it is true, as module:function, or module:* for all of a module.
EXCUSED: dict[str, set[str]] = {}


def _excuses() -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for reason, names in EXCUSED.items():
        for name in names:
            found[name].append(reason)
    return found


def _is_excused(name: str) -> bool:
    module = name.partition(":")[0]
    known = _excuses()
    return name in known or name in MEANS or f"{module}:*" in known


def test_whatever_leaves_passes_the_gate_or_says_why_not() -> None:
    open_ways = [
        f"{name} ({', '.join(sorted(writer.calls))})"
        for name, writer in sorted(_writers().items())
        if not writer.has_permit and not _is_excused(name)
    ]
    assert not open_ways, "\n".join(open_ways)
