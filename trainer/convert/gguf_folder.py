"""A GGUF file into a Hugging Face folder: how the trial model becomes a base that can be fine-tuned."""

from pathlib import Path
from typing import Any

from trainer.convert.failure import JobError, require_space
from trainer.convert.report import Report
from trainer.convert_job import GgufToHf

# A quantized file's weights take 2 bytes each afterwards; 4 bits each is the least that is common.
_GROWTH = 4


def gguf_to_hf(job: GgufToHf, part: Path, report: Report) -> dict[str, Any]:
    """Slow (a minute for 270M parameters, most of it the tokenizer's merges), and done once for a file.

    Matrices in float16, which holds what 4 to 8 bits give more closely than bfloat16 does. Vectors stay in float32: the
    converter adds one to Gemma's norms in the type that they have.
    """
    source, target = Path(job.source), Path(job.target)
    if not source.is_file():
        raise JobError("source_missing", path=str(source))
    if target.exists():
        raise JobError("target_exists", path=str(target))
    require_space(part, source.stat().st_size * _GROWTH)
    report.phase("loading")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    report.phase("reading")
    place: dict[str, Any] = {"gguf_file": source.name, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(str(source.parent), **place)
    # Without dequantize transformers 5.24 keeps the blocks, and save_pretrained refuses to write them.
    model = AutoModelForCausalLM.from_pretrained(
        str(source.parent), quantization_config=GgufConfig(dequantize=True), dtype=torch.float32, **place
    )
    model.config.dtype = torch.float16
    weights = _halved(model.state_dict())
    report.phase("writing")
    part.mkdir()
    with report.watching(part / "model.safetensors", _distinct_bytes(weights)):
        model.save_pretrained(part, state_dict=weights)
    tokenizer.save_pretrained(part)
    return {"architecture": model.config.architectures[0]}


def _halved(weights: dict[str, Any]) -> dict[str, Any]:
    """Matrices in float16. A tied matrix has two names and stays one: it is written once."""
    made: dict[int, Any] = {}
    for weight in weights.values():
        if weight.data_ptr() not in made:
            made[weight.data_ptr()] = weight.half() if weight.dim() > 1 else weight
    return {name: made[weight.data_ptr()] for name, weight in weights.items()}


def _distinct_bytes(weights: dict[str, Any]) -> int:
    return sum({weight.data_ptr(): weight.nbytes for weight in weights.values()}.values())
