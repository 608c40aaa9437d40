"""Small word lists: words without content, negations, conditions, assent."""

from __future__ import annotations

import re

from chatbot.guard.units import plain

__all__ = [
    "ASSENT",
    "CONDITION",
    "DENIAL",
    "FREE",
    "NEGATION",
    "NEGATION_LOOSE",
    "NOT_NEGATION",
    "STOPWORDS",
]

_STOP: dict[str, str] = {
    "en": """
        a an the and or but if then else of to in on at by for from with without within into onto over
        under about as is are was were be been being am do does did done have has had having will would
        shall should can could may might must not no nor so than too very just only also both each any
        all some such this that these those it its i you he she we they me him her us them my your his
        our their mine yours ours theirs who whom which what when where why how there here out up down
        off again once more most other own same until while before after above below between during
        through per via etc please yes sure thank thanks hello hi dear welcome sorry unfortunately
        course certainly happy glad help kindly simply feel free let know question questions ask asking
        contacting contact get gets got make makes made want need needs like would well however
        therefore it's that's you're you'll you'd we're we'll i'm don't doesn't can't won't isn't
        aren't cannot case
    """,
    "es": """
        el la los las un una unos unas y o u e pero si no ni de del a al en con sin por para desde
        hasta sobre entre como que qué cual cuál cuando cuándo donde dónde quien es son era fue ser
        está están estar hay ha han haber he hemos tiene tienen tener puede pueden poder puedes podrá
        debe deben deberá se su sus tu tus mi mis nuestro nuestra nuestros nuestras le les lo me te nos
        os este esta estos estas ese esa eso esto aquel muy más menos ya también solo sólo todo toda
        todos todas cada otro otra mismo misma usted ustedes sí gracias hola buenas buenos días tardes
        estimado cliente claro supuesto favor lamentablemente siento encantado ayudar ayuda duda
        pregunta consultar contacto contactar caso así entonces según durante
    """,
    "fr": """
        le la les l un une des du de d et ou où mais si ne pas n non ni à au aux en dans sur sous avec
        sans pour par chez entre depuis jusqu jusque vers comme que qu qui quoi quel quelle quels
        quelles quand est sont était être été a ai as avez avons ont avoir peut peuvent pouvez pouvoir
        pourrez doit doivent devez devoir se s sa son ses ta ton tes ma mon mes notre nos votre vos
        leur leurs il elle ils elles on nous vous je tu me te lui ce cet cette ces ceci cela ça c y
        très plus moins déjà aussi seulement tout toute tous toutes chaque autre même oui merci bonjour
        cher chère client bien sûr entendu désolé malheureusement volontiers aider aide question
        contacter contact cas alors donc lors afin veuillez
    """,
    "de": """
        der die das den dem des ein eine einen einem einer eines und oder aber wenn falls ob nicht kein
        keine keinen keiner keinem nein zu zum zur von vom mit ohne für bei beim in im ins an am auf
        aus nach vor über unter bis seit durch um als wie was wer wo wann warum welche welcher welches
        ist sind war waren sein bin hat haben habe hatte wird werden wurde kann können könnte muss
        müssen soll sollte darf dürfen mag möchte sich er sie es wir ihr ich du mich mir dich dir uns
        euch ihn ihm ihnen ihre ihren ihrem ihrer mein dein unser unsere unseren dieser diese dieses
        diesen man dann da so sehr mehr auch nur noch schon doch ja danke bitte hallo guten tag gern
        gerne natürlich selbstverständlich leider helfen hilfe frage fragen kontakt kontaktieren jeder
        jede jedes alle allen alles andere anderen dass damit dabei dafür davon dazu hier dort
        innerhalb während je pro sowie sofern fall
    """,
    "it": """
        il lo la i gli le l un uno una e o ma se non né di del dello della dei degli delle a al allo
        alla ai agli alle in nel nella nei nelle con senza per da dal dalla dai su sul sulla tra fra
        come che chi cosa quale quando dove è sono era essere ha hanno ho avere può possono deve devono
        si suo sua suoi sue tuo tua mio mia nostro nostra vostro ci vi mi ti gli questo questa questi
        queste quello molto più meno già anche solo tutto tutta tutti tutte ogni altro stesso sì grazie
        ciao buongiorno certo purtroppo gentile cliente aiutare aiuto domanda contattare caso entro
    """,
    "pt": """
        o a os as um uma uns umas e ou mas se não nem de do da dos das em no na nos nas por pelo pela
        para com sem desde até sobre entre como que qual quando onde quem é são era foi ser está estão
        estar há tem têm ter pode podem poder deve devem seu sua seus suas meu minha nosso nossa você
        vocês ele ela eles elas me te lhe nos isto isso este esta esse essa muito mais menos já também
        só todo toda todos todas cada outro mesmo sim obrigado obrigada olá bom dia claro infelizmente
        prezado cliente ajudar ajuda dúvida pergunta contato caso então
    """,
    "nl": """
        de het een en of maar als niet geen van voor met zonder bij in op aan uit naar tot over onder
        is zijn was waren heeft hebben kan kunnen moet moeten mag wordt worden u uw je jouw wij we ons
        onze zij ze hij die dat deze dit er hier daar wat wie waar wanneer hoe ook nog al alleen ja nee
        dank graag helaas binnen per
    """,
    "ru": """
        и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только ее мне
        было вот от меня еще нет о из ему теперь когда даже ну ли если уже или ни быть был него до вас
        нибудь опять уж вам ведь там потом себя ничего ей может они тут где есть надо ней для мы тебя
        их чем была сам чтоб без будто чего раз тоже себе под будет ж тогда кто этот того потому этого
        какой наш ваш вашего нашего можно при об хорошо спасибо здравствуйте пожалуйста конечно это
        также можете
    """,
}
STOPWORDS: dict[str, frozenset[str]] = {
    language: frozenset(plain(word) for word in words.split()) for language, words in _STOP.items()
}

