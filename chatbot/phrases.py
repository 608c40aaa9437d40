"""The fixed sentences of the assistant, in the customer's language.

They claim nothing about the company; ``{company}`` and other fields are filled in.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from babel import Locale, UnknownLocaleError

from chatbot.errors import SettingsError
from chatbot.turn import Route

__all__ = ["Phrases", "Routes", "name_in"]


def name_in(language: str, speaker: str) -> str:
    """Name of ``language`` as a speaker of ``speaker`` says it, e.g. ``anglais``; the code if unknown."""
    try:
        name = Locale.parse(speaker).languages.get(language)
    except (UnknownLocaleError, ValueError):
        name = None
    return name or language


class Phrases:
    """Phrase book: key and language to a sentence; English where a language is missing."""

    def __init__(self, phrases: Mapping[str, Mapping[str, str]], company: str) -> None:
        self._phrases = phrases
        self._company = company

    @classmethod
    def load(cls, path: Path, company: str) -> Phrases:
        """Reads ``phrases.yml``.

        Raises:
            SettingsError: the file is missing or not of the form key → language → sentence.
        """
        return cls(read_mapping(path), company)

    def say(self, key: str, language: str, /, **fields: object) -> str:
        """The sentence ``key`` in ``language``."""
        by_language = self._phrases[key]
        text = by_language.get(language) or by_language["en"]
        return text.format_map({"company": self._company, **{k: str(v) for k, v in fields.items()}})


class Routes:
    """What each intent leads to and which replies it has."""

    def __init__(self, intents: Mapping[str, Mapping[str, object]]) -> None:
        self._routes: dict[str, Route] = {}
        self._replies: dict[str, Mapping[str, Sequence[str]]] = {}
        for name, intent in intents.items():
            try:
                self._routes[name] = Route(str(intent.get("route", "answer")))
            except ValueError as error:
                raise SettingsError(
                    f"routes.yml: intent {name!r} has the route {intent.get('route')!r}; "
                    f"expected one of {', '.join(Route)}"
                ) from error
            replies = intent.get("replies") or {}
            self._replies[name] = replies if isinstance(replies, Mapping) else {}

    @classmethod
    def load(cls, path: Path) -> Routes:
        """Reads ``routes.yml``.

        Raises:
            SettingsError: the file is missing or a route is unknown.
        """
        return cls(read_mapping(path).get("intents", {}))

    def route(self, intent: str) -> Route:
        """The route of an intent; an intent without one is answered from the knowledge base."""
        return self._routes.get(intent, Route.ANSWER)

    def reply(self, intent: str, language: str, seed: str = "") -> str | None:
        """One of the intent's replies; the same seed gives the same one."""
        by_language = self._replies.get(intent, {})
        choices = by_language.get(language) or by_language.get("en")
        if not choices:
            return None
        return str(random.Random(seed).choice(list(choices)))


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        SettingsError: it cannot be read or is no mapping.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read as YAML ({type(error).__name__}); mend or replace it"
        ) from error
    if not isinstance(content, dict):
        raise SettingsError(f"{path} holds {type(content).__name__}, expected a mapping at its top")
    return content
