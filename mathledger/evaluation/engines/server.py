"""Query a server that speaks OpenAI's protocol; lm-evaluation-harness writes the requests.

Nothing from the server is trusted: a reply is stored only if a model could have given it, prompts
go to no other address, and the size of a reply is limited.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.evaluation.engines.engine import Done, Engine, Limits, Request, Response, fault
from mathledger.evaluation.settings import Params, Server
from mathledger.model.conversations import spells_control
from mathledger.model.thinking import control_ids

SHOW_CONTROL = ("vllm", "sglang")  # software that can show control tokens in a completion
ALL_TOKENS = -1  # top_k of vLLM, SGLang and llama.cpp
MAX_STOPS = 4  # of OpenAI's chat protocol; the harness drops the others
MAX_REDIRECTS = 3
MAX_BYTES = 4 << 20, 256  # limit of a reply: this many, plus this many for each token


class ReplyError(Exception):
    """The server's reply is not one that a model can give; the message says why."""


def connect(folder: Path, tokenizer: Any, settings: Params) -> Engine:
    """Return an engine that queries the server of the model in a folder.

    Raises:
        InputError: the section `evaluate.server` is missing.
    """
    if settings.server is None:
        raise InputError("evaluate.server is missing: choose evaluate=server")
    client = Client(settings, settings.server, folder, tokenizer)
    return Engine(client.answer, None, settings.server.base_url, "as served")


