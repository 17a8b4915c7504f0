"""Whether what was found can hold the answer at all."""

import pytest

from app.documents.grounding import evidence
from app.documents.library import Library
from app.documents.records import Section
from app.documents.retrieval import passage_search, retrieved_passages
from tests.documents.driver import put

SECTIONS = [
    Section(("2.2 かぶり",), "土に接する部材のかぶりは70mm以上とする。水中で施工する部材では100mm以上とする。"),
    Section(("4.2 日常点検",), "主ポンプの軸受温度は75℃を超えてはならない。点検は毎日行う。"),
    Section(("6 除草",), "堤防の除草は年2回、5月と8月に行う。"),
    Section(("7 訓練",), "防災訓練は令和4年から毎年6月に実施する。職員は全員参加する。"),
]


@pytest.fixture(autouse=True)
def filled(library: Library) -> None:
    put(library, *SECTIONS)


def judge(library: Library, question: str) -> retrieved_passages.Answerability:
    everywhere = [collection.id for collection in library.collections()]
    return retrieved_passages.judge_answerability(
        library, question, passage_search.search(library, question, everywhere), everywhere
    )


@pytest.mark.parametrize(
    "question",
    [
        "土に接する部材のかぶりは何mmですか",
        "軸受温度の上限は？",
        "堤防の除草は年に何回？",
        "防災訓練はいつ実施しますか",
    ],
)
def test_a_question_whose_words_are_there_is_answered(library, question):
    assert judge(library, question).verdict == "answered"


@pytest.mark.parametrize(
    "question",
    [
        "雪崩予防柵に作用する雪圧の算定式",
        "航空法の飛行高度の上限",
        "水道水の残留塩素の基準値は？",
        "ポンプの価格と納期",
    ],
)
def test_a_question_on_another_matter_is_not(library, question):
    assert judge(library, question).verdict == "not_in_documents"


@pytest.mark.parametrize(
    ("there", "not_there"),
    [
        ("かぶりを100mm以上とするのはどんな部材か", "かぶりを120mm以上とするのはどんな部材か"),
        ("堤防の除草は何月ですか", "堤防の除草は何kmですか"),
        ("令和4年の防災訓練", "平成30年の防災訓練"),
    ],
)
def test_a_value_or_unit_that_no_passage_has_counts_against_it(library, there, not_there):
    assert judge(library, there).confidence > judge(library, not_there).confidence


def test_a_word_for_a_kind_of_information_is_no_reason_to_refuse(library):
    """Few documents write 注意点 or 手順 where they say what to do."""
    assert judge(library, "日常点検の手順はありますか").verdict == "answered"
    assert judge(library, "防災訓練の注意点はありますか").verdict == "near"
    assert judge(library, "残留塩素の注意点はありますか").verdict == "not_in_documents"


def test_nothing_found_is_not_enough_and_nothing_to_look_for_is(library):
    passages = passage_search.search(library, "かぶり", [1])
    assert retrieved_passages.judge_answerability(library, "かぶり", [], [1]).verdict == "not_in_documents"
    assert retrieved_passages.judge_answerability(library, "かぶりは？", passages, [1]).verdict == "answered"
    assert retrieved_passages.judge_answerability(library, "標準とは", passages, [1]).verdict == "near"


def test_another_word_for_the_same_counts_as_said(library, tmp_path):
    question = "芝管理は年に何回？"
    passages = passage_search.search(library, "堤防の除草", [1])
    glossary = tmp_path / "glossary.csv"
    before = retrieved_passages.judge_answerability(library, question, passages, [1])
    glossary.write_text("芝管理,除草\n", "utf-8")
    after = retrieved_passages.judge_answerability(library, question, passages, [1], glossary)
    assert after.confidence > before.confidence
    assert after.verdict != "not_in_documents"


@pytest.mark.parametrize(
    ("question", "is_there"),
    [
        ("堰とは何ですか", True),
        ("はらみ出しとは何ですか", True),
        ("せり上がりについて教えてください", False),
        ("堰について教えてください", True),
        ("堰って何", True),
        ("すべりとは何ですか？", True),
        ("さび止めについて教えてください", True),
        ("のり面の種類", True),
        ("コンベヤーとは何ですか", True),
        ("蜂とは何ですか", False),
        ("すずりとは何ですか？", False),
        ("はかり縄について教えてください", False),
        ("コンバインとは何ですか", False),
    ],
)
def test_short_words_and_words_with_kana_are_evidence_as_a_whole(library, question, is_there):
    put(
        library,
        "固定堰の上流に土砂がたまる。堰を設ける位置は直線部とする。",
        "地すべりのすべり面を調べる。すべりに抵抗する力を求める。",
        "擁壁のはらみ出しは危険である。",
        "鋼材のさび止めは3年ごとに塗り直す。のり面の勾配は1割5分とする。",
        "ベルトコンベヤで土砂を運ぶ。バインダーで綴じる。",
        collection="語",
        name="語.md",
    )
    assert judge(library, question).verdict == ("answered" if is_there else "not_in_documents")


@pytest.mark.parametrize(
    ("question", "is_back"),
    [
        ("それはなぜですか", True), ("では幅は？", True), ("理由は？", True), ("杭は？", True), ("もっと詳しく", True),
        ("杭とは何ですか", False), ("すべりって何", False), ("堰を設ける位置", False), ("罰則は？", False),
        ("堤防の除草の頻度は？", False),
    ],
)  # fmt: skip
def test_a_question_refers_back_only_if_it_says_nothing_alone(question, is_back):
    assert evidence.refers_back(question) is is_back


def test_in_a_single_short_document_one_word_that_it_lacks_is_no_reason_to_refuse(library):
    put(library, "会議室の予約は前日までに総務課へ申し込む。", collection="掲示", name="会議室.md")
    scope = [library.collection("掲示").id]

    def verdict_of(question):
        passages = passage_search.search(library, question, scope)
        return retrieved_passages.judge_answerability(library, question, passages, scope).verdict

    assert verdict_of("会議室の予約を取り消すときの連絡先") == "near"
    assert verdict_of("駐車場の利用料") == "not_in_documents"
