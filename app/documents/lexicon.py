"""Tokenize Japanese text, and define closed classes of words: grammatical words, general nouns, opposites and actors.

SudachiPy gives each word's base form, part of speech and synonyms from the memory-mapped SudachiDict: 0.1 s to open, 50
µs a sentence. Word lists use the dictionary's spelling (`Word.base`), some words also other common spellings.
"""

import functools
import re
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from app.base.lazy_pattern import lazy_pattern

if TYPE_CHECKING:
    import sudachipy

_PIECE_CHARACTERS = 10_000  # characters at once; Sudachi accepts only about 49,000 bytes
_tokenizers = threading.local()  # a tokenizer belongs to one thread


class Word(Struct, frozen=True):
    """A word as the dictionary splits text, in its shortest form (総務 and 課). `start`, `end`: offsets in the text.

    `base`: one spelling for all forms of a word (取消し: 取り消し). `kind`: its part of speech, joined by "-".
    `synonyms`: numbers of the groups of the Sudachi synonym dictionary that contain it.
    """

    text: str
    start: int
    end: int
    base: str
    form: str  # as a dictionary lists it: 使える, whose base is 使う
    kind: str
    synonyms: frozenset[int] = frozenset()

    @property
    def is_noun(self) -> bool:
        return self.kind.startswith(("名詞-普通名詞", "名詞-固有名詞", "形状詞"))

    @property
    def is_suffix(self) -> bool:
        return self.kind.startswith("接尾辞")

    @property
    def is_affix(self) -> bool:
        """Whether the word cannot stand alone: お, さん."""
        return self.is_suffix or self.kind.startswith("接頭辞")

    @property
    def is_verbal_noun(self) -> bool:
        """Whether する makes a verb of it: 提出."""
        return "サ変" in self.kind and self.kind.startswith("名詞")


@functools.cache
def _dictionary() -> "sudachipy.Dictionary":
    import sudachipy  # here, because its import takes 30 ms, and most commands tokenize nothing

    return sudachipy.Dictionary(dict="small")


def tokenize(text: str) -> list[Word]:
    """Return the words of a text in order, without blanks."""
    tokenizer = getattr(_tokenizers, "one", None)
    if tokenizer is None:
        tokenizer = _tokenizers.one = _dictionary().tokenizer(mode="A")
    return [
        Word(
            found.surface(), at + found.begin(), at + found.end(), found.normalized_form(), found.dictionary_form(),
            "-".join(part for part in found.part_of_speech() if part != "*"), frozenset(found.synonym_group_ids()),
        )
        for at, piece in _pieces(text)
        for found in tokenizer.tokenize(piece)
        if not found.surface().isspace()
    ]  # fmt: skip


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield the text in pieces that the tokenizer accepts, split at the end of a line or sentence if possible."""
    at = 0
    while at < len(text):
        end = at + _PIECE_CHARACTERS
        if end < len(text):
            end = max(text.rfind("\n", at, end), text.rfind("。", at, end)) + 1 or end
        yield at, text[at:end]
        at = end


# Verbs and nouns with a grammatical function, whose content is in the word before them.
_GRAMMATICAL = """
    為る 有る 無い 無し なし 居る 成る 出来る 良い 構う 差し支える 下さる 頂く 貰う 御座る 行く 来る 見る
    仕舞う 言う 因る 拘る 当たる 基づく 関する 対する 就く 於く 係る 際する 応ずる 応じる 沿う 伴う 限る 限り 除く
    及ぶ 於ける 従う 定める 示す 記す 掲げる 必要 不要 必須 不可欠 禁止 禁ずる 禁じる 厳禁 可能 不可 可
    義務 推奨 奨励 すすめる 望ましい 望む 好ましい 努める 勧める 薦める 心掛ける 要する 要る 認める 許す 任意 免除 省略
    対象外 自由 事 物 者 人 方 時 場合 際 為 所 訳 筈 通り 前 後 間 中 内 外 上 下 以上 以下 以内 未満 以外
    以前 以降 以後 迄 程度 位 頃 毎 毎に 等 別 次 次ぐ 同じ 同 各 全て 凡て 総て 皆 全員 一律 常に 必ず 直ちに
    予め 速やか 只 但し 此れ 其れ 此の 其の 様 旨 由 故 一方 又 及び 並びに 又は 若しくは こと もの ため とき
    ところ ほか など その ほう かた うち まで より ごと 向かう 向ける 済む 過ぎる 越える 上回る 下回る 達する
    経つ 超過 今 先 上記 下記 当該 該当 夫々 何 何れ 何方 誰 全部 全額 全体 のみ だけ 例外 無条件 無制限
    あらゆる 如何 です 先立つ 事前 なるべく 極力
