"""The words of the chat page, in Chinese and English.

What the assistant says comes from the bot's own phrase book; here are only the
labels, hints and states of the page around it.
"""

from __future__ import annotations

import re

__all__ = ["LANGUAGES", "TEXTS", "preferred_language", "say"]

LANGUAGES: dict[str, str] = {"zh": "中文", "en": "English"}
"""Languages of the interface and how each calls itself."""

TEXTS: dict[str, dict[str, str]] = {
    "title": {"zh": "{company}在线客服", "en": "{company} support"},
    "role": {"zh": "智能客服", "en": "AI assistant"},
    "status_ready": {"zh": "在线", "en": "Online"},
    "status_more": {"zh": " · 通常几秒内回复", "en": " · replies within seconds"},
    "status_starting": {"zh": "正在启动…", "en": "Starting up…"},
    "status_answering": {"zh": "正在回复…", "en": "Replying…"},
    "status_offline": {"zh": "连接已断开", "en": "No connection"},
    "status_failed": {"zh": "暂时不可用", "en": "Not available right now"},
    "hello": {"zh": "您好，有什么可以帮您？", "en": "Hi there. How can we help?"},
    "intro": {
        "zh": "我是{company}智能客服，根据官方资料为您解答。用您习惯的语言提问即可，也可以随时转人工。",
        "en": "I’m {company}’s AI assistant. I answer from our own help articles, in your language. "
        "You can ask for a person at any time.",
    },
    "starters": {"zh": "大家常问", "en": "Popular questions"},
    "placeholder": {"zh": "请输入您的问题…", "en": "Type your question…"},
    "placeholder_starting": {"zh": "马上就好，请稍候…", "en": "Almost there…"},
    "placeholder_answering": {"zh": "正在回复…", "en": "Replying…"},
    "send": {"zh": "发送", "en": "Send"},
    "stop": {"zh": "停止", "en": "Stop"},
    "hint": {
        "zh": "Enter 发送，Shift + Enter 换行 · 回答由 AI 根据资料生成，重要信息请核对",
        "en": "Enter to send, Shift + Enter for a new line · AI answers can be wrong; check what matters",
    },
    "hint_short": {
        "zh": "AI 回答仅供参考，重要信息请核对",
        "en": "AI answers can be wrong; check what matters",
    },
    "you": {"zh": "您", "en": "You"},
    "thread": {"zh": "对话", "en": "Conversation"},
    "typing": {"zh": "正在输入", "en": "Typing"},
    "sources": {"zh": "参考资料", "en": "Sources"},
    "helpful": {"zh": "有帮助", "en": "Helpful"},
    "unhelpful": {"zh": "没有帮助", "en": "Not helpful"},
    "why": {"zh": "哪里不好？（选填）", "en": "What went wrong? (optional)"},
    "why_off": {"zh": "答非所问", "en": "Not what I asked"},
    "why_wrong": {"zh": "内容有误", "en": "Incorrect"},
    "why_unclear": {"zh": "没看懂", "en": "Hard to understand"},
    "why_incomplete": {"zh": "不够完整", "en": "Incomplete"},
    "why_more": {"zh": "补充说明", "en": "Tell us more"},
    "submit": {"zh": "提交", "en": "Submit"},
    "thanks": {"zh": "感谢您的反馈", "en": "Thanks for your feedback"},
    "rate_failed": {
        "zh": "反馈没有保存成功，请再试一次。",
        "en": "Your feedback wasn’t saved. Please try again.",
    },
    "person": {"zh": "转人工", "en": "Talk to a person"},
    "person_title": {"zh": "转人工客服", "en": "Talk to a person"},
    "person_text": {
        "zh": "我们会把您的请求和本次对话一起记录给客服团队。目前人工客服还不能在本页面直接回复，"
        "如需回电或回信，请留下联系方式。",
        "en": "We’ll record your request together with this conversation for our team. "
        "They can’t reply on this page yet, so leave a phone number or e-mail address "
        "if you’d like to hear back.",
    },
    "person_note": {"zh": "联系方式或补充说明（选填）", "en": "Contact details or a note (optional)"},
    "person_send": {"zh": "提交请求", "en": "Send request"},
    "cancel": {"zh": "取消", "en": "Cancel"},
    "person_done": {
        "zh": "已记录您的转人工请求，客服团队可以看到本次对话。在此期间您可以继续提问。",
        "en": "Your request for a person is recorded, and our team can see this conversation. "
        "You can keep asking here in the meantime.",
    },
    "person_failed": {
        "zh": "转人工请求没有保存成功，请稍后再试。",
        "en": "Your request wasn’t saved. Please try again in a moment.",
    },
    "new": {"zh": "新对话", "en": "New conversation"},
    "new_confirm": {
        "zh": "开始新对话？当前对话将不再显示在此页面。",
        "en": "Start a new conversation? This one will no longer be shown here.",
    },
    "language": {"zh": "界面语言", "en": "Interface language"},
    "stopped": {"zh": "已停止", "en": "Stopped"},
    "notice_busy": {
        "zh": "当前咨询较多，以下是资料原文。",
        "en": "We’re busy at the moment, so this is the original help text.",
    },
    "notice_error": {
        "zh": "回答功能出现问题，以下内容可能不完整。",
        "en": "Something went wrong while answering; this may be incomplete.",
    },
    "error": {
        "zh": "抱歉，出了点问题，这条消息没有得到回答。",
        "en": "Sorry, something went wrong and this message wasn’t answered.",
    },
    "error_busy": {
        "zh": "当前咨询较多，请稍等 {seconds} 秒后重试。",
        "en": "We’re very busy right now. Please try again in about {seconds} seconds.",
    },
    "error_running": {
        "zh": "上一个问题还在回答中（可能在另一个窗口），请等它完成后再发送。",
        "en": "Your last question is still being answered, perhaps in another window. "
        "Please wait for it to finish.",
    },
    "error_too_long": {
        "zh": "消息太长：共 {found} 个字符，最多 {limit} 个。请缩短后再发送。",
        "en": "That message is too long: {found} characters, {limit} at most. Please shorten it.",
    },
    "error_history": {
        "zh": "暂时无法读取之前的对话。",
        "en": "Earlier messages can’t be loaded right now.",
    },
    "retry": {"zh": "重试", "en": "Try again"},
    "starting": {
        "zh": "客服正在启动，通常不到一分钟。准备好后即可提问，无需刷新。",
        "en": "The assistant is starting, which usually takes less than a minute. "
        "You can ask as soon as it’s ready; no need to reload.",
    },
    "failed": {
        "zh": "客服暂时不可用，请稍后再来。",
        "en": "The assistant isn’t available right now. Please come back later.",
    },
    "offline": {
        "zh": "连接已断开，正在尝试重新连接…",
        "en": "Connection lost. Trying to reconnect…",
    },
    "online": {"zh": "已重新连接", "en": "Back online"},
    "jump": {"zh": "回到最新消息", "en": "Jump to latest"},
    "loading": {"zh": "正在加载…", "en": "Loading…"},
    "no_script": {
        "zh": "此页面需要启用 JavaScript。",
        "en": "This page needs JavaScript.",
    },
}


def say(key: str, language: str, **fields: object) -> str:
    """The text ``key`` in the interface language ``language`` (``zh`` or ``en``)."""
    text = TEXTS[key][language if language in LANGUAGES else "en"]
    return text.format(**fields) if fields else text


def preferred_language(accept_language: str, default: str = "en") -> str:
    """The interface language that a browser asks for.

    Args:
        accept_language: value of the ``Accept-Language`` header (RFC 9110, section 12.5.4).
        default: taken when the header names neither language.
    """
    weighted: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:500].split(",")):
        match = re.fullmatch(
            r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*", part
        )
        if match and match[1].lower() in LANGUAGES:
            weighted.append((-float(match[2] or 1), place, match[1].lower()))
    usable = [item for item in sorted(weighted) if item[0] < 0]
    if usable:
        return usable[0][2]
    return default if default in LANGUAGES else "en"
