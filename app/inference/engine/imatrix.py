"""Measure how much each column of a weight matrix matters for a text: the mean square of the inputs it multiplies.

The method is that of llama.cpp's `llama-imatrix` (tools/imatrix): the text is split into pieces of 512 tokens, each
evaluated with an empty cache; for every product W x of a layer, the squares of x are summed by column and divided by
the number of tokens. The quantizer then spends its precision on the columns with high values. Mixtures of experts are
refused: they need a count per expert.
"""

import contextlib
import ctypes
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.inference import gguf
from app.inference.engine.llama import api
from app.inference.engine.model_jobs import Imatrix
from app.inference.engine.native_model import NativeModel

PIECE_TOKENS = 512
MIN_TOKENS = 1024
MAX_PIECES = 100  # 51,200 tokens; more change little, and an 8B model reads 20 a second on two cores
MAX_TEXT_BYTES = 64 << 20
_MUL_MAT, _F32 = 29, 0  # ggml's numbers; a test compares them with the library's header

ColumnMeans = dict[str, npt.NDArray[np.float32]]
Report = Callable[[int, int], None]


class _Tensor(ctypes.Structure):
    """Mirrors the beginning of `struct ggml_tensor` of ggml 0.25 (ggml.h)."""


_Tensor._fields_ = [
    ("type", ctypes.c_int),
    ("buffer", ctypes.c_void_p),
    ("ne", ctypes.c_int64 * 4),
    ("nb", ctypes.c_size_t * 4),
    ("op", ctypes.c_int),
    ("op_params", ctypes.c_int32 * 16),
    ("flags", ctypes.c_int32),
    ("src", ctypes.POINTER(_Tensor) * 10),
    ("view_src", ctypes.c_void_p),
    ("view_offs", ctypes.c_size_t),
    ("data", ctypes.c_void_p),
    ("name", ctypes.c_char * 64),
]


def measure(job: Imatrix, part: Path, report: Report) -> dict[str, Any]:
    """Evaluate a text, and write an importance matrix to `part` (NPZ): the mean squares of each weight's inputs.

    It has a vector for each weight matrix, with a mean for each of its input columns. `report` gets the tokens done and
    the total.

    Raises AppError: the codes of `gguf.check_model`; imatrix_experts, imatrix_text_unreadable, imatrix_text_short,
    model_unreadable, context_failed, decode_failed, imatrix_failed.
    """
    header = gguf.check_model(Path(job.model), every_token=False)
    if header.number("expert_count"):
        raise AppError("imatrix_experts")
    text = read_text(Path(job.text))
    with contextlib.closing(_MeasuredModel(header)) as model:
        model.open()
        tokens = model.tokens_of(text)
        if len(tokens) < MIN_TOKENS:
            raise AppError("imatrix_text_short", tokens=len(tokens), needed=MIN_TOKENS)
        used = model.read(tokens, report)
        means = model.means()
    with part.open("wb") as file:  # a name without .npz is not changed
        np.savez(file, allow_pickle=False, **means)
    return {"tokens": used, "tensors": len(means)}


