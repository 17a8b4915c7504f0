"""List the components that Kotae ships, with their licences and notices, and export them as CycloneDX.

The list comes from the metadata of installed distributions and from `resources/licences/components.toml`, which has
what pip does not list and licences without SPDX; in a bundle from a packed file that `packaging/notices.py` wrote.
CycloneDX 1.6 (JSON, https://cyclonedx.org/docs/1.6/json/) is a format for inventories; dependencies are Kotae's only.
"""

import dataclasses
import json
import lzma
import platform
import re
import sys
import tomllib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from importlib.metadata import Distribution, PackageMetadata, PackagePath
from pathlib import Path
from typing import Any
from urllib.parse import quote

from app import __version__
from app.base.files.input_file import sha256_of
from app.base.paths import resources
from app.inference import engine_packs

KINDS = ("python", "native", "data", "model")
ROOT = "kotae"
LISTED = "components.json.xz"  # in a bundle; its texts stand in THIRD_PARTY_NOTICES.txt as well
EXTRAS = ("starter", "keyring", "serve")  # extras for users; those for developers are not shipped
UNKNOWN = "LicenseRef-Unknown"
SEPARATOR = "\n\n" + "-" * 76 + "\n\n"
_LICENCE_FILE = re.compile(r"(licen[cs]e|copying|notice|authors|copyright)", re.IGNORECASE)
_NO_TEXT = (".py", ".pyc", ".pyi", ".so", ".svg", ".json")
_CLASSIFIERS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_LOOSE = {"Apache 2.0": "Apache-2.0", "PSFL": "PSF-2.0"}
_COPYRIGHT = re.compile(r"^\W*(copyright\b.*\d{4}.*|\(c\).*\d{4}.*|©.*)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Component:
    """One component that is shipped with Kotae."""

    name: str
    version: str  # "": unknown
    licence: str  # an SPDX expression; LicenseRef-… if SPDX has no name for it
    kind: str  # one of KINDS
    homepage: str
    copyright: str
    notice: str  # the complete licence and notice texts
    sha256: str | None = None  # in hexadecimal, for a component that is one file


def folder() -> Path:
    return resources() / "licences"


def load() -> tuple[Component, ...]:
    """Return the components sorted by name. This takes half a second: do not call it in the window's thread."""
    listed = folder() / LISTED
    shipped = from_json(lzma.decompress(listed.read_bytes()).decode()) if listed.is_file() else collect()
    where, engine = engine_packs.folder_in_use(), find(shipped, "llama.cpp")
    # The GPU packs that the user has added have the licence of the engine.
    packs = [
        dataclasses.replace(engine, name=f"llama.cpp ({pack.name})", sha256=pack.files[-1].sha256)
        for pack in (engine_packs.installed(where) if where is not None else ())
        if engine is not None
    ]
    return sort_components([*shipped, *packs])


def load_all() -> tuple[Component, ...]:
    """Return Kotae itself, then its components."""
    notice = (folder() / "texts" / "Apache-2.0.txt").read_text("utf-8").strip()
    return Component("Kotae", __version__, "Apache-2.0", "python", "", "", notice), *load()


def from_json(text: str) -> tuple[Component, ...]:
    """Return the components in JSON text that `to_json` has returned."""
    return tuple(Component(**entry) for entry in json.loads(text)["components"])


def to_json(components: Iterable[Component]) -> str:
    """Return the components as JSON for the file of a bundle; `from_json` parses it."""
    entries = [dataclasses.asdict(component) for component in components]
    return json.dumps({"components": entries}, ensure_ascii=False, indent=1) + "\n"


def sort_components(components: Iterable[Component]) -> tuple[Component, ...]:
    return tuple(sorted(components, key=lambda component: (component.name.casefold(), component.version)))


def find(components: Iterable[Component], name: str) -> Component | None:
    """Return the component with this name, compared by `comparable_name`; None if there is none."""
    return next(
        (component for component in components if comparable_name(component.name) == comparable_name(name)), None
    )


def comparable_name(name: str) -> str:
    """Return a name in lower case with - for each _ . - and space, to compare names as pip does."""
    return "-".join(name.casefold().replace("_", " ").replace(".", " ").replace("-", " ").split())


def summary(component: Component) -> dict[str, Any]:
    """Return the fields of a component without the licence texts, for lists."""
    facts = dataclasses.asdict(component)
    del facts["notice"]
    return facts


def collect() -> tuple[Component, ...]:
    """Return all installed components that Kotae needs, sorted; in a bundle only those of `read_table`."""
    table = read_table()
    distributions = closure(ROOT)
    parts = [
        *(distribution_component(each, table) for each in distributions.values()),
        *table_components(table, distributions),
    ]
    return sort_components(component for component in parts if component is not None)


def read_table() -> dict[str, Any]:
    """Return the table of components that pip does not list, and of licences that metadata lacks."""
    return tomllib.loads((folder() / "components.toml").read_text("utf-8"))


def closure(name: str) -> dict[str, Distribution]:
    """Return the installed distributions that `name` requires, directly or not, by normalized name, without itself."""
    from packaging.utils import canonicalize_name

    distributions: dict[str, Distribution] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(name, EXTRAS)]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        required, extras = waiting.pop()
        normalized = canonicalize_name(required)
        if (normalized, extras) in seen:
            continue
        seen.add((normalized, extras))
        try:
            distribution = metadata.distribution(required)
        except metadata.PackageNotFoundError:  # it belongs to an extra that is not installed
            continue
        distributions[normalized] = distribution
        waiting += _requirements(distribution, extras)
    distributions.pop(canonicalize_name(name), None)
    return distributions


