"""The steps of a build, the room they need, and what an interrupted one finds again."""

import contextlib
import os
import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.inference import quantizations
from app.models import gguf_build, hf_folders
from app.models.artifact_steps import ArtifactStep, peak_bytes
from app.models.gguf_build import BuildFolder, BuildPlan, BuildRequest
from tests import hf_models


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return hf_models.model(tmp_path / "hf", _name_or_path="kotae/tiny")


def plan(source: Path, forms: str = "Q4_K_M", adapter: Path | None = None, **fields: object) -> BuildPlan:
    model = hf_folders.read_hf_model(source)
    models = source.parent / "models"
    models.mkdir(exist_ok=True)
    lora = hf_folders.read_hf_adapter(adapter, model) if adapter else None
    return gguf_build.plan_build(BuildRequest(model, quantizations.parse_quantizations(forms), models, lora, **fields))  # type: ignore[arg-type]


def kinds(steps: list[ArtifactStep] | tuple[ArtifactStep, ...]) -> list[str]:
    return [step.title for step in steps]


def put(folder: BuildFolder, *steps: ArtifactStep, size: int = 100) -> None:
    for step in steps:
        step.path.write_bytes(bytes(size))
        folder.note(step)


@contextlib.contextmanager
def opened(made: BuildPlan, *, keep: bool = False) -> Iterator[BuildFolder]:
    folder = BuildFolder(made)
    folder.open()
    yield folder
    folder.close(keep=keep)


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return hf_models.adapter(tmp_path / "lora")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("文章", encoding="utf-8")
    return path


# -------------------------------------------------------------------- plan


def test_every_form_is_made_from_one_conversion_and_additions_add_their_steps(source, lora, text):
    assert kinds(plan(source, "Q4_K_M,q8_0").steps) == ["convert", "quantize Q4_K_M", "quantize Q8_0"]
    made = plan(source, "Q4_K_M", lora, text=text)
    assert kinds(made.steps) == ["convert", "adapter", "merge", "imatrix", "quantize Q4_K_M"]
    assert Path(made.steps[-1].job.source).name == "merged.weights"
    # BF16 weights stay BF16 unless an adapter is added to them.
    assert (plan(source).outtype, made.outtype) == ("bf16", "f16")


def test_the_room_is_that_of_the_fullest_moment():
    base, lora, merged = Path("base"), Path("lora"), Path("merged")
    steps = (
        ArtifactStep("convert", base, None, writes_bytes=100),
        ArtifactStep("adapter", lora, None, writes_bytes=5),
        ArtifactStep("merge", merged, None, writes_bytes=100, drops=(base, lora)),
        ArtifactStep("quantize", Path("a"), None, writes_bytes=30),
        ArtifactStep("quantize", Path("b"), None, writes_bytes=50),
    )
    assert peak_bytes(steps) == 205
    assert peak_bytes(steps[3:], {merged: 100}) == 80
    assert peak_bytes(steps[1:], {base: 100}) == 105
    assert peak_bytes((), {merged: 100}) == 0


def test_the_room_covers_the_real_sizes(source):
    made = plan(source, "Q4_K_M,Q8_0")
    weights = 2 * hf_folders.read_hf_model(source).parameters
    assert weights * (1 + 0.27 + 0.53) < made.peak_bytes < weights * 3 + 20_000_000


