"""Responses of a model to prompts, whatever engine gives them; none is asked for twice.

Engines are lm-evaluation-harness's: transformers, vLLM, a server that speaks OpenAI's protocol.
Every response is stored as it comes, in a scratch folder that is named after all that decides it
(weights, settings, code, packages, hardware), so that a run which was killed, or whose grading
changed, goes on with what is there. Several processes share the work through that folder.

Sampling is reproducible too: each response has a seed of its own, and with transformers in float32
neither batch nor process decides what it draws.
"""

import asyncio
import dataclasses
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass
from tqdm import tqdm  # type: ignore[import-untyped]

from mathledger.core.configuration import STRICT
from mathledger.core.errors import InputError
from mathledger.core.hashing import content_id
from mathledger.model.launch import Launch, barrier
from mathledger.run.tracking import is_main_process

Backend = Literal["hf", "vllm", "local-completions", "local-chat-completions"]


@dataclass(frozen=True, config=STRICT)
class Server:
    """For the backends local-completions and local-chat-completions."""

    base_url: str = Field(
        description="URL with the path, such as http://127.0.0.1:8000/v1/completions."
    )
    model: str | None = Field(
        description="Name under which the model is served; null: the folder, data/model/<model>."
    )
    max_retries: int = Field(
        description="Retries of a request that failed, after 1, 2, 4, ... half seconds."
    )
    timeout_s: int = Field(description="Seconds to wait for one response.")


@dataclass(frozen=True, config=STRICT)
class Vllm:
    tensor_parallel_size: int = Field(description="GPUs that share one copy of the model.")
    data_parallel_size: int = Field(description="Copies of the model.")
    gpu_memory_utilization: float = Field(description="Share of a GPU's memory that vLLM takes.")


@dataclass(frozen=True, config=STRICT)
class Params:
    launch: Launch = Field(description="How the processes are started.")
    backend: Backend = Field(
        description="What generates the responses, by lm-evaluation-harness's names."
    )
    batch_size: int = Field(description="Prompts at a time; for a server, requests at a time.")
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        description="auto: bfloat16 if the accelerator has it, else float32."
    )
    temperature: float = Field(description="0 decodes greedily.")
    top_p: float = Field(
        description="Sample from the most likely tokens that hold this share of the probability."
    )
    seed: int = Field(description="Seed from which the seeds of sampled responses are derived.")
    max_too_long_rate: float = Field(
        description="Share of items that may exceed the model's context; they count as wrong."
    )
    server: Server | None = Field(
        description=(
            "Settings of the backends local-completions and local-chat-completions; null for the "
            "others."
        ),
    )
    vllm: Vllm | None = Field(description="Settings of the backend vllm; null for the others.")

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError("temperature must not be negative, top_p is in (0, 1]")
        if self.launch.sharding != "none":
            raise ValueError("each process holds the whole model: choose launch python or ddp")


@dataclasses.dataclass(frozen=True)
class Limits:
    max_gen_toks: int
    until: list[str]  # texts that end a response, besides the model's own end of turn


@dataclasses.dataclass(frozen=True)
class Request:
    item_id: str
    repeat: int
    messages: list[dict[str, str]]
    prompt: str  # the messages as the chat template renders them
    prompt_ids: list[int]
    seed: int | None  # null: greedy


@dataclasses.dataclass(frozen=True)
class Response:
    text: str
    num_tokens: int  # the end of turn included
    finish_reason: str  # stop, or length: cut at max_gen_toks
    seconds: float  # of a batch, each response's share


Done = Callable[[list[tuple[Request, Response]]], None]


@dataclasses.dataclass(frozen=True)
class Engine:
    answer: Callable[[list[Request], Limits, Done], None]
    num_at_once: int | None  # requests that answer() takes; null: any number
    facts: dict[str, Any]  # for the lineage


def choose_dtype(wanted: str) -> str:
    """auto: bfloat16 where an accelerator has it, else float32."""
    import torch

    if wanted != "auto":
        return wanted
    return "bfloat16" if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "float32"


def open_engine(folder: Path, tokenizer: Any, settings: Params) -> Engine:
    """Load the model in a `from_pretrained` folder, or reach the server that serves it.

    Raises:
        InputError: the backend's own section is missing, or its package.
    """
    match settings.backend:
        case "hf":
            return _transformers(folder, tokenizer, settings)
        case "vllm":
            return _vllm(folder, settings)
        case _:
            return _server(folder, tokenizer, settings)


