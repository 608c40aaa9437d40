"""Which wordings the guard lets out and which it refuses, and why."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.guard import check
from chatbot.turn import GuardVerdict
from tests.chatbot.guard_helpers import language_of

CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent / "guard_cases.jsonl").read_text("utf-8").splitlines()
]
RETURNS = (
    "How long do I have to return something?",
    "You have 30 days from delivery to return an item for any reason. It may be opened but must be complete "
    "and undamaged. Gift cards cannot be returned. Write to care@lumora.example or call +1 888 555 0142.",
)


def verdict(
    answer: str,
    *,
    sources: tuple[str, ...] = RETURNS,
    question: str = "can I return it",
    language: str = "en",
    kind: Literal["answer", "translation"] = "answer",
    finished: bool = True,
) -> GuardVerdict:
    return check(
        answer,
        question=question,
        language=language,
        sources=sources,
        kind=kind,
        language_of=language_of,
        finished=finished,
    )


def of_case(case: dict[str, Any]) -> GuardVerdict:
    return verdict(
        case["answer"],
        sources=tuple(case["sources"]),
        question=case["question"],
        language=case["language"],
        kind=case["kind"],
    )


def test_the_labelled_wordings_are_told_apart() -> None:
    refused = Counter(case["label"] for case in CASES if not of_case(case).passed)
    total = Counter(case["label"] for case in CASES)
    assert total["good"] >= 120
    assert total["bad"] >= 120
    assert refused["bad"] / total["bad"] >= 0.97
    assert refused["good"] / total["good"] <= 0.05


@pytest.mark.parametrize("case", [c for c in CASES if c["label"] == "good"][:40], ids=lambda c: c["id"])
def test_a_curated_answer_itself_passes(case: dict[str, Any]) -> None:
    if case["kind"] == "answer":
        assert of_case(case | {"answer": case["sources"][-1]}).passed


@pytest.mark.parametrize(
    ("source", "answer", "language"),
    [
        ("Open from 18:00.", "We open at 6 pm.", "en"),
        ("Open from 18:00.", "Abierto desde las 6 de la tarde.", "es"),
        ("Open from 18:00.", "下午6点开门。", "zh"),
        ("Open from 18:00.", "18点开门。", "zh"),
        ("Open from 18:00.", "Ab 18 Uhr geöffnet.", "de"),
        ("Open from 18:00.", "Ouvert dès 18h.", "fr"),
        ("Open from 18:00.", "午後6時から営業します。", "ja"),
        ("It costs 1,000 yuan.", "费用为一千元。", "zh"),
        ("It costs 1,000 yuan.", "费用为１０００元。", "zh"),
        ("It costs 1,000 yuan.", "Das kostet 1.000 Yuan.", "de"),
        ("It costs 1,000 yuan.", "Cela coûte 1 000 yuans.", "fr"),
        ("费用3万元。", "It costs 30,000 yuan.", "en"),
        ("It weighs 3.5 kg.", "Es wiegt 3,5 kg.", "de"),
        ("It takes two days.", "需要两天。", "zh"),
        ("It takes two days.", "Cela prend deux jours.", "fr"),
        ("It takes two days.", "2日かかります。", "ja"),
        ("Ready in 30 minutes.", "Lista en media hora.", "es"),
        ("Ready in 30 minutes.", "半小时内完成。", "zh"),
        ("Until 31 January.", "1月31日まで。", "ja"),
        ("Until 31 January.", "Bis 31.01. möglich.", "de"),
        ("Until 31 January.", "Hasta el 31 de enero.", "es"),
        ("Guarantee of 24 months.", "Deux ans de garantie.", "fr"),
        ("10% off.", "打九折。", "zh"),
        ("Guarantee of 24 months.", "两年质保。", "zh"),
        ("Wait 90 minutes.", "等一个半小时。", "zh"),
        ("45 Tage Zeit.", "Cuarenta y cinco días.", "es"),
        ("90 days.", "Quatre-vingt-dix jours.", "fr"),
        ("3日かかります。", "사흘이 아니라 3일 걸립니다.", "ko"),
        ("Valid for 2 weeks.", "Действует две недели.", "ru"),
    ],
)
def test_numbers_are_known_again_in_other_notations(source: str, answer: str, language: str) -> None:
    reasons = verdict(answer, sources=(source,), language=language, kind="translation").reasons
    assert not [r for r in reasons if r.startswith(("number", "lost"))]


@pytest.mark.parametrize(
    ("source", "answer", "language"),
    [
        ("Refund within 5 working days.", "Refund within 5 days.", "en"),
        ("Refund within 24 hours.", "Refund within 24 days.", "en"),
        ("Warranty 12 months.", "Garantie 12 ans.", "fr"),
        ("It costs $30.", "Es kostet 30 €.", "de"),
        ("It costs ¥300.", "It costs $300.", "en"),
        ("20 % discount.", "20 € Rabatt.", "de"),
        ("5个工作日内退款。", "5天内退款。", "zh"),
        ("5 working days.", "5日以内です。", "ja"),
        ("Open until 6 pm.", "Open until 6 am.", "en"),
        ("Until 31 January.", "Bis 31. Juli.", "de"),
        ("Guarantee of one year.", "Two years of guarantee.", "en"),
        ("Six months.", "Douze mois.", "fr"),
        ("30 days.", "三十个工作日。", "zh"),
        ("Over 20 pieces.", "Over 20 days.", "en"),
    ],
)
def test_changed_units_times_and_dates_are_refused(source: str, answer: str, language: str) -> None:
    reasons = verdict(answer, sources=(source,), language=language, kind="translation").reasons
    assert [r for r in reasons if r.startswith("number")]


@pytest.mark.parametrize(
    ("answer", "language"),
    [
        ("请稍等一下，有一些商品可以退货。", "zh"),
        ("十分抱歉，请扫描二维码联系第三方。", "zh"),
        ("There is one thing: the item must be complete.", "en"),
        ("Un article peut être retourné par une personne.", "fr"),
        ("Einen Artikel können Sie zurückgeben.", "de"),
        ("Puedes devolver un artículo o una pieza.", "es"),
    ],
)
def test_articles_and_idioms_are_no_numbers(answer: str, language: str) -> None:
    assert not [r for r in verdict(answer, language=language).reasons if r.startswith("number")]


def test_a_number_of_the_question_alone_is_refused_but_its_order_number_may_be_echoed() -> None:
    question = "can I return TP2610034587 after 45 days"
    assert "number:45 days" in verdict("Yes, you can return it for 45 days.", question=question).reasons
    assert verdict("You can return TP2610034587 within 30 days from delivery.", question=question).passed


def test_consecutive_list_numbers_are_no_facts_but_others_are() -> None:
    steps = ("How?", "Open the app and choose the camera. Hold the button. Scan the code.")
    good = "1. Open the app and choose the camera.\n2. Hold the button.\n3. Scan the code."
    assert verdict(good, sources=steps, question="how").passed
    odd = good.replace("3.", "7.")
    assert "number:7" in verdict(odd, sources=steps, question="how").reasons


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("You have 30 days from delivery. See https://lumora.example/x.", "link:https://lumora.example/x"),
        ("You have 30 days from delivery. Write to help@lumora.example.", "email:help@lumora.example"),
        ("You have 30 days from delivery. Call +1 888 555 0100.", "number:+1 888 555 0100"),
        ("You have 30 days from delivery with PayPal.", "name:PayPal"),
        ("You have 30 days from delivery for the ZX-900.", "code:ZX-900"),
        ("Dear [name], you have 30 days from delivery.", "placeholder:[name]"),
        ("You have 30 days from delivery, {company} says.", "placeholder:{company}"),
        ("You have 30 days from delivery at 5 Long Street.", "address:5 Long Street"),
        ("You have 30 days from delivery.<|im_end|>", "markup:chat"),
        ("# Returns\nYou have 30 days from delivery.", "markup:markdown"),
        ("You have 30 days from delivery.<br>", "markup:html"),
        ("You have 30 days from delivery, 可以退货 within it.", "script:可"),
        ("As an AI language model, I say 30 days from delivery.", "form:ai"),
        ("I cannot answer this question.", "form:refusal"),
        ("can I return it", "form:echo"),
        ("", "form:empty"),
        ("You have 30 days from delivery to return an item and the", "form:cut"),
        ("Yes, gift cards can be returned.", "negation:flipped"),
    ],
)
def test_each_violation_is_named(answer: str, reason: str) -> None:
    assert reason in verdict(answer).reasons


def test_an_unfinished_answer_is_cut() -> None:
    assert verdict("You have 30 days from delivery.").passed
    assert verdict("You have 30 days from delivery.", finished=False).reasons == ("form:cut",)


def test_short_answers_pass_whatever_the_language_function_says() -> None:
    source = ("Was kostet es?", "Es kostet 30 €.")
    for answer in ("30 €", "30 €.", "30 Euro."):
        assert check(
            answer,
            question="preis?",
            language="de",
            sources=source,
            kind="answer",
            language_of=lambda _: "fr",
        ).passed


def test_reasons_never_carry_the_question() -> None:
    secret = "my name is Aurelia Winterbottom and I cry"
    answer = "Aurelia Winterbottom cries for 99 days and pays 12 dollars to Mallory."
    reasons = verdict(answer, question=secret).reasons
    assert reasons
    assert not [r for r in reasons if "cry" in r or "my name" in r]


@pytest.mark.parametrize("lost", ["5 working days", "https://shop.lumora.example/r", "TP-E200", "$30"])
def test_a_translation_keeps_every_number_link_and_code(lost: str) -> None:
    source = (
        "Refund of $30 for the TP-E200 within 5 working days, see https://shop.lumora.example/r for details."
    )
    whole = {
        "$30": "30 $",
        "TP-E200": "TP-E200",
        "5 working days": "5 Werktagen",
        "https://shop.lumora.example/r": "https://shop.lumora.example/r",
    }
    text = "Erstattung von {} für das {} innerhalb von {}, siehe {} für Einzelheiten."
    assert verdict(text.format(*whole.values()), sources=(source,), language="de", kind="translation").passed
    gone = [("" if name == lost else word) for name, word in whole.items()]
    assert not verdict(text.format(*gone), sources=(source,), language="de", kind="translation").passed


@given(st.text(max_size=200), st.sampled_from(["en", "zh", "de", "ja", "ko", "ru", "xx"]))
@settings(deadline=None, max_examples=200)
def test_any_text_gets_a_verdict(text: str, language: str) -> None:
    assert isinstance(verdict(text, language=language), GuardVerdict)
    assert isinstance(verdict(text, language=language, kind="translation"), GuardVerdict)


@given(st.text(max_size=120), st.text(max_size=120))
@settings(deadline=None, max_examples=100)
def test_any_source_gets_a_verdict(source: str, question: str) -> None:
    assert verdict("You have 30 days.", sources=(source,), question=question) is not None


TICKETS = (
    "What do tickets cost?",
    "Adults pay €12, children under 12 pay €6. Students show their card and pay €9. Groups enter for free.",
)
POOL = ("Is the pool heated?", "The indoor pool is heated to 28 °C all year. The outdoor pool is not heated.")
CLEANING = (
    "How do I clean it?",
    "Wipe the filter with a damp cloth once a week. Do not put it in the dishwasher.",
)
TIERS = (
    "Can I change my booking?",
    "Flexible tickets can be changed for free. Basic tickets can be changed for $12 until the day before.",
)


@pytest.mark.parametrize(
    ("sources", "answer", "reason"),
    [
        (TICKETS, "Students pay €6.", "misplaced:6"),
        (TICKETS, "A child pays €12 for a ticket.", "misplaced:12"),
        (TIERS, "Basic tickets can be changed for free.", "misplaced:free"),
        (POOL, "The pool is free and heated to 28 °C.", "claims:free"),
        (POOL, "Yes, the outdoor pool is heated.", "negation:flipped"),
        (CLEANING, "Put the filter in the dishwasher once a week.", "negation:flipped"),
    ],
)
def test_facts_are_not_moved_or_turned_round(sources: tuple[str, str], answer: str, reason: str) -> None:
    assert reason in verdict(answer, sources=sources, question="tell me please").reasons


@pytest.mark.parametrize(
    ("sources", "answer"),
    [
        (TICKETS, "Students pay €9 when they show their card."),
        (TICKETS, "Adults pay €12 and children under 12 pay €6."),
        (TIERS, "Basic tickets can be changed for $12 until the day before; flexible tickets for free."),
        (POOL, "Yes, the indoor pool is heated to 28 °C all year."),
        (CLEANING, "Wipe the filter with a damp cloth once a week. Please don't use the dishwasher."),
    ],
)
def test_facts_in_their_place_pass(sources: tuple[str, str], answer: str) -> None:
    assert verdict(answer, sources=sources, question="tell me please").passed


def test_words_of_the_source_may_be_cited_though_they_look_like_a_refusal() -> None:
    source = ("Do you repair radios?", "I cannot repair radios, but my colleague in Hall 3 can.")
    assert verdict("I cannot repair radios, but my colleague in Hall 3 can.", sources=source).passed


@pytest.mark.parametrize(
    ("source", "answer", "language"),
    [
        (
            "Under-16s need a parent's signature.",
            "Los menores de 16 años necesitan la firma de un padre.",
            "es",
        ),
        ("Over 65s travel free on Mondays.", "65歳以上の方は月曜日は無料でご利用いただけます。", "ja"),
        ("可以养1只猫，不能养狗。", "You may keep a cat, but no dogs.", "en"),
        ("Wall mounting is not included.", "Le montage au mur n’est pas compris.", "fr"),
    ],
)
def test_translations_that_say_the_same_in_their_own_way_go_out(
    source: str, answer: str, language: str
) -> None:
    assert verdict(answer, sources=(source,), language=language, kind="translation").passed


def test_an_age_that_changed_is_refused() -> None:
    reasons = verdict(
        "Los menores de 18 años necesitan la firma de un padre.",
        sources=("Under-16s need a parent's signature.",),
        language="es",
        kind="translation",
    ).reasons
    assert "number:18 años" in reasons


@pytest.mark.parametrize(
    ("source", "translation", "language"),
    [
        ("The court costs 28 euros per hour.", "コートの料金は1時間あたり28ユーロです。", "ja"),
        ("バスは一日につき5ユーロです。", "The bus costs 5 euros per day.", "en"),
        ("每位患者每次最多两人探视。", "患者様お一人につき、1回の面会は2名までです。", "ja"),
        ("We deliver within a radius of 4 km.", "半径4キロ以内は配達いたします。", "ja"),
        ("Parcels of up to 20 kg are accepted.", "20キロまでの荷物をお受けします。", "ja"),
        ("Liquids must be in bottles of at most 100 ml.", "液体は100ml以下の容器に入れてください。", "ja"),
        (
            "Sie können Artikel innerhalb von 14 Tagen ohne Angabe von Gründen zurückgeben, sofern sie ungetragen sind.",
            "14天内无理由退货，商品须未穿过。",
            "zh",
        ),
    ],
)
def test_one_of_something_and_units_before_another_script_are_read(
    source: str, translation: str, language: str
) -> None:
    found = verdict(translation, sources=(source,), language=language, kind="translation")
    assert found.passed, found.reasons


@pytest.mark.parametrize(
    ("source", "translation", "language"),
    [
        ("It charges with 65 W.", "支持100W充电。", "zh"),
        ("Files may have 200 MB.", "ファイルは300MBまでです。", "ja"),
        ("The court costs 28 euros per hour.", "コートの料金は1日あたり28ユーロです。", "ja"),
        ("We deliver within 4 km.", "5キロ以内は配達いたします。", "ja"),
    ],
)
def test_a_changed_number_before_another_script_and_a_changed_unit_of_one_are_refused(
    source: str, translation: str, language: str
) -> None:
    assert not verdict(translation, sources=(source,), language=language, kind="translation").passed


@pytest.mark.parametrize(
    ("source", "translation", "language"),
    [
        ("We try to deliver twice. Then it waits for 7 days.", "Wir versuchen es zweimal. Dann wartet es 7 Tage.", "de"),
        ("幼猫每天喂三到四次,成年猫每天喂两次。", "Nourrissez les chatons trois à quatre fois par jour et les adultes deux fois.", "fr"),
        ("易碎品请用泡沫包裹三层以上。", "割れ物は緩衝材で3重以上に包んでください。", "ja"),
        ("未满16周岁须由监护人陪同。", "Les moins de 16 ans doivent être accompagnés de leur tuteur.", "fr"),
        ("Children under 10 need an adult to swim.", "未满10岁的儿童须由成年人陪同方可游泳。", "zh"),
        ("未满10岁的儿童须由成年人陪同方可游泳。", "Children under 10 may only swim when accompanied by an adult.", "en"),
        ("The toy contains small parts.", "本玩具含小零件。", "zh"),
        ("签证费一经缴纳概不退还。", "Once paid, the visa fee is not refunded.", "en"),
        ("No appointment is needed before noon.", "中午12点前无需预约。", "zh"),
        ("Please tell us between 1 and 7 October.", "请在10月1日至7日之间告诉我们。", "zh"),
        ("请在10月1日至7日之间告诉我们。", "Bitte sagen Sie es uns vom 1. bis 7. Oktober.", "de"),
        ("Sagen Sie uns bis Mittwochabend Bescheid.", "Please tell us by Wednesday evening.", "en"),
        ("Nous torréfions tous les mardis et vendredis.", "We roast every Tuesday and Friday.", "en"),
        ("非常抱歉给您带来不便。", "We are very sorry for the inconvenience.", "en"),
        ("Please do not use your phone while refuelling.", "給油中は携帯電話のご使用をお控えください。", "ja"),
        ("手提行李不得超过8公斤。", "Le bagage cabine peut peser jusqu'à 8 kg.", "fr"),
        ("如需退货,请发邮件至returns@northlight.example,并注明订单号。", "To return an item, write to returns@northlight.example and quote your order number.", "en"),
        ("Hold the power key for 10 seconds.", "Halten Sie die Ein-/Aus-Taste 10 Sekunden lang gedrückt.", "de"),
        ("The pressure must be 1.2 to 1.8 bar.", "圧力は1.2〜1.8 barにしてください。", "ja"),
        ("On Tuesdays all tickets are $7 except for 3D films.", "Dienstags kosten alle Karten 7 Dollar, davon ausgenommen sind 3D-Filme.", "de"),
        ("Visa is accepted, cheques are not.", "Visaはご利用いただけますが、小切手はご利用いただけません。", "ja"),
    ],
)  # fmt: skip
def test_honest_translations_into_other_ways_of_saying_it_go_out(
    source: str, translation: str, language: str
) -> None:
    found = verdict(translation, sources=(source,), language=language, kind="translation")
    assert found.passed, found.reasons


@pytest.mark.parametrize(
    ("source", "translation", "language"),
    [
        ("We try to deliver twice.", "Wir versuchen die Zustellung dreimal.", "de"),
        ("幼猫每天喂三到四次。", "Nourrissez les chatons cinq fois par jour.", "fr"),
        ("易碎品请用泡沫包裹三层以上。", "割れ物は緩衝材で5重以上に包んでください。", "ja"),
        ("未满16周岁须由监护人陪同。", "Les moins de 18 ans doivent être accompagnés de leur tuteur.", "fr"),
        ("未满16周岁须由监护人陪同。", "Les moins de 16 semaines doivent être accompagnés de leur tuteur.", "fr"),
        ("Please tell us between 1 and 7 October.", "请在10月2日至7日之间告诉我们。", "zh"),
        ("Sagen Sie uns bis Mittwochabend Bescheid.", "Please tell us by Thursday evening.", "en"),
        ("Nous torréfions tous les mardis.", "We roast every Monday.", "en"),
        ("No appointment is needed before noon.", "上午11点前无需预约。", "zh"),
        ("The third day costs 20 euros.", "3ユーロです。三日目は20ユーロです。", "ja"),
        ("Dogs are not allowed.", "Hunde dürfen mit hinein.", "de"),
        ("Pay by card.", "Pay by Visa.", "en"),
        ("Returns take two weeks.", "Die Rückgabe dauert zwei Tage.", "de"),
    ],
)  # fmt: skip
def test_what_is_said_in_another_way_and_differs_is_still_refused(
    source: str, translation: str, language: str
) -> None:
    assert not verdict(translation, sources=(source,), language=language, kind="translation").passed
