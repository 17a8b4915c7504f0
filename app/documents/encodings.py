"""Detect the encoding of a text file, Japanese encodings first, which guessers for all languages often miss.

Codecs have Python's names; `ENCODING_NAMES` maps them to the usual names, in the order of a chooser.
"""

import codecs
import re

from app.base.errors import AppError
from app.base.lazy_pattern import lazy_pattern

ENCODING_NAMES: dict[str, str] = {
    "utf-8": "UTF-8",
    "cp932": "Shift_JIS (CP932)",
    "euc_jp": "EUC-JP",
    "iso2022_jp": "ISO-2022-JP (JIS)",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
}
SAMPLE_BYTES = 400_000  # enough to distinguish the encodings

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_JIS_ESCAPE = re.compile(rb"\x1b(?:\$[@B]|\$\(D|\([JI])")
_JAPANESE = lazy_pattern(r"[぀-ヿ、。「」（）ー・　０-９ａ-ｚＡ-Ｚ]")
_HALF_WIDTH = lazy_pattern(r"[｡-ﾟ]")
_HALF_WIDTH_BYTES = re.compile(rb"[\xa1-\xdf]")
_OTHER_BYTES = re.compile(rb"[\x80-\xa0\xe0-\xff]")
_CONTROLS = lazy_pattern(r"[\0-\x08\x0e-\x1f\x7f-\x9f\ufffd\ue000-\uf8ff]")
_EUC_HALF_WIDTH = re.compile(rb"\x8e[\xa1-\xdf]")
_KANA_BYTES = bytes(range(0xA1, 0xE0))  # half-width kana in CP932
_FEWEST_KANA = 8  # smallest number of half-width kana; fewer may be bytes of kanji
_IDEOGRAPHS = lazy_pattern("[\u4e00-\u9fff]")
_FOREIGN = ("cp1252", "gb18030", "big5", "cp949", "cp1251")
_GOOD = 0.35  # score from which text is Japanese; prose has more than half kana, tables of names a third
_STRAY_NULS = 0.01  # share of the bytes: logs of devices have a few, programs and images many more
_UNREADABLE = 0.05  # share of characters that no text contains


def encoding_name(codec: str) -> str:
    """Return the usual name of a codec."""
    return ENCODING_NAMES.get(codec, codec)


def detect(data: bytes) -> str:
    """Return the codec of a text, judged by its first 400,000 bytes; "" if the bytes are not text."""
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return codec
    sample = data[:SAMPLE_BYTES]
    if b"\0" in sample:
        wide = _wide(sample)
        if wide or sample.count(0) > _STRAY_NULS * len(sample):
            return wide
        sample = sample.replace(b"\0", b"")
    if _JIS_ESCAPE.search(sample) and max(sample) < 128:
        return "iso2022_jp"
    if _is_strict(sample, "utf-8"):
        return "utf-8"
    if half_width := _half_width(sample):
        return half_width
    scored = [(_score(sample, codec), codec) for codec in ("cp932", "euc_jp", "utf-8")]
    best, codec = max(scored)
    if best >= _GOOD:
        return codec
    if _is_half_width(sample):
        return "cp932"
    is_bare_cp932 = _is_strict(sample, "cp932") and not _CONTROLS.search(sample.decode("cp932", "replace"))
    return _guess(sample) or (codec if best > 0 else "cp932" if is_bare_cp932 else "")


def decode_as(data: bytes, codec: str) -> str:
    """Decode as `decode`. Raises AppError("document_not_text") for "", AppError("document_encoding_unknown")."""
    if not codec:
        raise AppError("document_not_text")
    try:
        return decode(data, codec)
    except LookupError as error:
        raise AppError("document_encoding_unknown", encoding=codec) from error


def decode(data: bytes, codec: str) -> str:
    """Return the text without byte order mark, with U+FFFD for invalid bytes, and NULs. Raises LookupError."""
    known = codec_of(codec)
    return data.decode(_WIDER.get(known, known), "replace").removeprefix("\ufeff")


