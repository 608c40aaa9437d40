"""What marks a follow-up question, by language.

One :class:`Rules` a language.  Patterns are regular expressions in verbose
form, matched without regard to case; word lists are blank-separated.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["PLACES", "RULES", "Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How one language continues, refers back and asks.

    Languages without blanks between words are cut by ``focus`` alone; the others
    by ``stop``.
    """

    lead: str
    """Words at the start that continue the talk and are then dropped."""
    elliptic: str
    """Start (or end) of a question that only names another thing: "what about …"."""
    pronoun: str
    """Words that stand for what was talked about."""
    own: str
    """Where a pronoun of ``pronoun`` refers to nothing said before, or the clause is whole."""
    focus: str
    """The asking part of a question; without it the topic is left."""
    asks: str
    """A question word at the start, after ``lead``."""
    social: str
    """Whole messages that ask nothing: thanks, greetings, yes, no."""
    topics: str
    """Topics that stand alone: with a verb of their own they begin something new."""
    clause: str = ""
    """Start of a clause of its own, which a connective before it does not make lean."""
    stop: str = ""
    """Words without content; empty for languages written without blanks."""
    prepositions: str = ""
    article: str = ""
    """Put before a word that is looked at by itself, so that "watch" is no verb."""


RULES: dict[str, Rules] = {
    "zh": Rules(
        lead=r"""
            (?:那么|那(?![个款种些边里天])|还有|然后|另外|再问(?:一?下|个)?|而且|对了|
            顺便问(?:一?下)?|嗯+|哦+|好的?)[，,、\s]*
        """,
        elliptic=r"呢[？?！!。~～\s]*$",
        pronoun=r"""
            它们?的?|[这那][个款种](?=[\s\p{P}吗呢吧多能可怎是需会支要有防的和跟还也]|$)|
            这(?=要|多|能|可|怎|是|需|会|支)|这样|刚才(?:说的|那个)?|上面(?:说的|那个)?|这件事
        """,
        own=r"""
            这[个款种]?(?:订单|快递|包裹|优惠券|发票|账号|密码|问题|网站|活动|链接)|为什么.{4,}|
            怎么(?:还|没|不|这么).{2,}
        """,
        focus=r"""
            请问(?:一?下)?|我?想(?:问|知道|了解)(?:一?下)?|帮我(?:查|看)(?:一?下)?|你好|您好|为什么|
            多久(?:时间)?(?:能|可以|才)?(?:到货|送到|收到|到)?|几天(?:能|可以|才)?(?:到货|送到|收到|
            到)?|什么时候(?:能|可以|才)?(?:到货|送到|收到|到)?|(?:需?要|得|是)?多少(?:钱|天)?|
            几(?:点|个|天|年|次)|怎么(?:样|办理?|收费?|算)?|如何|(?:有|是)?什么(?!时候)(?:颜色)?|
            哪[里儿些个种款]?|能不能|可不可以|可以|能(?=用|退|换|寄|送|开)|是不是|有没有|支不支持|
            支持|大概|一般|需要|要(?=多|几)|[吗呢吧啊呀么]|你们|贵|(?:一共|总共)
        """,
        asks=r"多久|多少|几|什么时候|怎么|如何|为什么|哪|要|能|可以|需要|有|是",
        social=r"""
            (?:好的?|嗯+|哦+|行|可以|谢谢|多谢|感谢|不用了?|没有?了?|是的?|对的?|不是|不对|你好|
            您好|在吗|再见|拜拜|明白了?|知道了|ok|收到|没问题|太好了|辛苦了|早|早上好|
            晚上好)(?:谢谢|了|啦|哈|你|您|啊|的|呀|，|,|！|!|。|～|~|\s)*
        """,
        topics=r"""
            退货|退款|换货|发票|取消|投诉|人工|密码|注册|登录|登陆|支付|付款|优惠券|下单|订单|积分|
            会员|以旧换新|注销|改地址|地址
        """,
        clause=r"我|你们|您|请|帮",
    ),
    "ja": Rules(
        lead=r"""
            (?:では(?!な)|じゃあ?|それでは|それなら|それじゃあ?|それと|あと(?:は)?|ちなみに|
            ところで|で(?=[、,])|また(?=[、,])|えっと)[、,\s]*
        """,
        elliptic=r"(?:は|の(?:場合|ほう|方)は|はどう(?:ですか|でしょうか)?|についても?は?)[？?。\s]*$",
        pronoun=r"""
            それ(?!で|な|じ|と[、,])(?:ら)?|その(?=[^他])|これ(?:ら)?(?!から)|あれ|そちら|
            同じ(?:もの)?
        """,
        own=r"それぞれ|そのまま|そのうち|これまで",
        focus=r"""
            すみません|教えて(?:ください|下さい|もらえますか)?|(?:は|が|に|を|で)?(?:いくら|何日|
            何時間|何年|どのくらい|どれくらい|いつ(?:まで|頃|ごろ)?|どこ|どう(?:すれば|やって|
            したら)?|何(?:色|が|を)?|なぜ)(?:で(?!す|し)|に|くらい|ほど)?(?:かかり|届き|なり|でき|あり|いい|
            よい|良い)?(?:ます|です|でしょう)?か?|(?:し|でき|あり|い|り|き)?(?:ます|ません)か|
            (?:です|でしょう)か?|したいの?(?:です)?が?|ください|可能|か(?=[？?。\s]*$)
        """,
        asks=r"いくら|何|いつ|どこ|どう|どの|どれ|なぜ|だれ|誰",
        social=r"""
            (?:はい|いいえ|うん|ええ|ありがとう(?:ございま(?:す|した))?|どうも|了解(?:です|
            しました)?|わかりました|分かりました|こんにちは|こんばんは|おはよう(?:ございます)?|
            さようなら|大丈夫(?:です)?|結構です|ok|お願いします|
            なるほど)[。！!、,\s]*(?:ありがとう(?:ございま(?:す|した))?)?[。！!\s]*
        """,
        topics=r"""
            返品|返金|交換|領収書|請求書|キャンセル|パスワード|ログイン|支払|クーポン|ポイント|注文|
            住所|退会|下取り
        """,
    ),
    "en": Rules(
        lead=r"""
            (?:and(?:\ then)?|also|but|so|then|ok(?:ay)?|oh|plus|or|well|thanks|thank\ you|great|
            got\ it)\b[,.!]*\s+
        """,
        elliptic=r"(?:what\ about|how\ about|what\ if(?:\ it'?s|\ it\ is)?|same\ (?:for|with))\b",
        pronoun=r"""
            \b(?:it|its|it's|that|that's|thats|this|they|them|those|these|their|there|the\ same
            (?!\ \p{L}{4})|the\ other\ one|ones?(?!-|\ \p{L}{3}))\b
        """,
        own=r"""
            \bit(?:'s)?\ (?:is\ )?(?:possible|necessary|ok|okay|allowed)\b|\bit\ (?:take|takes|cost|
            costs)\ (?:you\ )?(?:to|for)\s+\w+\s+\w+|\b(?:that|this|these|those)\ (?!it|take|cost|
            work|mean|include|apply|happen|come|also|is|are|too|much|long)\w{3,}|\b(?:is|
            are)\ there\b|\b(?:anyone|anybody|someone|somebody|nobody|not)\ there\b|\bthere\ (?:is|are)\b|\b(?:one|ones)\ of\b|\bthat\ (?:i|you|we|my|the)\b
        """,
        focus="",
        asks=r"how|what|when|where|which|who|why",
        social=r"""
            (?:(?:ok(?:ay)?|thanks?(?:\ you)?|thx|ty|thank\ you|great|perfect|cool|yes|yeah|yep|no|
            nope|sure|got\ it|hi|hello|hey|bye|goodbye|good|nice|awesome|alright|i\ see|
            never\ ?mind|so\ much|very\ much|a\ lot|then|please|morning|for\ (?:that|it|this|
            your\ help|the\ help)|that'?s\ (?:all|it|great|fine|perfect|good)|it)\b[\s,.!]*)+
        """,
        topics=r"""
            \b(?:return|refund|exchange|invoice|cancel|complain|complaint|password|log\ ?in|
            sign\ ?up|pay|payment|coupon|order|account|points|membership|trade.?in|address)s?\b
        """,
        clause=r"(?:do|does|did|can|could|is|are|will|would|should|may|i|i'd|you|we|my|please)\b",
        stop="""
            the a an i you he she we my your our his her me us is are was were be been am do does did
            done don't have has had will would can could should may must shall and or but so if then
            also just please hi hello hey ok what when where which who whose why how much many long
            often soon far old it its it's that this these those they them their there one ones not no
            yes any some need want like get tell know about take takes cost costs come comes work works
            happen happens charge offer give let there's what's how's i'd i'm usually normally actually
            again too still yet same other possible able going go say mean means cant can't dont as with
        """,
        prepositions="""
            to for from with in of on at by into without after before
        """,
        article="the ",
    ),
    "es": Rules(
        lead=r"""
            (?:¿\s*)?(?:y(?:\ entonces)?|e|pero|entonces|también|además|ok|vale|bueno|gracias|
            o)\b[,.!]*\s+(?:¿\s*)?
        """,
        elliptic=r"""
            ¿?\s*(?:qué\ (?:pasa|tal|hay)\ (?:con|de)|(?:y\ )?si\ (?:es|fuera)|lo\ mismo\ (?:para|
            con))\b
        """,
        pronoun=r"""
            \b(?:eso|esto|ello|ese|esa|este|esta|ellos|ellas|lo\ mismo|allí|ahí)\b|\b(?:hacer|
            devolver|cambiar|cancelar|usar|pagar|comprar|recoger)(?:lo|la|los|las)\b|\b(?:lo|la|los|
            las)\ (?:puedo|puede|pueden|devuelvo|cambio|cancelo|uso|envían|tienen|hay)\b
        """,
        own=r"\best[aá]\ (?:mi|tu|su|el|la|los|las|en)\b|\b(?:ese|esa|este|esta)\ (?!es|cuesta|tarda|incluye|también|funciona|vale)\w{3,}",
        focus="",
        asks=r"""
            ¿?\s*(?:cuánto|cuanto|cuándo|cuando|cómo|como|dónde|donde|qué|que|cuál|cual|quién|
            por\ qué|cuántos|cuantos|cuánta|es|tiene)
        """,
        social=r"""
            (?:(?:¡?hola|gracias|muchas|mil|vale|ok|okay|sí|si|no|claro|perfecto|bien|muy|
            de\ acuerdo|adiós|adios|hasta\ luego|buenos|buenas|días|tardes|noches|genial|entendido|
            de\ nada|por\ favor|eso\ es\ todo|por\ todo|por\ la\ ayuda|entonces|
            nada\ más)\b[\s,.!¡]*)+
        """,
        topics=r"""
            \b(?:devol\w+|reembols\w+|factura\w*|cancel\w+|reclam\w+|contraseña|cuenta|pag(?:o|ar|
            os)|cup[oó]n\w*|pedido|puntos|direcci[oó]n|cambiar)\b
        """,
        clause=r"""
            ¿?\s*(?:puedo|se\ puede|pueden|podéis|tienen|tenéis|hay|aceptan|hacen|quiero|necesito|
            es|mi)\b
        """,
        stop="""
            el la los las un una unos unas yo tú tu usted mi mis su sus me te se nos le les lo es son
            está están soy ser estar hay ha he han tengo tiene tienen puedo puede pueden podría quiero
            quiere quisiera necesito y e o pero si no sí qué que cómo como cuándo cuando cuánto cuanto
            cuánta cuántos cuántas dónde donde cuál cual quién por porque este esta esto ese esa eso al
            muy más ya aún también entonces tarda tardan tardáis demora cuesta cuestan vale valen sale
            llega funciona pasa tiempo hola días cobran cobráis hacéis hacen además mismo allí
        """,
        prepositions="""
            a de del en con para por sin desde hasta sobre
        """,
        article="el ",
    ),
    "de": Rules(
        lead=r"""
            (?:und(?:\ dann)?|aber|also|dann|außerdem|ok(?:ay)?|gut|danke|oder|ach\ so|achso|
            ach)\b[,.!]*\s+
        """,
        elliptic=r"""
            (?:was\ ist\ (?:mit|bei)|wie\ (?:ist|sieht|steht)\ (?:es|das)(?:\ denn)?\ (?:mit|bei|
            für|um|aus)|wie\ ist\ das\ bei|gilt\ das\ auch\ (?:für|bei))\b
        """,
        pronoun=r"""
            \b(?:das|es|dies|dieser|dieses|diese|die(?=\ auch|\ denn|\ dann)|davon|dafür|damit|dazu|
            daran|dabei|dort|dorthin|deren|dessen|sie(?=\ auch|\ wasser)|ihn|er)\b
        """,
        own=r"""
            \b(?:das|dies|diese|dieser|dieses)\ (?!es|ist|dauert|kostet|geht|auch|dann|denn|gilt|
            kann|wird|funktioniert|alles|machen|genau)\w{3,}|\bes\ (?:möglich|gibt)\b|\bgibt\ es\b|
            \bwie\ geht\ es\b
        """,
        focus="",
        asks=r"wie|was|wann|wo|wohin|woher|welche\w*|wer|warum|ist|sind|kann|geht|hat|gilt",
        social=r"""
            (?:(?:hallo|hi|danke(?:schön)?|vielen\ dank|vielen|dank|besten|ok(?:ay)?|ja|nein|gut|
            super|prima|toll|alles\ klar|klar|bitte|tschüss|auf\ wiedersehen|guten|morgen|tag|abend|
            moin|verstanden|passt|schön|das\ war'?s|das\ war\ alles|sehr|dir|ihnen|
            für\ (?:die\ hilfe|ihre\ hilfe|alles))\b[\s,.!]*)+
        """,
        topics=r"""
            \b(?:rückgabe|retour\w*|zurück(?:geben|senden|schicken)|erstatt\w+|umtausch\w*|
            rechnung\w*|storni\w+|beschwer\w+|passwort|konto|(?:be)?zahl\w+|gutschein\w*|bestell\w+|
            punkte|adresse)\b
        """,
        clause=r"(?:kann|können|gibt|ist|sind|haben|hat|bieten|ich|ihr|wir|mein\w*|bitte|muss)\b",
        stop="""
            der die das den dem des ein eine einen einem einer ich du er sie es wir ihr mir mich mein
            meine meinen meiner euer eure ihre unser ist sind war bin hat habe haben wird werden kann
            können könnte will möchte muss soll nicht und oder aber wenn dann also wo was wer wie wann
            warum welche welcher welches viel viele lange lang oft schon auch nur ja nein gibt geht
            dauert dauern kostet kosten funktioniert denn da davon dafür damit dazu hallo bitte man sich
            dies diese dieser dieses ok noch mal gut danke außerdem dort dabei liegt beträgt gilt hoch
            zeit
        """,
        prepositions="""
            in im an am auf aus bei mit nach von vom zu zum zur für über ohne bis
        """,
        article="die ",
    ),
    "fr": Rules(
        lead=r"(?:et(?:\ puis)?|mais|alors|aussi|ok|d'accord|merci|ou|sinon|du\ coup|donc)\b[,.!]*\s+",
        elliptic=r"""
            (?:qu'en\ est-il\ (?:de|du|des|pour|d')|qu'est-ce\ qu'il\ en\ est|c'est\ pareil\ pour|
            pareil\ pour|même\ chose\ pour|quid\ (?:de|du|des|d'))
        """,
        pronoun=r"""
            \b(?:ça|ca|cela|ceci|celui-ci|celle-ci|celui-là|celle-là|ceux-ci|là-bas|le\ même|
            la\ même)\b|(?<=\w-)(?:il|elle|ils|elles)\b|^(?:est-ce\ qu')?(?:il|elle|ils|elles)\b|
            \bl'(?:annuler|échanger|utiliser|acheter)\b|\bles?\ (?:retourner|renvoyer|changer|
            annuler|rendre)\b
        """,
        own=r"\b(?:y\ a-t-il|est-il\ possible|faut-il|il\ y\ a|il\ faut|ça\ va)\b",
        focus="",
        asks=r"combien|comment|quand|où|ou|quoi|quel\w*|qui|pourquoi|est-ce|c'est",
        social=r"""
            (?:(?:bonjour|salut|bonsoir|merci|beaucoup|bien|ok|d'accord|oui|non|parfait|super|
            génial|très|au\ revoir|bonne|journée|soirée|s'il\ vous\ plaît|svp|compris|
            c'est\ (?:tout|bon|parfait)|pour\ (?:tout|votre\ aide)|à\ vous|rien)\b[\s,.!]*)+
        """,
        topics=r"""
            \b(?:retour\w*|renvo\w+|rembours\w+|échang\w+|factur\w+|annul\w+|réclam\w+|
            mot\ de\ passe|compte|pa(?:yer|iement\w*|ye)|coupon\w*|commande\w*|points|adresse)\b
        """,
        clause=r"(?:puis-je|peut-on|pouvez|est-ce|avez|y\ a|acceptez|je|j'|vous|on|mon|ma|il)\b",
        stop="""
            le la les l t un une des du d je tu il elle on nous vous ils elles mon ma mes votre vos notre
            nos son sa ses leur est sont suis ai as a avez avons ont était être avoir peux peut pouvez
            pouvons veux voudrais puis-je puis ne pas plus que qu qui quoi quel quelle quels quelles
            comment quand combien où pourquoi et ou mais si oui non ce cet cette ces ça ca cela c'est
            j'ai est-ce faut temps prend coûte coute coûtent marche fonctionne y se bonjour alors aussi
            dure durent t-il t-elle c qu'en est-il ci même d'accord ok merci sinon donc coup prennent
            faire coûte-t-il
        """,
        prepositions="""
            à au aux en dans sur avec pour par sans chez vers de depuis
        """,
        article="la ",
    ),
}
"""The six languages with rules; a message in any other is taken as it is."""

