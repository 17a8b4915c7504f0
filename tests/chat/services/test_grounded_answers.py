"""Questions to the documents, from the search to the stored claims, with the fake engine as a real child.

It answers with the question itself, so a question that is an answer becomes one.
"""

import dataclasses

import pytest

from app.base.errors import AppError
from app.base.wording import phrase
from app.chat.presets import Preset
from app.chat.records import Message, UnsentDraft
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import CollectionRef, PageRegion
from app.documents.library import Library
from app.documents.records import Section
from app.documents.retrieval import excerpts, retrieved_passages
from app.inference.engine.messages import Ask
from app.inference.services.events import AnswerStage
from tests.chat.driver import add_documents
from tests.scene import Scene

COVER = "土に接する部材の鉄筋のかぶりは70mm以上とする。"
SECTIONS = [
    Section(("第2章 材料", "2.2 鉄筋のかぶり"), COVER + "水中で施工する部材では100mm以上とする。", "標準", 14),
    Section(("第4章 ポンプ", "4.2 日常点検"), "主ポンプの軸受温度は75℃を超えてはならない。点検は毎日行う。", "", 31),
    Section(("第6章 堤防", "6.1 除草"), "堤防の除草は年2回、5月と8月に行う。", "例示", 52),
]
RIGHT = "土に接する部材の鉄筋のかぶりは70mm以上です[1]。"


@pytest.fixture
def library(library: Library) -> Library:
    """With the collection that is asked."""
    add_documents(library, "基準", "secret", *SECTIONS, sha256="c" * 64)
    return library


