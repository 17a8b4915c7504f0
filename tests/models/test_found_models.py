"""Models of other programs: found where they are, by the names their programs give them, without writing anything."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.models import found_models, local_models
from app.models.found_models import FoundModels, ModelFolder
from tests import model_files as models
from tests.inference.engine.child import Child

TEMPLATE = "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>{{ end }}"


def search(*places: ModelFolder) -> FoundModels:
    return found_models.search_folders(places)


def reasons(findings: FoundModels) -> list[str]:
    return [skipped.reason.code for skipped in findings.skipped]


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")}


def put_into_ollama(store: Path, model: Path, *name: str, template: str = "", digest: str = "") -> Path:
    """As Ollama lays it down; `name`: registry, namespace, model, tag."""
    blobs = store / "blobs"
    blobs.mkdir(parents=True, exist_ok=True)
    layers = []
    for kind, content in (("model", model.read_bytes()), ("template", template.encode())):
        hexadecimal = hashlib.sha256(content).hexdigest()
        (blobs / f"sha256-{hexadecimal}").write_bytes(content)
        layers.append({"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{hexadecimal}"})
    if digest:
        layers[0]["digest"] = digest
    manifest = store.joinpath("manifests", *name)
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}), "utf-8")
    return blobs / f"sha256-{hashlib.sha256(model.read_bytes()).hexdigest()}"


def put_into_hub(hub: Path, model: Path, name: str) -> Path:
    """As the Hugging Face cache lays it down: a link in a snapshot to a file called by its hash."""
    blob = hub / "models--someone--tiny" / "blobs" / hashlib.sha256(model.read_bytes()).hexdigest()
    blob.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(model, blob)
    link = hub / "models--someone--tiny" / "snapshots" / "0a1b2c" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(Path("../../blobs") / blob.name)
    return link


# ------------------------------------------------------------------- places


def test_the_places_follow_the_variables_of_each_program(tmp_path):
    chosen = {"OLLAMA_MODELS": "/o", "HF_HUB_CACHE": "/h", "LLAMA_CACHE": "/l", "XDG_DATA_HOME": "/d"}
    places = found_models.known_model_folders(tmp_path, chosen, "linux", own_folder=Path("/k"))
    assert {
        ModelFolder("ollama", Path("/o")),
        ModelFolder("huggingface", Path("/h")),
        ModelFolder("llama_cpp", Path("/l")),
    } < set(places)
    assert ModelFolder("gpt4all", Path("/d/nomic.ai/GPT4All")) in places
    assert places[0] == ModelFolder("kotae", Path("/k"))


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_program_has_a_place_on_every_platform(tmp_path, platform):
    places = found_models.known_model_folders(tmp_path, {}, platform)
    assert {place.source for place in places} == {"lm_studio", "ollama", "huggingface", "llama_cpp", "gpt4all"}
    own = [place.folder for place in places if place.folder != Path("/usr/share/ollama/.ollama/models")]
    assert all(folder.is_relative_to(tmp_path) for folder in own)


def test_the_hub_is_found_through_its_home_unless_that_names_no_folder(tmp_path):
    def found(home: str) -> list[ModelFolder]:
        return found_models.known_model_folders(tmp_path, {"HF_HOME": home}, "linux")

    assert ModelFolder("huggingface", Path("/x/hub")) in found("/x")
    for value in ("", "relative/folder", "a\0b"):
        assert found(value) == found_models.known_model_folders(tmp_path, {}, "linux")


@pytest.mark.parametrize("written", ['{"downloadsFolder": "/大きい/models"}', "{", "[]", '{"downloadsFolder": 3}'])
def test_lm_studios_own_choice_of_folder_is_read(tmp_path, written):
    (tmp_path / ".lmstudio").mkdir()
    (tmp_path / ".lmstudio" / "settings.json").write_text(written, "utf-8")
    is_named = ModelFolder("lm_studio", Path("/大きい/models")) in found_models.known_model_folders(
        tmp_path, {}, "linux"
    )
    assert is_named == ("/大きい" in written)


# ------------------------------------------------------------------ finding


def test_a_plain_folder_is_searched_deeply_and_stays_as_it_was(tmp_path, tiny_model):
    folder = tmp_path / "models" / "作者" / "モデル"
    folder.mkdir(parents=True)
    shutil.copy(tiny_model, folder / "a.GGUF")
    (folder / "readme.md").write_text("x")
    before = snapshot(tmp_path)
    found = search(ModelFolder("lm_studio", tmp_path / "models"))
    (model,) = found.models
    assert (model.path, model.source, model.name) == (folder / "a.GGUF", "lm_studio", "a")
    assert (model.size_bytes, model.architecture) == (tiny_model.stat().st_size, "llama")
    assert found.is_complete
    assert found.skipped == []
    assert snapshot(tmp_path) == before


def test_ollamas_models_have_the_names_that_ollama_shows(tmp_path, tiny_model):
    other = models.tiny_llama(tmp_path / "other.gguf", seed=2)
    store = tmp_path / ".ollama" / "models"
    put_into_ollama(store, tiny_model, "registry.ollama.ai", "library", "qwen2.5", "7b")
    put_into_ollama(store, other, "hf.co", "elyza", "Llama-3-JP", "Q4_K_M")
    found = search(ModelFolder("ollama", store))
    assert sorted(model.name for model in found.models) == ["hf.co/elyza/Llama-3-JP:Q4_K_M", "qwen2.5:7b"]
    assert found.skipped == []


def test_ollamas_file_without_suffix_is_described_by_its_manifest_and_answers(tmp_path, tiny_model):
    store = tmp_path / ".ollama" / "models"
    blob = put_into_ollama(store, tiny_model, "registry.ollama.ai", "library", "qwen2.5", "0.5b", template=TEMPLATE)
    model = local_models.describe(blob)
    assert (model.id, model.name, model.path) == ("qwen2.5-0.5b", "qwen2.5:0.5b", str(blob))
    assert model.form_id == "chatml"
    assert local_models.promised_sha256(model, blob) == hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    with Child("llama", tmp_path / "log") as child:
        assert child.load(blob).architecture == "llama"
        assert child.ask("abc", max_tokens=3)[1].usage.answer_tokens > 0


@pytest.mark.parametrize(
    "digest",
    [
        "sha256:../../../../etc/passwd",
        "sha256:" + "A" * 64,
        "sha256:" + "a" * 63,
        "sha256:" + "a" * 64 + "\n",
        "sha256-" + "a" * 64,
        "md5:" + "a" * 32,
        "/etc/passwd",
        "",
    ],
)
@pytest.mark.fault("S10")
def test_a_digest_never_becomes_a_path(tmp_path, tiny_model, digest):
    name = ("registry.ollama.ai", "library", "evil", "latest")
    put_into_ollama(tmp_path / "m", tiny_model, *name, digest=digest or "x")
    found = search(ModelFolder("ollama", tmp_path / "m"))
    assert found.models == []
    assert reasons(found) == ["found_no_weights"]


@pytest.mark.parametrize(
    "written", [b"", b"{", b"[]", b"\xff\xfe", b'{"layers": 3}', b'{"layers": [1, null]}', b"[" * 9999]
)
def test_a_manifest_of_another_shape_is_skipped(tmp_path, written):
    manifest = tmp_path / "manifests" / "registry.ollama.ai" / "library" / "odd" / "latest"
    manifest.parent.mkdir(parents=True)
    manifest.write_bytes(written)
    found = search(ModelFolder("ollama", tmp_path))
    assert reasons(found) == ["found_no_weights"]
    assert found.skipped[0].reason.facts["name"] == "odd:latest"


@pytest.mark.fault("S10")
def test_a_name_that_turns_the_writing_direction_is_shown_clean(tmp_path, tiny_model):
    put_into_ollama(tmp_path, tiny_model, "registry.ollama.ai", "library", "a\u202egnp", "x\x1b[31m")
    assert search(ModelFolder("ollama", tmp_path)).models[0].name == "agnp:x[31m"


def test_the_hub_is_read_through_its_links_and_each_file_once(tmp_path, tiny_model):
    link = put_into_hub(tmp_path / "hub", tiny_model, "tiny-Q4.gguf")
    second = link.parent.parent / "ffff" / link.name
    second.parent.mkdir()
    second.symlink_to(Path("../../blobs") / link.resolve().name)
    found = search(ModelFolder("huggingface", tmp_path / "hub"))
    assert [model.path for model in found.models] == [link]
    assert local_models.promised_sha256(local_models.describe(link), link) == link.resolve().name


def test_the_same_folder_under_two_names_is_searched_once(tmp_path, tiny_model):
    (tmp_path / "a").mkdir()
    shutil.copy(tiny_model, tmp_path / "a" / "m.gguf")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert len(search(ModelFolder("lm_studio", tmp_path / "a"), ModelFolder("gpt4all", tmp_path / "b")).models) == 1


# ------------------------------------------------------------------ skipping


def test_what_cannot_be_used_is_named_with_its_reason(tmp_path, tiny_model):
    content = tiny_model.read_bytes()
    (tmp_path / "cut.gguf").write_bytes(content[:-1000])
    (tmp_path / "page.gguf").write_text("<!doctype html><html>", "utf-8")
    (tmp_path / "empty.gguf").write_bytes(b"")
    models.tiny_adapter(tmp_path / "adapter.gguf")
    found = search(ModelFolder("gpt4all", tmp_path))
    assert found.models == []
    told = {skipped.path.name: skipped.reason.code for skipped in found.skipped}
    assert told == {
        "adapter.gguf": "adapter_as_model",
        "cut.gguf": "truncated",
        "empty.gguf": "file_empty",
        "page.gguf": "not_gguf_html",
    }


@pytest.mark.fault("S10")
def test_links_out_of_the_folders_are_not_followed(tmp_path, tiny_model):
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    shutil.copy(tiny_model, outside / "m.gguf")
    (root / "file.gguf").symlink_to(outside / "m.gguf")
    (root / "folder").symlink_to(outside)
    found = search(ModelFolder("lm_studio", root))
    assert found.models == []
    assert reasons(found) == ["found_outside", "found_outside"]


def test_links_between_the_folders_are_followed(tmp_path, tiny_model):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    shutil.copy(tiny_model, tmp_path / "b" / "m.gguf")
    (tmp_path / "a" / "link").symlink_to(tmp_path / "b")
    found = search(ModelFolder("lm_studio", tmp_path / "a"), ModelFolder("gpt4all", tmp_path / "b"))
    assert [model.path for model in found.models] == [tmp_path / "a" / "link" / "m.gguf"]


@pytest.mark.fault("S10")
def test_loops_and_dead_links_end(tmp_path, tiny_model):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "up").symlink_to(tmp_path)
    (tmp_path / "self.gguf").symlink_to(tmp_path / "self.gguf")
    (tmp_path / "dead.gguf").symlink_to(tmp_path / "nothing")
    shutil.copy(tiny_model, tmp_path / "deep" / "m.gguf")
    found = search(ModelFolder("llama_cpp", tmp_path))
    assert [model.path.name for model in found.models] == ["m.gguf"]
    assert reasons(found) == ["file_missing", "file_missing"]


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    """By a double of the system's call, because tests may run as root, who may read everything."""
    shut = tmp_path / "shut"
    shut.mkdir()
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path) == shut:
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = search(ModelFolder("gpt4all", tmp_path))
    assert [(skipped.path, skipped.reason.code) for skipped in found.skipped] == [(shut, "file_unreadable")]