def _requirements(distribution: Distribution, extras: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    from packaging.requirements import Requirement

    for line in distribution.requires or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement.name, tuple(sorted(requirement.extras))


def distribution_component(distribution: Distribution, table: dict[str, Any]) -> Component | None:
    """Return the component of a distribution; None if the table marks it as part of another component (`part_of`)."""
    from packaging.utils import canonicalize_name

    facts, files = distribution.metadata, distribution.files or ()  # each access reads them anew
    name = facts["Name"]
    known = table["distribution"].get(canonicalize_name(name), {})
    if "part_of" in known:
        return None
    licence = known.get("licence") or licence_of(facts)
    texts = [_text(file) for file in known.get("texts", ())]
    texts += licence_texts(files, without=known.get("without", ())) + crates(files)
    notice = join_texts(texts)
    author = metadata_field(facts, "Author") or metadata_field(facts, "Author-email")
    holder = known.get("copyright") or _copyright(notice) or (f"Copyright (c) {author}" if author else "")
    if not texts:
        notice = make_fallback_notice(licence, holder)
    return Component(name, facts["Version"], licence, "python", homepage(facts), holder, notice)


def metadata_field(facts: PackageMetadata, field: str) -> str:
    """Return a field of a distribution's metadata; "" if it is missing."""
    return facts[field].strip() if field in facts else ""


def licence_of(facts: PackageMetadata) -> str:
    """Return the licence as an SPDX expression, by License-Expression, License or a clear classifier, or UNKNOWN."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    for expression in (metadata_field(facts, "License-Expression"), metadata_field(facts, "License")):
        if not expression:
            continue
        try:
            return str(canonicalize_license_expression(_LOOSE.get(expression, expression)))
        except InvalidLicenseExpression:
            continue
    classifiers = (line.rpartition(" :: ")[2] for line in facts.get_all("Classifier") or () if "License ::" in line)
    return next((_CLASSIFIERS[name] for name in classifiers if name in _CLASSIFIERS), UNKNOWN)


def licence_texts(files: Iterable[PackagePath], under: str = "", without: Iterable[str] = ()) -> list[str]:
    """Return the texts of licence files, each once, whose path contains `under` and none of `without`."""
    texts: list[str] = []
    for file in sorted(files, key=str):
        path = str(file).replace("\\", "/")
        if not _is_licence(path) or under not in path or any(part in path for part in without):
            continue
        try:
            text = Path(str(file.locate())).read_text("utf-8", errors="replace").strip()
        except OSError:  # the metadata lists it, but a packager has removed it
            continue
        if text and text not in texts:
            texts.append(text)
    return texts


def _is_licence(path: str) -> bool:
    inside = ".dist-info/licenses/" in path
    return (inside or bool(_LICENCE_FILE.search(path.rpartition("/")[2]))) and not path.endswith(_NO_TEXT)


def crates(files: Iterable[PackagePath]) -> list[str]:
    """Return one text with the Rust crates in a wheel, by the CycloneDX in its metadata (PEP 770), or []."""
    lines: list[str] = []
    for file in files:
        if ".dist-info/sboms/" in str(file).replace("\\", "/") and str(file).endswith(".json"):
            bill = json.loads(Path(str(file.locate())).read_text("utf-8"))
            parts = bill.get("components", ())
            lines += [f"{part['name']} {part.get('version', '')}  {_named_licences(part)}" for part in parts]
    return ["Compiled into it:\n" + "\n".join(sorted(set(lines)))] if lines else []


def _named_licences(part: dict[str, Any]) -> str:
    choices = part.get("licenses", ())
    named = (each.get("expression") or each.get("license", {}).get("id") or "" for each in choices)
    return " / ".join(filter(None, named))


def homepage(facts: PackageMetadata) -> str:
    links = [line.partition(", ") for line in facts.get_all("Project-URL") or ()]
    by_label = {label.strip().casefold(): address.strip() for label, _, address in links}
    known = (by_label.get(label) for label in ("homepage", "home", "source", "repository", "documentation"))
    return metadata_field(facts, "Home-page") or next(filter(None, known), f"https://pypi.org/project/{facts['Name']}/")


def make_fallback_notice(licence: str, holder: str) -> str:
    """Return a copyright line and the texts of an SPDX expression, for a distribution without licence files."""
    names = [name for name in re.split(r"\s+(?:AND|OR|WITH)\s+|[()]", licence) if name]
    texts = [_text(f"texts/{name}.txt") for name in names if (folder() / f"texts/{name}.txt").is_file()]
    return join_texts([holder, *texts])


def table_components(table: dict[str, Any], distributions: dict[str, Distribution]) -> Iterator[Component]:
    """Yield the components of the table that apply to this platform and installation."""
    from packaging.utils import canonicalize_name

    for entry in table["component"]:
        owner = distributions.get(canonicalize_name(entry["in"])) if "in" in entry else None
        if ("in" in entry and owner is None) or sys.platform not in entry.get("platforms", [sys.platform]):
            continue
        texts = [_text(file) for file in entry.get("texts", ())]
        if "from_distribution" in entry and owner is not None:
            texts += licence_texts(owner.files or (), entry["from_distribution"], entry.get("without", ()))
        yield Component(
            entry["name"],
            _version(entry, owner),
            entry["licence"],
            entry["kind"],
            entry["homepage"],
            entry["copyright"],
            join_texts(texts),
            entry.get("sha256") or (sha256_of(resources() / entry["file"]) if "file" in entry else None),
        )


def _version(entry: dict[str, Any], owner: Distribution | None) -> str:
    stated = str(entry.get("version", ""))
    if stated in ("python", "kotae"):
        return platform.python_version() if stated == "python" else __version__
    if stated == "distribution" and owner is not None:
        return owner.version
    if owner is None or "version_from" not in entry:
        return stated
    rule = entry["version_from"]
    for path in sorted(Path(str(owner.locate_file(""))).glob(rule["file"])):
        match = re.search(rule["pattern"], path.read_text("utf-8") if rule.get("inside") else path.name)
        if match:
            return match[1]
    return ""


def _text(file: str) -> str:
    return (folder() / file).read_text("utf-8").strip()


def join_texts(texts: Iterable[str]) -> str:
    return SEPARATOR.join(text for text in texts if text)


def _copyright(notice: str) -> str:
    """Return the first copyright line without a placeholder such as <copyright holders>; "" for none."""
    lines = (match[1].strip() for match in _COPYRIGHT.finditer(notice))
    return next((line for line in lines if not re.search(r"[<\[].*(owner|holder|fullname|author)", line)), "")


_TYPES = {"python": "library", "native": "library", "data": "data", "model": "machine-learning-model"}
_COMPOUND = re.compile(r"\s(AND|OR|WITH)\s")


def make_cyclonedx(components: Sequence[Component], version: str, made_at: datetime) -> dict[str, Any]:
    """Return a CycloneDX document as JSON, equal for equal arguments. `version`: Kotae's own."""
    stamp = made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    parts = [_cyclonedx_component(component) for component in components]
    references = [part["bom-ref"] for part in parts]
    root = f"pkg:generic/kotae@{quote(version)}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, ' '.join([root, stamp, *references]))}",
        "version": 1,
        "metadata": {
            "timestamp": stamp,
            "tools": {"components": [{"type": "application", "name": "kotae", "version": version}]},
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "kotae",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
                "purl": root,
            },
        },
        "components": parts,
        "dependencies": [{"ref": root, "dependsOn": references}],
    }


