"""Pictures of the window with the licences, for `tests.screenshots`."""

import time
from collections.abc import Callable

from app.application import AppContext
from app.compliance.components import Component
from app.compliance.ui.licences_window import LicencesWindow

LONG = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and files. "
SHOWN = (
    Component("Kotae", "0.1.0", "Apache-2.0", "python", "", "", "Apache License\nVersion 2.0, January 2004\n"),
    Component(
        "BIZ UDPGothic",
        "1.051",
        "OFL-1.1",
        "data",
        "https://github.com/googlefonts/morisawa-biz-ud-gothic",
        "Copyright 2022 The BIZ UDGothic Project Authors",
        "This Font Software is licensed under the SIL Open Font License, Version 1.1.",
    ),
    Component(
        "Qt",
        "6.11.3",
        "LGPL-3.0-only",
        "native",
        "https://www.qt.io/",
        "Copyright (C) The Qt Company Ltd. and other contributors",
        "GNU LESSER GENERAL PUBLIC LICENSE\n\nVersion 3, 29 June 2007\n\n" + LONG * 20,
    ),
    Component(
        "Third-party code in Qt",
        "6.11.3",
        "BSD-3-Clause AND BSD-2-Clause AND MIT AND ISC AND Zlib AND FTL AND IJG AND libpng-2.0",
        "native",
        "https://doc.qt.io/qt-6/licenses-used-in-qt.html",
        "Copyright (c) the authors named in the text",
        LONG * 8,
    ),
    Component("Gemma 3 270M (Q4_K_M)", "1.0.0", "LicenseRef-Gemma", "model", "https://ai.google.dev/gemma", "", LONG),
    *(Component(f"part-{n}", f"1.{n}", "MIT", "python", "https://example.invalid/", "", LONG) for n in range(12)),
)


def opened(parts: AppContext) -> LicencesWindow:
    """Its list has come."""
    from tests.screenshots import pause

    window = LicencesWindow(parts.theme, parts.window, lambda: SHOWN)
    window.show()
    end = time.monotonic() + 30
    while not window.name.text() and time.monotonic() < end:
        pause(0.01)
    return window


def choose(window: LicencesWindow, name: str) -> None:
    rows = window.list.model()
    row = next(row for row in range(rows.rowCount()) if rows.index(row, 0).data() == name)
    window.list.setCurrentIndex(rows.index(row, 0))


def licences(parts: AppContext) -> None:
    """The text of one that has a long name and many licences."""
    choose(opened(parts), "Third-party code in Qt")


LICENCES_SHOTS: dict[str, Callable[[AppContext], None]] = {"licences": licences}
