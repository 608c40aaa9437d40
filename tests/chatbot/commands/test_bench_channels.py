from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import uvicorn

from chatbot.channels import BotLoader, create_app
from chatbot.commands.bench_channels import talk
from chatbot.settings import Settings
from chatbot.storage import Conversations, Database
from chatbot.turn import Message
from tests.fakes import FakeBot


@pytest.fixture
def address(tmp_path: object) -> Iterator[str]:
    database = Database.open(f"sqlite:///{tmp_path}/kefu.db")
    database.upgrade()

    def answer(message: Message) -> str:
        if message.text == "bad":
            raise ValueError("broken")
        return "fine"

    app = create_app(
        BotLoader(lambda _report: FakeBot(answer)), Conversations(database), Settings(data_dir=str(tmp_path))
    )
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    database.dispose()


def test_every_message_of_every_conversation_is_counted_and_so_is_every_error(address: str) -> None:
    load = talk(address, ["good", "bad"], conversations=4, messages=2)
    assert (load.messages, load.errors) == (8, 4)
    assert load.p95_ms > 0
    assert load.per_second > 0
