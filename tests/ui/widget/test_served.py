"""What is served for the widget: one small script, the same everywhere, and a page that shows it."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from ui.widget import build_router
from ui.widget.bundle import FOLDER, widget_script, widget_style
from ui.widget.texts import WIDGET_TEXTS


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    app = FastAPI()
    app.include_router(build_router())
    with TestClient(app) as opened:
        yield opened


def test_everything_together_stays_under_30_kb() -> None:
    assert len(widget_script().zipped) < 30_000


def test_the_script_is_the_same_on_every_server() -> None:
    before = widget_script().body
    widget_script.cache_clear()
    assert widget_script().body == before
    assert widget_script().zipped == gzip.compress(before, 9, mtime=0)


def test_the_script_takes_no_shortcut_that_a_policy_or_an_attacker_would_mind() -> None:
    script = widget_script().body.decode()
    for forbidden in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        ".cssText",
    ):
        assert forbidden not in script
    assert "</script" not in script


def test_every_text_is_there_in_both_languages_and_used() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (FOLDER / "src").glob("*.js"))
    for key, text in WIDGET_TEXTS.items():
        assert set(text) == {"zh", "en"}
        assert all(text.values())
        assert re.search(rf"""["'`{{]{key}\b""", source) or key.startswith(("status_", "notice_")), key
    asked = set(re.findall(r"""\bt\("(\w+)\"""", source)) - {"key"}
    assert asked <= set(WIDGET_TEXTS)


@pytest.mark.parametrize("path", ["/widget.js", "/widget.css"])
def test_script_and_style_are_open_to_every_site_and_not_fetched_twice(client: TestClient, path: str) -> None:
    first = client.get(path, headers={"origin": "https://shop.example"})
    assert first.status_code == 200
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["access-control-allow-origin"] == "*"
    assert first.headers["cross-origin-resource-policy"] == "cross-origin"
    assert "max-age=300" in first.headers["cache-control"]
    tag = first.headers["etag"]
    for known in (tag, tag.removeprefix("W/"), f'"other", {tag}', "*"):
        again = client.get(path, headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [("gzip, br", True), ("*", True), ("identity", False), ("gzip;q=0", False), ("", False)],
)
def test_packed_only_for_those_who_can_unpack(client: TestClient, accepted: str, packed: bool) -> None:
    answer = client.get("/widget.js", headers={"accept-encoding": accepted})
    assert ("content-encoding" in answer.headers) == packed
    assert answer.content == widget_script().body
    assert answer.headers["vary"] == "Accept-Encoding"


def test_types_and_head(client: TestClient) -> None:
    assert client.get("/widget.js").headers["content-type"] == "text/javascript; charset=utf-8"
    assert client.get("/widget.css").headers["content-type"] == "text/css; charset=utf-8"
    head = client.head("/widget.js")
    assert head.status_code == 200
    assert head.content == b""


def test_the_style_sheet_is_the_one_inside_the_script() -> None:
    assert "@media (forced-colors: active)" in widget_style().body.decode()
    assert "/*" not in widget_style().body.decode()


@pytest.mark.parametrize(
    ("query", "accepted", "language"),
    [
        ("", "zh-CN,zh;q=0.9", "zh"),
        ("", "fr", "en"),
        ("?lang=zh", "en", "zh"),
        ("?lang=en", "zh", "en"),
        ("?lang=xx", "zh", "zh"),
    ],
)
def test_the_sample_page_speaks_the_readers_language(
    client: TestClient, query: str, accepted: str, language: str
) -> None:
    page = client.get(f"/widget-demo{query}", headers={"accept-language": accepted})
    assert page.headers["content-language"] == language
    assert f'<html lang="{language}">' in page.text
    assert ("潮峰数码" in page.text) == (language == "zh")
    assert "Accept-Language" in page.headers["vary"]


def test_the_sample_page_has_a_strict_policy_and_keeps_it(client: TestClient) -> None:
    page = client.get("/widget-demo")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script>", page.text)
    for path in re.findall(r'(?:src|href)="(widget[^"#?]*)"', page.text):
        assert client.get(f"/{path}").status_code == 200
    assert client.get("/widget-demo/", follow_redirects=False).headers["location"] == "../widget-demo"
