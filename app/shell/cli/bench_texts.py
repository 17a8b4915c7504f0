"""The Japanese that is measured with: the one reader of `resources/bench.toml`."""

import functools
import tomllib

from app.base.paths import resources


@functools.cache
def texts() -> dict[str, str]:
    return tomllib.loads((resources() / "bench.toml").read_text("utf-8"))
