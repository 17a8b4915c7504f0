"""llama.cpp's own converter, run inside this process with three things added: progress, pre-tokenizers, no programs.

Its scripts stay as they are. They find their own `gguf` and `conversion` first: the registry's `gguf` of the same
version number has other files.
"""

import json
import logging
import math
import os
import runpy
import sys
from pathlib import Path
from typing import Any

from trainer.convert import pre_tokenizer
from trainer.convert.failure import JobError, require_space
from trainer.convert.report import Report

_NEEDED = ("convert_hf_to_gguf.py", "convert_lora_to_gguf.py", "conversion/__init__.py", "gguf-py/gguf/__init__.py")
_HEADER_BYTES = 32 << 20  # metadata with a large vocabulary, for the look at the free space


def prefer(folder: Path) -> None:
    """Puts the converter's modules first. Raises JobError("converter_missing")."""
    for name in _NEEDED:
        if not (folder / name).is_file():
            raise JobError("converter_missing", path=str(folder / name))
    os.environ.pop("NO_LOCAL_GGUF", None)
    sys.path[:0] = [str(folder / "gguf-py"), str(folder)]


def run(script: Path, arguments: list[str], part: Path, report: Report, notes: dict[str, Any]) -> None:
    """Runs one of the scripts; `notes` receives what it decided. `prefer` and `refuse_programs` came before."""
    _Hooks(part, report, notes).install()
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")


def outfile(part: Path) -> str:
    """The converter fills in {ftype} and the like: braces in a name must stay braces."""
    return str(part.parent / part.name.replace("{", "{{").replace("}", "}}"))


def require_architecture(folder: Path) -> None:
    """Raises JobError("architecture_unknown") for what the converter, and so the engine, does not know."""
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


def refuse_programs() -> None:
    """The converter asks for `trust_remote_code=True` here and there: it gets False.

    The folder was searched for such code before; this is the second lock.
    """
    import transformers

    for kind in (transformers.AutoConfig, transformers.AutoTokenizer):
        _without_programs(kind)


def _without_programs(kind: Any) -> None:
    original = kind.from_pretrained

    def from_pretrained(*arguments: Any, **options: Any) -> Any:
        return original(*arguments, **{**options, "trust_remote_code": False})

    kind.from_pretrained = from_pretrained


class _Hooks:
    def __init__(self, part: Path, report: Report, notes: dict[str, Any]) -> None:
        self._part = part
        self._report = report
        self._notes = notes

    def install(self) -> None:
        import gguf
        from conversion.base import TextModel

        writer: Any = gguf.GGUFWriter
        write_tensors, add_file_type = writer.write_tensors_to_file, writer.add_file_type
        recognize = TextModel.get_vocab_base_pre

        def write(this: Any, **_options: Any) -> None:
            self._write(this, write_tensors)

        def note_type(this: Any, file_type: int) -> None:
            self._notes["outtype"] = gguf.LlamaFileType(file_type).name.rpartition("_")[2].lower()
            add_file_type(this, file_type)

        def recognize_or_derive(this: Any, tokenizer: Any) -> str:
            return self._recognize(lambda: recognize(this, tokenizer), tokenizer)

        writer.write_tensors_to_file = write
        writer.add_file_type = note_type
        gguf.quants._apply_over_grouped_rows = _apply_over_grouped_rows
        TextModel.get_vocab_base_pre = recognize_or_derive

    def _write(self, writer: Any, original: Any) -> None:
        total_bytes = sum(info.nbytes for tensors in writer.tensors for info in tensors.values())
        require_space(self._part, total_bytes + _HEADER_BYTES)
        self._report.phase("writing")
        with self._report.watching(self._part, total_bytes):
            original(writer)

    def _recognize(self, original: Any, tokenizer: Any) -> str:
        try:
            return str(original())
        except NotImplementedError as error:
            backend = getattr(tokenizer, "backend_tokenizer", None)
            name = pre_tokenizer.equal_one(json.loads(backend.to_str())) if backend is not None else None
            if name is None:
                raise JobError("pre_tokenizer_unknown", digest=_digest(tokenizer)) from error
            logging.getLogger(__name__).info("the tokenizer's rules are those of %s", name)
            self._notes["pre_tokenizer"] = name
            return name


def _apply_over_grouped_rows(func: Any, arr: Any, otype: Any, oshape: tuple[int, ...]) -> Any:
    """As gguf.quants has it, but no group is kept beside the result: 1 GB less for Llama 3's embedding in bf16."""
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
    """A short name for the tokenizer's rules, to be told to whoever helps."""
    from hashlib import sha256

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return type(tokenizer).__name__
    rules = json.loads(backend.to_str())
    text = json.dumps([rules.get("normalizer"), rules.get("pre_tokenizer")], sort_keys=True)
    return sha256(text.encode()).hexdigest()[:16]
