"""The care of the models as the window asks for it: off its thread, with progress, and one thing at a time."""

import pytest

from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.presets import Choices
from app.chat.services.preset_library import PresetLibrary
from app.chat.store import Store
from app.models import local_models, models_folder
from app.models.models_folder import FolderMove
from app.models.services.maintenance import ModelMaintenance
from app.models.services.model_library import ModelLibrary
from tests import model_files as models
from tests.models.test_verify import flip
from tests.permits import PERMIT


class Care:
    """A library with the care of its models."""

    def __init__(self, store: Store, where: Paths) -> None:
        self.library = ModelLibrary(store, where.models)
        self.preferences = Preferences(where.settings)
        self.presets = PresetLibrary(store)
        self.maintenance = ModelMaintenance(
            store, self.library, self.presets, self.preferences, where, lambda _model: "public"
        )


@pytest.fixture
def care(where: Paths, store: Store) -> Care:
    path = models.tiny_llama(where.models / "m.gguf")
    local_models.add(store, local_models.describe(path))
    return Care(store, where)


def test_how_a_verification_ended_is_remembered_also_after_a_restart(care, qtbot, where, store):
    model = care.library.models()[0]
    assert care.maintenance.last_verified(model) is None
    with qtbot.waitSignals([care.maintenance.verified, care.maintenance.progressed]):
        care.maintenance.verify()
    assert care.library.models()[0].files[0].sha256
    assert care.maintenance.last_verified(model).state == "first"
    flip(where.models / "m.gguf", 300_000)
    with qtbot.waitSignal(care.maintenance.verified) as signal:
        care.maintenance.verify(["m"])
    assert [verdict.state for verdict in signal.args[0]] == ["damaged"]
    last = Care(store, where).maintenance.last_verified(model)
    assert (last.state, last.problem.code, last.problem.facts["path"]) == ("damaged", "model_file_damaged", model.path)


def test_a_moved_folder_is_used_from_then_on(care, qtbot, tmp_path, where):
    with qtbot.waitSignal(care.maintenance.folder_moved) as signal:
        care.maintenance.move_folder(tmp_path / "new")
    assert signal.args[0].folder == tmp_path / "new"
    assert care.library.models()[0].path == str(tmp_path / "new" / "m.gguf")
    assert care.preferences.value.models_folder == str(tmp_path / "new")
    care.preferences.change(theme="dark")  # the window's own copy knows of it too
    assert Preferences(where.settings).value.models_folder == str(tmp_path / "new")


def test_a_move_that_cannot_be_done_or_was_cancelled_is_said(care, qtbot, tmp_path, where):
    with qtbot.waitSignal(care.maintenance.failed) as signal:
        care.maintenance.move_folder(where.models / "inside")
    assert signal.args[0].code == "move_same_place"
    with qtbot.waitSignal(care.maintenance.failed) as signal:
        care.maintenance.move_folder(tmp_path / "new")
        care.maintenance.cancel()
    assert signal.args[0].code == "cancelled"
    assert (where.models / "m.gguf").exists()
    assert not (tmp_path / "new" / "m.gguf").exists()


def test_a_kit_brings_models_and_presets_to_another_machine(care, qtbot, tmp_path):
    from app.base import paths

    care.presets.add("chat", "橋の点検", Choices(temperature=0.2))
    with qtbot.waitSignal(care.maintenance.kit_written):
        care.maintenance.export_kit(["m"], tmp_path / "kit", PERMIT, part_bytes=100_000)
    elsewhere = paths.locate(str(tmp_path / "遠い PC"))
    store = Store.open(elsewhere.database, elsewhere.backups)
    other = Care(store, elsewhere)
    for _ in range(2):  # a second time changes nothing
        with qtbot.waitSignal(other.maintenance.kit_read) as signal:
            other.maintenance.import_kit(tmp_path / "kit")
        assert signal.args[0].problems == []
        assert [model.id for model in other.library.models()] == ["m"]
        assert [preset.name for preset in other.presets.own_presets()] == ["橋の点検"]
    store.close()


def test_what_was_verified_before_a_cancellation_counts(care, qtbot, where, store):
    second = local_models.add(store, local_models.describe(models.tiny_llama(where.models / "n.gguf")))
    care.library.refresh()
    first = care.library.models()[0]

    def cancel_in_the_second(done: int, _total: int) -> None:
        if done >= first.size_bytes:
            care.maintenance.cancel()

    care.maintenance.progressed.connect(cancel_in_the_second)
    care.maintenance.verify()
    qtbot.waitUntil(lambda: not care.maintenance.is_working)
    assert care.maintenance.last_verified(first) is not None
    assert second.id in {model.id for model in care.library.models()}


def test_an_interrupted_move_is_seen_and_can_be_undone(care, qtbot, tmp_path, where):
    target = tmp_path / "new"
    target.mkdir()
    (target / "m.gguf.kotae-moving").write_bytes(b"half")
    models_folder.write_journal(where, FolderMove(where.models, target, "copying", ("m.gguf",), ("m.gguf",), {}))
    assert care.maintenance.pending_move().target == target
    with qtbot.waitSignal(care.maintenance.move_undone):
        care.maintenance.undo_move()
    assert care.maintenance.pending_move() is None
    assert list(target.iterdir()) == []
    assert (where.models / "m.gguf").exists()
