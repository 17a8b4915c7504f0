"""Proper names in an answer, and whether they stand in a source: codes, Latin and katakana words, names in kanji."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.documents.values import numerals

_KANJI = "一-鿿々"
_ENDING = (
    "法|令|県|府|都|市|町|村|区|川|湖|沼|港|橋|山|島|駅|省|庁|局|条例|規則|規程|要綱|要領|指針"
    "|協会|学会|大学|会社|事務所|委員会"
)
_NAME = re.compile(
    r"(?P<code>[表図式付録]\s?\d+(?:[-.]\d+)*|(?<![\d.])\d+(?:\.\d+){2,}"
    r"|(?<![A-Za-z\d])[A-Za-z]{1,8}[-.]?\d[\dA-Za-z.-]*)"
    r"|(?P<latin>[A-Za-z][A-Za-z'-]*[A-Za-z])"
    r"|(?P<katakana>[ァ-ヺー][ァ-ヺー・]{2,}[ァ-ヺー])"
    rf"|(?P<kanji>[{_KANJI}]{{1,24}}?(?:{_ENDING})(?![{_KANJI}]))"
)
# Nouns that end like names, and names only with something that is looked for by itself.
_COMMON = re.compile(
    "(?:方法|手法|工法|寸法|技法|製法|用法|文法|解法|作法|測法|法令|命令|指令|政令|省令|河川|都市|市町村|地区|区|山地|火山|空港|道路橋|当局"
    "|出水|規則|要領|指針|委員会|会社|事務所|協会)$"
)
_PREFIX = re.compile("^(?:当該|該当|上記|下記|前記|関係|関連|主要|対象|同|本|各|全|両|旧|新|他)")
# Words that answers explain with, whatever the document's subject.
_PLAIN_KATAKANA = """ポイント メリット デメリット ケース レベル バランス リスク コスト イメージ プロセス
    システム データ ルール タイプ パターン ステップ チェック リスト グループ テーマ サイズ スペース ベース
    メイン サブ トータル スムーズ シンプル スケジュール タイミング コメント メッセージ マーク ページ ファイル
    タイトル カテゴリ カテゴリー キーワード セクション テキスト ドキュメント マニュアル サポート サービス
    トラブル アドバイス ヒント ニーズ アプローチ エリア ゾーン ライン ルート ステージ フロー モデル ツール
    カバー クリア キープ プラス マイナス センター オプション パラメータ パラメーター"""
# Spaces between Latin words part them.
_IGNORED = re.compile(r"(?<![A-Za-z\d])\s+|\s+(?![A-Za-z\d])|[・^{}*]|(?<=[ァ-ヺ])ー(?![ァ-ヺー])")
_PLAIN = frozenset(_PLAIN_KATAKANA.split())


@dataclass(frozen=True, slots=True)
class Name:
    """`start`, `end`: places in the text. `kind`: code | latin | katakana | kanji."""

    written: str
    start: int
    end: int
    kind: str


def parse(text: str) -> list[Name]:
    """Names of a text, in order; words that explanations are made of are none."""
    flat, origin = numerals.flatten(text)
    capitals = 1 if re.search("[ぁ-んァ-ヶ一-鿿]", flat) else 2  # an English sentence begins with one
    return [
        Name(found.group(), origin(found.start()), origin(found.end()), found.lastgroup or "")
        for found in _NAME.finditer(flat)
        if _is_name(found, capitals)
    ]


def _is_name(found: re.Match[str], capitals: int) -> bool:
    written = found.group()
    if found.lastgroup == "latin":
        return sum(character.isupper() for character in written) >= capitals
    if found.lastgroup == "katakana":
        return written.strip("・") not in _PLAIN
    if found.lastgroup == "kanji":
        return len(_PREFIX.sub("", written)) >= 3 and not _COMMON.search(written)
    return True


def searchable(texts: Sequence[str]) -> str:
    """What `is_in` looks in: flattened, without spaces, letters small."""
    return "\n".join(_bare(numerals.flatten(text)[0]) for text in texts)


def is_in(name: Name, source: str) -> bool:
    """Whether a `searchable` source holds the name, or both parts of one that is put together."""
    bare = _bare(name.written)
    if name.kind == "kanji":
        bare = _PREFIX.sub("", bare)
    if name.kind in ("code", "latin"):
        beside = "a-z" if name.kind == "latin" else r"a-z\d"  # 2DF, 1Ec
        return re.search(rf"(?<![{beside}]){re.escape(bare)}(?![{beside}])", source) is not None
    bare = bare.replace("・", "")
    if bare in source or bare.rstrip("ー") in source:
        return True
    return any(bare[:at] in source and bare[at:] in source for at in range(2, len(bare) - 1))


def _bare(flat: str) -> str:
    return _IGNORED.sub("", flat).casefold()
