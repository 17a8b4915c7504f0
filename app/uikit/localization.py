"""Set the language of the window, Japanese or English, and format dates, sizes, durations and lists in it."""

import time
from collections.abc import Sequence
from datetime import date, datetime

from PySide6.QtCore import QCoreApplication, QDate, QLibraryInfo, QLocale, QTranslator

from app.base import wording
from app.base.wording import current_language, phrase, qt_words, use_language

_installed: list[QTranslator] = []


def resolve_language(setting: str) -> str:
    """Return "ja" or "en" for a setting; "system" is Japanese also without a language (C, POSIX, unknown)."""
    if setting in ("ja", "en"):
        return setting
    system = QLocale(next(iter(QLocale.system().uiLanguages()), "C")).language()
    return "ja" if system in (QLocale.Language.Japanese, QLocale.Language.C) else "en"


def set_language(app: QCoreApplication, language: str) -> None:
    """Set the language, ja or en, of all texts from now on. Existing widgets do not change."""
    for translator in _installed:
        app.removeTranslator(translator)
    _installed.clear()
    use_language(language)
    if language == "ja":
        QLocale.setDefault(QLocale("ja_JP"))
        _install(app, "qtbase_ja", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
        _add(app, _QtWords(app))
    else:
        # The territory decides how dates are formatted.
        QLocale.setDefault(QLocale(QLocale.Language.English, QLocale.system().territory()))


def join_facts(*parts: str) -> str:
    """Join short texts with a separator on one line; skip empty ones."""
    return ("　" if current_language() == "ja" else " · ").join(part for part in parts if part)


def with_note(text: str, note: str) -> str:
    """Return `text` followed by a note in brackets; `text` alone if the note is ""."""
    if not note:
        return text
    return f"{text}（{note}）" if current_language() == "ja" else f"{text} ({note})"


def format_day(when: date) -> str:
    return _format_date(when, phrase("uikit.mmm_d"))


def format_month(when: date) -> str:
    return _format_date(when, phrase("uikit.mmmm"))


def format_month_and_year(when: date) -> str:
    return _format_date(when, phrase("uikit.mmmm_yyyy"))


def format_date(when: date) -> str:
    return _format_date(when, phrase("uikit.mmm_d_yyyy"))


def format_past_day(time_s: float) -> str:
    """Format the day of a time in seconds since 1970, with the year only if it is another one."""
    when, now = (datetime.fromtimestamp(one).astimezone().date() for one in (time_s, time.time()))
    return format_day(when) if when.year == now.year else format_date(when)


def _format_date(when: date, form: str) -> str:
    """Format a date in the language. `form`: a format of Qt, such as "MMM d"."""
    return QLocale().toString(QDate(when.year, when.month, when.day), form)


class _QtWords(QTranslator):
    """The translator for Japanese texts of Qt that its own catalogue lacks."""

    def isEmpty(self) -> bool:
        return False

    def translate(self, context: str, source: str, _disambiguation: str | None = None, _n: int = -1) -> str | None:
        return qt_words().get(context, {}).get(source)


def _install(app: QCoreApplication, name: str, folder: str) -> None:
    translator = QTranslator(app)
    if translator.load(name, folder):
        _add(app, translator)


def _add(app: QCoreApplication, translator: QTranslator) -> None:
    app.installTranslator(translator)
    _installed.append(translator)


def format_about_time(seconds: float) -> str:
    """Return a forecast duration as text, rounded to minutes, hours or days."""
    minutes = max(1, round(seconds / 60))
    if minutes < 100:
        return phrase("uikit.about_n_min", n=minutes)
    hours = round(minutes / 60)
    if hours < 48:
        return phrase("uikit.about_n_h", n=hours)
    return phrase("uikit.about_n_days", n=f"{round(hours / 24):,}")


def format_gigabytes(size_bytes: int) -> str:
    """Return a size as text in GB (10^9 bytes), or below 50 MB in MB."""
    if size_bytes < 5e7:
        return f"{size_bytes / 1e6:,.1f}\u00a0MB"
    return f"{size_bytes / 1e9:,.1f}\u00a0GB"


def join_sentences(*parts: str) -> str:
    """Join sentences, in English with spaces; skip empty ones."""
    return ("" if wording.current_language() == "ja" else " ").join(part for part in parts if part)


def format_percent(share: float) -> str:
    """Return a share from 0 to 1 as a percentage with at most one decimal."""
    return f"{share * 100:.1f}".removesuffix(".0") + "\u00a0%"


def quality_text(quantization: str) -> str:
    """Return a short description of a GGUF quantization such as "Q4_K_M"; "" for an unknown one."""
    return {
        "Q4_K_M": phrase("uikit.standard_start_with_this"),
        "UD-Q4_K_M": phrase("uikit.standard_start_with_this"),
        "Q5_K_M": phrase("uikit.favours_quality_slightly"),
        "Q6_K": phrase("uikit.favours_quality"),
        "Q8_0": phrase("uikit.almost_like_the_original"),
    }.get(quantization, "")


def is_japanese() -> bool:
    return current_language() == "ja"


def join_names(names: Sequence[str]) -> str:
    return ("、" if is_japanese() else ", ").join(names)


def sending_note(server: str) -> str:
    """Return the note that text is sent to another machine. `server`: its host and port."""
    return phrase("uikit.leaves_this_pc_for_place", place=server)


def make_breakable(path: str) -> str:
    """Insert zero-width spaces after the separators of a path, so that it can wrap."""
    return path.replace("/", "/\u200b").replace("\\", "\\\u200b")