"""
# Nouns for a kind of value or a topic, which an answer may add whatever the document says.
_GENERAL = """
    量 額 数 率 割合 値 数値 幅 長さ 高さ 重さ 厚さ 深さ 広さ 大きさ 温度 時間 時刻 期間 期限 期日 締め切り 日
    日付 日数 月数 回数 人数 年数 年齢 頻度 間隔 周期 距離 金額 料金 費用 代金 値段 価格 単価 総額 合計 平均
    分量 数量 容量 寸法 サイズ 単位 範囲 基準 標準 目安 水準 条件 要件 項目 内容 区分 種類 種別 分類 名称 名前
    備考 概要 要点 まとめ 結論 回答 答え 質問 理由 根拠 説明 資料 文書 書類 規定 規則 規程 定め 決まり 取り決め
    ルール 条 項 号 表 図 章 節 記載 記述 例 注意 事項 注 方法 手順 順序 順番 順 手続き やり方 仕方 流れ 目的
    対象 原則 場所 位置 箇所 部分 一部 側 担当 本人 自分 相手 双方 両方 両者 当人 人間 状態 状況 様子 結果 効果
    影響 原因 意味 用途 役割 役目 機能 性質 特徴 段階 最後 最初 初め 始め 終わり 途中 全般 以上 詳細 具体 取り扱い
    扱い 対応 処理 措置 作業 実施 適用 使用 利用 確認 指定 設定 規格 仕様 制限 許可 ポイント ケース 点 面 形 型
    季節 中身 色 大人 子供 男性 女性 曜日 其の他 その他 他 ほか 月 年 週 時期 日時 時間帯 期 分 差 許容 余り 残り
    違い 相違 差異 比較 利点 欠点 長所 短所 メリット デメリット 仕組み こつ 背景 経緯 由来 留意
    お金 金 点数 回 件 度 一人 片方 一方 他方 宛先 窓口 提出先 連絡先 秒速 分速 時速 毎秒 毎分 毎時
"""
# Words of place, time, degree and change that exclude each other, and closed series whose members exclude each other.
_OPPOSITES = """
    上限/下限 最大/最小 最高/最低 最長/最短 最多/最少 以前/以後 以前/以降 開始/終了 増加/減少 増やす/減らす
    増える/減る 上げる/下げる 上がる/下がる 開ける/閉める 開く/閉じる 午前/午後 高い/低い 長い/短い
    大きい/小さい 多い/少ない 早い/遅い 速い/遅い 厚い/薄い 強い/弱い 広い/狭い 重い/軽い 深い/浅い 新しい/古い
    許可/禁止 有効/無効 有料/無料 必須/任意 直列/並列 縦/横 東/西 南/北 右/左 昼/夜 近い/遠い 太い/細い
    高温/低温 濃い/薄い 固い/柔らかい 硬い/軟らかい 熱い/冷たい 暖かい/寒い 明るい/暗い 易しい/難しい 安全/危険
    容易/困難 得/損 公開/非公開 入/切 加算/減算 加える/除く 加える/引く 外側/内側 屋外/屋内 国内/国外 上流/下流
    上側/下側 前日/翌日 前月/翌月 前年/翌年 事前/事後 食前/食後 内開き/外開き 成立/不成立 合格/不合格
    一致/不一致 正/負 増額/減額 延長/短縮 拡大/縮小 加入/脱退 採用/解雇 点灯/消灯 起動/停止 開放/閉鎖 接続/切断
    加熱/冷却 湿潤/乾燥 水平/鉛直 水平/垂直 内部/外部 表/裏 平日/休日 常勤/非常勤 同じ/異なる 可/否 賛成/反対
    承認/却下 合法/違法
    日曜/月曜/火曜/水曜/木曜/金曜/土曜
    毎時/毎日/毎週/毎月/毎年 春/夏/秋/冬 大人/子供 男性/女性 男子/女子 長さ/幅/高さ/深さ/厚さ/重さ/直径
    赤/青/黄/緑/白/黒 赤い/青い/黄色い/白い/黒い 赤色/青色/黄色/緑色/白色/黒色 許可/届け出
