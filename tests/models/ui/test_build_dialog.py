"""A model built from a publisher's folder in the window: looked through, planned, made by real children, or refused."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from app.models.services.build_runner import BuildRunner
from app.uikit.desktop import Pickers
from tests import hf_models
from tests import model_files as models
from tests.models.services.test_builds import ECHO, SHAPE, ScriptedEnvironment

LEFT = Qt.MouseButton.LeftButton
LIMIT_MS = 60_000


def words(widget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


@pytest.fixture
def environment(tmp_path) -> ScriptedEnvironment:
    (tmp_path / "script").mkdir()
    models.tiny_llama(tmp_path / "script" / "model.gguf", shape=SHAPE)
    return ScriptedEnvironment(tmp_path / "script")


@pytest.fixture
def page(open_window, environment, where):
    parts = open_window()
    parts.window.show_page("models")
    page = parts.window.page("models")
    page.parts = parts
    parts.build_controller._make_builds = lambda: BuildRunner(
        environment, ECHO, where.logs, parts.library.add, lambda *_: None
    )
    yield page
    parts.build_controller.cancel()


@pytest.fixture
def source(tmp_path) -> Path:
    return hf_models.model(tmp_path / "Swallow-tiny")


def asked(page, source: Path, qtbot):
    """The dialog, with the folder looked through."""
    dialog = page.ask_to_build()
    dialog._pickers = Pickers(folder=lambda *_: str(source))
    qtbot.mouseClick(dialog.source.choose_button, LEFT)
    qtbot.waitUntil(lambda: dialog.source.note.text()[:1] in "✓▲")
    return dialog


def test_a_folder_becomes_models_in_the_list(page, source, qtbot):
    dialog = asked(page, source, qtbot)
    assert "Swallow-tiny" in words(dialog.source)
    dialog.list.rows["Q8_0"].box.setChecked(True)
    assert "作っている間に最大" in dialog.room.text()
    assert "変換" in dialog.phases.text()
    dialog.name.setText("砂防の助手")
    with qtbot.waitSignal(page.parts.build_controller.finished, timeout=LIMIT_MS):
        qtbot.mouseClick(dialog.buttons["build"], LEFT)
    assert {model.name for model in page.parts.library.models()} == {"砂防の助手 Q4_K_M", "砂防の助手 Q8_0"}
    assert "2 個のモデルを作りました。" in words(page.building.banner)
    assert page._entry.model.name == "砂防の助手 Q4_K_M"
    assert not page.building.progress.isVisible()


def test_the_steps_are_shown_as_they_go(page, source, qtbot):
    seen = []
    page.parts.build_controller.progressed.connect(lambda _: seen.append(page.building.progress._what.text()))
    dialog = asked(page, source, qtbot)
    with qtbot.waitSignal(page.parts.build_controller.finished, timeout=LIMIT_MS):
        qtbot.mouseClick(dialog.buttons["build"], LEFT)
    steps = list(dict.fromkeys(seen))
    assert steps == [
        "（1/2）GGUF に変換しています",
        "（2/2）Q4_K_M に量子化しています",
        "（2/2）Q4_K_M を試しています",
    ]


def test_a_folder_with_a_pickle_is_refused_in_words(page, source, qtbot):
    (source / "pytorch_model.bin").write_bytes(b"\x80\x04")
    dialog = asked(page, source, qtbot)
    assert "pytorch_model.bin" in dialog.source.note.text()
    assert dialog.source.note.text().startswith("▲")
    assert not dialog.buttons["build"].isEnabled()
    assert not dialog.list.rows["Q4_K_M"].isEnabled()
    dialog.reject()


def test_nothing_marked_is_nothing_to_build(page, source, qtbot):
    dialog = asked(page, source, qtbot)
    dialog.list.rows["Q4_K_M"].box.setChecked(False)
    assert not dialog.buttons["build"].isEnabled()
    dialog.reject()


def test_an_adapter_and_a_text_go_along(page, source, qtbot, tmp_path, environment):
    text = tmp_path / "文章.txt"
    text.write_text("橋脚のかぶりを確かめる。\n" * 100, "utf-8")
    dialog = asked(page, source, qtbot)
    lora = hf_models.adapter(tmp_path / "lora")
    dialog._pickers = Pickers(folder=lambda *_: str(lora), open=lambda *_: str(text))
    qtbot.mouseClick(dialog.adapter.choose_button, LEFT)
    qtbot.waitUntil(lambda: dialog._adapter is not None)
    qtbot.mouseClick(dialog.text.choose_button, LEFT)
    assert [step.kind for step in dialog.plan.steps] == ["convert", "adapter", "merge", "imatrix", "quantize"]
    with qtbot.waitSignal(page.parts.build_controller.finished, timeout=LIMIT_MS):
        qtbot.mouseClick(dialog.buttons["build"], LEFT)
    assert environment.jobs() == ["hf_to_gguf", "lora_to_gguf", "merge"]


def test_a_failure_is_explained_and_can_be_tried_again(page, source, qtbot, environment):
    environment.behaviour = "fail:no_memory"
    dialog = asked(page, source, qtbot)
    with qtbot.waitSignal(page.parts.build_controller.failed, timeout=LIMIT_MS):
        qtbot.mouseClick(dialog.buttons["build"], LEFT)
    assert page.building.banner.isVisible()
    assert not page.building.progress.isVisible()
    environment.behaviour = "ok"
    with qtbot.waitSignal(page.parts.build_controller.finished, timeout=LIMIT_MS):
        page.building.banner.action_requested.emit("again")
    assert len(page.parts.library.models()) == 1


def test_a_build_can_be_stopped(page, source, qtbot):
    dialog = asked(page, source, qtbot)
    qtbot.mouseClick(dialog.buttons["build"], LEFT)
    assert page.building.progress.isVisible()
    with qtbot.waitSignal(page.parts.build_controller.cancelled, timeout=LIMIT_MS):
        qtbot.mouseClick(page.building.progress.cancel_button, LEFT)
    assert not page.building.progress.isVisible()
    assert page.parts.library.models() == []


def test_without_the_training_environment_the_dialog_says_what_to_do(page, open_window, monkeypatch, tmp_path):
    monkeypatch.setenv("KOTAE_TRAINER_PYTHON", str(tmp_path / "no python"))
    parts = open_window()
    parts.window.show_page("models")
    dialog = parts.window.page("models").ask_to_build()
    assert "学習環境" in words(dialog.banner)
    assert not dialog.buttons["build"].isEnabled()
    dialog.reject()
