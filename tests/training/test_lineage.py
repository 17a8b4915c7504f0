"""What was made of documents leaves as what these are labelled now: rows, jobs, kits, and what models have learned."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base import confidentiality, wording
from app.base.confidentiality import ExportRequest
from app.chat.store import Store
from app.documents import collection_lookup
from app.documents.library import Library
from app.evaluation import current_labels
from app.evaluation.records import Evaluation, QuestionSet, System, SystemResult
from app.inference.local_model import LocalModel, TuningRecord
from app.models import model_registry
from app.models.kits import kit_export
from app.models.model_store import ModelStore
from app.training import published_model, remote_job
from app.training.data import curation, data_split, file_import
from app.training.runs import lineage, run_folders
from app.training.runs.lineage import Lineage
from tests import model_files as models
from tests.training.driver import code_of, refused
from tests.training_runs import finished_run
from trainer import adapter
from trainer.spec import RunSpec

DOCUMENT = "規則.md"


def row(at: int, **provenance: object) -> str:
    told = {"label": "internal", "document": DOCUMENT, "collection": "規則", **provenance}
    return json.dumps(
        {"question": f"第{at}条は何ですか。", "answer": f"第{at}条は休暇{at}日です。", "provenance": told},
        ensure_ascii=False,
    )


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    library = Library.open(tmp_path / "documents.sqlite")
    library.add_documents(library.add_collection("規則"), [tmp_path / DOCUMENT])
    library.close()
    return tmp_path / "documents.sqlite"


def change(documents: Path, act: Callable[[Library, int], object]) -> None:
    library = Library.open_second(documents)
    act(library, library.collection("規則").id)
    library.close()


def secret(library: Library, collection: int) -> None:
    library.set_label(collection, "secret")


def renamed(library: Library, collection: int) -> None:
    library.rename_collection(collection, "就業規則")
    secret(library, collection)


def moved(library: Library, collection: int) -> None:
    (document,) = library.documents(collection)
    library.remove_collection(collection)
    library.add_documents(library.add_collection("秘", "secret"), [Path(document.path)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Rows of the collection, split and frozen as `kotae data split` does."""
    (tmp_path / "行.jsonl").write_text("\n".join(row(at) for at in range(40)), "utf-8")
    imported = file_import.import_file(tmp_path / "行.jsonl")
    source = Lineage("internal", imported.origins).as_json()
    data_split.write_split(data_split.split_rows(imported.rows), tmp_path / "分割", source, {})
    return tmp_path / "分割"


def run_of(tmp_path: Path, data: Path, name: str = "学習", **others: str) -> RunSpec:
    base = models.tiny_llama(tmp_path / "小.gguf")
    parts = {part: str(data / f"{part}.jsonl") for part in remote_job.PARTS}
    asked = RunSpec(folder=str(tmp_path / "runs" / name), base=str(base), name=name, **parts | others)
    run_folders.create(asked, takes_data=True)
    return asked


def job_export(asked: RunSpec, tmp_path: Path, documents: Path) -> ExportRequest:
    return remote_job.job_export(lineage.lineage_of_spec(asked), (), tmp_path / "job", documents, asked.name)


@pytest.mark.fault("S16")
@pytest.mark.parametrize("act", [secret, renamed, moved])
def test_a_job_asks_where_the_documents_of_its_rows_have_become_secret_since(
    tmp_path: Path, documents: Path, data: Path, act: Callable[[Library, int], object]
) -> None:
    asked = run_of(tmp_path, data)
    log = tmp_path / "exports.log"
    assert job_export(asked, tmp_path, documents).label_now() == "internal"
    change(documents, act)
    export = job_export(asked, tmp_path, documents)
    assert code_of(confidentiality.permit_export, export, log, is_agreed=False) == "secret_export"
    assert not log.exists()
    remote_job.make_job(asked, tmp_path / "job", permit=confidentiality.permit_export(export, log, is_agreed=True))
    assert json.loads(log.read_text("utf-8"))["what"] == "job"


@pytest.mark.fault("S16")
@pytest.mark.parametrize("label", ["secret", "機密", " Secret"])
def test_rows_that_were_never_split_say_it_themselves(tmp_path: Path, documents: Path, label: object) -> None:
    for part in remote_job.PARTS:
        (tmp_path / f"{part}.jsonl").write_text(row(1, label=label), "utf-8")
    assert job_export(run_of(tmp_path, tmp_path), tmp_path, documents).label_now() == "secret"


