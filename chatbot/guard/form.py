"""Form of an answer: nothing of the machine shows, nothing is cut, looped or much too long."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from functools import lru_cache

from chatbot.guard.patterns import LONG_SCRIPT, fold

__all__ = ["echoes", "ends_open", "loops", "markup", "refusals", "sentences", "weight"]

_MARKUP = re.compile(
    r"(?P<chat><\|[a-z_]*\|?>?|\|>|\[/?INST\]|</?s>|<<SYS>>|<think>|</think>|NO_ANSWER"
    r"|(?:^|\n)\s*(?:assistant|user|system|human|customer|text|question|answer|response|translation"
    r"|translated text|output"
    r"|respuesta|pregunta|traducción|texto|antwort|frage|übersetzung|réponse|question|traduction|texte"
    r"|kunde|cliente|client"
    r"|问题|答案|回答|翻译|译文|文本|客服|客户|用户|助手|答|问|質問|回答|翻訳|テキスト|お客様|q|a)\s?[:：]"
    r"|(?:answer|reply|respond) in (?:english|chinese|spanish|german|french|japanese|italian|portuguese))"
    r"|(?P<markdown>(?:^|\n)\s{0,3}#{1,6} |```|\*\*|__\w|\]\((?:https?:|/|mailto:)|(?:^|\n)\s*\|.*\||(?:^"
    r"|\n)\s*(?:---+|===+)[ \t]*\n|(?:^|\n)> )"
    r"|(?P<html></?(?:a|b|i|p|br|div|span|script|style|h[1-6]|ul|ol|li|table|tr|td|strong|em|img|iframe"
    r"|html|body)\b[^>]*>?"
    r"|javascript:|&(?:nbsp|amp|lt|gt|quot|#\d+);|on(?:click|error|load)=)"
    r"|(?P<broken>[\ufffd\u0000-\u0008\u000e-\u001f]|\\n|\\u[0-9a-f]{4})",
    re.IGNORECASE,
)

_AI = re.compile(
    r"as an ai\b|\bi(?:'|’)?a?m an? (?:ai|artificial|language model|virtual)|language model|large language"
    r"|my training data"
    r"|openai|chatgpt|作为一个?(?:ai|人工智能|语言模型|大模型)|我是一个?(?:ai|人工智能|语言模型)|语言模型"
    r"|大模型|人工智能助手"
    r"|como (?:una? )?(?:ia\b|inteligencia artificial|modelo de lenguaje|asistente virtual)|modelo de "
    r"lenguaje|als (?:eine? )?(?:ki\b|künstliche|sprachmodell)"
    r"|sprachmodell|en tant qu['’](?:ia\b|intelligence artificielle|assistant|modèle)|modèle de langage"
    r"|aiとして|言語モデル|人工知能"
    r"|come (?:una )?intelligenza artificiale|modello linguistico|como uma? (?:ia\b|modelo de linguagem)"
    r"|языковая модель|언어 ?모델"
)
_META = re.compile(
    r"(?:the|this|provided|given|above|following) (?:text|passage|context|source|snippet|prompt"
    r"|instructions?)\b(?! message)"
    r"|according to the (?:information|text|context) (?:provided|above|given)|based on the (?:provided"
    r"|given) |translated (?:text|version)|here is the (?:translation|answer)"
    r"|根据(?:上述|提供的|以上|给出的|所给)|(?:上述|以上|给定|提供的)(?:文本|文字|内容|信息|资料)"
    r"|文本(?:中|没有|未)|(?:文中|原文)(?:没有|未|提到|说)|以下是(?:翻译|译文|回答)|翻译如下"
    r"|(?:el|este) texto(?: proporcionado| anterior)?\b|(?:según|de acuerdo con) (?:la información "
    r"proporcionada|el texto)|aquí (?:está|tiene) la traducción|la traducción es"
    r"|(?:der|dem|den|im) (?:text|kontext)\b|laut (?:dem )?text|hier ist die (?:übersetzung|antwort)|(?:le"
    r"|ce) texte\b|dans le contexte|d['’]après le texte|voici la (?:traduction|réponse)"
    r"|(?:この|上記の|提供された|与えられた|以下の)(?:テキスト|文章|文|本文|情報)|テキスト(?:に|には|では)"
    r"|以下(?:が|は)翻訳|il testo (?:fornito|non)|o texto (?:fornecido|não)"
)
_REFUSAL = re.compile(
    r"\bi (?:can ?not|can['’]t|am unable|am not able|do not have|don['’]t have|do not know|don['’]t know"
    r"|have no information|could not find|couldn['’]t find)"
    r"|\bi['’]m (?:unable|not able|not sure|afraid i)|(?:no|not enough|insufficient) (?:information"
    r"|details?) (?:is |are )?(?:available|provided|about|on|regarding)"
    r"|(?:not|isn['’]t|aren['’]t) (?:mentioned|specified|stated|provided in|included in the (?:text"
    r"|information))|there is no (?:information|mention)"
    r"|sorry,? (?:but )?(?:i|we) (?:can ?not|can['’]t|don['’]t) (?:help|assist|answer|provide|know|have)"
    r"|(?:cannot|can['’]t|unable to) (?:answer|help with|assist with) (?:this|that|your)"
    r"|(?:无法|不能|没办法)(?:回答|提供|确定|解答|帮助|协助|判断|给出)|(?:没有|未)(?:提及|提到|提供|说明"
    r"|给出|找到|包含)(?:相关|该|此|这|关于|具体|明确)?|(?:没有|暂无|缺乏|无)相关(?:的)?(?:信息|内容|资料"
    r"|说明)"
    r"|我不(?:知道|清楚|确定|了解)|抱歉.{0,6}(?:无法|不能|没有)(?:回答|提供|为您解答|相关)"
    r"|no (?:puedo|podemos) (?:responder|ayudar|contestar|proporcionar|dar)|no (?:tengo|tenemos|hay"
    r"|dispongo de|se (?:menciona|especifica|indica|proporciona)) (?:información|datos|detalles|nada)?|lo "
    r"siento,? (?:pero )?no (?:puedo|tengo|sé)"
    r"|no sé\b|ich (?:kann|habe|weiß) (?:ihnen )?(?:leider |dazu |diese |darauf |hierzu )*(?:nicht|keine"
    r"|nichts)|keine (?:informationen|angaben|auskunft)|nicht (?:erwähnt|angegeben|genannt|beantworten)|tut "
    r"mir leid,? (?:aber )?ich"
    r"|je ne (?:peux|sais|suis|dispose)|je n['’]ai pas|désolée?,? (?:mais )?je|(?:aucune|pas "
    r"d['’])\s?information|n['’]est pas (?:mentionné|précisé|indiqué|spécifié)"
    r"|お答え(?:でき|出来|いたしかね)|(?:わかり|分かり)ません|(?:情報|記載|記述)(?:が|は|も)(?:ありません"
    r"|ございません|見つかり|含まれて)|回答(?:でき|出来)ません|お手伝いできません|提供できません"
    r"|non (?:posso|so|ho informazioni)|não (?:posso|sei|tenho informações|há informaç)|я не (?:могу|знаю)"
    r"|нет информации|не упомина|(?:알 수|답변할 수|정보가) 없"
)

_SENTENCE = re.compile(
    r"[^。！？!?\n]+?(?:[。！？!?]+[”」』）)\"']*|(?<!\b[A-Za-z])(?<!\d)\.+[”\")]*(?=\s|$)"
    r"|(?<=\d)\.(?=\s+[A-ZÄÖÜ¿¡]|$)|\n|$)"
)
_OPEN_WORD = re.compile(
    r"(?<!\w)(?:"
    r"and|or|but|the|a|an|of|to|for|with|in|on|at|by|from|if|that|which|when|is|are|"
    r"your|our|and/or|und|oder|der|die|das|ein|eine|mit|für|von|zu|im|am|dass|wenn|ist|"
    r"y|o|el|la|los|las|un|una|de|del|en|con|por|para|que|si|es|su|et|ou|le|les|des|"
    r"du|à|au|aux|dans|avec|pour|sur|qui|votre|notre|e|il|lo|i|gli|di|da|per|che|ed|"
    r"um|uma|os|as|do|no|na|em|com"
    r")$"
)
_OPEN_CJK = (
    "，",
    "、",
    "：",
    "；",
    "（",
    "「",
    "『",
    "“",
    "和",
    "与",
    "或",
    "的话，",
    "并",
    "因为",
    "如果",
    "が、",
    "を",
    "は",
    "の",
    "に",
    "と",
    "で、",
    "から、",
    "以及",
    "请在",
)
_BRACKETS = (
    ("(", ")"),
    ("（", "）"),
    ("「", "」"),
    ("『", "』"),
    ("[", "]"),
    ("{", "}"),
    ("“", "”"),
    ("《", "》"),
    ("【", "】"),
)
_LAST_LINK = re.compile(r"(?:https?://|www\.|@)\S*$")
_WORD = re.compile(r"[a-zà-ɏ0-9а-яё'’]+|[\u3040-\u30ff\u4e00-\u9fff]|[\uac00-\ud7af]+|[^\W\d_]")
_SCRIPT_WEIGHTS = tuple(re.compile(f"[{r}]") for r in ("\u4e00-\u9fff", "\u3040-\u30ff", "\uac00-\ud7af"))
_WIDE_MARKS = re.compile("[\u2e80-\u303f\u3100-\u4dff\ua000-\uabff\ud7b0-\uffff]")


def markup(text: str) -> tuple[str, int] | None:
    """The first trace of prompt or page markup: its kind and where it begins."""
    match = _MARKUP.search(text)
    return (f"{match.lastgroup}", match.start()) if match else None


def refusals(text: str, source: str, whole_answer: bool) -> list[str]:
    """Talk of being a machine, of "the text" or of not knowing, unless the source talks so."""
    low, known = fold(text), fold(source)
    found = []
    checks = [("ai", _AI), ("meta", _META)] + ([("refusal", _REFUSAL)] if whole_answer else [])
    for name, pattern in checks:
        if any(match[0] not in known for match in pattern.finditer(low)):
            found.append(name)
    return found


@lru_cache(maxsize=512)
def sentences(text: str) -> tuple[str, ...]:
    """Sentences and lines of a text, without blanks at their ends."""
    return tuple(part for match in _SENTENCE.finditer(text) if (part := match[0].strip()))


def weight(text: str) -> float:
    """How much a text says, in characters of Chinese: a Latin letter counts a third, kana a little more."""
    letters = "".join(text.split())
    if letters.isascii():
        return 0.34 * len(letters)
    han, kana, hangul = (len(pattern.findall(letters)) for pattern in _SCRIPT_WEIGHTS)
    other = len(_WIDE_MARKS.findall(letters))
    return han + 0.6 * kana + 0.9 * hangul + 0.5 * other + 0.34 * (len(letters) - han - kana - hangul - other)


def echoes(answer: str, question: str) -> bool:
    """Whether the answer only says the question again."""
    said, asked = _WORD.findall(fold(answer)), _WORD.findall(fold(question))
    if not asked or not said:
        return False
    if said == asked:
        return True
    a, b = Counter(itertools.pairwise(said)), Counter(itertools.pairwise(asked))
    shared = sum((a & b).values())
    return len(asked) >= 4 and bool(a) and shared / max(sum(a.values()), sum(b.values())) > 0.85


def loops(answer: str, source: str) -> bool:
    """Whether words, phrases or sentences come round again more often than in the source."""
    said, known = _WORD.findall(fold(answer)), _WORD.findall(fold(source))
    if any(len(set(said[i : i + 4])) == 1 and said[i].isalpha() for i in range(len(said) - 3)):
        return True
    if any(
        said[i] == said[i + 1] == said[i + 2] and len(said[i]) > 1 and said[i].isalpha()
        for i in range(len(said) - 2)
    ):
        return True
    # a letter of Chinese or Japanese is a word here, and a polite ending has ten of them
    dense = sum(LONG_SCRIPT.match(word) is not None for word in said) > len(said) / 2
    for size, limit in ((16, 2), (9, 3)) if dense else ((8, 2), (5, 3)):
        mine = Counter(tuple(said[i : i + size]) for i in range(len(said) - size + 1))
        theirs = Counter(tuple(known[i : i + size]) for i in range(len(known) - size + 1))
        if any(
            count >= limit and count > theirs[gram] and len(set(gram)) > 1 for gram, count in mine.items()
        ):
            return True
    whole = [fold(s) for s in sentences(answer) if weight(s) > 5]
    return any(count > 1 and fold(source).count(text) < count for text, count in Counter(whole).items())


def ends_open(answer: str, source: str) -> bool:
    """Whether the answer breaks off: a comma, an open bracket, an article or a conjunction at its end.

    A longer answer also needs a full stop where its source has one.
    """
    text = answer.rstrip()
    if text.endswith((",", ";", ":", "-", "–", "(", "/", "，", "、", "：", "；", "（", "「")):
        return True
    for left, right in _BRACKETS:
        if text.count(left) > text.count(right) and not (left == "“" and "„" in text):
            return True
    if _OPEN_WORD.search(fold(text)) and len(text.split()) > 3:
        return True
    if len(text) > 6 and text.endswith(_OPEN_CJK):
        return True
    stopped = not text[-1].isalpha() or _LAST_LINK.search(text) is not None
    return not stopped and not source.rstrip()[-1:].isalpha() and weight(text) > 15