@pytest.fixture
def grounded(scene: Scene, library: Library, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A session that asks the collection of a model that is not too small."""
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 0)
    assert scene.session.ask_of((CollectionRef(1, "基準"),))
    return scene


def texts(answer: Message) -> list[str]:
    return [source.text for source in answer.details.grounding.sources]


def test_an_answer_keeps_its_passages_and_the_claims_of_its_sentences(grounded):
    answer = grounded.ask(RIGHT)
    kept = answer.details.grounding
    assert answer.text == RIGHT
    assert (kept.has_answer, kept.is_excerpt) == (True, False)
    (source, *_) = kept.sources
    assert (source.collection, source.label, source.document, source.page) == ("基準", "secret", "基準.pdf", 14)
    assert (source.heading, source.tag, source.sha256) == (("第2章 材料", "2.2 鉄筋のかぶり"), "標準", "c" * 64)
    (claim,) = kept.claims
    assert (claim.sources, claim.is_supported) == ((1,), True)
    assert grounded.thread()[-1].details.grounding == kept


def test_documents_are_quoted_without_a_model_and_while_the_engine_is_needed_elsewhere(grounded):
    question = "土に接する部材の鉄筋のかぶりは？"
    written = grounded.ask(RIGHT)
    grounded.engine.end()
    stages = []
    grounded.session.stage_changed.connect(stages.append)
    grounded.engine.refusal = AppError("training_has_memory")
    quoted = grounded.ask(question)
    grounded.engine.refusal = None
    assert {one.is_shared for one in stages if one.kind == "searching"} == {True}
    grounded.library.remove(grounded.library.models()[0].id)
    alone = grounded.ask(question)
    for answer in (quoted, alone):
        assert answer.details.grounding.is_excerpt
        assert "70mm以上" in answer.text
        assert (answer.details.model_id, answer.details.model_name) == ("", "")
    assert not grounded.engine.is_up  # neither needed it
    summary = grounded.presets.presets_of_kind("action")[0]
    assert grounded.refusal(lambda: grounded.session.act(written.id, summary)) == "no_model"
    assert grounded.session.ask_of(())
    assert grounded.refusal(lambda: grounded.session.ask("首都は？")) == "no_model"


@pytest.mark.parametrize("is_quoted", [False, True])
def test_an_action_on_an_answer_keeps_its_sources_and_is_checked_against_them(grounded, monkeypatch, *, is_quoted):
    if is_quoted:
        monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 1 << 60)
    first = grounded.ask("土に接する部材の鉄筋のかぶりは何mmですか" if is_quoted else RIGHT)
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 0)
    assert first.details.grounding.is_excerpt == is_quoted
    for said, is_right in ((RIGHT, True), (RIGHT.replace("70mm", "50mm"), False)):
        action = Preset("s", "action", "要約", request=said)  # the stand-in for a model answers with it
        answer = grounded.finish(lambda action=action: grounded.session.act(first.id, action))
        kept = answer.details.grounding
        assert (answer.text, kept.sources) == (said, first.details.grounding.sources)
        assert [(claim.sources, claim.is_supported) for claim in kept.claims] == [((1,), is_right)]
        assert not kept.is_excerpt
    again = Preset("t", "action", "やさしく", request=RIGHT)
    assert texts(grounded.finish(lambda: grounded.session.act(answer.id, again))) == texts(first)


def test_an_action_on_an_answer_without_documents_has_no_sources_of_an_earlier_one(grounded):
    grounded.ask(RIGHT)
    assert grounded.session.ask_of(())
    free = grounded.ask("首都は？")
    action = Preset("s", "action", "要約", request=RIGHT)
    assert grounded.finish(lambda: grounded.session.act(free.id, action)).details.grounding is None


def test_questions_are_suggested_for_an_answer_from_documents_and_for_no_other(grounded, library, monkeypatch):
    beside = dataclasses.replace(SECTIONS[0], heading=("第2章 材料", "2.3 鉄筋の継手"), text="継手は重ね継手とする。")
    (document,) = library.documents(1)
    library.put(document, [SECTIONS[0], beside, *SECTIONS[1:]])
    near = grounded.ask(RIGHT)
    assert (near.details.grounding.verdict, near.details.grounding.follow_ups) == ("near", ())
    first = grounded.ask("土に接する部材の鉄筋のかぶりは何mmですか")
    assert first.details.grounding.follow_ups == ("鉄筋の継手は？",)
    part = PageRegion(document.path, SECTIONS[0].page, (0, 0, 1, 0.5), SECTIONS[0].text, SECTIONS[0].heading)
    scope = first.details.scope
    assert grounded.session.ask_of((CollectionRef(1, "基準", (document.path,), (part,)),))
    framed = grounded.ask("土に接する部材の鉄筋のかぶりは何mmですか").details.grounding
    assert (framed.verdict, framed.follow_ups) == ("answered", ()), "what is beside the figure is not searched"
    assert grounded.session.ask_of(scope)
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 1 << 60)
    grounded.session.keep_draft(UnsentDraft("書きかけ"))
    assert grounded.session.ask_of([CollectionRef(library.add_collection("別の資料"), "別の資料")])
    quoted = grounded.finish(lambda: grounded.session.ask_follow_up(first.id, "主ポンプの軸受温度は何℃までですか"))
    assert quoted.details.scope == grounded.session.scope == first.details.scope, "not what was chosen since"
    assert grounded.session.draft().text == "書きかけ"
    assert grounded.thread()[-2].parent_id == first.id
    assert (quoted.details.grounding.is_excerpt, quoted.details.grounding.follow_ups) == (True, ())
    again = grounded.ask("土に接する部材の鉄筋のかぶりは何mmですか")
    assert (again.details.grounding.is_excerpt, again.details.grounding.follow_ups) == (True, ("鉄筋の継手は？",))
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 0)
    refused = grounded.ask("ポンプの製造会社の住所と電話番号は？")
    denied = grounded.ask("鉄筋のかぶりの土に接する部材での理由は資料にありません。")
    action = grounded.finish(lambda: grounded.session.act(first.id, Preset("s", "action", "要約", request=RIGHT)))
    assert [one.details.grounding.follow_ups for one in (refused, denied, action)] == [(), (), ()]


def test_a_wrong_value_is_marked_in_what_is_stored_and_the_stages_say_what_is_being_done(grounded):
    stages: list[AnswerStage] = []
    grounded.session.stage_changed.connect(stages.append)
    answer = grounded.ask(RIGHT.replace("70mm", "50mm") + "水中で施工する部材では100mm以上です[1]。")
    first, second = answer.details.grounding.claims
    assert (first.missing, first.is_supported, second.is_supported) == (("50mm以上",), False, True)
    assert answer.text[first.start : first.end] == first.sentence
    kinds = list(dict.fromkeys(stage.kind for stage in stages))
    assert kinds == ["searching", "passages", "loading", "reading", "answering", "checking", "idle"]
    assert next(stage.count for stage in stages if stage.kind == "passages") >= 1


def test_what_the_documents_do_not_have_is_said_without_starting_the_engine_or_by_the_model(grounded):
    answer = grounded.ask("ポンプの製造会社の住所と電話番号は？")
    kept = answer.details.grounding
    assert (answer.text, answer.status) == ("資料にありません。", "done")
    assert (kept.verdict, kept.claims) == ("not_in_documents", ())
    assert kept.sources[0].heading[-1] == "4.2 日常点検", "the nearest passage"
    assert grounded.engine.facts is None
    answer = grounded.ask("鉄筋のかぶりの土に接する部材での理由は資料にありません。")
    assert answer.details.grounding.verdict == "not_in_documents"


def test_a_model_that_is_too_small_quotes_instead_also_in_a_temporary_conversation_that_is_kept(scene, library):
    scene.session.open_new(is_temporary=True)
    scene.session.ask_of((CollectionRef(1, "基準"),))
    answer = scene.ask("土に接する部材の鉄筋のかぶりは何mmですか")
    kept = answer.details.grounding
    assert kept.is_excerpt
    assert answer.text.startswith(f"**「{COVER}」[1]**")
    assert kept.claims
    assert all(claim.is_supported for claim in kept.claims)
    assert scene.engine.facts is None
    scene.session.keep_temporary()
    assert scene.session.scope == (CollectionRef(1, "基準"),)
    assert scene.thread()[-1].details.grounding == kept


def test_the_scope_belongs_to_the_conversation_and_without_one_nothing_is_searched(grounded):
    first = grounded.ask(RIGHT).conversation_id
    grounded.session.open_new()
    assert grounded.session.scope == ()
    answer = grounded.ask(RIGHT)
    assert (answer.text, answer.details.grounding, answer.details.scope) == (RIGHT, None, ())
    grounded.session.open(first)
    assert grounded.session.scope == (CollectionRef(1, "基準"),)


def test_a_second_question_on_the_same_passages_reads_only_itself(grounded):
    first = grounded.ask(RIGHT)
    second = grounded.ask("土に接する部材の鉄筋のかぶりは70mm以上、水中で施工する部材では100mm以上です[1]。")
    assert texts(first) == texts(second)
    assert second.details.cached_tokens > first.details.prompt_tokens * 0.9


def prompts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collects what the engine is asked from now on."""
    said: list[str] = []
    send = scene.engine.send

    def note(command: object) -> None:
        if isinstance(command, Ask):
            said.append("".join(segment.text for segment in command.prompt))
        send(command)

    monkeypatch.setattr(scene.engine, "send", note)
    return said


def test_marks_of_other_passages_in_earlier_answers_are_not_read_again(grounded, monkeypatch):
    first = grounded.ask(RIGHT)
    said = prompts(grounded, monkeypatch)
    second = grounded.ask("主ポンプの軸受温度は75℃を超えてはいけません[1]。")
    assert texts(first) != texts(second)
    (prompt,) = said
    assert prompt.count(RIGHT) == 1, "the question, which is the user's"
    assert prompt.count(RIGHT.replace("[1]", "")) == 1, "the answer"
    grounded.ask("主ポンプの軸受温度は75℃を超えてはならない。点検は毎日行う[1]。")
    assert said[-1].count("軸受温度は75℃を超えてはいけません[1]。") == 2, (
        "the passages are the same, and so are numbers"
    )


def test_an_action_rests_on_the_passages_of_its_answer_and_a_repetition_asks_the_same_documents(grounded):
    answer = grounded.ask(RIGHT)
    (action, *_) = grounded.presets.presets_of_kind("action")
    acted = grounded.finish(lambda: grounded.session.act(answer.id, action))
    assert acted.details.is_action
    assert acted.details.grounding.sources == answer.details.grounding.sources
    again = grounded.finish(lambda: grounded.session.regenerate(acted.id))
    assert again.details.is_action
    assert again.details.grounding.sources == answer.details.grounding.sources
    grounded.session.ask_of(())
    again = grounded.finish(lambda: grounded.session.reproduce(answer.id))
    assert (again.details.scope, again.details.is_same) == (answer.details.scope, True)
    assert again.details.grounding.claims == answer.details.grounding.claims


def test_a_collection_that_was_renamed_is_still_asked_and_one_that_left_is_named(grounded, library):
    library.rename_collection(1, "新基準")
    answer = grounded.ask(RIGHT)
    assert answer.details.grounding.sources[0].collection == "新基準"
    library.remove_collection(1)
    assert grounded.store.message(answer.id) == answer, "an old answer shows its sources"
    problems: list[str] = []
    grounded.session.problem_occurred.connect(lambda error: problems.append(error.code))
    failed = grounded.ask(RIGHT)
    assert (failed.status, failed.details.error_code, problems) == ("failed", "collections_gone", ["collections_gone"])


def test_an_answer_that_is_stopped_or_whose_engine_crashes_keeps_its_passages(grounded, monkeypatch):
    monkeypatch.setattr(retrieved_passages, "LIMITS_BY_WORDS", (0.0, 0.0))  # !slow stands in no document
    crashed = grounded.ask(RIGHT + "!crash")
    assert (crashed.status, crashed.details.error_code) == ("failed", "engine_died")
    assert crashed.details.grounding.sources

    def begin() -> None:
        grounded.session.text_received.connect(lambda _id, _piece: grounded.session.stop())
        assert grounded.session.ask("!slow " + RIGHT * 3)

    stopped = grounded.finish(begin)
    assert stopped.status == "stopped"
    assert stopped.details.grounding.sources


def test_a_context_that_holds_a_part_of_a_passage_cuts_it_and_one_without_room_is_the_same_choice_as_a_full_one(
    grounded,
):
    grounded.preferences.change(context_tokens=768)  # the fake counts characters
    (source, *_) = grounded.ask(RIGHT).details.grounding.sources
    assert SECTIONS[0].text.startswith(source.text)
    grounded.preferences.change(context_tokens=256)
    with grounded.qtbot.waitSignal(grounded.session.overflow.counted) as signal:
        assert grounded.session.ask(RIGHT)
    assert signal.args[0].wider_context_tokens


def test_a_question_that_leans_on_the_one_before_is_searched_with_it(grounded):
    grounded.ask("堤防の除草は年2回、5月と8月に行います[1]。")
    answer = grounded.ask("それは何月ですか")
    assert texts(answer) == [SECTIONS[2].text]


def test_the_users_own_words_are_looked_for(grounded):
    assert grounded.ask("芝管理は年に何回？").details.grounding.verdict == "not_in_documents"
    grounded.where.glossary.write_text("芝管理,除草\n", "utf-8")
    kept = grounded.ask("芝管理は年に何回？").details.grounding
    assert kept.sources[0].heading[-1] == "6.1 除草"


@pytest.mark.parametrize("folder", ["", "/moved/"])
def test_the_words_of_a_framed_figure_are_a_source_for_a_model_that_does_not_see_it(grounded, library, folder):
    (document,) = library.documents(1)
    before = Section(("第4章 ポンプ", "4.1 構造"), "羽根車は青銅で作る。", "必須", 31)
    library.put(document, [SECTIONS[0], before, *SECTIONS[1:]])
    path = f"{folder}{document.name}" if folder else document.path
    part = PageRegion(path, 31, (0, 0.5, 1, 0.6), "図4-2 軸受の許容温度は80℃とする。", ("第4章 ポンプ", "4.2 日常点検"))
    scope = (CollectionRef(1, "基準", (document.path,), (part,)),)
    assert grounded.session.ask_of(scope)
    for said, verdict in (("軸受の許容温度は80℃です[1]。", "near"), ("主ポンプの軸受温度は何℃までですか", "answered")):
        answer = grounded.ask(said)
        kept = answer.details.grounding
        first = kept.sources[0]
        assert {one.page for one in kept.sources} <= {31}, "what is on another page is no source"
        assert (first.text, first.page, first.heading, first.document) == (part.text, 31, part.heading, document.name)
        assert first.tag == ""
        assert (kept.verdict, kept.pictures, kept.unseen) == (verdict, (), (part.name,))
        assert verdict == "near" or SECTIONS[1].text in kept.sources[1].text  # the clause around it
        assert source_citations.picture_messages(kept) == [phrase("documents.only_text_of_part", names=part.name)]
        assert (grounded.thread()[-1].details.grounding, answer.details.scope) == (kept, scope)
    assert grounded.session.ask_of((CollectionRef(1, "基準", (document.path,), (dataclasses.replace(part, text=""),)),))
    refused = grounded.ask("ポンプの製造会社の住所と電話番号は？").details.grounding
    assert (refused.verdict, refused.unseen) == ("not_in_documents", (part.name,))


def test_of_a_figure_framed_in_an_earlier_edition_the_page_of_the_new_one_is_read(grounded, library):
    (document,) = library.documents(1)
    old = "図4-2 軸受の許容温度は80℃とする。"
    part = PageRegion(document.path, 31, (0, 0.5, 1, 0.6), old, ("第4章 ポンプ", "4.2 日常点検"), sha256="a" * 64)
    assert grounded.session.ask_of((CollectionRef(1, "基準", (document.path,), (part,)),))
    for edition, words in (("a", old), ("b", SECTIONS[1].text)):
        library.put(dataclasses.replace(document, sha256=edition * 64), SECTIONS)
        kept = grounded.ask("主ポンプの軸受温度は何℃までですか").details.grounding
        assert (kept.sources[0].text, kept.unseen) == (words, (part.name,))


def test_of_a_framed_figure_its_first_words_are_quoted_where_the_question_has_none_of_them(
    grounded, library, monkeypatch
):
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 1 << 60)
    (document,) = library.documents(1)
    part = PageRegion(document.path, 31, (0, 0.5, 1, 0.6), "最高水位は8.2mである。開始は昼とする。", ("第4章 ポンプ",))
    assert grounded.session.ask_of((CollectionRef(1, "基準", (document.path,), (part,)),))
    answer = grounded.ask("「基準」の 31 ページの選んだ図について、何と書いてありますか")
    assert "最高水位は8.2mである。" in answer.text
    assert answer.details.grounding.sources[0].text == part.text
