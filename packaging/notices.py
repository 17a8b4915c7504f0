"""Third-party notices for what ships: `python packaging/notices.py FOLDER [TREE]`, in .venv.

Writes FOLDER/components.json.xz, which a bundle's window and command line read, and FOLDER/THIRD_PARTY_NOTICES.txt.
TREE: a PyInstaller folder; then what really lies in it is listed, down to the libraries of the system. Ends with an
error, and writes nothing, where a part has no licence that Kotae may ship, no text, or no name.
"""

import lzma
import re
import sys
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

import bundle_parts
from steps import SetupError

from app import __version__
from app.compliance import components
from app.compliance.components import Component

NOTICES = "THIRD_PARTY_NOTICES.txt"
_RULE = "=" * 78
_TERM = re.compile(r"[()]|[^\s()]+(?:\s+WITH\s+[^\s()]+)?")


def main(arguments: Sequence[str]) -> int:
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        print(__doc__)
        return 2
    try:
        written = write(Path(arguments[0]), Path(arguments[1]) if len(arguments) == 2 else None)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(written)} components: {Path(arguments[0]) / NOTICES}")
    return 0


def write(folder: Path, tree: Path | None) -> tuple[Component, ...]:
    """Both files. `tree` None: of what is installed. Raises SetupError, a line for each problem."""
    listed: Sequence[Component] = components.collect()
    problems: list[str] = []
    if tree is not None:
        shipped, problems = bundle_parts.of_tree(tree, listed)
        listed = components.sort_components([*shipped, bundle_parts.bootloader(metadata.distribution("pyinstaller"))])
    problems += check(listed)
    if problems:
        raise SetupError("\n".join(["これでは配布できません / this must not ship:", *problems]))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / components.LISTED).write_bytes(lzma.compress(components.to_json(listed).encode()))
    (folder / NOTICES).write_text(as_text(listed), "utf-8")
    return tuple(listed)


def check(listed: Iterable[Component]) -> list[str]:
    """What keeps these from shipping: a licence that is not on the list of allowed ones, or no text. A line each."""
    allowed = frozenset(bundle_parts.read_table()["allowed"])
    problems = []
    for each in listed:
        if not is_allowed(each.licence, allowed):
            problems.append(f"{each.name} {each.version}: licence not allowed: {each.licence}")
        if not each.notice.strip():
            problems.append(f"{each.name} {each.version}: no text of its licence ({each.licence})")
    return problems


def is_allowed(expression: str, allowed: frozenset[str]) -> bool:
    """Of an SPDX expression: OR needs one allowed side, AND both; WITH belongs to the identifier before it."""
    words = {"AND": "and", "OR": "or", "(": "(", ")": ")"}  # as Python binds them too
    condition = [words.get(term) or str(" ".join(term.split()) in allowed) for term in _TERM.findall(expression)]
    try:
        return bool(eval(" ".join(condition)))
    except (SyntaxError, TypeError):
        return False


def as_text(listed: Sequence[Component]) -> str:
    """The list, then each text once under the names of all parts that it belongs to."""
    head = [
        f"Kotae {__version__}",
        "Kotae は Apache License 2.0 です（LICENSE）。次の部品を含みます。ライセンスの文面は、この表の後にあります。",
        "Kotae is under the Apache License 2.0 (LICENSE). It contains these parts; their licences follow this list.",
        "",
        *(f"{each.name} {each.version}".strip() + f"  |  {each.licence}  |  {each.homepage}" for each in listed),
    ]
    by_text: dict[str, list[Component]] = {}
    for each in listed:
        by_text.setdefault(each.notice, []).append(each)
    blocks = []
    for notice, owners in by_text.items():
        names = [f"{owner.name} {owner.version}".strip() + f" ({owner.licence})" for owner in owners]
        holders = dict.fromkeys(owner.copyright for owner in owners if owner.copyright)
        blocks.append("\n".join([_RULE, *names, *holders, _RULE, "", notice, ""]))
    return "\n".join([*head, "", *blocks])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
