"""The custom actions of routes.yml: what is read, and what is refused with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chatbot.actions import ActionPlans
from chatbot.errors import SettingsError

SAMPLE = Path(__file__).parents[3] / "knowledge_base" / "sample"
DOCS = Path(__file__).parents[3] / "docs"
LANGUAGES = {"zh", "en", "es", "ja", "de", "fr"}


def load(tmp_path: Path, text: str, domain: str | None = None) -> ActionPlans:
    path = tmp_path / "routes.yml"
    path.write_text(text, encoding="utf-8")
    if domain is None:
        return ActionPlans.load(path)
    (tmp_path / "domain.yml").write_text(domain, encoding="utf-8")
    return ActionPlans.load(path, tmp_path / "domain.yml")


def test_the_samples_questions_are_there_in_six_languages() -> None:
    plans = ActionPlans.load(SAMPLE / "routes.yml")
    assert set(plans.by_intent) == {"order_status", "order_cancel"}
    for plan in plans.by_intent.values():
        for slot in plan.slots:
            assert set(slot.ask) >= LANGUAGES
            assert set(slot.retry) >= LANGUAGES
    assert set(plans.by_intent["order_cancel"].confirm) >= LANGUAGES


@pytest.mark.parametrize("page", ["actions.md", "actions.zh.md"])
def test_the_routes_of_the_documentation_can_be_read(tmp_path: Path, page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    examples = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "intents:" in block]
    assert examples
    for example in examples:
        assert load(tmp_path, example).by_intent["order_status"].slots[0].find("#10423", False) is not None


def test_a_slot_may_stand_with_its_intent_or_be_shared(tmp_path: Path) -> None:
    plans = load(
        tmp_path,
        """
slots: {email: {kind: email, ask: {en: 'Your e-mail?'}, retry: {en: 'Again?'}}}
intents:
  a: {action: action_a, slots: [email]}
  b: {action: action_b, slots: {email: {ask: {en: 'For b?'}}, number: {pattern: '\\d+', ask: 'Which?'}}}
""",
    )
    email = plans.by_intent["b"].slot("email")
    assert email is not None
    assert (plans.by_intent["a"].slots[0].ask["en"], email.ask["en"]) == ("Your e-mail?", "For b?")
    assert email.retry == {"en": "Again?"}
    assert plans.by_intent["b"].slots[1].kind == "pattern"


def test_the_domain_names_what_there_is_and_the_companys_own_wins(tmp_path: Path) -> None:
    routes = "intents: {a: {action: action_a, slots: {n: {kind: number, ask: 'Which?'}}}, b: {}}"
    assert load(tmp_path, routes).domain["actions"] == ["action_a"]
    assert load(tmp_path, routes).domain["intents"] == ["a", "b"]
    own = "version: '3.1'\nactions: [action_a, action_z]\nslots: {vip: {type: bool}}\nresponses: {utter_x: [{text: Hi}]}"
    plans = load(tmp_path, routes, own)
    assert plans.domain["actions"] == ["action_a", "action_z"]
    assert set(plans.domain["slots"]) == {"n", "vip"}
    assert plans.responses["utter_x"] == [{"text": "Hi"}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("intents: {a: {action: }}", "intent a: action is None"),
        (
            "intents: {a: {action: x, slots: {n: {kind: colour, ask: Q}}}}",
            "kind is 'colour'; expected one of",
        ),
        ("intents: {a: {action: x, slots: {n: {kind: email}}}}", "slot n has no question"),
        ("intents: {a: {action: x, slots: {n: {pattern: '(', ask: Q}}}}", "not a regular expression"),
        ("intents: {a: {action: x, slots: {n: {kind: choice, ask: Q}}}}", "needs «values»"),
        ("intents: {a: {action: x, slots: 5}}", "slots is int"),
        ("intents: [a]", "intents is list"),
        ("responses: {utter_x: hi}", "utter_x is not a list"),
        ("[]", "holds list"),
        ("a: [", "cannot be read as YAML"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert told in str(caught.value)
    assert "routes.yml" in str(caught.value)
