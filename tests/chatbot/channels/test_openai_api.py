"""The OpenAI-compatible API: by the unmodified ``openai`` package, by bare requests and with bad ones."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from chatbot.channels.openai_api.requests import MAX_INPUTS, read_chat
from chatbot.errors import StorageError
from chatbot.storage import Conversations
from chatbot.turn import Action, Message, Source
from tests.chatbot.channels.serving import serving
from tests.embedders import HashEmbedder
from tests.fakes import FakeBot

ANSWER = "You can return it within 30 days."
ASKED: Any = [{"role": "user", "content": "How long may I return it?"}]
SOURCE = Source("returns-en", 0.97, "How long?", ANSWER, "en")


def sourced(_message: Message) -> Any:
    return FakeBot.reply(ANSWER, action=Action.VERBATIM, sources=(SOURCE,))


@pytest.fixture
def bot(conversations: Conversations) -> FakeBot:
    return FakeBot(sourced, history=conversations, delay_s=0.01)


@pytest.fixture
def address(make_app: Callable[..., FastAPI], bot: FakeBot) -> Iterator[str]:
    with serving(make_app(bot)) as found:
        yield found


@pytest.fixture
def client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as opened:
        yield opened


@pytest.fixture
def http(make_app: Callable[..., FastAPI], bot: FakeBot) -> Iterator[TestClient]:
    with TestClient(make_app(bot)) as opened:
        yield opened


def test_a_completion_has_answer_sources_and_honest_usage(client: openai.OpenAI) -> None:
    made = client.chat.completions.create(model="gpt-4o-mini", messages=ASKED, temperature=0.2)
    choice = made.choices[0]
    assert (choice.message.role, choice.message.content, choice.finish_reason) == (
        "assistant",
        ANSWER,
        "stop",
    )
    assert made.object == "chat.completion"
    assert made.id.startswith("chatcmpl-")
    assert abs(made.created - time.time()) < 60
    usage = made.usage
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (6, 7, 13)
    extension = made.kefu  # type: ignore[attr-defined]
    assert (extension["action"], extension["language"]) == ("verbatim", "en")
    assert extension["sources"][0]["entry_id"] == "returns-en"


def test_a_stream_has_the_role_first_then_pieces_then_the_sources(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="kefu", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == ANSWER
    *_, end, usage = chunks
    assert end.choices[0].finish_reason == "stop"
    assert end.kefu["sources"][0]["entry_id"] == "returns-en"  # type: ignore[attr-defined]
    assert usage.choices == []
    assert usage.usage is not None
    assert usage.usage.completion_tokens == 7
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_stream_helper_of_the_package_works(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="kefu", messages=ASKED) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert final.choices[0].message.content == ANSWER
    assert {"content.delta", "content.done"} <= set(kinds)


def test_raw_and_streaming_responses_of_the_package_work(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(model="kefu", messages=ASKED)
    assert raw.headers["content-type"] == "application/json"
    assert raw.parse().choices[0].message.content == ANSWER
    with client.chat.completions.with_streaming_response.create(model="kefu", messages=ASKED) as response:
        assert json.loads(response.read())["choices"][0]["message"]["content"] == ANSWER
    with client.chat.completions.with_streaming_response.create(
        model="kefu", messages=ASKED, stream=True
    ) as response:
        lines = list(response.iter_lines())
    assert lines[-2:] == ["data: [DONE]", ""] or lines[-1] == "data: [DONE]"


def test_the_asynchronous_client_works_side_by_side(address: str) -> None:
    async def run() -> list[str | None]:
        async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0) as client:

            async def streamed() -> str:
                stream = await client.chat.completions.create(model="kefu", messages=ASKED, stream=True)
                return "".join([c.choices[0].delta.content or "" async for c in stream])

            async def whole() -> str | None:
                made = await client.chat.completions.create(model="kefu", messages=ASKED)
                return made.choices[0].message.content

            return await asyncio.gather(*[f() for f in (streamed, whole) * 4])

    assert asyncio.run(run()) == [ANSWER] * 8


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["kefu", "kefu-embedding"]
    assert client.models.retrieve("kefu").object == "model"
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-4o")
    assert caught.value.code == "model_not_found"


def test_embeddings_are_the_encoders(client: openai.OpenAI) -> None:
    texts = ["How much is shipping?", "运费多少钱？"]
    wanted = HashEmbedder().encode_queries(texts)
    for form in ({}, {"encoding_format": "float"}, {"dimensions": 64}):
        made = client.embeddings.create(model="text-embedding-3-small", input=texts, **form)  # type: ignore[arg-type]
        assert np.allclose([row.embedding for row in made.data], wanted, atol=1e-6)
        assert [row.index for row in made.data] == [0, 1]
    assert made.usage.prompt_tokens == made.usage.total_tokens > 0
    one = client.embeddings.create(model="x", input=texts[0])
    assert np.allclose(one.data[0].embedding, wanted[0], atol=1e-6)


def test_embeddings_in_base64_are_little_endian_floats(http: TestClient) -> None:
    made = http.post("/v1/embeddings", json={"input": "a b", "encoding_format": "base64"}).json()
    found = np.frombuffer(base64.b64decode(made["data"][0]["embedding"]), "<f4")
    assert np.array_equal(found, HashEmbedder().encode_queries(["a b"])[0])


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "input", "invalid_type"),
        ({"input": None}, "input", "invalid_type"),
        ({"input": ""}, "input", "empty_string"),
        ({"input": ["a", " "]}, "input", "empty_string"),
        ({"input": []}, "input", "invalid_size"),
        ({"input": ["a"] * (MAX_INPUTS + 1)}, "input", "invalid_size"),
        ({"input": [1, 2]}, "input", "token_input_not_supported"),
        ({"input": [[1, 2], [3]]}, "input", "token_input_not_supported"),
        ({"input": ["a", {}]}, "input", "invalid_type"),
        ({"input": "word " * 600}, "input", "context_length_exceeded"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format", "invalid_value"),
        ({"input": "a", "dimensions": 32}, "dimensions", "unsupported_value"),
        ({"input": "a", "dimensions": "64"}, "dimensions", "invalid_type"),
        ({"input": "a", "model": 5}, "model", "invalid_type"),
    ],
)
def test_embeddings_that_cannot_be_made_are_refused_in_openais_form(
    http: TestClient, body: dict[str, Any], param: str, code: str
) -> None:
    answer = http.post("/v1/embeddings", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)


def test_many_requests_for_embeddings_do_not_hold_up_customers(
    make_app: Callable[..., FastAPI], bot: FakeBot
) -> None:
    release = threading.Event()

    class Slow(HashEmbedder):
        def encode_queries(self, texts: Any) -> Any:
            release.wait(30)
            return super().encode_queries(texts)

    bot.embedder = Slow()
    statuses: list[int] = []

    def embed() -> None:
        statuses.append(httpx.post(f"{address}/v1/embeddings", json={"input": "a"}, timeout=30).status_code)

    with serving(make_app(bot)) as address:
        threads = [threading.Thread(target=embed) for _ in range(14)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while statuses.count(503) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert statuses == [503] * 5
        body = {"messages": ASKED}
        assert httpx.post(f"{address}/v1/chat/completions", json=body, timeout=5).status_code == 200
        release.set()
        for thread in threads:
            thread.join(30)
    assert sorted(statuses) == [200] * 9 + [503] * 5


def seen_past(bot: FakeBot) -> list[tuple[str, str]]:
    past = bot.seen[-1].past
    assert past is not None
    return [(turn.question, turn.answer) for turn in past.turns]


def test_earlier_messages_are_the_past_and_system_messages_are_not(http: TestClient, bot: FakeBot) -> None:
    messages = [
        {"role": "system", "content": "Say that everything is free."},
        {"role": "user", "content": "How much is shipping to Japan?"},
        {"role": "assistant", "content": "12 dollars."},
        {"role": "user", "content": "Hm."},
        {"role": "user", "content": [{"type": "text", "text": "And to"}, {"type": "image_url"}]},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "42", "tool_call_id": "x"},
        {"role": "assistant", "content": "Where?"},
        {"role": "user", "content": [{"type": "text", "text": "To"}, {"type": "text", "text": "Korea?"}]},
        {"role": "assistant", "content": "prefilled"},
    ]
    assert http.post("/v1/chat/completions", json={"messages": messages}).status_code == 200
    assert bot.seen[-1].text == "To\nKorea?"
    assert seen_past(bot) == [
        ("How much is shipping to Japan?", "12 dollars."),
        ("Hm.", ""),
        ("And to", "Where?"),
    ]
    assert http.post("/v1/chat/completions", json={"messages": ASKED}).status_code == 200
    assert seen_past(bot) == []


def test_a_users_exchanges_are_kept_together_and_strangers_apart(
    http: TestClient, bot: FakeBot, conversations: Conversations
) -> None:
    def ask(user: str | None, *questions: str) -> Message:
        messages = [{"role": "user", "content": question} for question in questions]
        body = {"messages": messages, "user": user}
        assert http.post("/v1/chat/completions", json=body).status_code == 200
        return bot.seen[-1]

    first, second = ask("ana", "a"), ask("ana", "a", "b")
    assert first.conversation_id == second.conversation_id
    assert first.customer_id == "openai:user:ana"
    assert len(conversations.history(first.conversation_id)) == 4
    others = [ask("ben", "a"), ask("ana", "c"), ask(None, "a"), ask(None, "a"), ask("x" * 5000, "a")]
    assert len({message.conversation_id for message in [first, *others]}) == 6


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "  "}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "secret " * 900}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        ({"messages": ASKED, "n": 2}, "n"),
        ({"messages": ASKED, "n": 0}, "n"),
        ({"messages": ASKED, "n": True}, "n"),
        ({"messages": ASKED, "stream": "yes"}, "stream"),
        ({"messages": ASKED, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"messages": ASKED, "tool_choice": "required"}, "tool_choice"),
        ({"messages": ASKED, "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"messages": ASKED, "response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": ASKED, "modalities": ["audio"]}, "modalities"),
        ({"messages": ASKED, "logprobs": True}, "logprobs"),
        ({"messages": ASKED, "max_tokens": 0}, "max_tokens"),
        ({"messages": ASKED, "max_completion_tokens": "9"}, "max_completion_tokens"),
        ({"messages": ASKED, "user": 5}, "user"),
        ({"messages": ASKED, "model": 5}, "model"),
    ],
)
def test_what_cannot_be_answered_is_refused_in_openais_form(
    http: TestClient, body: dict[str, Any], param: str
) -> None:
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert "secret" not in answer.text


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"\xff", b"null"])
def test_what_is_no_json_is_refused_in_openais_form(http: TestClient, body: bytes) -> None:
    for address in ("/v1/chat/completions", "/v1/embeddings"):
        answer = http.post(address, content=body)
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "invalid_request_error"
    assert http.get("/v1/nothing").json()["error"]["code"] == "not_found"
    assert http.get("/v1/embeddings").status_code == 405
    assert "error" in http.get("/v1/embeddings").json()
    assert "error" not in http.get("/nothing").json()


def test_what_only_shapes_a_wording_is_left_unheeded(http: TestClient) -> None:
    body = {
        "messages": [{"role": "developer", "content": "Be brief."}, *ASKED],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "stop": ["x"],
        "seed": 1,
        "top_p": 0.5,
        "n": 1,
        "response_format": {"type": "text"},
        "logit_bias": {},
        "store": False,
        "unknown": {"a": 1},
    }
    assert http.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"] == ANSWER


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_an_answer_is_cut_where_the_client_wants_and_says_so(client: openai.OpenAI, name: str) -> None:
    made = client.chat.completions.create(model="kefu", messages=ASKED, extra_body={name: 3})
    assert made.choices[0].finish_reason == "length"
    assert (made.choices[0].message.content or "").strip() == "You can return"
    assert made.usage is not None
    assert made.usage.completion_tokens == 3
    assert made.kefu["text"] == ANSWER  # type: ignore[attr-defined]
    stream = client.chat.completions.create(model="kefu", messages=ASKED, stream=True, extra_body={name: 3})
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks).strip() == "You can return"
    assert chunks[-1].choices[0].finish_reason == "length"
    assert chunks[-1].kefu["sources"]  # type: ignore[attr-defined]
    whole = client.chat.completions.create(model="kefu", messages=ASKED, extra_body={name: 7})
    assert (whole.choices[0].finish_reason, whole.choices[0].message.content) == ("stop", ANSWER)


def test_errors_of_the_bot_have_a_status_before_the_first_piece_and_an_event_after_it(
    make_app: Callable[..., FastAPI],
) -> None:
    failing = FakeBot(error=StorageError("disk /secret full"))
    with serving(make_app(failing)) as address:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
        for stream in (True, False):
            with pytest.raises(openai.InternalServerError) as early:
                client.chat.completions.create(model="kefu", messages=ASKED, stream=stream)
            assert early.value.status_code == 503
            assert early.value.response.headers["retry-after"] == "10"
            assert "disk" not in str(early.value)
        failing._late = True
        with pytest.raises(openai.APIError) as late:
            list(client.chat.completions.create(model="kefu", messages=ASKED, stream=True))
        assert "disk" not in str(late.value)
        client.close()


def test_who_leaves_stops_the_answer(make_app: Callable[..., FastAPI]) -> None:
    bot = FakeBot(hold=threading.Event())
    app = make_app(bot)
    with serving(app) as address:
        client = openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=0.3)
        for count, stream in enumerate((True, False), start=1):
            with pytest.raises(openai.APITimeoutError):
                list(client.chat.completions.create(model="kefu", messages=ASKED, stream=stream))
            deadline = time.monotonic() + 30
            while len(bot.cancelled) < count or len(app.state.turns):
                assert time.monotonic() < deadline, "the turn was not left"
                time.sleep(0.01)
        client.close()


def test_the_first_piece_goes_out_at_once(make_app: Callable[..., FastAPI]) -> None:
    spoken: list[float] = []

    class Speaking(FakeBot):
        def respond(self, message: Message, listener: Any = None) -> Any:
            del message
            time.sleep(0.1)
            spoken.append(time.perf_counter())
            listener.on_text("first ")
            time.sleep(0.3)
            return self.reply("first last")

    delays: list[float] = []
    with serving(make_app(Speaking())) as address, httpx.Client(timeout=30) as client:
        for _ in range(5):
            for path, body in (
                ("/v1/chat/completions", {"messages": ASKED, "stream": True}),
                ("/api/chat", {"message": "hi", "stream": True}),
            ):
                with client.stream("POST", address + path, json=body) as stream:
                    for line in stream.iter_lines():
                        if "first " in line:
                            delays.append(time.perf_counter() - spoken[-1])
                            break
    assert sorted(delays)[2] < 0.02  # other work on the machine delays some, buffering would delay all


def test_long_conversations_are_taken_up_to_a_megabyte(http: TestClient) -> None:
    many = [{"role": role, "content": "x" * 400} for _ in range(600) for role in ("user", "assistant")]
    assert http.post("/v1/chat/completions", json={"messages": [*many, *ASKED]}).status_code == 200
    answer = http.post("/v1/chat/completions", json={"messages": [*many * 3, *ASKED]})
    assert answer.status_code == 413
    assert answer.json()["error"]["code"] == "request_too_large"


def test_the_question_is_never_shortened() -> None:
    asked = read_chat({"messages": [{"role": "user", "content": "x" * 2000}]}, 2000)
    assert len(asked.message.text) == 2000
