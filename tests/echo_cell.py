"""A cell of an evaluation for tests of DVC: `python -m tests.echo_cell MODEL OUT`."""

import sys
from pathlib import Path

from mathledger.core.configuration import check
from mathledger.evaluation import warm
from mathledger.evaluation.engines.engine import Limits, Request
from mathledger.evaluation.settings import Params
from mathledger.run.params import read
from tests.conftest import ROOT

if __name__ == "__main__":
    warm.SERVER, warm.MIN_BYTES = "tests.echo_server", 0
    model, out = sys.argv[1:]
    settings = check("evaluate", read(ROOT / "params.yaml")["evaluate"], Params)
    shared = warm.begin(Path(model), settings, f"key of {model}", 2)
    assert shared
    texts: list[str] = []
    request = Request("1", 0, [], "a", [1], None)
    shared.engine().answer(
        [request], Limits(8, []), lambda pairs: texts.extend(r.text for _, r in pairs)
    )
    Path(out).write_text(texts[0])
