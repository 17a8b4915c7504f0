"""The offline check: that it counts what tries to leave, says what it could not see, and what its page holds."""

import base64
import dataclasses
import functools
import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.base import json_lines, programs, settings, wording
from app.base.files.input_file import sha256_of
from app.base.isolation import network_guard
from app.base.paths import Paths, resources
from app.base.settings import Settings
from app.chat.store import Store
from app.compliance.offline_check import check_run, coordinator, environment_facts, report_page
from app.compliance.offline_check.check_run import OfflineCheckRun
from app.compliance.offline_check.records import (
    SCENARIOS,
    STAGES,
    CheckFact,
    CheckResult,
    HashedFile,
    MeasuredTraffic,
    NetworkAttempts,
    ScenarioResult,
)
from app.models import local_models
from tests import model_files as models
from tests.compliance.check_results import DONE, RESULT, of
from tests.html_page import Page

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 300


# ------------------------------------------------------------------------------------------------------ counters

ISOLATED = """
import json, os, subprocess, sys
from app.compliance.offline_check import coordinator as counters
from app.compliance.offline_check.records import NetworkAttempts as Attempts
if counters.isolate() != "namespace":
    sys.exit(77)
os.environ["KOTAE_OFFLINE_CHECK"] = "1"
before = counters.read_counters()
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True, text=True)
counted = counters.counted_attempts(before, counters.read_counters())
print(json.dumps({"packets": counted.packets, "tries": counted.tries, "said": done.stdout}))
"""


def counted(*command: str) -> dict[str, object]:
    """What the kernel counts of a command in an empty network."""
    done = subprocess.run(
        [sys.executable, "-c", ISOLATED, *command], cwd=ROOT, capture_output=True, encoding="utf-8", timeout=LIMIT_S
    )
    if done.returncode == 77:
        pytest.skip("this machine permits no network of one's own")
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found


NATIVE = """
import ctypes, struct
system = ctypes.CDLL(None)
number = system.socket({family}, {kind}, 0)
system.{call}
"""
FOUR = r"struct.pack('=H', 2) + b'\0\x09' + bytes({address}) + bytes(8), 16"
SIX = r"struct.pack('=H', 10) + b'\0\x09' + bytes(4) + bytes({address}) + bytes(4), 28"
FOREIGN, OWN = [192, 0, 2, 1], [127, 0, 0, 1]
FOREIGN_6, OWN_6 = [0x20, 1, 0xD, 0xB8, *[0] * 11, 1], [*[0] * 15, 1]


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize(
    ("family", "to"),
    [(2, FOUR.format(address=FOREIGN)), (2, FOUR.format(address=OWN)),
     (10, SIX.format(address=FOREIGN_6)), (10, SIX.format(address=OWN_6))],
    ids=["elsewhere", "own machine", "elsewhere by IPv6", "own machine by IPv6"],
)  # fmt: skip
def test_every_try_of_native_code_is_counted(family: int, to: str, kind: int) -> None:
    call = f"connect(number, {to})" if kind == 1 else f"sendto(number, b'x', 1, 0, {to})"
    found = counted(sys.executable, "-c", NATIVE.format(family=family, kind=kind, call=call))
    assert found["tries"] > 0, found


def test_asking_for_a_name_is_counted() -> None:
    """By the system's own resolver, past Python. Where it asks nobody, there is nothing to count."""
    code = "import ctypes; ctypes.CDLL(None).gethostbyname(b'example.invalid')"
    servers = Path("/etc/resolv.conf")
    if not servers.is_file() or "nameserver" not in servers.read_text("utf-8", "replace"):
        pytest.skip("this machine asks no name server")
    assert counted(sys.executable, "-c", code)["tries"] > 0


def test_a_process_that_tries_nothing_counts_nothing() -> None:
    assert counted(sys.executable, "-c", "import socket; socket.socketpair(); socket.socket()")["tries"] == 0


def test_the_leak_of_the_self_test_is_counted_and_the_guard_refuses_before_anything_is() -> None:
    leak = counted(*programs.own_program(), "--offline-check", "leak")
    assert json.loads(str(leak["said"]))["tried"] == 6
    assert leak["tries"] >= 6
    guard = counted(*programs.own_program(), "--offline-check", "guard")
    told = json.loads(str(guard["said"]))
    assert told["tried"] == told["refused"] >= 4
    assert guard["tries"] == 0


def test_the_leak_does_nothing_where_there_is_a_network() -> None:
    command = [*programs.own_program(), "--offline-check", "leak"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=LIMIT_S)
    assert done.returncode != 0
    assert done.stdout == ""


# -------------------------------------------------------------------------------------------------- whole checks


