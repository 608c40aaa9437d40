"""The page of training runs shows nothing without a key, and the curves with one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from chatbot.channels import BotLoader, create_app
from chatbot.settings import Settings
from chatbot.storage import Conversations, Database, Keys
from tests.chatbot.channels.serving import serving
from tests.fakes import FakeBot
from ui.training import build_router


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(f"sqlite:///{tmp_path / 'kefu.db'}")
    opened.upgrade()
    yield opened
    opened.dispose()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished run, one that was stopped long ago, one that goes on, and a damaged one."""
    found = tmp_path / "training"
    for name, steps, begin in (("first", 40, 1e9), ("second <b>", 12, 1e9), ("now", 20, time.time() - 20)):
        run = found / name
        run.mkdir(parents=True)
        lines = [
            {"at": begin + n, "step": n, "steps": 40, "loss": 2 / n + 1, "held_out_loss": 1.5 - n / 50 if n % 8 == 0 else None,
             "seconds_left": 600.0}
            for n in range(1, steps + 1)
        ]  # fmt: skip
        (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)) + '\n{"step": 41, "lo')
    told = {"kind": "generator", "base": "mine", "began": 1.1e9, "figures": {"held_out_loss": 0.9}}
    (found / "first" / "run.json").write_text(json.dumps(told))
    (found / "third").mkdir()
    (found / "third" / "run.json").write_text("{")
    return found


@pytest.fixture
def app(database: Database, folder: Path, tmp_path: Path) -> FastAPI:
    bot = FakeBot()
    made = create_app(BotLoader(lambda _report: bot), Conversations(database), Settings(data_dir=tmp_path))
    made.include_router(build_router(folder))
    return made


@pytest.fixture
def key(database: Database) -> str:
    return Keys(database).create("me", ["admin"])[1]


def test_runs_and_curves_need_a_key_and_no_name_leads_out_of_the_folder(
    app: FastAPI, key: str, database: Database, folder: Path
) -> None:
    (folder.parent / "metrics.jsonl").write_text('{"step": 1}')
    reader = Keys(database).create("reader", ["read"])[1]
    with TestClient(app) as client:
        assert client.get("/training").status_code == 200
        assert client.get("/training/runs").status_code == 401
        assert client.get("/training/runs/first").status_code == 401
        assert client.get("/training/runs", headers={"x-api-key": reader}).status_code == 403
        found = client.get("/training/runs", headers={"x-api-key": key}).json()["runs"]
        assert [(run["name"], run["state"]) for run in found] == [
            ("now", "unfinished"),
            ("first", "finished"),
            ("second <b>", "unfinished"),
            ("third", "damaged"),
        ]
        points = client.get("/training/runs/second%20%3Cb%3E", headers={"x-api-key": key}).json()["points"]
        assert len(points) == 12, "a half-written line is left out"
        assert client.get("/training/runs/nothing", headers={"x-api-key": key}).status_code == 404
        for name in ("%2e%2e", "..%2F", "..%2Ftraining", ".."):
            assert "points" not in client.get(f"/training/runs/{name}", headers={"x-api-key": key}).text
        assert client.get("/training/static/routes.py").status_code == 404


@pytest.mark.browser
@pytest.mark.parametrize(
    ("locale", "width", "scheme"),
    [("en-US", 1000, "light"), ("zh-CN", 390, "dark")],
    ids=["desktop", "phone"],
)
def test_an_operator_sees_the_curves(
    app: FastAPI, key: str, chromium: Any, locale: str, width: int, scheme: str
) -> None:
    problems: list[str] = []
    with serving(app) as address:
        context = chromium.new_context(
            locale=locale, viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.set_default_timeout(15_000)
        page.goto(f"{address}/training")
        page.fill("#key", "kefu_wrong")
        page.click("button")
        page.wait_for_selector("#wrong:not([hidden])")
        page.fill("#key", key)
        page.click("button")
        page.wait_for_selector("article svg polyline.two")
        assert page.locator("article").count() == 4
        assert page.locator("h2", has_text="second <b>").count() == 1
        told = {"en-US": ["going on", "stopped"], "zh-CN": ["进行中", "已中断"]}[locale]
        assert page.locator(".state.unfinished").all_inner_texts() == told
        left = {"en-US": "10 min", "zh-CN": "10 分钟"}[locale]
        assert page.locator("article", has_text=told[0]).get_by_text(left).count() == 1
        assert page.locator("article", has_text=told[1]).get_by_text(left).count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        if shots := os.environ.get("KEFU_SHOTS"):
            page.screenshot(path=f"{shots}/training-{locale}.png", full_page=True)
        context.close()
    assert problems == []
