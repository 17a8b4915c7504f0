"""The converting process when something is wrong: it says what, leaves nothing behind, and tells nobody outside."""

import errno
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import model_files as models
from tests.convert.conversion import Conversion, convert, events_of, failure
from tests.convert.proof import CASES, Case
from tests.training.driver import small_drive
from trainer.convert.report import JobError, LogTail, as_job_errors, require_memory
from trainer.convert_job import (
    EXIT_PARENT_GONE,
    EXIT_UNREADABLE_JOB,
    Event,
    Finished,
    GgufToHf,
    HfToGguf,
    Merge,
    Phase,
    Progress,
    Started,
    part_path,
)


@pytest.fixture(scope="module")
def folder(tiny_model: Callable[[Case], Path]) -> Path:
    return tiny_model(CASES[0]) / "base"


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "写し"))


@pytest.fixture
def long_merge(large_files: tuple[Path, Path], converter: str, tmp_path: Path) -> Merge:
    """There is time to interrupt it."""
    return Merge(*map(str, large_files), str(tmp_path / "merged.gguf"), converter)


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), encoding="utf-8")


# ----------------------------------------------------------- what is said


class Converted(NamedTuple):
    target: Path
    events: list[Event]
    trace: str | None  # its system calls of the network; None where nothing may be traced


@pytest.fixture(scope="module")
def converted(folder, environment, converter, tmp_path_factory) -> Converted:
    root = tmp_path_factory.mktemp("converted")
    target, trace = root / "答え {ftype} 100%.gguf", root / "trace.txt"
    job = HfToGguf(str(folder), str(target), converter)
    strace = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=%network", "-e", "signal=none", "-o", str(trace)]
    if shutil.which("strace") is not None:
        with Conversion(environment, job, root, strace) as conversion:
            events = conversion.read_all()
        if events:
            return Converted(target, events, trace.read_text("utf-8"))
    return Converted(target, events_of(environment, job, root), None)


def test_events_begin_with_the_protocol_and_phases_come_in_order(converted):
    events = converted.events
    assert isinstance(events[0], Started)
    assert events[0].protocol == 1
    phases = [event.name for event in events if isinstance(event, Phase)]
    assert phases == ["loading", "reading", "writing", "saving"]
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert (finished.path, finished.notes["outtype"]) == (str(converted.target), "f16")
    last = [event for event in events if isinstance(event, Progress)][-1]
    assert last.done_bytes == last.total_bytes
    assert last.total_bytes == pytest.approx(converted.target.stat().st_size, rel=0.1)


def test_no_native_code_opens_a_socket(converted):
    if converted.trace is None:
        pytest.skip("tracing is not installed or not allowed here")
    assert [line for line in converted.trace.splitlines() if "AF_INET" in line] == []


@pytest.mark.fault("S5")
def test_an_architecture_that_llama_cpp_does_not_know_is_named(copy, server, converter, tmp_path):
    edit(copy / "config.json", architectures=["KotaeForCausalLM"])
    failed = failure(server, HfToGguf(str(copy), str(tmp_path / "a.gguf"), converter), tmp_path)
    assert (failed.code, failed.facts) == ("architecture_unknown", {"architecture": "KotaeForCausalLM"})


