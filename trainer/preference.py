"""Tune by preference: of two answers to a prompt, the chosen one shall become likelier than the rejected one.

The loss is that of "Direct Preference Optimization" (DPO, arXiv 2305.18290), in its sigmoid form without smoothing. The
policy is the model with its adapter, and the reference the same model without it, so that no second copy is loaded. A
run that trains an adapter further keeps that adapter as it was (REFERENCE), and measures against it.
"""

import dataclasses
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from transformers.modeling_outputs import CausalLMOutput

from trainer.tokenization import UNTRAINED

BETA = 0.1  # how much a changed likelihood counts; TRL's default as well
REFERENCE, TRAINED = "reference", "default"  # names of the adapters in PEFT


def margins(policy: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Return how much more the policy prefers each chosen answer than the reference does; shape (pairs,).

    `policy`, `reference`: the negative log-likelihoods of the answers in nats, summed over their tokens, of shape
    (2 x pairs,): all chosen answers, then all rejected ones. A margin above 0 is a win of the policy.
    """
    chosen, rejected = (reference - policy).chunk(2)
    return BETA * (chosen - rejected)


def are_trained(labels: torch.Tensor) -> torch.Tensor:
    """Return which pairs have a trained token; those that fill up a batch have none. Shape (pairs,)."""
    return (labels != UNTRAINED).any(dim=1).chunk(2)[0]


def install(adapted: Any, *, has_own_loss: bool) -> None:
    """Make the adapted model's `forward` return the mean loss of the pairs if it gets labels.

    The batch is that of `data.collate` for pairs. `num_items_in_batch`: the number of pairs by which the sum is divided
    instead. `has_own_loss`: the model has not got our loss, so the likelihoods come from its logits.
    """
    plain = adapted.forward

    def forward(
        self: Any,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
        **others: Any,
    ) -> Any:
        if labels is None:
            return plain(input_ids=input_ids, attention_mask=attention_mask, **others)

        def answers_nll() -> torch.Tensor:
            given = {"input_ids": input_ids, "attention_mask": attention_mask}
            if has_own_loss:
                return _nll_of_logits(self.base_model(**given).logits, labels)
            found: torch.Tensor = self.base_model(**given, labels=labels, is_by_sequence=True).loss
            return found

        with torch.no_grad(), reference_of(self):
            reference = answers_nll()
        # ln 2 where the policy is the reference
        losses = -torch.nn.functional.logsigmoid(margins(answers_nll(), reference)) * are_trained(labels)
        return CausalLMOutput(loss=losses.sum() / (num_items_in_batch or len(losses)))

    adapted.forward = types.MethodType(forward, adapted)


def _nll_of_logits(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the negative log-likelihood of each sequence. `logits`: shape (sequences, tokens, vocabulary)."""
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), labels[:, 1:], ignore_index=UNTRAINED, reduction="none"
    )
    return losses.sum(dim=1)


def add_reference(adapted: Any) -> None:
    """Keep a frozen copy of the adapter as it is now. It is never saved."""
    config = dataclasses.replace(adapted.peft_config[TRAINED], lora_dropout=0.0)
    weights = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    adapted.add_adapter(REFERENCE, config)
    set_peft_model_state_dict(adapted, weights, adapter_name=REFERENCE)
    adapted.set_adapter(TRAINED)


@contextmanager
def reference_of(adapted: Any) -> Iterator[None]:
    """Make the model the reference inside the block."""
    if REFERENCE not in adapted.peft_config:
        with adapted.disable_adapter():
            yield
        return
    adapted.set_adapter(REFERENCE)
    try:
        yield
    finally:
        adapted.set_adapter(TRAINED)
