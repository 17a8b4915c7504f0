"""What `kotae ask` takes from the database."""

from typing import Any

import pytest

from app.cli import ask
from app.core.database import Database
from app.core.errors import AppError
from app.core.paths import Paths
from app.core.records import LocalModel
from app.core.store import Store


def test_model_and_preset_come_from_one_look_into_the_database(where: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store.open(where.database, where.backups)
    store.put_local_model(LocalModel("a", "A", str(where.data / "a.gguf"), 1, "llama", "Q4_K_M", 4096, 1.0))
    store.close()
    opened = []
    before = Database.open

    def counted(*arguments: Any) -> Database:
        opened.append(before(*arguments))
        return opened[-1]

    monkeypatch.setattr(Database, "open", counted)
    model, _settings, preset = ask._choose("a", None, where)
    assert (model.id, bool(preset.name), len(opened)) == ("a", True, 1)
    with pytest.raises(AppError, match="unknown_model"):
        ask._choose("b", None, where)
    for database in opened:
        with pytest.raises(AppError):  # it is closed, also after a failure
            database.read("SELECT 1")
