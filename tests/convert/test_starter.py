"""The trial model there and back: GGUF, Hugging Face folder, GGUF in f16, and the same answers.

Compared with the same weights dequantized by llama.cpp alone. With the 4-bit file itself llama.cpp rounds what goes
through the model to 8 bits too, which moves logits more than any conversion; those figures are printed beside.
"""

from pathlib import Path

import numpy as np
import pytest

from app.models.training_environment import TrainingEnvironment
from tests.convert import engine_side, texts
from tests.convert.conversion import convert
from tests.convert.engine_side import Model
from tests.convert.proof import rows
from trainer.convert_job import HfToGguf

pytestmark = [pytest.mark.model, pytest.mark.slow]

QUESTIONS = (
    "日本の首都はどこですか？",
    "富士山の高さは？",
    "地震が起きたときにまず何をすべきですか？",
    "徳川家康は何をした人ですか？",
    "一年は何日ありますか？",
    "水は何度で沸騰しますか？",
)
ANSWER_TOKENS = 16


def test_the_trial_model_answers_the_same_after_the_way_back(
    environment: TrainingEnvironment, converter: str, starter_model: Path, starter_folder: Path, tmp_path: Path
) -> None:
    back, plain = tmp_path / "back.gguf", tmp_path / "plain.gguf"
    finished = convert(environment, HfToGguf(str(starter_folder), str(back), converter, "f16"), tmp_path)
    assert finished.notes["outtype"] == "f16"
    engine_side.requantize(starter_model, plain)
    as_shipped, before, after = seen(starter_model), seen(plain), seen(back)
    assert engine_side.largest_difference(back, plain) <= 1e-3
    equal, top_1, divergence, same = before.agreement(after)
    rows.append(
        f"| trial model, there and back | tied | | {equal} of {texts.COUNT} | {top_1:.4f} | {divergence:.1e} | |"
    )
    print(f"against llama.cpp's own dequantized file: {same} of {len(QUESTIONS)} answers", *after.answers, sep="\n    ")
    print("against the file as shipped: top-1 {1:.4f}, KL {2:.1e}, {3} answers".format(*as_shipped.agreement(after)))
    assert (equal, same) == (texts.COUNT, len(QUESTIONS))
    assert top_1 >= 0.99
    assert divergence <= 1e-4


class Seen:
    def __init__(self, model: Model) -> None:
        self.ids = [model.ids(text) for text in texts.strings()]
        self.logits = model.logits(np.array(model.ids(texts.passage())[:160], np.int32))
        self.answers = [model.text(model.greedy(f"質問: {text}\n回答:", ANSWER_TOKENS)) for text in QUESTIONS]

    def agreement(self, other: "Seen") -> tuple[int, float, float, int]:
        """Equal strings' ids, share of equal first tokens, divergence, equal answers."""
        return (
            sum(mine == theirs for mine, theirs in zip(self.ids, other.ids, strict=True)),
            engine_side.top_1(self.logits, other.logits),
            engine_side.divergence(self.logits, other.logits),
            sum(mine == theirs for mine, theirs in zip(self.answers, other.answers, strict=True)),
        )


def seen(path: Path) -> Seen:
    with engine_side.loaded(path) as model:
        return Seen(model)