def test_pipes_are_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.gguf")
    assert reasons(search(ModelFolder("gpt4all", tmp_path))) == ["file_unreadable"]


def test_places_that_do_not_exist_are_nothing(tmp_path):
    found = search(*found_models.known_model_folders(tmp_path / "nobody", {}, "darwin"))
    assert found == FoundModels()


def test_the_search_ends_at_its_bounds_and_says_so(tmp_path, tiny_model, monkeypatch):
    for number in range(30):
        (tmp_path / f"{number}.txt").touch()
    shutil.copy(tiny_model, tmp_path / "z.gguf")
    monkeypatch.setattr(found_models, "MAX_ENTRIES", 10)
    assert not search(ModelFolder("gpt4all", tmp_path)).is_complete
    assert not found_models.search_folders([ModelFolder("gpt4all", tmp_path)], max_s=-1).is_complete


def test_thousands_of_other_files_are_passed_over_and_a_search_can_be_cancelled(tmp_path, tiny_model):
    for folder in range(20):
        (tmp_path / str(folder)).mkdir()
        for number in range(200):
            (tmp_path / str(folder) / f"{number}.json").touch()
    shutil.copy(tiny_model, tmp_path / "19" / "m.gguf")
    seen: list[int] = []
    found = found_models.search_folders([ModelFolder("gpt4all", tmp_path)], lambda looked, _of: seen.append(looked))
    assert len(found.models) == 1
    assert seen[-1] == 20 * 200 + 20 + 1

    def cancel(_looked: int, _of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        found_models.search_folders([ModelFolder("gpt4all", tmp_path)], cancel)


# --------------------------------------------------------------------- split


@pytest.fixture
def split_model(tmp_path: Path) -> Path:
    """The first of three files."""
    folder = tmp_path / "分割"
    folder.mkdir()
    models.tiny_llama(folder / "tiny.gguf", tensors_per_file=9)
    assert len(list(folder.iterdir())) == 3
    return folder / "tiny-00001-of-00003.gguf"


def test_a_split_model_is_one_model_by_its_first_file(split_model):
    found = search(ModelFolder("lm_studio", split_model.parent))
    (model,) = found.models
    assert (model.path, model.parts) == (split_model, 3)
    assert model.size_bytes == sum(path.stat().st_size for path in split_model.parent.iterdir())
    assert found.skipped == []
    described = local_models.describe(split_model)
    assert described.size_bytes == model.size_bytes
    assert [one.name for one in described.files] == sorted(path.name for path in split_model.parent.iterdir())


def test_the_engine_answers_with_a_split_model_as_with_the_whole(tmp_path, split_model, tiny_model):
    with Child("llama", tmp_path / "log") as child:
        answers = []
        for path in (tiny_model, split_model):
            child.load(path)
            answers.append(child.ask("hello", max_tokens=40)[0])
    assert answers[0] == answers[1] != ""


def test_a_missing_part_is_named(split_model):
    for number in (1, 2, 3):
        gone = split_model.with_name(f"tiny-0000{number}-of-00003.gguf")
        kept = gone.rename(split_model.parent.with_name("kept"))
        found = search(ModelFolder("lm_studio", split_model.parent))
        assert found.models == []
        assert [(one.reason.code, one.reason.facts["missing"]) for one in found.skipped] == [
            ("split_part_missing", gone.name)
        ]
        kept.rename(gone)


def test_every_part_is_checked(split_model):
    third = split_model.with_name("tiny-00003-of-00003.gguf")
    third.write_bytes(third.read_bytes()[:-500])
    assert reasons(search(ModelFolder("lm_studio", split_model.parent))) == ["truncated"]
    shutil.copy(split_model.with_name("tiny-00002-of-00003.gguf"), third)
    assert reasons(search(ModelFolder("lm_studio", split_model.parent))) == ["gguf_damaged"]


@pytest.mark.fault("S10")
def test_a_part_that_is_a_link_out_of_the_folders_is_refused(tmp_path, split_model):
    part = split_model.with_name("tiny-00002-of-00003.gguf")
    part.rename(tmp_path / "elsewhere.gguf")
    part.symlink_to(tmp_path / "elsewhere.gguf")
    assert reasons(search(ModelFolder("lm_studio", split_model.parent))) == ["found_outside"]


def test_importing_a_later_part_names_the_first(split_model):
    with pytest.raises(AppError, match="split_not_first"):
        local_models.describe(split_model.with_name("tiny-00002-of-00003.gguf"))