def test_a_way_of_splitting_text_that_llama_cpp_does_not_have_is_refused(copy, server, converter, tmp_path):
    tokenizer = json.loads((copy / "tokenizer.json").read_text("utf-8"))
    tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\p{N}{1,2}|\s+|[^\s\p{N}]+"
    (copy / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    failed = failure(server, HfToGguf(str(copy), str(tmp_path / "a.gguf"), converter), tmp_path)
    assert failed.code == "pre_tokenizer_unknown"
    assert len(failed.facts["digest"]) == 16


@pytest.mark.fault("S5")
def test_programs_in_a_folder_are_not_run(copy, server, converter, tmp_path):
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass Config: pass\n")
    edit(copy / "config.json", auto_map={"AutoConfig": "evil.Config"}, model_type="evil")
    failed = failure(server, HfToGguf(str(copy), str(tmp_path / "a.gguf"), converter), tmp_path)
    assert failed.code == "remote_code"
    assert not (tmp_path / "ran").exists()


@pytest.mark.fault("F4")
def test_a_broken_tokenizer_shows_the_end_of_the_log(copy, server, converter, tmp_path):
    (copy / "tokenizer.json").write_text("{", encoding="utf-8")
    failed = failure(server, HfToGguf(str(copy), str(tmp_path / "a.gguf"), converter), tmp_path)
    assert failed.code == "converter_failed"
    assert "Set model tokenizer" in failed.facts["log"]


@pytest.mark.parametrize("lost", ["convert_hf_to_gguf.py", "gguf-py", "conversion"])
def test_an_incomplete_converter_is_said(lost, folder, server, converter, tmp_path):
    part = Path(shutil.copytree(converter, tmp_path / "llama.cpp"))
    shutil.rmtree(part / lost) if (part / lost).is_dir() else (part / lost).unlink()
    failed = failure(server, HfToGguf(str(folder), str(tmp_path / "a.gguf"), str(part)), tmp_path)
    assert failed.code == "converter_missing"
    assert lost in failed.facts["path"]


def test_a_folder_is_never_replaced(server, tmp_path):
    source, target = models.tiny_llama(tmp_path / "a.gguf"), tmp_path / "folder"
    target.mkdir()
    assert failure(server, GgufToHf(str(source), str(target)), tmp_path).code == "target_exists"
    assert target.is_dir()


@pytest.mark.parametrize("text", ["", "{}", '{"version": 1, "kind": "train"}'])
def test_a_job_that_is_none_is_not_begun(text, environment, tmp_path):
    (tmp_path / "job.json").write_text(text, encoding="utf-8")
    argv = environment.command("trainer.convert", str(tmp_path / "job.json"))
    run = subprocess.run(argv, capture_output=True, encoding="utf-8", check=False)
    assert (run.returncode, run.stdout) == (EXIT_UNREADABLE_JOB, "")
    assert "convert: " in run.stderr


# ------------------------------------------------- alone in its process


ATTEMPTS = {
    "socket.create_connection(('127.0.0.1', 9))": "NetworkRefusedError",
    "socket.getaddrinfo('huggingface.co', 443)": "NetworkRefusedError",
    "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))": "NetworkRefusedError",
    "__import__('huggingface_hub').hf_hub_download('a/b', 'config.json')": "LocalEntryNotFoundError",
    "__import__('app')": "ModuleNotFoundError",
}
SCRIPT = f"""\
import os, socket
print("noise")
os.write(1, b"noise\\n")
for attempt in {list(ATTEMPTS)!r}:
    try:
        eval(attempt)
    except Exception as error:
        print("attempt:", type(error).__name__)
raise RuntimeError("over")
"""


@pytest.mark.fault("S5")
def test_a_script_reaches_neither_the_network_nor_the_program_nor_the_events(folder, environment, converter, tmp_path):
    own = Path(shutil.copytree(converter, tmp_path / "llama.cpp"))
    (own / "convert_hf_to_gguf.py").write_text(SCRIPT, encoding="utf-8")
    failed = failure(environment, HfToGguf(str(folder), str(tmp_path / "a.gguf"), str(own)), tmp_path)
    assert (failed.code, failed.facts["reason"]) == ("converter_failed", "RuntimeError: over")
    log = (tmp_path / "convert.log").read_text("utf-8").splitlines()
    assert [line for line in log if line.startswith("attempt:")] == [f"attempt: {error}" for error in ATTEMPTS.values()]
    assert log.count("noise") == 2


# ------------------------------------------------------- cut short


@pytest.mark.fault("F4")
def test_without_its_parent_it_deletes_what_it_began(long_merge, environment, tmp_path):
    with Conversion(environment, long_merge, tmp_path) as conversion:
        while not isinstance(conversion.read(), Progress):
            pass
        assert part_path(long_merge.target).exists()
    assert conversion.process.returncode == EXIT_PARENT_GONE
    assert not part_path(long_merge.target).exists()
    assert not Path(long_merge.target).exists()


@pytest.mark.fault("F4")
def test_what_a_killed_process_left_goes_with_the_next(long_merge, environment, server, tmp_path):
    with Conversion(environment, long_merge, tmp_path) as conversion:
        while not isinstance(conversion.read(), Progress):
            pass
        conversion.process.kill()
    assert part_path(long_merge.target).exists()
    assert not Path(long_merge.target).exists()
    base, adapter = models.tiny_llama(tmp_path / "base.gguf"), models.tiny_adapter(tmp_path / "adapter.gguf")
    convert(server, Merge(str(base), str(adapter), long_merge.target, long_merge.converter), tmp_path)
    assert Path(long_merge.target).stat().st_size == base.stat().st_size


@pytest.mark.fault("F2")
def test_a_disk_without_room_is_refused_before_anything_is_written(long_merge, environment, converter, tmp_path):
    with small_drive(tmp_path / "disk", "size=48m") as disk:
        job = Merge(long_merge.base, long_merge.adapter, str(disk / "merged.gguf"), converter)
        failed = failure(environment, job, tmp_path)
        assert failed.code == "disk_full"
        assert failed.facts["needed_bytes"] == Path(long_merge.base).stat().st_size
        assert list(disk.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
@pytest.mark.fault("F2")
def test_a_disk_that_fills_up_is_said_to_be_full(tmp_path):
    with (
        pytest.raises(JobError, match="disk_full") as caught,
        as_job_errors(tmp_path / "a.gguf", LogTail()),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")
    assert caught.value.facts["path"] == str(tmp_path)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), "no_memory"),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "disk_full"),
        (OSError("10 requested and 5 written"), "converter_failed"),  # numpy's; the disk has room
        (PermissionError(errno.EACCES, "no"), "converter_failed"),
        (SystemExit(1), "converter_failed"),
        (ModuleNotFoundError("No module named 'torch'"), "training_environment_broken"),
    ],
)
@pytest.mark.fault("F4")
def test_every_end_has_a_code(error, code, tmp_path):
    with pytest.raises(JobError) as caught, as_job_errors(tmp_path / "a.gguf", LogTail()):
        raise error
    assert caught.value.code == code
    assert code != "training_environment_broken" or caught.value.facts["reason"] == "No module named 'torch'"


def test_a_conversion_that_memory_is_too_short_for_says_how_much_it_needs():
    require_memory(1 << 20)
    with pytest.raises(JobError) as caught:
        require_memory(1 << 60)
    assert caught.value.code == "conversion_memory_short"
    assert caught.value.facts["needed_bytes"] == 1 << 60 > caught.value.facts["available_bytes"] > 0
