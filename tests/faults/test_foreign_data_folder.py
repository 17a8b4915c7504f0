"""A data folder that somebody else has prepared, on a stick say: nothing of it is started or reaches out of it."""

import functools
import json
import os
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.base import authenticity, paths, settings, wording
from app.base.authenticity import Signer
from app.base.database import Database
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.settings import Settings
from app.chat.presets import PresetTable, read_presets
from app.chat.store import Store
from app.documents.document_tables import SectionTable
from app.documents.library import Library
from app.documents.records import Section
from app.documents.retrieval.retrieved_passages import widen_sections
from app.inference import engine_packs
from app.inference.local_model import LocalModel
from app.models import local_models, model_registry, models_folder, training_environment
from app.models.model_store import ModelStore
from app.training import spec_builder
from app.training.environment import base_pythons, folders
from app.training.environment.folders import EnvironmentFolders, report_environment
from tests.faults.ledger import Tally
from tests.faults.window_process import kotae

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="scripts, links and pipes")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without the developer's own environment."""
    monkeypatch.delenv(training_environment.VARIABLE, raising=False)
    monkeypatch.setattr(training_environment, "_ROOT", tmp_path / "sources")
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


# ------------------------------------------------------------------------ programs in it


def plant(base: Path, key: str | None) -> Path:
    """A stranger's environment below `base`; gives the file that it makes when anything of it is started."""
    ran = base / "ran"
    for place in (
        EnvironmentFolders(base).final / "bin",
        EnvironmentFolders(base).old_folder / "bin",
        EnvironmentFolders(base).pythons / "3" / "bin",
    ):
        place.mkdir(parents=True)
        for name in ("python", "python3"):
            (place / name).write_text(f"#!/bin/sh\ntouch '{ran}'\n", "utf-8")
            (place / name).chmod(0o755)
        if key is not None:
            (place.parent / training_environment.STAMP).write_text(json.dumps({"key": key}), "utf-8")
    return ran


KEYS = {
    "no stamp": None,
    "the key that lies in the folder": "a" * 32,
    "the mark of another machine": authenticity.sign_for_this_machine("another machine", b"a" * 32),
    "an empty key": "",
}


@pytest.mark.parametrize("case", KEYS)
@pytest.mark.parametrize("place", ["in it", "named by its settings"])
@pytest.mark.fault("S14")
def test_an_environment_that_came_with_the_data_folder_is_not_started(
    case: str, place: str, data: Path, tmp_path: Path
) -> None:
    base = data if place == "in it" else tmp_path / "other"
    ran = plant(base, KEYS[case])
    (data / training_environment.KEY_FILE).write_text("a" * 32, "ascii")
    settings.save(data / "settings.json", Settings(training_folder="" if base == data else str(base)))
    with pytest.raises(AppError) as caught:
        training_environment.locate(data)
    assert caught.value.code == "training_environment_elsewhere"
    assert wording.describe_error(caught.value).next
    found = report_environment(data)
    assert (found.python, found.problem and found.problem.code) == (None, "training_environment_elsewhere")
    assert base_pythons.trusted_programs(EnvironmentFolders(base), data) == []
    assert not ran.exists()


@pytest.mark.fault("S14")
def test_an_environment_that_was_made_here_for_this_folder_is_found_and_for_another_folder_not(
    data: Path, tmp_path: Path
) -> None:
    plant(data, training_environment.key(data))
    assert training_environment.locate(data).python == EnvironmentFolders(data).final / "bin" / "python"
    other = tmp_path / "other"
    data.rename(other)  # with its key: the same folder under another path
    assert training_environment.locate(other).python == EnvironmentFolders(other).final / "bin" / "python"
    (other / training_environment.KEY_FILE).write_text("b" * 32, "ascii")
    with pytest.raises(AppError, match="training_environment_elsewhere"):
        training_environment.locate(other)


# ----------------------------------------------------------------- a move of models, of elsewhere


@pytest.mark.parametrize("mark", [None, "", "0" * 64, 7, ["x"]])
@pytest.mark.parametrize("state", ["switching", "copying"])
@pytest.mark.fault("S10")
def test_a_move_that_was_begun_elsewhere_deletes_nothing_of_ours(
    state: str, mark: object, tmp_path: Path, tally: Tally
) -> None:
    where = paths.locate(str(tmp_path / "data"))
    home, copied = tmp_path / "home", where.models
    (home / "projects" / "empty").mkdir(parents=True)
    for folder in (home, copied):
        (folder / "thesis.txt").write_text("x" * 10, "utf-8")
        os.utime(folder / "thesis.txt", ns=(10**18, 10**18))
    source, target = (home, copied) if state == "switching" else (copied, home)
    journal = {"source": str(source), "target": str(target), "state": state, "names": ["thesis.txt"]}
    journal |= {"made": ["thesis.txt"], "noted": {"thesis.txt": [10, 10**18]}}
    told = journal | ({} if mark is None else {"mark": mark})
    (where.data / "models-move.json").write_text(json.dumps(told), "utf-8")
    store = ModelStore.open(where.database, where.backups)
    try:
        waiting = models_folder.pending(where)
        assert waiting is not None
        named = "over" if target == where.models else "elsewhere"
        assert (waiting.state, waiting.source, waiting.target) == (named, source, target)
        models_folder.finish(where, store)
        models_folder.undo(where)
        models_folder.move(where, tmp_path / "new", store)
    finally:
        store.close()
    assert (home / "thesis.txt").exists()
    assert (home / "projects" / "empty").is_dir()
    tally.tried(1)


