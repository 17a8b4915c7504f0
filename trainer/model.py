"""Load the frozen base in 4, 16 or 32 bits with LoRA matrices on the seven projections of each layer.

In 16 bits everything runs under autocast: products in 16 bits, with the LoRA matrices kept in 32. Without autocast peft
would copy the input of each projection into 32 bits; with matrices in 16 bits, small steps of the optimizer would be
rounded away.

The module also provides the training loss, the likelihoods of examples, and the generation of answers.
"""

import inspect
import logging
import platform
import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig
from transformers.modeling_outputs import CausalLMOutput

from trainer import adapter, data, estimate, preference, sharding
from trainer import prompt_form as forms
from trainer.convert.report import free_memory_bytes
from trainer.events import RunError
from trainer.spec import RunSpec
from trainer.tokenization import UNTRAINED, EncodedExample

LOSS_TOLERANCE = 2e-2  # relative difference between our loss and the model's own on one example; bf16 rounds logits
_DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}


def load_model(spec: RunSpec, base: data.BaseFacts) -> Any:
    """Load the model with LoRA matrices in float32; everything else is frozen.

    The matrices are new, so that they do not change anything yet, or those of the adapter to be trained further.
    `prepare_model_for_kbit_training` is not used, because it turns embeddings and head into float32: 2 GiB more for
    Llama 3 (peft#3265). Raises RunError("base_unreadable" | "adapter_unreadable").
    """
    device = str(spec.device)
    dtype = _DTYPES[str(spec.compute)]
    quantization = None
    if spec.precision == "nf4":
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            bnb_4bit_quant_storage=dtype if sharding.is_wanted() else None,  # bytes cannot be shared out
        )
    place: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(str(base.folder), **place)
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(base.folder),
            config=config,
            dtype=dtype,
            quantization_config=quantization,
            device_map={"": "cpu" if sharding.is_wanted() else own_device(device)},
            use_safetensors=True,
            attn_implementation="sdpa",
            **place,
        )
    except (OSError, ValueError, KeyError) as error:
        raise RunError("base_unreadable", path=str(base.folder), reason=" ".join(str(error).split())[:300]) from error
    model.requires_grad_(False)
    model.get_output_embeddings().register_forward_pre_hook(_copied)
    if spec.embedding_on_cpu and not sharding.is_wanted():  # a card holds a part of a shared-out one anyway
        move_embedding_to_cpu(model)
    torch.manual_seed(spec.seed)
    lora = LoraConfig(
        r=spec.rank or 16,
        lora_alpha=spec.alpha or 32,
        lora_dropout=spec.dropout or 0.0,
        target_modules=list(data.TARGETS),
        bias="none",
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, lora)
    for module in adapted.modules():
        if hasattr(module, "cast_input_dtype_enabled"):
            module.cast_input_dtype_enabled = False  # autocast converts what must be converted
    if spec.adapter:
        _load_adapter(Path(spec.adapter), adapted)
    if spec.adapter and spec.is_preference:
        preference.add_reference(adapted)
    model.config.use_cache = False
    set_checkpointing(adapted, spec)
    if sharding.is_wanted():
        sharding.shard_base(adapted, device, own_device(device))
    model.forward = _autocast(model)(model.forward)
    return adapted


