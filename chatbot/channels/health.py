"""Is the process alive, and is it ready to answer?"""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from chatbot.channels.loader import BotProvider
from chatbot.errors import StorageError
from chatbot.storage import Conversations

__all__ = ["build_router"]


class Alive(BaseModel):
    """The process answers."""

    status: str = Field(examples=["ok"])


class Ready(BaseModel):
    """Whether customers can be answered."""

    status: str = Field(description="`ready`, `loading` or `failed`.", examples=["ready"])
    missing: list[str] = Field(description="What is not there: `models`, `index`, `database`.", examples=[[]])
    doing: str = Field("", description="The step under way.")
    done: int = Field(0, description="Parts of the step that are done.")
    total: int = Field(0, description="Parts that the step has.")
    error: str = Field("", description="Kind of the error that stopped the loading; its text is in the log.")


def build_router(provider: BotProvider, conversations: Conversations) -> APIRouter:
    """The addresses that container platforms ask."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", response_model=Alive, summary="Is the process alive?")
    async def healthz() -> Alive:
        return Alive(status="ok")

    @router.get(
        "/readyz",
        response_model=Ready,
        summary="Can it answer? 503 until models, index and database are there",
        responses={503: {"model": Ready, "description": "Not yet, or not any more."}},
    )
    async def readyz() -> JSONResponse:
        found = provider.readiness()
        missing = list(found.missing)
        try:
            await asyncio.to_thread(conversations.check)
        except StorageError:
            missing.append("database")
        status = "failed" if found.status == "ready" and missing else found.status
        ready = Ready(
            status=status,
            missing=missing,
            doing=found.doing,
            done=found.done,
            total=found.total,
            error=found.error,
        )
        return JSONResponse(ready.model_dump(), 503 if missing or status != "ready" else 200)

    return router
