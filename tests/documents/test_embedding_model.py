"""Which model gives vectors, what its vectors belong to, and what is still without one."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from app.documents.library import Library
from app.documents.records import with_heading
from app.documents.retrieval import semantic_index
from app.documents.retrieval.semantic_index import text_digest
from app.inference.local_model import LocalModel
from app.models import base_models, local_models
from app.models.services.model_library import ModelLibrary
from tests.documents.driver import put
from tests.embedding_model import WIDTH, tiny_bert, tiny_reranker


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    return tmp_path / "documents.sqlite"


def described(path: Path, at: float = 1.0) -> LocalModel:
    return dataclasses.replace(local_models.describe(path), added_at=at)


def test_an_encoder_is_for_search_and_so_is_whatever_a_card_says_is(tmp_path, tiny_model):
    known = described(tiny_bert(tmp_path / "a.gguf"))
    unknown = described(tiny_bert(tmp_path / "b.gguf", name="nobody's"))
    writer = described(tiny_model)
    assert [local_models.is_embedding_model(model) for model in (known, unknown, writer)] == [True, True, False]
    assert local_models.is_embedding_model(dataclasses.replace(writer, card_id="qwen3-embedding-0.6b"))


def test_a_reranker_is_known_by_its_head_though_it_bears_the_name_of_an_embedding_model(
    tmp_path, tiny_model, documents
):
    ranker = described(tiny_reranker(tmp_path / "r.gguf", name="Bge M3"), at=3.0)
    unknown = described(tiny_reranker(tmp_path / "u.gguf", name="nobody's"))
    encoder = described(tiny_bert(tmp_path / "e.gguf", name="Bge M3"))
    headless = dataclasses.replace(described(tiny_model), card_id="qwen3-reranker-0.6b")
    models = (ranker, unknown, encoder, headless)
    assert [one.card_id for one in models] == ["bge-reranker-v2-m3", None, "bge-m3", "qwen3-reranker-0.6b"]
    assert [local_models.is_reranker(one) for one in models] == [True, True, False, False]
    assert [local_models.is_embedding_model(one) for one in models] == [False, False, True, False]
    assert local_models.answering(models) == []
    chosen = semantic_index.choose_model(models, documents)
    assert chosen.model == encoder
    assert not local_models.needs_template_consent(unknown)
    refused = [base_models.training_refusal(one) for one in models]
    assert {error.code for error in refused if error} == {"base_for_search"}
    assert None not in refused


def test_an_embedding_model_is_never_the_one_that_answers(tmp_path, tiny_model, store):
    library = ModelLibrary(store, tmp_path)
    search = library.add(described(tiny_bert(tmp_path / "a.gguf")))
    assert (library.answering(), local_models.answering_model(library.models(), search.id)) == ([], None)
    writer = library.add(described(tiny_model, at=2.0))
    assert library.answering() == [writer]
    assert local_models.answering_model(library.models(), search.id) == writer


def test_without_an_embedding_model_there_are_no_vectors(tiny_model, documents):
    assert semantic_index.choose_model([], documents) is None
    assert semantic_index.choose_model([described(tiny_model)], documents) is None
    assert not semantic_index.vectors_folder(documents).exists()


def test_the_model_that_was_added_last_is_used_with_the_prefixes_of_its_card(tmp_path, documents):
    older = described(tiny_bert(tmp_path / "a.gguf", name="multilingual-e5-small"), at=1.0)
    newer = described(tiny_bert(tmp_path / "b.gguf", name="ruri-v3-310m"), at=2.0)
    chosen = semantic_index.choose_model([newer, older], documents)
    assert (chosen.model, chosen.query_prefix, chosen.document_prefix) == (newer, "検索クエリ: ", "検索文書: ")
    assert chosen.vectors.dimensions == WIDTH


def test_the_model_that_comes_with_kotae_never_takes_the_place_of_ones_own(tmp_path, documents):
    own = described(tiny_bert(tmp_path / "a.gguf", name="bge-m3"), at=1.0)
    brought = described(tiny_bert(tmp_path / "b.gguf", name="multilingual-e5-small"), at=2.0)
    for models in ([own, brought], [brought, own]):
        chosen = semantic_index.choose_model(models, documents)
        assert chosen.model == own
    alone = semantic_index.choose_model([brought], documents)
    assert alone.document_prefix == "passage: "


def test_sections_of_the_newest_documents_come_first(tmp_path, documents):
    library = Library.open(documents)
    put(library, "一", "二", name="古い.md")
    put(library, "三", "四", collection="規程", name="新しい.md")
    chosen = semantic_index.choose_model([described(tiny_bert(tmp_path / "a.gguf"))], documents)
    assert semantic_index.find_backlog(documents, chosen.vectors).missing == [(3, 2), (4, 2), (1, 1), (2, 1)]
    library.close()


def test_vectors_belong_to_the_weights_and_the_prefix_not_to_the_name(tmp_path, documents):
    def path_of(model: LocalModel) -> Path:
        chosen = semantic_index.choose_model([model], documents)
        return chosen.vectors.path

    first = path_of(described(tiny_bert(tmp_path / "a.gguf")))
    assert path_of(described(tiny_bert(tmp_path / "moved.gguf"))) == first
    assert path_of(described(tiny_bert(tmp_path / "b.gguf", seed=2))) != first
    other_prefix = dataclasses.replace(described(tmp_path / "a.gguf"), card_id="multilingual-e5-small")
    assert path_of(other_prefix) != first


def test_what_changes_or_leaves_is_missing_and_old_rows_go_in_time(tmp_path, documents, monkeypatch):
    monkeypatch.setattr(semantic_index, "READ_ROWS", 2)
    library = Library.open(documents)
    chosen = semantic_index.choose_model([described(tiny_bert(tmp_path / "a.gguf"))], documents)
    assert semantic_index.find_backlog(documents, chosen.vectors) == semantic_index.EmbeddingBacklog([], 0)
    put(library, "一", "二", "三")
    assert semantic_index.find_backlog(documents, chosen.vectors) == semantic_index.EmbeddingBacklog(
        [(1, 1), (2, 1), (3, 1)], 3
    )
    texts = semantic_index.texts_to_embed(documents, [1, 2, 3, 99])
    assert texts == {number: with_heading(("章",), text) for number, text in enumerate("一二三", start=1)}
    unit = np.eye(WIDTH, dtype=np.float32)[:3]
    chosen.vectors.add(list(texts), [text_digest(text) for text in texts.values()], unit)
    assert semantic_index.find_backlog(documents, chosen.vectors) == semantic_index.EmbeddingBacklog([], 3)
    put(library, "一", "変わった二")
    assert semantic_index.find_backlog(documents, chosen.vectors) == semantic_index.EmbeddingBacklog([(2, 1)], 2)
    assert chosen.vectors.count() == 3
    monkeypatch.setattr(semantic_index, "OLD_LEAST", 0)
    assert semantic_index.find_backlog(documents, chosen.vectors) == semantic_index.EmbeddingBacklog([(2, 1)], 2)
    assert chosen.vectors.stored_keys() == {(1, text_digest(texts[1]))}
    monkeypatch.setattr(semantic_index, "OLD_LEAST", 1000)
    put(library, "別の一")
    semantic_index.find_backlog(documents, chosen.vectors)
    assert chosen.vectors.count() == 1, "a few unused rows stay"
    semantic_index.find_backlog(documents, chosen.vectors, is_emptied=True)
    assert chosen.vectors.count() == 0, "but not those of attached files"
    library.close()


def test_vectors_of_other_models_are_removed(tmp_path, documents):
    chosen = semantic_index.choose_model([described(tiny_bert(tmp_path / "a.gguf"))], documents)
    chosen.vectors.add([1], [1], np.eye(WIDTH, dtype=np.float32)[:1])
    other = chosen.vectors.path.with_name("other.vectors")
    other.write_bytes(b"x")
    semantic_index.delete_other_vectors(chosen)
    assert (other.exists(), chosen.vectors.count()) == (False, 1)
