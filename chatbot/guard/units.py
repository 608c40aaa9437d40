"""Units, months, weekdays and number words of the languages the guard reads.

A unit belongs to a class; numbers of one class are compared after multiplying
with the unit's factor, so that 24 months meet two years but 5 working days never
meet 5 days.  A unit that is in no table is unknown, and unknown units are
compared leniently.
"""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

__all__ = [
    "CURRENCY_PREFIXES",
    "DURATIONS",
    "HALF_WORDS",
    "MAX_CJK_UNIT",
    "MONTHS",
    "MULTIPLIERS",
    "UNITS",
    "WEEKDAYS",
    "WEEKDAY_PHRASES",
    "Unit",
    "plain",
]


def _split(words: str) -> list[str]:
    return words.split()


class Unit(NamedTuple):
    """Class of a unit and the factor to the class's base unit."""

    name: str
    factor: float


def plain(word: str) -> str:
    """Lower case without accents: the spelling under which tables are looked up."""
    if word.isascii():
        return word.lower()
    parts = unicodedata.normalize("NFD", word.casefold())
    return unicodedata.normalize("NFC", "".join(c for c in parts if not "\u0300" <= c <= "\u036f"))


DURATIONS = frozenset({"time", "day", "workday", "month"})

_TABLE: dict[tuple[str, float], str] = {
    (
        "time",
        1,
    ): "s sec secs second seconds segundo segundos seconde secondes sekunde sekunden secondo secondi "
    "секунда секунды секунд 秒 秒钟 秒鐘 秒間 초",
    (
        "time",
        60,
    ): "min mins minute minutes minuto minutos minuten minuut minuten minuti минут минуты минута минуту "
    "分 分钟 分鐘 分間 분",
    (
        "time",
        3600,
    ): "h hr hrs hour hours hourly hora horas hs heure heures stunde stunden std stundig uur uren ora ore "
    "час часа часов 小时 小時 个小时 個小時 钟头 鐘頭 个钟头 時間 시간",
    (
        "day",
        1,
    ): "day days night nights dia dias jour jours journee journees tag tage tagen tages tagig tagige tagigen "
    "tagiges giorno giorni dag dagen день дня дней сутки суток 天 日 日間 日间 日内 泊 晚 夜 일 일간 "
    "calendar_day calendar_days kalendertag kalendertage kalendertagen dias_naturales dia_natural "
    "dias_corridos "
    "jours_calendaires giorni_di_calendario календарных_дней календарный_день 自然日 个自然日 暦日",
    (
        "day",
        7,
    ): "week weeks semana semanas semaine semaines woche wochen wochig wochige wochigen settimana settimane "
    "weken неделя недели недель неделю 周 週 周间 週間 星期 个星期 個星期 礼拜 個禮拜 个礼拜 주 주일 주간",
    ("workday", 1): "working_day working_days business_day business_days workday workdays weekday weekdays "
    "bank_working_days dia_laborable dias_laborables dia_habil dias_habiles dia_util dias_uteis "
    "jour_ouvrable "
    "jours_ouvrables jour_ouvre jours_ouvres werktag werktage werktagen werktages arbeitstag arbeitstage "
    "arbeitstagen bankarbeitstage bankarbeitstagen geschaftstag geschaftstage geschaftstagen "
    "giorno_lavorativo "
    "giorni_lavorativi giorni_feriali giorno_feriale werkdag werkdagen рабочий_день рабочих_дня рабочих_дней "
    "рабочего_дня 工作日 个工作日 個工作日 营业日 个营业日 營業日 営業日 영업일 영업일간",
    (
        "month",
        1,
    ): "month months monthly mes meses mois monat monate monaten monats monatig monatige monatigen mese mesi "
    "maand maanden месяц месяца месяцев 个月 個月 か月 ヶ月 カ月 ヵ月 ケ月 箇月 か月間 ヶ月間 カ月間 "
    "ヵ月間 개월 달",
    (
        "month",
        12,
    ): "year years yr yrs ano anos an ans annee annees jahr jahre jahren jahres jahrig jahrige jahrigen anno "
    "anni jaar год года лет 年 年间 年間 周年 岁 歲 歳 周岁 周歲 세 년 년간",
    (
        "pct",
        1,
    ): (
        "% percent per_cent por_ciento porcentaje prozent prozentig pour_cent pourcent per_cento "
        "por_cento procent "
        "процент процента процентов パーセント 퍼센트 프로 个百分点"
    ),
    (
        "usd",
        1,
    ): "$ usd us$ dollar dollars dolar dolares dollari доллар доллара долларов 美元 美金 刀 ドル 米ドル 달러",
    ("eur", 1): "€ eur euro euros евро 欧元 歐元 ユーロ 유로",
    (
        "gbp",
        1,
    ): "£ gbp pound pounds libra libras pfund livre livres sterlina sterline фунтов 英镑 英鎊 ポンド 파운드",
    (
        "cny",
        1,
    ): "cny rmb yuan yuans yuanes yuan renminbi юаней юаня юань 元 块 块钱 塊 人民币 人民幣 人民元 위안",
    ("jpy", 1): "jpy yen yenes yens 円 日元 日圆 日圓 엔 иен",
    ("krw", 1): "krw won 韩元 韓元 ウォン 원",
    ("hkd", 1): "hkd 港币 港元 港幣 香港ドル",
    ("twd", 1): "twd ntd 台币 新台币 台幣 新台幣 台湾ドル",
    ("rub", 1): "rub ₽ рубль рубля рублей руб",
    ("brl", 1): "brl real reais reales",
    ("chf", 1): "chf franken francs_suisses",
    ("mass", 1): "g gram grams gramm gramo gramos gramme grammes grammi 克 グラム 그램 г",
    ("mass", 1000): "kg kilo kilos kilogram kilograms kilogramm kilogramos 公斤 千克 キロ キログラム 킬로 кг",
    ("mass", 500): "斤",
    ("length", 1): "mm millimetre millimeter 毫米 ミリ мм",
    ("length", 10): "cm centimetros centimeter zentimeter centimetres 厘米 公分 センチ 센티 см",
    ("length", 1000): "m metre metres meter meters metro metros metri 米 公尺 メートル 미터 м",
    (
        "length",
        1e6,
    ): "km kilometre kilometres kilometer kilometers kilometro kilometros 公里 千米 キロメートル 킬로미터 км",
    ("inch", 1): "inch inches pulgadas pouces zoll 英寸 寸 インチ 인치 pollici",
    ("volume", 1): "ml milliliter 毫升 ミリリットル мл",
    ("volume", 1000): "l liter liters litre litres litro litros 升 リットル 리터 литров литра",
    ("power", 1): "w watt watts vatios wattin 瓦 ワット 와트 вт",
    ("power", 1000): "kw 千瓦 кввт",
    ("energy", 1): "wh 瓦时 ワット時",
    ("energy", 1000): "kwh 千瓦时",
    ("charge", 1): "mah 毫安 毫安时 ミリアンペア",
    ("data", 1): "mb mbps mbit 兆",
    ("pressure", 1): "bar",
    ("dots", 1): "dpi",
    ("data", 1024): "gb gigas gigabyte gigabytes ギガ 기가",
    ("data", 1024 * 1024): "tb",
    ("hertz", 1): "hz",
    ("hertz", 1e6): "mhz",
    ("hertz", 1e9): "ghz",
    ("db", 1): "db 分贝 デシベル",
    ("volt", 1): "v volt volts 伏",
    ("celsius", 1): "°c ℃ 摄氏度",
    ("lux", 1): "lx lux",
    ("zhe", 1): "折",
    ("pct", 10): "割",
    (
        "count",
        1,
    ): "piece pieces pcs item items unit units person persons people time times customers persona personas "
    "pieza piezas articulo articulos unidad unidades vez veces personne personnes piece pieces article "
    "articles "
    "unite unites fois stuck artikel person personen mal pezzi pezzo articoli persone volte pecas itens "
    "pessoas "
    "vezes штук штуки раз раза человек шт "
    "个 個 件 张 張 次 位 名 人 台 条 條 种 種 款 份 单 箱 盒 包 瓶 支 颗 把 辆 层 页 步 项 項 点 點 枚 "
    "回 冊 本 つ 社 倍 度 "
    "家 家店 座 档 期 类 類 箇所 か所 カ所 色 号店 つの 명 개 번 회 건 장 대 종 가지 권 병",
}

