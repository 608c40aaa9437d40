"""The sample company: a wish about an own order is told from a question about orders, with the real encoder."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from chatbot.actions import ActionPlans, ActionServer, ActionStage, ActionTurn
from chatbot.phrases import Phrases, Routes
from chatbot.turn import Action, Decision, Message, Past

CASES = Path(__file__).parents[2] / "cases" / "actions.jsonl"


@pytest.mark.models
def test_wishes_start_their_action_and_questions_start_none(tmp_path: Path) -> None:
    from chatbot.assembly import SAMPLE, build_embedder
    from chatbot.settings import load_settings
    from chatbot.training.intents import open_intents

    embedder = build_embedder(load_settings())
    routes = Routes.load(SAMPLE / "routes.yml")
    intents = open_intents(SAMPLE / "nlu.yml", routes.route, embedder, tmp_path)
    plans = ActionPlans.load(SAMPLE / "routes.yml")
    stage = ActionStage(
        plans,
        ActionServer("http://127.0.0.1:9", domain=plans.domain),
        Phrases.load(SAMPLE / "phrases.yml", "Acme"),
        routes.route,
    )
    cases = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    vectors = embedder.encode_queries([case["question"] for case in cases])
    counted: Counter[tuple[str, str]] = Counter()
    for case, vector in zip(cases, vectors, strict=True):
        text = case["question"]
        intent = intents.classify(text, vector)
        turn = ActionTurn(Message(text, "c", "u"), text, case["language"], intent, (), Past(), {})
        acted = stage.act(turn, lambda: Decision(Action.VERBATIM))
        got = plans.by_intent[intent.name].action if acted.text else "knowledge"
        counted[case["expected"], got] += 1
    asked = {name: sum(n for (wanted, _), n in counted.items() if wanted == name) for name, _ in counted}
    assert counted["knowledge", "action_cancel_order"] == 0
    assert counted["action_order_status", "action_cancel_order"] == 0
    for name, share in (("action_order_status", 0.9), ("action_cancel_order", 0.9), ("knowledge", 0.9)):
        assert counted[name, name] >= share * asked[name], counted
