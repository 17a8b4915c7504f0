"""Lists and records that grow by lines: a full disk and several writers at once take no line with them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.base import confidentiality
from app.base.confidentiality import ExportRequest
from app.base.files import output_file
from tests.faults.ledger import Tally
from tests.faults.window_process import ROOT

BEGIN = "import resource, sys; from pathlib import Path; from app.base import authenticity as made_here; "
USE = BEGIN + "data = Path(sys.argv[1]); made_here.use_registry(data); "
# A file that may not grow takes the beginning of a line, as a disk does that gets full.
FILL = USE + (
    "end = (data / made_here.REGISTRY_FILE).stat().st_size + 10\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (end, end))\n"
    "try: made_here.write_registered(data / 'gate.json', b'lost')\n"
    "except OSError: print('full')"
)
NOTE = USE + (
    "[made_here.write_registered(data / 'gate.json', f'{sys.argv[2]} {n}'.encode()) for n in range(int(sys.argv[3]))]"
)
KNOWS = USE + (
    "print([w for w in sys.argv[3:] for n in range(int(sys.argv[2]))"
    " if not made_here.is_content_written_by_kotae('gate.json', f'{w} {n}'.encode())])"
)


def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8"
    )


def said(code: str, *arguments: object) -> str:
    with start(code, *arguments) as process:
        found = process.communicate(timeout=60)[0].strip()
    assert process.returncode == 0
    return found


@pytest.mark.fault("F2")
@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on the size of a file")
def test_a_full_disk_takes_no_verdict_with_it(tmp_path: Path, tally: Tally) -> None:
    said(NOTE, tmp_path, "before", 1)
    assert said(FILL, tmp_path) == "full"
    assert (tmp_path / "gate.json").read_bytes() == b"before 0"  # nothing is there that is not known as ours
    said(NOTE, tmp_path, "after", 1)
    assert said(KNOWS, tmp_path, 1, "before", "after") == "[]"
    tally.tried(1)


@pytest.mark.fault("F2")
@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on the size of a file")
def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "journal"
    output_file.append_line(path, b"one")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            output_file.append_line(path, b"another")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"one\n"


@pytest.mark.fault("F7")
def test_several_first_starts_at_once_lose_no_verdict(tmp_path: Path, tally: Tally) -> None:
    writers = [start(NOTE, tmp_path, word, 20) for word in "abcd"]
    assert [writer.communicate(timeout=60)[0] for writer in writers] == [""] * 4
    assert [writer.returncode for writer in writers] == [0] * 4
    assert said(KNOWS, tmp_path, 20, *"abcd") == "[]"
    tally.tried(4)


@pytest.mark.fault("F2")
def test_a_record_of_exports_goes_on_after_half_a_line(tmp_path: Path) -> None:
    log = tmp_path / "exports.log"
    log.write_bytes(b'{"at": "2026-01-01", "what": "ans')
    export = ExportRequest("answers", str(tmp_path / "a.csv"), lambda: "secret", "資料")
    for _ in range(2):
        confidentiality.permit_export(export, log, is_agreed=True)
    half, *whole = log.read_text("utf-8").splitlines()
    assert half.startswith('{"at": "2026-01-01"')
    assert [json.loads(line)["what"] for line in whole] == ["answers"] * 2