POLITE_CJK = re.compile(
    "您好|你好|感谢您?的?(?:咨询|来信|联系|支持)|谢谢|亲爱的|尊敬的|客户|请问|如果您|如有|其他|任何|疑问"
    "|问题|随时|欢迎|联系我们|我们|您的|您可以|可以|可|请您|请|是的"
    "|抱歉|很高兴|为您|服务|需要|会|的话|这个|那么|因此|所以|以及|或者|并且|同时|即可|就|都|也|将|把|在"
    "|对|于|是|有|的|了|着|吗|呢|吧"
    "|ございます|ありがとう|いたします|申し上げます|お問い合わせ|ください|下さい|いただけます|いただき"
    "|お願い|ます|です|でき|しております|承って|恐れ入ります|申し訳"
)

NOT_NEGATION: dict[str, re.Pattern[str]] = {
    "zh": re.compile(
        "不同|不错|不但|不仅|不论|不管|不限|无论|無論|无理由|無理由|差不多|不好意思|对不起|无线|無線|无损"
        "|无障碍|没问题|沒問題|没关系|非常|未来|别人|特别"
        "|分别|级别|类别|区别|性别|识别|个别|别的|别名|无忧|无缝|无人机|除非|是否|能不能|可不可以|会不会"
        "|是不是|有没有|要不要|行不行|不超过|不少于|不低于|不到|不满"
        "|不足|不高于|不迟于|未满|无限|无需|無需|不必|不用|不需|非会员|无息|不收|免|非工作日|不过|不断"
        "|不一定|不久|未成年|否则|不然|要不|不含税|无纸|无菌|不便|不(?:得|要|能|可|应|會|会)?超[过過]|未还|未付"
    ),
    "ja": re.compile(
        "問題(?:あり|ござい)ません|かまいません|構いません|すみません|申し訳(?:あり|ござい)ません"
        "|なければ|なくても|少ない|かもしれません|ではないでしょうか"
        "|しなく|まもなく|間もなく|もれなく|不要|無料|無線|無償|無制限|必ず|わず|まず|無くなり|ご遠慮なく"
        "|問わず|未満|満たない|問題がない|のない|差し支えありません|不具合|不明|不備|不良|無期限"
    ),
    "en": re.compile(
        r"not only|no matter|no problem|no later than|no more than|no less than|not exceed\w*|no extra|no "
        r"additional|no need|nothing extra"
        r"|at no |no-reason|no reason|no charge|no cost|no fee\w*|no interest|no surcharge|no questions"
        r"|why not|if not|whether or not|not just"
        r"|do not hesitate|don['’]t hesitate|no worries|unless|not yet|does not matter|no doubt"
    ),
    "es": re.compile(
        r"no solo|no sólo|sin coste\w*|sin costo\w*|sin cargo|sin gastos|sin interes\w*|sin problema\w*"
        r"|no dude\w*|no importa|sin recargo|no más de|no supere\w*"
        r"|sin compromiso|no obstante|si no|sin motivo|sin necesidad|no es necesario|no hace falta|sin dar"
    ),
    "de": re.compile(
        r"nicht nur|ohne (?:aufpreis|kosten|zusatzkosten|gebühr\w*|zuschlag|zinsen|angabe|grund|weiteres"
        r"|probleme?)|zögern sie nicht|kein problem|keine sorge|nicht mehr als"
        r"|keine (?:kosten|gebühr\w*|versandkosten|zusätzlichen)|nicht später|wenn nicht|nicht nötig"
        r"|nicht erforderlich|ob nicht"
    ),
    "fr": re.compile(
        r"non seulement|sans (?:frais|supplément|coût|intérêt\w*|surcoût|motif|problème|justification"
        r"|souci|engagement|raison)|n['’]hésitez pas|pas de problème|pas plus de"
        r"|pas de souci|sinon|n['’]est pas nécessaire|pas besoin|\bne\b[^.;!?]{1,60}\bqu(?:e\b|['’])"
    ),
}

