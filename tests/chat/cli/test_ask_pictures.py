"""`kotae ask --file` with a picture and a model of random weights that reads pictures."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.base.wording import phrase
from app.inference import machine
from tests import model_files as models
from tests.documents.reading.pdf_maker import Pdf, text
from tests.documents.reading.stand_in import answering, row
from tests.documents.reading.test_picture_documents import png_of

needs_library = pytest.mark.skipif(not machine.has_picture_library(), reason="this engine was built without libmtmd")
Ask = Callable[..., tuple[int, Any, str]]
TOLD = phrase("documents.picture_seen.not_compared")


@pytest.fixture
def ask_of(install: Callable[[str], None], run_at: Callable[..., tuple[int, str, str]], tmp_path: Path) -> Ask:
    """Asks about files with a tiny model beside its projector; nothing recognizes text before `install` is called."""
    assert install
    models.projector(tmp_path / "tiny-mmproj-f16.gguf")
    model = models.tiny_llama(tmp_path / "tiny-F32.gguf", shape=models.TinyShape(context=4096))

    def ask(file: Path, question: str = "何の写真ですか") -> tuple[int, str, str]:
        options = ("--temperature", "0", "--max-tokens", "9", "--file", file)
        return run_at("pc", "ask", question, "--model", model, *options)

    return ask


def photo(path: Path, shade: int) -> Path:
    Image.linear_gradient("L").point(lambda value: value * shade // 255).convert("RGB").save(path)
    return path


@needs_library
def test_a_picture_without_text_is_answered_by_looking_at_it_which_is_said(ask_of, tmp_path):
    said = [ask_of(photo(tmp_path / f"{shade}.png", shade)) for shade in (250, 250, 20)]
    assert [status for status, *_ in said] == [0, 0, 0], said
    assert said[0][1] == said[1][1] != said[2][1]
    assert TOLD in said[0][1]


@needs_library
def test_the_recognized_text_of_a_picture_is_a_source_beside_it(ask_of, install, tmp_path):
    install(answering(row("点検は5年に1回とする。", 97)))
    _, said, told = ask_of(photo(tmp_path / "写真.png", 250))
    assert "点検は5年に1回とする。" in said.partition("出典")[2], told
    assert TOLD in said or phrase("documents.picture_seen.differs") in said  # random weights write nothing that it says


@needs_library
def test_a_picture_with_much_text_leaves_room_for_itself(ask_of, install, tmp_path):
    shape = models.ProjectorShape(image=256, patch=4, merge=2)  # 1,024 tokens for a picture
    models.projector(tmp_path / "tiny-mmproj-f16.gguf", shape)
    install(answering("".join(row("点検は5年に1回とする。" * 9, 97, block=number) for number in range(1, 25))))
    status, _, told = ask_of(photo(tmp_path / "写真.png", 250))
    assert status == 0, told


@needs_library
def test_pages_of_one_section_are_one_source(ask_of, tmp_path):
    made = Pdf()
    made.page(text(72, 700, "第1章 点検", 16) + text(72, 660, "点検は5年に1回とする。"))
    made.page(text(72, 700, "橋脚のかぶりは70mmとする。"))
    path = tmp_path / "manual.pdf"
    path.write_bytes(made.bytes())
    _, shown, told = ask_of(path, "1ページと2ページの図は何ですか")
    assert shown.partition("出典")[2].count("70mm") == 1, told


@needs_library
def test_a_page_of_a_pdf_is_shown_if_the_question_names_it(ask_of, tmp_path):
    made = Pdf()
    for heading, words in (("第1章 点検", "点検は5年に1回とする。"), ("第2章 かぶり", "橋脚のかぶりは70mmとする。")):
        made.page(text(72, 700, heading, 16) + text(72, 660, words))
    path = tmp_path / "manual.pdf"
    path.write_bytes(made.bytes())
    _, shown, told = ask_of(path, "2ページの図は何ですか")
    assert phrase("documents.picture_seen.differs") in shown or TOLD in shown, told
    assert "70mm" in shown.partition("出典")[2]
    _, plain, _ = ask_of(path, "点検は何年に1回ですか")
    assert "5年に1回" in plain
    assert TOLD not in plain
    assert phrase("documents.picture_seen.differs") not in plain


@needs_library
def test_a_picture_that_is_damaged_or_too_large_is_refused_before_it_is_shown(ask_of, tmp_path):
    whole = photo(tmp_path / "a.png", 250).read_bytes()
    hostile = {
        "cut.png": whole[:-200],
        "text.png": b"not a picture",
        "bomb.png": png_of(60_000, 60_000, zlib.compress(b"")),
    }
    for name, content in hostile.items():
        (tmp_path / name).write_bytes(content)
        status, _, told = ask_of(tmp_path / name)
        assert (status, name in told) == (3, True), told


def test_without_the_library_the_text_is_read_and_one_sentence_says_why(ask_of, tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "has_picture_library", lambda: False)
    status, _, told = ask_of(photo(tmp_path / "写真.png", 250))
    assert status == 3  # nothing recognizes text here
    assert phrase("chat.engine_reads_no_pictures") in told


@needs_library
def test_a_projector_that_crashes_is_named_with_what_to_do_and_then_the_text_is_read(ask_of, install, tmp_path):
    install(answering(row("点検は5年に1回とする。", 97)))
    file = tmp_path / "tiny-mmproj-f16.gguf"
    models.projector(file, metadata={"clip.vision.attention.head_count": 3})
    status, _, told = ask_of(photo(tmp_path / "写真.png", 250))
    assert (status, str(file) in told) == (3, True)
    status, said, told = ask_of(tmp_path / "写真.png", "点検は何年に1回ですか")
    assert (status, phrase("chat.projector_has_crashed", file=file.name) in told) == (0, True)
    assert "5年に1回" in said
    assert TOLD not in said