@pytest.mark.fault("S16")
def test_a_training_on_top_of_another_has_the_label_of_both_also_when_the_first_is_gone(
    tmp_path: Path, documents: Path, data: Path
) -> None:
    first = Path(run_of(tmp_path, data).folder)
    (first / "adapter").mkdir()
    for name in adapter.FILES:
        (first / "adapter" / name).write_text("{}", "utf-8")
    plain = tmp_path / "別"
    plain.mkdir()
    for part in remote_job.PARTS:
        (plain / f"{part}.jsonl").write_text('{"question": "空の色は。", "answer": "青です。"}', "utf-8")
    known = lineage.lineage_of_adapter(first / "adapter")
    assert known.origins == (("規則", DOCUMENT),)
    second = Path(run_of(tmp_path, plain, "続き", adapter=str(first / "adapter")).folder)
    change(documents, secret)
    assert lineage.label_of_file(documents, first / "merged.gguf") == "secret"
    for folder in (data, first):
        shutil.rmtree(folder)
    assert lineage.label_of_file(documents, second / "adapter.gguf") == "secret"
    assert lineage.label_of_file(documents, tmp_path / "小.gguf") == "public"


@pytest.mark.fault("S16")
def test_a_kit_asks_for_a_model_whose_data_have_become_secret_since(
    tmp_path: Path, documents: Path, data: Path
) -> None:
    label, origins = published_model._known_lineage(Path(run_of(tmp_path, data).folder))
    tuned = TuningRecord("学習", "学習", "f16", "小", "", "", label=label, origins=origins)
    model = LocalModel("m", "社内モデル", str(tmp_path / "小.gguf"), 1, "", "", 0, 0.0, tuned=tuned)

    def exported() -> ExportRequest:
        return kit_export.export_for_gate([model], tmp_path / "kit", lambda one: lineage.label_of_model(documents, one))

    log = tmp_path / "exports.log"
    assert exported().check(is_agreed=False) == "internal"
    change(documents, secret)
    error = refused(confidentiality.permit_export, exported(), log, is_agreed=False)
    assert error.facts["what"] == "社内モデル"
    confidentiality.permit_export(exported(), log, is_agreed=True)
    assert json.loads(log.read_text("utf-8"))["what"] == "kit"
    other = dataclasses.replace(model, tuned=None)
    assert lineage.label_of_model(documents, other) == "public"


@pytest.mark.fault("S16")
def test_where_the_documents_cannot_be_read_what_was_made_of_any_counts_as_secret(
    tmp_path: Path, documents: Path
) -> None:
    assert collection_lookup.label_of_origins(documents, [("規則", DOCUMENT)], "public") == "internal"
    documents.write_bytes(b"no database" * 1000)
    for name in ("-wal", "-shm"):
        documents.with_name(documents.name + name).unlink(missing_ok=True)
    assert collection_lookup.label_of_origins(documents, [("規則", DOCUMENT)], "public") == "secret"
    assert collection_lookup.label_of_origins(documents, [], "public") == "public"
    assert collection_lookup.label_of_origins(tmp_path / "無い.sqlite", [("規則", DOCUMENT)], "public") == "public"


def test_generated_pairs_keep_their_collection_when_they_are_reviewed() -> None:
    pair = json.loads(row(1, heading=["第1条"], page=1, passage="本文", label="internal"))
    pair |= {"gold": [], "category": "fact", "quality": 3, "group": DOCUMENT}
    (item,) = curation.items_from_pairs([pair])
    assert (item.evidence.collection, item.evidence.document) == ("規則", DOCUMENT)


@pytest.mark.parametrize("told", [{"label": "極秘"}, {"origins": 5}, {"origins": [["a"]]}, {"label": ["public"]}])
def test_a_record_that_cannot_be_understood_counts_as_secret(told: object) -> None:
    assert lineage.lineage_from_json(told).label == "secret"
    assert lineage.lineage_from_json(None) == Lineage()