PLACES = """
    国内 中国 中国大陆 大陆 内地 香港 澳门 台湾 日本 美国 加拿大 欧洲 欧盟 英国 德国 法国 西班牙
    意大利 葡萄牙 荷兰 韩国 新加坡 马来西亚 泰国 越南 印尼 澳大利亚 澳洲 新西兰 巴西 墨西哥 海外
    国外 国际 北京 上海 广州 深圳 偏远地区 新疆 西藏 香港地区 アメリカ カナダ ヨーロッパ イギリス
    ドイツ フランス スペイン イタリア 韓国 沖縄 北海道 離島 日本国内 オーストラリア china mainland
    hong_kong macau taiwan japan the_us usa united_states america canada europe eu uk
    united_kingdom britain england germany france spain italy portugal netherlands belgium austria
    switzerland poland ireland korea south_korea singapore malaysia thailand vietnam indonesia
    australia new_zealand brazil mexico argentina chile colombia turkey abroad overseas alaska
    hawaii okinawa japón estados_unidos ee.uu canadá europa reino_unido alemania francia españa
    italia holanda bélgica suiza corea méxico brasil canarias baleares extranjero península
    vereinigte_staaten kanada großbritannien deutschland frankreich spanien italien niederlande
    belgien österreich schweiz ausland japon états-unis royaume-uni allemagne espagne italie
    pays-bas belgique suisse étranger chine corse
    天津 重庆 杭州 苏州 武汉 青岛 台北 高雄 东京 東京 大阪 横浜 名古屋 福岡 札幌
    首尔 曼谷 巴黎 伦敦 柏林 马德里 米兰 纽约 洛杉矶 悉尼 多伦多 迪拜 莫斯科 パリ ロンドン ベルリン
    ニューヨーク ロサンゼルス ソウル
    paris london berlin madrid barcelona valencia sevilla lisbon lisboa rome milan milano munich münchen
    hamburg frankfurt köln stuttgart düsseldorf vienna wien zurich zürich geneva genève genf
    brussels bruxelles brüssel amsterdam rotterdam copenhagen stockholm oslo helsinki warsaw prague
    dublin manchester edinburgh lyon marseille toulouse bordeaux lille strasbourg athens istanbul dubai
    moscow beijing shanghai guangzhou shenzhen taipei tokyo osaka kyoto seoul bangkok jakarta hanoi
    manila delhi mumbai sydney melbourne toronto vancouver montreal new_york los_angeles san_francisco
    chicago boston seattle miami texas california florida londres nueva_york berlín parís roma múnich
    tokio pekín pékin shanghái varsovie copenhague
"""
"""Places customers ship to or live in, blank-separated, with ``_`` for a blank."""
