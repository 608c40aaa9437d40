"""A generated answer is never worse than the curated one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from chatbot.errors import BusyError, EngineError
from chatbot.phrases import Phrases, Routes
from chatbot.prompt import Prompt, translation_prompt
from chatbot.turn import Action, Decision, Entry, Hit, Intent
from chatbot.writer import Writer
from tests.fakes import FakeGenerator

SAMPLE = Path(__file__).parents[2] / "knowledge_base" / "sample"
PHRASES = Phrases.load(SAMPLE / "phrases.yml", "Acme")
ROUTES = Routes.load(SAMPLE / "routes.yml")
ENTRY = Entry("returns.en", "returns", "en", "How long can I return it?", "You can return it within 30 days.")
FAQ = Intent("faq_returns", 0.9)
QUESTION = "may I send it back"


class Ear:
    """Hears what is streamed."""

    def __init__(self) -> None:
        self.text = ""

    def on_text(self, piece: str) -> None:
        self.text += piece

    def cancelled(self) -> bool:
        return False


def language_of(text: str) -> str:
    """Good enough for these texts."""
    if any("\u4e00" <= c <= "\u9fff" for c in text):
        return "zh"
    return "es" if "días" in text or "Puede" in text else "en"


def word(
    generator: FakeGenerator | None, *, language: str = "en", ear: Ear | None = None, entry: Entry = ENTRY
):  # type: ignore[no-untyped-def]
    decision = Decision(Action.ANSWER, (Hit(entry, 0.9, 0.9, 0.9, 0.5),))
    return Writer(generator, PHRASES, ROUTES, language_of).word(decision, QUESTION, language, FAQ, ear)


def test_a_faithful_wording_goes_out_and_is_streamed() -> None:
    ear = Ear()
    wording = word(FakeGenerator("You can return it within 30 days."), ear=ear)
    assert wording.guard == "passed"
    assert wording.text == ear.text == "You can return it within 30 days."


def test_a_wrong_number_is_replaced_by_the_curated_text_and_never_streamed() -> None:
    ear = Ear()
    wording = word(FakeGenerator("You can return it within 45 days."), ear=ear)
    assert wording.text == ENTRY.answer
    assert wording.guard.startswith("refused")
    assert "45" not in ear.text
    assert ear.text.endswith(ENTRY.answer)


@pytest.mark.parametrize("error", [EngineError("broken"), BusyError("full")])
def test_an_engine_that_fails_or_is_busy_leaves_the_curated_text(error: Exception) -> None:
    assert word(FakeGenerator(error=error)).text == ENTRY.answer


def test_a_busy_engine_is_told_honestly() -> None:
    assert word(FakeGenerator(error=BusyError("full"))).notice == "busy"


def test_without_a_generator_the_curated_text_is_given() -> None:
    assert word(None).text == ENTRY.answer


def test_a_translation_that_keeps_the_facts_goes_out_and_is_kept() -> None:
    generator = FakeGenerator("Puede devolverlo en un plazo de 30 días.")
    writer = Writer(generator, PHRASES, ROUTES, language_of)
    decision = Decision(Action.ANSWER, (Hit(ENTRY, 0.9, 0.9, 0.9, 0.5),))
    first = writer.word(decision, "¿puedo devolverlo?", "es", FAQ)
    ear = Ear()
    second = writer.word(decision, "¿y devolver?", "es", FAQ, ear)
    assert first.text == second.text == ear.text
    assert first.language == "es"
    assert len(generator.prompts) == 1


def test_a_changed_entry_is_translated_anew() -> None:
    generator = FakeGenerator(
        lambda prompt: (
            "Puede devolverlo en un plazo de "
            + ("40" if "40" in prompt.messages[-1].content else "30")
            + " días."
        )
    )
    writer = Writer(generator, PHRASES, ROUTES, language_of)
    for entry, days in ((ENTRY, "30"), (replace(ENTRY, answer="You can return it within 40 days."), "40")):
        decision = Decision(Action.ANSWER, (Hit(entry, 0.9, 0.9, 0.9, 0.5),))
        assert days in writer.word(decision, "¿puedo devolverlo?", "es", FAQ).text


def test_a_refused_translation_gives_the_curated_text_and_says_its_language() -> None:
    wording = word(FakeGenerator("Puede devolverlo en un plazo de 60 días."), language="es")
    assert wording.text.endswith(ENTRY.answer)
    assert "inglés" in wording.text
    assert wording.notice == "curated_language"
    assert wording.language == "en"


def test_an_answer_cut_by_the_length_limit_is_not_sent() -> None:
    wording = word(FakeGenerator("You can return it within 30 days. " * 40, max_tokens=20))
    assert wording.text == ENTRY.answer


@pytest.mark.parametrize("language", ["zh", "en", "es", "ja", "de", "fr", "xx"])
@pytest.mark.parametrize("action", [Action.DECLINE, Action.CLARIFY, Action.HAND_OVER, Action.SMALL_TALK])
def test_every_fixed_reply_exists_in_every_language(action: Action, language: str) -> None:
    wording = Writer(None, PHRASES, ROUTES, language_of).word(
        Decision(action), QUESTION, language, Intent("unknown", 0.1)
    )
    assert wording.text
    assert "{" not in wording.text


THREE = replace(
    ENTRY,
    answer="You can return it within 30 days. Refunds take 5 working days. Gift cards cannot be returned.",
)


def by_sentence(**answers: str) -> FakeGenerator:
    """Translates each sentence by a word in it; a list is gone through, an attempt each."""
    tries: dict[str, int] = {}

    def answer(prompt: Prompt) -> str:
        sentence = prompt.messages[-1].content
        name = next(name for name in answers if name in sentence)
        tries[name] = tries.get(name, -1) + 1
        options = answers[name].split("|")
        return options[min(tries[name], len(options) - 1)]

    return FakeGenerator(answer)


def test_a_refused_sentence_is_tried_again_and_the_listener_gets_the_whole() -> None:
    ear = Ear()
    generator = by_sentence(
        within="Puede devolverlo en un plazo de 30 días.",
        Refunds="Los reembolsos tardan 9 días laborables.|Los reembolsos tardan 5 días laborables.",
        cards="Las tarjetas regalo no se pueden devolver.",
    )
    wording = word(generator, language="es", ear=ear, entry=THREE)
    assert wording.guard == "passed"
    assert "5 días laborables" in wording.text
    assert ear.text.endswith(wording.text)
    assert "9 días" not in ear.text


def test_a_sentence_that_is_refused_every_time_stands_in_the_original() -> None:
    ear = Ear()
    generator = by_sentence(
        within="Puede devolverlo en un plazo de 30 días.",
        Refunds="Los reembolsos tardan 9 días laborables.",
        cards="Las tarjetas regalo no se pueden devolver.",
    )
    wording = word(generator, language="es", ear=ear, entry=THREE)
    assert wording.language == "es"
    assert wording.notice == "curated_language"
    assert "Refunds take 5 working days." in wording.text
    assert "tarjetas regalo" in wording.text
    assert "9 días" not in wording.text + ear.text
    assert "number:9" in wording.guard
    assert ear.text.endswith(wording.text)


def test_an_answer_that_is_mostly_refused_is_given_in_the_original() -> None:
    generator = by_sentence(
        within="Puede devolverlo en un plazo de 60 días.",
        Refunds="Los reembolsos tardan 9 días laborables.",
        cards="Las tarjetas regalo no se pueden devolver.",
    )
    wording = word(generator, language="es", entry=THREE)
    assert wording.text.endswith(THREE.answer)
    assert wording.language == "en"


def test_translations_between_the_knowledge_bases_own_languages_are_read_beforehand() -> None:
    generator = FakeGenerator()
    both = [made("a", "en", "A short one."), made("b", "en", "Another."), made("a", "zh", "一条。")]
    for step in writer_of(generator).warming(both, "translations"):
        step()
    assert [prompt.language for prompt in generator.warmed] == ["zh"]
    assert generator.warmed[0] == translation_prompt("", "en", "zh")
    assert writer_of(generator).warming(both, "none") == []
    binding = [replace(each, verbatim=True) for each in both]
    assert writer_of(generator).warming(binding, "translations") == []
    assert Writer(None, PHRASES, ROUTES, language_of).warming(both, "long") == []


def test_long_entries_are_read_beforehand_only_where_they_are_worded_anew() -> None:
    generator = FakeGenerator()
    entries = [made(str(n), "en", "A long one. " * 40) for n in range(40)] + [made("x", "en", "Short.")]
    writer = writer_of(generator)
    assert writer.warming(entries, "translations") == []
    steps = writer.warming(entries, "long")
    assert len(steps) == 24
    steps[0]()
    assert "A long one." in generator.warmed[0].messages[-1].content


def made(group: str, language: str, answer: str) -> Entry:
    return Entry(f"{group}.{language}", group, language, f"What about {group}?", answer)


def writer_of(generator: FakeGenerator) -> Writer:
    return Writer(generator, PHRASES, ROUTES, language_of)


def test_a_yes_that_was_not_asked_for_is_left_out_where_a_wording_falls_back_too() -> None:
    shops = Entry(
        "s.en", "s", "en", "Do you have shops?", "Yes, we run two shops in Lyon. " + "They open at 9. " * 20
    )
    decision = Decision(Action.ANSWER, (Hit(shops, 0.9, 0.9, 0.9, 0.5),))
    writer = writer_of(FakeGenerator(error=EngineError("gone")))
    assert writer.word(decision, "a shop in Paris?", "en", FAQ).text.startswith("We run two shops")
    assert writer.word(decision, "Do you have shops?", "en", FAQ).text.startswith("Yes, we run")