@pytest.mark.fault("S16")
def test_what_an_adapter_was_merged_into_keeps_what_it_has_learned(tmp_path: Path, documents: Path, data: Path) -> None:
    run = Path(run_of(tmp_path, data).folder)
    built = tmp_path / "models" / "社内.Q4_K_M.gguf"
    built.parent.mkdir()
    lineage.write_lineage_note(run / "adapter", built)
    shutil.rmtree(run)
    assert lineage.label_of_file(documents, built) == "internal"
    change(documents, secret)
    assert lineage.label_of_file(documents, built) == "secret"
    lineage.write_lineage_note(tmp_path / "よその", built.with_name("別.gguf"))  # of which nothing is known
    assert [path.name for path in built.parent.iterdir()] == ["社内.Q4_K_M.lineage.json"]


@pytest.mark.fault("S16")
def test_answers_and_results_of_a_file_that_was_built_with_an_adapter_have_its_label(
    tmp_path: Path, documents: Path, data: Path
) -> None:
    run = Path(run_of(tmp_path, data).folder)
    built, installed = tmp_path / "models" / "社内.Q4_K_M.gguf", tmp_path / "models" / "adapters" / "ab12.lora"
    installed.parent.mkdir(parents=True)
    for file in (built, installed):
        lineage.write_lineage_note(run / "adapter", file)
    shutil.rmtree(run)
    model = LocalModel("m", "社内モデル", str(built), 1, "", "", 0, 0.0)
    assert lineage.answer_details(model) == {"model_label": "internal", "learned": ("規則",)}
    assert lineage.answer_details(dataclasses.replace(model, path=str(tmp_path / "小.gguf"))) == {}
    change(documents, secret)
    assert lineage.label_of_model(documents, model) == "secret"
    plain = System("s1", "素", str(tmp_path / "小.gguf"), "小")
    questions = QuestionSet("問", 1, "", (), "public")
    for system in (dataclasses.replace(plain, model=str(built)), dataclasses.replace(plain, adapter=str(installed))):
        found = Evaluation("e", "e", questions, (SystemResult(system, ()),), (1,), None, 0.0)
        assert current_labels.label_of_evaluation(found, documents) == "secret"
    found = Evaluation("e", "e", questions, (SystemResult(plain, ()),), (1,), None, 0.0)
    assert current_labels.label_of_evaluation(found, documents) == "public"


@pytest.mark.fault("S16")
def test_an_adapter_in_the_list_of_models_keeps_what_it_has_learned_when_its_run_is_gone(
    tmp_path: Path, documents: Path, data: Path, store: Store
) -> None:
    run = finished_run(tmp_path / "runs" / "r1", models.tiny_llama(tmp_path / "小.gguf"), name="学習")
    (run / lineage.LINEAGE_FILE).write_text(json.dumps(lineage.lineage_of_data(data).as_json()), "utf-8")
    model = published_model.publish(run, ModelStore(store.database), tmp_path / "models")
    assert (model.tuned.label, model.tuned.origins) == ("internal", (("規則", DOCUMENT),))  # its data are gone
    shutil.rmtree(run)
    assert lineage.label_of_file(documents, Path(model.adapter)) == "internal"
    change(documents, secret)
    assert lineage.label_of_file(documents, Path(model.adapter)) == "secret"
    folder = Path(model.adapter).parent
    assert len(list(folder.iterdir())) == 2
    store.database.write("DELETE FROM tuned_model")
    model_registry.delete_unused_adapters(ModelStore(store.database), tmp_path / "models")
    assert not list(folder.iterdir())


SECRET = row(1, label="secret").encode() + b"\n"
ENGLISH = (row(1, label="confidential") + "\n" + row(2, label="公開") + "\n").encode()


@pytest.mark.fault("S16")
@pytest.mark.parametrize(
    ("rows", "record"),
    [
        *((before + SECRET, None) for before in (b"", b"\n", b"[]\n", b'{"question": "torn\n')),
        *((SECRET, record) for record in (b"{", b"{}", b'{"source": 5}', b'{"source": {}}')),
        (ENGLISH, None),  # in a language that is not in use
    ],
)
def test_no_line_and_no_record_of_a_split_hides_a_label(tmp_path: Path, rows: bytes, record: bytes | None) -> None:
    assert wording.current_language() == "ja"
    (tmp_path / "train.jsonl").write_bytes(rows)
    if record is not None:
        (tmp_path / "split.json").write_bytes(record)
    asked = RunSpec("x", "y", str(tmp_path / "train.jsonl"), str(tmp_path / "none.jsonl"))
    assert lineage.lineage_of_spec(asked).label == "secret"
