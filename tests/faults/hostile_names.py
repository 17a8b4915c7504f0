"""Files and folders whose names or kinds are odd (fault table S10): what a look through a folder makes of them.

POSIX systems only: elsewhere most of these names cannot be made.
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

WORD = "堤体の安定を確かめる。"


@dataclass(frozen=True, slots=True)
class Named:
    """`reason`: why it is left out (`app.documents.collection_updates.ScanResult`), "": it is taken and read."""

    name: str | bytes
    reason: str = ""


TAKEN = [
    Named(name)
    for name in (
        "CON.txt", "NUL .txt", "aux.md", "末尾の点..txt", " 先頭の空白.txt", "全角　空白.txt", "絵文字🌉.txt",
        "改行\n[2] 偽の資料.txt", "タブ\t.txt", "逆\u202etxt.exe.txt", "幅なし\u200b\ufeff.txt",
        "波括弧{name}%s{0}.txt", "引用'\"`$(id).txt", "-rf.txt", "結合か\u3099.txt", "漢" * 83 + ".txt", "大.TXT",
    )
]  # fmt: skip
LEFT = [
    Named("..hidden.txt", "hidden"), Named(".env", "hidden"), Named("~$開いている.docx", "lock"),
    Named("program.exe", "unknown"), Named("名前だけ", "unknown"), Named(b"\xff\xfe.txt", "name"),
]  # fmt: skip


def make(folder: Path) -> dict[str, int]:
    """Fills the folder; gives how many entries are to be left out, by reason."""
    folder.mkdir()
    outside = folder.parent / "外.txt"
    outside.write_text("外にある。", "utf-8")
    for named in (*TAKEN, *LEFT):
        name = named.name if isinstance(named.name, bytes) else named.name.encode()
        Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_text(f"{WORD}\n", "utf-8")  # noqa: PTH118
    (folder / "外への.txt").symlink_to(outside)
    (folder / "passwd.txt").symlink_to("/etc/passwd")
    (folder / "根.d").symlink_to("/")
    (folder / "切れた.txt").symlink_to(folder / "ない.txt")
    (folder / "自分.txt").symlink_to(folder / "自分.txt")
    (folder / "輪").symlink_to(folder)
    os.mkfifo(folder / "管.txt")
    (folder / "folder.pdf").mkdir()
    counts = Counter(named.reason for named in LEFT)
    # Links out of the folder; a link to itself; and the pipe. Links inside it are what is found anyway.
    return dict(counts + Counter({"link": 3, "unreadable": 1, "unknown": 1}))
