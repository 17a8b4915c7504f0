"""dev.py's commands and its environment: when pip must run, what is started, and exit codes.

The children are real processes: a stand-in for .venv's Python and tools writes down how it was called.
"""

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.dev_scripts import (
    ROOT,
    SCRIPTS,
    STAND_IN,
    isolate,
    llama_build,
    steps,
    system_packages,
    write_script,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")
THREE = "-n 3 --dist loadfile --durations 25 --durations-min 5"  # tests at a time


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    isolate(tmp_path, monkeypatch)


class Repository:
    """A copy of the scripts beside a stand-in .venv, with the compiled wheel already in the cache."""

    def __init__(self, root, monkeypatch):
        self.root = root
        self.commands = root.parent / "commands"
        self.calls_file = root.parent / "calls.txt"
        monkeypatch.setenv("CALLS", str(self.calls_file))
        monkeypatch.setenv("FAILING", "nothing fails")
        shutil.copytree(SCRIPTS, root / "packaging", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", root)
        shutil.copytree(ROOT / "resources/training_environment", root / "resources/training_environment")
        for name in ("python", "ruff", "mypy", "lint-imports", "pytest"):
            write_script(root / ".venv/bin" / name, STAND_IN)
        write_script(root / ".venv-train/bin/python", STAND_IN)
        self.dev = self.load()
        self.folder = llama_build.build_folder(llama_build.pinned_version(root / "pyproject.toml"), "cp311")
        self.folder.mkdir(parents=True)
        (self.folder / "llama.whl").touch()
        (self.folder / "llama.cpp").mkdir()
        (self.folder / "llama.cpp/convert_hf_to_gguf.py").write_text("# the converter\n", encoding="utf-8")

    def load(self, root=None):
        path = (root or self.root) / "packaging/dev.py"
        spec = importlib.util.spec_from_file_location("dev_of_a_copy", path)
        dev = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(dev)
        return dev

    def calls(self):
        """What was started since the last look."""
        lines = self.calls_file.read_text(encoding="utf-8").splitlines() if self.calls_file.exists() else []
        self.calls_file.unlink(missing_ok=True)
        return lines

    def tests(self):
        """How pytest was started since the last look; other tools may begin before it or after it."""
        return [call for call in self.calls() if call.startswith("pytest")]

    def is_current(self, extras=("starter",), **kwargs):
        return self.dev.is_current(self.dev.read_stamp(), extras, **{"needs_build_folder": False, **kwargs})

    def command(self, *arguments, **environment):
        """Runs dev.py as a person would, where there is no display unless `environment` gives one."""
        hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        argv = [sys.executable, self.root / "packaging/dev.py", *arguments]
        return subprocess.run(
            argv, cwd=self.root, env={**kept, **environment}, capture_output=True, encoding="utf-8", check=False
        )


@pytest.fixture
def repository(tmp_path, monkeypatch):
    return Repository(tmp_path / "repository", monkeypatch)


@pytest.fixture
def ready(repository):
    repository.dev.prepare_environment(("starter", "serve", "dev"))
    repository.dev.prepare_training()
    repository.calls()
    return repository


def test_the_first_set_up_installs_and_the_second_starts_nothing(repository):
    repository.dev.prepare_environment(("starter",))
    query, native, project = repository.calls()
    assert query.startswith("python -c import pip")
    assert native.endswith(f"--force-reinstall --no-deps {repository.folder / 'llama.whl'}")
    assert f"--editable {repository.root}[starter] --find-links {repository.folder}" in project
    repository.dev.prepare_environment(("starter",))
    assert repository.calls() == []


def test_an_ordinary_user_gets_one_line_with_everything_and_nothing_is_half_done(repository, monkeypatch, capsys):
    shutil.rmtree(repository.root / ".venv")
    shutil.rmtree(repository.folder)
    write_script(repository.commands / "apt-get", STAND_IN)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(system_packages, "packages_for_venv", lambda: ["python3.13-venv"])
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(steps.SetupError, match="先にこれら"):
        repository.dev.set_up(("starter",))
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "apt-get" in line]
    assert line.startswith("    sudo apt-get install -y --no-install-recommends python3.13-venv g++ libegl1 ")
    assert line.endswith(" fonts-noto-cjk")
    assert repository.calls() == []
    assert not (repository.root / ".venv").exists()


def test_with_the_compiled_wheel_in_the_cache_no_compiler_is_asked_for(repository, monkeypatch):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(repository.dev, "OWN_TAG", "cp311")
    assert repository.dev.packages_for_building() == []
    shutil.rmtree(repository.folder)
    assert repository.dev.packages_for_building() == ["g++"]


def test_a_failed_installation_is_done_again(repository, monkeypatch):
    monkeypatch.setenv("FAILING", "--editable")
    with pytest.raises(steps.SetupError, match="終了コード 7"):
        repository.dev.prepare_environment(("starter",))
    assert not repository.is_current()
    monkeypatch.setenv("FAILING", "nothing fails")
    repository.dev.prepare_environment(("starter",))
    assert repository.is_current()


def test_running_does_not_forget_what_testing_installed(ready):
    with (ready.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    assert not ready.is_current()
    ready.dev.prepare_environment(("starter",))
    assert "[dev,serve,starter]" in ready.calls()[-1]
    assert ready.is_current(("starter", "serve", "dev"))


def test_an_extra_that_was_never_installed_is_noticed(repository):
    repository.dev.prepare_environment(("starter",))
    assert repository.is_current(("starter",))
    assert not repository.is_current(("starter", "dev"))


def test_a_changed_script_is_noticed(ready):
    with (ready.root / "packaging/llama_build.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert not ready.is_current()


def test_other_compiler_flags_are_noticed(ready, monkeypatch):
    monkeypatch.setenv("CMAKE_ARGS", "-DGGML_CUDA=ON")
    assert not ready.is_current()


def test_a_stamp_cut_short_is_no_stamp(ready):
    ready.dev.STAMP.write_text(ready.dev.STAMP.read_text(encoding="utf-8")[:40], encoding="utf-8")
    assert ready.dev.read_stamp() == {}
    assert not ready.is_current()


def test_a_copied_folder_does_not_use_the_old_code(ready):
    copy = ready.root.parent / "copy"
    shutil.copytree(ready.root, copy)
    dev = ready.load(copy)
    assert not dev.is_current(dev.read_stamp(), ("starter",), needs_build_folder=False)
    assert dev.venv_tag(dev.read_stamp()) is None
    assert ready.dev.venv_tag(ready.dev.read_stamp()) == "cp311"


def test_an_emptied_cache_stops_set_up_only(ready):
    shutil.rmtree(ready.folder)
    assert ready.is_current()
    assert not ready.is_current(needs_build_folder=True)


def test_a_venv_whose_python_is_gone_is_not_used(ready):
    ready.dev.PYTHON.unlink()
    ready.dev.PYTHON.symlink_to("/nowhere/python3")
    assert not ready.is_current()
    assert ready.dev.venv_tag(ready.dev.read_stamp()) is None


def test_without_a_display_run_shows_the_command_line(ready):
    run = ready.command("run")
    assert (run.returncode, run.stderr) == (0, "")
    assert "画面がない" in run.stdout
    assert '.venv/bin/python -m app ask "日本の首都はどこですか？"' in run.stdout
    assert ready.calls() == ["python -P -m app models add starter"]


@pytest.mark.parametrize("name", ["DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"])
def test_with_a_display_run_opens_the_window(ready, name):
    run = ready.command("run", **{name: "x"})
    assert run.returncode == 0
    assert ready.calls() == ["python -P -m app models add starter", "python -P -m app"]


def test_run_hands_arguments_and_exit_code_through(ready):
    run = ready.command("run", "--", "ask", "--json", FAILING="ask")
    assert run.returncode == 7
    assert ready.calls()[-1] == "python -P -m app ask --json"


def test_a_failed_trial_model_is_not_called_success(ready):
    assert ready.command("run", FAILING="starter").returncode == 7


def test_the_japanese_sentence_survives_a_c_locale(ready):
    run = ready.command("run", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert run.returncode == 0
    assert "no display" in run.stdout


def test_check_runs_every_tool_and_fails_when_one_does(ready):
    run = ready.command("check", FAILING="format")
    assert run.returncode == 1
    tools = ["ruff check .", "ruff format --check .", "mypy", "lint-imports --no-cache", f"pytest {THREE} -m not slow"]
    assert sorted(ready.calls()) == sorted(tools)
    assert "\n== ruff format --check .\nit broke here\n" in run.stdout
    summary = run.stdout.splitlines()[-6:]
    assert [line.split()[0] for line in summary[:-1]] == ["ruff", "ruff", "mypy", "lint-imports", "pytest"]
    assert ["failed (7)" in line for line in summary[:-1]] == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("arguments", "failed", "alone", "code", "runs"),
    [([], 1, 0, 0, 2), ([], 3, 0, 0, 2), ([], 1, 1, 1, 2), ([], 4, 0, 1, 1), ([], 0, 0, 1, 1), (["-x"], 1, 0, 1, 1)],
    ids=["one passes alone", "three pass alone", "it fails again", "too many", "none is named", "others were not run"],
)
def test_files_of_a_few_tests_that_fail_beside_others_are_run_alone(ready, arguments, failed, alone, code, runs):
    cache = ready.root / ".pytest_cache/v/cache"
    cache.mkdir(parents=True)
    names = [f"tests/test_{number // 2}.py::test_it[{number}]" for number in range(failed)]
    first = f"echo '{json.dumps(dict.fromkeys(names, True))}' > {cache}/lastfailed; exit 1"
    does = f'case "$*" in *"-n 0"*) exit {alone};; *) {first};; esac'
    write_script(ready.root / ".venv/bin/pytest", STAND_IN + does)
    run = ready.command("check", *arguments)
    assert run.returncode == code
    first_call, *others = ready.tests()
    assert first_call == " ".join(["pytest", *THREE.split(), "-m not slow", *arguments])
    files = " ".join(sorted({name.partition("::")[0] for name in names}))
    assert others == [f"{first_call} -n 0 {files}"] * (runs - 1)
    told = [f"    {name}" for name in names]
    assert [line for line in run.stdout.splitlines() if "::test_it" in line] == (told if code == 0 else [])


def test_a_failure_of_an_earlier_run_is_not_run_again(ready):
    cache = ready.root / ".pytest_cache/v/cache/lastfailed"
    cache.parent.mkdir(parents=True)
    cache.write_text('{"tests/test_old.py::test_it": true}', encoding="utf-8")
    write_script(ready.root / ".venv/bin/pytest", STAND_IN + "exit 1")
    assert ready.command("check").returncode == 1
    assert ready.tests() == [f"pytest {THREE} -m not slow"]


@pytest.mark.parametrize("tool", ["mypy", "pytest"])
def test_a_missing_tool_is_told_in_one_sentence_before_any_other_begins(ready, tool):
    (ready.root / "tests").mkdir()  # as in a fresh clone, whose modules are compiled first
    (ready.root / ".venv/bin" / tool).unlink()
    run = ready.command("check")
    assert (run.returncode, "Traceback" in run.stderr, ready.calls()) == (1, False, [])
    assert f"{tool} is missing" in run.stderr
    assert "dev.py setup" in run.stderr


def test_after_ctrl_c_in_the_tests_no_other_tool_begins(ready):
    tests = 'echo > "$CALLS.begun"; kill -INT $PPID; exit 2'
    until_then = 'until [ -e "$CALLS.begun" ]; do /bin/sleep 0.1; done; /bin/sleep 3'
    for tool, does in (("pytest", tests), ("ruff", until_then)):
        write_script(ready.root / ".venv/bin" / tool, STAND_IN + does)
    run = ready.command("check")
    assert (run.returncode, "interrupted" in run.stderr) == (130, True)
    assert sorted(ready.calls()) == [f"pytest {THREE} -m not slow", "ruff check ."]


def test_in_a_fresh_clone_one_process_compiles_the_modules_before_the_tests_begin(ready):
    (ready.root / "tests").mkdir()
    slow = 'case "$1" in --collect-only) /bin/sleep 1;; esac\necho'
    write_script(ready.root / ".venv/bin/pytest", STAND_IN.replace("echo", slow, 1))
    assert ready.command("check").returncode == 0
    assert ready.tests() == ["pytest --collect-only -q", f"pytest {THREE} -m not slow"]
    (ready.root / "tests/__pycache__").mkdir()
    assert ready.command("check").returncode == 0
    assert ready.tests() == [f"pytest {THREE} -m not slow"]


def test_test_hands_arguments_to_pytest_and_all_selects_everything(ready):
    assert ready.command("test", "tests/core", "-k", "gguf").returncode == 0
    assert ready.tests() == [f"pytest {THREE} -m not slow tests/core -k gguf"]
    assert ready.command("test", "--all").returncode == 0
    assert ready.tests() == [f"pytest {THREE}"]


def test_the_faults_alone_are_run_by_their_mark(ready):
    assert ready.command("faults", "tests/core").returncode == 1  # the stand-in wrote no report
    assert ready.calls()[-1].startswith(f"pytest {THREE} -m fault and not slow --fault-table=")
    ready.command("faults", "--all")
    assert ready.calls()[-1].startswith(f"pytest {THREE} -m fault --fault-table=")


def test_the_training_environment_is_made_once_and_has_the_converter_with_its_version(repository):
    repository.dev.prepare_environment(("starter",))
    repository.calls()
    repository.dev.prepare_training()
    (install,) = repository.calls()
    requirements = repository.root / "resources/training_environment/requirements.txt"
    assert install == f"python -m pip install --requirement {requirements}"
    converter = repository.root / ".venv-train/llama.cpp"
    assert (converter / "convert_hf_to_gguf.py").read_text(encoding="utf-8") == "# the converter\n"
    pinned = llama_build.pinned_version(repository.root / "pyproject.toml")
    assert (converter / "VERSION").read_text(encoding="utf-8").strip() == pinned
    repository.dev.prepare_training()
    assert repository.calls() == []


def test_a_changed_requirement_or_a_lost_converter_renews_the_training_environment(ready):
    with (ready.root / "resources/training_environment/requirements.txt").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    ready.dev.prepare_training()
    assert len(ready.calls()) == 1
    shutil.rmtree(ready.root / ".venv-train/llama.cpp")
    ready.dev.prepare_training()
    assert len(ready.calls()) == 1


def test_a_failed_installation_of_the_training_environment_is_done_again(ready, monkeypatch):
    shutil.rmtree(ready.root / ".venv-train/llama.cpp")
    monkeypatch.setenv("FAILING", "--requirement")
    with pytest.raises(steps.SetupError, match="--without-training"):
        ready.dev.prepare_training()
    monkeypatch.setenv("FAILING", "nothing fails")
    ready.calls()
    ready.dev.prepare_training()
    assert len(ready.calls()) == 1


def test_the_training_environment_can_be_left_out(repository):
    assert repository.command("check", "--without-training", "tests/core").returncode == 0
    calls = repository.calls()
    assert f"pytest {THREE} -m not slow tests/core" in calls
    assert not any("--requirement" in call for call in calls)
    assert repository.command("check").returncode == 0
    assert any("--requirement" in call for call in repository.calls())


def test_an_unknown_command_prints_the_usage(ready):
    assert ready.command("start").returncode == 2
    assert ready.command().returncode == 2
    help_run = ready.command("--help")
    assert help_run.returncode == 0
    assert "run|test|check|faults|setup" in help_run.stdout


def test_an_older_python_is_told_in_one_sentence():
    ast.parse((SCRIPTS / "dev.py").read_text(encoding="utf-8"), feature_version=(3, 7))
    code = f"import runpy, sys; sys.version_info = (3, 9, 1); runpy.run_path({str(SCRIPTS / 'dev.py')!r})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 1
    assert "Python 3.11" in run.stderr
    assert len(run.stderr.splitlines()) == 1
