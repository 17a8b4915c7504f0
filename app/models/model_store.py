"""Store the local models in their tables of the database, which also holds the conversations (`app.chat`).

A method that writes has committed the change when it returns. The provenance of a tuned model is JSON in one column.
"""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from app.base.database import Database, Row
from app.inference.local_model import FileFingerprint, LocalModel, TuningRecord
from app.models import catalogue
from app.models.catalogue import ModelCard


def tuned_to_json(tuned: TuningRecord) -> str:
    return json.dumps(dataclasses.asdict(tuned), ensure_ascii=False)


def tuned_from_json(text: str | None) -> TuningRecord | None:
    """Return the tuning record in a text, None for None; keys that a newer version has added are ignored."""
    if text is None:
        return None
    known = {field.name for field in dataclasses.fields(TuningRecord)}
    values = {key: value for key, value in json.loads(text).items() if key in known}
    return TuningRecord(**values | {"origins": tuple(map(tuple, values.get("origins") or ()))})


class ModelStore:
    """Reads and writes the tables of local models. Its methods raise AppError as `Database` does."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.path = database.path
        self._db = database

    @classmethod
    def open(cls, path: Path, backups: Path, clock: Callable[[], float] = time.time) -> Self:
        return cls(Database.open(path, backups, clock))

    @classmethod
    def open_second(cls, path: Path) -> Self:
        """Open a second connection to an open database, for another thread."""
        return cls(Database.open_second(path))

    @classmethod
    def in_memory(cls) -> Self:
        """Open a store in memory, for conversations that are never written."""
        return cls(Database.in_memory())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def local_models(self) -> list[LocalModel]:
        """Return the models that have their own file; `model_registry.list_models` returns all."""
        sql = "SELECT m.*, tuned FROM local_model m LEFT JOIN tuned_model USING (id) ORDER BY added_at, id"
        return self._db.read_as(_local_model, sql)

    def put_local_model(self, model: LocalModel) -> None:
        """Add a model, or replace the one with the same id or path."""
        values = dataclasses.asdict(model)
        del values["tuned"], values["adapter"], values["remote"]
        values["speeds"] = json.dumps(model.speeds) if model.speeds is not None else None
        values["files"] = json.dumps(values["files"])
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        with self._db.transaction():
            self._db.write(
                f"INSERT OR REPLACE INTO local_model({columns}) VALUES ({marks})",  # noqa: S608
                *values.values(),
            )

    def remove_local_model(self, model_id: str) -> None:
        """Delete the model's row; its file stays."""
        with self._db.transaction():
            for table in ("local_model", "tuned_model", "remote_model"):
                self._db.write(f"DELETE FROM {table} WHERE id = ?", model_id)  # noqa: S608


def _local_model(row: Row) -> LocalModel:
    values = dict(row)
    values["tuned"] = tuned_from_json(values["tuned"])
    values["template_allowed"] = bool(values["template_allowed"])
    values["speeds"] = json.loads(values["speeds"]) if values["speeds"] else None
    values["files"] = tuple(FileFingerprint(**fingerprint) for fingerprint in json.loads(values["files"] or "[]"))
    if not isinstance(values["size_bytes"], int):  # the type of the other columns matters for display only
        raise TypeError("size_bytes")
    values["name"] = _name_now(values["name"], catalogue.card(values["card_id"]), values["quantization"])
    return LocalModel(**values)


def _name_now(stored: str, card: ModelCard | None, quantization: str) -> str:
    """Return a stored name in the language of today, if it is that of the card in either language."""
    if card is None or not card.name_en:
        return stored
    given = (f"{name} {quantization}".strip() for name in (card.name, card.name_en))
    return f"{card.title} {quantization}".strip() if stored in given else stored
