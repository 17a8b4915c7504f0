"""Make the index terms of documents and questions, so that different spellings of the same content match.

Terms only serve matching; the user sees the original text. They consist of letters and digits, so that sqlite's
tokenizer does not split them. Synonyms come from a list shipped with Kotae and from the user's own 用語集.
"""

import functools
import tomllib
from collections.abc import Collection, Iterable
from pathlib import Path

from app.base import invisible_characters, search_text
from app.base.errors import AppError
from app.base.files.input_file import read_regular
from app.base.lazy_pattern import lazy_pattern
from app.base.paths import resources
from app.documents import encodings, lexicon
from app.documents.lexicon import Word
from app.documents.records import Section
from app.documents.section_terms import SectionTerms
from app.documents.values import quantities

# Weights of a pair of characters; fewer kana mean more weight: 橋脚, 滑り, ので.
WEIGHT_WORD, WEIGHT_MIXED, WEIGHT_KANA = 1.0, 0.5, 0.2
WEIGHT_KANA_NOUN = 0.6  # weight of a pair in a noun with hiragana
WEIGHT_GENERAL = 0.5  # factor for a noun of any topic: 種類, 方法
WEIGHT_LAST = 0.5  # weight of the last character of a run, as a term of its own
WEIGHT_NUMBER = 0.5  # weight of a number without a unit (33), which may count anything

# Old and variant forms of kanji with the forms in use: the 常用漢字表 (2010) lists the 康熙字典体 with them; the
# last lines are variants in names.
_PAIRS = """
亞亜 惡悪 壓圧 圍囲 醫医 爲為 壹壱 隱隠 榮栄 營営 衞衛 驛駅 圓円 鹽塩 緣縁 艷艶 應応 歐欧 毆殴 櫻桜
奧奥 橫横 溫温 穩穏 假仮 價価 畫画 會会 繪絵 壞壊 懷懐 槪概 擴拡 殼殻 覺覚 學学 嶽岳 樂楽 渴渇 罐缶
卷巻 陷陥 勸勧 寬寛 關関 歡歓 觀観 顏顔 歸帰 氣気 龜亀 僞偽 戲戯 犧犠 舊旧 據拠 擧挙 虛虚 峽峡 挾挟
狹狭 鄕郷 曉暁 區区 驅駆 勳勲 薰薫 徑径 揭掲 溪渓 惠恵 螢蛍 輕軽 鷄鶏 藝芸 擊撃 缺欠 儉倹 劍剣 圈圏
檢検 權権 獻献 硏研 縣県 險険 顯顕 驗験 嚴厳 效効 廣広 恆恒 鑛鉱 號号 國国 黑黒 碎砕 濟済 齋斎 劑剤
册冊 雜雑 參参 慘惨 棧桟 蠶蚕 贊賛 殘残 絲糸 齒歯 兒児 辭辞 濕湿 實実 舍舎 寫写 釋釈 壽寿 收収 從従
澁渋 獸獣 縱縦 肅粛 處処 緖緒 敍叙 奬奨 將将 涉渉 燒焼 稱称 證証 乘乗 剩剰 壤壌 孃嬢 條条 淨浄 狀状
疊畳 讓譲 釀醸 囑嘱 觸触 寢寝 愼慎 晉晋 眞真 盡尽 圖図 粹粋 醉酔 穗穂 隨随 髓髄 數数 樞枢 瀨瀬 聲声
靜静 齊斉 攝摂 竊窃 專専 戰戦 淺浅 潛潜 纖繊 踐践 錢銭 禪禅 雙双 壯壮 搜捜 插挿 曾曽 裝装 莊荘 總総
爭争 瘦痩 增増 藏蔵 臟臓 屬属 續続 墮堕 體体 對対 帶帯 滯滞 臺台 瀧滝 擇択 澤沢 單単 擔担 膽胆 團団
彈弾 斷断 癡痴 遲遅 晝昼 蟲虫 鑄鋳 廳庁 徵徴 聽聴 敕勅 鎭鎮 遞逓 鐵鉄 轉転 點点 傳伝 黨党 盜盗 燈灯
當当 鬪闘 德徳 獨独 讀読 屆届 繩縄 貳弐 惱悩 腦脳 霸覇 廢廃 拜拝 賣売 麥麦 發発 髮髪 拔抜 晚晩 蠻蛮
祕秘 濱浜 甁瓶 拂払 佛仏 倂併 竝並 變変 邊辺 邉辺 辨弁 瓣弁 辯弁 步歩 寶宝 豐豊 飜翻 每毎 萬万 滿満
麵麺 默黙 彌弥 譯訳 藥薬 與与 豫予 餘余 譽誉 搖揺 樣様 謠謡 來来 賴頼 亂乱 覽覧 龍竜 兩両 獵猟 綠緑
淚涙 壘塁 勵励 禮礼 隸隷 靈霊 齡齢 曆暦 歷歴 戀恋 鍊錬 爐炉 勞労 樓楼 郞郎 祿禄 錄録 灣湾 塡填 剝剥
頰頬 嚙噛 嶋島 嶌島 﨑崎 髙高 冨富 峯峰 濵浜 桒桑 舘館 渕淵 竪縦 潅灌
"""

