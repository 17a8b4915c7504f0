"""Render reports as one HTML file that opens anywhere, without a network, a script or a second file.

`resources/report/frame.html` surrounds every page; `report.css` and `plots.css` are embedded. All text is escaped
except `Markup`.
"""

import functools
from typing import Any

import jinja2
from markupsafe import Markup

from app.base import invisible_characters, wording
from app.base.paths import resources


def render(page: str, title: str, **values: Any) -> str:
    """Return the page in the current language.

    `page`: a template of `resources/report`. `title`: says what kind of report it is. Raises jinja2.UndefinedError.
    """
    common = {"language": wording.current_language(), "css": _stylesheet(), "title": title, "phrase": wording.phrase}
    return invisible_characters.remove(_environment().get_template(page).render(**common, **values))


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(resources() / "report")
    options: dict[str, Any] = {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    return jinja2.Environment(loader=loader, autoescape=True, **options)


@functools.cache
def _stylesheet() -> Markup:
    return Markup(_resource("report.css") + _resource("plots.css"))  # noqa: S704  ours


def _resource(name: str) -> str:
    return (resources() / "report" / name).read_text("utf-8")
