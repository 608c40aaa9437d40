"""The description of the addresses says where a key is really needed, which is a setting."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fastapi import FastAPI

from chatbot.channels.keys import KEY_SCHEMES

__all__ = ["describe_keys"]


def describe_keys(app: FastAPI, required: Collection[str]) -> None:
    """Rewrites the security of every operation; call it when all routers are there.

    Args:
        required: scopes whose addresses need a key.
    """
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            for methods in document.get("paths", {}).values():
                for operation in methods.values():
                    if isinstance(operation, dict) and "security" in operation:
                        operation["security"] = _alternatives(operation["security"], required)
            schemes = document.get("components", {}).get("securitySchemes", {})
            for name in [name for name in schemes if name.partition(".")[0] in KEY_SCHEMES]:
                schemes[name.partition(".")[0]] = schemes.pop(name)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _alternatives(listed: list[dict[str, Any]], required: Collection[str]) -> list[dict[str, Any]]:
    """What opens an operation: its own tokens, and a key where the key's scope is asked for.

    Where nothing of its own is asked for and no key is needed, anybody comes in, with a key or without.
    """
    keys: list[dict[str, Any]] = []
    own: list[dict[str, Any]] = []
    needed = False
    for entry in listed:
        name, _, scope = next(iter(entry), "").partition(".")
        if name in KEY_SCHEMES:
            keys.append({name: []})
            needed = needed or scope in required
        else:
            own.append(entry)
    if needed and own:
        return [{**key, **token} for key in keys for token in own]
    if needed:
        return keys
    return own or [{}, *keys]
