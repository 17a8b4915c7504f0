"""Conversions by llama.cpp's converter, a model's folder or a PEFT adapter into GGUF; and a GGUF file into a folder."""

import json
from pathlib import Path
from typing import Any

from trainer.convert import converter, hf_folder
from trainer.convert.failure import JobError, require_space
from trainer.convert.report import Report
from trainer.convert_job import GgufToHf, HfToGguf, LoraToGguf

# What a GGUF LoRA (one alpha, A and B for matrices) cannot hold, and the value that asks for none of it.
_UNSUPPORTED: dict[str, Any] = {
    "use_dora": False,
    "use_rslora": False,  # llama.cpp scales by alpha / rank
    "alpha_pattern": {},
    "bias": "none",
    "lora_bias": False,
    "modules_to_save": None,
    "trainable_token_indices": None,
    "layer_replication": None,
    "target_parameters": None,
    "fan_in_fan_out": False,
    "alora_invocation_tokens": None,
    **dict.fromkeys(("use_qalora", "use_bdlora", "arrow_config", "kasa_config", "velora_config", "monteclora_config")),
}
# Other ways to begin (PiSSA, OLoRA, LoftQ, CorDA, …) change the base, or are no plain LoRA.
_PLAIN_BEGINNINGS = (True, False, None, "gaussian", "eva", "orthogonal")
# A quantized file's weights take 2 bytes each afterwards; 4 bits each is the least that is common.
_GROWTH = 4


def hf_to_gguf(job: HfToGguf, part: Path, report: Report) -> dict[str, Any]:
    """Lazy: a tensor is read, converted and written before the next one is."""
    source = Path(job.source)
    hf_folder.check(source)
    script = _script(job.converter, "convert_hf_to_gguf.py", source, report)
    notes: dict[str, Any] = {}
    arguments = ["--outfile", converter.outfile(part), "--outtype", job.outtype, str(source)]
    converter.run(script, arguments, part, report, notes)
    return notes


def lora_to_gguf(job: LoraToGguf, part: Path, report: Report) -> dict[str, Any]:
    """In f32: adapters are small, and rounding them would show in the merged model."""
    adapter, base = Path(job.adapter), Path(job.base)
    hf_folder.read_config(base)
    alpha = check_adapter(adapter, base)
    script = _script(job.converter, "convert_lora_to_gguf.py", base, report)
    notes: dict[str, Any] = {"alpha": alpha}
    arguments = ["--outfile", converter.outfile(part), "--outtype", "f32", "--base", str(base), str(adapter)]
    converter.run(script, arguments, part, report, notes)
    return notes


def check_adapter(adapter: Path, base: Path) -> float:
    """The adapter's alpha. Raises JobError for what GGUF cannot hold, and for matrices that the base does not have."""
    config_path, weights = adapter / "adapter_config.json", adapter / "adapter_model.safetensors"
    for path in (config_path, weights):
        if not path.is_file():
            unsafe = path.with_suffix(".bin")
            raise JobError("unsafe_weights" if unsafe.is_file() else "source_missing", path=str(path))
    config = json.loads(config_path.read_bytes())
    if config.get("peft_type") != "LORA":
        raise JobError("adapter_unsupported", kind=str(config.get("peft_type")))
    for key, harmless in _UNSUPPORTED.items():
        if (config.get(key) or None) != (harmless or None):
            raise JobError("adapter_unsupported", kind=f"{key}: {config[key]}")
    if config.get("init_lora_weights") not in _PLAIN_BEGINNINGS:
        raise JobError("adapter_unsupported", kind=f"init_lora_weights: {config['init_lora_weights']}")
    made_for = Path(str(config.get("base_model_name_or_path") or "?")).name
    _check_shapes(hf_folder.tensors_of(weights), base, made_for)
    return float(config["lora_alpha"])


def _check_shapes(adapter: dict[str, hf_folder.Tensor], base: Path, made_for: str) -> None:
    """Against the base's weights, where they are: its config alone is enough for the converter."""
    matrices = {
        name: tensor.shape
        for file in sorted(base.glob("model*.safetensors"))
        for name, tensor in hf_folder.tensors_of(file).items()
    }
    for name, tensor in adapter.items():
        matrix, _, side = name.removeprefix("base_model.model.").rpartition(".lora_")
        if side not in ("A.weight", "B.weight"):
            raise JobError("adapter_unsupported", kind=name)
        shape = matrices.get(f"{matrix}.weight")
        if matrices and (shape is None or tensor.shape[side == "A.weight"] != shape[side == "A.weight"]):
            raise JobError("adapter_mismatch", base=made_for, where=f"{name}: {tensor.shape} / {shape}")


def _script(folder: str, name: str, model: Path, report: Report) -> Path:
    """The script, after its libraries were loaded and know the model."""
    report.phase("loading")
    converter.prefer(Path(folder))
    converter.refuse_programs()
    converter.require_architecture(model)
    report.phase("reading")
    return Path(folder) / name


# ---------------------------------------------------------- out of GGUF


def gguf_to_hf(job: GgufToHf, part: Path, report: Report) -> dict[str, Any]:
    """How the trial model becomes a base that can be fine-tuned.

    Slow (a minute for 270M parameters, most of it the tokenizer's merges), and done once for a file.

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
