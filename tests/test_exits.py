"""Whatever writes a file, opens a socket or fills the clipboard passes the gate for what is 機密, or says why not.

The writers are found in the source, not listed: a call of one of the library functions below, or of a function of ours
that is excused as a means (`MEANS`), for which its callers answer. A function answers for its calls with a parameter or
a variable of the type `Permit`, which `app.base.confidentiality.permit_export` alone gives, or with a line in
`EXCUSED`.
"""

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from app.base.confidentiality import ExportRequest, Permit
from tests.sources import sources

# Of a library, by the last name of what is called; those of two by both.
FILES = {
    "write_text", "write_bytes", "touch", "symlink_to", "hardlink_to", "link_to", "mkstemp", "NamedTemporaryFile",
    "TemporaryFile", "SpooledTemporaryFile", "copyfile", "copy2", "copytree", "copyfileobj", "make_archive",
    "writestr", "extractall", "savefig", "QFile", "QSaveFile", "QTemporaryFile", "QPdfWriter", "QPrinter",
    "QImageWriter",
    "FileHandler", "RotatingFileHandler", "tofile", "savez", "mkfifo", "dump_to_file",
    "os.open", "os.rename", "os.replace", "os.renames", "os.truncate",
    "os.link", "os.symlink", "os.write", "shutil.copy", "shutil.move",
    "sqlite3.connect", "safetensors.torch.save_file",
}  # fmt: skip
SOCKETS = {
    "create_connection", "create_server", "urlopen", "HTTPServer", "ThreadingHTTPServer", "HTTPConnection",
    "HTTPSConnection", "QTcpServer", "QTcpSocket", "QLocalServer", "QLocalSocket", "QUdpSocket",
    "QNetworkAccessManager",
    "QWebSocket", "openUrl", "webbrowser.open", "socketpair", "socket.socket", "requests.get",
    "requests.post", "httpx.Client",
}  # fmt: skip
CLIPBOARDS = {"QDrag", "QMimeData", "setMimeData", "setDragEnabled", "setDragDropMode"}
ARCHIVES = {
    "zipfile.ZipFile",
    "ZipFile",
    "tarfile.open",
    "TarFile",
    "numpy.memmap",
    "np.memmap",
    "numpy.save",
    "np.save",
}
MODES = set("rwaxbt+")


@dataclass(frozen=True)
class Writer:
    """`name`: module:function, with the class."""

    name: str
    calls: frozenset[str]
    has_permit: bool


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for source in sources("app", "trainer"):
        yield source.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__"), source.tree


def _text(node: ast.AST) -> str:
    """Names with dots; of calls and the like between them only the names, and "?" for all else."""
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{_text(node.value)}.{node.attr}"
        case ast.Call():
            return _text(node.func)
        case ast.Subscript():
            return _text(node.value)
    return "?"


def _last_names(function: ast.expr) -> tuple[str, str]:
    """The last name of what is called, and the last two."""
    parts = _text(function).rsplit(".", 2)
    return parts[-1], ".".join(parts[-2:])


def _mode(call: ast.Call, at: int) -> str:
    """Of `open`; "?" where it cannot be read off."""
    given = [word.value for word in call.keywords if word.arg == "mode"] + call.args[at : at + 1]
    if not given:
        return "r"
    return str(given[0].value) if isinstance(given[0], ast.Constant) else "?"


def _writes(call: ast.Call, ours: frozenset[str]) -> str:
    """What a call of a library writes with; "": nothing. `ours`: names of our modules in that file."""
    last, two = _last_names(call.func)
    owner = _text(call.func.value).lower() if isinstance(call.func, ast.Attribute) else ""
    known = FILES | SOCKETS | CLIPBOARDS
    if last in known or two in known:
        return last if last in known else two
    if two in ARCHIVES:
        return two if set(_mode(call, 1)) & set("wax+?") else ""
    if last == "open" and not owner[:1].isupper():
        return "open" if _opens_to_write(call, owner) else ""
    match last:
        case "replace" | "rename":  # of paths; texts take two arguments, dataclasses keywords
            is_write = bool(owner) and len(call.args) == 1 and not call.keywords
        case "touch":
            is_write = bool(owner) and not call.args
        case "save":  # of a picture, a book, a document; not our own, which is looked into itself
            is_write = bool(call.args) and owner not in ours and not owner.endswith("pickers")
        case "backup":
            is_write = bool(owner)
        case "setText" | "setPixmap" | "setImage":
            is_write = "clipboard" in owner
        case _:
            is_write = False
    return last if is_write else ""


