"""Query a server that speaks OpenAI's protocol, through lm-evaluation-harness."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.evaluation.engines.engine import Done, Engine, Limits, Request, Response
from mathledger.evaluation.settings import Params, Server


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

        at_once = asyncio.Semaphore(self.settings.batch_size)
        failed: list[Exception] = []
        call = retry(
            retry=retry_if_exception(_may_pass),
            stop=stop_after_attempt(1 + self.server.max_retries),
            wait=wait_exponential(multiplier=0.5, max=30),
            reraise=True,
        )(self._harness_client().amodel_call)

        async def ask(session: ClientSession, request: Request) -> None:
            wanted = self._wanted(request, limits)
            message: Any = request.messages if self.is_chat else request.prompt_ids
            async with at_once:
                if failed:  # after a failure, wait for open requests but send no new ones
                    return
                started = time.monotonic()
                try:
                    (reply,) = await call(
                        session, asyncio.Semaphore(), message, gen_kwargs=wanted, eos=None
                    )
                    response = self._read(reply, time.monotonic() - started)
                except (ClientError, TimeoutError, LookupError, TypeError) as error:
                    failed.append(error)
                    return
            done([(request, response)])

        timeout = ClientTimeout(total=self.server.timeout_s)
        async with ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for request in requests:
                tasks.create_task(ask(session, request))
        if failed:
            raise InputError(
                f"{self.server.base_url}: {_reason(failed[0])}; the responses so far are kept: fix "
                "the server, then run again to continue"
            )

    def _harness_client(self) -> Any:
        """Return the harness's client, changed to pass messages and replies through unchanged.

        The stock client sends text, and keeps only the text of a reply.
        """
        from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI

        kind = LocalChatCompletion if self.is_chat else LocalCompletionsAPI

        # The class is defined here because its base is known only at run time.
        class Whole(kind):  # type: ignore[misc, valid-type]
            def create_message(self, messages: Any, generate: bool = False) -> Any:
                return messages

            def parse_generations(self, outputs: Any, **_: Any) -> list[Any]:
                return [outputs]

        model = self.server.model or str(self.folder)
        return Whole(base_url=self.server.base_url, model=model, tokenizer_backend=None)

    def _wanted(self, request: Request, limits: Limits) -> dict[str, Any]:
        """Return the generation settings under the harness's names."""
        wanted: dict[str, Any] = {
            "max_gen_toks": limits.max_gen_toks,
            "until": limits.until,
            "temperature": self.settings.temperature,
            "top_p": self.settings.top_p,
        }
        return wanted if request.seed is None else wanted | {"seed": request.seed}

    def _read(self, reply: Any, seconds: float) -> Response:
        choice = reply["choices"][0]
        text = (choice["message"]["content"] if self.is_chat else choice["text"]) or ""
        counted = (reply.get("usage") or {}).get("completion_tokens")
        if counted is None:
            counted = len(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        return Response(text, counted, choice["finish_reason"], seconds)


def _may_pass(error: BaseException) -> bool:
    """Return True if a retry may succeed: the server did not reject the request as wrong."""
    from aiohttp import ClientResponseError

    if isinstance(error, ClientResponseError):
        return bool(error.status >= 500 or error.status in (408, 429))
    return isinstance(error, Exception)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no response within evaluate.server.timeout_s"
    if isinstance(error, LookupError | TypeError):
        return f"the reply does not follow OpenAI's protocol ({error!r})"
    return str(error)
