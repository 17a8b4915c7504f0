"""What a bundle starts: the program in the role that its arguments name (app/__main__.py)."""

import sys

from app.__main__ import main

if sys.platform == "win32":  # held until the end: the installer sees by it that Kotae runs (windows/kotae.iss)
    import ctypes

    ctypes.windll.kernel32.CreateMutexW(None, False, "jp.kotae.Kotae")

sys.exit(main())