def _copied(_head: Any, given: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    """Return a copy of what the head gets: torch multiplies a slice a hundred times as slowly in 16 bits on a CPU."""
    return (given[0].clone(memory_format=torch.contiguous_format),)


def _autocast(model: Any) -> torch.autocast:
    """Return the autocast of a model of 16 bits; for one of 32 bits it does nothing."""
    dtype = model.get_output_embeddings().weight.dtype
    is_narrow = dtype != torch.float32
    return torch.autocast(device_of(model).type, dtype=dtype if is_narrow else None, enabled=is_narrow)


def set_checkpointing(adapted: Any, spec: RunSpec) -> None:
    """Let the layers compute their activations again in the backward pass, or keep them, as the spec says."""
    model = adapted.base_model.model
    if spec.gradient_checkpointing:
        model.activation_checkpointing_enable(
            activation_checkpointing_kwargs={"use_reentrant": False}, every_n_layers=spec.checkpoint_every or 1
        )
    elif model.is_gradient_checkpointing:
        model.activation_checkpointing_disable()


def move_embedding_to_cpu(model: Any) -> None:
    """Move the frozen token embedding into the machine's memory, unless it is the head's weights, too.

    Looking up a step's tokens there takes milliseconds, and an 8B base then takes 1 GiB less of the card.
    """
    embedding, device = model.get_input_embeddings(), device_of(model)
    if embedding.weight is model.get_output_embeddings().weight:
        return
    embedding.to("cpu")
    embedding.register_forward_pre_hook(lambda _module, given: (given[0].to("cpu"), *given[1:]))
    embedding.register_forward_hook(lambda _module, _given, found: found.to(device))


def device_of(model: Any) -> torch.device:
    """Return the device on which the layers compute; the embedding, a model's first weights, may be elsewhere."""
    return list(model.parameters())[-1].device


def _load_adapter(folder: Path, adapted: Any) -> None:
    """Load an adapter's matrices into the model. Raises RunError("adapter_unreadable") if names or shapes differ."""
    path = str(folder)
    try:
        weights = load_file(folder / adapter.WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise RunError("adapter_unreadable", path=path, reason=str(error)[:300]) from error
    own = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    differing = own.keys() ^ weights.keys() or {name for name in own if own[name].shape != weights[name].shape}
    if differing:
        raise RunError("adapter_unreadable", path=path, reason=f"{len(differing)} matrices, as {min(differing)}")
    set_peft_model_state_dict(adapted, weights)


def own_device(device: str) -> int | str:
    """Return the device of this process; in a distributed run each process has its own card."""
    return torch.cuda.current_device() if device == "cuda" else "cpu"


def has_bf16(device: str) -> bool:
    """Return whether the processor or card can compute in bfloat16 without emulation."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64"):
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return platform.machine() in ("arm64", "aarch64") and sys.platform == "darwin"


def free_bytes(device: str) -> int:
    """Return the free memory of the card, or of the machine, in bytes."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    return free_memory_bytes()


# ------------------------------------------------------------------ the loss


def install_loss_if_equal(adapted: Any, batch: dict[str, torch.Tensor]) -> float | None:
    """Install our loss, unless it differs from the model's own on a batch.

    Return the relative difference; None if the model keeps its own loss.
    """
    model = adapted.base_model.model
    plain = model.forward
    install_loss(model)
    difference = loss_difference(adapted, batch, plain)
    if difference <= LOSS_TOLERANCE:
        return difference
    model.forward = plain
    log = logging.getLogger(__name__)
    log.warning("the base's own loss is kept, which takes more memory: ours is %g off", difference)
    return None


def install_loss(model: Any) -> None:
    """Make the model's `forward` return our loss and no logits if it gets labels; otherwise it works as before.

    `num_items_in_batch`: the divisor of the sum, which is the number of trained tokens in all micro batches of a step,
    so that accumulation changes nothing. Without it the divisor is the number of trained tokens in this batch.
    """
    plain = model.forward
    body = getattr(model, model.base_model_prefix)
    softcap = getattr(model.config.get_text_config(), "final_logit_softcapping", None)

    def forward(
        self: Any,
        input_ids: torch.Tensor | None = None,  # shape (batch, tokens)
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,  # also looked for by `generate`; of packed examples, from 0 each
        labels: torch.Tensor | None = None,  # like input_ids; UNTRAINED for tokens that are not trained
        num_items_in_batch: torch.Tensor | int | None = None,
        is_by_sequence: bool = False,  # the loss is the sum of each sequence, of shape (batch,)
        logits_to_keep: int | torch.Tensor = 0,  # `generate` looks for this name, and asks for the last logits alone
        **others: Any,
    ) -> Any:
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "position_ids": position_ids}
        if labels is None:
            return plain(**given, logits_to_keep=logits_to_keep, **others)
        hidden = body(**given, use_cache=False).last_hidden_state
        targets = labels[:, 1:]
        is_trained = targets != UNTRAINED
        head = self.get_output_embeddings()
        losses = OutputHeadLoss.apply(
            hidden[:, :-1][is_trained], head.weight, getattr(head, "bias", None), targets[is_trained], softcap
        )
        if is_by_sequence:
            return CausalLMOutput(loss=losses.new_zeros(len(labels)).index_add(0, is_trained.nonzero()[:, 0], losses))
        count = is_trained.sum() if num_items_in_batch is None else num_items_in_batch
        return CausalLMOutput(loss=losses.sum() / count)

    model.forward = _autocast(model)(types.MethodType(forward, model))


def loss_difference(adapted: Any, batch: dict[str, torch.Tensor], plain: Any) -> float:
    """Return the relative difference between our loss of a batch, packed, and the model's own of the padded batch.

    It reveals a head that scales its logits in a way that our loss does not support, and a model in which packed
    examples see each other. `plain`: the `forward` of the adapted model from before `install_loss`.
    """
    model = adapted.eval().base_model.model  # dropout of an adapter that is trained further differs each time
    with torch.no_grad():
        ours = float(adapted(**data.packed(batch)).loss)
        own, model.forward = model.forward, plain
        logits = adapted(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits[:, :-1]
        model.forward = own
        theirs = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=UNTRAINED
        )
    return abs(ours - float(theirs)) / max(float(theirs), 1e-6)


def has_our_loss(model: Any) -> bool:
    """Return whether the model, inside PEFT's, returns our loss."""
    return "is_by_sequence" in inspect.signature(model.model.forward).parameters


def training_batch(adapted: Any, material: data.TrainingInputs, examples: Sequence[EncodedExample]) -> dict[str, Any]:
    """Return a micro batch: packed where that takes fewer operations, otherwise padded."""
    batch = data.collate(examples, material.tokens.pad_id)
    packs = estimate.is_packed([len(one.ids) for one in examples], material.even_tokens) and has_our_loss(adapted)
    return data.packed(batch) if packs else batch


class OutputHeadLoss(torch.autograd.Function):  # type: ignore[misc]
    """Computes the negative log-likelihoods of the trained positions, in nats, a chunk of logits at a time.

    With Gemma's vocabulary of 262,144 the logits of 2,048 tokens take 2 GB in float32, and their gradient takes the
    same; most of these positions are prompt or padding. Here the head is applied only to trained positions, all logits
    never exist at once, and the same pass computes the gradient of the hidden states. The head is frozen, so nothing
    else needs the logits. The method is that of "Cut Your Losses in Large-Vocabulary Language Models" (arXiv
    2411.09009), without its kernel.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,  # shape (positions, width)
        weight: torch.Tensor,  # shape (vocabulary, width), frozen
        bias: torch.Tensor | None,  # shape (vocabulary,), frozen
        targets: torch.Tensor,  # shape (positions,)
        softcap: float | None,  # logits become softcap x tanh(logits / softcap), as in Gemma 2
    ) -> torch.Tensor:
        rows = max(1, estimate.CHUNK_ELEMENTS // weight.shape[0])
        wants_gradient = ctx.needs_input_grad[0]
        gradient = torch.empty_like(hidden) if wants_gradient else None
        losses = torch.empty(hidden.shape[0], dtype=torch.float32, device=hidden.device)
        for start in range(0, hidden.shape[0], rows):
            part = slice(start, start + rows)
            logits = torch.nn.functional.linear(hidden[part], weight, bias).float()
            if softcap is not None:
                logits = torch.tanh_(logits.div_(softcap)).mul_(softcap)
            log_sum = torch.logsumexp(logits, dim=-1, keepdim=True)
            target = targets[part, None]
            losses[part] = (log_sum - logits.gather(1, target))[:, 0]
            if gradient is None:
                continue
            slope = None if softcap is None else 1 - (logits / softcap).square_()
            chance = logits.sub_(log_sum).exp_()
            chance.scatter_add_(1, target, chance.new_full(target.shape, -1.0))
            if slope is not None:
                chance.mul_(slope)
            gradient[part] = chance.to(weight.dtype) @ weight
        ctx.save_for_backward(gradient)
        return losses

    @staticmethod
    def backward(ctx: Any, *outputs: torch.Tensor) -> tuple[torch.Tensor | None, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return (gradient * outputs[0][:, None]).to(gradient.dtype), None, None, None, None


# --------------------------------------------------- likelihoods and answers


def example_nll(
    model: Any,
    examples: Sequence[EncodedExample],
    pad_id: int,
    check: Callable[[int], None] = lambda _done: None,
    most_tokens: int = 0,
) -> list[float]:
    """Return each example's negative log-likelihood, summed over its trained tokens, in nats; for a pair its loss.

    `most_tokens`: tokens of a batch, with padding; an example that has more is measured alone. `check` is called before
    each batch with the number of examples that are done, and may raise.
    """
    model.eval()
    sums = [0.0] * len(examples)
    device = device_of(model)
    is_alone = any(example.rejected for example in examples) or not has_our_loss(model)
    done = 0
    for part in data.batches_of([len(example.ids) for example in examples], 0 if is_alone else most_tokens):
        check(done)
        done += len(part)
        batch = data.collate([examples[at] for at in part], pad_id)
        batch = {name: tensor.to(device) for name, tensor in batch.items()}
        with torch.no_grad():
            found = model(**batch, **({"num_items_in_batch": 1} if is_alone else {"is_by_sequence": True})).loss
        for at, loss in zip(part, found.reshape(-1).tolist(), strict=True):
            sums[at] = loss
    return sums


def generate_answers(
    model: Any,
    material: data.TrainingInputs,
    most: int,
    check: Callable[[], None] = lambda: None,
) -> list[tuple[str, bool]]:
    """Return the answers to the inputs' questions, and whether the model itself ended each. Decoding is greedy.

    As many are written at once as have twice the tokens of a step, which needs gradients too, with padding on the left.
    `most`: maximum number of tokens of an answer. `check` is called after each token and may raise.
    """
    tokens, device = material.tokens, device_of(model)
    prompts = [tokens.encode(forms.prompt_pieces(material.form, one)).ids for one in material.questions]
    answers = [("", False)] * len(prompts)

    def check_after_token(generated: torch.Tensor, _scores: object) -> torch.Tensor:
        """Call `check`; return False for each sequence, because this criterion never ends the generation."""
        check()
        return torch.zeros(len(generated), dtype=torch.bool, device=device)

    model.eval()
    for part in data.batches_of([len(ids) + most for ids in prompts], 2 * material.batch_tokens):
        longest = max(len(prompts[at]) for at in part)
        padding = [longest - len(prompts[at]) for at in part]
        rows = zip(part, padding, strict=True)
        with torch.no_grad():
            written = model.generate(
                input_ids=torch.tensor([[tokens.pad_id] * pads + prompts[at] for at, pads in rows], device=device),
                attention_mask=torch.tensor([[0] * pads + [1] * (longest - pads) for pads in padding], device=device),
                max_new_tokens=most,
                do_sample=False,
                repetition_penalty=1.0,  # overrides the base's own generation settings
                use_cache=True,
                stopping_criteria=[check_after_token],
                synced_gpus=sharding.is_wanted(),  # each process needs the others for a token, so none ends before them
                eos_token_id=list(tokens.end_ids),
                pad_token_id=tokens.pad_id,
            )[:, longest:].tolist()
        for at, ids in zip(part, written, strict=True):
            end = next((place for place, id in enumerate(ids) if id in tokens.end_ids), None)
            text = b"".join(map(tokens.bytes_of, ids[:end])).decode("utf-8", "replace").strip()
            answers[at] = text, end is not None
    return answers
