"""The forms in which weights can be stored: their names, llama.cpp's numbers and how much room they take."""

from dataclasses import dataclass

from app.base.errors import AppError
from app.inference.gguf import tables


@dataclass(frozen=True, slots=True)
class Form:
    """Bits a weight (ggml's block sizes): of most matrices, of the tables of tokens, and of rows that do not fit.

    Blocks of 256 weights do not divide every row; llama.cpp then takes a type with blocks of 32.
    """

    name: str
    bits: float
    table_bits: float
    fallback_bits: float

    @property
    def file_type(self) -> int:
        """llama.cpp's `llama_ftype`, which is also `general.file_type`."""
        return _NUMBERS[self.name]


_NUMBERS = {name: number for number, name in tables.FILE_TYPES.items()}

# `bits` of the mixed forms lie above what an 8B model takes, because smaller ones have more of the dearer type.
FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        Form("F16", 16, 16, 16),
        Form("BF16", 16, 16, 16),
        Form("Q8_0", 8.5, 8.5, 16),
        Form("Q6_K", 6.5625, 8.5, 8.5),
        Form("Q5_K_M", 5.8, 6.5625, 8.5),
        Form("Q5_K_S", 5.6, 6.5625, 6),
        Form("Q4_K_M", 5.1, 6.5625, 8.5),
        Form("Q4_K_S", 4.7, 6.5625, 5.5),
        Form("Q4_0", 4.6, 6.5625, 5.5),
        Form("IQ4_NL", 4.6, 6.5625, 5.5),
        Form("IQ4_XS", 4.4, 6.5625, 5.5),
        Form("Q3_K_L", 4.4, 6.5625, 5.5),
        Form("Q3_K_M", 4.1, 6.5625, 5.5),
        Form("Q3_K_S", 3.6, 6.5625, 4.5),
    )
}


def named(text: str) -> tuple[Form, ...]:
    """`Q4_K_M,q5_k_m` -> their forms, each once. Raises AppError("build_unknown_quant")."""
    wanted = [word.strip().upper() for word in text.split(",") if word.strip()]
    unknown = [word for word in wanted if word not in FORMS]
    if unknown or not wanted:
        raise AppError("build_unknown_quant", wanted=", ".join(unknown) or text, known=", ".join(FORMS))
    return tuple(FORMS[word] for word in dict.fromkeys(wanted))


def estimated_bytes(form: Form, matrices: dict[str, tuple[int, int]]) -> int:
    """About what the weights take, rather too much than too little. `matrices`: name -> (rows, columns), PyTorch's."""
    bits = 0.0
    for name, (rows, columns) in matrices.items():
        is_table = name.endswith(("embed_tokens.weight", "lm_head.weight"))
        each = form.table_bits if is_table else form.bits
        if columns % 256:
            each = max(each, form.fallback_bits)
        bits += rows * columns * each
    return round(bits / 8)