UNITS: dict[str, Unit] = {
    plain(word).replace("_", " "): Unit(name, factor)
    for (name, factor), words in reversed(_TABLE.items())
    for word in words.split()
}
"""Unit by its plain spelling; two-word units hold one blank."""

MAX_CJK_UNIT = max(len(word) for word in UNITS if ord(word[0]) > 0x2E80)

CURRENCY_PREFIXES: dict[str, tuple[str, ...]] = {
    "us$": ("usd",),
    "hk$": ("hkd",),
    "nt$": ("twd",),
    "r$": ("brl",),
    "$": ("usd",),
    "€": ("eur",),
    "£": ("gbp",),
    "¥": ("cny", "jpy"),
    "₩": ("krw",),
    "₽": ("rub",),
    "usd": ("usd",),
    "eur": ("eur",),
    "euro": ("eur",),
    "gbp": ("gbp",),
    "cny": ("cny",),
    "rmb": ("cny",),
    "jpy": ("jpy",),
    "krw": ("krw",),
    "hkd": ("hkd",),
    "chf": ("chf",),
    "人民币": ("cny",),
    "百分之": ("pct",),
}

MONTHS: dict[str, int] = {
    plain(name): 1 + index % 12
    for names in (
        "january february march april may june july august september october november december",
        "jan feb mar apr may jun jul aug sep oct nov dec",
        "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
        "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "januar februar märz april mai juni juli august september oktober november dezember",
        "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
        "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
        "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
        "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
        "januari februari maart april mei juni juli augustus september oktober november december",
    )
    for index, name in enumerate(names.split())
}

