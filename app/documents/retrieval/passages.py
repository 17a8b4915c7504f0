"""Found sections widened to passages: what stands beside them under the same heading, as far as there is room."""

import dataclasses
from collections.abc import Collection, Sequence

from app.documents.library import Library
from app.documents.records import Passage, Section
from app.documents.section_table import SectionTable

LONGEST = 1200  # characters of a passage
REACH = 8  # sections looked at on either side


def widened(library: Library, scored: Sequence[tuple[int, float]], limit: int) -> list[Passage]:
    """Of (section id, score), the best first: `limit` passages, none of which repeats a part of a better one."""
    table = SectionTable(library.database)
    taken: set[int] = set()
    kept: dict[int, list[tuple[int, Section]]] = {}
    for section_id, _ in scored:
        if section_id in taken or len(kept) == limit:
            continue
        near = table.around(section_id, REACH)
        at = next((place for place, row in enumerate(near) if row[0] == section_id), None)
        if at is not None:
            kept[section_id] = _extent(near, at, taken)
            taken.update(row[0] for row in kept[section_id])
    found = table.passages([(section_id, score) for section_id, score in scored if section_id in kept])
    return [joined(passage, [section for _, section in kept[passage.section_id]]) for passage in found]


def _extent(near: Sequence[tuple[int, Section]], at: int, taken: Collection[int]) -> list[tuple[int, Section]]:
    """The sections that belong with the one at `at` and fit beside it, without those that are taken."""
    headings = [section.heading for _, section in near]
    sizes = [
        len(section.text) + len(section.tag) + len(section.heading[-1] if section.heading else "") + 5
        for _, section in near
    ]
    first = last = at
    length = sizes[at]
    is_growing = True
    while is_growing:
        is_growing = False
        for place in (last + 1, first - 1):
            is_there = 0 <= place < len(near) and near[place][0] not in taken
            if is_there and _is_near(headings[place], headings[at]) and length + sizes[place] <= LONGEST:
                length += sizes[place]
                first, last = min(first, place), max(last, place)
                is_growing = True
    return list(near[first : last + 1])


def _is_near(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two headings are the same, or side by side under the same one."""
    common = next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), None)
    if common is None:
        common = min(len(one), len(other))
    return common >= max(1, len(other) - 1) if other else not one


def joined(passage: Passage, parts: Sequence[Section]) -> Passage:
    """One text, with the headings and tags that stand between its parts. Heading, tag and page stay the found one's."""
    lines: list[str] = []
    before: Section | None = None
    for part in parts:
        above = opening(part, before) if len(parts) > 1 else ""
        lines += [above, part.text] if above else [part.text]
        before = part
    section = dataclasses.replace(
        passage.section,
        text="\n".join(lines),
        page_last=max(part.page_last for part in parts),
        boxes=tuple(dict.fromkeys(box for part in parts for box in part.boxes)),
        captions=tuple(dict.fromkeys(caption for part in parts for caption in part.captions)),
    )
    return dataclasses.replace(passage, section=section, parts=tuple(parts))


def opening(part: Section, before: Section | None) -> str:
    """The lines that stood before a part in its document."""
    is_new = before is None or part.heading != before.heading
    lines = [part.heading[-1]] if is_new and part.heading else []
    if part.tag and (is_new or before is None or part.tag != before.tag):
        lines.append(f"＜{part.tag}＞")
    return "\n".join(lines)