def codec_of(name: str) -> str:
    """Return the codec for the name of an encoding. Raises LookupError if it is not one for text."""
    try:
        known = codecs.lookup(name).name
    except ValueError as error:
        raise LookupError(name) from error
    if known in _NO_ENCODINGS:
        raise LookupError(name)
    return _MEANT.get(known, known)


# Declared codec -> codec to use: files declared as Shift_JIS use vendor characters (①, ㈱) everywhere.
_MEANT = {"shift_jis": "cp932", "ascii": "utf-8", "iso8859-1": "cp1252"}
_WIDER = {"iso2022_jp": "iso2022_jp_ext"}  # a superset
# Python's codecs for other purposes; and UTF-7, in which harmless characters encode markup.
_NO_ENCODINGS = frozenset(("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7"))


def _is_strict(sample: bytes, codec: str) -> bool:
    """Whether the bytes decode without an error; the last character of a full sample may be incomplete."""
    try:
        codecs.getincrementaldecoder(codec)().decode(sample, len(sample) < SAMPLE_BYTES)
    except UnicodeDecodeError:
        return False
    return True


def _half_width(sample: bytes) -> str:
    """Return the codec of mostly half-width kana, which guessers take for Cyrillic or kanji, else ""."""
    beyond = sample.translate(None, bytes(range(128)))
    is_euc = _is_strict(sample, "euc_jp")
    if len(beyond) >= _FEWEST_KANA and not beyond.translate(None, _KANA_BYTES) and not is_euc:
        return "cp932"
    pairs = len(_EUC_HALF_WIDTH.findall(sample))
    return "euc_jp" if pairs >= _FEWEST_KANA and 4 * pairs > len(beyond) and is_euc else ""


def _wide(sample: bytes) -> str:
    """Return the UTF-16 codec of a readable text with NULs at even or at odd positions only, else ""."""
    for codec in ("utf-16-le", "utf-16-be"):
        text = sample[: len(sample) // 2 * 2].decode(codec, "replace")
        strange = len(_CONTROLS.findall(text)) / max(1, len(text))
        known = len(re.findall(r"[\t\r\n -~]", text)) + len(_JAPANESE.findall(text)) + len(_IDEOGRAPHS.findall(text))
        if strange < _UNREADABLE and known / max(1, len(text)) > 0.9:
            return codec
    return ""


def _is_half_width(sample: bytes) -> bool:
    """Whether the text is mostly half-width katakana of one byte each, as old machines write them."""
    kana = len(_HALF_WIDTH_BYTES.findall(sample))
    return kana > len(sample) / 2 and not _OTHER_BYTES.search(sample)


def _score(sample: bytes, codec: str) -> float:
    """Return how Japanese the text beyond ASCII is, up to 1 (kanji weigh 0.6); below 0 it is none in this codec."""
    decoder = codecs.getincrementaldecoder(codec)("replace")
    text = decoder.decode(sample, len(sample) < SAMPLE_BYTES)
    if len(_CONTROLS.findall(text)) > _UNREADABLE * len(text):
        return -1.0
    beyond = re.sub(r"[\0-\x7f]", "", text)
    if not beyond:
        return 0.0
    kana = len(_JAPANESE.findall(beyond)) + len(_IDEOGRAPHS.findall(beyond)) * 0.6
    return (kana - len(_HALF_WIDTH.findall(beyond)) * 0.6 - 5 * beyond.count("\ufffd")) / len(beyond)


def _guess(sample: bytes) -> str:
    """Return the codec of a Western, Chinese or Korean text; "" if none fits."""
    from charset_normalizer import from_bytes  # its import takes 0.1 s, which Japanese text does not need

    found = from_bytes(sample[:50_000], cp_isolation=list(_FOREIGN)).best()
    if found is None:
        return ""
    text = sample.decode(found.encoding, "replace")
    return found.encoding if len(_CONTROLS.findall(text)) <= _UNREADABLE * len(text) else ""
