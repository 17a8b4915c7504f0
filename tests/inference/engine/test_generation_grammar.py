"""The grammars of generated pairs in the real engine: whatever a model would rather write, the quote is a sentence."""

import json
from pathlib import Path
from typing import Any

from app.inference.engine.messages import Sampling
from app.training.generation import prompts
from app.training.generation.pair_records import QUESTION_MAX
from tests.inference.engine.child import Child

QUOTES = ["The cover is at least 70 mm.", 'He wrote "C:\\n" and \\ here.', "かぶりは70mm以上とする。", "| a | b |\t1"]


def test_a_model_that_writes_nonsense_quotes_one_of_the_sentences(child: Child, long_model: Path) -> None:
    child.load(long_model, context_tokens=4096)
    for seed in (1, 2):
        pair = _said(child, prompts.pair_grammar(QUOTES), seed)
        assert list(pair) == ["quote", "question", "answer"]
        assert pair["quote"] in QUOTES
        assert 0 < len(pair["question"]) <= QUESTION_MAX
        assert pair["question"].endswith(("か。", "か？", "ください。"))
        assert not set("。？?") & set(pair["question"][:-1])
    words = _said(child, prompts.pair_grammar(QUOTES, is_sentence=False))
    assert 0 < len(words["question"]) <= QUESTION_MAX
    score = _said(child, prompts.score_grammar())
    assert list(score) == ["reason", "score"]
    assert score["score"] in (0, 1, 2, 3)
    assert list(_said(child, prompts.question_grammar())) == ["question"]


def _said(child: Child, rules: str, seed: int = 1) -> dict[str, Any]:
    sampling = Sampling(temperature=1.0, seed=seed)
    text, done = child.ask("abc", grammar=rules, max_tokens=3000, sampling=sampling)
    assert done.stop_reason == "end"
    found: dict[str, Any] = json.loads(text)
    return found
