"""Japanese for Qt's own words: the buttons of file dialogs, the menus of text fields."""

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator


def speak_japanese(app: QCoreApplication) -> None:
    """Japanese is the language of this program's sources, so only Qt's own texts need a translation."""
    QLocale.setDefault(QLocale("ja_JP"))
    translator = QTranslator(app)
    if translator.load("qtbase_ja", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
        app.installTranslator(translator)
