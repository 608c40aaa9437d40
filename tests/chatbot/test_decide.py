"""When to answer, when to ask back, when to decline."""

from __future__ import annotations

from dataclasses import replace

import pytest

from chatbot.decide import READ, Answerability, Decider
from chatbot.turn import Action, Entry, Hit, Intent, Route

ENTRY = Entry("returns.en", "returns", "en", "How long can I return it?", "Within 30 days of delivery.")
LONG = replace(ENTRY, id="long.en", group="long", answer="Within 30 days of delivery. " * 12)
FAQ = Intent("faq_returns", 0.9)
CALIBRATION = Answerability(
    quick={"bias": -10.0, "dense": 12.0},
    judged={"bias": 0.0, "judge": 1.0},
    sure_yes=0.85,
    sure_no=0.2,
    threshold=0.5,
    threshold_quick=0.6,
    by_language={"ja": 0.9},
    topic=0.8,
)


def hit(entry: Entry = ENTRY, dense: float = 0.85, **fields: object) -> Hit:
    """A hit whose quick probability is that of ``dense`` under the calibration above."""
    return replace(Hit(entry, dense, dense, dense, 0.3), **fields)  # type: ignore[arg-type]


class Judge:
    """Says what it is told and remembers what it was asked."""

    def __init__(self, *answers: float | None) -> None:
        self.answers = list(answers)
        self.read: list[str] = []

    def __call__(self, hit: Hit) -> float | None:
        self.read.append(hit.entry.id)
        return self.answers.pop(0)


def decide(hits: list[Hit], judge: Judge, *, intent: Intent = FAQ, language: str = "en", **options: str):  # type: ignore[no-untyped-def]
    question = "may I send it back after two weeks"
    return Decider(CALIBRATION, **options).decide(question, language, intent, hits, judge)  # type: ignore[arg-type]


def test_a_sure_search_answers_without_reading() -> None:
    judge = Judge()
    decision = decide([hit(dense=1.0)], judge)
    assert decision.action is Action.VERBATIM
    assert judge.read == []


def test_an_exact_question_answers_without_reading() -> None:
    judge = Judge()
    assert decide([hit(dense=0.1, exact=True)], judge).action is Action.VERBATIM
    assert judge.read == []


def test_an_unsure_search_is_read_and_answered_when_the_judge_says_yes() -> None:
    judge = Judge(2.0)
    decision = decide([hit()], judge)
    assert decision.action is Action.VERBATIM
    assert judge.read == ["returns.en"]
    assert decision.probability == pytest.approx(0.88, abs=0.01)


def test_a_near_miss_is_declined_when_the_judge_says_no() -> None:
    decision = decide([hit()], Judge(-2.0))
    assert decision.action is Action.DECLINE


def test_the_second_entry_is_read_when_the_first_does_not_answer() -> None:
    second = replace(ENTRY, id="other.en", group="other")
    decision = decide([hit(), hit(second, 0.84)], Judge(-3.0, 3.0))
    assert decision.hits[0].entry.id == "other.en"


def test_no_more_than_the_calibrated_number_of_entries_is_read() -> None:
    hits = [hit(replace(ENTRY, id=f"{i}.en", group=str(i))) for i in range(5)]
    judge = Judge(*[-3.0] * 5)
    assert decide(hits, judge).action is Action.DECLINE
    assert len(judge.read) == READ


def test_a_hopeless_search_is_declined_unread() -> None:
    judge = Judge()
    assert decide([hit(dense=0.3)], judge).action is Action.DECLINE
    assert judge.read == []


def test_nothing_found_is_declined() -> None:
    assert decide([], Judge()).action is Action.DECLINE


def test_a_language_may_have_its_own_threshold() -> None:
    entry = replace(ENTRY, language="ja")
    assert decide([hit(entry)], Judge(2.0), language="ja").action is Action.DECLINE
    assert decide([hit(entry)], Judge(3.0), language="ja").action is Action.VERBATIM


@pytest.mark.parametrize(("dense", "action"), [(0.87, Action.VERBATIM), (0.86, Action.DECLINE)])
def test_without_a_judge_the_search_alone_decides(dense: float, action: Action) -> None:
    assert decide([hit(dense=dense)], Judge(None)).action is action


def test_a_long_text_is_composed_only_where_that_is_wanted_and_a_sacred_one_never() -> None:
    assert decide([hit(LONG)], Judge(2.0)).action is Action.VERBATIM
    assert decide([hit(LONG)], Judge(2.0), compose="long").action is Action.ANSWER
    assert decide([hit(replace(LONG, verbatim=True))], Judge(2.0), compose="long").action is Action.VERBATIM


