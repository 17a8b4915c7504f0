"""The base, frozen and in four bits or sixteen, with LoRA matrices beside the seven projections of each layer."""

import logging
import platform
import sys
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig

from trainer import adapter, loss
from trainer.failure import RunError
from trainer.material import TARGETS, Base
from trainer.spec import RunSpec

LOSS_TOLERANCE = 2e-2  # between our loss and the model's own on one example, relative; bf16 rounds the logits
_DTYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}


def load(spec: RunSpec, base: Base) -> Any:
    """The PEFT model, its LoRA matrices in float32 and everything else frozen as it was loaded. The matrices are new,
    and change nothing yet, or those of the adapter that is trained further.

    No `prepare_model_for_kbit_training`: it turns embeddings and head into float32, 2 GiB more for Llama 3 (peft#3265).
    Raises RunError("base_unreadable" | "adapter_unreadable").
    """
    device = str(spec.device)
    dtype = _DTYPES[str(spec.compute)]
    quantization = None
    if spec.precision == "nf4":
        quantization = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
        )
    place: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(str(base.folder), **place)
        model: Any = AutoModelForCausalLM.from_pretrained(
            str(base.folder),
            config=config,
            dtype=dtype,
            quantization_config=quantization,
            device_map={"": own_device(device)},
            use_safetensors=True,
            attn_implementation="sdpa",
            **place,
        )
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:300]
        raise RunError("base_unreadable", path=str(base.folder), reason=reason) from error
    model.requires_grad_(False)
    if spec.gradient_checkpointing:
        model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    torch.manual_seed(spec.seed)
    lora = LoraConfig(
        r=spec.rank or 16,
        lora_alpha=spec.alpha or 32,
        lora_dropout=spec.dropout or 0.0,
        target_modules=list(TARGETS),
        bias="none",
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, lora)
    if spec.adapter:
        _go_on_from(Path(spec.adapter), adapted)
    adapted.base_model.model.config.use_cache = False
    return adapted


def _go_on_from(folder: Path, adapted: Any) -> None:
    """Raises RunError("adapter_unreadable") for matrices that are not those of this base and rank."""
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


def with_own_loss(adapted: Any, example: dict[str, torch.Tensor]) -> float | None:
    """Installs `trainer.loss`, unless it differs from the model's own on `example`. Returns the difference, or None."""
    model = adapted.base_model.model
    plain = model.forward
    loss.install(model)
    difference = loss.difference(model, example, plain)
    if difference <= LOSS_TOLERANCE:
        return difference
    model.forward = plain
    log = logging.getLogger(__name__)
    log.warning("the base's own loss is kept, which takes more memory: ours is %g off", difference)
    return None


def own_device(device: str) -> int | str:
    """Each process of a distributed run has a card of its own."""
    return torch.cuda.current_device() if device == "cuda" else "cpu"


def has_bf16(device: str) -> bool:
    """Whether the processor computes in bfloat16 without emulating it."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64"):
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return platform.machine() in ("arm64", "aarch64") and sys.platform == "darwin"


def free_bytes(device: str) -> int:
    """Of the card's own memory, or of the machine's."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    if sys.platform == "linux":
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    import psutil

    return int(psutil.virtual_memory().available)