def check(where: Paths) -> tuple[CheckResult, list[str]]:
    stages: list[str] = []

    def note(stage: str, _done: float) -> None:
        if stage not in stages:
            stages.append(stage)

    return OfflineCheckRun(where, note).run(), stages


@pytest.fixture
def with_model(where: Paths, store: Store) -> Paths:
    local_models.add(store, local_models.describe(models.tiny_llama(where.models / "小さなモデル.gguf")))
    return where


@functools.cache
def is_isolated() -> bool:
    code = "import sys; from app.compliance.offline_check import coordinator as c; sys.exit(c.isolate() != 'namespace')"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=LIMIT_S).returncode == 0


def test_a_real_engine_answers_and_nothing_is_counted(
    with_model: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KOTAE_ENGINE", raising=False)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    result, stages = check(with_model)
    assert [(flow.name, flow.state, flow.reason) for flow in result.measured.flows] == [
        (name, "passed", "") for name in SCENARIOS
    ]
    assert (result.measured.sockets, result.measured.refusals) == ((), ())
    assert stages == list(STAGES)
    assert result.model == "Tiny F32"
    assert list(temporary.iterdir()) == []
    if is_isolated():
        assert result.verdict == "clean"
        assert result.measured.kernel == NetworkAttempts(0, 0)
        assert result.measured.leak is not None
        assert result.measured.leak.tries >= 6
    else:
        assert result.verdict == "limited"
    (model,) = (file for file in result.files if file.role == "model")
    assert model.sha256 == sha256_of(with_model.models / "小さなモデル.gguf")


def test_what_a_plug_in_sends_at_the_start_of_python_is_found(
    where: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs before the guard, and goes past it; datagram and door are to this machine itself."""
    if not is_isolated():
        pytest.skip("this machine permits no network of one's own")
    folder = tmp_path / "plug-in"
    folder.mkdir()
    send = f"sendto(number, b'x', 1, 0, {FOUR.format(address=OWN)})"
    door = "import socket, sys\nif '--offline-check' not in sys.argv: kept = socket.create_server(('127.0.0.1', 0))\n"
    (folder / "sitecustomize.py").write_text(NATIVE.format(family=2, kind=2, call=send) + door, "utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{folder}")
    result, _ = check(where)
    assert result.verdict == "leak"
    assert result.measured.kernel is not None
    assert result.measured.kernel.packets > 0
    assert "LISTEN" in str(result.measured.sockets)
    assert "▲" in "".join(Page(report_page.render_page(result, (), "{}", "x")).text)


def test_with_the_network_switched_off_the_kernel_gives_no_socket(where: Paths) -> None:
    """Started by a program that is under the filter, as the window is then."""
    settings.save(where.settings, Settings(network_allowed=False))
    command = [*programs.own_program(), "offline-check", "--json", "--data-dir", str(where.data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=LIMIT_S)
    told = json.loads(done.stdout)
    if told["filter_state"] != "on":
        pytest.skip("this system has no such filter")
    assert told["confinement"] in ("on", "off")
    assert (told["verdict"], told["mode"], told["measured"]["isolation"]) == ("clean", "settings", "filtered")
    assert {flow["state"] for flow in told["measured"]["flows"]} == {"passed", "not_tried"}
    assert done.returncode == 0


# ------------------------------------------------------------------------------------------------------ verdicts


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (of(), "clean"),
        (of(dataclasses.replace(DONE, kernel=NetworkAttempts(0, 1))), "leak"),
        (of(dataclasses.replace(DONE, kernel=NetworkAttempts(1, 0))), "leak"),
        (of(dataclasses.replace(DONE, sockets=("0.0.0.0:5000 → LISTEN",))), "leak"),
        (of(dataclasses.replace(DONE, refusals=("socket.connect",))), "leak"),
        (of(dataclasses.replace(DONE, guard=(4, 5))), "incomplete"),
        (of(dataclasses.replace(DONE, guard=(0, 0))), "incomplete"),
        (of(dataclasses.replace(DONE, leak=NetworkAttempts(0, 0))), "incomplete"),
        (of(dataclasses.replace(DONE, flows=(ScenarioResult("window", "failed"),))), "incomplete"),
        (of(files=(HashedFile("model", "m", "m", 1, "0", "changed"),)), "incomplete"),
        (of(dataclasses.replace(DONE, isolation="refused", leak=None, kernel=None)), "limited"),
        (of(dataclasses.replace(DONE, isolation="unsupported", leak=None, kernel=None)), "limited"),
        (of(dataclasses.replace(DONE, isolation="filtered", leak=None, kernel=None)), "clean"),
        (
            of(dataclasses.replace(DONE, isolation="filtered", leak=None, kernel=None), filter_state="refused"),
            "limited",
        ),
        (of(filter_state="leaky"), "incomplete"),
        (of(confinement="leaky"), "incomplete"),
        (of(confinement="off"), "clean"),
        (of(dataclasses.replace(DONE, samples=0)), "incomplete"),
    ],
)
def test_the_verdict(result: CheckResult, verdict: str) -> None:
    assert result.verdict == verdict
    assert result.is_good == (verdict in ("clean", "limited"))
    assert (
        json_lines.convert(json.loads(json.dumps(dataclasses.asdict(result.measured))), MeasuredTraffic)
        == result.measured
    )
    for language in wording.LANGUAGES:
        wording.use_language(language)
        text = Page(report_page.render_page(result, (), "{}", "x.cdx.json")).text
        assert report_page.verdict_title(result) in text
        assert report_page.verdict_text(result) in text
        assert not re.search(r"\{\w+\}", text)


# ---------------------------------------------------------------------------------------------------------- page


def written(folder: Path, result: CheckResult = RESULT) -> tuple[str, Path]:
    beside = report_page.write_page(result, folder / "report.html")
    return (folder / "report.html").read_text("utf-8"), beside


def test_the_page_needs_nothing_from_elsewhere_and_carries_the_list_of_parts(tmp_path: Path) -> None:
    text, beside = written(tmp_path)
    shown = Page(text)
    (link,) = shown.links
    assert link.startswith("data:application/vnd.cyclonedx+json;base64,")
    assert base64.b64decode(link.partition(",")[2]).decode("utf-8") == beside.read_text("utf-8")
    assert {"script", "img", "iframe", "object", "link"} & set(shown.tags) == set()
    assert "default-src 'none'" in text
    listed = json.loads(beside.read_text("utf-8"))
    assert (listed["bomFormat"], listed["metadata"]["component"]["version"]) == ("CycloneDX", "1.0")
    assert len(listed["components"]) > 20
    assert "PySide6" in shown.text


def texts_of_facts() -> list[str]:
    """The keys of all facts that have a sentence."""
    return list(tomllib.loads((resources() / "wording/compliance.toml").read_text("utf-8"))["page_fact"])


def test_the_page_in_english_has_no_japanese(tmp_path: Path) -> None:
    wording.use_language("en")
    keys = texts_of_facts()
    text, _ = written(tmp_path, dataclasses.replace(RESULT, facts=tuple(CheckFact(key, "ok", "/x") for key in keys)))
    words = Page(text).text.replace("“", "").replace("”", "")
    assert not re.search(r"[\u3000-\u30ff\u4e00-\u9fff]", words)


def test_names_that_look_like_markup_are_text(tmp_path: Path) -> None:
    file = HashedFile("model", "<script>x</script>", "/<b>", 1, "0" * 64, "measured")
    measured = dataclasses.replace(
        DONE, refusals=("<img src=http://x>",), flows=(ScenarioResult("window", "failed", 1, "<b>"),)
    )
    text, _ = written(tmp_path, of(measured, files=(file,)))
    assert "<script>" not in text
    assert "<img" not in text
    assert "&lt;b&gt;" in text


# -------------------------------------------------------------------------------------------------- surroundings


def keys(facts: Sequence[CheckFact]) -> set[str]:
    return {fact.key for fact in facts}


@pytest.mark.parametrize(
    ("parts", "cloud"),
    [("OneDrive - 会社/Kotae", "OneDrive"), ("Dropbox", "Dropbox"), ("Library/Mobile Documents/x", "iCloud"),
     ("マイドライブ", "Google Drive"), ("Google Drive/x", "Google Drive"), ("Nextcloud", "Nextcloud"),
     ("dropboxes", ""), ("inbox", ""), ("資料", "")],
)  # fmt: skip
def test_a_folder_that_a_cloud_takes_away_is_named(tmp_path: Path, parts: str, cloud: str) -> None:
    fact = environment_facts._cloud_folder_fact("data", tmp_path / parts)
    assert (fact.level, fact.detail.partition(":")[0]) == ("warning", cloud) if cloud else fact.level == "ok"


def test_variables_are_named_and_their_values_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://taro:himitsu@proxy:8080")
    monkeypatch.setenv("HF_TOKEN", "hf_himitsu")
    monkeypatch.setenv("LD_PRELOAD", "")
    facts = environment_facts.collect_facts({"data": tmp_path, "models": tmp_path})
    assert {"proxies", "hub"} <= keys(facts)
    assert "preloaded" not in keys(facts)
    assert "HTTPS_PROXY" in str(facts)
    assert "HF_TOKEN" in str(facts)
    assert "himitsu" not in str(facts)
    assert set(network_guard.SWITCHES) & set(re.findall(r"\w+", str(facts))) == set()


def test_a_plug_in_of_python_is_found_and_a_plain_path_is_none(tmp_path: Path) -> None:
    code, plain = tmp_path / "code.pth", tmp_path / "plain.pth"
    code.write_text("# x\nimport os; os.getpid()\n", "utf-8")
    plain.write_text("/usr/lib/importer\n", "utf-8")
    assert environment_facts._runs_code(code)
    assert not environment_facts._runs_code(plain)


def test_every_fact_has_its_sentence() -> None:
    found = Path(environment_facts.__file__).read_text("utf-8")
    named = set(re.findall(r'"([a-z]+(?:_[a-z]+)*)"', found))
    sentences = set(texts_of_facts())
    variable = {
        f"{kind}_{what}{end}" for kind in ("cloud", "drive") for what in ("data", "models") for end in ("", "_none")
    }
    assert sentences - variable <= named
    assert variable <= sentences


# -------------------------------------------------------------------------------------------------------- hashes


def test_a_hash_is_taken_from_the_list_only_while_the_file_is_as_it_was(tmp_path: Path) -> None:
    path = models.tiny_llama(tmp_path / "m.gguf")
    model = local_models.describe(path)
    marked = dataclasses.replace(model, files=(dataclasses.replace(files_mark(path)),))
    assert [file.state for file in check_run.hash_models([marked], lambda *_: None)] == ["stored"]
    with path.open("ab") as file:
        file.write(b"x")
    (found,) = check_run.hash_models([marked], lambda *_: None)
    assert found.state == "changed"
    path.unlink()
    assert [file.state for file in check_run.hash_models([marked], lambda *_: None)] == ["missing"]


def files_mark(path: Path):
    from app.inference.local_model import FileFingerprint

    status = path.stat()
    return FileFingerprint(path.name, status.st_size, status.st_mtime_ns, sha256_of(path))


def test_the_program_is_one_number_that_changes_with_any_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_run, "_bundle", lambda: tmp_path)
    (tmp_path / "a.txt").write_text("1", "utf-8")
    (tmp_path / "__pycache__").mkdir()

    def number() -> str:
        return next(file.sha256 for file in check_run.hash_program() if file.role == "manifest")

    first = number()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x", "utf-8")
    assert number() == first
    (tmp_path / "a.txt").write_text("2", "utf-8")
    assert number() != first
    shutil.copy(tmp_path / "a.txt", tmp_path / "b.txt")
    assert len({first, number()}) == 2


def test_the_counters_are_there_on_this_kernel() -> None:
    if sys.platform != "linux":
        pytest.skip("Linux alone")
    assert {"Ip.OutRequests", "Ip.OutNoRoutes", "Tcp.ActiveOpens", "Udp.OutDatagrams", "packets"} <= set(
        coordinator.read_counters()
    )


# --------------------------------------------------------------------------------------------- files by their hashes


def bundle(folder: Path) -> Path:
    """As a build lays them out: a library with a short name that links to it, and a folder that is linked."""
    (folder / "lib" / "__pycache__").mkdir(parents=True)
    (folder / "kotae").write_bytes(b"program")
    (folder / "lib" / "libfoo.so.1").write_bytes(b"library")
    (folder / "lib" / "日本.txt").write_bytes(b"words")
    (folder / "lib" / "__pycache__" / "x.pyc").write_bytes(b"cache")
    (folder / "libfoo.so").symlink_to("lib/libfoo.so.1")
    (folder / "lib64").symlink_to("lib")
    return folder


def test_a_link_is_not_counted_beside_its_file(tmp_path: Path) -> None:
    found = check_run.hash_folder(bundle(tmp_path / "kotae"))
    assert (found.name, found.size_bytes) == ("kotae (3)", len(b"program" + b"library" + b"words"))
    (tmp_path / "kotae" / "libfoo.so").unlink()
    assert check_run.hash_folder(tmp_path / "kotae") == found


def test_a_link_that_leads_out_of_the_folder_is_seen(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "kotae")
    before = check_run.hash_folder(folder)
    (tmp_path / "other.so").write_bytes(b"other")
    (folder / "libfoo.so").unlink()
    (folder / "libfoo.so").symlink_to(tmp_path / "other.so")
    assert check_run.hash_folder(folder).sha256 != before.sha256


@pytest.mark.skipif(sys.platform != "linux", reason="the command is for Linux")
def test_the_command_on_the_page_gives_the_same_hash(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "kotae")
    told = report_page.render_page(of(), (), "", "x.json")
    command = html.unescape(re.search(r">(find [^<]+)<", told)[1])  # type: ignore[index]
    done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.stdout.split()[0] == check_run.hash_folder(folder).sha256