_MODERN = {ord(pair[0]): pair[1] for pair in _PAIRS.split()}
_OLD = lazy_pattern(f"[{''.join(map(chr, _MODERN))}]")

_JAPANESE = "\u3005-\u3007\u3041-\u309f\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_SPACED = lazy_pattern(rf"[ \u3000](?<=[{_JAPANESE}].)[ \u3000]*(?=[{_JAPANESE}])")
_KANA = lazy_pattern("[\u3041-\u309f]")
_WITHOUT_PAIRS = lazy_pattern("[\u4e00-\u9fff々]|.*[\u3041-\u3096].+|.+[\u3041-\u3096].*")


def extract_terms(text: str) -> list[str]:
    """Return the terms of a text in order, with new forms of kanji for old ones (会社 for 會社)."""
    return search_text.terms_of_runs(_runs(text))


def extract_section_terms(section: Section) -> SectionTerms:
    """Return the terms of headings, text, values and dates, without the tags that thousands of sections share."""
    heading = _SPACED.sub("", " ".join(section.heading))
    body = _SPACED.sub("", section.text)
    return SectionTerms.of(_runs(heading), _runs(body), extract_value_terms(body))


def match_expression(query: str) -> str:
    """Return an FTS5 expression for the sections with every word of a query; "" for a query without words."""
    return search_text.match_expression(_with_modern_kanji(invisible_characters.to_plain_text(query)))


def _runs(text: str) -> list[str]:
    return search_text.index_runs(_with_modern_kanji(invisible_characters.to_plain_text(text)))


def _with_modern_kanji(text: str) -> str:
    return text.translate(_MODERN) if _OLD.search(text) else text  # to search takes a tenth of the time


_CONTENT = ("名詞", "動詞", "形容詞", "形状詞")
_ASKING = frozenset(("教える", "知る", "聞く", "尋ねる", "説明", "意味", "定義"))


def nouns_without_pairs(query: str) -> list[Word]:
    """Return the nouns of one kanji or with hiragana (堰, すべり, のり面), but no general ones (とき, やり方)."""
    return [word for word in _nouns(query) if _WITHOUT_PAIRS.fullmatch(word.text) and not _is_general(word)]


def general_nouns(query: str) -> list[Word]:
    """Return the nouns for a kind of value or a topic (理由, 期間)."""
    return [word for word in _nouns(query) if _is_general(word)]


def general_terms(query: str) -> frozenset[str]:
    """Return the terms of general nouns that stand together: 注意, 意点 and 点 of 点検の注意点."""
    return frozenset(extract_terms(_joined(general_nouns(query))))


def without_grammar(query: str) -> str:
    """Return the nouns, verbs and adjectives of a question, without particles, endings and words of asking."""
    left_out = _ASKING | lexicon.GRAMMATICAL
    words = (word for word in _words(query) if word.kind.startswith(_CONTENT) and word.base not in left_out)
    return _joined(words)


def _joined(words: Iterable[Word]) -> str:
    """Return words of a text as one, with a space between those that did not stand together."""
    text, end = "", 0
    for word in words:
        text += word.text if word.start == end else f" {word.text}"
        end = word.end
    return text.strip()


def weigh_query_terms(query: str) -> dict[str, float]:
    """Return the terms of a question with weights (0 to 1), without those inside of its grammar: は何 and です.

    A noun of one kanji is a prefix: 堰* for 堰の, 堰柱.
    """
    folded, words = search_text.fold(query), _words(query)
    grammar = extract_terms(_joined(filter(_is_grammar, words)))
    weights = {term: _weight(term) for term in extract_terms(query) if term not in grammar}
    after_particles = {word.end for word in words if word.kind.startswith("助詞")}
    for noun in (word for word in words if word.is_noun and not _is_grammar(word)):
        every = extract_terms(noun.text)
        pairs = every[:-1]
        if _is_general(noun):
            # の種 of 護岸の種類, but not り面 of のり面
            joint = folded[noun.start - 1 : noun.start + 1] if noun.start in after_particles else ""
            weights |= {term: weights[term] * WEIGHT_GENERAL for term in {*every, joint} if term in weights}
        elif len(noun.text) == 1 and _WITHOUT_PAIRS.fullmatch(noun.text):
            weights[f"{noun.text}*"] = WEIGHT_WORD
        else:
            weights |= {pair: max(weights.get(pair, 0), WEIGHT_KANA_NOUN) for pair in pairs}
    weights.update(dict.fromkeys(extract_value_terms(query), WEIGHT_WORD))
    return weights


def _nouns(query: str) -> list[Word]:
    return [word for word in _words(query) if word.is_noun and not _is_grammar(word)]


def _words(query: str) -> list[Word]:
    return lexicon.tokenize(search_text.fold(query))


