"""Our loss beside transformers' own, and what a loaded model is made of: measured in the training environment."""

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, get_peft_model

from trainer import data, estimate, export, model, tokenization
from trainer.channel import TrainerJournal
from trainer.data import TARGETS, TrainingInputs, inspect_base
from trainer.prompt_form import TrainingPromptForm
from trainer.spec import RunSpec
from trainer.tokenization import EncodedExample

SHAPE = {
    "vocab_size": 600,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "initializer_range": 0.3,  # so that logits are large enough for a softcap to tell
}
CONFIGS = {
    "llama": transformers.LlamaConfig,
    "gemma2": transformers.Gemma2Config,  # with softcaps, of attention and of the logits
    "gemma3": transformers.Gemma3TextConfig,
    "qwen3": transformers.Qwen3Config,
}
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


def main(base: str, told: str) -> None:
    estimate.CHUNK_ELEMENTS = 7 * SHAPE["vocab_size"]  # several chunks, the last one shorter
    found = {
        "losses": {f"{family} {dtype}": compared(family, dtype) for family in CONFIGS for dtype in TYPES},
        "loaded": {precision: loaded(base, precision) for precision in ("nf4", "bf16")},
        "kept": {precision: kept_bytes(base, precision) for precision in ("f32", "bf16")},
        "batched": batched(base),
        "evaluated": {str(size): evaluated(base, size) for size in (1, 100)},
    }
    Path(told).write_text(json.dumps(found), encoding="utf-8")


def adapted_model(family: str, dtype: str, dropout: float = 0.0, **others: Any) -> Any:
    torch.manual_seed(5)
    made = transformers.AutoModelForCausalLM.from_config(CONFIGS[family](**SHAPE | others), attn_implementation="eager")
    made.to(TYPES[dtype]).requires_grad_(False)
    lora = LoraConfig(r=4, lora_alpha=8, lora_dropout=dropout, target_modules=list(TARGETS))
    adapted = get_peft_model(made, lora)
    with torch.no_grad():
        for name, tensor in adapted.named_parameters():
            if "lora_" in name:
                tensor.copy_(torch.randn_like(tensor) * 0.05)
    return adapted.train()


def batch() -> dict[str, torch.Tensor]:
    """Three rows of different lengths, of which some tokens are trained."""
    torch.manual_seed(6)
    ids = torch.randint(1, SHAPE["vocab_size"], (3, 24))
    mask, labels = torch.ones_like(ids), ids.clone()
    for row, (prompt, length) in enumerate(((10, 24), (4, 17), (8, 12))):
        labels[row, :prompt] = -100
        labels[row, length:] = -100
        mask[row, length:] = 0
        ids[row, length:] = 0
    labels[0, 15:18] = -100  # a second question
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def compared(family: str, dtype: str) -> dict[str, float]:
    """Relative differences of the loss and of the LoRA's gradients, and the largest gradient where none may be."""
    adapted, given = adapted_model(family, dtype, sliding_window=8), batch()  # the window is Gemma's
    count = int((given["labels"][:, 1:] != -100).sum()) * 3  # as if there were more micro batches
    inner = adapted.base_model.model
    theirs, their_gradients, _ = taught(adapted, given, count)
    plain = inner.forward
    model.install_loss(inner)
    ours, our_gradients, hidden = taught(adapted, given, count)
    if family != "gemma2":  # its softcap of attention is computed by "eager" alone
        inner.set_attn_implementation("sdpa")
    joined = data.packed(given)
    packed, packed_gradients, _ = taught(adapted, joined, count)
    seeing = joined | {"position_ids": torch.arange(joined["input_ids"].shape[1])[None]}
    untrained = torch.cat([given["labels"][:, 1:] == -100, torch.ones(3, 1, dtype=torch.bool)], dim=1)
    as_before = model._autocast(inner)(plain)(given["input_ids"]).logits
    is_as_before = torch.equal(inner(given["input_ids"]).logits, as_before)
    last = inner(given["input_ids"], logits_to_keep=1).logits
    further = adapted_model(family, dtype, dropout=0.5)  # loaded to be trained further
    plain_of_further = further.base_model.model.forward
    model.install_loss(further.base_model.model)
    return {
        "loss": abs(ours - theirs) / theirs,
        "packed": abs(packed - theirs) / theirs,
        "packed_gradient": float((packed_gradients - their_gradients).norm() / their_gradients.norm()),
        "seeing": abs(taught(adapted, seeing, count)[0] - theirs) / theirs,
        "mean": model.loss_difference(further, given, plain_of_further),
        "gradient": float((our_gradients - their_gradients).norm() / their_gradients.norm()),
        "untrained": float(hidden[untrained].abs().max()),
        "trained": float(hidden[~untrained].abs().sum(-1).min()),
        "logits_kept": float(is_as_before),
        "last_alone": float(
            inner._supports_logits_to_keep() and torch.allclose(last, as_before[:, -1:], rtol=0.02, atol=0.02)
        ),
    }


