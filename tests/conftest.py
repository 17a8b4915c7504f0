"""Fixtures that every test may use, and the checks that no test leaves something behind."""

import gc
import logging
import os
import shutil
import signal
import time
from collections.abc import Generator, Iterator
from io import FileIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from pytestqt.qtbot import QtBot

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("GGML_NO_BACKTRACE", "1")
os.environ.pop("KOTAE_DATA_DIR", None)
os.environ["LC_ALL"] = "C.UTF-8"  # windows that tests start speak Japanese, whatever the developer speaks
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")  # as `app.base.programs`; torch too imports numpy
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a child that compiles all modules anew takes a third longer to start

# A shell that starts this in the background of a script lets it ignore SIGINT, and nohup SIGHUP; a child inherits that
# and would not hear what a test sends to it. A signal that has a handler is reset for children, and what was started
# with nohup still outlives its terminal.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP") and (
    signal.getsignal(signal.SIGHUP) is signal.SIG_IGN or "PYTEST_XDIST_WORKER" in os.environ
):
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)  # a worker ends with the process that started it

from PySide6.QtCore import QtMsgType, qInstallMessageHandler

from app.base import paths, wording
from app.base.paths import Paths
from app.base.services import child_process
from app.chat.store import Store
from app.models import starter
from tests import model_files as models
from tests.evaluation_data import kasensabo, pytest_runtest_setup  # noqa: F401  (a fixture and its hook)
from tests.faults import ledger
from tests.faults.ledger import pytest_addoption, pytest_configure, tally  # noqa: F401  (for everyone)
from tests.forked_program import program_server  # noqa: F401  (for everyone)
from tests.scene import long_model, make_scene, model, scene  # noqa: F401  (fixtures for everyone)
from tests.shared_files import packaged_model
from tests.waiting import is_alive

# Several tests at a time, children and models: what takes a moment alone may take ten seconds beside others.
for wait in (QtBot.waitSignal, QtBot.waitSignals, QtBot.waitUntil):
    wait.__kwdefaults__["timeout"] = 60_000

# Qt says these in surroundings without a desktop; they tell nothing about the program.
_HARMLESS = ("This plugin does not support", "QStandardPaths: ", "propagateSizeHints")

# What takes longest begins first, and files of a second or two last, so that all processes of a run end together.
_FIRST, _LAST = ("trainer", "convert", "faults", "uikit", "shell", "training"), "base"
# What is loaded or parsed once, by one process of a run, for all that begins so.
_PIECES = {
    "torch": ("tests/trainer/", "tests/convert/", "tests/faults/test_training_kills"),
    "sources": (
        *("tests/faults/test_export_faults", "tests/uikit/ui/test_input_method", "tests/shell/ui/test_scenes"),
        *("tests/base/test_strict_json", "tests/test_exits", "tests/test_layout"),
        *("tests/test_literals", "tests/test_readers"),
    ),
}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Tests and modules stay to the end: Python looks for garbage neither while they are loaded nor in them later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ledger.pytest_collection_modifyitems(items)
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    folder = item.nodeid.split("/", 2)[1]
    return _FIRST.index(folder) if folder in _FIRST else len(_FIRST) + (folder == _LAST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """File by file, but what is in `_PIECES` together."""
    if config.option.dist != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            pieces = (name for name, files in _PIECES.items() if nodeid.startswith(files))
            return next(pieces, nodeid.partition("::")[0])

    config.option.loadscopereorder = False
    return Scheduling(config, log)


@pytest.fixture(autouse=True)
def qt_is_silent() -> Iterator[None]:
    """Fails a test during which Qt warned: a warning is a mistake that has not crashed yet."""
    warnings: list[str] = []

    def note(kind: QtMsgType, _context: object, text: str) -> None:
        if kind != QtMsgType.QtDebugMsg and not text.startswith(_HARMLESS):
            warnings.append(text)

    before = qInstallMessageHandler(note)
    yield
    qInstallMessageHandler(before)
    assert warnings == []


@pytest.fixture(autouse=True)
def words_stay_japanese() -> Iterator[None]:
    """A command that ran in English within a test leaves the next one Japanese."""
    yield
    wording.use_language("ja")


@pytest.fixture(autouse=True)
def no_child_is_left() -> Iterator[None]:
    """Fails a test that leaves a process running; what a fixture of several tests has started before may go on."""
    shared = _children()
    yield
    if not (started := _children() - shared):
        return
    left = [child for child in psutil.Process().children() if child.pid in started and is_alive(child)]
    left += [grandchild for child in left for grandchild in child.children(recursive=True)]
    gone, alive = psutil.wait_procs(left, timeout=60)
    alive = [child for child in alive if is_alive(child)]
    said = [(child.cmdline(), child.status()) for child in alive]
    for child in alive:
        child.kill()
    logging.getLogger(__name__).debug("ended by themselves: %s", gone)
    assert said == []


def _children() -> set[int]:
    """Ask the kernel, in 20 µs; psutil looks at every process of the machine, which takes 7 ms around each test."""
    pids = b""
    try:
        for thread in os.listdir("/proc/self/task"):  # noqa: PTH208  (one of pathlib's takes twice as long)
            with FileIO(f"/proc/self/task/{thread}/children") as file:
                pids += file.readall()
    except OSError:  # a thread has just ended, or there is no such list
        return {child.pid for child in psutil.Process().children()}
    return set(map(int, pids.split()))


@pytest.fixture
def passed_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that have passed for who watches over children, in its one element, besides those that really have."""
    seconds = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + seconds[0], sleep=time.sleep)
    monkeypatch.setattr(child_process, "time", clock)
    return seconds


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    return paths.locate(str(tmp_path / "データ"))


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without conversations. Not to be changed: making one takes 7 ms, opening a copy 1."""
    where = paths.locate(str(tmp_path_factory.mktemp("new")))
    Store.open(where.database, where.backups).close()
    return where.database


@pytest.fixture
def store(where: Paths, new_database: Path) -> Iterator[Store]:
    if not where.database.exists():
        shutil.copy(new_database, where.database)
    store = Store.open(where.database, where.backups)
    yield store
    store.close()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 470 kB with random weights that loads and generates."""
    path = tmp_path_factory.mktemp("models") / "tiny.gguf"
    models.tiny_llama(path)
    return path


@pytest.fixture(scope="session")
def starter_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The real trial model, put together from its package. Not to be changed."""
    if not starter.is_available():
        pytest.skip("the starter's package is not installed")
    yield from _unchanged(packaged_model(starter.card(), tmp_path_factory))


@pytest.fixture(scope="session")
def search_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The real model of the search by meaning, converted from its package. Not to be changed."""
    found = [card for card in starter.cards() if card.kind == "embedding"]
    if not found:
        pytest.skip("the search model's package is not installed")
    yield from _unchanged(packaged_model(found[0], tmp_path_factory))


def _unchanged(path: Path) -> Iterator[Path]:
    """Fails the last test of a process if one has written into a file that all of them use, by any of its links."""
    before = path.stat()
    yield path
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
