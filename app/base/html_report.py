"""Reports as one file that opens anywhere, without a network, a script or a second file: what all of them share.

`resources/report/frame.html` is around every page, `report.css` is in it. All text is escaped but what is `Markup`.
"""

import functools
import tomllib
from typing import Any

import jinja2
from markupsafe import Markup

from app.base import invisible_characters, wording
from app.base.paths import resources


def render(page: str, words: dict[str, str], **values: Any) -> str:
    """`page`: a template of `resources/report`. In the language in use. Raises jinja2.UndefinedError."""
    told = {"language": wording.current_language(), "css": _stylesheet(), "word": words}
    return invisible_characters.remove(_environment().get_template(page).render(**told, **values))


def load_words(name: str) -> dict[str, str]:
    """Of a table of words in `resources/report`, in the language in use."""
    return _words(name, wording.current_language())


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(resources() / "report")
    options: dict[str, Any] = {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    return jinja2.Environment(loader=loader, autoescape=True, **options)


@functools.cache
def _words(name: str, language: str) -> dict[str, str]:
    return {key: pair[language] for key, pair in tomllib.loads(_resource(name)).items()}


@functools.cache
def _stylesheet() -> Markup:
    return Markup(_resource("report.css"))  # noqa: S704  ours


def _resource(name: str) -> str:
    return (resources() / "report" / name).read_text("utf-8")
