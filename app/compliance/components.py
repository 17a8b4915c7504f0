"""What Kotae is made of besides its own code: each part with its licence and the text that has to go with it.

From a checkout or a pip install it is gathered from what is installed (`app.compliance.installed_components`). A bundle
has no metadata of distributions any more and carries the list as a file, which `packaging/notices.py` has written.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import __version__
from app.base.paths import resources
from app.inference import engine_packs

KINDS = ("python", "native", "data", "model")


@dataclass(frozen=True, slots=True)
class Component:
    """One part that ships."""

    name: str
    version: str  # "": the part does not tell
    licence: str  # SPDX expression; LicenseRef-… where SPDX has no name for it
    kind: str  # of KINDS
    homepage: str
    copyright: str
    notice: str  # the licence and notice texts, whole
    sha256: str | None = None  # of a part that is one file


def folder() -> Path:
    return resources() / "licences"


def load() -> tuple[Component, ...]:
    """Sorted by name. Half a second where it is gathered, so not in the thread of the window."""
    listed = folder() / "components.json"
    if listed.is_file():
        shipped = read(listed.read_text("utf-8"))
    else:
        from app.compliance import installed_components

        shipped = installed_components.collect()
    return ordered([*shipped, *_packs(shipped)])


def _packs(shipped: Iterable[Component]) -> Iterator[Component]:
    """Parts for graphics cards that were added afterwards: of the engine's source."""
    where, engine = engine_packs.folder_in_use(), find(shipped, "llama.cpp")
    if where is not None and engine is not None:
        for pack in engine_packs.installed(where):
            yield dataclasses.replace(engine, name=f"llama.cpp ({pack.name})", sha256=pack.sha256)


def own() -> Component:
    """Kotae itself."""
    notice = (folder() / "texts" / "Apache-2.0.txt").read_text("utf-8").strip()
    return Component("Kotae", __version__, "Apache-2.0", "python", "", "", notice)


def load_all() -> tuple[Component, ...]:
    """Kotae itself first, then its parts."""
    return own(), *load()


def read(text: str) -> tuple[Component, ...]:
    return tuple(Component(**entry) for entry in json.loads(text)["components"])


def write(components: Iterable[Component]) -> str:
    """The file of a bundle, as `read` takes it."""
    entries = [dataclasses.asdict(component) for component in components]
    return json.dumps({"components": entries}, ensure_ascii=False, indent=1) + "\n"


def ordered(components: Iterable[Component]) -> tuple[Component, ...]:
    return tuple(sorted(components, key=lambda component: (component.name.casefold(), component.version)))


def find(components: Iterable[Component], name: str) -> Component | None:
    """By name, whatever its case, and with - _ . taken for the same, as pip does."""
    return next((component for component in components if key(component.name) == key(name)), None)


def key(name: str) -> str:
    return "-".join(name.casefold().replace("_", " ").replace(".", " ").replace("-", " ").split())


def summary(component: Component) -> dict[str, Any]:
    """All of it but the texts, for lists."""
    facts = dataclasses.asdict(component)
    del facts["notice"]
    return facts
