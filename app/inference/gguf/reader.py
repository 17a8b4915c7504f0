"""Read a GGUF header without weights, and without allocating memory by the sizes that the file claims.

Every number in the file is hostile until compared with the file's size. The format is parsed exactly as llama.cpp does
(ggml/src/gguf.cpp), so that an accepted file has the same meaning in both. Files are read, not mapped: if a mapped file
shrinks or disappears (a USB stick pulled out), the process dies of SIGBUS; a read raises OSError.
"""

import stat
import struct
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.inference.gguf import file_formats, header, tables
from app.inference.gguf.header import GgufArray, GgufHeader, Scalar, TensorInfo

# Limits far above any real file (at most 1,100 tensors per file, 60 keys, 1 M tokens), which prevent endless loops.
MAX_TENSORS = 65_536
MAX_KEYS = 65_536
MAX_STRINGS = 8_000_000  # total of all lists in a file
MAX_TOKENS = 1 << 21  # the largest known vocabulary has 1 M
MAX_ARRAY_ELEMENTS = 1 << 24
MAX_STRING_BYTES = 64 << 20
MAX_KEPT_BYTES = 16 << 20  # all names, texts, values and tokens together; the largest known vocabulary takes 4 MB
VALUE_BYTES = 32  # memory of a number in a list
MAX_KEY_BYTES = 65_535
MAX_TENSOR_NAME_BYTES = 63
MAX_RANK = 4
MAX_ELEMENTS = (1 << 63) - 1
# llama.cpp asserts that the first tensor of a mapped file is at a multiple of 32.
MIN_ALIGNMENT, MAX_ALIGNMENT = 32, 1 << 16

_WINDOW_BYTES = 1 << 20
_STRING, _ARRAY = 8, 9
_SCALARS: dict[int, tuple[str, struct.Struct]] = {
    0: ("u8", struct.Struct("<B")),
    1: ("i8", struct.Struct("<b")),
    2: ("u16", struct.Struct("<H")),
    3: ("i16", struct.Struct("<h")),
    4: ("u32", struct.Struct("<I")),
    5: ("i32", struct.Struct("<i")),
    6: ("f32", struct.Struct("<f")),
    7: ("bool", struct.Struct("<?")),
    10: ("u64", struct.Struct("<Q")),
    11: ("i64", struct.Struct("<q")),
    12: ("f64", struct.Struct("<d")),
}
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


def damaged(where: str, problem: str, **facts: Any) -> NoReturn:
    """Raise AppError("gguf_damaged"). `where`: the key or tensor; `problem`: a short code, for log and details."""
    raise AppError("gguf_damaged", where=printable(where), problem=problem, **facts)


def read_header(path: Path, *, tokens: list[bytes] | None = None) -> GgufHeader:
    """Read the header of one file. With `tokens`, append its vocabulary to that list as bytes (25 ms for 262,144).

    Raises AppError: file_missing, file_is_directory, file_unreadable, file_empty; not_gguf_… (see `file_formats`);
    gguf_old_version, gguf_new_version, gguf_byte_order; truncated, truncated_header, oversized; gguf_damaged;
    gguf_header_large; unknown_tensor_type.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise AppError("file_is_directory", path=str(path))
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its other end
            raise AppError("file_unreadable", path=str(path), reason="not a regular file")
        with open_regular(path) as file:
            return _Parser(file, status.st_size, path, tokens).parse()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise AppError("file_missing", path=str(path)) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise AppError(
            "file_unreadable", path=str(path), reason=getattr(error, "strerror", None) or str(error)
        ) from error


class _Window:
    """Reads the file through a buffer that moves forward. `take` and `skip` raise AppError at its end."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.size = size
        self._start = 0  # offset of the buffer in the file
        self._data = b""
        self._index = 0  # of the next byte, in the buffer
        self.where = "header"  # name of the entry being read, for error messages

    @property
    def position(self) -> int:
        return self._start + self._index

    @property
    def remaining(self) -> int:
        return self.size - self.position

    def _raise_truncated(self, size: int) -> NoReturn:
        """Raise AppError("truncated_header"). A damaged length looks the same as a cut file; the message names both."""
        raise AppError("truncated_header", have_bytes=size, where=printable(self.where))

    def _refill(self, count: int) -> None:
        if count > self.remaining:
            self._raise_truncated(self.size)
        self._start, self._index = self.position, 0
        self._file.seek(self._start)
        self._data = self._file.read(max(count, _WINDOW_BYTES))
        if len(self._data) < count:  # the file has become shorter
            self._raise_truncated(self._start + len(self._data))

    def take(self, count: int) -> bytes:
        if self._index + count > len(self._data):
            self._refill(count)
        start = self._index
        self._index = start + count
        return self._data[start : self._index]

    def unpack(self, form: struct.Struct) -> Any:
        return form.unpack(self.take(form.size))[0]

    def skip(self, count: int) -> None:
        if count > self.remaining:
            self._raise_truncated(self.size)
        self._index += count  # may be beyond the buffer: the next refill starts there

    def skip_strings(self, count: int) -> None:
        """Skip `count` strings in a tight loop (80 ns each), since llama-3's vocabulary and merges have 408,000."""
        length_at = _U64.unpack_from
        while count:
            if self._index + 8 > len(self._data):
                self._refill(8)
            data, index, left = self._data, self._index, count
            try:
                for left in range(count, 0, -1):  # noqa: B007  # read after the loop: how many are left
                    index += 8 + length_at(data, index)[0]
                left = 0
            except (struct.error, OverflowError):
                pass  # the next length is beyond the buffer
            self.skip(index - self._index)
            count = left

    def take_strings(self, count: int, out: list[bytes], most_bytes: int) -> None:
        """Append `count` strings to `out`; stop early after about `most_bytes`, each with its 8-byte length."""
        until = self.position + most_bytes
        length_at, append, needed = _U64.unpack_from, out.append, 8
        while count and self.position <= until:
            self._refill(needed)
            data, index, start, left = self._data, 0, 0, count
            try:
                for left in range(count, 0, -1):  # noqa: B007
                    end = index + 8 + length_at(data, index)[0]
                    append(data[index + 8 : end])
                    start = index
                    index = end
                left = 0
            except (struct.error, OverflowError):
                pass
            needed = 8
            if index > len(data):  # the buffer's end cuts the last string: read it again
                out.pop()
                left += 1
                if start == 0:  # it does not fit at all
                    needed = index
                    if needed > header.MAX_KEPT_TEXT_BYTES:
                        damaged(self.where, "string_too_long", value=needed - 8)
                index = start
            self._index, count = index, left