def _is_grammar(word: Word) -> bool:
    """Whether a word is a particle, an ending, a pronoun, いくら or a verb of asking (教えて)."""
    is_asking = (word.kind.startswith("動詞") and word.base in _ASKING) or word.base == "幾ら"
    return is_asking or word.kind.startswith(("助詞", "助動詞", "代名詞"))


def _is_general(noun: Word) -> bool:
    return noun.base in lexicon.GRAMMATICAL or noun.base in lexicon.GENERAL


def extract_value_terms(text: str) -> list[str]:
    """Return one term for each value or date, however written: 24 N/mm² and ２４MPa, 昭和33年 and 1958年."""
    text = invisible_characters.to_plain_text(text)
    values, dates = quantities.parse_with_dates(text)
    found = [
        _encode_symbols(f"v{one.value:.6g}u{one.unit}") for one in values if one.unit and not one.unit.startswith("第")
    ]
    for date in dates:
        if date.year:
            found += [f"date{date.year}"] + ([f"date{date.year}m{date.month}d{date.day}"] if date.month else [])
    return found


def _weight(term: str) -> float:
    """Return the weight of a term by its script."""
    if term.isdecimal():
        return WEIGHT_NUMBER
    if not _KANA.search(term):
        return WEIGHT_LAST if len(term) == 1 and not term.isascii() else WEIGHT_WORD
    is_all_kana = all(_KANA.match(character) or character == "ー" for character in term)
    weight = WEIGHT_KANA if is_all_kana else WEIGHT_MIXED
    return weight * WEIGHT_LAST if len(term) == 1 else weight


def _encode_symbols(value: str) -> str:
    """Encode symbols as letters, because the tokenizer would split at them."""
    return "".join(one if one.isalnum() else f"x{ord(one):x}" for one in value).casefold()


SYNONYMS_FILE = "documents/synonyms.toml"
GLOSSARY_BYTES_MAX = 4 << 20
_KANJI_RUN = lazy_pattern("[\u3005\u3400-\u9fff]+")


def synonyms_of_query(query: str, own_file: Path | None = None) -> list[list[dict[str, float]]]:
    """Return the synonyms of each query word that has some, as terms with weights that add up to √n, or half if
    general."""
    return [
        [
            dict.fromkeys(listed, (WEIGHT_GENERAL if word in lexicon.GENERAL else 1) / len(listed) ** 0.5)
            for listed in others
        ]
        for word, others in synonyms_by_word(query, own_file)
    ]


def synonyms_by_word(query: str, own_file: Path | None = None) -> list[tuple[str, list[list[str]]]]:
    """Return each query word with synonyms, also of the user's list `own_file`, as terms. Raises as `read_glossary`."""
    folded = search_text.fold(query)
    runs = frozenset(_KANJI_RUN.findall(folded))
    found = []
    for word, lists in (*_shipped_synonyms().items(), *(read_glossary(own_file) if own_file else {}).items()):
        if word in folded and _is_whole_word(word, runs):
            new = [extract_terms(other) for others in lists for other in others if other not in folded]
            pairs = [[term for term in listed if len(term) > 1] or listed for listed in new]
            found.append((word, [listed for listed in pairs if listed]))
    return found


def _is_whole_word(word: str, kanji_runs: Collection[str]) -> bool:
    """Whether a single kanji is a word of its own in a text with these runs, not part of one: 草の, but not 海草."""
    return len(word) > 1 or word in kanji_runs or not _KANJI_RUN.match(word)


def read_glossary(path: Path) -> dict[str, list[list[str]]]:
    """Return word -> lines of the user's list with that word and its synonyms. Raises AppError("glossary_unreadable").

    A file that does not exist is empty.
    """
    try:
        stamp = path.stat()
    except OSError:
        return {}
    return _parse_glossary(path, stamp.st_mtime_ns, stamp.st_size)


@functools.lru_cache(maxsize=4)
def _parse_glossary(path: Path, _modified_ns: int, size: int) -> dict[str, list[list[str]]]:
    try:
        if size > GLOSSARY_BYTES_MAX:
            raise ValueError("too large")
        data = read_regular(path, GLOSSARY_BYTES_MAX)
        codec = encodings.detect(data)
        if data and not codec:
            raise ValueError("not a text")
        lines = encodings.decode(data, codec or "utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise AppError("glossary_unreadable", path=str(path), reason=str(error)) from error
    found: dict[str, list[list[str]]] = {}
    for line in lines:
        words = [search_text.fold(word.strip()) for word in line.replace("\t", ",").replace("、", ",").split(",")]
        words = list(dict.fromkeys(word for word in words if word and not word.startswith("#")))
        if len(words) > 1:
            for word in words:
                found.setdefault(word, []).append(words)
    return found


@functools.cache
def _shipped_synonyms() -> dict[str, list[list[str]]]:
    listed = tomllib.loads((resources() / SYNONYMS_FILE).read_text("utf-8"))["words"]
    found: dict[str, list[list[str]]] = {}
    for words, others in listed.items():
        for word in search_text.fold(words).split():
            found.setdefault(word, []).append(search_text.fold(others).split())
    return found
