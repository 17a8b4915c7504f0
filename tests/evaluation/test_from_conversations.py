"""Questions from rated answers: what is taken, with which reference and evidence, and what is left out and why."""

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from app.base.confidentiality import Label
from app.chat.answer_ratings import BAD, GOOD, rate
from app.chat.organizer import ConversationOrganizer
from app.chat.records import AnswerDetails, Message
from app.chat.store import Store
from app.documents.grounding import claims, grounding_record
from app.documents.grounding.grounding_record import CollectionRef, Grounding
from app.documents.library import Library
from app.documents.records import DocumentCollection, Passage, Section
from app.evaluation import current_labels, question_sets
from app.evaluation.conversation_questions import CollectedQuestions, collect_questions
from app.evaluation.records import Gold, Question

RUN = "非常用発電機は、毎月1回、無負荷で5分以上の運転を行うことを基本とする。"
LOAD = "年1回は、定格出力の30%以上の負荷で30分以上の運転を行う。"
FUEL = "燃料は、72時間の連続運転に必要な量を常に備える。"
ASKED = "非常用発電機の試運転の間隔は？"
HEADINGS = (("第2章", "2.3.1 点検"), ("第2章", "2.3.2 燃料"))


def passages(label: Label = "internal") -> list[Passage]:
    sections = (Section(HEADINGS[0], f"{RUN}\n{LOAD}", page=21), Section(HEADINGS[1], FUEL, page=22))
    return [
        Passage(number, section, 1, "管理編.pdf", "/x/管理編.pdf", "規程", label, 1.0, number)
        for number, section in enumerate(sections, start=1)
    ]


def grounded(answer: str, label: Label = "internal") -> AnswerDetails:
    found = passages(label)
    sources = tuple(map(grounding_record.source_of, found))
    return AnswerDetails("m", grounding=Grounding("answered", sources, claims.check(answer, found, ASKED)))


def answered(
    store: Store,
    question: str,
    answer: str = "答えです。",
    details: AnswerDetails | None = None,
    *,
    status: str = "done",
    below: Message | None = None,
) -> Message:
    asked = store.add_question(question, *((below.conversation_id, below.id) if below else ()))
    details = details or AnswerDetails("m")
    return store.finish_answer(store.add_answer(asked.id, details).id, answer, status, details)


def only(collected: CollectedQuestions) -> Question:
    (question,) = collected.questions
    return question


def test_a_good_answer_is_the_reference_of_its_question(store: Store) -> None:
    rate(store, answered(store, "坪は何平方メートル？", "約 **3.31** m² です。").id, GOOD)
    question = only(collect_questions(store, []))
    assert question.id
    assert replace(question, id="") == Question(
        "", "坪は何平方メートル？", "約 **3.31** m² です。", origin="conversation"
    )


def test_of_a_grounded_answer_the_sentences_that_it_rests_on_are_the_evidence(store: Store) -> None:
    text = "非常用発電機は、毎月1回、無負荷で5分以上の運転を行います。"
    rate(store, answered(store, ASKED, f"**{text}[1]**", grounded(f"**{text}[1]**")).id, GOOD)
    question = only(collect_questions(store, []))
    assert question.reference == text
    assert question.gold == (Gold(RUN, "管理編.pdf", HEADINGS[0], 21),)
    assert question.group == "管理編.pdf"


def test_a_source_that_only_a_mark_names_is_evidence_as_a_whole(store: Store) -> None:
    text = "はい。[1]"
    details = grounded(text)
    assert details.grounding is not None
    assert not any(claim.is_supported for claim in details.grounding.claims)
    rate(store, answered(store, "負荷は？", text, details).id, GOOD)
    assert [gold.quote for gold in only(collect_questions(store, [])).gold] == [f"{RUN}\n{LOAD}"]


def test_sources_that_a_good_answer_does_not_use_are_no_evidence(store: Store) -> None:
    rate(store, answered(store, ASKED, "はい。", grounded("はい。")).id, GOOD)
    question = only(collect_questions(store, []))
    assert (question.gold, question.group) == ((), "")


@pytest.mark.fault("S16")
def test_a_set_follows_the_label_of_what_was_asked_also_where_no_place_is_its_evidence(
    store: Store, tmp_path: Path
) -> None:
    documents = tmp_path / "documents.sqlite"
    with contextlib.closing(Library.open(documents)) as library:
        ids = {name: library.add_collection(name, "internal") for name in ("規程", "入札", "学習元")}
        told = (
            AnswerDetails(scope=(CollectionRef(ids["入札"], "入札"),)),
            grounded("はい。"),
            AnswerDetails(model_label="internal", learned=("学習元",)),
        )
        for name, details in zip(("入札", "規程", "学習元"), told, strict=True):
            rate(store, answered(store, f"{name}の金額は？", "五百億です。", details).id, GOOD)
        collected = collect_questions(store, library.labelled())
        assert [one.gold for one in collected.questions] == [(), (), ()]
        for name, question in zip(("入札", "規程", "学習元"), collected.questions, strict=True):
            kept = question_sets.store(tmp_path / "質問集", name, [question], collected.label)
            assert current_labels.label_of_set(kept, documents) == "internal"
            library.set_label(ids[name], "secret")
            assert current_labels.label_of_set(question_sets.find(tmp_path / "質問集", name), documents) == "secret"


