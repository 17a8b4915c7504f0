"""Classify predicates by their endings: stated, negated, required, permitted, advised, prohibited or unnecessary.

The patterns are closed classes of grammar, for any subject. The last part finds a sentence's polarity by its end.
"""

from app.base.lazy_pattern import lazy_pattern

PLAIN, DENIED, DUTY, PERMITTED, ABLE, ADVISED, SUGGESTED, DISCOURAGED, PROHIBITED, NEEDLESS = (
    "plain", "denied", "duty", "permitted", "able", "advised", "suggested", "discouraged", "prohibited", "needless",
)  # fmt: skip

_NO = r"(?:な(?:い|く|か|し|けれ)|(?:あり?|ござい)?ませ|ざる|ず)"
_OK = r"(?:よ[いくけしろ]|良[いくけしろ]|いい|かま[わい]|構[わい]|差し?(?:支|つか)え|さしつかえ|問題)"
_NEEDLESS = lazy_pattern(
    rf"な(?:く|い)(?:て|で)も?{_OK}|な(?:い|く)(?:こと|の|て)[がはも]?(?:でき|出来|可能|済|すむ|すみ)|ずに?(?:済|すむ|すみ)|ず(?:とも|に)(?:も)?{_OK}|(?:必要(?:性|と)?|義務|には)[はがもも]?(?:{_NO}|及ば|およば|し(?:な|ませ))"
    rf"|(?:要|必要と)し(?:な|ませ)|不要|免除|免じ|省略でき(?!な|ませ)|省(?:略(?:する|し)?|く|い)(?:こと[がも](?:でき(?!な|ませ)|認め|可)|ても?(?:よ|い|かま|構|差|問))|任意"
)
_NOT_EXEMPT = lazy_pattern("免除(?:[はを])?(?:し|され|でき)(?:ない|なく|ません|ず)")
_DUTY = lazy_pattern(
    r"な(?:けれ|きゃ)ば?(?:な[らり]|いけ)|な(?:く|い)(?:て|と)は?(?:な[らり]|いけ)|ねばな[らり]|ざるを得|ないわけに|(?:必要|義務)(?:が|も|は)?(?:あ[るりっ]|で[あすし]|だ|と[なさす]|づけ|付け|(?=$|[。、)]))"
    r"|を?要す(?!る?者)|要り?ます|(?:が|は|も)要る|べき(?!で(?:は|も)?な)|べし|必須|不可欠|欠か(?:せ|す)|必要な?の?"
)
_PROHIBITED = lazy_pattern(
    r"(?:て|で)は(?:な[らり]|いけ|だめ|駄目)|ちゃいけ|禁[止ずじ]|厳禁|べきで(?:は|も)?な|べからず|不可(?!欠)|(?:許|認め)(?:され|可され|可し|られ|め|さ)?(?:てい)?(?:な|ませ|ず)"
    r"|(?:でき|出来|かね|得|(?<!支)(?<!つか)え|られ)(?:ない|なく|なかっ|ません|ず)|(?:わけ|こと)に?は(?:いか|なら|でき)(?:な|ませ)|(?:こと|の)[がはも](?:でき|出来)(?:ない|なく|ません|ず)|対象外|許可し(?:な|ませ)"
)
_ADVISED = lazy_pattern(
    r"望ま(?:し|れ)|推奨|奨励|好まし|勧め|薦め|すすめ(?:る|られ|て|し|で)|努め|つとめ|心が?掛け|心がけ|(?:^|[るたい])(?:ほう|方|の)が(?:よ|い|良)|(?:と|ば|たら)(?:よい|良い|いい)"
)
_ADVISED_NOT = lazy_pattern(
    "[^、。]{0,3}?(?:ない|(?<![必ま])ず)[^、。な]{0,8}(?:望|推奨|奨励|好|勧|薦|すすめ|努|つとめ|心|ほう|方)"
)
_SUGGESTED = lazy_pattern(r"よう(?:に|、)?(?:し(?:ま|て|よ)|する(?!ため)|気を)|ましょう")
CHOICE = lazy_pattern(  # 着けるかどうかは、本人の自由です
    r"(?:する|した|させる|ている)?か(?:どうか|否か)?は[^。]*(?:自由|任意|次第|任せ|任さ|委ね|選べ|選ぶ|選択|判断|決め|問わ|問い)"
)
SOFTENED = lazy_pattern(  # words before a predicate that weaken it
    r"(?:^|[、。はもをに])(?:(?:でき|出来)(?:れば|たら|るだけ|る限り)|なるべく|可能な(?:限り|かぎり|ら|範囲)|極力)"
)
_PERMITTED = lazy_pattern(
    rf"(?:て|で)も?{_OK}|(?:こと|の)[はもが](?:差し?(?:支|つか)え|さしつかえ|かま[わい]|構[わい]|問題(?:は|が|も)?){_NO}|(?:こと[がもは])?(?:でき|出来)(?:る|ま[すし]|て|[、。]|$)|可(?:能|とす|(?=$|[。、で)]))|(?<!て)(?:認め|許[さ可容])(?!て?い?な)|差し支え{_NO}|自由"
)
_DENIED = lazy_pattern(
    r"な(?:い|く|かっ|けれ)(?!か所)|(?<!て)ませ[んぬ](?!か)|(?<![必ま])[らかわさばれえけせてべげめねじきみ]?(?<![必ま])(?:ず(?:に|、|と|$)|ぬ)|なし(?:と|で|、|。|$)|まい(?=$|[。、])|(?<![例以])外(?:と|で|。|$)|未(?=$|[。、])"
)
_DOUBLE = lazy_pattern(
    r"(?:に過ぎ|にすぎ|かもしれ|違い|に(?:他|ほか)なら|までもな|やむを得)な?(?:い|く)?|だけでなく|のみならず|ばかりか|とは限ら|この限りでは?(?:な[いく]|あり?ません)"
)
CONDITION = lazy_pattern(
    r"^.{0,12}?(?:場合|とき(?!も)|時(?:は|に|、)|(?:れ|け|せ|え|め|べ|て|ね)ば(?!な[らり]|いけ)|たら|なら(?!な|ば?な|ず|ん|ぬ)|限り|際|間(?:は|、))"
)
CONCESSION = lazy_pattern(
    r"(?:(?:場合|とき|際)(?:で|に)?も(?!、?(?:同じ|同様))|(?:て|で)も(?![よい良構かさ差]|ら[いうえっわ])|にかかわらず|に関わらず|を問わず|のに)"
)