def _opens_to_write(call: ast.Call, owner: str) -> bool:
    """A mode that cannot be read off counts; what has a first argument that is no mode opens something else."""
    is_function = not owner or owner in ("io", "gzip", "bz2", "lzma", "codecs")
    at = 1 if is_function else 0
    given = [word.value for word in call.keywords if word.arg == "mode"] or call.args[at : at + 1]
    if not given:
        return False
    parts = list(ast.walk(given[0]))
    modes = [one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    if any(set(mode) <= MODES and set(mode) & set("wax+") for mode in modes):
        return True
    return not modes and (is_function or any(isinstance(one, ast.Name) and "mode" in one.id for one in parts))


def _has_permit(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """By the type of a parameter: nothing but the gate makes one."""
    arguments = function.args
    every = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    return any(one.annotation is not None and _text(one.annotation) == "Permit" for one in every)


@dataclass
class Function:
    """`has_permit`: it, or a function around it, has one."""

    calls: list[ast.Call]
    has_permit: bool
    ours: frozenset[str]


@functools.cache
def _functions() -> dict[str, Function]:
    found: dict[str, Function] = {}

    def walk(node: ast.AST, name: str, has_permit: bool, ours: frozenset[str]) -> None:
        for child in ast.iter_child_nodes(node):
            inner, may = name, has_permit
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inner = f"{name}{'' if name.endswith(':') else '.'}{child.name}"
                may = has_permit or (not isinstance(child, ast.ClassDef) and _has_permit(child))
                found.setdefault(inner, Function([], may, ours))
            elif isinstance(child, ast.Call):
                found.setdefault(name, Function([], has_permit, ours)).calls.append(child)
                found[name].has_permit |= _text(child.func).endswith("permit.at")
            walk(child, inner, may, ours)

    for module, tree in _modules():
        walk(tree, f"{module}:", False, _ours(tree))
    return found


def _ours(tree: ast.Module) -> frozenset[str]:
    """The modules of ours that a file names, in small letters."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("app", "trainer"):
            found.update((name.asname or name.name).lower() for name in node.names)
    return frozenset(found)


@functools.cache
def _writers() -> dict[str, Writer]:
    """All that write, by themselves or by means of ours."""
    means = {name.partition(":")[2].rpartition(".")[2]: name for name in MEANS}
    found: dict[str, Writer] = {}
    for name, function in _functions().items():
        written = set()
        for call in function.calls:
            last, _two = _last_names(call.func)
            kind = _writes(call, function.ours) or (last if last in means and _is_ours(call, means[last]) else "")
            if kind:
                written.add(kind)
        if written:
            found[name] = Writer(name, frozenset(written), function.has_permit)
    return found


def _is_ours(call: ast.Call, mean: str) -> bool:
    """Whether a call may be of this function: by its name, or by that of its module or class before it."""
    if isinstance(call.func, ast.Name):
        return True
    module, _, name = mean.partition(":")
    before = _text(call.func).rsplit(".", 2)[-2]
    owner = name.rpartition(".")[0]
    return before == owner if owner else before.lower().strip("_").endswith(module.rpartition(".")[2])


@functools.cache
def _of_modules() -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in _functions():
        found[name.partition(":")[0]].append(name)
    return found


def _passes(name: str, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a function has a permit, or is private and called in its module by such ones alone."""
    functions = _functions()
    if functions[name].has_permit:
        return True
    module, _, inside = name.partition(":")
    own = next((part for part in inside.split(".") if part.startswith("_") and not part.startswith("__")), "")
    if not own or name in seen:
        return False
    callers = [
        other
        for other in _of_modules()[module]
        if not f"{other}.".startswith(f"{module}:{own}.")
        and any(_last_names(call.func)[0] == own for call in functions[other].calls)
    ]
    return bool(callers) and all(_passes(other, seen | {name}) for other in callers)


# Means: what they write, and where to, is their callers' matter, who are writers in their turn.
MEANS = {
    "app.base.confidentiality:Permit.open_atomically",
    "app.base.files.output_file:open_atomically",
    "app.base.files.output_file:create_numbered_file",
    "app.base.files.output_file:append_line",
    "app.base.files.output_file:create_atomically",
    "app.base.files.output_file:write_atomically",
    "app.base.files.file_permissions:copy_folder",
    "app.base.isolation.network_guard:listen_on_loopback",
    "app.base.authenticity:write_registered",
    "app.chat.batch.journal:BatchJournal.open",
    "app.models.kits.transfer_kit:PartWriter",
    "app.training.runs.run_folders:copy_adapter",
}
# Reason -> those of which it is true, as module:function, or module:* for all of a module.
EXCUSED: dict[str, set[str]] = {
    "state of the program in its own data folder": {
        "app.base.database:*",
        "app.base.files.work_folder:*",
        "app.base.files.day_record:*",
        "app.base.authenticity:*",
        "app.base.settings:*",
        "app.base.diagnostics:_write_start_record",
        "app.base.services.single_instance:SingleInstance._write",
        "app.documents.retrieval.semantic_index:*",
        "app.inference.crashes:*",
        "app.documents.collection_updates:attach",
        "app.chat.ui.attached_files:AttachedFiles.attach_picture.content",
        "app.documents.reading.office_conversion:convert",
        "app.documents.reading.office_conversion:main",
        "app.documents.services.document_library:_prepare_file",
        "app.documents.services.document_library:_labels_in",
        "app.inference.prefix_states:*",
        "app.inference.speed:save",
        "app.models.catalogue:keep_found",
        "app.models.peft_adapter:add",
        "app.models.catalogue:bring_in_edition",
        "app.models.download_queue:save_queue",
        "app.models.verification:record_verifications",
        "app.shell.ui.window_layout:WindowGeometry.save",
        "app.shell.ui.main_window:MainWindow.closeEvent",
        "app.inference.engine_packs:*",
        "app.models.package_folder:*",
        "app.models.training_environment:key",
        "app.serve.server:load_or_create_key",
    },
    "the record of what left": {"app.base.confidentiality:_record_export"},
    "logs, which hold no text of people": {
        "app.base.diagnostics:rotate_crash_log",
        "app.base.diagnostics:set_up_logging",
        "app.base.services.child_process:ChildProcess._keep_old_log",
    },
    "question sets, studies and their results in the data folder; `export` and `question_files` carry them out": {
        "app.evaluation.question_sets:*",
        "app.evaluation.report.blind:*",
        "app.evaluation.report.report:write",
        "app.evaluation.study.studies:write_results",
        "app.evaluation.services.study_tasks:*",
        "app.evaluation.study.scale_plan:_write",
        "app.evaluation.study.study_steps:_note_size",
        "app.evaluation.study.studies:*",
    },
    "drafts, runs and their data in the data folder; `jobs` carries them out": {
        "app.training.published_model:_copy",
        "app.training.data.curation:*",
        "app.training.data.file_import:write_origin",
        "app.training.drafts:*",
        "app.training.export_plan:move_form_file_into_run",
        "app.training.quality_gate:write_gate",
        "app.training.generation.pair_records:write_request",
        "app.training.remote_job_import:*",
        "app.training.runs.rerun:_with_rows",
        "app.training.runs.run_report:write_report",
        "app.training.runs.run_folders:*",
        "app.training.runs.training_list:*",
        "app.training.run_plan:*",
    },
    "rows of a file that the user has outside anyway; of one in the data folder after `data.py: _split` has asked": {
        "app.training.data.data_split:*",
    },
    "replies beside the pairs that are made of them, after `Generation._pass_gate`": {
        "app.inference.reply_journal:*",
    },
    "the trainer, in the folder of its run or job": {"trainer.*"},
    "a link to a published file that was just downloaded, where the user wants it": {
        "app.models.hub_models:share_in_cache",
        "app.models.hub_models:_link",
    },
    "models and their parts in the models folder; `kit_export` carries them out": {
        "app.inference.engine.imatrix:measure",
        "app.inference.engine.model_jobs:put_in_place",
        "app.inference.engine.model_jobs:write_job",
        "app.inference.engine.score:ReferenceWriter.__init__",
        "app.inference.scoring_files:write_scores",
        "app.models.gguf_build:*",
        "app.models.downloads.file_download:*",
        "app.models.downloads.part_file:*",
        "app.models.kits.kit_import:*",
        "app.models.models_folder:*",
        "app.models.services.artifact_runner:JobTask._write_job",
        "app.models.starter:*",
        "app.training.runs.lineage:write_lineage_note",
        "app.training.runs.run_clock:learn_rates",
    },
    "the training environment and its kit: libraries, and nothing of the user's": {
        "app.training.environment.shipped_tools:*",
        "app.training.environment.folders:*",
        "app.training.environment.kit:*",
        "app.training.environment.base_pythons:*",
    },
    "a temporary file beside, which a means above puts in place": {"app.base.files.output_file:_temporary_file_beside"},
    "into a file that is open already": {
        "app.base.tables.table_writer:WorkbookWriter.save",
        "app.chat.batch.answer_file:write_workbook",
        "app.chat.exchange.docx_file:_saved",
        "app.chat.batch.journal:BatchJournal._write",
    },
    "a sample that comes with the program": {"app.shell.ui.first_run_documents:DocumentsStep.add_sample"},
    "locks, flushes and trials, which write nothing": {
        "app.base.files.output_file:sync_folder",
        "app.base.files.work_folder:is_locked",
        "app.base.files.input_file:open_plain",
        "app.base.files.input_file:open_regular",
        "app.base.files.file_permissions:_has_modes",
        "app.base.isolation.sandbox:_opened",
        "app.base.paths:locate",
        "app.cli:main",
        "app.compliance.problem_report:_read",
        "app.documents.reading.helpers:_serve",
        "app.inference.engine.llama:_silenced",
        "app.inference.engine.speed_meter:write_model",
        "app.inference.speed:_measure_engine",
    },
    "lines to the parent process": {
        "app.inference.engine.echo:*",
        "app.compliance.offline_check.coordinator:send_message",
    },
    "the check that nothing is sent, which tries ways out with nothing to send": {
        "app.compliance.offline_check.check_run:*",
        "app.compliance.offline_check.coordinator:_command",
        "app.compliance.offline_check.coordinator:_run_scenario",
        "app.compliance.offline_check.coordinator:isolate",
        "app.compliance.offline_check.report_page:write_page",
        "app.compliance.offline_check.coordinator:_confinement",
        "app.compliance.offline_check.coordinator:_ways_out",
        "app.compliance.offline_check.coordinator:_ways_out.send_datagram",
    },
    "scrubbed of all names and texts, and shown before it is saved": {"app.compliance.problem_report:save"},
    "of the program's own parts, or presets that the user wrote to pass on": {
        "app.compliance.cli.commands:_write_sbom",
        "app.training.data.file_import:write_template",
        "app.chat.presets:write_presets",
    },
    "what is sent to a model elsewhere passes `remote_models.require_sendable`: 機密 never is": {
        "app.inference.remote.model_server:*",
    },
    "each answer passes `ServedModels.permit_answer` before it is made": {"app.serve.cli.serve:_listener"},
    "a folder or a file of this machine, or a licence, in the program for it": {
        "app.uikit.desktop:_open_or_explain",
        "app.models.ui.model_actions:licence_dialog",
    },
    "a list on the screen, whose method only has the name of a file's": {
        "app.training.ui.data.review_list:ReviewListModel.refresh",
        "app.training.ui.data.review_tab:ReviewTab._on_edited",
    },
    "dropped within the list alone; what is dragged carries nothing (`ConversationList.itemData`)": {
        "app.chat.ui.conversations.conversation_view:ConversationView._build",
    },
}


@functools.cache
def _excuses() -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for reason, names in EXCUSED.items():
        for name in names:
            found[name].append(reason)
    return found


def _is_excused(name: str) -> bool:
    if name.startswith("trainer.") and "trainer.*" in _excuses():
        return True
    module = name.partition(":")[0]
    known = _excuses()
    return name in known or f"{module}:*" in known or any(f"{name}.".startswith(f"{mean}.") for mean in MEANS)


def test_whatever_leaves_passes_the_gate_or_says_why_not() -> None:
    open_ways = [
        f"{name} ({', '.join(sorted(writer.calls))})"
        for name, writer in sorted(_writers().items())
        if not _passes(name) and not _is_excused(name)
    ]
    assert not open_ways, "\n".join(open_ways)


def test_every_excuse_is_still_needed() -> None:
    writers = [name for name in _writers() if not _passes(name)]
    for excuse in _excuses():
        module, _, name = excuse.partition(":")
        found = excuse == "trainer.*" or any(
            one == excuse or (name == "*" and one.startswith(f"{module}:")) for one in writers
        )
        assert found, excuse
    assert all(len(reasons) == 1 for reasons in _excuses().values())
    assert set(MEANS) <= set(_functions()), set(MEANS) - set(_functions())


@pytest.mark.fault("S16")
@pytest.mark.parametrize(
    "line",
    [
        "open(path, 'w')",
        "open(path, mode)",
        "path.open(mode='ab')",
        "path.open('r+b' if was_there else 'wb')",
        "path.write_text(answer)",
        "os.replace(one, other)",
        "part.replace(target)",
        "shutil.copytree(run, usb)",
        "book.save(path)",
        "picture.save(str(path))",
        "zipfile.ZipFile(path, 'w')",
        "QSaveFile(path)",
        "socket.socket()",
        "http.client.HTTPSConnection(host)",
        "QGuiApplication.clipboard().setText(text)",
        "clipboard.setMimeData(data)",
        "QDrag(self)",
        "QDesktopServices.openUrl(address)",
    ],
)
def test_a_new_way_out_is_found(line: str) -> None:
    (call,) = [node for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Call)][:1]
    assert _writes(call, frozenset())
    assert not _is_excused("app.chat.new:leak")


@pytest.mark.parametrize("line", ["path.open('rb')", "open(path)", "text.replace('a', 'b')", "replace(row, group='')"])
def test_what_only_reads_is_none(line: str) -> None:
    call = next(node for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Call))
    assert not _writes(call, frozenset())


def test_a_permit_comes_from_the_gate_alone() -> None:
    made = [
        name
        for name, function in _functions().items()
        for call in function.calls
        if _last_names(call.func)[0] == "Permit" and name.startswith("app.")
    ]
    assert made == ["app.base.confidentiality:permit_export"]
    with pytest.raises(TypeError):
        Permit(ExportRequest("answers", "/tmp/a", lambda: "public"), "public", object())
