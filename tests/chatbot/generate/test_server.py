from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from chatbot.errors import BusyError, EngineError, SettingsError
from chatbot.generate.protocol import Generator
from chatbot.generate.server import OpenAIGenerator

from .contract import PROMPT, GeneratorContract

ANSWER = "Returns are accepted within 30 days after delivery, 谢谢 🙂."
PIECES = [word if i == 0 else " " + word for i, word in enumerate(ANSWER.split(" "))]


class _Handler(BaseHTTPRequestHandler):
    """A server with the OpenAI protocol; ``server.mode`` makes it misbehave."""

    server: StandIn

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers), body))
        mode = self.server.mode
        if mode.isdigit():
            self._send(int(mode), {"error": {"message": PROMPT.messages[1].content}})
        elif mode == "no json":
            self._send(200, "oops")
        elif mode == "refuses logprobs" and body.get("logprobs"):
            self._send(400, {"error": {"message": "logprobs not supported"}})
        elif body.get("stream"):
            self._stream(body["max_tokens"], mode)
        else:
            self._send(200, self._whole(body, mode))

    def _send(self, status: int, body: Any) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _whole(self, body: dict[str, Any], mode: str) -> dict[str, Any]:
        choice: dict[str, Any] = {"message": {"content": self.server.answer}, "finish_reason": "length"}
        if body.get("logprobs") and mode != "no logprobs":
            top = [("Returns", 0.6), ("Yes", 0.2), ("是", 0.1), ("No", 0.05)]
            choice["logprobs"] = {
                "content": [{"top_logprobs": [{"token": t, "logprob": math.log(p)} for t, p in top]}]
            }
        return {"choices": [choice], "usage": {"prompt_tokens": 30, "completion_tokens": 1}}

    def _stream(self, limit: int, mode: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        chunks: list[dict[str, Any]] = [{"choices": [{"delta": {"role": "assistant", "content": None}}]}]
        chunks += [{"choices": [{"delta": {"content": piece}}]} for piece in PIECES[:limit]]
        reason = "length" if limit < len(PIECES) else "stop"
        if mode == "breaks off":
            chunks = chunks[:3]
        else:
            chunks.append({"choices": [{"delta": {}, "finish_reason": reason}]})
            count = min(limit, len(PIECES))
            chunks.append({"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": count}})
        try:
            for chunk in chunks:
                line = f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()
                for start in range(0, len(line), 7):  # cuts characters in half
                    self.wfile.write(line[start : start + 7])
                    self.wfile.flush()
                if mode == "stalls" and chunk is chunks[2]:
                    self.server.released.wait(20)
            if mode != "breaks off":
                self.wfile.write(b": comment\n\ndata: [DONE]\n\n")
        except OSError:
            self.server.hung_up.set()

    def log_message(self, *_: Any) -> None:
        pass


