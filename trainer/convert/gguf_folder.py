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

    Float16: what 4 to 8 bits give fits into it more closely than into bfloat16.
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
        str(source.parent), quantization_config=GgufConfig(dequantize=True), dtype=torch.float16, **place
    )
    report.phase("writing")
    part.mkdir()
    parameters = sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())
    with report.watching(part / "model.safetensors", parameters):
        model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    return {"architecture": model.config.architectures[0]}
