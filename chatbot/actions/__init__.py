"""Custom actions: what a company's own action server does for a customer (order status, say)."""

from chatbot.actions.client import ActionServer
from chatbot.actions.plan import ActionPlans
from chatbot.actions.stage import Acted, ActionStage, ActionTurn

__all__ = ["Acted", "ActionPlans", "ActionServer", "ActionStage", "ActionTurn"]
