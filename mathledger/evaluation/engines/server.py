"""Query a server that speaks OpenAI's protocol; lm-evaluation-harness writes the requests.

Nothing from the server is trusted: a reply is stored only if a model could have given it, and
core/http.py limits what it may cost.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathledger.core.errors import InputError
from mathledger.core.http import Answer, Endpoint, ServerError, api_key, ask_each
from mathledger.core.replies import ReplyError, max_bytes, read_reply
from mathledger.evaluation.engines.engine import Done, Engine, Limits, Request, Response, fault
from mathledger.evaluation.settings import Params, Server
from mathledger.model.conversations import spells_control
from mathledger.model.thinking import control_ids

SHOW_CONTROL = ("vllm", "sglang")  # software that can show control tokens in a completion
ALL_TOKENS = -1  # top_k of vLLM, SGLang and llama.cpp
MAX_STOPS = 4  # of OpenAI's chat protocol; the harness drops the others


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
        self._expect_possible(requests, limits)
        client = self._harness_client()

        def body(request: Request) -> Any:
            message: Any = request.messages if self.is_chat else request.prompt_ids
            return client._create_payload(
                message,
                generate=True,
                gen_kwargs=self._wanted(request, limits),
                seed=client._seed,
                eos=None,
            )

        try:
            ask_each(
                self._endpoint(limits),
                requests,
                body,
                lambda _, answer: self._response(answer, limits),
                lambda request, response: done([(request, response)]),
                self.settings.batch_size,
            )
        except ServerError as error:
            raise InputError(
                f"{self.server.base_url}: item {error.job.item_id}: {error}; the responses so far "
                "are kept: fix the server, then run again to continue"
            ) from None

    def _endpoint(self, limits: Limits) -> Endpoint:
        return Endpoint(
            self.server.base_url,
            self.server.timeout_s,
            max_bytes(limits.max_gen_toks),
            "evaluate.server",
            api_key("OPENAI_API_KEY"),
            self.server.max_retries,
        )

    def _response(self, answer: Answer, limits: Limits) -> Response:
        """Return the checked response that an answer holds."""
        reply = read_reply(answer.body, limits.max_gen_toks, is_chat=self.is_chat)
        counted = reply.num_tokens
        if counted is None and self.tokenizer is None:
            raise ReplyError("it has no usage.completion_tokens, and the tokenizer is not known")
        if counted is None:
            text = (reply.thinking or "") + reply.text
            counted = len(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        response = Response(
            reply.text,
            counted,
            reply.finish_reason,
            answer.seconds,
            reply.thinking,
            reply.num_thinking_tokens,
        )
        if problem := fault(response):
            raise ReplyError(problem)
        return response

    def _expect_possible(self, requests: list[Request], limits: Limits) -> None:
        """Raise InputError if this server cannot be asked for these responses."""
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
        """Return the harness's client, which knows the payload of either API."""
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