def read(path: Path) -> ColumnMeans:
    """Read the column means from a file that `measure` has written. Raises AppError("imatrix_failed")."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: np.ascontiguousarray(stored[name], np.float32) for name in stored.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise AppError("imatrix_failed", reason=str(error)) from error


def read_text(path: Path) -> str:
    """Read a UTF-8 file of at most 64 MiB. Raises AppError("imatrix_text_unreadable")."""
    try:
        with open_regular(path) as file:
            raw = file.read(MAX_TEXT_BYTES + 1)
        if len(raw) > MAX_TEXT_BYTES:
            raise AppError("imatrix_text_unreadable", path=str(path), reason=f"> {MAX_TEXT_BYTES >> 20} MiB")
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise AppError("imatrix_text_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise AppError("imatrix_text_unreadable", path=str(path), reason="UTF-8?") from error


class _MeasuredModel(NativeModel):
    """Evaluates a text and sums, for each weight matrix, the squares of the inputs by column."""

    def __init__(self, header: gguf.GgufHeader) -> None:
        super().__init__()
        self._path = str(header.path)
        self._sums: dict[str, npt.NDArray[np.float64]] = {}
        self._counts: dict[str, int] = {}
        self._weights = {name for name, tensor in header.tensors.items() if len(tensor.shape) == 2}
        self._problem: Exception | None = None
        self._callback = api.ggml_backend_sched_eval_callback(self._on_step)  # kept alive: ctypes does not

    def open(self) -> None:
        """Load the model and make the context. Raises AppError: model_unreadable, context_failed."""
        model_params = api.llama_model_default_params()
        model_params.n_gpu_layers = 0  # so that the operands are in memory that can be read here
        model_params.use_extra_bufts = False
        self._load(self._path, model_params)
        params = api.llama_context_default_params()
        params.n_ctx = params.n_batch = params.n_ubatch = PIECE_TOKENS
        params.n_outputs_max = 1
        params.no_perf = True
        params.cb_eval = self._callback
        self._open(params)

    def read(self, tokens: list[int], report: Report) -> int:
        """Evaluate up to 100 pieces spread over the text; return the number of tokens evaluated."""
        first = self.prompt_tokens(())
        length = PIECE_TOKENS - len(first)
        pieces = [first + tokens[at : at + length] for at in range(0, len(tokens) - length + 1, length)]
        chosen = pieces[:: math.ceil(len(pieces) / MAX_PIECES)]
        total = sum(map(len, chosen))
        done = 0
        for piece in chosen:
            report(done, total)
            self._decode(piece)
            done += len(piece)
        report(done, total)
        return done

    def _decode(self, piece: list[int]) -> None:
        self._clear()
        self._adapt_threads()
        batch = (api.llama_token * len(piece))(*piece)
        status = api.llama_decode(self._context, api.llama_batch_get_one(batch, len(piece)))
        if self._problem is not None:
            raise self._problem
        if status != 0:
            raise AppError("decode_failed", status=status)

    def means(self) -> ColumnMeans:
        """Return the mean squares by column. Raises AppError("imatrix_failed") if none or not all are finite."""
        means = {name: (total / self._counts[name]).astype(np.float32) for name, total in self._sums.items()}
        broken = next((name for name, values in means.items() if not np.isfinite(values).all()), None)
        if not means or broken is not None:
            raise AppError("imatrix_failed", reason=f"{broken}: not finite" if broken else "no matrix was seen")
        return means

    def _on_step(self, address: int, asks: bool, _data: Any) -> bool:
        """Handle llama.cpp's callback for one step of the graph.

        llama.cpp calls it twice: with `asks` to learn whether the result is wanted, then with the result, where False
        stops the evaluation.
        """
        try:
            return self._add_input_squares(_Tensor.from_address(address), asks)
        except Exception as error:  # noqa: BLE001  no exception may reach native code; raised after the decode
            self._problem = error
            return False

    def _add_input_squares(self, product: _Tensor, asks: bool) -> bool:
        """Add the squares of a matrix product's inputs to the sums of its weight. Return as for `_on_step`."""
        if product.op != _MUL_MAT or not product.src[0] or not product.src[1]:
            return not asks
        weight, values = product.src[0].contents, product.src[1].contents
        name = weight.name.decode("utf-8", "replace")
        if not name.startswith("blk.") or name not in self._weights or values.type != _F32:
            return not asks
        if asks:
            return True
        seen = _array(values)
        squares = np.einsum("ij,ij->j", seen, seen, dtype=np.float64)
        self._sums[name] = self._sums.get(name, 0.0) + squares
        self._counts[name] = self._counts.get(name, 0) + len(seen)
        return True


def _array(tensor: _Tensor) -> npt.NDArray[np.float32]:
    """Return the tensor's values as [tokens, columns]; a copy only if the rows are not contiguous."""
    lengths, strides = tuple(tensor.ne)[::-1], tuple(tensor.nb)[::-1]
    extent = sum((length - 1) * stride for length, stride in zip(lengths, strides, strict=True)) + 4
    raw = (ctypes.c_char * extent).from_address(tensor.data)
    return np.ndarray(lengths, np.float32, raw, strides=strides).reshape(-1, lengths[-1])
