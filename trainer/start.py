"""Start a module of this package in an isolated Python: `<trainer python> -I -X utf8 start.py MODULE [ARGUMENT...]`.

Isolated means without PYTHONPATH and the current folder. Only the package is made importable, not the folder around it,
which may hold the libraries of another Python.
"""

import importlib.util
import os
import runpy
import sys
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent


def command(python: str, module: str, *arguments: str) -> list[str]:
    """Return the command line that runs `module` as `python -m` would, in isolated mode (-I) and UTF-8 mode."""
    return [python, "-I", "-X", "utf8", str(_FOLDER / "start.py"), module, *arguments]


def main() -> None:
    module, *arguments = sys.argv[1:]
    # OpenMP's threads wait for each other asleep. They would otherwise spin, and beside one other program on a machine
    # of few cores a step would take several times as long; alone it takes the same.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if sys.platform.startswith("linux"):  # on Windows torch has none, and warns
        # Batches of many lengths otherwise leave gaps in the card's memory that none of the later ones fits into.
        os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    spec = importlib.util.spec_from_file_location(
        "trainer", _FOLDER / "__init__.py", submodule_search_locations=[str(_FOLDER)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = importlib.util.module_from_spec(spec)
    sys.modules["trainer"] = package
    spec.loader.exec_module(package)
    sys.argv = [module, *arguments]
    if module.endswith(".py"):  # a file beside the package, which imports it
        runpy.run_path(module, run_name="__main__")
    else:
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
