"""Convert models and adapters into GGUF with llama.cpp's converter, and a GGUF file into a folder.

llama.cpp's scripts run unchanged inside this process. Hooks add progress and pre-tokenizers and refuse code that comes
with a model. Their own `gguf` and `conversion` come first on the path: PyPI's of the same version has other files.

The converter knows published tokenizers by a digest of one encoded text, so it does not know a self-trained one.
tokenizer.json states what a pre-tokenizer does; if all of it equals one that llama.cpp has (src/llama-vocab.cpp of the
engine's version), that one is used. Similarity is not enough.

The file is over 450 lines because both directions lean on foreign code, whose peculiarities they share.
"""

import functools
import json
import logging
import math
import os
import runpy
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer.convert import hf_folder
from trainer.convert.report import ConversionReport, JobError, require_memory, require_space
from trainer.convert_job import GgufToHf, HfToGguf, LoraToGguf

_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_QWEN_2 = _LLAMA_3.replace(r"\p{N}{1,3}", r"\p{N}")

_NFC = {"type": "NFC"}
_SPACES_BECOME_BARS = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}


def known_pre_tokenizer(tokenizer: dict[str, Any]) -> str | None:
    """Return llama.cpp's name for the rules in `tokenizer`, a parsed tokenizer.json; None if it has no equal rules."""
    model = tokenizer.get("model") or {}
    if model.get("type") != "BPE" or any(model.get(key) for key in _CHANGES_OF_BPE):
        return None
    rules = (
        _rules(tokenizer.get("normalizer")),
        _rules(tokenizer.get("pre_tokenizer")),
        bool(model.get("ignore_merges")),
        bool(model.get("byte_fallback")),
    )
    return next((name for name, known in _KNOWN if rules == known), None)


# Options that llama.cpp's byte-pair encoding does not support.
_CHANGES_OF_BPE = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")
# Keys that do not change the tokens.
_WITHOUT_EFFECT = {"trim_offsets"}


def _rules(part: Any) -> Any:
    """Return a part of tokenizer.json for comparison: without ineffective keys, a sequence of one step as the step."""
    if not isinstance(part, dict):
        return part
    steps = part.get("pretokenizers") or part.get("normalizers") or []
    if part.get("type") == "Sequence":
        return _rules(steps[0]) if len(steps) == 1 else ("Sequence", *(_rules(step) for step in steps))
    return {key: value for key, value in part.items() if key not in _WITHOUT_EFFECT}


def _byte_level_rules(pattern: str) -> Any:
    """Return the rules of a pre-tokenizer that splits at a regex and then maps bytes to characters."""
    return (
        "Sequence",
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False},
    )


_SPLIT_AT_SPACES = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}

# Entries: normalizer, pre-tokenizer, whether whole words come before merges, whether unknown characters become bytes.
# llama.cpp does not normalize. Qwen's NFC is accepted, as in llama.cpp's own conversion of Qwen, because it changes
# only text that is not composed yet.
_KNOWN = (
    ("llama-bpe", (None, _byte_level_rules(_LLAMA_3), True, False)),
    ("dbrx", (None, _byte_level_rules(_LLAMA_3), False, False)),
    ("qwen2", (_NFC, _byte_level_rules(_QWEN_2), False, False)),
    ("qwen2", (None, _byte_level_rules(_QWEN_2), False, False)),
    # Gemma replaces spaces by bars, so the split at spaces has no effect.
    ("gemma4", (_SPACES_BECOME_BARS, _SPLIT_AT_SPACES, False, True)),
    ("gemma4", (_SPACES_BECOME_BARS, None, False, True)),
)


_NEEDED = ("convert_hf_to_gguf.py", "convert_lora_to_gguf.py", "conversion/__init__.py", "gguf-py/gguf/__init__.py")
_HEADER_BYTES = 32 << 20  # allowance for the metadata of a large vocabulary when checking the free space


