"""The transfer kit: what arrives is what was sent, or the damaged part is named and only it is needed again."""

import dataclasses
import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.base.errors import AppError
from app.base.files.input_file import sha256_of
from app.chat.presets import Choices, Preset, parse_presets, write_presets
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models, verification
from app.models.kits import kit_export, kit_import, transfer_kit
from app.models.kits.kit_import import ImportedModels
from tests import model_files as models
from tests.inference.engine.child import Child
from tests.models.test_found_models import put_into_ollama
from tests.permits import PERMIT, until_secret
from tests.shared_files import link

ROOT = Path(__file__).parents[2]
PART_BYTES = 100_000


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> list[LocalModel]:
    """One model in a file, and one split into two."""
    folder = tmp_path_factory.mktemp("source")
    models.tiny_llama(folder / "モデル a.gguf")
    models.tiny_llama(folder / "b.gguf", seed=2, tensors_per_file=12)
    return [local_models.describe(folder / name) for name in ("モデル a.gguf", "b-00001-of-00002.gguf")]


@pytest.fixture(scope="module")
def made(source: list[LocalModel], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kit")
    kit_export.export_kit(source, folder, part_bytes=PART_BYTES, permit=PERMIT)
    return folder


@pytest.fixture
def kit(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "usb"))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models"


def export(models: list[LocalModel], folder: Path, part_bytes: int = PART_BYTES, **options: Any) -> None:
    kit_export.export_kit(models, folder, **({"part_bytes": part_bytes, "permit": PERMIT} | options))


def bring_in(kit: Path, target: Path, add: Callable[[LocalModel], LocalModel] = lambda model: model) -> ImportedModels:
    return kit_import.import_kit(kit, target, add, parse_presets)


def cancel(done: int, total: int) -> None:
    """Ends the work within the first model."""
    if done > total / 4:
        raise KeyboardInterrupt


def named(outcome: ImportedModels) -> list[tuple[str, str]]:
    return [(problem.code, str(problem.facts.get("part"))) for problem in outcome.problems]


def files_of(model: LocalModel) -> list[Path]:
    return [Path(model.path).with_name(one.name) for one in model.files]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


WHOLE = [
    "b-00001-of-00002-licence.txt",
    "b-00001-of-00002.gguf",
    "b-00002-of-00002.gguf",
    "モデル a-licence.txt",
    "モデル a.gguf",
]


# --------------------------------------------------------------------- export


def test_the_parts_are_no_larger_than_asked_and_in_the_table_and_together_they_are_the_files(
    made: Path, source: list[LocalModel]
) -> None:
    assert transfer_kit.PART_BYTES <= transfer_kit.PART_MAX_BYTES == 4 * 1024**3 - 1  # fits on FAT32
    parts = sorted(made.glob("*.kotae-part"))
    assert all(0 < path.stat().st_size <= PART_BYTES for path in parts)
    assert len(parts) > 8
    for number, path in enumerate([path for model in source for path in files_of(model)], start=1):
        joined = b"".join(part.read_bytes() for part in parts if part.name.startswith(f"{number:03}-"))
        assert joined == path.read_bytes()
    for part in transfer_kit.read_kit(made).parts():
        content = (made / part.name).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (part.size_bytes, part.sha256)


def test_an_export_that_is_run_again_writes_only_what_is_not_right(
    kit: Path, source: list[LocalModel], target: Path, made: Path
) -> None:
    before = {path.name: path.stat().st_ino for path in kit.glob("*.kotae-part")}
    export(source, kit)
    assert {path.name: path.stat().st_ino for path in kit.glob("*.kotae-part")} == before
    flip(kit / "001-0002.kotae-part", 5)
    (kit / "002-0001.kotae-part").unlink()
    (kit / "003-0001.kotae-part").write_bytes(b"")
    export(source, kit)
    assert {path.name: path.read_bytes() for path in kit.iterdir()} == {p.name: p.read_bytes() for p in made.iterdir()}
    assert bring_in(kit, target).problems == []


