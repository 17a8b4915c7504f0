"""Invented answers of many kinds against invented sources: wrong ones are marked, and right ones are left alone."""

import tomllib
from pathlib import Path

import pytest

from app.documents.grounding import claims, statements
from app.documents.records import Passage, Section

HERE = Path(__file__).parent


def rows(name: str) -> list[tuple[bool, str, str, Passage, str]]:
    """Whether wrong, kind, answer, source, question."""
    found = []
    for number, group in enumerate(tomllib.loads((HERE / name).read_text("utf-8"))["group"]):
        section = Section(tuple(group["heading"]), group["text"])
        passage = Passage(number, section, 1, group["document"], "/" + group["document"], "資料", "internal", 1.0, 1)
        found += [
            (is_wrong, kind, answer, passage, group["question"])
            for is_wrong in (True, False)
            for kind, answer in group["wrong" if is_wrong else "right"]
        ]
    return found


def is_marked(answer: str, passage: Passage, question: str = "") -> bool:
    return not all(claim.is_supported and not claim.missing for claim in claims.check(answer, [passage], question))


@pytest.mark.parametrize(
    ("name", "least_caught", "most_marked"),
    [
        ("grounding_claims.toml", 0.95, 0.05),
        ("grounding_claims_held.toml", 0.90, 0.12),
        ("grounding_claims_free.toml", 0.90, 0.05),
        ("grounding_claims_values.toml", 0.93, 0.03),
    ],
)
def test_wrong_answers_are_marked_and_right_ones_are_not(name: str, least_caught: float, most_marked: float) -> None:
    wrong = [row for row in rows(name) if row[0]]
    right = [row for row in rows(name) if not row[0]]
    missed = [(kind, answer) for _, kind, answer, passage, asked in wrong if not is_marked(answer, passage, asked)]
    marked = [(kind, answer) for _, kind, answer, passage, asked in right if is_marked(answer, passage, asked)]
    assert len(missed) <= (1 - least_caught) * len(wrong), missed
    assert len(marked) <= most_marked * len(right), marked


def test_a_sentence_of_the_source_is_never_marked() -> None:
    for passage in {row[3].section_id: row[3] for row in rows("grounding_claims.toml")}.values():
        for sentence in passage.section.text.replace("\n", "。").split("。"):
            assert not is_marked(f"{sentence}。[1]", passage), sentence


SOURCE = Passage(
    1,
    Section(("第9条",), "年次休暇は、勤続6か月で10日とする。申請は、3日前までに総務課へ提出しなければならない。"),
    1, "規則.md", "/規則.md", "資料", "internal", 1.0, 1,
)  # fmt: skip