"""

_PAIR = 2  # characters
_PARTED = "開閉 開休 始終 入退 入出 増減 前後 先後 有無 乗降 往復 登下 昇降 加減 新旧 内外 上下 出退 起消 着脱 公私"
_FIRST_SIGNS = [(one[at], one[1 - at]) for one in _PARTED.split() for at in (0, 1)]
# 前 and 後 as an order, not as a part of 前者, 前項, 前もって, 後者, 後述 or 後継.
BEFORE = "前(?!者|述|項|条|掲|記|もって)"
AFTER = "後(?!者|述|記|継|期)"
GRAMMATICAL = frozenset(_GRAMMATICAL.split())
GENERAL = frozenset(_GENERAL.split())
# Verbs that mean little without their object.
LITTLE = frozenset(("行う", "行なう", "受ける", "実施", "為す", "与える", "得る", "続ける", "続行"))
WEIGHED = ("標準", "基本", "原則", "目安", "前提")  # 標準とする says how binding a sentence is, not what happens
# Endings of nouns for actors: offices, bodies, trades, parties.
_AGENT = lazy_pattern(
    r"(?:者|人|員|係|長|課|室|(?<![一全内外上下])部|局|科|社|店|署|隊|士|師|官|院|庁|省|(?<![場箇か])所|会|役|班|団|担任|主任|担当|教諭|機関|組合|本人|主|[主幹理監]事"
    r"|児童|生徒|学生|家族|親|客|医|(?:小屋|当|門|夜|留守|見張り)番|センター|スタッフ|リーダー|メーカー|[甲乙丙]|(?:運転|操縦|助|選|騎|歌|射|担い|売り|買い|作り|使い|受け取り)手|(?<![一-鿿])[市町村県国])$"
)
# Public bodies without such an ending, and workplaces.
_BODY = lazy_pattern(
    r"(?:警察|消防|学校|銀行|役場|病院|協会|会社|業者|館|園|庫|受付|窓口|カウンター|フロント|商店街?|工場|支店|本社|支社|営業所)$"
)
# Nouns that end like actors but are not.
_NO_ONE = lazy_pattern(
    r"[身全最延成波特助]長$|[定全人満動]員$|[機集大開閉面入退司都再照]会$|[端細頭患]部$|結局$|[箇個近住長短名台急要]所$|部署$|[自]主$"
    r"|[集布]団$|[一二三四五六七八九十何数個他成大新別当各]人$|関係$|同士$|[開閉入退在]室$|[開閉]店$|配役$|(?:金|車|書|文|在|倉|冷蔵)庫$"
)
# General words for people, which do not identify an actor.
_ANYONE = """
    担当 担当者 係 係員 職員 社員 従業員 店員 スタッフ 利用者 使用者 客 来客 顧客 来場者
    来訪者 参加者 関係者 責任者 管理者 作業者 作業員 家族 住民 市民 会員 部署 窓口 会社
    施設 役所 高齢者 未成年 未成年者 児童 生徒 学生 大人 患者 希望者 対象者 該当者 本人
    当人 自身 所有者 申請者 申込者 申込み者 申し込み者 契約者 当事者 第三者 部外者 初心者
    経験者 主催者 事業者 業者 上司 部下 同僚 団体 法人 個人 組織 機関
"""


def is_agent(word: str) -> bool:
    """Whether a noun names a person or body that can act."""
    return _AGENT.search(word) is not None and not _NO_ONE.search(word)


def is_someone(word: str) -> bool:
    """Whether a noun names a particular person, office or body: 警察, 整備課, but not 担当者."""
    return (is_agent(word) or _BODY.search(word) is not None) and not _NO_ONE.search(word) and word not in ANYONE


def is_everyday(noun: str) -> bool:
    """Whether a noun contains hiragana, as everyday words for a term do: 持ち物 for 所持品."""
    return re.search("[ぁ-ゖ]", noun) is not None


def opposites(word: str) -> frozenset[str]:
    """Return the words that exclude this one: its series, and those of another first character (開場, 閉場)."""
    is_noun = re.fullmatch(rf"[一-鿿]{{{_PAIR}}}", word) is not None
    others = (f"{two}{word[1:]}" for one, two in _FIRST_SIGNS if is_noun and word[0] == one)
    return _OPPOSITE.get(word, frozenset()).union(others)


def _by_word() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for series in _OPPOSITES.split():
        words = series.split("/")
        for word in words:
            found.setdefault(word, set()).update(other for other in words if other != word)
    return {word: frozenset(others) for word, others in found.items()}


_OPPOSITE = _by_word()
ANYONE = frozenset(_ANYONE.split())
IN_SERIES = frozenset(_OPPOSITE)