def test_another_kit_in_the_same_folder_replaces_the_first(kit: Path, source: list[LocalModel], target: Path) -> None:
    export(source[:1], kit, 300_000)
    assert len(list(kit.glob("*.kotae-part"))) == 2
    assert [model.name for model in bring_in(kit, target).models] == [source[0].name]


def test_a_cancelled_export_keeps_whole_parts_and_is_no_kit_yet(source: list[LocalModel], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        export(source, tmp_path / "k", report=cancel)
    kept = names(tmp_path / "k")
    assert kept
    assert all(name.endswith(".kotae-part") for name in kept)
    with pytest.raises(AppError, match="kit_missing"):
        bring_in(tmp_path / "k", tmp_path / "to")


def test_neither_nothing_nor_a_damaged_model_is_exported(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="kit_nothing_chosen"):
        export([], tmp_path / "k")
    path = models.tiny_llama(tmp_path / "m.gguf")
    known = verification.verify_model(local_models.describe(path)).model
    flip(path, path.stat().st_size - 50)
    with pytest.raises(AppError, match="model_file_damaged"):
        export([known], tmp_path / "k")
    assert not (tmp_path / "k" / transfer_kit.MANIFEST_NAME).exists()


@pytest.mark.parametrize("name", ["manifest.json", "LICENCES.txt", "presets.json"])
def test_a_file_that_no_kit_has_written_is_not_replaced(source: list[LocalModel], tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"name": "my web app"}')
    with pytest.raises(AppError, match="kit_folder_taken") as caught:
        export(source, tmp_path)
    assert caught.value.facts["path"] == str(tmp_path / name)
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == '{"name": "my web app"}'


def fail(number: int) -> Callable[[int], None]:
    def sync(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    return sync


def no_room(_folder: Path) -> object:
    return type("Usage", (), {"free": 1000})()


@pytest.mark.parametrize(
    ("place", "name", "double", "code"),
    [
        (shutil, "disk_usage", no_room, "drive_space"),
        (kit_export.os, "fsync", fail(errno.ENOSPC), "drive_space"),
        (kit_export.os, "fsync", fail(errno.EIO), "kit_unwritable"),
        (transfer_kit, "hash_file", lambda _path, _meter: "0" * 64, "move_copy_wrong"),  # the stick keeps other bytes
    ],
)
@pytest.mark.fault("F2")
def test_a_stick_that_fails_is_named_and_holds_nothing_half(
    source: list[LocalModel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    place: object, name: str, double: object, code: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(place, name, double)
    with pytest.raises(AppError, match=code):
        export(source, tmp_path / "k")
    assert names(tmp_path / "k") == []


def test_two_models_of_one_file_name_get_two_stems(tmp_path: Path, target: Path) -> None:
    for number, name in enumerate(("x", "y"), start=1):
        (tmp_path / name).mkdir()
        models.tiny_llama(tmp_path / name / "m.gguf", seed=number)
    both = [local_models.describe(tmp_path / name / "m.gguf") for name in ("x", "y")]
    both[1] = local_models.merged_with_known(both[1], both[:1])
    export(both, tmp_path / "k")
    bring_in(tmp_path / "k", target)
    assert {"m.gguf", "m-2.gguf"} < set(names(target))


@pytest.mark.model
def test_the_terms_of_the_trial_model_go_along(
    starter_model: Path, tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small file is the one that the catalogue lists here for the trial model."""
    book, called = catalogue.load(), {"general.name": gguf.read_header(starter_model).name}
    path = models.tiny_llama(tmp_path / starter_model.name, metadata=called)
    listed = dataclasses.replace(book.trial.files[0], size_bytes=path.stat().st_size, sha256=sha256_of(path))
    card = dataclasses.replace(book.trial, files=(listed,))
    monkeypatch.setattr(catalogue, "load", lambda: dataclasses.replace(book, cards=(card,)))
    model = local_models.describe(path)
    terms = starter_model.with_name("gemma-3-270m-terms.html")
    link(terms, tmp_path / terms.name)
    export([model], tmp_path / "k")
    assert "Gemma" in (tmp_path / "k" / "LICENCES.txt").read_text("utf-8")
    edit(tmp_path / "k", models__0__licence="ほかのモデルの使用条件")  # by somebody who took it for another model
    outcome = bring_in(tmp_path / "k", target)
    assert outcome.problems == []
    assert outcome.models[0].card_id == model.card_id == card.id
    assert "ai.google.dev/gemma/terms" in (target / f"{starter_model.stem}-licence.txt").read_text("utf-8")
    assert (target / terms.name).read_bytes() == terms.read_bytes()


def test_the_search_model_goes_along_with_the_text_of_its_licence(
    search_model: Path, tmp_path: Path, target: Path, source: list[LocalModel]
) -> None:
    export([source[0], local_models.describe(search_model)], tmp_path / "k", 30_000_000)
    assert "Copyright (c) Microsoft Corporation" in (tmp_path / "k" / "LICENCES.txt").read_text("utf-8")
    outcome = bring_in(tmp_path / "k", target)
    assert [model.card_id for model in outcome.models] == [None, "multilingual-e5-small"]
    assert local_models.is_published(outcome.models[1])
    assert "Permission is hereby granted" in (target / f"{search_model.stem}-licence.txt").read_text("utf-8")


def test_the_part_that_reads_pictures_goes_along(tmp_path: Path, target: Path) -> None:
    for name, options in (("one.gguf", {}), ("two.gguf", {"seed": 2, "tensors_per_file": 12})):
        models.tiny_llama(tmp_path / name, **options)
    part = models.projector(tmp_path / "part.gguf")
    found = [local_models.describe(tmp_path / name) for name in ("one.gguf", "two-00001-of-00002.gguf")]
    export([local_models.with_projector(model, part) for model in found], tmp_path / "k")
    outcome = bring_in(tmp_path / "k", target)
    assert outcome.problems == []
    assert [Path(model.projector).name for model in outcome.models] == ["one-mmproj.gguf", "two-mmproj.gguf"]
    assert [len(model.files) for model in outcome.models] == [1, 2]
    assert (target / "two-mmproj.gguf").read_bytes() == part.read_bytes()
    assert all(verification.verify_model(model).state == "sound" for model in outcome.models)
    part.unlink()
    export([local_models.describe(tmp_path / "one.gguf")], tmp_path / "k2")
    assert transfer_kit.read_kit(tmp_path / "k2").models[0].has_projector is False


# --------------------------------------------------------------------- import


def test_what_arrives_is_what_was_sent_with_its_hashes_and_the_engine_answers_with_it(
    kit: Path, target: Path, source: list[LocalModel], tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    outcome = kit_import.import_kit(
        kit, target, lambda model: model, parse_presets, lambda done, total: seen.append((done, total))
    )
    assert outcome.problems == []
    assert names(target) == WHOLE
    for was, now in zip(source, outcome.models, strict=True):
        assert (now.name, now.quantization, now.size_bytes) == (was.name, was.quantization, was.size_bytes)
        pairs = zip(files_of(was), files_of(now), strict=True)
        assert all(old.read_bytes() == new.read_bytes() for old, new in pairs)
        assert verification.verify_model(now).state == "sound"
    assert seen[-1] == (sum(model.size_bytes for model in source),) * 2
    with Child("llama", tmp_path / "log") as child:
        for model in outcome.models:
            child.load(Path(model.path))
            assert child.ask("hello", max_tokens=20)[1].usage.answer_tokens > 0


def test_ollamas_model_arrives_under_its_name(tmp_path: Path, tiny_model: Path, target: Path) -> None:
    blob = put_into_ollama(tmp_path / "o", tiny_model, "registry.ollama.ai", "library", "qwen2.5", "7b")
    export([local_models.describe(blob)], tmp_path / "k")
    bring_in(tmp_path / "k", target)
    assert "qwen2.5_7b.gguf" in names(target)


def test_the_users_presets_go_along(source: list[LocalModel], tmp_path: Path, target: Path) -> None:
    preset = Preset("x", "chat", "橋の点検", Choices(temperature=0.2))
    write_presets(tmp_path / "p.json", [preset])
    export(source[:1], tmp_path / "k", presets=(tmp_path / "p.json").read_bytes())
    assert bring_in(tmp_path / "k", target).presets == (dataclasses.replace(preset, id=""),)
    flip(tmp_path / "k" / "presets.json", 30)
    assert named(bring_in(tmp_path / "k", target)) == [("kit_part_damaged", "presets.json")]
    (tmp_path / "k" / "presets.json").unlink()
    assert named(bring_in(tmp_path / "k", target)) == [("kit_part_missing", "presets.json")]


@pytest.mark.parametrize(("part", "at"), [("001-0001", 0), ("001-0003", 50_000), ("001-0005", -1), ("003-0002", -1)])
def test_a_flipped_byte_names_the_part_and_only_that_is_needed_again(
    kit: Path, target: Path, made: Path, part: str, at: int
) -> None:
    name = f"{part}.kotae-part"
    flip(kit / name, at)
    outcome = bring_in(kit, target)
    assert named(outcome) == [("kit_part_damaged", name)]
    assert len(outcome.models) == 1
    assert outcome.waiting == ["モデル a" if part.startswith("001") else "b"]
    for path in kit.glob("*.kotae-part"):  # nothing but the one that is brought again
        path.unlink()
    shutil.copy(made / name, kit / name)
    assert named(bring_in(kit, target)) == []
    assert names(target) == WHOLE


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda path: path.unlink(), "kit_part_missing"),
        (lambda path: path.write_bytes(b""), "kit_part_damaged"),
        (lambda path: os.truncate(path, path.stat().st_size - 1), "kit_part_damaged"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "kit_part_damaged"),
        (lambda path: path.write_bytes(b"\0" * path.stat().st_size), "kit_part_damaged"),
        (lambda path: path.write_bytes((path.parent / "001-0003.kotae-part").read_bytes()), "kit_part_damaged"),
        (lambda path: (path.unlink(), path.mkdir()), "kit_part_irregular"),
        (lambda path: (path.unlink(), os.mkfifo(path)), "kit_part_irregular"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), "kit_part_irregular"),
        (lambda path: (path.rename(path.parent / "moved"), path.symlink_to("moved")), "kit_part_irregular"),
    ],
)
def test_every_kind_of_wrong_part_is_named(kit: Path, target: Path, change: Any, code: str) -> None:
    change(kit / "001-0002.kotae-part")
    outcome = bring_in(kit, target)
    assert named(outcome) == [(code, "001-0002.kotae-part")]
    assert "モデル a.gguf" not in names(target)


def test_all_that_is_wrong_is_named_at_once(kit: Path, target: Path) -> None:
    first, second = kit / "001-0001.kotae-part", kit / "001-0002.kotae-part"
    first.rename(kit / "x")
    second.rename(first)
    (kit / "x").rename(second)
    (kit / "001-0003.kotae-part").unlink()
    flip(kit / "003-0001.kotae-part", 9)
    outcome = bring_in(kit, target)
    assert named(outcome) == [
        ("kit_part_damaged", first.name),
        ("kit_part_damaged", second.name),
        ("kit_part_missing", "001-0003.kotae-part"),
        ("kit_part_damaged", "003-0001.kotae-part"),
    ]
    assert outcome.models == []
    assert not [name for name in names(target) if name.endswith(".gguf")]


def test_what_was_half_joined_goes_when_the_file_has_come_another_way(kit: Path, target: Path, made: Path) -> None:
    flip(kit / "002-0001.kotae-part", 0)
    bring_in(kit, target)
    assert any(name.endswith(".kotae-joining") for name in names(target))
    elsewhere = target.parent / "elsewhere"
    elsewhere.mkdir()
    bring_in(made, elsewhere)
    for path in elsewhere.glob("b-*.gguf"):
        shutil.copy(path, target)
    shutil.copy(made / "002-0001.kotae-part", kit)
    assert named(bring_in(kit, target)) == []
    assert names(target) == WHOLE


def test_what_another_kit_left_half_joined_is_removed_and_a_second_import_takes_what_is_there(
    kit: Path, target: Path
) -> None:
    target.mkdir()
    (target / f".{'0' * 32}.kotae-joining").write_bytes(b"x" * 1000)
    bring_in(kit, target)
    assert names(target) == WHOLE
    numbers = {path.name: path.stat().st_ino for path in target.iterdir()}
    assert len(bring_in(kit, target).models) == 2
    assert {path.name: path.stat().st_ino for path in target.iterdir()} == numbers


def test_another_file_of_the_same_name_is_kept_and_the_new_one_numbered(kit: Path, target: Path) -> None:
    target.mkdir()
    (target / "モデル a.gguf").write_text("mine")
    (target / "b-00002-of-00002.gguf").write_text("mine")
    outcome = bring_in(kit, target)
    assert [Path(model.path).name for model in outcome.models] == ["モデル a (2).gguf", "b (2)-00001-of-00002.gguf"]
    assert (target / "モデル a.gguf").read_text() == "mine"
    assert all(verification.verify_model(model).state == "sound" for model in outcome.models)


@pytest.mark.fault("S10")
def test_a_link_in_the_target_is_not_written_through(kit: Path, target: Path, tmp_path: Path) -> None:
    target.mkdir()
    (tmp_path / "victim").write_text("mine")
    (target / "モデル a.gguf").symlink_to(tmp_path / "victim")
    half = transfer_kit.read_kit(kit).models[1].files[0].sha256[:32]
    (target / f".{half}.kotae-joining").symlink_to(tmp_path / "victim")
    with pytest.raises(AppError, match="kit_target_unusable"):
        bring_in(kit, target)
    assert (tmp_path / "victim").read_text() == "mine"


def test_a_cancelled_import_leaves_nothing(kit: Path, target: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        kit_import.import_kit(kit, target, lambda model: model, parse_presets, cancel)
    assert names(target) == []


@pytest.mark.parametrize(
    ("place", "name", "double"),
    [(shutil, "disk_usage", no_room), (kit_import.os, "fsync", fail(errno.ENOSPC))],
)
@pytest.mark.fault("F2")
def test_a_full_drive_is_named_and_holds_nothing_half(
    kit: Path, target: Path, monkeypatch: pytest.MonkeyPatch, place: object, name: str, double: object
) -> None:
    monkeypatch.setattr(place, name, double)
    with pytest.raises(AppError, match="drive_space"):
        bring_in(kit, target)
    assert names(target) == []


_KILLED = """
import os, signal, sys
from pathlib import Path
from app.chat.presets import parse_presets
from app.models import local_models
from app.models.kits import kit_export, kit_import
from tests.permits import PERMIT

def report(done, total):
    if done > float(sys.argv[4]) * total:
        os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "export":
    models = [local_models.describe(Path(sys.argv[2]))]
    kit_export.export_kit(models, Path(sys.argv[3]), part_bytes=100_000, report=report, permit=PERMIT)
else:
    kit_import.import_kit(Path(sys.argv[2]), Path(sys.argv[3]), lambda model: model, parse_presets, report)
"""


def _killed(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, *arguments], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("at", ["0", "0.7", *(pytest.param(at, marks=pytest.mark.slow) for at in ("0.3", "0.99"))])
@pytest.mark.fault("F3")
def test_a_killed_export_and_a_killed_import_go_on(
    tmp_path: Path, target: Path, source: list[LocalModel], at: str
) -> None:
    _killed("export", source[0].path, str(tmp_path / "k"), at)
    assert not (tmp_path / "k" / transfer_kit.MANIFEST_NAME).exists()
    export(source[:1], tmp_path / "k")
    assert not list((tmp_path / "k").glob("*.tmp"))
    _killed("import", str(tmp_path / "k"), str(target), at)
    assert not (target / "モデル a.gguf").exists()
    assert verification.verify_model(bring_in(tmp_path / "k", target).models[0]).state == "sound"
    assert names(target) == ["モデル a-licence.txt", "モデル a.gguf"]


# ------------------------------------------------------------------- the table


def edit(kit: Path, **changes: Any) -> None:
    """Changes the table and makes its checksum right: what a stranger who knows the format would do."""
    path = kit / transfer_kit.MANIFEST_NAME
    document = json.loads(path.read_text("utf-8"))
    for key, value in changes.items():
        place = document
        *way, last = key.split("__")
        for step in way:
            place = place[int(step) if step.isdigit() else step]
        place[int(last) if last.isdigit() else last] = value
    document["sha256"] = transfer_kit._checksum(document)
    path.write_text(json.dumps(document), "utf-8")


def test_any_flipped_byte_of_the_table_is_damage_and_never_a_wrong_import(kit: Path, target: Path) -> None:
    path = kit / transfer_kit.MANIFEST_NAME
    content = path.read_bytes()
    codes: dict[str, int] = {}
    for at in range(0, len(content), 7):
        for bit in (1, 32):
            changed = bytearray(content)
            changed[at] ^= bit
            path.write_bytes(changed)
            try:
                read = transfer_kit.read_kit(kit)
            except AppError as error:
                codes[error.code] = codes.get(error.code, 0) + 1
            else:  # white space
                path.write_bytes(content)
                assert read == transfer_kit.read_kit(kit)
    assert codes.keys() <= {"kit_manifest_damaged", "kit_foreign"}
    assert codes["kit_manifest_damaged"] > 100
    assert codes.get("kit_foreign", 0) <= 4  # the name of the format itself


def test_what_is_no_table_is_no_kit(kit: Path, target: Path) -> None:
    path = kit / transfer_kit.MANIFEST_NAME
    whole = path.read_text("utf-8")
    cut = [whole[: int(len(whole) * share)] for share in (0.1, 0.5, 0.99)]
    foreign = ["", "[]", "{}", '{"name": "an extension", "version": 3}', "\x00\x01", "[" * 5000]
    for text in cut + foreign:
        path.write_text(text, "utf-8")
        with pytest.raises(AppError, match="kit_foreign" if text in foreign else "kit_manifest_damaged|kit_foreign"):
            bring_in(kit, target)


def test_a_folder_without_a_table_is_no_kit(kit: Path, target: Path, tmp_path: Path) -> None:
    (kit / transfer_kit.MANIFEST_NAME).rename(tmp_path / "m")
    for folder in (kit, tmp_path / "nowhere", kit / "001-0001.kotae-part"):
        with pytest.raises(AppError, match="kit_missing"):
            bring_in(folder, target)
    (kit / transfer_kit.MANIFEST_NAME).symlink_to(tmp_path / "m")
    with pytest.raises(AppError, match="kit_foreign"):
        bring_in(kit, target)


def test_a_newer_kit_is_said_to_be_newer(kit: Path, target: Path) -> None:
    edit(kit, version=2)
    with pytest.raises(AppError, match="kit_newer"):
        bring_in(kit, target)


STEMS = [
    "../evil", "..", ".", "", "/etc/evil", "C:\\evil", "a/b", "a\\b", "evil\0", "CON", "nul.txt", "COM1", "a:b",
    "evil ", ".hidden", "a\u202egpj", "a\u200bb", "a\nb", "x" * 300, "か\u3099",  # decomposed
    "\ud800", 3, None, ["a"],
]  # fmt: skip
FILE = "models__0__files__0__"
IMPOSSIBLE = [
    *(("models__0__stem", stem, "models[1].stem") for stem in STEMS),
    ("models", [], "models"),
    ("models", {}, "models"),
    ("models", [3], "models[1]"),
    ("models__0__files", [], "models[1].files"),
    ("models__0__files", None, "models[1].files"),
    *((f"{FILE}size_bytes", size, "models[1].files[1].size_bytes") for size in (-1, 0, True, 1e300, 1 << 60)),
    (f"{FILE}sha256", "0" * 63, "models[1].files[1].sha256"),
    (f"{FILE}sha256", "../" + "0" * 61, "models[1].files[1].sha256"),
    (f"{FILE}parts", [], "models[1].files[1].size_bytes"),
    (f"{FILE}parts__0__size_bytes", 1, "models[1].files[1].size_bytes"),
    (f"{FILE}parts__0__sha256", None, "models[1].files[1].parts[1].sha256"),
    ("models__0__licence", "x" * 20_001, "models[1].licence"),
    ("models__0__licence", "\ud800", "models[1].licence"),
    ("extras", [{"kind": "../x", "size_bytes": 1, "sha256": "0" * 64}], "extras[1].kind"),
    ("extras", None, "extras"),
]


@pytest.mark.fault("S10")
def test_a_value_that_cannot_be_is_refused_by_its_place_and_no_name_becomes_a_path(made: Path, target: Path) -> None:
    for key, value, where in IMPOSSIBLE:
        kit = target.parent / "kit"
        kit.mkdir(exist_ok=True)
        shutil.copy(made / transfer_kit.MANIFEST_NAME, kit)
        edit(kit, **{key: value})
        with pytest.raises(AppError, match="kit_manifest_refused") as caught:
            bring_in(kit, target)
        assert caught.value.facts["where"] == where, value
        assert not target.exists()


@pytest.mark.fault("S10")
def test_two_models_that_some_drives_would_take_for_one_are_refused(kit: Path, target: Path) -> None:
    first = json.loads((kit / transfer_kit.MANIFEST_NAME).read_text("utf-8"))["models"][0]
    edit(kit, models=[first, first | {"stem": "モデル A"}])
    with pytest.raises(AppError, match="kit_manifest_refused"):
        bring_in(kit, target)


def test_a_false_hash_of_the_whole_is_refused_and_leaves_nothing(kit: Path, target: Path) -> None:
    edit(kit, models__0__files__0__sha256="0" * 64)
    outcome = bring_in(kit, target)
    assert [problem.code for problem in outcome.problems] == ["kit_content_refused"]
    assert names(target) == WHOLE[:3]


def test_what_is_no_model_is_not_kept(kit: Path, target: Path) -> None:
    page = b"<!doctype html><html></html>"
    sha256 = hashlib.sha256(page).hexdigest()
    (kit / "001-0001.kotae-part").write_bytes(page)
    part = {"size_bytes": len(page), "sha256": sha256}
    edit(kit, models__0__files=[part | {"parts": [part]}])
    outcome = bring_in(kit, target)
    assert [problem.code for problem in outcome.problems] == ["not_gguf_html"]
    assert names(target) == WHOLE[:3]


def test_one_file_of_a_split_model_alone_is_not_kept(kit: Path, target: Path) -> None:
    document = json.loads((kit / transfer_kit.MANIFEST_NAME).read_text("utf-8"))
    edit(kit, models=[document["models"][0], document["models"][1] | {"files": document["models"][1]["files"][:1]}])
    outcome = bring_in(kit, target)
    assert [problem.code for problem in outcome.problems] == ["split_part_missing"]
    assert names(target) == WHOLE[3:]


@pytest.mark.fault("F2")
def test_a_list_that_cannot_be_written_leaves_no_file_behind(kit: Path, target: Path) -> None:
    def full(_model: LocalModel) -> LocalModel:
        raise AppError("disk_full", path="x")

    outcome = bring_in(kit, target, full)
    assert [problem.code for problem in outcome.problems] == ["disk_full", "disk_full"]
    assert names(target) == []


@pytest.mark.fault("S16")
def test_a_kit_whose_models_become_secret_while_it_is_written_leaves_nothing(
    source: list[LocalModel], tmp_path: Path
) -> None:
    with pytest.raises(AppError, match="secret_export"):
        export(source, tmp_path / "kit", permit=until_secret(tmp_path / "kit"))
    assert list((tmp_path / "kit").iterdir()) == []
