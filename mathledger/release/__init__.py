"""Assemble the model's folder as it is published, and as a signature covers it.

It holds the files of the final model and of model_card/ side by side, and .eval_results/. The
ledger holds the digests of the responses and of everything upstream, so that one signature covers
the whole chain.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mathledger.chain.chain import Chain
from mathledger.chain.facts import is_private
from mathledger.core.errors import InputError
from mathledger.release import eval_results
from mathledger.release.measured import measured
from mathledger.run.params import final_model

CARD = "model_card"


@contextlib.contextmanager
def published(chain: Chain) -> Iterator[Path]:
    """Yield a folder of the published files, under their published names; large ones are links.

    The folder has the model's name from the card, which the signature records.

    Raises:
        InputError: a folder is missing, or two files have the same name.
    """
    root, settings = chain.at, chain.params
    model = f"data/model/{final_model(settings)}"
    for folder in (model, CARD):
        if not (root / folder).is_dir():
            raise InputError(f"{folder} is missing: run `dvc repro`, or `dvc pull`")
    with tempfile.TemporaryDirectory(prefix="mathledger-") as scratch:
        top = Path(scratch) / settings["model_card"]["name"]
        top.mkdir()
        for folder in (model, CARD):
            for path in sorted((root / folder).rglob("*")):
                if path.is_symlink() and not path.is_file():  # its files would not be signed
                    raise InputError(
                        f"{path.relative_to(root)} is a link to no file: replace or remove it"
                    )
                if not path.is_file():
                    continue
                name = path.relative_to(root / folder)
                link = top / name
                if link.is_symlink() or name.parts[0] == eval_results.FOLDER:
                    raise InputError(
                        f"{path.relative_to(root)}: another published file has this name: rename "
                        "or remove one"
                    )
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(path.resolve())
        private = {name for name in settings["benchmark"] if is_private(settings, name)}
        eval_results.write(top, chain.ledger, measured(chain, private))
        yield top
