"""The page's addresses.  The page itself is empty; what it shows needs a key with the scope ``admin``."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from chatbot.channels.keys import needs
from chatbot.training.runs import curve, list_runs

__all__ = ["build_router"]

_FOLDER = Path(__file__).parent
_POLICY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cache-control": "no-cache",
}
_FILES = {"page.css": "text/css", "page.js": "text/javascript"}


def build_router(folder: Path) -> APIRouter:
    """The page and its data.

    Args:
        folder: below which each run has its own.
    """
    router = APIRouter(prefix="/training", include_in_schema=False)

    @router.get("")
    def page() -> Response:
        return FileResponse(_FOLDER / "page.html", media_type="text/html; charset=utf-8", headers=_POLICY)

    @router.get("/static/{name}")
    def static(name: str) -> Response:
        if name not in _FILES:
            raise HTTPException(404)
        return FileResponse(_FOLDER / name, media_type=f"{_FILES[name]}; charset=utf-8", headers=_POLICY)

    @router.get("/runs", dependencies=[needs("admin")])
    async def runs() -> dict[str, Any]:
        return {"runs": [asdict(run) for run in await asyncio.to_thread(list_runs, folder)]}

    @router.get("/runs/{name}", dependencies=[needs("admin")])
    async def run(name: str) -> dict[str, Any]:
        known = {each.name for each in await asyncio.to_thread(list_runs, folder)}
        if name not in known:  # so that no name leads out of the folder
            raise HTTPException(404)
        return {"points": await asyncio.to_thread(curve, folder / name)}

    return router
