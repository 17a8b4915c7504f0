"""The command line as people and scripts call it: exit statuses, what stands where, real models.

Most commands run in this process. What a process of its own can do alone is tried with one: pipes, signals, the role
that the arguments choose, and one answer of a real model from the question to the exit status.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from subprocess import CompletedProcess, Popen
from typing import Any

import psutil
import pytest
from PySide6.QtCore import QCoreApplication

from app import cli as main
from app.models import starter
from tests import forked_program
from tests.shared_files import link_packaged_models
from tests.waiting import wait_until

ROOT = Path(__file__).parents[3]
Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def program(tmp_path: Path) -> Run:
    """Runs `kotae ARGUMENTS` as a program, with a data folder of its own."""

    def run(*arguments: str, **environment: str) -> "CompletedProcess[str]":
        return forked_program.run(
            [sys.executable, "-m", "app", *arguments],
            env=os.environ | {"KOTAE_DATA_DIR": str(tmp_path / "データ　😀")} | environment,
            cwd=ROOT,
            timeout=120,
        )

    return run


@pytest.fixture
def kotae(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], qapp: QCoreApplication
) -> Run:
    """Runs `kotae ARGUMENTS` in this process, with a data folder of its own."""
    monkeypatch.setenv("KOTAE_DATA_DIR", str(tmp_path / "データ　😀"))

    def run(*arguments: str) -> "CompletedProcess[str]":
        capfd.readouterr()
        try:
            status = main.main(arguments, lambda *_: 0)
        except SystemExit as end:
            status = int(end.code or 0)
        return CompletedProcess(arguments, status, *capfd.readouterr())

    return run


@pytest.fixture(scope="module")
def starter_folder(tmp_path_factory: pytest.TempPathFactory, qapp: QCoreApplication) -> Path:
    """A data folder that has the starter, for tests that only ask it."""
    if not starter.is_available():
        pytest.skip("the starter's package is not installed")
    folder = tmp_path_factory.mktemp("starter")
    link_packaged_models(folder / "models", tmp_path_factory)
    assert main.main(["models", "add", "starter", "--data-dir", str(folder)], lambda *_: 0) == 0
    return folder


@pytest.fixture(scope="module")
def used_folder(tmp_path_factory: pytest.TempPathFactory, qapp: QCoreApplication) -> Path:
    """A data folder whose first command has read the manual into it."""
    folder = tmp_path_factory.mktemp("used")
    assert main.main(["docs", "list", "--data-dir", str(folder)], lambda *_: 0) == 0
    return folder


def _json(done: "CompletedProcess[str]") -> dict[str, Any]:
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stdout
    data: dict[str, Any] = json.loads(lines[0])
    return data


@pytest.mark.model
def test_the_starter_is_added_and_answers_tokyo_as_one_json_object(program: Run, starter_folder: Path) -> None:
    done = program("ask", "日本の首都はどこですか？", "--json", "--data-dir", str(starter_folder))
    assert done.returncode == 0, done.stderr
    answer = _json(done)
    assert "東京" in answer["answer"]
    assert answer["verdict"] == "answered"
    assert answer["usage"]["answer_tokens"] > 0
    timings = answer["timings"]
    assert 0 < timings["first_token_s"] <= timings["total_s"]
    assert timings["load_s"] <= timings["total_s"]
    assert timings["tokens_per_s"] > 0


def test_the_length_limit_is_the_verdict_and_a_seed_repeats(kotae: Run, tiny_model: Path) -> None:
    arguments = ("ask", "あ", "--json", "--max-tokens", "3", "--temperature", "1.2", "--model", str(tiny_model))
    first, second, other = (_json(kotae(*arguments, "--seed", seed)) for seed in ("5", "5", "6"))
    assert first["verdict"] == "length"
    assert first["usage"]["answer_tokens"] == 3
    assert first["answer"] == second["answer"] != other["answer"]


@pytest.mark.model
def test_models_are_listed_shown_judged_and_removed(
    kotae: Run, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if not starter.is_available():
        pytest.skip("the starter's package is not installed")
    link_packaged_models(tmp_path / "データ　😀" / "models", tmp_path_factory)
    assert kotae("models", "add", "starter").returncode == 0
    listed = _json(kotae("models", "list", "--json"))["models"]
    assert [(m["licence"], m["is_trial"], m["is_present"]) for m in listed] == [
        (card.licence, card.is_trial, True) for card in starter.cards()
    ]
    shown = _json(kotae("--json", "models", "show", "gemma-3-270m"))
    assert shown["parameters"] == 268_098_176
    fit = _json(kotae("models", "fit", "270m", "--context", "2048", "--json"))
    assert fit["total_bytes"] == fit["weights_bytes"] + fit["kv_bytes"] + fit["compute_bytes"]
    assert fit["verdict"] in ("comfortable", "tight", "insufficient")
    for model in listed:
        assert kotae("models", "remove", model["id"]).returncode == 0
    assert _json(kotae("models", "list", "--json")) == {"models": [], "bases": []}


def test_an_import_stays_where_it_is_and_can_be_asked_by_path(kotae: Run, tiny_model: Path) -> None:
    imported = _json(kotae("models", "import", str(tiny_model), "--json"))
    assert imported["path"] == str(tiny_model)
    done = kotae("ask", "abc", "--model", str(tiny_model), "--max-tokens", "3", "--json")
    assert done.returncode == 0, done.stderr
    assert _json(done)["usage"]["answer_tokens"] <= 3


def test_a_preset_is_chosen_by_its_name(kotae: Run, tiny_model: Path) -> None:
    """At a temperature of 0 two answers are the same; otherwise the tiny model's random words differ."""
    asking = ("ask", "あ", "--model", str(tiny_model), "--max-tokens", "20", "--json")
    exact = _json(kotae(*asking, "--preset", "正確さ優先"))["answer"]
    standard = [_json(kotae(*asking, "--preset", "正確さ優先", "--temperature", "1"))["answer"] for _ in range(2)]
    assert standard[0] != standard[1]
    told = kotae(*asking[:-1], "--preset", "正確さ優先")
    assert (told.stdout.strip(), "tok/s" in told.stderr) == (exact.strip(), True)
    done = kotae("ask", "あ", "--model", str(tiny_model), "--preset", "長く")
    assert done.returncode == 3
    assert "「長く」というプリセットはありません" in done.stderr
    assert "短く" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("ask",), 2, "QUESTION"),
        (("ask", "x", "--temperature", "9"), 2, "--temperature"),
        (("ask", "x", "--seed", "二"), 2, "整数"),
        (("nonsense",), 2, "nonsense"),
        (("ask", " "), 3, "空"),
        (("ask", "x"), 3, "モデルがありません"),
        (("ask", "x", "--model", "なし"), 3, "なし"),
        (("ask", "x", "--model", "/nowhere/x.gguf"), 3, "見つかりません"),
        (("models", "import", "/etc/hostname"), 3, "GGUF"),
        (("models", "show", "\u202egnp"), 3, "見つかりません"),
    ],
)
def test_bad_input_gets_one_japanese_sentence_and_its_status(
    kotae: Run, arguments: tuple[str, ...], status: int, words: str
) -> None:
    done = kotae(*arguments)
    assert done.returncode == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    with_json = kotae(*arguments, "--json")
    error = _json(with_json)["error"]
    assert with_json.returncode == status
    assert error["code"]
    assert error["message"]
    assert error["next"].endswith(("。", "）。"))


