"""Tests are read also where no process can be forked."""

import subprocess
import sys

from tests.forked_program import ROOT

# What others import for themselves, on a system that has it, is there already.
READ = """
import psutil, pytestqt.qtbot, sys
sys.modules.update(dict.fromkeys(("pty", "resource", "termios", "tty")))
import tests.conftest
"""


def test_what_all_tests_need_imports_nothing_that_windows_lacks():
    done = subprocess.run([sys.executable, "-c", READ], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
