"""List the types in which weights can be stored: names, llama.cpp's numbers and bits per weight."""

from dataclasses import dataclass

from app.base.errors import AppError
from app.inference.gguf import tables


@dataclass(frozen=True, slots=True)
class Quantization:
    """Describes a quantization by its bits per weight in most matrices and in token tables.

    `fallback_bits` applies to rows whose length is no multiple of 256: llama.cpp then uses a type with blocks of 32.
    """

    name: str
    bits: float
    table_bits: float
    fallback_bits: float

    @property
    def file_type(self) -> int:
        """Return the number in llama.cpp's `llama_ftype` and in `general.file_type`."""
        return _NUMBERS[self.name]


_NUMBERS = {name: number for number, name in tables.FILE_TYPES.items()}

# `bits` of mixed types exceeds that of an 8B model, because smaller models have a larger share of the larger type.
QUANTIZATIONS: dict[str, Quantization] = {
    form.name: form
    for form in (
        Quantization("F16", 16, 16, 16),
        Quantization("BF16", 16, 16, 16),
        Quantization("Q8_0", 8.5, 8.5, 16),
        Quantization("Q6_K", 6.5625, 8.5, 8.5),
        Quantization("Q5_K_M", 5.8, 6.5625, 8.5),
        Quantization("Q5_K_S", 5.6, 6.5625, 6),
        Quantization("Q4_K_M", 5.1, 6.5625, 8.5),
        Quantization("Q4_K_S", 4.7, 6.5625, 5.5),
        Quantization("Q4_0", 4.6, 6.5625, 5.5),
        Quantization("IQ4_NL", 4.6, 6.5625, 5.5),
        Quantization("IQ4_XS", 4.4, 6.5625, 5.5),
        Quantization("Q3_K_L", 4.4, 6.5625, 5.5),
        Quantization("Q3_K_M", 4.1, 6.5625, 5.5),
        Quantization("Q3_K_S", 3.6, 6.5625, 4.5),
    )
}


def parse_quantizations(text: str) -> tuple[Quantization, ...]:
    """Return the quantizations in a text such as `Q4_K_M,q5_k_m`, without duplicates.

    Raises AppError("build_unknown_quant").
    """
    wanted = [word.strip().upper() for word in text.split(",") if word.strip()]
    unknown = [word for word in wanted if word not in QUANTIZATIONS]
    if unknown or not wanted:
        raise AppError("build_unknown_quant", wanted=", ".join(unknown) or text, known=", ".join(QUANTIZATIONS))
    return tuple(QUANTIZATIONS[word] for word in dict.fromkeys(wanted))


def estimate_bytes(form: Quantization, matrices: dict[str, tuple[int, int]]) -> int:
    """Estimate the bytes of the weights, rather too high. `matrices`: name -> (rows, columns) as in PyTorch."""
    bits = 0.0
    for name, (rows, columns) in matrices.items():
        is_table = name.endswith(("embed_tokens.weight", "lm_head.weight"))
        each = form.table_bits if is_table else form.bits
        if columns % 256:
            each = max(each, form.fallback_bits)
        bits += rows * columns * each
    return round(bits / 8)