def test_the_correction_of_a_bad_answer_is_the_reference_and_its_sources_are_the_evidence(store: Store) -> None:
    wrong = "燃料は、48時間の連続運転に必要な量を常に備えます。[2]"
    bad = answered(store, ASKED, wrong, grounded(wrong))
    rate(store, bad.id, BAD, "毎月1回、無負荷で5分以上、非常用発電機の運転を行います。[1]")
    question = only(collect_questions(store, []))
    assert question.reference == "毎月1回、無負荷で5分以上、非常用発電機の運転を行います。"
    assert [gold.quote for gold in question.gold] == [RUN], "not what the wrong answer named"


def test_a_correction_that_no_source_supports_has_no_evidence(store: Store) -> None:
    wrong = "燃料は、48時間の連続運転に必要な量を常に備えます。[2]"
    rate(store, answered(store, ASKED, wrong, grounded(wrong)).id, BAD, "所長の許可があれば、90日に1回でもよい。")
    assert only(collect_questions(store, [])).gold == ()


def test_a_good_not_in_the_documents_makes_a_question_without_an_answer(store: Store) -> None:
    kept = Grounding("not_in_documents", tuple(map(grounding_record.source_of, passages())))
    details = AnswerDetails(grounding=kept)
    good = answered(store, "椅子の色は？", "資料にありません。", details)
    bad = answered(store, ASKED, "資料にありません。", details)
    rate(store, good.id, GOOD)
    rate(store, bad.id, BAD, RUN)
    none, some = collect_questions(store, []).questions
    assert (none.is_answerable, none.reference, none.gold) == (False, "", ())
    assert (some.is_answerable, some.reference, some.gold[0].quote) == (True, RUN, RUN)


def test_a_correction_that_the_documents_do_not_have_it_makes_a_question_without_an_answer(store: Store) -> None:
    sources = tuple(map(grounding_record.source_of, passages()))
    invented = answered(store, ASKED, "年に百回です。[1]", AnswerDetails(grounding=Grounding("answered", sources)))
    rate(store, invented.id, BAD, "資料にありません。")
    (found,) = collect_questions(store, []).questions
    assert (found.is_answerable, found.gold) == (False, ())


def test_what_is_left_out_is_counted_by_its_reason(store: Store) -> None:
    first = answered(store, "最初の質問")
    ratings = [
        (answered(store, "それは？", below=first), GOOD, ""),
        (answered(store, "悪いだけ"), BAD, ""),
        (answered(store, "止めた", status="stopped"), GOOD, ""),
        (answered(store, "上限で切れた", details=AnswerDetails(stop_reason="length")), GOOD, ""),
        (answered(store, "止めたが直した", status="stopped"), BAD, "正解"),
        (answered(store, "……？"), GOOD, ""),
        (first, GOOD, ""),
    ]
    for answer, rating, correction in ratings:
        rate(store, answer.id, rating, correction)
    answered(store, "評価していない")
    found = collect_questions(store, [])
    assert [question.text for question in found.questions] == ["最初の質問", "止めたが直した"]
    assert found.left_out == {"follow_up": 1, "no_reference": 1, "unfinished": 2, "unfit": 1}
    assert len(found.questions) + sum(found.left_out.values()) == len(ratings)


def test_of_a_question_asked_twice_the_last_reference_counts(store: Store) -> None:
    for text, rating, correction in (("一", GOOD, ""), ("二", BAD, "三"), ("四", BAD, "")):
        rate(store, answered(store, "同じ　質問\n", text).id, rating, correction)
    found = collect_questions(store, [])
    assert only(found).reference == "三"
    assert found.left_out == {"repeated": 1, "no_reference": 1}


def test_an_edited_first_question_is_one_of_its_own(store: Store) -> None:
    before = answered(store, "聞き方一")
    asked = store.add_question("聞き方二", before.conversation_id, None)
    after = store.finish_answer(store.add_answer(asked.id, AnswerDetails()).id, "答え", "done", AnswerDetails())
    rate(store, before.id, GOOD)
    rate(store, after.id, GOOD)
    assert [question.text for question in collect_questions(store, []).questions] == ["聞き方一", "聞き方二"]


def test_a_rating_that_was_taken_back_and_the_bin_make_no_question(store: Store) -> None:
    binned, unrated = answered(store, "ごみ箱"), answered(store, "取り消し")
    rate(store, binned.id, GOOD)
    ConversationOrganizer(store.database).bin([binned.conversation_id])
    rate(store, unrated.id, BAD, "正解")
    rate(store, unrated.id, 0)
    assert collect_questions(store, []) == CollectedQuestions((), "public", {})


@pytest.mark.parametrize(("label", "expected"), [("public", "public"), ("secret", "secret")])
def test_the_label_is_the_highest_of_what_was_taken(store: Store, label: Label, expected: Label) -> None:
    public = answered(store, ASKED, RUN, grounded(RUN, "public"))
    other = answered(store, "燃料は？", FUEL, grounded(FUEL, label))
    rate(store, public.id, GOOD)
    rate(store, other.id, GOOD)
    assert collect_questions(store, []).label == expected
    rate(store, other.id, BAD)
    assert collect_questions(store, []).label == "public", "what is left out hands nothing on"
    assert collect_questions(store, [DocumentCollection(1, "規程", "secret")]).label == "secret", (
        "as its collection is by now"
    )


def test_the_same_ratings_give_the_same_questions_and_ids_of_their_own(store: Store) -> None:
    for number in range(3):
        rate(store, answered(store, f"質問 {number}").id, GOOD)
    found = collect_questions(store, [])
    assert len({question.id for question in found.questions}) == 3
    assert collect_questions(store, []) == found