# --- Answering every request, once ----------------------------------------------------------------


def respond(
    engine: Engine, requests: list[Request], limits: Limits, folder: Path
) -> list[Response]:
    """The response to every request, in their order; only those not stored yet are generated.

    The longest prompts come first, so that batches are even and a lack of memory shows at once.
    """
    store = Store(folder)
    barrier()  # or one would share out what another has stored meanwhile
    keys = [_key(request, limits) for request in requests]
    missing = {
        key: request for key, request in zip(keys, requests, strict=True) if key not in store.found
    }
    if is_main_process() and store.found and len(missing) < len(set(keys)):
        print(f"{len(set(keys)) - len(missing)} of {len(set(keys))} responses are there already")
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    waiting = sorted(
        missing, key=lambda key: (-len(missing[key].prompt_ids), missing[key].item_id, key)
    )[rank::world]
    key_of = {id(missing[key]): key for key in waiting}
    with (
        store,
        tqdm(total=len(waiting), unit=" responses", disable=True if rank else None) as bar,
    ):
        started, num_tokens = time.monotonic(), 0

        def done(pairs: list[tuple[Request, Response]]) -> None:
            nonlocal num_tokens
            store.add([(key_of[id(request)], response) for request, response in pairs])
            num_tokens += sum(response.num_tokens for _, response in pairs)
            bar.set_postfix_str(f"{num_tokens / (time.monotonic() - started):.0f} tokens/s")
            bar.update(len(pairs))

        for batch in _batches(waiting, engine.num_at_once):
            engine.answer([missing[key] for key in batch], limits, done)
    barrier()  # each has stored its share
    store.read()
    return [store.found[key] for key in keys]


def _batches(keys: list[str], size: int | None) -> Iterator[list[str]]:
    iterator = iter(keys)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _key(request: Request, limits: Limits) -> str:
    """Names a response within its folder. Two items of the same text share a greedy one."""
    return content_id(
        request.prompt, str(request.seed), str(limits.max_gen_toks), json.dumps(limits.until)
    )


