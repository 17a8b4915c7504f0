"""The examples that a training run kept back, as the gate reads them."""

from pathlib import Path

from app.inference import scoring_files
from tests.inference.engine import held_out


def test_equal_questions_have_each_its_own_answer(tmp_path: Path) -> None:
    pairs = [("首都は？", "東京です。"), ("首都は？", "京都でした。"), ("一年は？", "三百六十五日です。")]
    found = scoring_files.read_holdout(held_out.write(tmp_path / "holdout.json", pairs))
    assert [chat.line for chat in found.chats] == [1, 2, 3]
    assert [chat.answer for chat in found.chats] == [(*held_out.byte_ids(answer), held_out.END) for _, answer in pairs]