NEGATION: dict[str, re.Pattern[str]] = {
    "zh": re.compile("不|没|沒|无法|無法|未|勿|禁止|谢绝|拒绝|无(?=[效权])"),
    "ja": re.compile("ません|ない(?!で)|なかった|不可|できかね|かねます|お断り|禁止|対象外|無効|ずに"),
    "en": re.compile(
        r"\b(?:not|cannot|no|never|nor|neither|none|nobody|nothing|exclud\w*|unable|unavailable"
        r"|impossible)\b|n['’]t\b"
    ),
    "es": re.compile(r"\b(?:no|nunca|jamás|tampoco|ningún|ninguna|ninguno|nada|ni|exclu\w+|imposible)\b"),
    "de": re.compile(r"\b(?:nicht|kein\w*|nie|niemals|weder|nichts|ausgeschlossen)\b"),
    "fr": re.compile(r"\bne\b|\bn['’]|\b(?:aucune?|jamais|ni|impossible|exclu\w*)\b"),
    "it": re.compile(r"\b(?:non|nessun\w*|mai|né|niente)\b"),
    "pt": re.compile(r"\b(?:não|nunca|nenhum\w*|nem|nada)\b"),
    "nl": re.compile(r"\b(?:niet|geen|nooit|niets)\b"),
    "ru": re.compile(r"\b(?:не|нет|никогда|нельзя|ни)\b"),
    "ko": re.compile("않|없|못|불가|아니|안 "),
}

