"""Kotae from a fresh clone: `python3 packaging/dev.py run|test|check|faults|setup`.

    run [-- ARGS]            set up, fetch the trial model, open the window (or run `kotae ARGS`)
    test [--all] [PYTEST…]   set up with what tests need, then check; --all includes the slow tests
    check [--all] [PYTEST…]  ruff, mypy, import-linter and pytest in .venv, without touching the system
    faults [--all] [PYTEST…] the fault suite and its table; --all: all of it, the table into tests/faults/README.md
    packs NAME…              the engine's parts for graphics cards: vulkan cuda13 cuda12 rocm metal (gpu_pack.py)
    setup [--training]       everything that run and test need; --training: and .venv-train (1.2 GB or more)

test and check make .venv-train too, with torch, for the tests of conversion; --without-training skips both. Without
arguments for pytest, the files of a few tests that fail are run once more, alone; what passes only then is named.
Needs only Python 3.11 or newer and its standard library. Everything goes into .venv, .venv-train and the user's cache
folder; system packages are installed only as root on Debian-like systems.
"""

import platform
import sys

if sys.version_info < (3, 11):  # noqa: UP036  said in a sentence, before newer syntax or a new module fails
    sys.exit(
        f"Kotae には Python 3.11 以上が必要です（今は {platform.python_version()}） / Kotae needs Python 3.11 or newer."
    )

import io
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fault_table
import llama_build
import steps
import system_packages
import training_setup
from steps import ONLINE_HINT, SetupError, run_step

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = ROOT / "pyproject.toml"
VENV = ROOT / ".venv"
PYTHON = steps.python_in(VENV)
STAMP = VENV / "kotae-setup.json"
OWN_TAG = f"cp{sys.version_info.major}{sys.version_info.minor}"
RUN_EXTRAS = ("starter", "serve")
TEST_EXTRAS = ("starter", "serve", "dev")
WITHOUT_TRAINING = "--without-training"
# Three on two cores: a third of the time tests wait for processes and the disk. No more on more: models use all cores.
# File by file: what a file sets up costs up to a minute.
_THREE_AT_A_TIME = ("-n", "3", "--dist", "loadfile")
_LAST_FAILED = ROOT / ".pytest_cache" / "v" / "cache" / "lastfailed"  # pytest's own, by test
_TESTS_FAILED = 1  # pytest's exit status
_MOST_ALONE = 3
_SLOWEST = ("--durations", "25", "--durations-min", "5")  # seconds: what is to be shortened first


def main(arguments: Sequence[str]) -> int:
    for stream in (sys.stdout, sys.stderr):  # a console in another encoding shows ?, not a traceback
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace", line_buffering=True)
    commands = {
        "run": run, "test": test, "check": check, "faults": faults, "setup": setup,
        "bundle": bundle, "packs": packs,
    }  # fmt: skip
    command = commands.get(arguments[0]) if arguments else None
    if command is None:
        print(__doc__)
        return 0 if arguments and arguments[0] in ("-h", "--help", "help") else 2
    try:
        return command(list(arguments[1:]))
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n中断しました / interrupted", file=sys.stderr)
        return 130


def setup(arguments: list[str]) -> int:
    missing = set_up(TEST_EXTRAS, system_packages.packages_for_tests(), needs_build_folder=True)
    if "--training" in arguments:
        prepare_training()
    if missing:
        print(f"残り / still missing: {' '.join(missing)}")
        return 1
    print("準備ができました / ready: python3 packaging/dev.py run")
    return 0


def run(arguments: list[str]) -> int:
    set_up(RUN_EXTRAS)
    # Also when it is there already: quick, and it alone knows the data folder in use.
    code = subprocess.call(app_command("models", "add", "starter"))
    if arguments[:1] == ["--"]:
        del arguments[0]
    if not arguments and not has_display():
        print_no_display()
        return code
    return become(app_command(*arguments))  # even without the trial model: other models work


