"""Render reports as one HTML file without network or script. The templates extend `frame.html`; all text is escaped."""

import functools
from typing import Any

import jinja2
from markupsafe import Markup

from app.base import invisible_characters, wording
from app.base.paths import resources


def render(page: str, title: str, **values: Any) -> str:
    """Return a report in the current language from a template in `resources/report` with its variables `values`."""
    common = {"language": wording.current_language(), "css": _stylesheet(), "title": title, "phrase": wording.phrase}
    return invisible_characters.remove(_environment().get_template(page).render(**common, **values))


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(resources() / "report")
    options: dict[str, Any] = {"undefined": jinja2.StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    return jinja2.Environment(loader=loader, autoescape=True, **options)


@functools.cache
def _stylesheet() -> Markup:
    names = ("report.css", "plots.css")
    return Markup("".join((resources() / "report" / name).read_text("utf-8") for name in names))  # noqa: S704  ours