NEGATION_LOOSE: dict[str, re.Pattern[str]] = {
    "zh": re.compile("不|没|沒|无|無|未|勿|免|禁|除|非|否|拒|仅|只|别|缺|少|外|停"),
    "ja": re.compile(
        "ません|ない|なく|なし|ず|不|無|未|外|除|禁|のみ|(?<!いた)だけ|限|断|以内|まで|でき|控え|避け|休"
    ),
    "en": re.compile(
        r"\b(?:no|not|non|never|without|unless|except|only|exclud\w*|free|cannot|neither|nor|un\w+"
        r"|in\w+able|less|until|up to|any|other than|but|instead|prohibit\w*|refus\w*|reject\w*|impossible"
        r"|rather|stop\w*|too late|regardless|none|nothing|\w+less|outside|exempt\w*|void|lose\w*|fail\w*"
        r"|miss\w*|otherwise|or (?:else|we)|avoid\w*|forbid\w*|forbidden|fewer|outstanding)\b|n['’]t\b"
    ),
    "es": re.compile(
        r"\b(?:no|sin|nunca|salvo|excepto|solo|sólo|únicamente|tampoco|ni|gratis|gratuit\w*|excluy\w*"
        r"|exclu\w*|ningun\w*|ningún|in\w+|des\w+|imposible|hasta|menos|nada|jamás|fuera|prohib\w*|contrario|evit\w*|rechac\w*)\b"
    ),
    "de": re.compile(
        r"\b(?:nicht\w*|kein\w*|ohne|nie\w*|nur|außer|ausgenommen|ausgeschlossen|un\w+|weder|noch"
        r"|kostenlos|kostenfrei|frei|lediglich|erst|ausschließlich|sonst|\w+los\w*|nichts|entfäll\w*"
        r"|verboten|andernfalls|vermeid\w*|weniger|höchstens)\b"
    ),
    "fr": re.compile(
        r"\b(?:ne|non|sans|sauf|excepté|hors|aucun\w*|jamais|seul\w*|uniquement|ni|gratuit\w*|in\w+|im\w+"
        r"|exclu\w*|moins|pas|rien|interdit\w*|sinon|défaut|évit\w*|refus\w*|maximum|fermé\w*)\b|n['’]"
    ),
    "it": re.compile(
        r"\b(?:non|senza|solo|salvo|tranne|nessun\w*|mai|esclus\w*|né|in\w+|gratuit\w*|niente)\b"
    ),
    "pt": re.compile(
        r"\b(?:não|sem|só|apenas|exceto|salvo|nunca|nenhum\w*|nem|in\w+|im\w+|grátis|gratuit\w*)\b"
    ),
    "ru": re.compile(r"\b(?:не\w*|нет|без\w*|кроме|только|никогда|нельзя|ни\w*|исключ\w*|бесплатн\w*)\b"),
    "ko": re.compile("않|없|못|불가|아니|안|제외|무료|만|외"),
}
"""Any way to carry a negation over when translating; generous on purpose."""

CONDITION: dict[str, re.Pattern[str]] = {
    "zh": re.compile(
        "仅限|仅|只有|只能|只要|只支持|除外|除非|除了|限于|仅在|前提|须|需要|需(?!要?要)|必须|但|如果|若"
        "|才|以内|之前|以上|满|起|符合|完好|不|未"
    ),
    "ja": re.compile(
        "限り|限ります|のみ|(?<!いた)だけ|場合|ただし|除く|除き|除いて|以外|条件|必要|れば|なら|ですが"
        "|以上|以内|まで|前|ません"
    ),
    "en": re.compile(
        r"\b(?:only|if|unless|except|excluding|provided|as long as|must|but|once|when|until|within|before"
        r"|need to|needs to|require[sd]?|from|over|above|subject to|other than|up to|for (?:orders"
        r"|purchases)|not|cannot)\b|n['’]t\b"
    ),
    "es": re.compile(
        r"\b(?:solo|sólo|únicamente|si|salvo|excepto|siempre que|pero|debe\w*|cuando|hasta|antes|dentro"
        r"|requiere\w*|necesit\w*|a partir|menos|en caso|no|tiene\w* que)\b"
    ),
    "de": re.compile(
        r"\b(?:nur|wenn|falls|sofern|außer|ausgenommen|solange|aber|müss\w*|muss|jedoch|bis|vor|innerhalb"
        r"|ab|voraussetzung|sobald|lediglich|nicht|kein\w*|erst)\b"
    ),
    "fr": re.compile(
        r"\b(?:seulement|uniquement|si|sauf|à condition|mais|doi\w+|lorsque|quand|jusqu\w*|avant|dans les"
        r"|à partir|dès|hors|tant que|cependant|ne|exclusivement|pourvu)\b|n['’]|s['’]il"
    ),
}
"""What may stand for a condition in an answer."""

