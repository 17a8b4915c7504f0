"""Downloads that other programs see, in the cache of the hub's own library."""

import pytest

from app.models import hub_models
from app.models.download_queue import QueuedDownload, QueuedFile


@pytest.mark.parametrize("commit", ["../../../../outside", "main", "C" * 40 + "/.."])
def test_a_commit_that_is_no_hash_leads_nowhere(tmp_path, monkeypatch, commit):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache" / "hub"))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "m.gguf").write_bytes(b"GGUF")
    files = (QueuedFile("m.gguf", "m.gguf", 4, "a" * 64),)
    queued = QueuedDownload("1", "m", "M", "Q8_0", "", "owner/m", commit, 4, files)
    hub_models.share_in_cache(queued, tmp_path / "models")
    assert [path.name for path in tmp_path.rglob("*") if path.name not in ("models", "m.gguf")] == []
    assert len([*tmp_path.rglob("m.gguf")]) == 1


@pytest.mark.parametrize("is_newest", [False, True])
def test_only_what_the_main_branch_has_is_called_so(tmp_path, monkeypatch, is_newest):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    branch = tmp_path / "hub" / "models--owner--m" / "refs" / "main"
    branch.parent.mkdir(parents=True)
    branch.write_text("a" * 40)
    (tmp_path / "m.gguf").write_bytes(b"GGUF")
    files = (QueuedFile("m.gguf", "m.gguf", 4, "a" * 64),)
    queued = QueuedDownload("1", "m", "M", "Q8_0", "", "owner/m", "c" * 40, 4, files, is_newest=is_newest)
    hub_models.share_in_cache(queued, tmp_path)
    assert branch.read_text() == ("c" if is_newest else "a") * 40
