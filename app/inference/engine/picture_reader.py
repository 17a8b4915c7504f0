"""Turn pictures into what a model reads, with libmtmd, llama.cpp's multimodal library.

A picture comes as rows of pixels, because another child has opened the foreign file. In a prompt's list of token ids
it stands as negative numbers, one for each position, made from its pixels: so the cache recognizes a picture that is
asked about again.
"""

import base64
import binascii
import ctypes
import hashlib
import zlib
from typing import Any

from app.base.errors import AppError
from app.inference.engine.generation import Shown
from app.inference.engine.llama import EngineLog, api, load_mtmd
from app.inference.engine.messages import Picture
from app.inference.memory_estimate import PICTURE_TOKENS_MOST

PIXELS_MOST = 16_000_000
_LONGEST = 200  # times as long as wide, the limit of Qwen2-VL's own preprocessing too


class PictureReader:
    """Holds the loaded projector of one model. `close` frees it."""

    def __init__(self, path: str, model: Any, threads: int, *, use_gpu: bool) -> None:
        """Load a projector that `gguf.check_projector` has accepted.

        Raises AppError: pictures_not_built, projector_unusable.
        """
        self._mtmd = mtmd = load_mtmd()
        if mtmd is None:
            raise AppError("pictures_not_built")
        mtmd.mtmd_helper_log_set(EngineLog.callback, None)
        params = mtmd.mtmd_context_params_default()
        params.use_gpu, params.n_threads, params.print_timings = use_gpu, threads, False
        params.image_max_tokens = PICTURE_TOKENS_MOST
        self._context = mtmd.mtmd_init_from_file(path.encode("utf-8"), model, params) or None
        self._chunks: list[Any] = []
        if self._context is None or not mtmd.mtmd_support_vision(self._context):
            self.close()
            raise AppError("projector_unusable", path=path)

    def close(self) -> None:
        self.forget()
        if self._context is not None:
            self._mtmd.mtmd_free(self._context)
        self._context = None

    def forget(self) -> None:
        """Free what `read` has returned."""
        for chunks in self._chunks:
            self._mtmd.mtmd_input_chunks_free(chunks)
        self._chunks.clear()

    def read(self, picture: Picture) -> list[list[int] | Shown]:
        """Return the tokens that announce a picture and its parts, in order. Raises AppError("picture_unusable")."""
        mtmd, pixels = self._mtmd, _pixels(picture)
        data = (ctypes.c_uint8 * len(pixels)).from_buffer_copy(pixels)
        bitmap, chunks = mtmd.mtmd_bitmap_init(picture.width, picture.height, data), mtmd.mtmd_input_chunks_init()
        self._chunks.append(chunks)
        part = mtmd.mtmd_input_part(None, bitmap)
        parts = (ctypes.POINTER(mtmd.mtmd_input_part) * 1)(ctypes.pointer(part))
        status = mtmd.mtmd_tokenize_from_parts(self._context, chunks, parts, 1, False)
        mtmd.mtmd_bitmap_free(bitmap)
        if status != 0:
            raise AppError("picture_unusable")
        digest = int.from_bytes(hashlib.sha256(pixels).digest()[:4], "big") + 1
        found: list[list[int] | Shown] = []
        shown = 0
        for index in range(mtmd.mtmd_input_chunks_size(chunks)):
            chunk = mtmd.mtmd_input_chunks_get(chunks, index)
            tokens = mtmd.mtmd_input_chunk_get_n_tokens(chunk)
            if mtmd.mtmd_input_chunk_get_type(chunk) == mtmd.MTMD_INPUT_CHUNK_TYPE_TEXT:
                found.append(mtmd.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(ctypes.c_size_t()))[:tokens])
                continue
            positions = mtmd.mtmd_input_chunk_get_n_pos(chunk)
            ids = [-(digest << 24 | number) for number in range(shown, shown + positions)]
            shown += positions
            found.append(Shown(chunk, ids, tokens))
        return found

    def evaluate(self, shown: Shown, context: Any, at: int, sequence: int, batch_tokens: int) -> int:
        """Evaluate a part of a picture from a position of a sequence; return what llama_decode does."""
        end = api.llama_pos(at)
        return int(
            self._mtmd.mtmd_helper_eval_chunk_single(
                self._context, context, shown.chunk, at, sequence, batch_tokens, False, ctypes.byref(end)
            )
        )


def _pixels(picture: Picture) -> bytes:
    """Return the rows of a picture, 3 bytes a pixel. Raises AppError("picture_unusable") if its size is another."""
    count = 3 * picture.width * picture.height
    short, long = sorted((picture.width, picture.height))
    if short < 1 or long > _LONGEST * short or count > 3 * PIXELS_MOST:
        raise AppError("picture_unusable")
    try:
        rows = zlib.decompressobj().decompress(base64.b64decode(picture.rgb, validate=True), count + 1)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise AppError("picture_unusable") from error
    if len(rows) != count:
        raise AppError("picture_unusable")
    return rows
