"""Computing on graphics cards: a driver that crashes or finds nothing costs no answer; Vulkan on what plays a card.

The drivers that fail are libraries compiled here. The Vulkan pack is that of `packaging/dev.py packs vulkan`; on a
machine without a card it computes on llvmpipe, which ggml offers only if the environment names it.
"""

import dataclasses
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.base import paths
from app.inference import crashes, engine_packs, gguf, machine
from app.inference.engine.messages import EngineFacts, Load, Ready
from app.inference.engine.model_jobs import Score
from app.inference.engine_packs import EnginePack, PackFile
from app.inference.services.engine import EngineClient
from tests import model_files as models
from tests.inference.engine import held_out, jobs
from tests.inference.engine.child import Child

PROGRAM = """
import sys
from app.inference import engine_packs, offload
from app.inference.engine_packs import EnginePack, PackFile
engine_packs.known_packs = lambda: ({pack!r},)
from app.inference.engine import llama, worker
{more}
worker.main(*sys.argv[2:])
"""
CRASHING = "#include <stdlib.h>\nvoid *ggml_backend_init(void) { abort(); }\n"
FINDING_NOTHING = "void *ggml_backend_init(void) { return 0; }\n"


def program(pack: EnginePack, more: str = "") -> list[str]:
    """The engine child with a pack in its list."""
    return ["-c", PROGRAM.format(pack=pack, more=more)]


def driver(folder: Path, source: str) -> tuple[EnginePack, str]:
    """A pack whose library is compiled from C, and its folder."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform == "win32":
        pytest.skip("no C compiler")
    place = folder / "vulkan"
    place.mkdir()
    (place / "source.c").write_text(source)
    library = place / "libggml-vulkan.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, place / "source.c"], check=True)
    content = library.read_bytes()
    file = PackFile(library.name, len(content), hashlib.sha256(content).hexdigest())
    return EnginePack("vulkan", (file,)), str(place)


def test_a_driver_that_crashes_costs_no_load_and_is_left_alone_afterwards(qtbot, tmp_path, tiny_model):
    pack, place = driver(tmp_path, CRASHING)
    engine = EngineClient([sys.executable, *program(pack), "--engine", "llama"], tmp_path / "log")
    deaths: list[object] = []
    engine.died.connect(deaths.append)

    def load() -> EngineFacts:
        command = Load(engine.new_id(), str(tiny_model), packs=(place,))
        is_ready = lambda event: isinstance(event, Ready) and event.id == command.id  # noqa: E731
        with qtbot.waitSignal(engine.event_received, timeout=60_000, check_params_cb=is_ready) as signal:
            engine.send(command)
        assert (engine.loaded.id, engine.loaded.packs) == (command.id, ())  # as the next plan will say
        facts: EngineFacts = signal.args[0].facts
        return facts

    assert [(load().gpu_reason, engine.facts.gpu_layers) for _ in range(2)] == [("crashed", 0)] * 2
    assert deaths == []
    assert (place,) in crashes.crashed_packs
    assert (tmp_path / "log").read_text("utf-8", "replace").count("Aborted") <= 1
    engine.shut_down()


def test_a_pack_that_finds_no_card_or_was_changed_leaves_the_model_on_the_processor(tmp_path, tiny_model):
    pack, place = driver(tmp_path, FINDING_NOTHING)
    with Child("llama", tmp_path / "log", program=program(pack)) as child:
        assert child.load(tiny_model, packs=(place,)).gpu_reason == "no_device"
        assert child.load(tiny_model, cpu_reason="not_requested").gpu_reason == "not_requested"
        expected = child.ask("abc", max_tokens=8)[0]
    pack, place = driver_changed(pack, place)
    with Child("llama", tmp_path / "log", program=program(pack)) as child:
        assert child.load(tiny_model, packs=(place,)).gpu_reason == "no_device"
        assert child.ask("abc", max_tokens=8)[0] == expected


def driver_changed(pack: EnginePack, place: str) -> tuple[EnginePack, str]:
    """The same pack with another library in its place, which would crash."""
    (Path(place) / "source.c").write_text(CRASHING)
    library = Path(place) / pack.files[0].name
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, Path(place) / "source.c"], check=True)
    return pack, place


# ----------------------------------------------------------------- scoring

# A card without a device behind it: llama.cpp computes on the processor what lies there.
SCORING = """
import dataclasses, sys
from app.base.errors import AppError
from app.inference.engine import llama, score, scored_model
from app.inference.offload import Card
card = llama.Device(0, Card("CUDA0", "カード", {free_bytes}, 1 << 40))
llama.load_packs = lambda packs: (packs[0], (card,)) if packs else ("", ())
failing = {fails!r}
done = getattr(scored_model.ScoredModel, failing)
def fail(model, *given):
    if model.card_layers:
        raise AppError("adapter_unreadable" if failing == "_load_adapter" else "score_failed", status=-1)
    return done(model, *given)