def test_without_a_generator_every_answer_is_curated() -> None:
    assert decide([hit()], Judge(2.0), language="fr", compose="none").action is Action.VERBATIM


def test_an_entry_in_another_language_is_worded_unless_it_is_sacred() -> None:
    assert decide([hit()], Judge(2.0), language="fr").action is Action.ANSWER
    assert decide([hit(replace(ENTRY, verbatim=True))], Judge(2.0), language="fr").action is Action.VERBATIM


def test_a_wish_for_a_person_wins_over_the_knowledge_base() -> None:
    wish = Intent("human", 0.95, Route.HAND_OVER)
    assert decide([hit(dense=1.0, exact=True)], Judge(), intent=wish).action is Action.HAND_OVER


def test_small_talk_needs_a_confident_intent() -> None:
    assert decide([], Judge(), intent=Intent("greeting", 0.95, Route.SMALL_TALK)).action is Action.SMALL_TALK
    assert decide([], Judge(), intent=Intent("greeting", 0.4, Route.SMALL_TALK)).action is Action.DECLINE
    torn = Intent("greeting", 0.5, Route.SMALL_TALK, route_confidence=0.95)
    assert decide([], Judge(), intent=torn).action is Action.SMALL_TALK


def test_a_short_question_with_two_close_candidates_is_asked_back() -> None:
    hits = [hit(score=0.8), hit(replace(ENTRY, id="b.en", group="b"), score=0.79)]
    decision = Decider(CALIBRATION).decide("退款", "zh", FAQ, hits, Judge())
    assert decision.action is Action.CLARIFY
    assert [h.entry.id for h in decision.hits] == ["returns.en", "b.en"]


def test_the_shipped_calibration_can_be_read() -> None:
    shipped = Answerability.shipped()
    assert 0 < shipped.threshold < 1
    assert shipped.judged["judge"] > 0


@pytest.mark.parametrize("question", ["refund", "退款", "gift card"])
def test_a_word_about_a_known_topic_becomes_a_choice_instead_of_a_refusal(question: str) -> None:
    hits = [hit(dense=0.85, score=0.3), hit(LONG, dense=0.83, score=0.2), hit(dense=0.7, score=0.1)]
    decision = Decider(CALIBRATION).decide(question, "en", FAQ, hits, Judge(-5.0, -5.0, -5.0))
    assert decision.action is Action.CLARIFY
    assert [each.entry.id for each in decision.hits] == ["returns.en", "long.en"]


def test_a_word_about_nothing_known_is_declined() -> None:
    hits = [hit(dense=0.7), hit(LONG, dense=0.6)]
    assert Decider(CALIBRATION).decide("weather", "en", FAQ, hits, Judge(-5.0)).action is Action.DECLINE


def test_a_whole_question_is_not_turned_into_a_choice() -> None:
    assert decide([hit(dense=0.85)], Judge(-5.0)).action is Action.DECLINE


def test_of_the_entries_read_the_one_that_answers_best_is_given() -> None:
    hits = [hit(dense=0.86, score=0.6), hit(LONG, dense=0.85, score=0.5)]
    decision = decide(hits, Judge(0.5, 4.0))
    assert decision.hits[0].entry is LONG


def test_no_further_entry_is_read_once_one_clearly_answers() -> None:
    judge = Judge(4.0)
    assert (
        decide([hit(dense=0.86, score=0.6), hit(LONG, dense=0.85, score=0.5)], judge).hits[0].entry is ENTRY
    )
    assert judge.read == ["returns.en"]


def test_an_exact_question_is_sure_even_where_no_search_is() -> None:
    never_sure = replace(CALIBRATION, sure_yes=1.01)
    judge = Judge()
    decision = Decider(never_sure).decide("how long", "en", FAQ, [hit(dense=0.1, exact=True)], judge)
    assert decision.action is Action.VERBATIM
    assert judge.read == []


def test_a_declined_question_comes_with_the_known_ones_that_are_close() -> None:
    near, far = hit(dense=0.85, question_similarity=0.82), hit(dense=0.84, question_similarity=0.7)
    foreign = replace(near, entry=replace(ENTRY, id="r.zh", language="zh"))
    decision = decide([near, far, foreign], Judge(-9.0, -9.0, -9.0))
    assert decision.action is Action.DECLINE
    assert decision.offers == (near,)


def test_an_answer_offers_no_other_question() -> None:
    assert decide([hit(question_similarity=0.9)], Judge(9.0)).offers == ()


def test_the_shipped_calibration_never_holds_more_evidence_against_an_answer() -> None:
    shipped = Answerability.shipped()
    for weights in (shipped.quick, shipped.judged):
        assert all(weight >= 0 for name, weight in weights.items() if name not in ("bias", "cross"))
