"""Identify a file that is not GGUF by its first bytes, since people save error pages or pick a wrong file."""

import codecs
import re

from app.base.errors import AppError

HEAD_BYTES = 4096

# The first bytes of formats found under a model's name or beside models; specific ones first.
_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "PDF"),
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    (b"Rar!\x1a\x07", "RAR"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x93NUMPY", "NumPy"),
    (b"SQLite format 3\x00", "SQLite"),
    (b"\x7fELF", "ELF"),
    (b"MZ", "Windows EXE"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Microsoft Office 97-2003"),
)
# llama.cpp's formats before GGUF (2023), as little-endian machines wrote them.
_OLD_GGML = (b"lmgg", b"fmgg", b"tjgg", b"algg")
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_WEB_PAGE = re.compile(
    rb"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|script|title)\b", re.IGNORECASE | re.DOTALL
)
_LFS = re.compile(rb"version https://(git-lfs\.github\.com|hawser\.github\.com)/spec/")
_LFS_SIZE = re.compile(rb"^size (\d{1,18})\r?$", re.MULTILINE)


def not_gguf_error(head: bytes, size: int) -> AppError:
    """Return the error for a file that does not begin with "GGUF". `head`: its first 4,096 bytes; `size`: in bytes."""
    if head[:4] in _OLD_GGML:
        return AppError("gguf_old_version", version=0)
    if _LFS.match(head):
        match = _LFS_SIZE.search(head)
        return AppError("not_gguf_lfs", need_bytes=int(match[1]) if match else 0)
    text = _as_text(head)
    if text is not None and _WEB_PAGE.match(text):
        return AppError("not_gguf_html")
    if not head.strip(b"\0"):
        return AppError("not_gguf_zeros", have_bytes=size)
    name = _name_binary_format(head) or _name_text_format(text)
    if name is not None:
        return AppError("not_gguf_format", format=name)
    if text is not None:
        return AppError("not_gguf_text")
    return AppError("not_gguf_unknown")


def _name_binary_format(head: bytes) -> str | None:
    if head.startswith(b"PK\x03\x04"):
        return "PyTorch" if b"data.pkl" in head else "ZIP"
    # safetensors begins with a 64-bit length, then a JSON object.
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= 100 << 20:
        return "safetensors"
    if _PICKLE.match(head):
        return "PyTorch (pickle)"
    if head[257:262] == b"ustar":
        return "tar"
    return next((name for magic, name in _MAGICS if head.startswith(magic)), None)


def _name_text_format(text: bytes | None) -> str | None:
    if text is None:
        return None
    start = text.lstrip()
    if start.startswith(b"<?xml"):
        return "XML"
    return "JSON" if start.startswith((b"{", b"[")) else None


def _as_text(head: bytes) -> bytes | None:
    """Return the head as bytes without byte order mark, converted to UTF-8 from UTF-16; None if it is not text."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "ignore").encode()
    if b"\0" in head:
        return None
    # Error pages of older intranets are in Shift_JIS or EUC-JP.
    return head if any(_decodes(head, encoding) for encoding in ("utf-8", "cp932", "euc_jp")) else None


def _decodes(head: bytes, encoding: str) -> bool:
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)  # a character may be cut off at the end
    except UnicodeDecodeError:
        return False
    return True