def put_converter_first_on_path(folder: Path) -> None:
    """Put the converter's modules first on the path. Raises JobError("converter_missing")."""
    for name in _NEEDED:
        if not (folder / name).is_file():
            raise JobError("converter_missing", path=str(folder / name))
    os.environ.pop("NO_LOCAL_GGUF", None)
    sys.path[:0] = [str(folder / "gguf-py"), str(folder)]


def run_script(script: Path, arguments: list[str], part: Path, report: ConversionReport, notes: dict[str, Any]) -> None:
    """Run one of the converter's scripts, which writes the GGUF file `part`.

    Store in `notes` what the script has decided itself: `outtype`, the number type of most weights, and
    `pre_tokenizer`, the tokenizer's name if it had to be derived.

    Call `put_converter_first_on_path` and `refuse_remote_code` before.
    """
    _install_hooks(part, report, notes)
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


def outfile_argument(part: Path) -> str:
    """Return the path as an argument for the converter, which replaces {ftype} and the like: braces are escaped."""
    return str(part.parent / part.name.replace("{", "{{").replace("}", "}}"))


def require_architecture(folder: Path) -> None:
    """Raise JobError("architecture_unknown") for a model that the converter, and so the engine, does not support."""
    from conversion import ModelBase, ModelType, get_model_architecture, get_model_class

    config = ModelBase.load_hparams(folder, False)
    try:
        architecture = get_model_architecture(config, ModelType.TEXT)
    except ValueError as error:
        raise JobError("architecture_unknown", architecture="") from error
    try:
        get_model_class(architecture)
    except NotImplementedError as error:
        raise JobError("architecture_unknown", architecture=architecture) from error


def refuse_remote_code() -> None:
    """Make transformers ignore each `trust_remote_code=True` that the converter passes.

    This is a second protection; `hf_folder` has already refused folders with such code.
    """
    import transformers

    for kind in (transformers.AutoConfig, transformers.AutoTokenizer):
        _refuse_remote_code_of(kind)


def _refuse_remote_code_of(auto_class: Any) -> None:
    """Replace the class's `from_pretrained` by one that ignores `trust_remote_code=True`."""
    original = auto_class.from_pretrained

    def from_pretrained(*arguments: Any, **options: Any) -> Any:
        return original(*arguments, **{**options, "trust_remote_code": False})

    auto_class.from_pretrained = from_pretrained


def _install_hooks(part: Path, report: ConversionReport, notes: dict[str, Any]) -> None:
    """Make the converter report what it writes and decides, and derive the pre-tokenizers that it does not know."""
    import gguf
    from conversion.base import TextModel

    writer: Any = gguf.GGUFWriter
    write_tensors, add_file_type = writer.write_tensors_to_file, writer.add_file_type
    recognize = TextModel.get_vocab_base_pre

    def write(this: Any, **_options: Any) -> None:
        total_bytes = sum(info.nbytes for tensors in this.tensors for info in tensors.values())
        require_space(part, total_bytes + _HEADER_BYTES)
        report.phase("writing")
        with report.watching(part, total_bytes):
            write_tensors(this)

    def note_file_type(this: Any, file_type: int) -> None:
        notes["outtype"] = gguf.LlamaFileType(file_type).name.rpartition("_")[2].lower()
        add_file_type(this, file_type)

    def recognize_or_derive(this: Any, tokenizer: Any) -> str:
        try:
            return str(recognize(this, tokenizer))
        except NotImplementedError as error:
            backend = getattr(tokenizer, "backend_tokenizer", None)
            name = known_pre_tokenizer(json.loads(backend.to_str())) if backend is not None else None
            if name is None:
                raise JobError("pre_tokenizer_unknown", digest=_digest(tokenizer)) from error
            logging.getLogger(__name__).info("the tokenizer's rules are those of %s", name)
            notes["pre_tokenizer"] = name
            return name

    writer.write_tensors_to_file = write
    writer.add_file_type = note_file_type
    gguf.quants._apply_over_grouped_rows = _apply_over_grouped_rows
    TextModel.get_vocab_base_pre = recognize_or_derive


