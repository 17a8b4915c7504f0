"""What is planned of a model to download, and what is remembered of it."""

import dataclasses
import json
from pathlib import Path

import pytest

from app.base.addresses import host_of, strip_credentials
from app.base.errors import AppError
from app.models import catalogue, download_queue
from app.models.catalogue import ModelCard, ModelFile
from app.models.download_queue import QueuedDownload, QueuedFile

SHA, COMMIT = "a" * 64, "c" * 40
PARTS = [f"m-0000{number}-of-00003.gguf" for number in (1, 2, 3)]


def card() -> ModelCard:
    found = catalogue.card("qwen3-4b-instruct-2507")
    assert found is not None
    return found


def file(**changes: object) -> ModelFile:
    fields = {"quantization": "Q4_K_M", "size_bytes": 1000, "sha256": SHA, "repository": "o/m", "revision": COMMIT}
    return ModelFile(**(fields | {"file": "m.gguf"} | changes))  # type: ignore[arg-type]


def planned(place: str = "", **changes: object) -> QueuedDownload:
    return download_queue.plan_download(card(), file(**changes), place, "1")


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("", "hub"),
        ("https://mirror.example/hub", "hub"),
        ("https://host.example/a/m.gguf?download=true", "file"),
        ("/media/usb", "folder"),
        ("//server/share/models", "folder"),
        ("C:\\models", "folder"),
        ("/media/usb/m.GGUF", "local_file"),
    ],
)
def test_a_place_is_known_by_its_look(place: str, kind: str) -> None:
    assert download_queue.source_kind(place) == kind
    assert download_queue.is_online(place) == (kind in ("hub", "file"))


@pytest.mark.parametrize(
    ("changes", "needs"),
    [({}, False), ({"sha256": ""}, True), ({"revision": ""}, True), ({"verified": False}, True),
     ({"file": PARTS[0]}, True)],
)  # fmt: skip
def test_only_what_nobody_has_pinned_is_asked_of_the_repository(changes: dict[str, object], needs: bool) -> None:
    assert planned(**changes).needs_listing == needs
    assert not planned("/media/usb", **changes).needs_listing


def test_a_size_that_is_only_about_right_is_not_demanded() -> None:
    assert planned().files[0].size_bytes == 1000
    assert planned(verified=False).files[0].size_bytes == 0


@pytest.mark.parametrize(
    ("place", "sources"),
    [
        ("", [f"gguf/{name}" for name in PARTS]),
        ("/media/usb", PARTS),
        ("https://host.example/m-00001-of-00003.gguf?k=1", [f"https://host.example/{name}?k=1" for name in PARTS]),
    ],
)
def test_a_split_model_is_all_of_its_parts(place: str, sources: list[str]) -> None:
    entry = planned(place, file=f"gguf/{PARTS[0]}")
    assert [one.name for one in entry.files] == PARTS
    assert [one.source for one in entry.files] == sources


def test_a_part_count_that_cannot_be_is_no_part() -> None:
    assert download_queue.part_names("m-00001-of-99999.gguf") == ["m-00001-of-99999.gguf"]
    assert download_queue.part_names("m-00001-of-00000.gguf") == ["m-00001-of-00000.gguf"]


def test_what_has_no_source_is_said() -> None:
    with pytest.raises(AppError, match="download_no_source"):
        planned(file="", repository="")
    with pytest.raises(AppError, match="download_no_source"):
        planned(repository="")
    with pytest.raises(AppError, match="download_bad_address"):
        planned("ftp://server/models")


def test_a_listing_gives_sizes_checksums_and_the_commit() -> None:
    entry = planned(sha256="", revision="", file=PARTS[0])
    listed = {name: (number * 100, SHA) for number, name in enumerate(PARTS, start=1)}
    known = download_queue.with_listing(entry, COMMIT, listed)
    assert (known.size_bytes, known.revision, known.needs_listing) == (600, COMMIT, False)
    assert [one.size_bytes for one in known.files] == [100, 200, 300]


@pytest.mark.parametrize(
    ("listed", "code"), [({}, "download_not_found"), ({"m.gguf": (1000, "b" * 64)}, "download_other_file")]
)
def test_a_listing_without_what_was_asked_for_is_refused(listed: dict[str, tuple[int, str]], code: str) -> None:
    with pytest.raises(AppError, match=code):
        download_queue.with_listing(planned(verified=False), COMMIT, listed)


def test_what_was_under_way_comes_back_paused_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "downloads.json"
    problem = AppError("download_cut", done_bytes=5)
    states = ["running", "waiting", "paused", "failed", "cancelled"]
    files = (QueuedFile("m.gguf", "m.gguf", has_arrived=True),)
    entries = [
        QueuedDownload(str(number), "c", "題", "Q4_K_M", "", "o/m", "", 9, files, folder="/models").with_state(
            state, problem if state == "failed" else None
        )
        for number, state in enumerate(states)
    ]
    download_queue.save_queue(path, entries)
    loaded = download_queue.load_queue(path)
    assert [entry.state for entry in loaded] == ["paused", "paused", "paused", "failed", "cancelled"]
    assert [entry.id for entry in loaded] == ["0", "1", "2", "3", "4"]
    assert (loaded[3].problem_code, loaded[3].problem_facts) == ("download_cut", {"done_bytes": 5})
    assert loaded[0] == entries[0].with_state("paused")


@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"[" * 200_000, b"[]", b'{"version": 9, "downloads": []}', b'{"version": 1, "downloads": 5}',
     b'{"version": 1, "downloads": [5, {}, {"id": 3}]}'],
)  # fmt: skip
@pytest.mark.fault("F1")
def test_a_damaged_queue_is_an_empty_one(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "downloads.json").write_bytes(damage)
    assert download_queue.load_queue(tmp_path / "downloads.json") == []


@pytest.mark.fault("F1")
def test_one_damaged_entry_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "downloads.json"
    download_queue.save_queue(path, [planned(), dataclasses.replace(planned(), id="2")])
    document = json.loads(path.read_text())
    document["downloads"][0]["size_bytes"] = "much"
    path.write_text(json.dumps(document))
    assert [(entry.id, entry.revision) for entry in download_queue.load_queue(path)] == [("2", COMMIT)]


@pytest.mark.fault("F1")
def test_what_has_arrived_and_is_gone_since_comes_again(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    files = tuple(QueuedFile(name, name, 10, "s", has_arrived=True, was_here=True) for name in PARTS[:2])
    (tmp_path / PARTS[0]).write_bytes(bytes(10))
    for folder, is_first_there in ((tmp_path, True), (tmp_path / "unplugged", False)):
        entry = QueuedDownload("1", "c", "t", "Q", "", "r", "", 20, files, folder=str(folder))
        settled = download_queue.with_folder(entry, tmp_path if is_first_there else tmp_path / "models")
        there = [(file.has_arrived, file.was_here) for file in settled.files]
        assert there == [(is_first_there, is_first_there), (False, False)]


def test_addresses_are_kept_without_secrets() -> None:
    assert strip_credentials("https://me:key@host:8/a?token=1#x") == "https://host:8/a"
    assert strip_credentials("/media/a@b?c") == "/media/a@b?c"
    assert "key" not in strip_credentials("http://me:key@[half")
    assert host_of("https://me:key@Host.example:8/a") == "host.example"
    assert host_of("/media/usb") == ""