FREE = re.compile(
    r"(?<!feel )(?<!toll-)(?<!duty-)(?<!hands-)\bfree\b(?! to\b| from\b| time\b| space\b)|免费|免運費"
    r"|免运费|包邮|免邮|無料|무료"
    r"|\bgratis\b|\bgrátis\b|gratuit|kostenlos|kostenfrei|gebührenfrei|\bumsonst\b|sin (?:coste|costo"
    r"|cargo)\b|sans frais"
    r"|\boffert|бесплатн|no (?:extra )?(?:charge|cost|fee)|at no cost"
)
"""What says that something costs nothing."""

STRICT_CONDITION: dict[str, re.Pattern[str]] = {
    "zh": re.compile("仅限|仅在|只有|只能|除外|除非|前提是|必须|仅(?!需|为|剩)|但(?:须|需)|才(?:能|可|会)"),
    "ja": re.compile("限り(?!なく)|限ります|のみ|に限|ただし|除く|除き|除いて|以外|条件"),
    "en": re.compile(
        r"\b(?:only|unless|except|excluding|provided|as long as|must be|subject to|other than)\b"
    ),
    "es": re.compile(r"\b(?:solo|sólo|únicamente|salvo|excepto|siempre que|a condición|a menos)\b"),
    "de": re.compile(
        r"\b(?:nur|sofern|außer|ausgenommen|solange|unter der voraussetzung|vorausgesetzt|lediglich)\b"
    ),
    "fr": re.compile(
        r"\b(?:seulement|uniquement|sauf|à condition|hors|tant que|exclusivement|pourvu|ne .{3,40} que)\b"
    ),
}
"""What surely is a condition in a source."""

ASSENT: dict[str, re.Pattern[str]] = {
    "zh": re.compile(
        r"^(?:您好[，,！!。 ]*|亲[，,]*)?(?:当然|可以|能[，,的]|能够|是的|有的|支持|会的|没问题|对的"
        r"|行[，,]|好的[，,])"
    ),
    "ja": re.compile(r"^(?:はい|ええ|もちろん|可能です|できます)"),
    "en": re.compile(r"^(?:hello|hi)?[,! ]*(?:yes|sure|of course|certainly|absolutely|definitely|you can\b)"),
    "es": re.compile(r"^(?:hola)?[,! ¡]*(?:sí|si,|claro|por supuesto|desde luego|puedes?\b)"),
    "de": re.compile(r"^(?:hallo)?[,! ]*(?:ja\b|natürlich|selbstverständlich|gerne|sie können\b)"),
    "fr": re.compile(
        r"^(?:bonjour)?[,! ]*(?:oui|bien sûr|tout à fait|absolument|certainement|vous pouvez\b)"
    ),
    "it": re.compile(r"^(?:sì|certo|certamente)\b"),
    "pt": re.compile(r"^(?:sim|claro|com certeza)\b"),
    "ru": re.compile(r"^(?:да|конечно)\b"),
    "ko": re.compile(r"^(?:네|예|물론)"),
}

DENIAL: dict[str, re.Pattern[str]] = {
    "zh": re.compile(
        r"^(?:您好[，,！!。 ]*)?(?:不可以|不能|不行|不支持|没有|不会|很抱歉[，,]?不|抱歉[，,]?不)"
    ),
    "ja": re.compile(r"^(?:いいえ|申し訳ございませんが.{0,30}(?:でき|ません))"),
    "en": re.compile(r"^(?:no\b|unfortunately\b|sorry\b|you can(?:not|['’]t)\b)"),
    "es": re.compile(r"^(?:no\b|lamentablemente|lo siento)"),
    "de": re.compile(r"^(?:nein\b|leider)"),
    "fr": re.compile(r"^(?:non\b|malheureusement|désolé)"),
    "it": re.compile(r"^(?:no\b|purtroppo)"),
    "pt": re.compile(r"^(?:não\b|infelizmente)"),
}
