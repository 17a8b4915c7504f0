"""The list of parts as CycloneDX 1.6 (JSON), which inventories of software and departments of security read.

https://cyclonedx.org/docs/1.6/json/. The only dependency told is that of Kotae on each part: which part needs which
other is not kept in the list.
"""

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from app.compliance.components import Component

_TYPES = {"python": "library", "native": "library", "data": "data", "model": "machine-learning-model"}
_COMPOUND = re.compile(r"\s(AND|OR|WITH)\s")


def cyclonedx(components: Sequence[Component], version: str, made_at: datetime) -> dict[str, Any]:
    """`version`: Kotae's own. The same arguments give the same document, its serial number included."""
    stamp = made_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    parts = [_part(component) for component in components]
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


def _part(component: Component) -> dict[str, Any]:
    """One entry. What a part does not tell is left out, not made up."""
    part: dict[str, Any] = {
        "type": _TYPES[component.kind],
        "bom-ref": purl(component),
        "name": component.name,
        "licenses": [_licence(component.licence)],
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
    """https://github.com/package-url/purl-spec: names of PyPI are in small letters with -, all else is generic."""
    if component.kind == "python" and " " not in component.name:
        kind, name = "pypi", re.sub(r"[-_.]+", "-", component.name).lower()
    else:
        kind, name = "generic", re.sub(r"[^a-z0-9.+]+", "-", component.name.lower()).strip("-")
    at = f"@{quote(component.version)}" if component.version else ""
    return f"pkg:{kind}/{quote(name)}{at}"


def _licence(expression: str) -> dict[str, Any]:
    if _COMPOUND.search(expression):
        return {"expression": expression}
    if expression.startswith("LicenseRef-"):
        return {"license": {"name": expression.removeprefix("LicenseRef-")}}
    return {"license": {"id": expression}}
