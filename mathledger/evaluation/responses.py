"""Get a model's responses to prompts, and never generate one twice, with any engine.

Every response is stored as it arrives, in a scratch folder named by a digest of everything that
determines it (evaluation/store_key.py). If a run was killed or its grading changed, the next run
reuses the stored responses. Ranks share the work through this folder.
"""

import dataclasses
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm  # type: ignore[import-untyped]

from mathledger.core.hashing import content_id
from mathledger.evaluation.engines.engine import Engine, Limits, Request, Response, fault
from mathledger.model.launch import barrier


def respond(
    engine: Engine, requests: list[Request], limits: Limits, folder: Path
) -> list[Response]:
    """Return the responses in the order of the requests; generate only those not stored yet.

    The longest prompts come first, so that batches are even and a lack of memory shows early.
    """
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    store = Store(folder)
    barrier()  # all ranks must read the store before any rank writes to it
    keys = [_key(request, limits) for request in requests]
    stored = store.responses
    missing = {
        key: request for key, request in zip(keys, requests, strict=True) if key not in stored
    }
    if rank == 0 and stored and len(missing) < len(set(keys)):
        print(f"{len(set(keys)) - len(missing)} of {len(set(keys))} responses are already stored")
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
    barrier()  # wait until each rank has stored its share
    store.read()
    return [stored[key] for key in keys]


def _batches(keys: list[str], size: int | None) -> Iterator[list[str]]:
    iterator = iter(keys)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _key(request: Request, limits: Limits) -> str:
    """Return a response's key in its folder; items with the same text share a greedy response."""
    return content_id(
        request.prompt, str(request.seed), str(limits.max_gen_toks), json.dumps(limits.until)
    )


class Store:
    """A folder of responses, with one JSON Lines file for each rank."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.responses: dict[str, Response] = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.read()

    def read(self) -> None:
        """Read the responses of all ranks.

        A line that a kill left incomplete is skipped, and so is a response that no model can give;
        both are generated again.
        """
        for path in sorted(self.folder.glob("responses-*.jsonl")):
            for line in path.read_bytes().splitlines():
                try:
                    row = json.loads(line)
                    key = row.pop("key")
                    response = Response(**row)
                except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
                    continue
                if isinstance(key, str) and fault(response) is None:
                    self.responses[key] = response

    def __enter__(self) -> "Store":
        rank = os.environ.get("RANK", "0")
        self._file = (self.folder / f"responses-{rank}.jsonl").open("a", encoding="utf-8")
        if self._file.tell():
            self._file.write("\n")  # ends a line that a kill left incomplete
        return self

    def add(self, pairs: list[tuple[str, Response]]) -> None:
        """Store responses; they are synced to disk when this returns."""
        for key, response in pairs:
            self._file.write(json.dumps({"key": key, **dataclasses.asdict(response)}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __exit__(self, *_: object) -> None:
        self._file.close()