# ------------------------------------------------------------------------ pipes and endless files


@pytest.mark.parametrize(
    "name",
    ["settings.json", "policy.toml", "glossary.csv", "seal.key", "made_here.txt", "kotae.sqlite", "exports.log",
     "training-environment.attempt", "cards/x.toml", "logs/engine.log"],
)  # fmt: skip
@pytest.mark.fault("S10")
def test_a_folder_with_a_pipe_or_a_device_is_refused_in_words(name: str, tmp_path: Path, tally: Tally) -> None:
    for number, make in enumerate((os.mkfifo, lambda path: path.symlink_to("/dev/zero"))):
        folder = tmp_path / str(number)
        (folder / name).parent.mkdir(parents=True)
        make(folder / name)
        with pytest.raises(AppError) as caught:
            paths.locate(str(folder))
        assert (caught.value.code, caught.value.facts["name"]) == ("data_dir_no_files", name)
        assert wording.describe_error(caught.value).next
    tally.tried(2)


@pytest.mark.fault("S10")
def test_a_command_in_a_folder_with_a_pipe_ends(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "policy.toml")
    done = kotae("models", "list", data=tmp_path)
    assert done.returncode == 3
    assert "policy.toml" in done.stderr


READERS: dict[str, Callable[[Path], object]] = {
    "a pack of the engine": lambda path: engine_packs.install(path, path.parent / "packs"),
    "what is to be trained": spec_builder.read_spec_file,
    "presets": read_presets,
    "a model": local_models.describe,
}


@pytest.mark.parametrize("case", READERS)
@pytest.mark.fault("S10")
def test_a_pipe_or_a_device_under_the_name_of_a_file_is_refused(case: str, tmp_path: Path, tally: Tally) -> None:
    pipe, device = tmp_path / "pipe.gguf", tmp_path / "device.gguf"
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    for path in (pipe, device):
        with pytest.raises(AppError) as caught:
            READERS[case](path)
        assert wording.describe_error(caught.value).message
    tally.tried(2)


@pytest.mark.fault("S10")
def test_links_that_lead_nowhere_or_to_files_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to("/nowhere")
    (tmp_path / "real.csv").touch()
    (tmp_path / "glossary.csv").symlink_to("real.csv")
    assert paths.locate(str(tmp_path)).data == tmp_path


