"""The quantizing child against llama.cpp called bare: same weights, progress, and nothing half-made left behind."""

import ctypes
import subprocess
from pathlib import Path

import gguf as gguf_writer
import pytest
from llama_cpp import llama_cpp as api

from app.inference import gguf, quantizations
from app.inference.engine.model_jobs import Quantize
from tests import model_files as models
from tests.inference.engine import jobs
from tests.model_files import TinyShape
from tests.training.driver import small_drive
from trainer.convert_job import EXIT_PARENT_GONE, EXIT_UNREADABLE_JOB, Event, Phase, Progress, Started, part_path

WIDE = TinyShape(embedding=256, feed_forward=512)  # rows that a block of 256 divides
LONG = TinyShape(layers=6, embedding=256, feed_forward=1024)  # a second of work for one thread


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.tiny_llama(tmp_path / "モデル f32.gguf", shape=WIDE)


def job(model: Path, quantization: str = "Q4_K_M", **fields: object) -> Quantize:
    return Quantize(str(model), str(model.with_name(f"{quantization}.gguf")), quantization, **fields)  # type: ignore[arg-type]


def weights(path: Path) -> dict[str, bytes]:
    return {tensor.name: tensor.data.tobytes() for tensor in gguf_writer.GGUFReader(path).tensors}


def quantized_bare(model: Path, form: str) -> Path:
    out = model.with_name(f"bare-{form}.gguf")
    params = api.llama_model_quantize_default_params()
    params.ftype = quantizations.QUANTIZATIONS[form].file_type
    assert api.llama_model_quantize(str(model).encode(), str(out).encode(), ctypes.byref(params)) == 0
    return out


@pytest.mark.parametrize(
    "form",
    [
        *("Q4_K_M", "Q8_0", "BF16", "IQ4_XS"),
        *(pytest.param(form, marks=pytest.mark.slow) for form in ("Q5_K_M", "Q6_K", "F16", "Q3_K_L")),
    ],
)
def test_the_weights_are_those_of_llama_cpp_called_bare(tmp_path, model, form):
    end = jobs.finished(job(model, form), tmp_path)
    made = Path(end.path)
    assert gguf.check_model(made).quantization == form
    assert weights(made) == weights(quantized_bare(model, form))
    assert end.notes["size_bytes"] == made.stat().st_size
    assert end.peak_rss_bytes > 10_000_000


@pytest.mark.parametrize("form", list(quantizations.QUANTIZATIONS))
def test_the_estimate_of_each_form_is_not_below_the_file(tmp_path, model, form):
    matrices = {
        name.replace("token_embd", "embed_tokens").replace("output.weight", "lm_head.weight")
        if name in ("token_embd.weight", "output.weight")
        else name: shape
        for name, shape in WIDE.matrices().items()
    }
    estimate = quantizations.estimate_bytes(quantizations.QUANTIZATIONS[form], matrices)
    made = gguf.read_header(quantized_bare(model, form))
    assert made.quantization == form
    assert 0.95 * made.weights_bytes < estimate < 1.5 * made.weights_bytes


def test_rows_that_no_block_divides_are_counted(tmp_path):
    narrow = models.tiny_llama(tmp_path / "narrow.gguf")
    notes = jobs.finished(job(narrow), tmp_path).notes
    assert notes["fallback_tensors"] == len(models.TINY.matrices()) - 1  # llama.cpp does not count the last layer
    wide = models.tiny_llama(tmp_path / "wide.gguf", shape=WIDE)
    assert jobs.finished(job(wide), tmp_path).notes["fallback_tensors"] == 0


def test_progress_goes_up_to_the_size_of_the_source(tmp_path):
    long = models.tiny_llama(tmp_path / "long.gguf", shape=LONG)
    _, events = jobs.run(job(long, "IQ4_XS", threads=1), tmp_path)
    assert isinstance(events[0], Started)
    assert [event.name for event in events if isinstance(event, Phase)] == ["writing", "saving"]
    steps = [event for event in events if isinstance(event, Progress)]
    total = gguf.read_header(long).weights_bytes
    assert len(steps) > 2
    assert {step.total_bytes for step in steps} == {total}
    assert sorted(step.done_bytes for step in steps) == [step.done_bytes for step in steps]
    assert 0.3 * total < steps[-1].done_bytes <= total


def test_the_file_says_what_it_is_told_to_say_and_a_long_text_is_cut_between_two_characters(tmp_path, model):
    texts = {"general.name": "a" + "あ" * 100, "general.source.repo_url": "https://huggingface.co/kotae/model"}
    header = gguf.check_model(Path(jobs.finished(job(model, metadata=texts), tmp_path).path))
    assert header.name == "a" + "あ" * 42
    assert header.text("general.source.repo_url") == "https://huggingface.co/kotae/model"


@pytest.mark.parametrize("how", ["end of input", "kill"])
def test_a_job_that_is_given_up_leaves_no_file_under_its_name(tmp_path, how):
    long = models.tiny_llama(tmp_path / "long.gguf", shape=LONG)
    work = job(long, "IQ4_XS", threads=1)

    def give_up(event: Event, process: "subprocess.Popen[bytes]") -> None:
        if isinstance(event, Progress) and event.done_bytes:
            assert part_path(work.target).exists()
            assert process.stdin is not None
            if how == "kill":
                process.kill()
            else:
                process.stdin.close()

    status, events = jobs.run(work, tmp_path, give_up)
    assert status == (-9 if how == "kill" else EXIT_PARENT_GONE)
    assert isinstance(events[-1], Progress)
    assert not Path(work.target).exists()
    assert part_path(work.target).exists() == (how == "kill")  # and the next try deletes that
    if how == "kill":
        jobs.finished(work, tmp_path)
        assert not part_path(work.target).exists()


def test_a_source_that_is_quantized_already_or_damaged_is_refused_in_words(tmp_path, model):
    small = Path(jobs.finished(job(model, "Q8_0"), tmp_path).path)
    failed = jobs.failure(job(small, "Q4_K_M"), tmp_path)
    assert failed.code == "quantize_failed"
    assert "requantizing" in failed.facts["reason"]
    assert not small.with_name("Q4_K_M.gguf").exists()
    model.write_bytes(model.read_bytes()[:-1000])
    assert jobs.failure(job(model), tmp_path).code == "truncated"


def test_a_job_that_cannot_be_read_ends_the_process_without_an_event(tmp_path):
    argv = [*jobs.command("--quantize"), str(tmp_path / "none.json")]
    done = subprocess.run(argv, cwd=jobs.ROOT, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (EXIT_UNREADABLE_JOB, b"")


@pytest.mark.fault("F2")
def test_a_full_disk_is_named_and_nothing_stays_on_it(tmp_path):
    long = models.tiny_llama(tmp_path / "long.gguf", shape=LONG)
    with small_drive(tmp_path / "disk", "size=2m") as disk:
        failed = jobs.failure(Quantize(str(long), str(disk / "q8.gguf"), "Q8_0"), tmp_path)
        assert failed.code == "drive_space"
        assert failed.facts["path"] == str(disk)
        assert list(disk.iterdir()) == []


def test_a_folder_that_is_gone_is_named(tmp_path, model):
    failed = jobs.failure(Quantize(str(model), str(tmp_path / "none" / "q8.gguf"), "Q8_0"), tmp_path)
    assert failed.code == "build_unwritable"
    assert "none" in failed.facts["path"]