def test(arguments: list[str]) -> int:
    missing = set_up(TEST_EXTRAS, system_packages.packages_for_tests())
    code = check(arguments)
    if missing:
        print(f"これらを使う試験は確かめていません / not covered, for want of: {' '.join(missing)}")
    return code


def check(arguments: list[str]) -> int:
    """Runs every tool even when one fails, and tells each one's time and outcome.

    What reads the sources runs beside the tests, which leave a part of the processors waiting, and is shown after them.
    """
    prepare_environment(TEST_EXTRAS)
    if WITHOUT_TRAINING not in arguments:
        prepare_training()
    began = time.monotonic()
    *readers, tests = check_commands(arguments)
    require_tools(argv[0] for argv in (*readers, tests))
    beside = ThreadPoolExecutor(max_workers=1)
    try:
        reading = [beside.submit(run_tool, argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for argv in readers]
        compile_tests()
        print("\n== pytest", flush=True)
        # after -x other tests were not run, and --lf needs what failed before
        tested = run_tool(tests)[1] if pytest_arguments(arguments) else run_tests(tests)
        results = []
        for argv, ended in zip(readers, reading, strict=True):
            title = " ".join(argv)
            output, (seconds, code) = ended.result()
            print(f"\n== {title}\n{output}", end="", flush=True)
            results.append((title, seconds, code))
    finally:
        beside.shutdown(cancel_futures=True)  # after Ctrl+C no other tool begins
    return summarize([*results, ("pytest", *tested)], time.monotonic() - began)


def run_tests(argv: Sequence[str]) -> tuple[float, int]:
    """Run pytest and return its seconds and exit status. The files of a few tests that fail are run once more, alone.

    They wait for programs beside two others' and models', and a busy machine can be too slow for one of thousands. What
    passes alone is named, for somebody to mend; more than _MOST_ALONE failures are no accident. The whole files,
    because after a crash the tests that follow in one have not been run.
    """
    _LAST_FAILED.unlink(missing_ok=True)
    _, (seconds, code) = run_tool(argv)
    if code != _TESTS_FAILED or not _LAST_FAILED.exists():
        return seconds, code
    failed = sorted(json.loads(_LAST_FAILED.read_text("utf-8")))
    if not 0 < len(failed) <= _MOST_ALONE:
        return seconds, code
    print("\n== pytest, alone", flush=True)
    files = sorted({name.partition("::")[0] for name in failed})
    _, (more_s, code) = run_tool([*argv, "-n", "0", *files])
    if code == 0:
        print("単独でだけ通った試験（要修正） / passed only when run alone, to be mended:", *failed, sep="\n    ")
    return seconds + more_s, code


def run_tool(argv: Sequence[str], **options: Any) -> tuple[str, tuple[float, int]]:
    """Return what a tool of .venv wrote, if `options` of subprocess catch it, its seconds, and its exit status."""
    started = time.monotonic()
    command = [str(PYTHON.parent / argv[0]), *argv[1:]]
    run = subprocess.run(
        command, cwd=ROOT, env=check_environment(), encoding="utf-8", errors="replace", check=False, **options
    )
    return run.stdout, (time.monotonic() - started, run.returncode)


def require_tools(names: Iterable[str]) -> None:
    """Raise SetupError, before any tool begins, for one that .venv lacks."""
    for name in names:
        if shutil.which(name, path=str(PYTHON.parent)) is None:
            raise SetupError(
                f".venv に {name} がありません。先に準備してください / {name} is missing, set up first:\n"
                "    python3 packaging/dev.py setup"
            )


def compile_tests() -> None:
    """Compile all modules in a fresh clone, once: each process of pytest would compile all of them."""
    if not (ROOT / "tests").is_dir() or (ROOT / "tests" / "__pycache__").exists():
        return
    command = [str(PYTHON.parent / "pytest"), "--collect-only", "-q"]
    environment = {name: value for name, value in check_environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=False)


def faults(arguments: list[str]) -> int:
    """Run the fault suite; tests/faults/README.md holds the table of what was survived."""
    prepare_environment(TEST_EXTRAS)
    if WITHOUT_TRAINING not in arguments:
        prepare_training()
    pytest: list[str | Path] = [PYTHON.parent / "pytest", *_THREE_AT_A_TIME, *_SLOWEST]
    return fault_table.run(ROOT, pytest, check_environment(), arguments)


def bundle(arguments: list[str]) -> int:
    """The program as a folder and as what people install, in dist (bundle.py says what can be asked for)."""
    import bundle as recipe  # what it needs is of no use to the other commands

    return recipe.build(ROOT, arguments)


def packs(arguments: list[str]) -> int:
    """The engine's parts for graphics cards, in dist; this checkout and its bundles take them then."""
    import gpu_pack

    return gpu_pack.main(ROOT, arguments)


def pytest_arguments(arguments: Sequence[str]) -> list[str]:
    return [word for word in arguments if word not in ("--all", "--", WITHOUT_TRAINING)]


def check_commands(arguments: Sequence[str]) -> list[list[str]]:
    """The tools with their arguments; `arguments` are for pytest, except for our own --all."""
    selection = [] if "--all" in arguments else ["-m", "not slow"]
    return [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports", "--no-cache"],  # after a move its cache names files that are gone
        ["pytest", *_THREE_AT_A_TIME, *_SLOWEST, *selection, *pytest_arguments(arguments)],  # the last -n and -m win
    ]


def check_environment() -> dict[str, str]:
    """Windows under test stay off the developer's screen; a test that needs a real one starts its own Xvfb."""
    return {"QT_QPA_PLATFORM": "offscreen", **os.environ}


def summarize(results: Sequence[tuple[str, float, int]], whole_s: float) -> int:
    print()
    for title, seconds, code in results:
        print(f"{title:<24}{seconds:7.1f} s  {'ok' if code == 0 else f'失敗 / failed ({code})'}")
    print(f"{'':<24}{whole_s:7.1f} s", flush=True)
    return 0 if all(code == 0 for *_, code in results) else 1


def app_command(*arguments: str) -> list[str]:
    """-P: a folder named `app` where the caller happens to stand must not be taken for ours."""
    return [str(PYTHON), "-P", "-m", "app", *arguments]


def become(argv: list[str]) -> int:
    """Gives this process to the app, so that signals and the exit code are the app's own."""
    if os.name != "nt":  # there exec returns to the prompt at once
        os.execv(argv[0], argv)
    return subprocess.call(argv)


def has_display() -> bool:
    names = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    return sys.platform != "linux" or any(os.environ.get(name) for name in names)


def print_no_display() -> None:
    print("画面がないため、Kotae を開けません。コマンドで質問できます / no display; ask from the command line:")
    print(f'    {os.path.relpath(PYTHON)} -m app ask "日本の首都はどこですか？"')


# --- set-up ----------------------------------------------------------------------------------------------------


def set_up(extras: Sequence[str], more_packages: Sequence[str] = (), *, needs_build_folder: bool = False) -> list[str]:
    """Everything a command needs, the system's part in one go. Returns the packages that are still missing.

    Without Qt's libraries or the tests' tools the rest is of use; without a compiler or venv it would only fail.
    """
    wanted = [*system_packages.packages_for_window(), *more_packages]
    essential = []
    if not is_current(read_stamp(), extras, needs_build_folder=needs_build_folder):
        essential = packages_for_building()
    missing = system_packages.install(essential + wanted)
    if missing and set(essential) & set(missing):
        raise SetupError("先にこれらを入れて、もう一度実行してください / install these first, then run this again.")
    prepare_environment(extras, needs_build_folder=needs_build_folder)
    return missing


def packages_for_building() -> list[str]:
    wanted = [] if PYTHON.exists() else system_packages.packages_for_venv()
    tag = read_stamp().get("tag", OWN_TAG)
    if not llama_build.build_folder(llama_build.pinned_version(PYPROJECT), tag).is_dir():
        wanted += system_packages.packages_for_compiling()
    return wanted


def prepare_environment(extras: Sequence[str], *, needs_build_folder: bool = False) -> None:
    """Brings .venv to what pyproject.toml and these scripts ask for; does nothing when its stamp says so already."""
    stamp = read_stamp()
    if is_current(stamp, extras, needs_build_folder=needs_build_folder):
        return
    STAMP.unlink(missing_ok=True)  # whatever is interrupted from here on is done again
    tag = venv_tag(stamp)
    if tag is None:
        system_packages.make_venv(VENV)
        tag = OWN_TAG
    extras = sorted({*extras, *stamp.get("extras", ())})  # `run` must not forget what `test` installed
    wanted = wanted_stamp(extras, tag)
    folder = Path(wanted["build"])
    llama_build.ensure(folder, llama_build.pinned_version(PYPROJECT), PYTHON)
    if stamp.get("build") != wanted["build"]:
        install_native(folder)
    install_project(extras, folder)
    steps.write_stamp(STAMP, wanted)


def prepare_training() -> None:
    """.venv-train, after .venv: its converter comes from the folder that .venv was built from."""
    version = llama_build.pinned_version(PYPROJECT)
    if training_setup.is_current(ROOT, version):
        return
    folder = Path(read_stamp()["build"])
    llama_build.ensure(folder, version, PYTHON)
    training_setup.prepare(ROOT, folder, version)


def is_current(stamp: dict[str, Any], extras: Sequence[str], *, needs_build_folder: bool) -> bool:
    """Whether pip has nothing to do.

    The build folder itself is asked for only by `setup`: an emptied cache must not stop an installed Kotae from
    starting on a machine without a network.
    """
    installed = stamp.get("extras", [])
    if not PYTHON.exists() or not set(extras) <= set(installed):
        return False
    wanted = wanted_stamp(installed, stamp.get("tag", ""))
    return stamp == wanted and (Path(wanted["build"]).is_dir() or not needs_build_folder)


def wanted_stamp(extras: Sequence[str], tag: str) -> dict[str, Any]:
    """What a finished set-up records; `tag` is that of .venv's Python, like cp311."""
    return {
        "inputs": inputs_digest(),
        "root": str(ROOT),
        "python": str(PYTHON.resolve()),  # another one after an upgrade of the system
        "tag": tag,
        "extras": list(extras),
        "build": str(llama_build.build_folder(llama_build.pinned_version(PYPROJECT), tag)),
    }


def inputs_digest() -> str:
    """Changes with everything that decides what is installed."""
    return steps.digest_of(PYPROJECT, *sorted(Path(__file__).resolve().parent.glob("*.py")))


def read_stamp() -> dict[str, Any]:
    return steps.read_stamp(STAMP)


def venv_tag(stamp: dict[str, Any]) -> str | None:
    """The tag of .venv's Python, which may be another than the one running this script.

    None when .venv cannot be used: its creation was interrupted, its Python is gone or too old, or the folder
    was moved or copied, in which case it would still import the old folder's code.
    """
    if stamp.get("root", str(ROOT)) != str(ROOT) or not PYTHON.exists():
        return None
    code = "import pip, sys; sys.version_info >= (3, 11) and print('cp%d%d' % sys.version_info[:2])"
    query = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    return query.stdout.strip() or None


def install_native(folder: Path) -> None:
    """Forced, because pip sees no difference between two builds of one version."""
    run_step(
        "llama.cpp の取り付け / installing llama.cpp",
        [PYTHON, "-m", "pip", "install", "--force-reinstall", "--no-deps", llama_build.wheel_in(folder)],
        log_name="pip-native",
        next_step=ONLINE_HINT,
    )


def install_project(extras: Sequence[str], folder: Path) -> None:
    run_step(
        f"部品の取り付け / installing dependencies ({', '.join(extras)})",
        [
            PYTHON,
            "-m",
            "pip",
            "install",
            "--editable",
            f"{ROOT}[{','.join(extras)}]",
            "--find-links",
            folder,
            "--only-binary",
            llama_build.DISTRIBUTION,
        ],
        log_name="pip-install",
        next_step=ONLINE_HINT,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