# NONE matches after a noun and expresses its absence. EVERY matches words for all things without exception.
NONE = r"(?:全く|まったく|一切)?(?:い|居)?(?:な[いくかけし]|無[いくかけし]|(?:あり?)?ませ|ござい)"
EVERY = "あらゆる|いかなる|どんな|どのような|一切|無条件|例外な[くし]"

# Modality in the source -> modalities allowed in the answer.
_KEPT = {
    PLAIN: {PLAIN, DUTY, ABLE, SUGGESTED},
    DENIED: {DENIED, PROHIBITED, NEEDLESS},
    DUTY: {DUTY, PLAIN, SUGGESTED},
    PERMITTED: {PERMITTED, ABLE, PLAIN},
    ABLE: {PERMITTED, ABLE, PLAIN},
    ADVISED: {ADVISED, SUGGESTED},
    SUGGESTED: {PLAIN, DUTY, ADVISED, SUGGESTED},
    DISCOURAGED: {DISCOURAGED, DENIED},
    PROHIBITED: {PROHIBITED, DENIED},
    NEEDLESS: {NEEDLESS, DENIED},
}
_OPPOSITE = {
    PLAIN: DENIED, DENIED: PLAIN, DUTY: NEEDLESS, PERMITTED: PROHIBITED, ABLE: PROHIBITED, ADVISED: NEEDLESS,
    SUGGESTED: NEEDLESS, DISCOURAGED: PERMITTED, PROHIBITED: PERMITTED, NEEDLESS: DUTY,
}  # fmt: skip
_PATTERNS = (  # the first match counts
    (_NOT_EXEMPT, DUTY),
    (_NEEDLESS, NEEDLESS),
    (_PROHIBITED, PROHIBITED),
    (_ADVISED, ADVISED),
    (_SUGGESTED, SUGGESTED),
    (_PERMITTED, PERMITTED),
    (_DUTY, DUTY),
    (_DENIED, DENIED),
)
NEGATIVE = {DENIED, DISCOURAGED, PROHIBITED, NEEDLESS}


def classify_modality(tail: str) -> str:
    """Return the modality of the text after a predicate's stem, up to the next content word."""
    kept = _DOUBLE.sub("", tail)
    for pattern, kind in _PATTERNS:
        if pattern.search(kept):
            if kind == PERMITTED and _DUTY.search(kept):
                return DUTY
            if kind == SUGGESTED and _DENIED.search(kept):  # 触らないようにします
                return DENIED
            if kind == ADVISED and _ADVISED_NOT.match(kept):  # 置かないことが望ましい
                return DISCOURAGED
            return kind
    return PLAIN


def preserves_modality(source: str, answer: str) -> bool:
    """Whether the answer's modality is compatible with the source's."""
    return answer in _KEPT[source]


def opposite(kind: str) -> str:
    """Return the opposite modality."""
    return _OPPOSITE[kind]


POLARITY_REACH = 18  # characters before the end: a predicate with its auxiliaries
_AMBIGUOUS_POLARITY = lazy_pattern(
    "超え|超過|上回|下回|困難|難し|避け|少な|控え|除[くきい]|限[りるら]|のみ|省略|しか|だけ|ないし|とは限|以外|不[^可要]|未|無"
)
_POSITIVE_IN_SUM = lazy_pattern(
    "なければ(?:な[らり]|いけ)|なくてはな[らり]|ねばな[らり]|ないといけ|ざるを得|ないわけには|[に]過ぎ|にすぎ|かもしれ|差し?支え"
    "|問題[はが]?(?:ない|あり|なく)|やむを得|[に](?:他|ほか)なら|までもな|違いな|欠かせ|欠くこと"
)
_NEGATED_END = lazy_pattern(
    "(?:な[いかく](?!い)|ません|[らかわさまばれえけせてべげめねじき]ず|禁止|禁じ|不可|不要)"
    "(?:[ぁ-ん]|基本|標準|原則|望|必要|重要|求){0,14}$"
)


def polarity_of(sentence: str) -> int:
    """Return 1 for an affirmative sentence, -1 for a negative one, 0 if unclear (避ける, 困難である, 超えない)."""
    end = sentence.rstrip("。．.!！ 　\n）)」")[-POLARITY_REACH:]
    if _POSITIVE_IN_SUM.search(end):
        return 1
    if _AMBIGUOUS_POLARITY.search(end):
        return 0
    return -1 if _NEGATED_END.search(end) else 1
