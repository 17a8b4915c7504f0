"""Render reports as one HTML file that opens anywhere, without a network, a script or a second file.

`resources/report/frame.html` surrounds every page; `report.css` and `plots.css` are embedded. All text is escaped
except `Markup`.
"""

import functools
import tomllib
from typing import Any

import jinja2
from markupsafe import Markup

from app.base import invisible_characters, wording
from app.base.paths import resources


def render(page: str, words: dict[str, str], **values: Any) -> str:
    """Return the page in the current language.

    `page`: a template of `resources/report`. Raises jinja2.UndefinedError.
    """
    common = {"language": wording.current_language(), "css": _stylesheet(), "word": words}
    return invisible_characters.remove(_environment().get_template(page).render(**common, **values))


def load_words(name: str) -> dict[str, str]:
    """Return the texts of a table in `resources/report`, in the current language."""
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
    return Markup(_resource("report.css") + _resource("plots.css"))  # noqa: S704  ours


def _resource(name: str) -> str:
    return (resources() / "report" / name).read_text("utf-8")
