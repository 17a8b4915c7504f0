"""Run the quantizing child: one job from a file, llama.cpp's own quantizer in this process, events as JSON lines.

`model_jobs` begins and ends the process; it can also end in the middle of a tensor.
"""

import contextlib
import ctypes
import re
import time
from pathlib import Path
from typing import Any, NoReturn

from app.base.errors import AppError
from app.inference import gguf
from app.inference.engine import model_jobs
from app.inference.engine.model_jobs import Imatrix, Notes, Quantize, Send
from app.inference.quantizations import QUANTIZATIONS
from trainer.convert_job import Phase, Progress

# Bytes of f32 rows of one tensor in memory at once. llama.cpp's default of 8 GiB would take 3 GB for the token table of
# a Llama-3 vocabulary; this takes as long and an eighth of that.
BUFFER_BYTES = 256 << 20
_TENSOR = re.compile(r"\[\s*\d+/\s*\d+\]\s+(\S+)\s+-")
_FALLBACK = re.compile(r"(\d+) of \d+ tensor\(s\) required fallback")
_REPORT_EVERY_S = 0.1
_TEXT_LIMIT_BYTES = 127  # limit for a text that llama.cpp writes into the file


def main(arguments: list[str]) -> NoReturn:
    """Run the job in the file `arguments[0]`, then end the process."""
    model_jobs.run_job(arguments, (Quantize, Imatrix), _work)


def _work(job: Quantize | Imatrix, part: Path, send: Send) -> Notes:
    if isinstance(job, Quantize):
        return _quantize(job, part, send)
    from app.inference.engine import imatrix

    return imatrix.measure(job, part, lambda done, total: send(Progress(done, total)))


def _quantize(job: Quantize, part: Path, send: Send) -> Notes:
    """Write the source's weights to `part` in a smaller type, and return the job's notes.

    Raises AppError: the codes of `gguf.check_model` for the source; build_unwritable, drive_space, quantize_failed.
    """
    from app.inference.engine.llama import EngineLog, api, first_error_line  # after standard output was claimed

    form = QUANTIZATIONS[job.quantization]
    header = gguf.check_model(Path(job.source), every_token=False)
    send(Phase("writing"))
    log = EngineLog(_QuantizationProgress(header, send).read_line)
    api.llama_backend_init()
    params = api.llama_model_quantize_default_params()
    params.ftype = form.file_type
    params.nthread = job.threads
    params.allow_requantize = job.requantize
    params.max_buf_size = BUFFER_BYTES
    kept = (_set_metadata(api, params, job.metadata), _set_imatrix(api, params, job.imatrix))
    status = api.llama_model_quantize(job.source.encode("utf-8"), str(part).encode("utf-8"), ctypes.byref(params))
    del kept
    if status != 0:
        reason = first_error_line(log.lines)
        if "ios" in reason or not part.exists():  # an error of C++'s streams
            raise model_jobs.target_write_error(Path(job.target), reason, header.weights_bytes // 8)
        raise AppError("quantize_failed", reason=reason)
    found = [match for line in log.lines if (match := _FALLBACK.search(line))]
    return {
        "size_bytes": part.stat().st_size,
        "tensors": len(header.tensors),
        "fallback_tensors": int(found[0][1]) if found else 0,
    }


class _QuantizationProgress:
    """Counts the finished bytes of the source from the log lines in which llama.cpp begins a tensor."""

    def __init__(self, header: gguf.GgufHeader, send: Send) -> None:
        self._sizes = {name: tensor.size_bytes for name, tensor in header.tensors.items()}
        self._total = sum(self._sizes.values())
        self._send = send
        self._current_bytes = self._done_bytes = 0
        self._sent_at = 0.0

    def read_line(self, line: str) -> None:
        found = _TENSOR.match(line)
        if found is None:
            return
        self._done_bytes += self._current_bytes
        self._current_bytes = self._sizes.get(found[1], 0)
        now = time.monotonic()
        if now - self._sent_at >= _REPORT_EVERY_S:
            self._sent_at = now
            with contextlib.suppress(BrokenPipeError):  # no exception may reach native code
                self._send(Progress(self._done_bytes, self._total))


def _set_metadata(api: Any, params: Any, texts: dict[str, str]) -> Any:
    """Set texts as metadata; return an object that must live as long as `params`.

    llama.cpp copies 127 bytes of a text; longer ones are cut between characters.
    """
    if not texts:
        return None
    overrides = (api.llama_model_kv_override * (len(texts) + 1))()  # ends with an empty key
    for override, (key, text) in zip(overrides, texts.items(), strict=False):
        override.tag = api.LLAMA_KV_OVERRIDE_TYPE_STR
        override.key = key.encode("ascii")
        raw = text.encode("utf-8", "replace")[:_TEXT_LIMIT_BYTES]
        override.value.val_str = raw.decode("utf-8", "ignore").encode("utf-8")
    params.kv_overrides = overrides
    return overrides


def _set_imatrix(api: Any, params: Any, path: str) -> Any:
    """Set the importance matrix; return an object that must live as long as `params`."""
    if not path:
        return None
    from app.inference.engine import imatrix

    means = imatrix.read(Path(path))
    data = (api.llama_model_imatrix_data * (len(means) + 1))()  # ends with an empty name
    for entry, (name, values) in zip(data, means.items(), strict=False):
        entry.name = name.encode("utf-8")
        entry.data = values.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        entry.size = values.size
    params.imatrix = data
    return data, means
