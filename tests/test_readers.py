"""Whatever reads a file looks whether it is one: a pipe under its name would be waited for, a device never ends.

The readers are found in the source, not listed. What is no foreign file says so in `EXCUSED`, with its reason.
"""

import ast
from collections.abc import Iterator

from tests.sources import Source, sources

OWN = ("resources()", "/proc/", "_NET", "folder() /", "file.locate()")  # what came with the program; the kernel's
EXCUSED = {
    "app/base/authenticity.py": "the machine's number, in a place of the system",
    "app/base/services/single_instance.py": "what a second start has written into the data folder",
    "app/compliance/components.py": "of the program and its packages",
    "app/compliance/offline_check/check_run.py": "the log of a child, in a folder made for it",
    "app/compliance/offline_check/coordinator.py": "logs of children, in a folder made for them",
    "app/compliance/offline_check/environment_facts.py": "of the system",
    "app/documents/collection_updates.py": "the manual, which the program has just written",
    "app/documents/services/command_documents.py": "the manual, which the program has just written",
    "app/inference/engine/score.py": "what the engine has just written itself",
    "app/inference/memory_estimate.py": "of the kernel",
    "app/inference/processor_cores.py": "of the kernel",
    "app/models/cli/model_download.py": "a token may come out of another program's pipe",
    "app/models/downloads/part_file.py": "what is being fetched",
    "app/models/package_locks.py": "of the program",
    "app/models/services/remote_servers.py": "a key may come out of another program's pipe",
    "app/models/starter.py": "of an installed package",
    "app/models/training_environment.py": "of an environment that was made here",
    "app/serve/server.py": "a key may come out of another program's pipe",
    "app/shell/ui/help_windows.py": "of the program",
    "app/training/published_model.py": "what was trained and measured here",
    "app/training/environment/shipped_tools.py": "of an environment that was made here",
    "app/training/environment/kit.py": "the lock, of the program",
    "app/training/environment/base_pythons.py": "of the program",
    "app/base/services/child_process.py": "the log of a child",
}  # fmt: skip


def _readers(source: Source) -> Iterator[str]:
    for node in source.nodes:
        if not isinstance(node, ast.Call):
            continue
        is_method = isinstance(node.func, ast.Attribute)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in ("open", "read_bytes", "read_text"):
            continue
        written = ast.unparse(node)
        if is_method and ast.unparse(node.func.value) in ("os", "strict_json", "table_reader"):
            continue
        mode = node.args[-1] if node.args and isinstance(node.args[-1], ast.Constant) else None
        is_reading = mode is not None and mode.value in ("r", "rb", "rt")
        has_words = any(key.arg in ("encoding", "errors") for key in node.keywords)
        is_open = name == "open" and (is_reading or (has_words and not (node.args and mode)))
        if (is_open or (is_method and name != "open")) and not any(own in written for own in OWN):
            yield f"{source.path}:{node.lineno}: {written}"


def test_every_file_of_others_is_opened_as_a_file() -> None:
    found = [one for source in sources("app") for one in _readers(source)]
    unexcused = [one for one in found if one.partition(":")[0] not in EXCUSED]
    assert not unexcused, "\n".join(unexcused)
    assert not EXCUSED.keys() - {one.partition(":")[0] for one in found}