def test_english_on_request(kotae: Run) -> None:
    assert "no usable model" in kotae("ask", "x", "--lang", "en").stderr
    assert "no usable model" in kotae("--lang", "en", "ask", "x").stderr


@pytest.mark.parametrize("arguments", [("--help",), ("ask", "--help"), ("models", "fit", "--help")])
def test_help_is_japanese_unless_english_is_asked_for(kotae: Run, arguments: tuple[str, ...]) -> None:
    japanese, english = kotae(*arguments).stdout, kotae("--lang", "en", *arguments).stdout
    assert "使い方" in japanese
    assert "Usage:" in english
    assert english.isascii()
    assert len(english.splitlines()) > 5


LOADED = """
import sys
from app import cli as main
known = set()
for arguments in sys.argv[1:]:
    main.main(arguments.split(), lambda *_: 0)
    loaded = {name for name, module in main.COMMANDS.items() if module in sys.modules}
    print(*loaded - known, file=sys.stderr)
    known |= loaded
"""


def test_only_the_command_that_is_given_is_loaded(tmp_path: Path) -> None:
    """All of them take a second, which the window and each command would wait for."""
    environment = os.environ | {"KOTAE_DATA_DIR": str(tmp_path), "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-c", LOADED, "", "--lang en", "chats list", "--json --lang=en docs list"]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert done.stderr.splitlines() == ["", "", "chats", "docs"]