class _Parser:
    """Parses one file's header, front to back."""

    def __init__(self, file: BinaryIO, size: int, path: Path, tokens: list[bytes] | None) -> None:
        self.window = _Window(file, size)
        self.path = path
        self.tokens = tokens
        self.strings_left = MAX_STRINGS
        self.kept_left = MAX_KEPT_BYTES
        self.metadata: dict[str, Scalar | GgufArray] = {}
        self.types: dict[str, str] = {}

    def parse(self) -> GgufHeader:
        size = self.window.size
        if size == 0:
            raise AppError("file_empty", path=str(self.path))
        head = self.window.take(min(size, file_formats.HEAD_BYTES))
        if not head.startswith(b"GGUF"):
            raise file_formats.not_gguf_error(head, size)
        self.window.skip(4 - len(head))  # back to just after the magic
        version = self._version()
        tensor_count = self._count("tensor count", MAX_TENSORS)
        key_count = self._count("key count", MAX_KEYS)
        for number in range(key_count):
            self._read_pair(number)
        alignment = self._alignment()
        infos = [self._tensor(number) for number in range(tensor_count)]
        data_offset = -(-self.window.position // alignment) * alignment
        tensors = _check_layout(infos, alignment, data_offset, size)
        return GgufHeader(
            path=self.path,
            version=version,
            alignment=alignment,
            metadata=self.metadata,
            types=self.types,
            tensors=tensors,
            data_offset=data_offset,
            file_bytes=size,
        )

    def _version(self) -> int:
        version: int = self.window.unpack(_U32)
        if version and version & 0xFFFF == 0:  # 3 as a big-endian machine writes it
            raise AppError("gguf_byte_order")
        if version == 0 or version > 0xFFFF:
            damaged("version", "unknown_version", value=version)
        if version < 2:
            raise AppError("gguf_old_version", version=version)
        if version > 3:
            raise AppError("gguf_new_version", version=version)
        return version

    def _count(self, where: str, limit: int) -> int:
        count: int = self.window.unpack(_U64)
        if count > limit:
            damaged(where, "count_too_large", value=count)
        return count

    def _name(self, where: str, limit: int) -> str:
        """Read a name. llama.cpp compares names as C strings: surrogateescape keeps bytes distinct, NUL is refused."""
        length: int = self.window.unpack(_U64)
        if length > limit:
            damaged(where, "string_too_long", value=length)
        self._keep(length)
        name = self.window.take(length).decode("utf-8", "surrogateescape")
        if not name or "\0" in name:
            damaged(where, "bad_name")
        return name

    def _keep(self, size_bytes: int) -> None:
        """Count the memory kept so far, since many texts within their own limit could take gigabytes together.

        Raises AppError("gguf_header_large").
        """
        self.kept_left -= size_bytes
        if self.kept_left < 0:
            raise AppError("gguf_header_large", limit_mb=MAX_KEPT_BYTES >> 20)

    # -------------------------------------------------------------- metadata

    def _read_pair(self, number: int) -> None:
        key = self._name(f"key {number}", MAX_KEY_BYTES)
        if key in self.metadata:
            damaged(key, "duplicate_name")
        self.window.where = key
        kind: int = self.window.unpack(_U32)
        if kind == _ARRAY:
            self.metadata[key] = self._array(key)
        elif kind == _STRING:
            self._text(key)
        elif kind in _SCALARS:
            name, form = _SCALARS[kind]
            self.metadata[key] = self.window.unpack(form)
            self.types[key] = name
        else:
            damaged(key, "unknown_value_type", value=kind)

    def _text(self, key: str) -> None:
        length: int = self.window.unpack(_U64)
        if length > MAX_STRING_BYTES:
            damaged(key, "string_too_long", value=length)
        if length > header.MAX_KEPT_TEXT_BYTES:
            self.window.skip(length)
            self.metadata[key] = GgufArray("char", length)
            return
        self._keep(length)
        self.metadata[key] = self.window.take(length).decode("utf-8", "replace")
        self.types[key] = "str"

    def _array(self, key: str) -> GgufArray:
        kind: int = self.window.unpack(_U32)
        count: int = self.window.unpack(_U64)
        if count > MAX_ARRAY_ELEMENTS:
            damaged(key, "count_too_large", value=count)
        if kind == _STRING:
            self._strings(key, count)
            return GgufArray("str", count)
        if kind not in _SCALARS:
            damaged(key, "unknown_value_type", value=kind)
        name, form = _SCALARS[kind]
        if count > header.MAX_KEPT_ARRAY_ELEMENTS:
            position = self.window.position
            self.window.skip(count * form.size)
            return GgufArray(name, count, position=position)
        self._keep(count * VALUE_BYTES)
        raw = self.window.take(count * form.size)
        return GgufArray(name, count, tuple(value for (value,) in form.iter_unpack(raw)))

    def _strings(self, key: str, count: int) -> None:
        self.strings_left -= count
        if self.strings_left < 0 or (key == "tokenizer.ggml.tokens" and count > MAX_TOKENS):
            damaged(key, "count_too_large", value=count)
        if self.tokens is None or key != "tokenizer.ggml.tokens":
            self.window.skip_strings(count)
        else:
            start = self.window.position
            self.window.take_strings(count, self.tokens, self.kept_left + 8 * count)
            self._keep(self.window.position - start - 8 * count)

    def _alignment(self) -> int:
        alignment = self.metadata.get("general.alignment", MIN_ALIGNMENT)
        is_sound = (
            isinstance(alignment, int)
            and self.types.get("general.alignment", "u32") == "u32"
            and MIN_ALIGNMENT <= alignment <= MAX_ALIGNMENT
            and alignment & (alignment - 1) == 0
        )
        if not is_sound:
            damaged("general.alignment", "bad_alignment", value=repr(alignment)[:40])
        assert isinstance(alignment, int)
        return alignment

    # --------------------------------------------------------------- tensors

    def _tensor(self, number: int) -> TensorInfo:
        self.window.where = where = f"tensor {number}"
        name = self._name(where, MAX_TENSOR_NAME_BYTES)
        rank: int = self.window.unpack(_U32)
        if rank > MAX_RANK:
            damaged(name, "too_many_dimensions", value=rank)
        shape = tuple(self.window.unpack(_U64) for _ in range(rank))
        type_number: int = self.window.unpack(_U32)
        offset: int = self.window.unpack(_U64)
        return TensorInfo(name, shape, *_type_and_size(name, shape, type_number, offset))


def _type_and_size(name: str, shape: tuple[int, ...], type_number: int, offset: int) -> tuple[str, int, int]:
    """Return a tensor's type name, offset and size in bytes. Raises AppError for an impossible shape or type."""
    kind = tables.TENSOR_TYPES.get(type_number)
    if kind is None:
        if type_number < 256:  # a newer llama.cpp may know it
            raise AppError("unknown_tensor_type", where=printable(name), type=type_number)
        damaged(name, "unknown_tensor_type", value=type_number)
    elements = 1
    for length in shape:
        if length == 0:
            damaged(name, "empty_dimension")
        elements *= length
        if elements > MAX_ELEMENTS:
            damaged(name, "too_large")
    row = shape[0] if shape else 1
    if row % kind.block_elements:
        damaged(name, "partial_block", value=row)
    return kind.name, offset, elements // kind.block_elements * kind.block_bytes


def _check_layout(infos: list[TensorInfo], alignment: int, data_offset: int, size: int) -> dict[str, TensorInfo]:
    """Return the tensors by name, checking that they follow one another in order, each at a multiple of `alignment`."""
    tensors: dict[str, TensorInfo] = {}
    expected = end = 0
    for tensor in infos:
        if tensor.name in tensors:
            damaged(tensor.name, "duplicate_name")
        if tensor.offset != expected:
            problem = "overlapping" if tensor.offset < expected else "misplaced"
            damaged(tensor.name, problem, value=tensor.offset)
        tensors[tensor.name] = tensor
        end = tensor.offset + tensor.size_bytes
        expected = -(-end // alignment) * alignment
    if infos and data_offset + end > size:
        raise AppError("truncated", have_bytes=size, need_bytes=data_offset + end)
    # llama.cpp would accept a longer file. But a wrongly resumed download is longer than the model, as is a file with a
    # damaged tensor type or count: all of these would load, and answer nonsense.
    if infos and size > data_offset + expected:
        raise AppError("oversized", have_bytes=size, need_bytes=data_offset + expected)
    return tensors


def printable(text: str) -> str:
    """Return a name from a file for an error message: short, one line, without invisible characters."""
    return invisible_characters.to_single_line(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))[:80]
