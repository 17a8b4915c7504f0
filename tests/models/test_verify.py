"""Whether a model is still what it was: damage, decay and replacement told apart, and what is learned kept."""

import os
import sqlite3
from pathlib import Path

import pytest

from app.base.migrations import MIGRATIONS
from app.chat.store import Store
from app.inference.local_model import LocalModel
from app.models import local_models, verification
from app.models.verification import VerifyResult
from tests import model_files as models


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return models.tiny_llama(tmp_path / "モデル.gguf")


@pytest.fixture
def known(path: Path) -> LocalModel:
    """A model whose hash is remembered."""
    return verification.verify_model(local_models.describe(path)).model


def flip(path: Path, at: int, *, keeps_time: bool = True) -> None:
    """One bit of one byte, as a drive that decays does it: the time stays."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 4]))
    changed_at = status.st_mtime_ns if keeps_time else status.st_mtime_ns + 10**9
    os.utime(path, ns=(status.st_atime_ns, changed_at))


def told(verdict: VerifyResult) -> tuple[str, str | None]:
    assert verdict.is_good is (verdict.state in ("sound", "first"))
    return verdict.state, verdict.problem.code if verdict.problem else None


def test_the_first_time_remembers_and_the_second_compares(path):
    first = verification.verify_model(local_models.describe(path))
    assert told(first) == ("first", None)
    assert len(first.model.files[0].sha256) == 64
    assert told(verification.verify_model(first.model)) == ("sound", None)


def test_flipped_bytes_are_damage_until_they_are_flipped_back(path, known):
    for from_end in (1, 5_000, 200_000):
        flip(path, path.stat().st_size - from_end)
        verdict = verification.verify_model(known)
        assert told(verdict) == ("damaged", "model_file_damaged")
        assert verdict.model == known  # what was right is not replaced by what is wrong
        flip(path, path.stat().st_size - from_end)
    assert told(verification.verify_model(known)) == ("sound", None)


def test_a_file_that_was_written_to_or_replaced_is_said_to_be_changed(path, known):
    first = local_models.describe(path)
    flip(path, path.stat().st_size - 9, keeps_time=False)
    assert told(verification.verify_model(known)) == ("changed", "model_file_changed")
    assert told(verification.verify_model(first)) == ("changed", "model_file_changed")  # also where no hash was known
    models.tiny_llama(path, seed=2)
    os.utime(path, ns=(1, 1))
    assert told(verification.verify_model(known)) == ("changed", "model_file_changed")


def test_a_new_time_alone_is_no_change(path, known):
    os.utime(path, ns=(1, 1))
    verdict = verification.verify_model(known)
    assert told(verdict) == ("sound", None)
    assert verdict.model.files[0].modified_ns == 1


def test_a_broken_structure_is_named(path, known):
    whole = path.read_bytes()
    for content, code in (
        (b"", "file_empty"),
        (b"<html>", "not_gguf_html"),
        (b"\0" * 5000, "not_gguf_zeros"),
        (b"GGUF", "truncated_header"),
        (whole[:-1], "truncated"),
    ):
        path.write_bytes(content)
        assert told(verification.verify_model(known)) == ("damaged", code)
    path.unlink()
    assert told(verification.verify_model(known)) == ("missing", "file_missing")


def test_each_part_of_a_split_model_is_compared(tmp_path):
    models.tiny_llama(tmp_path / "s.gguf", tensors_per_file=9)
    known = verification.verify_model(local_models.describe(tmp_path / "s-00001-of-00003.gguf")).model
    assert len({mark.sha256 for mark in known.files}) == 3
    assert told(verification.verify_model(known)) == ("sound", None)
    second = tmp_path / "s-00002-of-00003.gguf"
    flip(second, second.stat().st_size - 3)
    verdict = verification.verify_model(known)
    assert verdict.problem.facts["path"] == str(second)
    second.unlink()
    assert told(verification.verify_model(known)) == ("missing", "split_part_missing")


def test_the_hash_in_the_name_of_ollamas_file_is_what_it_is_compared_with(tmp_path, path):
    from tests.models.test_found_models import put_into_ollama

    blob = put_into_ollama(tmp_path / "o", path, "registry.ollama.ai", "library", "tiny", "latest")
    model = local_models.describe(blob)
    assert told(verification.verify_model(model)) == ("sound", None)
    flip(blob, blob.stat().st_size - 9)
    assert told(verification.verify_model(model)) == ("damaged", "model_file_damaged")
    assert told(verification.verify_model(local_models.describe(blob))) == ("damaged", "model_file_damaged")


@pytest.mark.model
def test_the_catalogues_hash_is_what_a_file_of_the_catalogue_is_compared_with(tmp_path, starter_model):
    assert told(verification.verify_model(local_models.describe(starter_model))) == ("sound", None)
    damaged = models.hollow(starter_model, tmp_path / "damaged.gguf")
    assert damaged.stat().st_size == starter_model.stat().st_size
    assert told(verification.verify_model(local_models.describe(damaged))) == ("damaged", "model_file_damaged")


def test_progress_goes_up_to_the_whole_and_can_end_the_work(path):
    model = local_models.describe(path)
    seen: list[tuple[int, int]] = []
    verification.verify_model(model, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (path.stat().st_size, path.stat().st_size)

    def cancel(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verification.verify_model(model, cancel)


def test_the_marks_are_kept_in_the_list_and_by_a_second_import(store, path, known):
    store.put_local_model(known)
    assert store.local_models() == [known]
    again = local_models.merged_with_known(local_models.describe(path), store.local_models())
    assert again.files == known.files
    flip(path, path.stat().st_size - 9, keeps_time=False)
    again = local_models.merged_with_known(local_models.describe(path), store.local_models())
    assert again.files[0].sha256 == ""


def test_a_list_from_before_the_marks_is_verified_too(where, path):
    model = local_models.describe(path)
    at = 3  # the last version without marks
    db = sqlite3.connect(where.database)
    for migrate in MIGRATIONS[:at]:
        migrate(db)
    db.execute(
        "INSERT INTO local_model(id, name, path, size_bytes, architecture, quantization, context_tokens, added_at)"
        " VALUES ('m', 'M', ?, 1, 'llama', 'F32', 512, 1.0)",
        (model.path,),
    )
    db.execute(f"PRAGMA user_version = {at}")
    db.commit()
    db.close()
    store = Store.open(where.database, where.backups)
    old = store.local_models()
    store.close()
    assert old == [LocalModel("m", "M", model.path, 1, "llama", "F32", 512, 1.0)]
    assert told(verification.verify_model(old[0])) == ("first", None)
