"""`kotae FILE.gguf`, as a file manager starts it: the window opens and adds the model."""

import pytest

from app import cli
from app.application import _add_model_file
from tests import model_files as models


def test_a_gguf_file_goes_to_the_window_and_anything_else_is_a_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "模型.GGUF").write_bytes(b"GGUF")
    opened: list[tuple[object, ...]] = []

    def open_window(*told: object) -> int:
        opened.append(told)
        return 0

    assert cli.main(["--lang", "en", "模型.GGUF"], open_window) == 0
    assert cli.main([], open_window) == 0
    assert opened == [(None, "en", False, str(tmp_path / "模型.GGUF")), (None, None, False, None)]
    with pytest.raises(SystemExit):
        cli.main(["absent.gguf"], open_window)
    assert "absent.gguf" in capsys.readouterr().err


def test_the_window_adds_the_model_and_shows_it(open_window, tmp_path, qtbot):
    context = open_window()
    path = models.tiny_llama(tmp_path / "tiny.gguf")
    with qtbot.waitSignal(context.library.imported, timeout=60_000) as told:
        _add_model_file(context.window, str(path))
    assert told.args[0].path == str(path)
    assert context.window.current_page == "models"
