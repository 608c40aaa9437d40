"""The words of the widget: those of the chat page, and a few of its own."""

from __future__ import annotations

from ui.texts import TEXTS

__all__ = ["WIDGET_TEXTS"]

_SHARED = (
    "role", "status_ready", "status_starting", "status_answering", "status_offline", "status_failed",
    "hello", "intro", "failed", "starting", "starters", "placeholder", "send", "hint_short", "you", "thread",
    "typing", "sources", "helpful", "unhelpful", "why", "why_off", "why_wrong", "why_unclear",
    "why_incomplete", "why_more", "submit", "thanks", "rate_failed", "person", "person_title", "person_text",
    "person_note", "person_send", "person_done", "person_failed", "cancel", "new", "new_confirm",
    "notice_busy", "notice_error", "error", "error_history", "retry", "offline", "online", "jump",
)  # fmt: skip

_OWN: dict[str, dict[str, str]] = {
    "name": {"zh": "在线客服", "en": "Customer support"},
    "open": {"zh": "打开在线客服", "en": "Open the chat"},
    "close": {"zh": "关闭在线客服", "en": "Close the chat"},
    "unread": {"zh": "{count} 条新消息", "en": "new messages: {count}"},
    "status_loading": {"zh": "正在连接…", "en": "Connecting…"},
    "agent": {"zh": "人工客服", "en": "Support team"},
    "image": {"zh": "图片", "en": "Picture"},
    "rate": {"zh": "评价这个回答", "en": "Rate this answer"},
    "privacy": {"zh": "隐私说明", "en": "Privacy"},
    "intro_plain": {
        "zh": "我是智能客服，根据官方资料为您解答。用您习惯的语言提问即可，也可以随时转人工。",
        "en": "I’m an AI assistant. I answer from our own help articles, in your language. "
        "You can ask for a person at any time.",
    },
    "busy_wait": {
        "zh": "当前咨询较多，{seconds} 秒后自动重试。",
        "en": "We’re very busy right now. Trying again in {seconds} s.",
    },
    "expired": {
        "zh": "之前的对话已过期，现在开始的是新对话。",
        "en": "Your earlier conversation has expired. This is a new one.",
    },
}

WIDGET_TEXTS: dict[str, dict[str, str]] = {**{key: TEXTS[key] for key in _SHARED}, **_OWN}
"""Text by key and language; ``{…}`` are filled in by the widget."""
