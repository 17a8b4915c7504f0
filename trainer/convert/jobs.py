"""The two jobs of llama.cpp's converter: a model's folder, and a PEFT adapter, into GGUF."""

import json
from pathlib import Path
from typing import Any

from trainer.convert import converter, hf_folder
from trainer.convert.failure import JobError
from trainer.convert.report import Report
from trainer.convert_job import HfToGguf, LoraToGguf

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