@dataclass(frozen=True)
class Client:
    """A client that sends several requests at a time, and retries those that fail."""

    settings: Params
    server: Server
    folder: Path
    tokenizer: Any

    @property
    def is_chat(self) -> bool:
        return self.settings.backend == "local-chat-completions"

    def answer(self, requests: list[Request], limits: Limits, done: Done) -> None:
        """Send every request, and pass each response to `done`.

        Raises:
            InputError: a request failed; `done` has received the responses before it.
        """
        asyncio.run(self._ask_all(requests, limits, done))

    async def _ask_all(self, requests: list[Request], limits: Limits, done: Done) -> None:
        from aiohttp import ClientError, ClientSession, ClientTimeout
        from tenacity import retry, retry_if_exception, stop_after_attempt, wait_exponential

        self._expect_plain(requests)
        if not self.is_chat and self._has_marks() and self.server.software not in SHOW_CONTROL:
            raise InputError(
                "the model marks its thinking with control tokens, which the server leaves out: "
                "set evaluate.server.software to vllm or sglang, or evaluate.backend to "
                "local-chat-completions"
            )
        if self.is_chat and len(limits.until) > MAX_STOPS:
            raise InputError(
                f"a chat server takes {MAX_STOPS} stop texts, but task.until has "
                f"{len(limits.until)}: set evaluate.backend=local-completions"
            )
        at_once = asyncio.Semaphore(self.settings.batch_size)
        failed: list[str] = []
        client = self._harness_client()
        call = retry(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(1 + self.server.max_retries),
            wait=wait_exponential(multiplier=0.5, max=30),
            reraise=True,
        )(self._ask)

        async def ask(session: ClientSession, request: Request) -> None:
            async with at_once:
                if failed:  # after a failure, wait for open requests but send no new ones
                    return
                try:
                    response = await call(session, client, request, limits)
                except (ClientError, TimeoutError, OSError, ReplyError) as error:
                    failed.append(f"item {request.item_id}: {_reason(error)}")
                    return
            done([(request, response)])

        timeout = ClientTimeout(total=self.server.timeout_s)
        async with ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for request in requests:
                tasks.create_task(ask(session, request))
        if failed:
            raise InputError(
                f"{self.server.base_url}: {failed[0]}; the responses so far are kept: fix "
                "the server, then run again to continue"
            )

    async def _ask(self, session: Any, client: Any, request: Request, limits: Limits) -> Response:
        """Send one request, and return the checked response."""
        started = time.monotonic()
        message: Any = request.messages if self.is_chat else request.prompt_ids
        payload = client._create_payload(
            message,
            generate=True,
            gen_kwargs=self._wanted(request, limits),
            seed=client._seed,
            eos=None,
        )
        body = await _post(session, self.server.base_url, payload, client.header, limits)
        reply = read_reply(body, limits, is_chat=self.is_chat)
        counted = reply.num_tokens
        if counted is None and self.tokenizer is None:
            raise ReplyError("it has no usage.completion_tokens, and the tokenizer is not known")
        if counted is None:
            text = (reply.thinking or "") + reply.text
            counted = len(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        seconds = time.monotonic() - started
        response = Response(
            reply.text,
            counted,
            reply.finish_reason,
            seconds,
            reply.thinking,
            reply.num_thinking_tokens,
        )
        if problem := fault(response):
            raise ReplyError(problem)
        return response

    def _expect_plain(self, requests: list[Request]) -> None:
        """Raise InputError if a chat server would read a text as a control token.

        It renders the messages itself; local-completions gets our token ids. If only a model's
        server is known, its control tokens are not.
        """
        if not self.is_chat or self.tokenizer is None:
            return
        for request in requests:
            if any(spells_control(self.tokenizer, each["content"]) for each in request.messages):
                raise InputError(
                    f"item {request.item_id} spells a control token of the model, which a chat "
                    "server would read as one: set evaluate.backend=local-completions"
                )

    def _has_marks(self) -> bool:
        """Return True if the model marks its thinking with control tokens."""
        return self.tokenizer is not None and bool(control_ids(self.tokenizer))

    def _harness_client(self) -> Any:
        """Return the harness's client, which knows the payload and the key of either API."""
        from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI

        kind = LocalChatCompletion if self.is_chat else LocalCompletionsAPI
        model = self.server.model or str(self.folder)
        return kind(base_url=self.server.base_url, model=model, tokenizer_backend=None)

    def _wanted(self, request: Request, limits: Limits) -> dict[str, Any]:
        """Return the generation settings under the names of the harness or of the server."""
        settings = self.settings
        wanted: dict[str, Any] = {
            "max_gen_toks": limits.max_gen_toks,
            "until": list(limits.until),
            "temperature": settings.temperature,
            "top_p": settings.top_p,
        }
        if request.seed is not None:
            wanted["seed"] = request.seed
        if settings.presence_penalty != 0:
            wanted["presence_penalty"] = settings.presence_penalty
        return wanted | self._beyond_openai()

    def _beyond_openai(self) -> dict[str, Any]:
        """Return the settings that OpenAI's protocol lacks, under the server's names for them.

        Neutral values are sent as well, or the server would take those of the model's folder.
        """
        settings, software = self.settings, self.server.software
        if software is None:  # `Params` has refused values that are not neutral
            return {}
        wanted: dict[str, Any] = {
            "top_k": settings.top_k or ALL_TOKENS,
            "min_p": settings.min_p,
            "repetition_penalty": settings.repetition_penalty,
            "presence_penalty": settings.presence_penalty,
        }
        if software == "llama.cpp":
            wanted["repeat_penalty"] = wanted.pop("repetition_penalty")
            wanted["repeat_last_n"] = -1  # penalise all tokens, not the last 64
        if not self.is_chat and self._has_marks():
            wanted["skip_special_tokens"] = False
        if self.is_chat and settings.chat_template_kwargs:
            wanted["chat_template_kwargs"] = settings.chat_template_kwargs
        return wanted


async def _post(
    session: Any, url: str, payload: Any, header: dict[str, str], limits: Limits
) -> bytes:
    """Return the body of the answer; follow redirects only within the server."""
    from yarl import URL

    asked = URL(url)
    for _ in range(1 + MAX_REDIRECTS):
        async with session.post(
            asked, json=payload, headers=header, allow_redirects=False
        ) as answer:
            if answer.status not in (301, 302, 303, 307, 308):
                answer.raise_for_status()
                most = MAX_BYTES[0] + MAX_BYTES[1] * limits.max_gen_toks
                body = bytearray()
                async for chunk in answer.content.iter_chunked(1 << 16):
                    body += chunk
                    if len(body) > most:
                        raise ReplyError(f"it has more than {most:,} bytes")
                return bytes(body)
            try:
                to = asked.join(URL(answer.headers.get("Location", "")))
                is_same = to.origin() == asked.origin()
            except ValueError:  # no URL, or none with a host
                is_same, to = False, answer.headers.get("Location", "")
            if not is_same:
                raise ReplyError(f"it redirects to another server, {str(to)[:200]!r}")
            asked = to
    raise ReplyError(f"it redirects more than {MAX_REDIRECTS} times")


@dataclass(frozen=True)
class Reply:
    text: str
    num_tokens: int | None  # null if the server does not count them
    finish_reason: str
    thinking: str | None = None  # null unless the server gives it apart from the text
    num_thinking_tokens: int | None = None


def read_reply(body: bytes, limits: Limits, *, is_chat: bool) -> Reply:
    """Return what a reply says.

    Raises:
        ReplyError: the reply does not follow OpenAI's protocol, or has more tokens than asked for.
    """
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        raise ReplyError(f"it is not JSON: {body[:60]!r}") from None
    choices = _part(reply, "choices", list)
    if not choices:
        raise ReplyError("its choices are empty")
    choice = choices[0]
    holder, key = (_part(choice, "message", dict), "content") if is_chat else (choice, "text")
    text = _part(holder, key, str, or_null=True) or ""
    reason = _part(choice, "finish_reason", str)
    usage = reply["usage"] if reply.get("usage") is not None else {}
    counted = _part(usage, "completion_tokens", int, or_null=True)
    if counted is not None and counted > limits.max_gen_toks:
        raise ReplyError(f"it has {counted:,} tokens, but max_gen_toks is {limits.max_gen_toks:,}")
    thinking = _thinking(holder) if is_chat else None
    details = usage.get("completion_tokens_details")
    part = _part(details, "reasoning_tokens", int, or_null=True) if details is not None else None
    return Reply(text, counted, reason, thinking, None if thinking is None else part)


def _thinking(message: dict[str, Any]) -> str | None:
    """Return the thinking that a chat server gives apart from the answer.

    vLLM and SGLang call it reasoning_content, newer ones of them reasoning.
    """
    given = (_part(message, key, str, or_null=True) for key in ("reasoning", "reasoning_content"))
    return next((text for text in given if text), None)


def _part(tree: Any, key: str, kind: type, *, or_null: bool = False) -> Any:
    """Return a value of a reply, of the type that it must have."""
    found = tree.get(key) if isinstance(tree, dict) else None
    if type(found) is kind or (or_null and found is None and isinstance(tree, dict)):
        return found
    raise ReplyError(f"{key} is {json.dumps(found)[:60]}, not of type {kind.__name__}")


def _may_pass(error: BaseException) -> bool:
    """Return True if a retry may succeed: the server did not reject the request as wrong."""
    from aiohttp import ClientResponseError

    if isinstance(error, ClientResponseError):
        return bool(error.status >= 500 or error.status in (408, 429))
    return isinstance(error, Exception)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no response within evaluate.server.timeout_s"
    if isinstance(error, ReplyError):
        return f"the reply does not follow OpenAI's protocol: {error}"
    return " ".join(str(error).split()) or type(error).__name__
