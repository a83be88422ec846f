"""A warm server for tests, whose engine needs no model: `python -m tests.echo_server FOLDER`.

The text of a prompt says what the engine does with it.
"""

import os
import sys
from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.evaluation import warm_server
from mathledger.evaluation.engines.engine import Done, Engine, Limits, Request, Response


def answer(requests: list[Request], limits: Limits, done: Done) -> None:
    for request in requests:
        match request.prompt:
            case "die":
                print("out of memory", file=sys.stderr, flush=True)
                os._exit(1)
            case "wrong":
                raise InputError("the item is wrong: fix it")
            case "full":
                raise OSError(28, "No space left on device")
        text = f"{request.prompt} {limits.max_gen_toks} {os.getpid()}"
        done([(request, Response(text, 1, "stop", 0.0))])


class Echo(warm_server.Server):
    def load(self) -> Engine:
        if "damaged" in self.model.name:
            raise InputError(f"cannot load the model in {self.model.name}")
        return Engine(answer, 2, "cpu", "float32", {"copies": 1})


if __name__ == "__main__":
    Echo(Path(sys.argv[1])).serve()
