"""Names of folders by time and content: free, short enough, and without what no file system takes."""

import time
from pathlib import Path

from app.base.files import work_folder


def test_a_new_folder_is_called_by_time_and_name_and_is_nobody_elses(tmp_path: Path) -> None:
    now = time.mktime((2026, 11, 25, 18, 5, 9, 0, 0, -1))
    first = work_folder.timestamped_path(tmp_path, "橋梁 ＡＢ/点検:*?", now)
    assert first.name == "20261125-180509-橋梁-ab-点検"
    first.mkdir()
    assert work_folder.timestamped_path(tmp_path, "橋梁 ＡＢ/点検:*?", now).name == f"{first.name}-2"
    assert work_folder.timestamped_path(tmp_path, "///", now).name == "20261125-180509"
    assert len(work_folder.timestamped_path(tmp_path, "長" * 500, now).name.encode()) < 255
