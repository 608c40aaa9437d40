"""A server that speaks the OpenAI chat protocol: vLLM, Ollama, llama-server, a hosted one."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import httpx

from chatbot.errors import BusyError, EngineError, SettingsError
from chatbot.generate.places import Abandoned, Places
from chatbot.generate.protocol import Generation, OnPiece
from chatbot.generate.run import Run, check_options, option_logprobs
from chatbot.prompt import Prompt

__all__ = ["OpenAIGenerator"]

logger = logging.getLogger(__name__)

TOP = 20
"""Most alternatives the protocol gives for a token."""
DOUBT = 0.05
"""Probability left to the other options when the server only tells its choice."""
CONNECT_S = 5.0


class OpenAIGenerator:
    """Generates on a server with ``POST {url}/chat/completions``.

    Args:
        url: base URL, ending in ``/v1`` for most servers.
        model: the server's name of the model.
        api_key: sent as a bearer token unless empty.
        slots: requests at a time; ``queue`` more wait here.
        max_tokens: longest answer unless a call says otherwise.
        timeout_s: time limit of one call, waiting included.

    Raises:
        SettingsError: the URL or the model's name is missing.
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str = "",
        slots: int = 2,
        queue: int = 16,
        max_tokens: int = 220,
        timeout_s: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise SettingsError(
                f"KEFU_GENERATOR__URL is {url!r}, expected the server's base URL such as http://127.0.0.1:8001/v1"
            )
        if not model:
            raise SettingsError("KEFU_GENERATOR__MODEL is empty, expected the server's name of the model")
        self.model_id = model
        self._max_tokens = max_tokens
        self._timeout_s = timeout_s
        self._places = Places(slots, queue)
        self._closing = threading.Event()
        self._tells_logprobs = True
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=url.rstrip("/") + "/", headers=headers, transport=transport)

    def generate(
        self, prompt: Prompt, *, max_tokens: int | None = None, on_piece: OnPiece | None = None
    ) -> Generation:
        """See :class:`~chatbot.generate.protocol.Generator`."""
        run = Run(on_piece, self._timeout_s, self._closing.is_set)
        usage: dict[str, Any] = {}
        finish, pieces = "", 0
        request = {"max_tokens": max_tokens or self._max_tokens, "stream_options": {"include_usage": True}}
        with contextlib.suppress(Abandoned), self._places.place(run.deadline, run.poll):
            for chunk in self._stream(prompt, run, request):
                usage = chunk.get("usage") or usage
                for choice in chunk.get("choices") or ():
                    finish = choice.get("finish_reason") or finish
                    text = (choice.get("delta") or {}).get("content") or ""
                    pieces += bool(text)
                    run.piece(text) if text else run.poll()
                if run.stopped:
                    break
        if not finish and not run.stopped:
            raise EngineError("the server ended the answer without saying that it was finished")
        details = usage.get("prompt_tokens_details") or {}
        return run.result(
            "length" if finish == "length" else "stop",
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            cached_tokens=int(details.get("cached_tokens") or 0),
            completion_tokens=int(usage.get("completion_tokens") or pieces),
        )

    def choose(self, prompt: Prompt, options: Sequence[str]) -> list[float]:
        """See :class:`~chatbot.generate.protocol.Generator`.

        A server that gives no log-probabilities is asked for its answer instead:
        the option it names gets probability 0.95, the others share the rest; all
        are equally likely when it names none.
        """
        check_options(options)
        run = Run(None, self._timeout_s, self._closing.is_set)
        try:
            with self._places.place(run.deadline, run.poll):
                if self._tells_logprobs:
                    top = self._top_logprobs(prompt, run)
                    if top:
                        return option_logprobs(top, options)
                    logger.warning(
                        "model %s gives no log-probabilities; its answer counts instead", self.model_id
                    )
                    self._tells_logprobs = False
                longest = max(len(option.encode()) for option in options)
                return _from_answer(self._answer(prompt, run, {"max_tokens": longest + 2}), options)
        except Abandoned:
            raise EngineError("the generator was closed while it judged") from None

    def warm(self, prompt: Prompt) -> bool:
        """Has the server read the prompt; whether it keeps the state is up to the server."""
        run = Run(None, 10 * self._timeout_s, self._closing.is_set)
        try:
            with self._places.place(math.inf, run.poll):
                self._answer(prompt, run, {"max_tokens": 1})
        except Abandoned:
            raise EngineError("the generator was closed while it read a prompt") from None
        return True

    def close(self) -> None:
        """See :class:`~chatbot.generate.protocol.Generator`."""
        self._closing.set()
        self._places.close()
        self._http.close()

    def _body(self, prompt: Prompt, request: dict[str, Any]) -> dict[str, Any]:
        messages = [{"role": m.role, "content": m.content} for m in prompt.messages]
        return {"model": self.model_id, "messages": messages, "temperature": 0, **request}

    def _top_logprobs(self, prompt: Prompt, run: Run) -> list[tuple[bytes, float]]:
        """The likeliest next tokens; empty when the server does not tell them."""
        try:
            answer = self._post(prompt, run, {"max_tokens": 1, "logprobs": True, "top_logprobs": TOP})
        except _RefusedError:
            return []
        try:
            top = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
            return [
                (
                    bytes(token["bytes"]) if token.get("bytes") else token["token"].encode(),
                    float(token["logprob"]),
                )
                for token in top
            ]
        except (KeyError, IndexError, TypeError):
            return []

    def _answer(self, prompt: Prompt, run: Run, request: dict[str, Any]) -> str:
        answer = self._post(prompt, run, request)
        try:
            return str(answer["choices"][0]["message"]["content"] or "")
        except (KeyError, IndexError, TypeError) as error:
            raise EngineError("the server's answer has no choices[0].message.content") from error

    def _post(self, prompt: Prompt, run: Run, request: dict[str, Any]) -> dict[str, Any]:
        with self._guarded():
            answer = self._http.post(
                "chat/completions", json=self._body(prompt, request), timeout=_timeout(run)
            )
            _check(answer)
            body = answer.json()
        if not isinstance(body, dict):
            raise EngineError(f"the server answered a JSON {type(body).__name__}, expected an object")
        return body

    def _stream(self, prompt: Prompt, run: Run, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        body = self._body(prompt, {"stream": True, **request})
        with (
            self._guarded(run),
            self._http.stream("POST", "chat/completions", json=body, timeout=_timeout(run)) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                answer.read()
            _check(answer)
            for line in answer.iter_lines():
                data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                if data == "[DONE]":
                    return
                if data:
                    chunk = json.loads(data)
                    if "error" in chunk:
                        raise EngineError("the server broke the answer off with an error")
                    yield chunk

    @contextlib.contextmanager
    def _guarded(self, run: Run | None = None) -> Iterator[None]:
        """Turns what can go wrong on the way into errors that say what to do."""
        try:
            yield
        except httpx.TimeoutException as error:
            if run is None or not run.text:
                raise EngineError(
                    f"the server at {self._http.base_url} did not answer within the time limit; "
                    "see whether it is overloaded, or raise KEFU_GENERATOR__TIMEOUT_S"
                ) from error
            run.stopped = "timeout"
        except httpx.HTTPError as error:
            raise EngineError(
                f"the server at {self._http.base_url} cannot be reached ({type(error).__name__}); "
                "check KEFU_GENERATOR__URL and that it runs"
            ) from error
        except json.JSONDecodeError as error:
            raise EngineError("the server answered something that is not JSON") from error


class _RefusedError(EngineError):
    """The server does not accept the request as it is (400 or 422)."""


def _timeout(run: Run) -> httpx.Timeout:
    left = max(0.001, run.left_s)
    return httpx.Timeout(left, connect=min(CONNECT_S, left))


def _check(answer: httpx.Response) -> None:
    """Raises for a status other than 200; never repeats the body, which may quote the prompt."""
    status = answer.status_code
    if status == httpx.codes.OK:
        return
    if status in (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE):
        after = answer.headers.get("retry-after", "")
        raise BusyError(
            f"the server is busy (status {status})", retry_after=float(after) if after.isdigit() else 5.0
        )
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise EngineError(f"the server refuses the key (status {status}); set KEFU_GENERATOR__API_KEY")
    if status == httpx.codes.NOT_FOUND:
        raise EngineError("the server knows no such address or model (status 404); check URL and model name")
    if status in (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY):
        raise _RefusedError(f"the server does not accept the request (status {status}); see its log")
    raise EngineError(f"the server failed (status {status}); see its log")


def _from_answer(answer: str, options: Sequence[str]) -> list[float]:
    named = [option for option in options if answer.strip().casefold().startswith(option.casefold())]
    if not named:
        return [-math.log(len(options))] * len(options)
    if len(options) == 1:
        return [math.log(1 - DOUBT)]
    best = max(named, key=len)
    rest = DOUBT / (len(options) - 1)
    return [math.log(1 - DOUBT) if option == best else math.log(rest) for option in options]