def taught(adapted: Any, given: dict[str, torch.Tensor], count: int) -> tuple[float, torch.Tensor, torch.Tensor]:
    """Loss, all gradients of the LoRA, and the gradient that reaches the last hidden states."""
    seen: list[torch.Tensor] = []
    inner = adapted.base_model.model

    def keep(_module: Any, _given: Any, output: Any) -> None:
        output.last_hidden_state.retain_grad()
        seen.append(output.last_hidden_state)

    hook = inner.model.register_forward_hook(keep)
    adapted.zero_grad()
    value = adapted(**given, num_items_in_batch=torch.tensor(count)).loss
    value.backward()
    hook.remove()
    gradients = [one.grad.float().flatten() for one in adapted.parameters() if one.requires_grad]
    assert seen[0].grad is not None
    return float(value.detach()), torch.cat(gradients), seen[0].grad.float()


def loaded_model(base: str, precision: str, **changes: Any) -> Any:
    spec = RunSpec("x", "x", "x", "x", precision=precision, device="cpu", rank=4, alpha=8, **changes)
    return model.load_model(spec, inspect_base(Path(base)))


def kept_bytes(base: str, precision: str) -> int:
    """What autograd keeps of one forward pass, without the weights."""
    adapted = loaded_model(base, precision, compute=precision, gradient_checkpointing=False)
    weights = {one.untyped_storage().data_ptr() for one in adapted.parameters()}
    seen: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        seen[tensor.untyped_storage().data_ptr()] = tensor  # kept alive, so that no address comes twice
        return tensor

    model.install_loss(adapted.base_model.model)
    ids = torch.randint(1, 200, (1, 128))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        adapted(input_ids=ids, labels=torch.where(torch.arange(128) < 127, -100, ids))
    return sum(one.untyped_storage().nbytes() for place, one in seen.items() if place not in weights)


def batched(base: str) -> dict[str, Any]:
    """Likelihoods of examples in batches beside those of each alone, and the number of forward passes."""
    adapted = loaded_model(base, "f32", compute="f32", gradient_checkpointing=False)
    model.install_loss(adapted.base_model.model)
    lengths = [5, 30, 9, 28, 12, 31]
    examples = [EncodedExample(list(range(7, 7 + one)), [-100, *range(8, 7 + one)], 1) for one in lengths]
    passes = 0

    def count(_done: int) -> None:
        nonlocal passes
        passes += 1

    alone = model.example_nll(adapted, examples, 0)
    together = model.example_nll(adapted, examples, 0, count, most_tokens=64)
    pairs = zip(alone, together, strict=True)
    return {"passes": passes, "difference": max(abs(one - other) / one for one, other in pairs)}


def evaluated(base: str, micro_batch: int) -> dict[str, Any]:
    """Answers, and likelihoods of rows kept back, of different lengths: as many at once as `micro_batch` says."""
    adapted = loaded_model(base, "f32", compute="f32", gradient_checkpointing=False)
    model.install_loss(adapted.base_model.model)
    torch.manual_seed(8)
    with torch.no_grad():
        for name, tensor in adapted.named_parameters():
            if "lora_B" in name:
                tensor.normal_(0, 0.05)
    form = TrainingPromptForm(question="Q: {text}\n", answer="A: {text}\n", answer_start="A: ")
    spec = RunSpec("x", "x", "x", "x", micro_batch=micro_batch)
    questions = [({"role": "user", "content": "橋の点検" * count},) for count in (4, 1, 2)]
    rows = [
        data.TrainingConversation(at, (*question, {"role": "assistant", "content": "二年ごと" * (3 - at)}))
        for at, question in enumerate(questions)
    ]
    longest, tokens = EncodedExample([1] * 8, [1] * 8), tokenization.load_tokenizer(Path(base))
    material = TrainingInputs(spec, form, tokens, [longest], [], questions)
    _, sums = export.measure_holdout(adapted, material, rows, TrainerJournal(None))
    return {"answers": model.generate_answers(adapted, material, 24), "held_out": sums}


def loaded(base: str, precision: str) -> dict[str, Any]:
    """Types of the parts after loading, and of what is trained."""
    changes: dict[str, Any] = {"compute": "bf16", "gradient_checkpointing": True, "checkpoint_every": 2}
    adapted = loaded_model(base, precision, **changes, embedding_on_cpu=precision == "nf4")
    inner = adapted.base_model.model
    given = {name: tensor.clamp(max=200) for name, tensor in batch().items()}
    difference = model.install_loss_if_equal(adapted, given)
    adapted.train()
    adapted(**given).loss.backward()
    trained = [one for one in adapted.parameters() if one.requires_grad]
    last: list[torch.Tensor] = []
    inner.get_output_embeddings().register_forward_pre_hook(lambda _head, hidden: last.extend(hidden))
    with torch.no_grad():
        inner(given["input_ids"], logits_to_keep=1)
    return {
        "strides": [list(one.stride()) for one in last],
        "width": inner.config.hidden_size,
        "embedding": str(inner.get_input_embeddings().weight.dtype),
        "head": str(inner.get_output_embeddings().weight.dtype),
        "norm": str(inner.model.norm.weight.dtype),
        "projection": str(inner.model.layers[0].mlp.up_proj.base_layer.weight.dtype),
        "trained": sorted({str(one.dtype) for one in trained}),
        "trained_names": sorted({name for name, one in adapted.named_parameters() if one.requires_grad})[:2],
        "are_taught": all(one.grad is not None and bool(one.grad.isfinite().all()) for one in trained),
        "own_loss": difference,
        "checkpointed": [bool(layer.gradient_checkpointing) for layer in inner.model.layers],
    }