@pytest.mark.fault("S19")
def test_files_of_ours_that_never_end_are_not_read_to_their_end(tmp_path: Path, tally: Tally) -> None:
    for name in ("seal.key", "training-environment.attempt", "training-environment.key", "made_here.txt"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(1 << 40)
    with pytest.raises(OSError, match="too large"):
        Signer(tmp_path).mark(b"x")
    assert folders.list_attempts(tmp_path) == []
    assert not training_environment.is_ours(tmp_path / "environment", tmp_path)
    authenticity.use_registry(tmp_path)
    assert not authenticity.is_content_written_by_kotae("run.json", b"x")
    tally.tried(4)


# ------------------------------------------------------------------------ programs in a database


@pytest.mark.parametrize("name", ["falls", 'with "quotes"', "鍵; DROP TABLE collection"])
@pytest.mark.fault("S16")
def test_a_trigger_that_came_with_a_database_changes_no_label(name: str, tmp_path: Path) -> None:
    where = Paths(tmp_path)
    Library.open(where.documents).close()
    quoted = name.replace('"', '""')
    with sqlite3.connect(where.documents) as db:
        db.execute(
            f'CREATE TRIGGER "{quoted}" AFTER INSERT ON collection BEGIN'
            " UPDATE collection SET label = 'public' WHERE id = new.id; END"
        )
    db.close()
    Library.open(where.documents).close()
    database = Database.open_second(where.documents)
    with database.transaction():
        database.write("INSERT INTO collection(name, label, created_at) VALUES ('a', 'secret', 0)")
    assert [row["label"] for row in database.read("SELECT label FROM collection")] == ["secret"]
    database.close()


ROWS = {
    "a size that is a text": "UPDATE local_model SET size_bytes = 'many'",
    "files that are a number": "UPDATE local_model SET files = '7'",
    "files of other fields": """UPDATE local_model SET files = '[{"a": 1}]'""",
    "files nested without end": f"UPDATE local_model SET files = '{'[' * 100_000}{']' * 100_000}'",
    "speeds that are no JSON": """UPDATE local_model SET speeds = '{"x":'""",
    "provenance that is none": "INSERT INTO tuned_model VALUES ('m', '[', NULL)",
    "a model trained here without its values": "INSERT INTO tuned_model VALUES ('t', '{}', '{}')",
    "a server without an address": "INSERT INTO remote_model VALUES ('r', '[1]')",
    "a preset that is a list": "INSERT INTO preset VALUES ('p', 'preset', 'a', '[1]')",
    "a preset that is no JSON": "INSERT INTO preset VALUES ('p', 'preset', 'a', '{')",
}


@pytest.mark.parametrize("case", ROWS)
@pytest.mark.fault("F9")
def test_a_database_with_values_that_stand_for_nothing_is_damaged(case: str, tmp_path: Path) -> None:
    where = paths.locate(str(tmp_path))
    store = Store.open(where.database, where.backups)
    file = tmp_path / "m.gguf"
    file.write_bytes(b"x")
    store.put_local_model(LocalModel("m", "M", str(file), 1, "llama", "F32", 2048, 1.0))
    store.close()
    with closing(sqlite3.connect(where.database)) as db:
        db.execute(ROWS[case])
        db.commit()
    store = Store.open(where.database, where.backups)
    try:
        presets = PresetTable(store.database)
        read = (
            presets.all_presets
            if "preset" in case
            else functools.partial(model_registry.list_models, store, where.models)
        )
        with pytest.raises(AppError, match="database_damaged"):
            read()
    finally:
        store.close()


DOCUMENTS = {
    "a name of bytes": "UPDATE collection SET name = x'ff00'",
    "a heading nested without end": f"UPDATE section SET heading = '{'[' * 100_000}'",
    "a heading of numbers": "UPDATE section SET heading = '[1, 2]'",
    "places on a page that are no JSON": "UPDATE section SET boxes = '[0'",
    "places on a page of other fields": "UPDATE section SET boxes = '[[1]]'",
    "a text of bytes": "UPDATE section SET text = x'ff'",
    "facts of an error that are none": "UPDATE document SET error_facts = '{'",
    "a report that is a list": "UPDATE document SET report = '[1]'",
}


@pytest.mark.parametrize("case", DOCUMENTS)
@pytest.mark.fault("F9")
def test_a_database_of_documents_with_values_that_stand_for_nothing_is_damaged(case: str, tmp_path: Path) -> None:
    where = Paths(tmp_path)
    library = Library.open(where.documents)
    [id] = library.add_documents(library.add_collection("資料"), [tmp_path / "a.txt"])
    with library.database.transaction():
        SectionTable(library.database).add(id, [Section(("第1条",), "高さは15 mとする。")], lambda _count: None)
    with library.database.transaction():
        library.database.write(DOCUMENTS[case])
    with pytest.raises(AppError, match="database_damaged"):
        _shown(library)
    library.close()


def _shown(library: Library) -> None:
    for collection in library.collections():
        library.documents(collection.id)
    widen_sections(library, [(row["id"], 1.0) for row in library.database.read("SELECT id FROM section")], 3)


CONVERSATIONS = {
    "choices that are no JSON": "UPDATE conversation SET choices = '{'",
    "a scope that is no JSON": "UPDATE conversation SET scope = '['",
    "details nested without end": f"UPDATE message SET details = '{'[' * 100_000}'",
    "details that are a list": "UPDATE message SET details = '[1]'",
}


@pytest.mark.parametrize("case", CONVERSATIONS)
@pytest.mark.fault("F9")
def test_a_database_of_conversations_with_values_that_stand_for_nothing_is_damaged(case: str, tmp_path: Path) -> None:
    where = paths.locate(str(tmp_path))
    store = Store.open(where.database, where.backups)
    question = store.add_question("質問")
    with store.database.transaction():
        store.database.write(CONVERSATIONS[case])
    with pytest.raises(AppError, match="database_damaged"):
        (store.conversations(), store.tree(question.conversation_id))
    store.close()


@pytest.mark.fault("S16")
def test_no_trigger_or_view_stays_in_a_file(tmp_path: Path) -> None:
    where = Paths(tmp_path)
    Library.open(where.documents).close()

    def programs() -> set[str]:
        with closing(sqlite3.connect(where.documents)) as db:
            listed = "SELECT name FROM sqlite_master WHERE type IN ('trigger', 'view')"
            return {name for (name,) in db.execute(listed)}

    with closing(sqlite3.connect(where.documents)) as db:
        db.execute('CREATE TRIGGER "a""b" AFTER INSERT ON section BEGIN DELETE FROM section; END')
        db.execute("CREATE VIEW other AS SELECT * FROM section")
    assert programs() == {'a"b', "other"}
    Library.open(where.documents).close()
    assert programs() == set()
