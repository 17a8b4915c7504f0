"""The table of what the fault suite tried, in tests/faults/README.md: `python3 packaging/fault_table.py FILE…`.

Each FILE was written by `pytest --fault-table=FILE` (tests/faults/ledger.py); several are runs of parts, of which a
later one counts where a test is in both. Standard library only.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

README = "tests/faults/README.md"
BEGIN, END = "<!-- faults -->", "<!-- /faults -->"
HARM = ("lost", "died", "leaked", "failed")
_HEAD = ("", "fault or attack", "wanted", "in each run", "with `--all`", *HARM)


def run(root: Path, pytest: Sequence[str | Path], environment: Mapping[str, str], arguments: Sequence[str]) -> int:
    """Run the fault suite, print its table, and write it into README where all of it was run."""
    others = [word for word in arguments if word not in ("--all", "--without-training", "--")]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "faults.json"
        selection = ["-m", "fault" if "--all" in arguments else "fault and not slow", f"--fault-table={report}"]
        code = subprocess.call([*pytest, *selection, *others], cwd=root, env=dict(environment))
        if not report.is_file():  # pytest could not even begin
            return code or 1
        made = table([report])
    print(f"\n{made}")
    if list(arguments) == ["--all"]:
        write(root / README, made)
    return code


def table(reports: Sequence[Path]) -> str:
    """Markdown: a sentence on the run, and a line for each row of the table of faults."""
    rows: dict[str, tuple[int, str]] = {}
    tests: dict[str, dict[str, Any]] = {}
    days: set[str] = set()
    for path in reports:
        read = json.loads(path.read_text(encoding="utf-8"))
        rows, days = read["rows"], days | {read["day"]}
        tests |= read["tests"]
    lines = [(row, words, [wanted, *_sums(tests, row)]) for row, (wanted, words) in rows.items()]
    total = [sum(numbers) for numbers in zip(*(numbers for *_, numbers in lines), strict=True)]
    shown = [
        (row, words, *(f"{number:,}" for number in numbers)) for row, words, numbers in [*lines, ("", "all", total)]
    ]
    rule = "|---|---|" + "--:|" * len(total)
    head, *rest = [f"| {' | '.join(line)} |" for line in (_HEAD, *shown)]
    return "\n".join([f"{_sentence(tests, max(days))}\n", head, rule, *rest])


def _sums(tests: Mapping[str, Mapping[str, Any]], row: str) -> list[int]:
    """Tried in each run, tried with --all, and what came of it (HARM)."""
    of_row = [test for test in tests.values() if test["row"] == row]
    return [
        sum(test["tried"] for test in of_row if not test["is_slow"]),
        sum(test["tried"] for test in of_row),
        *(sum(test[name] for test in of_row) for name in HARM[:-1]),
        sum(test["outcome"] == "failed" for test in of_row),
    ]


def _sentence(tests: Mapping[str, Mapping[str, Any]], day: str) -> str:
    each = [test for test in tests.values() if not test["is_slow"]]
    skipped = sum(test["outcome"] == "skipped" for test in tests.values())
    return (
        f"{day}: {len(each):,} tests in each run, {len(tests):,} with `--all`; "
        f"{_minutes(each)} and {_minutes(tests.values())} min when added up (several run at a time); "
        f"{skipped} could not be run on this machine."
    )


def _minutes(tests: Iterable[Mapping[str, Any]]) -> str:
    return f"{sum(test['seconds'] for test in tests) / 60:.0f}"


def write(readme: Path, made: str) -> None:
    """Between the marks, which stand there already."""
    text = readme.read_text(encoding="utf-8")
    changed, count = re.subn(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{made}\n{END}", text, count=1, flags=re.DOTALL)
    if not count:
        sys.exit(f"{readme.name}: {BEGIN} … {END} がありません / is missing")
    readme.write_text(changed, encoding="utf-8")


if __name__ == "__main__":
    made_of = table([Path(name) for name in sys.argv[1:]])
    write(Path(__file__).resolve().parent.parent / README, made_of)
    print(made_of)
