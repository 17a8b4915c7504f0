"""The sources of the product, read and parsed once for all tests that look for something in each of them."""

import ast
import functools
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Source:
    """`path`: relative to the repository, with slashes."""

    path: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @functools.cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))


def sources(*folders: str) -> Iterator[Source]:
    """Yield the modules below `folders` in the order of their names."""
    for folder in folders:
        yield from _below(folder)


@functools.cache
def _below(folder: str) -> tuple[Source, ...]:
    was_collecting = gc.isenabled()
    gc.disable()  # a million nodes, none of them garbage: collections would take four times as long as the parser
    try:
        paths = sorted((ROOT / folder).rglob("*.py"))
        found = tuple(Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8")) for path in paths)
        for source in found:
            source.nodes  # noqa: B018
        gc.freeze()
        return found
    finally:
        if was_collecting:
            gc.enable()
