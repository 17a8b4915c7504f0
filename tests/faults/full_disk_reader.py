"""The real reading child on a disk that is full at a size: `python full_disk_reader.py DATABASE PAGES`.

sqlite refuses to grow beyond PAGES pages with the error that a full disk gives.
"""

import sqlite3
import sys
from typing import Any

from app.documents.reading import worker

connect = sqlite3.connect


def connect_small(*arguments: Any, **options: Any) -> sqlite3.Connection:
    db = connect(*arguments, **options)
    db.execute(f"PRAGMA max_page_count = {sys.argv[2]}")
    return db


sqlite3.connect = connect_small

worker.main(sys.argv[1])
