"""What a study says beside its tables of systems: sections of a report, made by its kind and drawn by the report."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as they are shown. `notes`: below it."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """`plots`: SVG elements of `app.base.plots`, escaped already. All texts in the language in use."""

    title: str
    sentences: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