@pytest.mark.parametrize(
    "form",
    [
        "{}", "# {}", "- {}", "> {}", "```\n{}\n```", "| {} | 備考 |\n|---|---|", "{}：", "「{}」", "{}[1]", "**{}**",
        "資料にありませんが、{}", "{}が、条件は次のとおりです。\n- 申請は総務課へ提出する [1]",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "said", ["年次休暇は30日です", "申請は3日後までに提出します", "申請を提出する必要はありません"]
)
def test_no_form_of_a_sentence_keeps_it_from_the_check(form: str, said: str) -> None:
    assert is_marked(form.format(said), SOURCE)


@pytest.mark.parametrize(
    "ten", ["3\u20600", "3**0**", "&#51;0", "３０", "三十", "㉚", "3\u200b0", "3\u00ad0", "3\ufe0f0", "𝟑𝟎", "٣٠"]
)
def test_a_number_is_read_as_its_reader_sees_it(ten: str) -> None:
    assert is_marked(f"年次休暇は、勤続6か月で{ten}日です。[1]", SOURCE)
    (claim,) = claims.check(f"年次休暇は、勤続6か月で{ten}日です。[1]", [SOURCE])
    assert claim.sentence == f"年次休暇は、勤続6か月で{ten}日です。[1]"


def test_what_could_not_be_compared_is_counted() -> None:
    answer = "年次休暇は10日です[1]。\nThank you for reading.\nそうです。"
    found = claims.check(answer, [SOURCE])
    assert [claim.sentence for claim in found] == ["年次休暇は10日です[1]。"]
    assert claims.unchecked(answer, found) == 2
    assert claims.unchecked("資料にありません。", ()) == 0


@pytest.mark.parametrize(
    ("sentence", "kinds"),
    [
        ("乙は、第三者に再委託してはならない。", ["prohibited"]),
        ("申請は不要です。", ["needless"]),
        ("手袋を着用せず、眼鏡を着用する。", ["denied", "plain"]),
        ("グリーン車は使えません。", ["prohibited"]),
        ("届け出なければならない。", ["duty"]),
        ("暗号化することが望ましい。", ["advised"]),
        ("記録しなくても差し支えありません。", ["needless"]),
        ("1年間延長することができる。", ["permitted"]),
        ("採水は5回を下回らないものとする。", []),
        ("必ず届け出る。", ["plain"]),
        ("検図を省略することができる。", ["needless"]),
        ("搬送しないことができる。", ["needless"]),
        ("併用は差し支えない。", ["permitted"]),
        ("なるべく洗います。", ["advised"]),
        ("洗うようにしましょう。", ["suggested"]),
        ("行うことが義務づけられています。", ["duty"]),
        ("着けるかどうかは、本人の自由です。", ["permitted", "permitted"]),
    ],
)
def test_the_end_of_a_predicate_says_what_must_or_may_be(sentence: str, kinds: list[str]) -> None:
    found = [frame.unit.kind for frame in statements.of(sentence).frames]
    assert found == kinds or (not kinds and "denied" not in found)


@pytest.mark.parametrize(
    ("text", "right", "wrong"),
    [
        ("休館日は月曜日とする。", "休館日は月曜です。", "休館日は木曜日です。"),
        (
            "点検は毎月1回行い、結果を記録する。",
            "毎月1回点検し、結果を記録します。",
            "毎週1回点検し、結果を記録します。",
        ),
        ("更衣室は女性が利用する。", "女性が更衣室を利用します。", "更衣室は男性が利用します。"),
        ("入場料は大人が500円である。", "大人の入場料は500円です。", "入場料は子供が500円です。"),
        ("検査の前に赤い札を掛ける。", "赤い札を検査の前に掛けます。", "青い札を検査の前に掛けます。"),
        ("工事を行うには市長への届出が必要である。", "市長への届出が必要です。", "市長の許可が必要です。"),
        (
            "フィルターは、年1回、交換しなければならない。",
            "フィルターの交換は年に1度です。",
            "フィルターの交換は月1回です。",
        ),
        ("配管は2年ごとに洗浄する。", "配管の洗浄は2年に1回です。", "配管の洗浄は3年に1回です。"),
        ("議長は、第三の委員を指名する。", "議長は三人目の委員を指名します。", "議長は二人目の委員を指名します。"),
        ("廊下は、非常口を除いて消灯する。", "非常口では消灯しません。", "非常口も消灯します。"),
        ("持込みは、飲料を除いて認めない。", "飲料であれば、持込みが認められます。", "持込みは認められます。"),
        ("粉が舞わないよう、静かに注ぐ。", "粉が舞わないようにするためです。", "粉が舞うようにするためです。"),
        ("巡回を1日1回から1日3回に増やす。", "巡回を1日3回に増やします。", "巡回を1日4回に増やします。"),
        (
            "部品を複製し、又は転売してはならない。",
            "部品を複製することはできません。",
            "部品を複製してもかまいません。",
        ),
        (
            "訪問者には名札を渡し、倉庫への訪問は認めない。",
            "訪問する人には名札を渡します。",
            "倉庫への訪問は認めます。",
        ),
        ("塗装に先立ち、面を磨く。", "面を磨くのは塗装より先です。", "面を磨くのは塗装の後です。"),
        ("異常を認めたときは、課長に知らせる。", "異常に気づいたら課長に知らせます。", "課長に常に知らせます。"),
        (
            "水温が15℃を超えるときは、網を上げる。20℃を超えるときは、所長の指示で出荷を止める。",
            "水温が20℃を超えるときは、所長の指示で出荷を止めます。",
            "水温が25℃を超えるときは、所長の指示で出荷を止めます。",
        ),
        (
            "傾きは6度までとする。これを超えると、警報が鳴る。",
            "傾きが6度を超えると警報が鳴ります。",
            "傾きが8度を超えると警報が鳴ります。",
        ),
        (
            "報告書は事務局へ提出する。委員長は会議を開く。",
            "報告書は事務局に提出します。",
            "報告書は委員長に提出します。",
        ),
        ("続けて30分を超えて潜ってはならない。", "続けて潜れるのは30分までです。", "続けて60分まで潜れます。"),
        ("日当は国内が3,000円、国外が6,000円とする。", "国外の日当は国内の2倍です。", "国外の日当は国内の3倍です。"),
        ("試料は4℃で保存できる。", "試料は4℃であれば保存できます。", "試料は室温で保存できます。"),
        ("窓は、18℃を下回る前に閉める。", "18℃を下回る前に窓を閉めてください。", "窓は18℃を下回ってから閉めます。"),
        ("廃棄には、課長の承認を得る。", "廃棄には課長が承認します。", "廃棄には理事の承認を得ます。"),
        ("入水前に体を洗う。20分間は入水させない。", "水に入る前に体を洗います。", "水に入った後に体を洗います。"),
        (
            "散布後は立ち入ってはならない。ただし、責任者は、この限りでない。",
            "責任者なら散布後も立ち入れます。",
            "散布後は、誰も立ち入れません。",
        ),
        (
            "強風のときは、屋上での作業を行わない。",
            "強風なら、屋上で作業をしません。",
            "強風でも、屋上で作業を続けます。",
        ),
    ],
)
def test_the_same_in_other_words_is_left_alone_and_another_thing_is_marked(text: str, right: str, wrong: str) -> None:
    source = Passage(1, Section(("第2章",), text), 1, "要領.md", "/要領.md", "資料", "internal", 1.0, 1)
    assert not is_marked(right, source)
    assert is_marked(wrong, source)