def test_the_same_sources_are_the_same_build_and_others_are_not(source, lora):
    before = plan(source)
    assert plan(source, "Q8_0", name="別の名前").id == before.id
    assert plan(source, adapter=lora).id != before.id
    os.utime(source / "model.safetensors", ns=(1, 1))
    assert plan(source).id != before.id


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("砂防の助手", "砂防の助手-Q4_K_M.gguf"),
        ("", "tiny-Q4_K_M.gguf"),
        ("  a   b\n", "a-b-Q4_K_M.gguf"),
        ("../../etc/passwd", "_.._etc_passwd-Q4_K_M.gguf"),
        ("CON", "_CON-Q4_K_M.gguf"),
        ("\u202egnp.exe", "gnp.exe-Q4_K_M.gguf"),
        ("C:\\Windows", "C__Windows-Q4_K_M.gguf"),
        ("...", "model-Q4_K_M.gguf"),
        ("\x1b[2J", "[2J-Q4_K_M.gguf"),
    ],
)
@pytest.mark.fault("S10")
def test_a_name_becomes_a_file_name_and_never_a_path(source, name, file):
    made = plan(source, name=name)
    assert made.file_name("Q4_K_M") == file
    assert "/" not in file


def test_a_long_name_fits_into_what_llama_cpp_takes(source):
    made = plan(source, name="長" * 300)
    assert len(made.name.encode()) <= 127
    assert len(made.file_name("Q4_K_M", 12).encode()) <= 255


def test_the_file_says_where_it_comes_from(source):
    assert plan(source).metadata() == {
        "general.name": "tiny",
        "general.source.repo_url": "https://huggingface.co/kotae/tiny",
    }


def test_an_adapter_for_a_model_of_another_name_is_told(tmp_path, source):
    for at, (base, told) in enumerate((("Kotae/Tiny", ""), ("kotae/other", "kotae/other"), ("/home/a/tiny", ""))):
        lora = hf_models.adapter(tmp_path / str(at), base_model_name_or_path=base)
        assert plan(source, adapter=lora).other_base == told
    assert plan(source).other_base == ""


def test_a_text_that_is_not_there_is_refused_at_once(tmp_path, source):
    with pytest.raises(AppError, match="imatrix_text_unreadable"):
        plan(source, text=tmp_path / "none.txt")


@pytest.mark.parametrize("wanted", ["", " , ", "Q4", "Q4_K_M,Q9_9", "../Q4_K_M"])
def test_a_quantization_that_nobody_knows_is_refused(wanted):
    with pytest.raises(AppError, match="build_unknown_quant"):
        quantizations.parse_quantizations(wanted)


def test_a_file_that_changed_meanwhile_is_named(source):
    made = plan(source)
    gguf_build.require_same_sources(made)
    with (source / "model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(AppError, match="build_source_changed"):
        gguf_build.require_same_sources(made)


# ------------------------------------------------------------------ folder


def test_what_is_finished_is_found_again_and_halves_are_deleted(source):
    made = plan(source, "Q4_K_M,Q8_0")
    half = made.steps[1].path.with_name(f"{made.steps[1].path.name}.part")
    with opened(made, keep=True) as folder:
        put(folder, made.steps[0])
        half.write_bytes(b"half")
        made.steps[2].path.write_bytes(b"finished by nobody")
    with opened(plan(source, "Q8_0")) as again:
        assert again.finished_sizes() == {made.steps[0].path: 100}
        assert kinds(again.remaining()) == ["quantize Q8_0"]
        assert not half.exists()
    assert not again.path.parent.exists()


def test_a_merged_model_needs_no_base_again(source, lora):
    made = plan(source, adapter=lora)
    with opened(made) as folder:
        put(folder, *made.steps[:3])
        assert not (folder.path / "base.weights").exists()
        assert kinds(folder.remaining()) == ["quantize Q4_K_M"]


def test_a_file_that_somebody_touched_is_made_again(source):
    made = plan(source)
    with opened(made) as folder:
        put(folder, made.steps[0])
        (folder.path / "base.weights").write_bytes(bytes(99))
        assert kinds(folder.remaining()) == ["convert", "quantize Q4_K_M"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 9}', b'{"version": 1, "done": {"base.weights": "x"}}', bytes(64)]
)
def test_a_damaged_manifest_means_nothing_is_finished(source, content):
    made = plan(source)
    with opened(made, keep=True) as folder:
        put(folder, made.steps[0])
    (folder.path / "manifest.json").write_bytes(content)
    with opened(made) as again:
        assert again.finished_sizes() == {}


