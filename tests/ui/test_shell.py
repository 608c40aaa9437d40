"""The served page without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from chatbot.settings import Settings
from chatbot.storage import Conversations, Database
from tests.ui.conftest import company
from tests.ui.fakes import FakeBot
from ui.mount import mount_chat


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    database = Database.open(f"sqlite:///{tmp_path_factory.mktemp('shell') / 'chat.db'}")
    database.upgrade()
    conversations = Conversations(database)
    bot = FakeBot(conversations)
    app = FastAPI()

    @app.get("/healthz")
    def health() -> dict[str, bool]:
        return {"alive": True}

    yield TestClient(mount_chat(app, lambda: bot, conversations, Settings(), company=company))
    database.dispose()


def test_the_first_bytes_name_the_company_in_the_browsers_language(client: TestClient) -> None:
    page = client.get("/", headers={"accept-language": "zh-CN"})
    assert '<html lang="zh"' in page.text
    assert '<div id="kf-boot"' in page.text
    assert "潮峰数码" in page.text
    assert int(page.headers["content-length"]) == len(page.content)
    assert "Tidepeak" in client.get("/", headers={"accept-language": "en"}).text


def test_the_page_names_nothing_outside(client: TestClient) -> None:
    text = client.get("/").text
    for outside in ("githubusercontent", "fonts.googleapis", "cdnjs", "og:image", "twitter:"):
        assert outside not in text
    assert '"analytics_enabled":false' in text.replace(" ", "")


def test_other_routes_are_left_alone(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"alive": True}


@pytest.mark.parametrize(
    "address",
    ["upload", "file=/etc/passwd", "proxy=http://x.example", "component_server", "deep_link", "stream/a/b/c"],
)
def test_files_can_be_neither_sent_nor_fetched(client: TestClient, address: str, tmp_path: Path) -> None:
    sent = tmp_path / "a.txt"
    sent.write_text("x")
    assert client.post(f"/gradio_api/{address}", files={"files": sent.read_bytes()}).status_code == 404
    assert client.get(f"/gradio_api/{address}").status_code == 404


def test_the_events_are_no_public_api(client: TestClient) -> None:
    assert client.get("/gradio_api/info").json()["named_endpoints"] == {}
