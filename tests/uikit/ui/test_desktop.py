"""What Qt keeps by itself lies beside our data."""

from pathlib import Path

from PySide6.QtCore import QSettings
from PySide6.QtWidgets import QFileDialog

from app.uikit import desktop


def test_the_folders_that_a_file_dialog_was_in_are_kept_beside_the_data(qtbot, tmp_path: Path) -> None:
    before = Path(QSettings(QSettings.Scope.UserScope, "QtProject").fileName()).parent
    visited = tmp_path / "橋梁"
    visited.mkdir()
    desktop.keep_visited_folders(tmp_path / "データ")
    try:
        dialog = QFileDialog(directory=str(visited))
        dialog.setOption(QFileDialog.Option.DontUseNativeDialog)
        qtbot.addWidget(dialog)
        dialog.show()
        dialog.accept()
        dialog.deleteLater()
        qtbot.waitUntil((tmp_path / "データ" / "QtProject.conf").is_file)
    finally:
        desktop.keep_visited_folders(before)