TELL_MODULES = """
import runpy
import sys
try:
    runpy.run_module("app", run_name="__main__", alter_sys=True)
finally:
    names = {name for name in sys.modules if name.startswith("app.")} | sys.modules.keys() & {"PySide6", "numpy"}
    print(" ".join(["LOADED", *sorted(names)]))
"""


@pytest.mark.parametrize(
    ("arguments", "without"),
    [
        (("--version",), ("app.base", "app.cli", "PySide6", "numpy")),
        (("--version", "--lang", "en"), ("app.chat", "app.documents", "PySide6", "numpy")),
        (("docs", "list"), ("app.documents.reading", "app.documents.retrieval.passage_search", "numpy")),
        (("ask", "--help"), ("app.documents.reading.pdf", "app.base.tables", "app.training", "numpy")),
    ],
)
def test_a_command_imports_no_room_that_it_does_not_need(
    used_folder: Path, arguments: tuple[str, ...], without: tuple[str, ...]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TELL_MODULES, *arguments],
        env=os.environ | {"KOTAE_DATA_DIR": str(used_folder)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.splitlines()[-1].split()
    assert loaded[0] == "LOADED"
    assert [name for name in loaded if name in without or name.startswith(tuple(f"{one}." for one in without))] == []


def test_a_word_that_is_no_command_is_answered_with_all_of_them(kotae: Run) -> None:
    done = kotae("chatz")
    assert done.returncode == 2
    assert ", ".join(main.COMMANDS) in done.stderr


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("ask", "質問", "余分"), "kotae ask"),
        (("models", "list", "--nonsense"), "kotae models list"),
        (("models", "--nonsense", "list"), "kotae models"),
        (("train", "plan", "x", "--nonsense"), "kotae train plan"),
        (("--nonsense", "models", "list"), "kotae"),
    ],
)
def test_wrong_usage_is_answered_with_the_usage_of_that_command(
    kotae: Run, arguments: tuple[str, ...], command: str
) -> None:
    done = kotae(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"使い方: {command} [--data-dir DIR]")
    assert "知らない指定です" in done.stderr
    assert f"。{command} --help で" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("chats", "export", "--to", ""), "--to"),
        (("report", "--out", ""), "--out"),
        (("licences", "--sbom", ""), "--sbom"),
        (("models", "verify", ""), "ID"),
        (("docs", "add", "基準", "x", ""), "PATH"),
        (("ask", "x", "--collection", ""), "--collection"),
        (("models", "list", "--data-dir", ""), "--data-dir"),
    ],
)
def test_an_empty_text_is_no_file_and_no_name(kotae: Run, arguments: tuple[str, ...], name: str) -> None:
    done = kotae(*arguments)
    assert done.returncode == 2
    assert f"使い方が違います：{name} が空です。" in done.stderr
    assert kotae(*arguments, "--lang", "en").stderr.count(f"{name}: must not be empty") == 1


def test_an_empty_system_prompt_may_be_meant(kotae: Run) -> None:
    assert "モデルがありません" in kotae("ask", "x", "--system", "").stderr


def test_noise_that_is_called_gguf_is_refused_for_what_it_holds(kotae: Run, tmp_path: Path) -> None:
    path = tmp_path / "乱数.gguf"
    path.write_bytes(b"\x17\xc3" + bytes(range(256)) * 4)
    done = kotae("models", "import", str(path))
    assert done.returncode == 3
    assert "これは GGUF ファイルではありません" in done.stderr
    assert "拡張子" not in done.stderr


