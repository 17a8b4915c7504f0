"""Cross-entropy of the trained positions alone, in chunks: the head's output never exists as a whole.

With Gemma's 262,144 words the logits of 2,048 tokens take 2 GB in float32, and their gradient as much again; most of
these positions are prompt or padding. Here the head is applied to trained positions only, a chunk at a time, and the
gradient of the hidden states is made in the same pass. The head is frozen, so nothing else needs the logits. As in
"Cut Your Losses in Large-Vocabulary Language Models" (arXiv 2411.09009), without its kernel.
"""

import types
from typing import Any

import torch
from transformers.modeling_outputs import CausalLMOutput

CHUNK_ELEMENTS = 1 << 25  # logits at once: 128 MiB in float32, and three such arrays in the pass
IGNORED = -100


class HeadLoss(torch.autograd.Function):  # type: ignore[misc]
    """Sum of the negative log-likelihoods in nats."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,  # (positions, width)
        weight: torch.Tensor,  # (vocabulary, width), frozen
        bias: torch.Tensor | None,  # (vocabulary,), frozen
        targets: torch.Tensor,  # (positions,)
        softcap: float | None,  # logits become softcap x tanh(logits / softcap), as in Gemma 2
    ) -> torch.Tensor:
        rows = max(1, CHUNK_ELEMENTS // weight.shape[0])
        wants_gradient = ctx.needs_input_grad[0]
        gradient = torch.empty_like(hidden) if wants_gradient else None
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        for start in range(0, hidden.shape[0], rows):
            part = slice(start, start + rows)
            logits = torch.nn.functional.linear(hidden[part], weight, bias).float()
            if softcap is not None:
                logits = torch.tanh_(logits.div_(softcap)).mul_(softcap)
            log_sum = torch.logsumexp(logits, dim=-1, keepdim=True)
            wanted = targets[part, None]
            total += (log_sum - logits.gather(1, wanted)).sum()
            if gradient is None:
                continue
            slope = None if softcap is None else 1 - (logits / softcap).square_()
            chance = logits.sub_(log_sum).exp_()
            chance.scatter_add_(1, wanted, chance.new_full(wanted.shape, -1.0))
            if slope is not None:
                chance.mul_(slope)
            gradient[part] = chance.to(weight.dtype) @ weight
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *outputs: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outputs[0], None, None, None, None


def install(model: Any) -> None:
    """From now on the causal model's `forward` with labels gives this loss and no logits; without, it is as before.

    `num_items_in_batch`: what the sum is divided by, the trained tokens of all micro batches of a step, so that
    accumulation changes nothing; without it the trained tokens of this batch.
    """
    plain = model.forward
    body = getattr(model, model.base_model_prefix)
    softcap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)

    def forward(
        self: Any,
        input_ids: torch.Tensor | None = None,  # (batch, tokens)
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,  # as input_ids, IGNORED where nothing is learned
        num_items_in_batch: torch.Tensor | int | None = None,
        **others: Any,
    ) -> Any:
        if labels is None:
            return plain(input_ids=input_ids, attention_mask=attention_mask, **others)
        hidden = body(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).last_hidden_state
        targets = labels[:, 1:]
        is_trained = targets != IGNORED
        head = self.get_output_embeddings()
        loss = HeadLoss.apply(
            hidden[:, :-1][is_trained], head.weight, getattr(head, "bias", None), targets[is_trained], softcap
        )
        count = is_trained.sum() if num_items_in_batch is None else num_items_in_batch
        return CausalLMOutput(loss=loss / count)

    model.forward = types.MethodType(forward, model)


def difference(model: Any, batch: dict[str, torch.Tensor], plain: Any) -> float:
    """How far this loss is from the model's own, relative: a head that scales its logits in a way not known here shows.

    `plain`: the model's `forward` from before `install`.
    """
    with torch.no_grad():
        ours = float(model(**batch).loss)
        logits = plain(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
        theirs = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=IGNORED
        )
    return abs(ours - float(theirs)) / max(float(theirs), 1e-6)