class StandIn(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mode = ""
        self.answer = "Returns"
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        self.released = threading.Event()
        self.hung_up = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


@pytest.fixture(scope="class")
def server() -> Iterator[StandIn]:
    stand_in = StandIn()
    thread = threading.Thread(target=stand_in.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield stand_in
    stand_in.released.set()
    stand_in.shutdown()
    stand_in.server_close()
    thread.join()


class TestOpenAIGenerator(GeneratorContract):
    @pytest.fixture(scope="class")
    def build(self, server: StandIn) -> Callable[[int, int, float], Generator]:
        return lambda slots, queue, timeout_s: OpenAIGenerator(
            server.url, "m", slots=slots, queue=queue, timeout_s=timeout_s
        )


@pytest.fixture
def stand_in(server: StandIn) -> StandIn:
    server.mode, server.answer = "", "Returns"
    server.requests.clear()
    server.released.clear()
    return server


@pytest.fixture
def generator(stand_in: StandIn) -> Iterator[OpenAIGenerator]:
    made = OpenAIGenerator(stand_in.url + "/", "the-model", api_key="k3y", timeout_s=3.0)
    yield made
    made.close()


class TestServerProtocol:
    def test_sends_what_the_protocol_asks_for(self, generator: OpenAIGenerator, stand_in: StandIn) -> None:
        made = generator.generate(PROMPT, max_tokens=99)
        path, headers, body = stand_in.requests[0]
        assert path == "/v1/chat/completions"
        assert headers["Authorization"] == "Bearer k3y"
        assert (body["model"], body["max_tokens"], body["temperature"]) == ("the-model", 99, 0)
        assert [m["role"] for m in body["messages"]] == ["system", "user"]
        assert (made.text, made.finish, made.prompt_tokens) == (ANSWER, "stop", 30)

    @pytest.mark.parametrize(
        ("mode", "says"), [("401", "API_KEY"), ("404", "404"), ("500", "500"), ("400", "400")]
    )
    def test_failures_say_what_to_do_and_repeat_no_words(
        self, generator: OpenAIGenerator, stand_in: StandIn, mode: str, says: str
    ) -> None:
        stand_in.mode = mode
        with pytest.raises(EngineError, match=says) as caught:
            generator.generate(PROMPT)
        assert "How long may I wait" not in str(caught.value)

    @pytest.mark.parametrize("mode", ["429", "503"])
    def test_busy_server_tells_when_to_come_back(
        self, generator: OpenAIGenerator, stand_in: StandIn, mode: str
    ) -> None:
        stand_in.mode = mode
        with pytest.raises(BusyError) as caught:
            generator.generate(PROMPT)
        assert caught.value.retry_after == 7

    def test_answer_that_breaks_off_is_an_error(self, generator: OpenAIGenerator, stand_in: StandIn) -> None:
        stand_in.mode = "breaks off"
        with pytest.raises(EngineError):
            generator.generate(PROMPT)

    def test_stalled_server_ends_at_the_time_limit(
        self, generator: OpenAIGenerator, stand_in: StandIn
    ) -> None:
        stand_in.mode = "stalls"
        started = time.monotonic()
        made = generator.generate(PROMPT)
        assert made.finish == "timeout"
        assert made.text == "".join(PIECES[:2])
        assert time.monotonic() - started < 6

    def test_stopped_generation_hangs_up_at_once(self, generator: OpenAIGenerator, stand_in: StandIn) -> None:
        stand_in.mode = "stalls"
        started = time.monotonic()
        assert generator.generate(PROMPT, on_piece=bool).finish == "cancelled"
        assert time.monotonic() - started < 2

    def test_server_that_answers_no_json(self, generator: OpenAIGenerator, stand_in: StandIn) -> None:
        stand_in.mode = "no json"
        with pytest.raises(EngineError, match="not JSON"):
            generator.choose(PROMPT, ["Yes", "No"])

    def test_unreachable_server_is_named(self) -> None:
        generator = OpenAIGenerator("http://127.0.0.1:9/v1", "m")
        with pytest.raises(EngineError, match=r"127\.0\.0\.1:9"):
            generator.generate(PROMPT)
        generator.close()

    def test_choose_takes_the_servers_probabilities(
        self, generator: OpenAIGenerator, stand_in: StandIn
    ) -> None:
        yes, no, never = generator.choose(PROMPT, ["Yes", "No", "Zebra"])
        assert (round(math.exp(yes), 6), round(math.exp(no), 6)) == (0.2, 0.05)
        assert never == pytest.approx(math.log(0.05))
        assert stand_in.requests[0][2]["max_tokens"] == 1

    @pytest.mark.parametrize("mode", ["no logprobs", "refuses logprobs"])
    def test_choose_without_probabilities_goes_by_the_answer(
        self, generator: OpenAIGenerator, stand_in: StandIn, mode: str
    ) -> None:
        stand_in.mode, stand_in.answer = mode, " no, it does not"
        yes, no = generator.choose(PROMPT, ["Yes", "No"])
        assert math.exp(no) == pytest.approx(0.95)
        assert math.exp(yes) == pytest.approx(0.05)
        stand_in.answer = "I cannot say"
        assert generator.choose(PROMPT, ["Yes", "No"]) == [pytest.approx(-math.log(2))] * 2

    def test_missing_url_is_a_setting_to_mend(self) -> None:
        with pytest.raises(SettingsError, match="KEFU_GENERATOR__URL"):
            OpenAIGenerator("", "m")
