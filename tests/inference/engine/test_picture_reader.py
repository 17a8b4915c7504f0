"""Pictures that a model is shown, with libmtmd and random weights: what they are is not recognized, but it counts."""

import base64
import zlib
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.inference import child_commands, crashes, gguf, machine
from app.inference.engine.messages import Ask, Load, Picture, Ready, Sampling, Segment, Tokenize, Tokenized
from app.inference.services.engine import EngineClient
from tests import model_files as models
from tests.inference.engine.child import Child

needs_library = pytest.mark.skipif(not machine.has_picture_library(), reason="this engine was built without libmtmd")
PROMPT = (Segment("<s>", markup=True), Segment("これは何ですか。"), Segment("\n答え：", markup=True))


def picture(shade: int, width: int = 40, height: int = 30) -> Picture:
    rows = bytes((shade + x * 3 + y) % 256 for y in range(height) for x in range(width) for _ in range(3))
    return Picture(width, height, base64.b64encode(zlib.compress(rows)).decode("ascii"))


def ask(*pictures: Picture, prompt: tuple[Segment, ...] = PROMPT) -> Ask:
    return Ask("ask", prompt, max_tokens=12, sampling=Sampling(temperature=0), pictures=pictures)


@pytest.fixture
def reader(child: Child, tmp_path: Path, tiny_model: Path) -> Child:
    """The engine, with a model that reads pictures."""
    child.load(tiny_model, projector=str(models.projector(tmp_path / "mmproj.gguf")))
    return child


@needs_library
def test_what_a_picture_shows_changes_the_answer_and_is_evaluated_once(reader):
    without, plain = reader.answer(ask())
    first, read = reader.answer(ask(picture(10)))
    assert read.usage.prompt_tokens >= plain.usage.prompt_tokens + 4  # and what announces it
    again, kept = reader.answer(ask(picture(10)))
    assert kept.usage.cached_tokens == kept.usage.prompt_tokens - 1
    other, changed = reader.answer(ask(picture(200)))
    assert changed.usage.cached_tokens < kept.usage.cached_tokens
    assert again == first
    assert len({without, first, other}) == 3
    assert reader.answer(ask())[0] == without
    both, _ = reader.answer(ask(picture(10), picture(200)))
    assert both not in (first, other)


@needs_library
def test_pictures_count_as_they_will_take_room_in_the_first_prompt(reader):
    for pictures in ((), (picture(10),), (picture(10), picture(200))):
        reader.send(Tokenize("count", (PROMPT, PROMPT), pictures))
        counted = reader.events_until(Tokenized)[-1]
        assert isinstance(counted, Tokenized)
        used = [reader.answer(ask(*shown))[1].usage.prompt_tokens for shown in (pictures, ())]
        assert list(counted.counts) == used


@needs_library
def test_a_picture_that_does_not_fit_or_is_none_ends_only_that_answer(reader):
    cut = Picture(40, 30, picture(10).rgb[:20])
    thread = picture(10, 1, 201)
    for bad in (cut, Picture(41, 30, picture(10).rgb), Picture(1 << 20, 1 << 20, ""), Picture(0, 0, ""), thread):
        assert reader.failure_of(ask(bad)).code == "picture_unusable"
    assert reader.failure_of(ask(*[picture(shade) for shade in range(80)])).code == "context_full"
    assert reader.answer(ask(picture(10)))[1].usage.answer_tokens > 0


@needs_library
def test_the_trial_model_reads_a_picture_with_a_projector_of_its_width(child, tmp_path, starter_model):
    width = gguf.read_header(starter_model).embedding_length
    shape = models.ProjectorShape(text=width, image=224, patch=14, merge=4, width=64, feed_forward=128)
    child.load(starter_model, projector=str(models.projector(tmp_path / "mmproj.gguf", shape)), context_tokens=2048)
    _, plain = child.answer(ask())
    answers = [child.answer(ask(picture(shade, 300, 200))) for shade in (10, 10, 120)]
    shown = answers[0][1].usage.prompt_tokens - plain.usage.prompt_tokens
    assert shown == 16 + 2  # between the marks <start_of_image> and <end_of_image>
    assert answers[0][0] == answers[1][0]
    assert answers[1][1].usage.cached_tokens == answers[1][1].usage.prompt_tokens - 1


def test_a_model_without_projector_refuses_pictures_and_goes_on(child):
    assert child.failure_of(ask(picture(10))).code == "model_reads_no_pictures"
    assert child.answer(ask())[1].usage.answer_tokens > 0


@pytest.mark.parametrize(
    ("made", "code"),
    [
        ({"shape": models.ProjectorShape(text=72)}, "projector_mismatch"),
        ({"metadata": {"clip.has_vision_encoder": False}}, "not_a_projector"),
        ({"metadata": {"clip.vision.patch_size": 0}}, "gguf_damaged"),
        ({"metadata": {"clip.vision.attention.head_count": 1 << 20}}, "gguf_damaged"),
    ],
)
def test_a_file_that_is_no_projector_for_the_model_is_refused(tmp_path, tiny_model, made, code):
    path = models.projector(tmp_path / "mmproj.gguf", **made)
    with pytest.raises(AppError) as caught:
        gguf.check_projector(path, gguf.check_model(tiny_model))
    assert caught.value.code == code


@needs_library
def test_a_projector_that_libmtmd_refuses_ends_the_load_with_its_reason(child, tmp_path, tiny_model):
    path = models.projector(tmp_path / "mmproj.gguf", metadata={"clip.projector_type": "nobody knows"})
    failed = child.failure_of(Load("load", str(tiny_model), projector=str(path)))
    assert (failed.code, "unknown projector" in failed.facts["reason"]) == ("projector_unusable", True)
    child.load(tiny_model)


@needs_library
def test_a_projector_that_crashes_the_engine_costs_no_load_and_is_left_out_until_its_file_changes(
    qtbot, tmp_path, tiny_model
):
    path = models.projector(tmp_path / "mmproj.gguf", metadata={"clip.vision.attention.head_count": 3})
    gguf.check_projector(path, gguf.check_model(tiny_model))
    crashes.use_file(tmp_path / "crashes.json")
    engine = EngineClient(child_commands.engine(), tmp_path / "log")
    deaths: list[object] = []
    engine.died.connect(deaths.append)

    def loaded() -> str:
        command = Load(engine.new_id(), str(tiny_model), projector=str(path))
        is_ready = lambda event: isinstance(event, Ready) and event.id == command.id  # noqa: E731
        with qtbot.waitSignal(engine.event_received, timeout=60_000, check_params_cb=is_ready):
            engine.send(command)
        return engine.loaded.projector

    assert (loaded(), deaths) == ("", [])
    assert crashes.has_projector_crashed(str(path))
    pid = engine.pid
    assert (loaded(), engine.pid) == ("", pid)  # it is not tried again
    models.projector(path)
    assert (loaded(), engine.pid) == (str(path), pid)
    engine.shut_down()
    crashes.use_file(None)