def _apply_over_grouped_rows(func: Any, arr: Any, otype: Any, oshape: tuple[int, ...]) -> Any:
    """Apply a function to groups of rows like gguf.quants, but write directly into the result.

    This saves 1 GB of memory for Llama 3's embedding in bf16.
    """
    import numpy as np

    rows = arr.reshape((-1, arr.shape[-1]))
    result = np.empty(math.prod(oshape), dtype=otype)
    place = 0
    for group in np.array_split(rows, max(1, len(rows) // 16)):
        made = func(group).ravel()
        result[place : place + made.size] = made
        place += made.size
    return result.reshape(oshape)


def _digest(tokenizer: Any) -> str:
    """Return a short digest of the tokenizer's rules, for a bug report."""
    from hashlib import sha256

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return type(tokenizer).__name__
    rules = json.loads(backend.to_str())
    text = json.dumps([rules.get("normalizer"), rules.get("pre_tokenizer")], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:16]


# PEFT options that a GGUF LoRA (one alpha, A and B for matrices) cannot represent, with the value that turns each off.
_UNSUPPORTED_OPTIONS: dict[str, Any] = {
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
# Other initializations (PiSSA, OLoRA, LoftQ, CorDA, …) change the base, or are not plain LoRA.
_PLAIN_BEGINNINGS = (True, False, None, "gaussian", "eva", "orthogonal")
# Weights take 2 bytes after dequantizing; the smallest common quantization has 4 bits.
_DEQUANTIZED_GROWTH = 4
_TENSORS_HELD = 3  # in float32 at once: the peak with a model of 8B was 5 GB, its largest tensor has 2.1 GB


def hf_to_gguf(job: HfToGguf, part: Path, report: ConversionReport) -> dict[str, Any]:
    """Convert a model's folder into a GGUF file, tensor by tensor, so that little memory is needed.

    Return what the converter decided, for the event `Finished`: `outtype` and `pre_tokenizer`.
    """
    source = Path(job.source)
    hf_folder.check(source)
    script = _prepare_conversion_script(job.converter, "convert_hf_to_gguf.py", source, report)
    notes: dict[str, Any] = {}
    arguments = ["--outfile", outfile_argument(part), "--outtype", job.outtype, str(source)]
    run_script(script, arguments, part, report, notes)
    return notes


def lora_to_gguf(job: LoraToGguf, part: Path, report: ConversionReport) -> dict[str, Any]:
    """Convert an adapter into GGUF in f32, as adapters are small and rounding would harm a merge.

    Return for the event `Finished` the adapter's `alpha`, and the notes of `run_script`.
    """
    adapter, base = Path(job.adapter), Path(job.base)
    hf_folder.read_config(base)
    alpha = checked_alpha(adapter, base)
    script = _prepare_conversion_script(job.converter, "convert_lora_to_gguf.py", base, report)
    notes: dict[str, Any] = {"alpha": alpha}
    arguments = ["--outfile", outfile_argument(part), "--outtype", "f32", "--base", str(base), str(adapter)]
    run_script(script, arguments, part, report, notes)
    return notes


def checked_alpha(adapter: Path, base: Path) -> float:
    """Check that GGUF can represent an adapter of this base, and return its alpha.

    Raises JobError for options that GGUF cannot represent, and for matrices that the base does not have.
    """
    config_path, weights = adapter / "adapter_config.json", adapter / "adapter_model.safetensors"
    for path in (config_path, weights):
        if not path.is_file():
            unsafe = path.with_suffix(".bin")
            raise JobError("unsafe_weights" if unsafe.is_file() else "source_missing", path=str(path))
    config = json.loads(config_path.read_bytes())
    if config.get("peft_type") != "LORA":
        raise JobError("adapter_unsupported", kind=str(config.get("peft_type")))
    for key, harmless in _UNSUPPORTED_OPTIONS.items():
        if (config.get(key) or None) != (harmless or None):
            raise JobError("adapter_unsupported", kind=f"{key}: {config[key]}")
    if config.get("init_lora_weights") not in _PLAIN_BEGINNINGS:
        raise JobError("adapter_unsupported", kind=f"init_lora_weights: {config['init_lora_weights']}")
    made_for = Path(str(config.get("base_model_name_or_path") or "?")).name
    _check_shapes(hf_folder.tensors_of(weights), base, made_for)
    return float(config["lora_alpha"])


def _check_shapes(adapter: dict[str, hf_folder.TensorHeader], base: Path, made_for: str) -> None:
    """Raise JobError if the adapter's matrices do not fit the base's weights; without weights nothing is checked."""
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


def _prepare_conversion_script(folder: str, script_name: str, model: Path, report: ConversionReport) -> Path:
    """Import the script's libraries, check that they support the model, and return the script's path."""
    report.phase("loading")
    put_converter_first_on_path(Path(folder))
    refuse_remote_code()
    require_architecture(model)
    report.phase("reading")
    return Path(folder) / script_name


# ---------------------------------------------------------- out of GGUF


def gguf_to_hf(job: GgufToHf, part: Path, report: ConversionReport) -> dict[str, Any]:
    """Convert a GGUF file into a folder that can be fine-tuned, as for the trial model.

    It takes 12 s for the trial model, mostly for its vocabulary of 262,144, but is needed once per file. Matrices
    become float16, which represents 4- to 8-bit weights more exactly than bfloat16. Vectors stay in float32: the
    converter adds one to Gemma's norms in their own type.
    """
    source, target = Path(job.source), Path(job.target)
    if not source.is_file():
        raise JobError("source_missing", path=str(source))
    if target.exists():
        raise JobError("target_exists", path=str(target))
    require_space(part, source.stat().st_size * _DEQUANTIZED_GROWTH)
    report.phase("loading")
    import gguf
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    # The tokenizer, the config and the weights each read the same header, and each module the same table of names.
    gguf.GGUFReader = functools.cache(_short_reader())  # type: ignore[misc, assignment]
    gguf.get_tensor_name_map = functools.cache(gguf.get_tensor_name_map)
    place: dict[str, Any] = {"gguf_file": source.name, "trust_remote_code": False}
    tokenizer = AutoTokenizer.from_pretrained(str(source.parent), **place)
    config = AutoConfig.from_pretrained(str(source.parent), **place)
    with torch.device("meta"):  # names and shapes alone
        model = AutoModelForCausalLM.from_config(config)
    require_memory(_TENSORS_HELD * 4 * max(weights.numel() for weights in model.parameters()))
    report.phase("writing")
    part.mkdir()
    _write_weights(_dequantized(source, model), model, part, report)
    config.architectures, config.dtype = [type(model).__name__], torch.float32
    config.save_pretrained(part)
    model.generation_config.save_pretrained(part)
    tokenizer.save_pretrained(part)
    return {"architecture": config.architectures[0]}


_MOST_ELEMENTS = 1024  # of an array of the header that is read


def _short_reader() -> Any:
    """Return gguf's reader, which leaves out the elements of arrays as long as a vocabulary.

    They take it 10 s, and transformers, which reads the tokens again with faster code of its own, several more. Of
    texts the number stays, because transformers counts the tokens.
    """
    import numpy as np
    from gguf import GGUFReader, GGUFValueType

    class ShortReader(GGUFReader):
        def _get_field_parts(self, orig_offs: int, raw_type: int) -> Any:
            if raw_type != GGUFValueType.ARRAY or self.byte_order != "I":
                return super()._get_field_parts(orig_offs, raw_type)
            kind = GGUFValueType(self._get(orig_offs, np.uint32)[0])
            count = int(self._get(orig_offs + 4, np.uint64)[0])
            width = self.gguf_scalar_to_np.get(kind)
            if count <= _MOST_ELEMENTS or (width is None and kind != GGUFValueType.STRING):
                return super()._get_field_parts(orig_offs, raw_type)
            end = orig_offs + 12
            header: Any = self.data
            if width is not None:
                return 12 + count * np.dtype(width).itemsize, [], [], [GGUFValueType.ARRAY, kind]
            for _ in range(count):
                end += 8 + struct.unpack_from("<Q", header, end)[0]
            return end - orig_offs, [np.empty(0, np.uint8)], [0] * count, [GGUFValueType.ARRAY, kind]

    return ShortReader


_ROWS = 4096  # of a matrix that are dequantized at once, because gguf's code takes several times their size
_SHARD_BYTES = 1 << 30


def _dequantized(source: Path, model: Any) -> Iterator[tuple[str, Any]]:
    """Yield transformers' name and the tensor in float32 of each tensor that the model has.

    It follows transformers' `load_gguf_checkpoint` (5.24), which keeps all of them in memory. Models with experts,
    which that function puts together from several tensors, come out incomplete, and `_write_weights` refuses them.
    """
    import numpy as np
    import torch
    from gguf import GGUFReader, dequantize
    from transformers import modeling_gguf_pytorch_utils as theirs

    reader = GGUFReader(str(source))  # as transformers names it
    processors = theirs.TENSOR_PROCESSORS
    architecture = str(reader.fields["general.architecture"].contents())
    processor = processors.get(architecture, theirs.TensorProcessor)(config=model.config.to_dict())
    names = theirs.get_gguf_hf_weights_map(model, processor)
    for tensor in reader.tensors:
        rows = tensor.data if tensor.data.ndim > 1 else tensor.data[np.newaxis]
        weights = np.empty(tuple(map(int, reversed(tensor.shape))), np.float32)
        flat = weights.reshape(len(rows), -1)
        for at in range(0, len(rows), _ROWS):
            flat[at : at + _ROWS] = dequantize(rows[at : at + _ROWS], tensor.tensor_type)
        made = processor.process(
            weights=weights, name=tensor.name, tensor_key_mapping=names, parsed_parameters={"tensors": {}}
        )
        if made.name in names:
            yield names[made.name], torch.from_numpy(np.ascontiguousarray(made.weights))


def _write_weights(tensors: Iterator[tuple[str, Any]], model: Any, folder: Path, report: ConversionReport) -> None:
    """Write the tensors in files of at most a gigabyte, or of one tensor, with matrices in float16.

    Raises JobError("tensor_missing").
    """
    from safetensors.torch import save_file

    shapes = model.state_dict()
    tied = model._tied_weights_keys if model.config.tie_word_embeddings else None
    needed = shapes.keys() - set(tied or ())
    total_bytes = 2 * sum(shapes[name].numel() for name in needed)
    files: list[list[str]] = []
    shard: dict[str, Any] = {}
    done_bytes = shard_bytes = 0

    def write() -> None:
        nonlocal shard, shard_bytes
        save_file(shard, folder / f"{len(files)}.part", metadata={"format": "pt"})
        files.append(list(shard))
        shard, shard_bytes = {}, 0

    for name, tensor in tensors:
        if name not in shapes or tensor.shape != shapes[name].shape:
            raise JobError("tensor_missing", detail=name)
        shard[name] = tensor.half() if tensor.dim() > 1 else tensor
        del tensor
        shard_bytes += shard[name].nbytes
        done_bytes += shard[name].nbytes
        report.progress(min(done_bytes, total_bytes - 1), total_bytes)
        if shard_bytes >= _SHARD_BYTES:
            write()
    if shard:
        write()
    if lacking := needed.difference(*files):
        raise JobError("tensor_missing", detail=", ".join(sorted(lacking)[:5]))
    of_file: dict[str, str] = {}
    for number, names in enumerate(files, 1):
        file = "model.safetensors" if len(files) == 1 else f"model-{number:05}-of-{len(files):05}.safetensors"
        (folder / f"{number - 1}.part").rename(folder / file)
        of_file |= dict.fromkeys(names, file)
    if len(files) > 1:
        index = {"metadata": {"total_size": done_bytes}, "weight_map": of_file}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
