"""Addresses of the widget: the script, its style sheet, and a shop page that shows both."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from ui.texts import preferred_language
from ui.widget.bundle import FOLDER, Asset, load_asset, widget_script, widget_style
from ui.widget.shop import shop_pages

__all__ = ["build_router"]

_DEMO = FOLDER / "demo"
_SHORT = "public, max-age=300, stale-while-revalidate=86400"
"""Sites get a new version within five minutes, and never wait for it."""

_OPEN = {
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "timing-allow-origin": "*",
}
"""The script holds no secret: any site may load it, with ``crossorigin`` and ``integrity`` too."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""The strictest a site may have: nothing but the widget's own needs."""


def build_router(default_language: str = "en") -> APIRouter:
    """The routes; they need neither bot nor database.

    Args:
        default_language: of the sample page, when the browser asks for none it has.
    """
    router = APIRouter(tags=["widget"])
    script, style = widget_script(), widget_style()
    shop_style = load_asset(_DEMO / "shop.css", "text/css; charset=utf-8")
    shop_script = load_asset(_DEMO / "shop.js", "text/javascript; charset=utf-8")
    pages = shop_pages()

    @router.api_route("/widget.js", methods=["GET", "HEAD"], include_in_schema=False)
    def widget_js(request: Request) -> Response:
        return _send(request, script, {"cache-control": _SHORT, **_OPEN})

    @router.api_route("/widget.css", methods=["GET", "HEAD"], include_in_schema=False)
    def widget_css(request: Request) -> Response:
        return _send(request, style, {"cache-control": _SHORT, **_OPEN})

    @router.api_route("/widget-demo", methods=["GET", "HEAD"], include_in_schema=False)
    def demo(request: Request, lang: Annotated[str, Query(max_length=32)] = "") -> Response:
        accepted = request.headers.get("accept-language", "")
        language = lang if lang in pages else preferred_language(accepted, default_language)
        headers = {
            "cache-control": "no-cache",
            "content-language": language,
            "content-security-policy": _POLICY,
            "referrer-policy": "same-origin",
        }
        return _send(request, pages[language], headers, vary="Accept-Encoding, Accept-Language")

    @router.get("/widget-demo/", include_in_schema=False)
    def demo_slash() -> Response:
        return RedirectResponse("../widget-demo", status_code=308)

    @router.api_route("/widget-demo/shop.css", methods=["GET", "HEAD"], include_in_schema=False)
    def demo_css(request: Request) -> Response:
        return _send(request, shop_style, {"cache-control": _SHORT})

    @router.api_route("/widget-demo/shop.js", methods=["GET", "HEAD"], include_in_schema=False)
    def demo_js(request: Request) -> Response:
        return _send(request, shop_script, {"cache-control": _SHORT})

    return router


def _send(
    request: Request, asset: Asset, headers: dict[str, str], *, vary: str = "Accept-Encoding"
) -> Response:
    """The asset, packed where the client can unpack it, or 304 where it has it already.

    The weak form of the tag is sent: packed and plain body share it.
    """
    common = {"etag": f"W/{asset.etag}", "vary": vary, "x-content-type-options": "nosniff", **headers}
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if asset.etag in known or known == ["*"]:
        return Response(status_code=304, headers=common)
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        return Response(
            asset.zipped, media_type=asset.media_type, headers={**common, "content-encoding": "gzip"}
        )
    return Response(asset.body, media_type=asset.media_type, headers=common)


def _takes_gzip(accepted: str) -> bool:
    for part in accepted.lower().split(","):
        coding, _, weight = part.replace(" ", "").partition(";q=")
        if coding in ("gzip", "*"):
            return not weight or weight.strip("0.") != ""
    return False
