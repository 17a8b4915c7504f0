"""The language of the window: Japanese or English.

Also how facts are put side by side and dates are written, which differ by more than their words.
"""

from datetime import date

from PySide6.QtCore import QCoreApplication, QDate, QLibraryInfo, QLocale, QTranslator

from app.base.wording import current_language, phrase, qt_words, use_language

_installed: list[QTranslator] = []


def resolve(wish: str) -> str:
    """ "ja" or "en" for "ja", "en" or "system".

    A system that says nothing about its language (C, POSIX, an unknown locale) gets Japanese, any other than Japanese
    English.
    """
    if wish in ("ja", "en"):
        return wish
    spoken = QLocale(next(iter(QLocale.system().uiLanguages()), "C")).language()
    return "ja" if spoken in (QLocale.Language.Japanese, QLocale.Language.C) else "en"


def speak(app: QCoreApplication, language: str) -> None:
    """Makes everything that is built from now on speak `language`; what stands there already stays as it is."""
    for translator in _installed:
        app.removeTranslator(translator)
    _installed.clear()
    use_language(language)
    if language == "ja":
        QLocale.setDefault(QLocale("ja_JP"))
        _install(app, "qtbase_ja", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
        _add(app, _QtWords(app))
    else:
        # The country decides how dates look.
        QLocale.setDefault(QLocale(QLocale.Language.English, QLocale.system().territory()))


def joined(*parts: str) -> str:
    """Short facts on one line; empty ones are left out."""
    return ("　" if current_language() == "ja" else " · ").join(part for part in parts if part)


def noted(text: str, note: str) -> str:
    """`text` with a note in brackets behind it."""
    if not note:
        return text
    return f"{text}（{note}）" if current_language() == "ja" else f"{text} ({note})"


def day_of_year(when: date) -> str:
    return _written(when, phrase("uikit.mmm_d"))


def month(when: date) -> str:
    return _written(when, phrase("uikit.mmmm"))


def month_and_year(when: date) -> str:
    return _written(when, phrase("uikit.mmmm_yyyy"))


def full_date(when: date) -> str:
    return _written(when, phrase("uikit.mmm_d_yyyy"))


def _written(when: date, form: str) -> str:
    """`form`: Qt's letters, where MMM is the name of the month."""
    return QLocale().toString(QDate(when.year, when.month, when.day), form)


class _QtWords(QTranslator):
    """Hands Qt the Japanese that its own catalogue lacks."""

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