def test_a_question_beside_a_file_of_questions_is_wrong_usage(kotae: Run) -> None:
    done = kotae("ask", "質問", "--batch", "q.csv", "--out", "a.csv")
    assert done.returncode == 2
    assert "QUESTION と --batch は一緒に使えません" in done.stderr


def test_half_an_option_is_none(program: Run, tmp_path: Path) -> None:
    """What looks for the data folder before the options are parsed would take another one."""
    assert program("models", "list", "--data-d", str(tmp_path)).returncode == 2
    assert not (tmp_path / "kotae.sqlite").exists()


def test_without_a_display_the_window_is_refused_with_the_command_that_works(program: Run) -> None:
    done = program(DISPLAY="", WAYLAND_DISPLAY="", QT_QPA_PLATFORM="")
    assert done.returncode == 3
    assert "kotae ask" in done.stderr


def test_an_unusable_data_folder_is_named(kotae: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    done = kotae("models", "list", "--data-dir", str(tmp_path / "file" / "below"))
    assert done.returncode == 3
    assert "below" in done.stderr


def test_the_c_locale_changes_nothing(program: Run, tiny_model: Path) -> None:
    done = program("models", "import", str(tiny_model), LC_ALL="C", LANG="C")
    assert done.returncode == 0, done.stderr
    assert "使えるようにしました" in done.stdout


@contextmanager
def _started(tmp_path: Path, *arguments: str) -> Iterator["Popen[bytes]"]:
    """`kotae ARGUMENTS` with the fake engine, in a process group of its own as a terminal gives it."""
    command = [sys.executable, "-m", "app", *arguments]
    environment = os.environ | {"KOTAE_DATA_DIR": str(tmp_path), "KOTAE_ENGINE": "echo"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with forked_program.Program(command, env=environment, cwd=ROOT, start_new_session=True, **pipes) as process:
        yield process


def _asking(tmp_path: Path, question: str, model: Path) -> AbstractContextManager["Popen[bytes]"]:
    return _started(tmp_path, "ask", question, "--model", str(model))


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    with _started(tmp_path, "models", "list") as process:
        process.stdout.close()
        assert process.wait(120) in (0, 1)
        assert b"Traceback" not in process.stderr.read()


def test_an_answer_into_a_closed_pipe_ends_quietly(tmp_path: Path, tiny_model: Path) -> None:
    with _asking(tmp_path, "!slow " + "あ" * 30, tiny_model) as process:
        process.stdout.read(1)
        process.stdout.close()
        assert process.wait(120) == 1
        assert b"Traceback" not in process.stderr.read()


def test_ctrl_c_ends_with_130_and_says_so(tmp_path: Path, tiny_model: Path) -> None:
    with _asking(tmp_path, "!slow " + "あ" * 100, tiny_model) as process:
        process.stdout.read(1)  # the answer has begun
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the children get it too
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "中断しました" in errors.decode()
    assert b"Traceback" not in errors


_INTERRUPTED_IMPORT = """
import importlib.abc, os, signal, sys
class Interrupt(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "app.cli":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
sys.argv = ["kotae", "docs", "list"]
from app.__main__ import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT")
def test_ctrl_c_during_the_imports_ends_without_a_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", _INTERRUPTED_IMPORT], cwd=ROOT, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_a_second_ctrl_c_ends_at_once_when_the_engine_does_not_answer(tmp_path: Path, tiny_model: Path) -> None:
    with _asking(tmp_path, "!hang", tiny_model) as process:
        wait_until(lambda: any(child.status() == psutil.STATUS_STOPPED for child in _children(process)))
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert b"Traceback" not in errors


def _children(process: "Popen[bytes]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_data_folder_may_stand_before_the_command_its_action_or_after_both(kotae, tmp_path, place):
    command = ["chats", "list"]
    command[place:place] = ["--data-dir", str(tmp_path / "data")]
    done = kotae(*command, "--json")
    assert (done.returncode, (tmp_path / "data" / "kotae.sqlite").is_file()) == (0, True)
