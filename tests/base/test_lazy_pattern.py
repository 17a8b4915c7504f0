"""A pattern is compiled at its first use, behaves like any other, and each of the program is a valid one."""

import pkgutil
import re
from importlib import import_module

import pytest

import app.documents
from app.base.lazy_pattern import _LazyPattern, lazy_pattern


def test_a_pattern_is_compiled_at_its_first_use_and_has_the_results_of_re() -> None:
    broken = lazy_pattern("(")  # tells nothing before its first use
    found = lazy_pattern(r"(?P<name>[a-z]+)", re.IGNORECASE)
    assert found.pattern == r"(?P<name>[a-z]+)"
    assert [one["name"] for one in found.finditer("Ab 1 c")] == ["Ab", "c"]
    assert found.sub("-", "Ab 1 c", count=1) == "- 1 c"
    assert (found.groups, dict(found.groupindex)) == (1, {"name": 1})
    assert found.match("1") is None
    with pytest.raises(re.error):
        broken.search("x")


def test_each_pattern_of_the_program_is_valid() -> None:
    names = [one.name for one in pkgutil.walk_packages(app.documents.__path__, "app.documents.")]
    modules = [import_module(name) for name in [*names, "app.base.search_text", "app.base.invisible_characters"]]
    patterns = {
        (module.__name__, name): value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, _LazyPattern)
    }
    assert len(patterns) > 200
    for where, pattern in patterns.items():
        assert re.compile(pattern.pattern, pattern.flags).pattern, where