def _cyclonedx_component(component: Component) -> dict[str, Any]:
    """Return a component as an entry of the CycloneDX field `components`; a field without a known value is omitted."""
    part: dict[str, Any] = {
        "type": _TYPES[component.kind],
        "bom-ref": purl(component),
        "name": component.name,
        "licenses": [_cyclonedx_licence(component.licence)],
        "purl": purl(component),
    }
    if component.version:
        part["version"] = component.version
    if component.copyright:
        part["copyright"] = component.copyright
    if component.sha256:
        part["hashes"] = [{"alg": "SHA-256", "content": component.sha256}]
    if component.homepage.startswith(("http://", "https://")):
        part["externalReferences"] = [{"type": "website", "url": component.homepage}]
    return part


def purl(component: Component) -> str:
    """Return a component's package URL (https://github.com/package-url/purl-spec): pkg:pypi/… or pkg:generic/…."""
    if component.kind == "python" and " " not in component.name:
        kind, name = "pypi", re.sub(r"[-_.]+", "-", component.name).lower()
    else:
        kind, name = "generic", re.sub(r"[^a-z0-9.+]+", "-", component.name.lower()).strip("-")
    at = f"@{quote(component.version)}" if component.version else ""
    return f"pkg:{kind}/{quote(name)}{at}"


def _cyclonedx_licence(expression: str) -> dict[str, Any]:
    """Return an SPDX expression as an entry of the CycloneDX field `licenses`."""
    if _COMPOUND.search(expression):
        return {"expression": expression}
    if expression.startswith("LicenseRef-"):
        return {"license": {"name": expression.removeprefix("LicenseRef-")}}
    return {"license": {"id": expression}}