setattr(scored_model.ScoredModel, failing, fail)
score.main(sys.argv[2:])
"""


@pytest.mark.parametrize(
    ("free_bytes", "fails", "layers"),
    [(1 << 40, "__str__", "all"), (1, "__str__", "none")]
    + [(1 << 40, name, "none") for name in ("log_probabilities", "_load_adapter")],
    ids=["room for all", "no room", "a driver that fails", "no room for the adapter"],
)
def test_a_model_is_measured_with_the_layers_that_fit_on_a_card_and_without_them_where_that_fails(
    tmp_path, tiny_model, monkeypatch, free_bytes, fails, layers
):
    holdout = held_out.write(tmp_path / "holdout.json", [("首都は？", "東京です。")])
    adapter = str(models.tiny_adapter(tmp_path / "adapter.gguf"))
    job = Score(str(tiny_model), str(holdout), str(tmp_path / "scores.json"), adapter=adapter)
    expected = jobs.finished(job, tmp_path)
    scores = Path(expected.path).read_bytes()
    program_of = ["-c", SCORING.format(free_bytes=free_bytes, fails=fails)]
    monkeypatch.setattr(jobs, "command", lambda role: [sys.executable, *program_of, role])
    end = jobs.finished(dataclasses.replace(job, packs=(str(tmp_path / "cuda13"),)), tmp_path)
    every = gguf.read_header(tiny_model).block_count + 1
    assert (expected.notes["card_layers"], end.notes["card_layers"]) == (0, every if layers == "all" else 0)
    assert Path(end.path).read_bytes() == scores


# ----------------------------------------------------------------- Vulkan


@pytest.fixture
def vulkan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[EnginePack, str]:
    """The Vulkan pack of this checkout, installed, and two cards, which may be one processor."""
    built = sorted((paths.resources().parent / "dist").glob("kotae-vulkan-*.zip"))
    if not built or "vulkan" not in [pack.name for pack in engine_packs.known_packs()]:
        pytest.skip("no Vulkan pack was built here (packaging/dev.py packs vulkan)")
    monkeypatch.setenv("GGML_VK_VISIBLE_DEVICES", "0,0")
    monkeypatch.setenv("LP_NATIVE_VECTOR_WIDTH", "128")  # llvmpipe then compiles its shaders several times as fast
    pack = engine_packs.install(built[-1], tmp_path / "packs")
    return pack, str(tmp_path / "packs" / pack.name)


ROOM = "offload.RESERVE_BYTES = 0; found = llama.devices; import dataclasses as d\n"
CARDS = (
    f"{ROOM}llama.devices = lambda: tuple(d.replace(one, card=d.replace(one.card, free_bytes=%d)) for one in found())"
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("free_bytes", "count"),
    [(1 << 40, 1), (300 << 10, 2), (1, 0)],
    ids=["all on one card", "a part on two cards", "no room"],
)
def test_layers_lie_where_they_were_planned_and_the_answer_is_that_of_the_processor(
    tmp_path, tiny_model, vulkan, free_bytes, count
):
    pack, place = vulkan
    options = {"context_tokens": 256, "batch_tokens": 64, "flash_attention": False}
    with Child("llama", tmp_path / "log", program=program(pack, CARDS % free_bytes)) as child:
        facts = child.load(tiny_model, packs=(place,), **options)
        answer, _ = child.ask("a", max_tokens=4)
        child.load(tiny_model, cpu_reason="not_requested", **options)
        expected, _ = child.ask("a", max_tokens=4)
    assert answer == expected
    assert facts.backend.count("Vulkan") == count
    if count == 1:
        assert (facts.gpu_layers, facts.gpu_reason) == (facts.total_layers, "")
    assert (facts.gpu_layers > 0, facts.gpu_bytes > 0) == (count > 0, count > 0)
    assert facts.gpu_reason == ("" if count else "no_memory")


FAILING = """
from types import SimpleNamespace
from app.base.errors import AppError
from app.inference.engine.llama_backend import LlamaBackend
card = SimpleNamespace(handle=0, card=offload.Card("CUDA0", "", 1, 1))
LlamaBackend._find_cards = lambda self, command: ((card,), "")
offload.plan_offload = lambda *_, **__: offload.Offload(1, (0.0,), 1 << 60, 0, has_projector=True)
load = LlamaBackend._load_projector
def only_here(self, command, *, use_gpu):
    if use_gpu:
        raise AppError("projector_unusable", path=command.projector)
    load(self, command, use_gpu=use_gpu)
LlamaBackend._load_projector = only_here
"""


@pytest.mark.skipif(not machine.has_picture_library(), reason="this engine was built without libmtmd")
def test_a_card_that_does_not_take_the_part_that_reads_pictures_costs_no_load(tmp_path, tiny_model):
    part = str(models.projector(tmp_path / "mmproj.gguf"))
    with Child("llama", tmp_path / "log", program=program(EnginePack("vulkan", ()), FAILING)) as child:
        assert child.load(tiny_model, projector=part).gpu_reason == "offload_failed"
