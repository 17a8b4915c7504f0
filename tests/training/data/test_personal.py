"""Persons in Japanese texts, by the form of what names them."""

import itertools
import random

import pytest

from app.training.data.personal import find_personal


def kinds(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find_personal(text)]


PERSONAL = [
    ("山田様からお電話がありました。", "name", "山田様"),
    ("担当は佐藤 花子さんです。", "name", "佐藤 花子さん"),
    ("鈴木一郎氏が述べた。", "name", "鈴木一郎氏"),
    ("高橋部長に渡す。", "name", "高橋部長"),
    ("河合様へ。", "name", "河合様"),
    ("鈴木健一様へ。", "name", "鈴木健一様"),
    ("小林和行さん、", "name", "小林和行さん"),
    ("高橋周平氏は", "name", "高橋周平氏"),
    ("鬼塚正人様へ。", "name", "鬼塚正人様"),
    ("久我山様あて。", "name", "久我山様"),
    ("氏名：久我山 みどり", "name", "久我山 みどり"),
    ("お名前: ヤマダ タロウ\n年齢: 30", "name", "ヤマダ タロウ"),
    ("田中太郎は河川課に勤める。", "name", "田中太郎"),
    ("住所は東京都千代田区永田町1-7-1です。", "address", "東京都千代田区永田町1-7-1"),
    ("大阪府大阪市北区中之島１丁目３−２０", "address", "大阪府大阪市北区中之島１丁目３−２０"),
    ("札幌市中央区北1条西2丁目", "address", "札幌市中央区北1条西2丁目"),
    ("埼玉県さいたま市浦和区高砂3-15-1", "address", "埼玉県さいたま市浦和区高砂3-15-1"),
    ("東京都千代田区霞が関二丁目１番３号", "address", "東京都千代田区霞が関二丁目１番３号"),
    ("〒100-8918", "postal_code", "100-8918"),
    ("電話 03-5253-8111 まで", "phone", "03-5253-8111"),
    ("電話は０３－５２５３－８１１１です", "phone", "０３－５２５３－８１１１"),
    ("03ー5253ー8111へ", "phone", "03ー5253ー8111"),
    ("+81-3-5253-8111", "phone", "+81-3-5253-8111"),
    ("(03)5253-8111", "phone", "(03)5253-8111"),
    ("09012345678に連絡", "phone", "09012345678"),
    ("TEL 0352538111", "phone", "0352538111"),
    ("送り先は taro.yamada@example.co.jp です", "mail", "taro.yamada@example.co.jp"),
    ("ｔａｒｏ＠ｅｘａｍｐｌｅ．ｊｐへ", "mail", "ｔａｒｏ＠ｅｘａｍｐｌｅ．ｊｐ"),
    ("マイナンバーは123456789018です", "my_number", "123456789018"),
    ("番号 1234-5678-9018", "my_number", "1234-5678-9018"),
    ("生年月日：昭和50年4月1日", "birthday", "昭和50年4月1日"),
    ("口座番号 1234567", "account", "1234567"),
    ("カード 4111 1111 1111 1111", "card", "4111 1111 1111 1111"),
]


@pytest.mark.parametrize(("text", "kind", "part"), PERSONAL)
def test_what_names_a_person_is_found_where_it_stands(text: str, kind: str, part: str) -> None:
    assert kinds(text) == [(kind, part)]


IMPERSONAL = [
    "仕様、同様、多様、各位、お客様、皆様、関係者様、神様、ご担当者様、一様、模様を見る。",
    "小林同様、均一様、法人様、ご本人様、家主様、住民様。",
    "森林組合様、山河銀行様、技術研究所様、建設工業様へ。",
    "たくさんの患者さんと業者さんと学生さんが来た。",
    "20 摂氏、源氏、両氏、同氏の説。",
    "国土交通大臣殿、沈殿、宮殿、本殿。",
    "利根川と石狩川、山口川、中村橋、太田川放水路を調べる。",
    "国土交通省、千葉県、石川県、福島第一、長野原子力。",
    "第3章、第3-2図、表4-2-2、第2編第1章第3節、式(2.3-1)。",
    "河川法第6条第1項、同施行令第3条の2-1。",
    "沖積河道区間のセグメント区分及び表4-2-2を見る。",
    "2026-11-25 18:25、2024/01/02、0.01-0.02、1-2-3。",
    "時刻は 202611251825、事業費は 120000000000 円。",
    "小林電子、山口女子、松本男子、森の様子、林の調子、原子炉、高木の種子。",
    "氏名：本人が記入\n担当者：総務課\n氏名：",
    "市町村3-1、都市計画区域2-1、郡部。",
    "24N/mm²、D13@200、ver.1.2.3、user@localhost。",
    "ISBN 978-4-06-123456-7",
    "0.3333333333331 と 4958333333333333in。",
]


@pytest.mark.parametrize("text", IMPERSONAL)
def test_technical_text_names_no_person(text: str) -> None:
    assert kinds(text) == []


def test_places_are_those_of_the_text_and_do_not_overlap() -> None:
    place, phone = "〒100-0014 東京都千代田区永田町１－７－１", "ＴＥＬ：０３－５２５３－８１１１"
    text = f"氏名：田中 太郎様　住所：{place}　{phone}　mail: t@example.jp"
    assert [kind for kind, _part in kinds(text)] == ["name", "postal_code", "address", "phone", "mail"]
    ends = [(one.start, one.end) for one in find_personal(text)]
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(ends))


@pytest.mark.parametrize("seed", range(20))
def test_a_detail_is_found_among_other_text(seed: int) -> None:
    chance = random.Random(seed)
    text, kind, part = chance.choice(PERSONAL)
    around = "。".join(chance.sample(["堤防を点検した", "流量は30である", "水位が上がった", "記録を残す"], 3))
    assert (kind, part) in kinds(f"{around}。\n{text}\n{around}。")
