"""What a model makes of examples: their likelihood, and answers of its own."""

from collections.abc import Callable, Sequence
from typing import Any

import torch

from trainer import data
from trainer import form as forms
from trainer.form import Form, Messages
from trainer.tokens import UNTRAINED, Encoded, Tokens


def example_nll(
    model: Any, examples: Sequence[Encoded], pad_id: int, check: Callable[[], None] = lambda: None
) -> list[float]:
    """Nats of each example's trained tokens, in their order. `check`: called before each, and may raise."""
    model.eval()
    sums = []
    device = next(model.parameters()).device
    for example in examples:
        check()
        batch = data.collate([example], pad_id)
        with torch.no_grad():
            loss = model(**{name: tensor.to(device) for name, tensor in batch.items()}, num_items_in_batch=1).loss
        sums.append(float(loss))
    return sums


def trained_tokens(examples: Sequence[Encoded]) -> int:
    return sum(sum(label != UNTRAINED for label in example.labels[1:]) for example in examples)


def answer(
    model: Any, tokens: Tokens, form: Form, messages: Messages, most: int, check: Callable[[], None] = lambda: None
) -> tuple[str, bool]:
    """The answer to the last user message, at most `most` tokens; and whether the model itself ended it.

    `check`: called after each token, and may raise.
    """
    ids = tokens.encode(forms.prompt(form, messages)).ids
    device = next(model.parameters()).device
    prompt = torch.tensor([ids], device=device)

    def look(written: torch.Tensor, _scores: object) -> torch.Tensor:
        check()
        return torch.zeros(len(written), dtype=torch.bool, device=device)

    model.eval()
    with torch.no_grad():
        written = model.generate(
            input_ids=prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=most,
            do_sample=False,
            repetition_penalty=1.0,  # whatever the base's own settings say
            use_cache=True,
            stopping_criteria=[look],
            eos_token_id=list(tokens.end_ids),
            pad_token_id=tokens.pad_id,
        )[0, len(ids) :].tolist()
    has_ended = bool(written) and written[-1] in tokens.end_ids
    kept = written[:-1] if has_ended else written
    return b"".join(tokens.bytes_of(token) for token in kept).decode("utf-8", "replace").strip(), has_ended