_WEEKDAY_NAMES = (
    "monday tuesday wednesday thursday friday saturday sunday",
    "mondays tuesdays wednesdays thursdays fridays saturdays sundays",
    "lunes martes miércoles jueves viernes sábado domingo",
    "lunes martes miércoles jueves viernes sábados domingos",
    "lundis mardis mercredis jeudis vendredis samedis dimanches",
    "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "montag dienstag mittwoch donnerstag freitag samstag sonntag",
    "montags dienstags mittwochs donnerstags freitags samstags sonntags",
    "montag dienstage mittwoche donnerstage freitage sonnabend sonntage",
    "lunedì martedì mercoledì giovedì venerdì sabato domenica",
    "segunda-feira terça-feira quarta-feira quinta-feira sexta-feira sábado domingo",
    "понедельник вторник среда четверг пятница суббота воскресенье",
    "понедельника вторника среды четверга пятницы субботы воскресенья",
    "понедельнику вторнику среду четвергу пятницу субботу воскресенью",
    "周一 周二 周三 周四 周五 周六 周日",
    "週一 週二 週三 週四 週五 週六 週日",
    "星期一 星期二 星期三 星期四 星期五 星期六 星期日",
    "礼拜一 礼拜二 礼拜三 礼拜四 礼拜五 礼拜六 礼拜天",
    "月曜 火曜 水曜 木曜 金曜 土曜 日曜",
    "월요일 화요일 수요일 목요일 금요일 토요일 일요일",
)
WEEKDAYS: dict[str, int] = {}
for _names in _WEEKDAY_NAMES:
    for _index, _name in enumerate(_names.split()):
        WEEKDAYS.setdefault(plain(_name), _index)
WEEKDAYS["周天"] = WEEKDAYS["星期天"] = 6

WEEKDAY_PHRASES = (
    "weekday|weekend|working day|business day|every day|daily|seven days|werktag|wochenende|wochentag"
    "|täglich|jeden tag"
    "|semana|laborable|hábil|todos los días|diari|ouvr|tous les jours|quotidien|chaque jour|feriali|ogni "
    "giorno|dias úteis"
    "|todos os dias|будн|рабоч|выходн|ежедневно|工作日|周末|週末|平日|土日|毎日|每天|每日|营业日|営業日"
    "|주말|평일|매일"
    r"|\b(?:mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|sa|lun|mar|mié|jue|vie|sáb|dom|jeu|ven|sam|dim|gio|пн"
    r"|вт|ср|чт|пт|сб|вс)\b"
    r"|(?<![年\d])[月火水木金土日][〜~～・\-–、から]+[月火水木金土日](?!\d)"
)
"""Where a source speaks of groups of days, naming single days is not judged."""

MULTIPLIERS: dict[str, float] = {
    "十": 10,
    "百": 100,
    "千": 1000,
    "万": 10_000,
    "萬": 10_000,
    "亿": 1e8,
    "億": 1e8,
    "천": 1000,
    "만": 10_000,
    "thousand": 1000,
    "million": 1e6,
    "millions": 1e6,
    "mil": 1000,
    "millones": 1e6,
    "mille": 1000,
    "tausend": 1000,
    "millionen": 1e6,
    "mio": 1e6,
    "тысяч": 1000,
    "тысячи": 1000,
}

HALF_WORDS = frozenset(
    plain(word)
    for word in _split(
        "half halb halbe halben halber halbes media medio demi demie mezza mezzo mezz'ora meia meio "
        "halve полчаса anderthalb eineinhalb zweieinhalb"
    )
)