class Store:
    """The responses in a folder: a JSON line each, in one file for each process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.found: dict[str, Response] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.read()

    def read(self) -> None:
        """Look for responses; a line that a kill left torn does not count."""
        for path in sorted(self.folder.glob("responses-*.jsonl")):
            for line in path.read_bytes().splitlines():
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:
                    continue
                key = row.pop("key")
                self.found[key] = Response(**row)

    def __enter__(self) -> "Store":
        rank = os.environ.get("RANK", "0")
        self._file = (self.folder / f"responses-{rank}.jsonl").open("a", encoding="utf-8")
        if self._file.tell():
            self._file.write("\n")  # ends a torn line
        return self

    def add(self, pairs: list[tuple[str, Response]]) -> None:
        """Store responses for good: on the disk when this returns."""
        for key, response in pairs:
            self._file.write(json.dumps({"key": key, **dataclasses.asdict(response)}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __exit__(self, *_: object) -> None:
        self._file.close()


# --- transformers ---------------------------------------------------------------------------------


def seeded_sampling(seeds: list[int], temperature: float, top_p: float) -> Any:
    """Makes greedy decoding sample, each row from its own seed.

    The argmax of log-probabilities plus independent Gumbel noise is a sample of their distribution
    (Gumbel 1954; Maddison et al. 2014, arXiv 1411.0030). With a generator for each row, what a row
    draws does not depend on the others in the batch, as it would with torch.multinomial.
    """
    import torch
    from transformers import LogitsProcessor, TopPLogitsWarper

    class SeededSampling(LogitsProcessor):  # type: ignore[misc]
        def __init__(self) -> None:
            self.generators = [torch.Generator().manual_seed(seed) for seed in seeds]
            self.top_p = TopPLogitsWarper(top_p)

        def __call__(self, input_ids: Any, scores: Any) -> Any:
            scores = self.top_p(input_ids, scores.float() / temperature)
            noise = torch.stack(
                [
                    torch.empty(scores.shape[1]).exponential_(generator=generator)
                    for generator in self.generators
                ]
            )
            return scores - noise.log().to(scores.device)

    return SeededSampling()


def read_tokens(
    ids: list[int], end_ids: set[int], until: list[str], tokenizer: Any
) -> tuple[str, int, str]:
    """Text, number of tokens and finish reason of generated token ids, padding behind them."""
    end = next((at for at, token in enumerate(ids) if token in end_ids), None)
    ids = ids if end is None else ids[: end + 1]
    text = tokenizer.decode(ids, skip_special_tokens=True)
    cuts = [text.index(stop) for stop in until if stop in text]
    if not cuts:
        return text, len(ids), "length" if end is None else "stop"
    text = text[: min(cuts)]
    num_tokens = next(
        n
        for n in range(1, len(ids) + 1)
        if any(s in tokenizer.decode(ids[:n], skip_special_tokens=True) for s in until)
    )
    return text, num_tokens, "stop"


def _transformers(folder: Path, tokenizer: Any, settings: Params) -> Engine:
    import torch
    from lm_eval.models.huggingface import HFLM
    from transformers import GenerationConfig

    local_rank = os.environ.get("LOCAL_RANK", "0")
    lm = HFLM(
        pretrained=str(folder),
        tokenizer=tokenizer,
        dtype=choose_dtype(settings.dtype),
        device=f"cuda:{local_rank}" if torch.cuda.is_available() else "cpu",
        batch_size=settings.batch_size,
    )
    own = lm.model.generation_config.eos_token_id
    end_ids = {tokenizer.eos_token_id, *([own] if isinstance(own, int) else own or [])}
    # Without the model's own settings, as a repetition penalty: what is asked for here is all.
    config = GenerationConfig(
        do_sample=False, eos_token_id=sorted(end_ids), pad_token_id=tokenizer.pad_token_id
    )
    lm.model.generation_config = config

    def answer(requests: list[Request], limits: Limits, done: Done) -> None:
        started = time.monotonic()
        width = max(len(request.prompt_ids) for request in requests)
        ids = torch.full((len(requests), width), tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, request in enumerate(requests):
            ids[row, width - len(request.prompt_ids) :] = torch.tensor(request.prompt_ids)
            mask[row, width - len(request.prompt_ids) :] = 1
        seeds = [request.seed for request in requests if request.seed is not None]
        processors = [seeded_sampling(seeds, settings.temperature, settings.top_p)] if seeds else []
        with torch.inference_mode():
            output = lm._model_generate(
                context=ids.to(lm.device),
                attention_mask=mask.to(lm.device),
                max_length=width + limits.max_gen_toks,
                stop=limits.until,
                do_sample=False,
                logits_processor=processors,
            )
        seconds = (time.monotonic() - started) / len(requests)
        done(
            [
                (request, Response(*read_tokens(row, end_ids, limits.until, tokenizer), seconds))
                for request, row in zip(requests, output[:, width:].tolist(), strict=True)
            ]
        )

    dtype = str(lm.model.dtype).removeprefix("torch.")
    return Engine(answer, settings.batch_size, {"device": str(lm.device), "dtype": dtype})


# --- vLLM (not run on a GPU yet) ------------------------------------------------------------------


def _vllm(folder: Path, settings: Params) -> Engine:
    if settings.vllm is None:
        raise InputError("evaluate.vllm: missing; choose evaluate/vllm, or backend: hf")
    try:
        from lm_eval.models.vllm_causallms import VLLM
        from vllm import SamplingParams
    except ImportError as error:
        raise InputError(f"vLLM cannot be imported ({error}): pip install '.[vllm]'") from None

    dtype = choose_dtype(settings.dtype)
    lm = VLLM(
        pretrained=str(folder),
        dtype=dtype,
        tensor_parallel_size=settings.vllm.tensor_parallel_size,
        data_parallel_size=settings.vllm.data_parallel_size,
        gpu_memory_utilization=settings.vllm.gpu_memory_utilization,
        generation_config="vllm",  # without the model's own settings
    )

    def answer(requests: list[Request], limits: Limits, done: Done) -> None:
        started = time.monotonic()
        chosen = [
            SamplingParams(
                temperature=settings.temperature,
                top_p=settings.top_p,
                seed=request.seed,
                max_tokens=limits.max_gen_toks,
                stop=limits.until,
            )
            for request in requests
        ]
        outputs = lm._model_generate(
            [request.prompt_ids for request in requests], generate=True, sampling_params=chosen
        )
        seconds = (time.monotonic() - started) / len(requests)
        firsts = [output.outputs[0] for output in outputs]
        done(
            [
                (request, Response(one.text, len(one.token_ids), one.finish_reason, seconds))
                for request, one in zip(requests, firsts, strict=True)
            ]
        )

    facts = {"device": "cuda", "dtype": dtype, **dataclasses.asdict(settings.vllm)}
    return Engine(answer, settings.batch_size, facts)


# --- A server that speaks OpenAI's protocol -------------------------------------------------------


def _server(folder: Path, tokenizer: Any, settings: Params) -> Engine:
    if settings.server is None:
        raise InputError("evaluate.server: missing; choose evaluate=server")
    from aiohttp import ClientError, ClientResponseError, ClientSession, ClientTimeout
    from lm_eval.models.openai_completions import LocalChatCompletion, LocalCompletionsAPI
    from tenacity import retry, retry_if_exception, stop_after_attempt, wait_exponential

    server, is_chat = settings.server, settings.backend == "local-chat-completions"
    kind = LocalChatCompletion if is_chat else LocalCompletionsAPI

    class Whole(kind):  # type: ignore[misc, valid-type]
        """The harness sends text, and keeps of a reply its text alone."""

        def create_message(self, messages: Any, generate: bool = False) -> Any:
            return messages

        def parse_generations(self, outputs: Any, **_: Any) -> list[Any]:
            return [outputs]

    lm = Whole(
        base_url=server.base_url,
        model=server.model or str(folder),
        tokenizer_backend=None,
    )

    def may_pass(error: BaseException) -> bool:
        """Not where the server calls the request itself wrong."""
        if isinstance(error, ClientResponseError):
            return bool(error.status >= 500 or error.status in (408, 429))
        return isinstance(error, Exception)

    def read(reply: Any, seconds: float) -> Response:
        choice = reply["choices"][0]
        text = (choice["message"]["content"] if is_chat else choice["text"]) or ""
        counted = (reply.get("usage") or {}).get("completion_tokens")
        if counted is None:
            counted = len(tokenizer(text, add_special_tokens=False)["input_ids"])
        return Response(text, counted, choice["finish_reason"], seconds)

    async def ask_all(requests: list[Request], limits: Limits, done: Done) -> None:
        at_once = asyncio.Semaphore(settings.batch_size)
        failed: list[Exception] = []
        call = retry(
            retry=retry_if_exception(may_pass),
            stop=stop_after_attempt(1 + server.max_retries),
            wait=wait_exponential(multiplier=0.5, max=30),
            reraise=True,
        )(lm.amodel_call)

        async def ask(session: ClientSession, request: Request) -> None:
            wanted: dict[str, Any] = {
                "max_gen_toks": limits.max_gen_toks,
                "until": limits.until,
                "temperature": settings.temperature,
                "top_p": settings.top_p,
            }
            if request.seed is not None:
                wanted["seed"] = request.seed
            message: Any = request.messages if is_chat else request.prompt_ids
            async with at_once:
                if failed:  # those under way are waited for, none is begun
                    return
                started = time.monotonic()
                try:
                    (reply,) = await call(
                        session, asyncio.Semaphore(), message, gen_kwargs=wanted, eos=None
                    )
                    response = read(reply, time.monotonic() - started)
                except (ClientError, TimeoutError, LookupError, TypeError) as error:
                    failed.append(error)
                    return
            done([(request, response)])

        timeout = ClientTimeout(total=server.timeout_s)
        async with ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for request in requests:
                tasks.create_task(ask(session, request))
        if failed:
            raise InputError(
                f"{server.base_url}: {_said(failed[0])}; the responses so far are kept: see to the "
                "server, and run again to go on"
            )

    def answer(requests: list[Request], limits: Limits, done: Done) -> None:
        asyncio.run(ask_all(requests, limits, done))

    return Engine(answer, None, {"device": server.base_url, "dtype": "as served"})


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no response within evaluate.server.timeout_s"
    if isinstance(error, LookupError | TypeError):
        return f"the reply is not one of OpenAI's protocol ({error!r})"
    return str(error)