def test_a_published_form_is_not_made_again_and_no_file_is_overwritten(source):
    made = plan(source, "Q4_K_M,Q8_0")
    own = made.request.models / "tiny-Q4_K_M.gguf"
    own.write_bytes(b"somebody's own")
    with opened(made, keep=True) as folder:
        put(folder, *made.steps[:2])
        assert folder.publish(made.steps[1]).name == "tiny-Q4_K_M-2.gguf"
    with opened(made) as again:
        assert kinds(again.remaining()) == ["quantize Q8_0"]
        put(again, made.steps[2])
        again.publish(made.steps[2])
        assert again.remaining() == []
    assert own.read_bytes() == b"somebody's own"


def test_another_name_or_text_is_another_result(source, text):
    made = plan(source, text=text)
    with opened(made, keep=True) as folder:
        put(folder, *made.steps)  # cancelled while it was tried
    for changed in (plan(source, text=text, name="別の名前"), plan(source)):
        with opened(changed, keep=True) as folder:
            (step,) = [step for step in folder.remaining() if step.name]
            assert step.path not in folder.finished_sizes()
    with opened(made, keep=True) as folder:
        put(folder, *made.steps)
        folder.publish(made.steps[-1])
    with opened(plan(source, text=text, name="別の名前")) as folder:
        assert kinds(folder.remaining())[-1] == "quantize Q4_K_M"


def test_two_programs_do_not_make_the_same_model(source):
    made = plan(source)
    with opened(made), pytest.raises(AppError, match="build_running"):
        BuildFolder(made).open()


def test_cleaning_spares_what_is_being_built(source):
    made = plan(source)
    left = made.request.models / "building" / "0123"
    with opened(made, keep=True) as running:
        put(running, made.steps[0], size=5000)
        left.mkdir()
        (left / "base.weights").write_bytes(bytes(7000))
        assert gguf_build.delete_unfinished_builds(made.request.models) == 7000
        assert not left.exists()
        assert running.finished_sizes() == {made.steps[0].path: 5000}
    assert gguf_build.delete_unfinished_builds(made.request.models) >= 5000
    assert not (made.request.models / "building").exists()
    assert gguf_build.delete_unfinished_builds(made.request.models) == 0


@pytest.mark.parametrize("is_cleaned", [True, False])
def test_a_folder_is_held_until_all_in_it_is_deleted(source, is_cleaned, monkeypatch):
    made = plan(source)
    folder = BuildFolder(made)
    folder.open()
    put(folder, made.steps[0])
    delete, refused = Path.unlink, []

    def watched(path: Path, missing_ok: bool = False) -> None:
        if path.name == "base.weights":
            with pytest.raises(AppError, match="build_running"):
                BuildFolder(made).open()
            refused.append(path)
        delete(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    folder.close(keep=is_cleaned)
    if is_cleaned:
        gguf_build.delete_unfinished_builds(made.request.models)
    assert refused
    assert not folder.path.parent.exists()
    folder.open()
    put(folder, made.steps[0])
    folder.close(keep=False)


def test_a_folder_that_is_gone_can_be_closed(source):
    folder = BuildFolder(plan(source))
    folder.open()
    shutil.rmtree(folder.path.parent)
    folder.close(keep=False)
    folder.open()  # which the lock of before would refuse
    assert folder.path.is_dir()
    folder.close(keep=False)
    assert not folder.path.exists()


@pytest.mark.fault("F2")
def test_too_little_room_is_said_with_how_much_is_needed(source, monkeypatch):
    made = plan(source)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(10**9, 10**9, 1000))
    with opened(made) as folder, pytest.raises(AppError, match="drive_space") as caught:
        folder.require_room()
    assert caught.value.facts["need_bytes"] > made.peak_bytes > caught.value.facts["free_bytes"] == 1000
