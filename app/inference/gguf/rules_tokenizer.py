"""Rules for the tokenizer in a model's header, and for every text of its vocabulary."""

from app.base.errors import AppError
from app.inference.gguf import tables
from app.inference.gguf.header import GgufHeader
from app.inference.gguf.reader import MAX_TOKENS, damaged, printable

_TOKENS = "tokenizer.ggml.tokens"


def check(header: GgufHeader) -> None:
    """Known kinds, and lists that fit each other in type and length."""
    model = header.text("tokenizer.ggml.model")
    if model is None:
        damaged("tokenizer.ggml.model", "missing")
    if model not in tables.TOKENIZERS:
        raise AppError("unknown_tokenizer", tokenizer=printable(model))
    pre = header.metadata.get("tokenizer.ggml.pre", "")
    if model in tables.BPE_TOKENIZERS - {"gemma4"} and pre not in tables.PRE_TOKENIZERS | {""}:
        raise AppError("unknown_tokenizer", tokenizer=printable(str(pre)))
    tokens = header.array(_TOKENS)
    if tokens is None or tokens.element_type != "str":
        damaged(_TOKENS, "missing" if tokens is None else "wrong_type")
    if not 1 <= tokens.length <= MAX_TOKENS:
        damaged(_TOKENS, "out_of_range", value=tokens.length)
    _check_list(header, "scores", ("f32", "i32"), tokens.length)
    _check_list(header, "token_type", ("i32",), tokens.length)
    if model in tables.BPE_TOKENIZERS and pre != "kimi-k2":
        _check_list(header, "merges", ("str",), 0, required=True)


def _check_list(header: GgufHeader, name: str, types: tuple[str, ...], length: int, *, required: bool = False) -> None:
    key = f"tokenizer.ggml.{name}"
    if key not in header.metadata:
        if required:
            damaged(key, "missing")
        return
    array = header.array(key)
    if array is None or array.element_type not in types:
        damaged(key, "wrong_type")
    if array.length < length:
        damaged(key, "inconsistent", value=array.length)


def check_texts(header: GgufHeader, tokens: list[bytes]) -> None:
    """No text twice (llama.cpp asserts it), and a token for each byte where unknown characters are spelt in bytes."""
    if b"\0" in b"".join(tokens):  # llama.cpp reads them as C strings
        tokens = [token.split(b"\0", 1)[0] for token in tokens]
    distinct = set(tokens)
    empty = tokens.count(b"") if b"" in distinct else 0  # llama.cpp gives these names of their own
    if len(distinct) - bool(empty) != len(tokens) - empty:
        damaged(_TOKENS, "duplicate_name")
    if header.text("tokenizer.ggml.model") == "llama":
        for byte in range(256):
            if b"<0x%02X>" % byte not in distinct and bytes((byte,)) not in distinct:
                damaged(_TOKENS, "byte_token_missing", value=byte)
