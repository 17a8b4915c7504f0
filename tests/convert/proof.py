"""The cases of the proof and its table."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    family: str
    tied: bool  # the output matrix is the embedding
    with_adapter: bool = False  # once a family: the matrices that adapters change are the same

    @property
    def name(self) -> str:
        return f"{self.family}-{'tied' if self.tied else 'untied'}"

    def as_plan(self) -> dict[str, Any]:
        """For tiny_hf.py. The weights are random, and others in each case."""
        return {"family": self.family, "tied": self.tied, "with_adapter": self.with_adapter, "seed": CASES.index(self)}


CASES = [
    Case(family, tied, with_adapter=tied == (family == "gemma3"))
    for family in ("llama", "llama-3.1", "qwen2", "qwen3", "gemma3")
    for tied in (True, False)
] + [Case("llama-merges", True), Case("gemma3-spm", True)]

HEADER = "| family | embedding | pre-tokenizer | token ids equal | top-1 | KL | largest difference of merges |"
rows: list[str] = []
