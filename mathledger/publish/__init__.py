"""`mathledger publish`: write the folders for the hub, and upload them on request.

    FOLDER/model/    the repository of the model: weights, card, ledger, .eval_results/, signature
    FOLDER/results/  the repository of a dataset: every response with its verdict, one parquet file
                     for each model and benchmark, and a card

Both hold the numbers in other formats too (exports.py). The command refuses to publish if `verify`
fails, if the licence is unknown, or if any file holds a problem, solution or answer of a private
benchmark (private_texts.py). It writes the folder atomically.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mathledger import destination, release, terminal, verify
from mathledger.card.ledger import Benchmark, Ledger
from mathledger.card.outputs import Outputs
from mathledger.card.templating import environment
from mathledger.chain.chain import LEDGER, Chain
from mathledger.chain.facts import is_private
from mathledger.core.errors import InputError
from mathledger.core.escaping import Markdown
from mathledger.core.tables import read_rows
from mathledger.publish import exports, file_texts, private_texts
from mathledger.verify import options, statements
from mathledger.verify.options import VerifyOptions


def run(arguments: argparse.Namespace) -> int:
    """Verify, write the folder, and upload it if a name is given."""
    asked = VerifyOptions(options.overrides(arguments), signature=options.signature(arguments))
    chain = Chain.open()
    folder: Path = arguments.folder
    destination.check_new_folder(folder)
    if arguments.upload and not re.fullmatch(r"[\w.-]+/[\w.-]+", arguments.upload):
        raise InputError(f"--upload {arguments.upload} is not a repository: give ORG/NAME")
    refuse_unknown_licence(chain.ledger)
    if not verify.check_aloud(asked).holds:
        raise InputError("verification failed, so nothing was published: fix the links above")
    aside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    write_model(aside / "model", chain, arguments.signature)
    private = private_benchmarks(chain)
    write_results(aside / "results", chain, private)
    exports.write(aside, chain, private)
    refuse_private_texts(aside, private, public_texts(chain))
    aside.rename(folder)
    if not arguments.signature:
        print("not signed: make a signature with `mathledger attest`, and add it with --signature")
    if not chain.params["model_card"]["url"]:
        print("model_card.url is not set, so the card's links will be broken on the hub")
    print(terminal.printable(f"{folder}/model and {folder}/results are ready"))
    if arguments.upload:
        upload(folder, arguments.upload)
    return 0


def refuse_unknown_licence(ledger: Ledger) -> None:
    """Raise InputError if an input's licence is unknown, and with it the model's licence."""
    if ledger.licence is None:
        raise InputError(f"{LEDGER} has no licence: run `dvc repro model_card`")
    if unknown := ledger.licence.unknown:
        raise InputError(
            f"the licence of {', '.join(unknown)} is unknown, so the model's licence cannot be "
            "derived: set it in conf/ (source.licence), run `dvc repro`, and publish again"
        )


def private_benchmarks(chain: Chain) -> dict[str, list[dict[str, Any]]]:
    """Return all items of each private benchmark, evaluated or not, by name."""
    return {
        name: _items(chain, name)
        for name in chain.params["benchmark"]
        if is_private(chain.params, name)
    }


def public_texts(chain: Chain) -> Iterator[str]:
    """Yield the texts of all items of the public benchmarks."""
    for name in chain.params["benchmark"]:
        if not is_private(chain.params, name):
            for item in _items(chain, name):
                yield from (item[part] for part in private_texts.MIN_LETTERS if item[part])


def _items(chain: Chain, benchmark: str) -> list[dict[str, Any]]:
    outputs = Outputs(chain.at)
    everything = read_rows(outputs.benchmarks / benchmark / "all_items.parquet")
    return [*everything, *outputs.items(benchmark)]  # the latter have the mapped answers


def write_model(folder: Path, chain: Chain, signature: Path | None) -> None:
    """Write the files that `attest` signs, and the signature if there is one."""
    with release.published(chain) as links:
        shutil.copytree(links, folder)
    if signature:
        shutil.copyfile(signature, folder / "model.sig")


def write_results(folder: Path, chain: Chain, private: dict[str, Any]) -> None:
    """Write the responses to public benchmarks, and their card."""
    ledger, outputs = chain.ledger, Outputs(chain.at)
    folder.mkdir(parents=True, exist_ok=True)
    published = [entry for entry in ledger.benchmarks if entry.benchmark not in private]
    for entry in published:
        (folder / entry.benchmark).mkdir()
        for model in entry.models:
            source = outputs.samples(model, entry.benchmark)
            shutil.copyfile(source, folder / entry.benchmark / f"{model}.parquet")
    reproduced = [each for each in statements.read(chain) if each.is_about and not each.faults]
    for each in reproduced:
        (folder / each.folder).mkdir(parents=True)
        for file in statements.files(chain.at / each.folder):
            shutil.copyfile(file, folder / each.folder / file.name)
    card = results_card(ledger, published, sorted(private), reproduced)
    (folder / "README.md").write_text(card, encoding="utf-8")
    shutil.copyfile(chain.at / LEDGER, folder / "ledger.json")


def results_card(
    ledger: Ledger,
    published: list[Benchmark],
    private: list[str],
    reproduced: Sequence[statements.Seen] = (),
) -> str:
    """Return the card of the dataset, which lists its files and describes them.

    Args:
        published: the benchmarks with responses in the dataset.
        private: the names of the benchmarks that are left out.
        reproduced: the valid statements of people who reproduced these very results.
    """
    from huggingface_hub import DatasetCardData

    licence = ledger.licence
    data = DatasetCardData(
        license=licence.id if licence and licence.on_hub else "other",
        tags=["mathledger", "evaluation"],
        configs=[
            {
                "config_name": entry.benchmark,
                "data_files": [
                    {"split": model, "path": f"{entry.benchmark}/{model}.parquet"}
                    for model in entry.models
                ],
            }
            for entry in published
        ],
    )
    text = (
        environment("mathledger.publish", writes="markdown")
        .get_template("results.md.jinja")
        .render(
            front_matter=Markdown(data.to_yaml()),
            name=ledger.name,
            benchmarks=published,
            private=private,
            level=statements.highest(reproduced),
            reproduced=[each.line for each in reproduced],
        )
    )
    return str(text)


def refuse_private_texts(
    folder: Path, private: Mapping[str, list[dict[str, Any]]], public: Iterable[str] = ()
) -> None:
    """Delete the folder and raise InputError if a file holds the text of a private item.

    Args:
        private: the items of the private benchmarks, by name.
        public: the texts of the public benchmarks.
    """
    if not private:
        return
    search = private_texts.search(private, public)
    try:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            name = path.relative_to(folder).as_posix()
            for text in (name, *file_texts.texts(path)):
                if secret := search.find(text):
                    what = "text" if secret.part == "problem" else secret.part
                    raise InputError(
                        f"{name} holds the {what} of {secret.item}, which is private, so "
                        "nothing was published: remove the text, and publish again"
                    )
    except InputError:
        shutil.rmtree(folder)
        raise


def upload(folder: Path, name: str) -> None:
    """Upload both folders to the hub: the model as `name`, the results as `name-results`."""
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    for part, repo, kind in (("model", name, "model"), ("results", f"{name}-results", "dataset")):
        try:
            api.create_repo(repo, repo_type=kind, exist_ok=True)
            commit = api.upload_folder(
                folder_path=folder / part,
                repo_id=repo,
                repo_type=kind,
                commit_message="Publish verified results",
            )
        except (HfHubHTTPError, httpx2.HTTPError, OSError, ValueError) as error:
            raise InputError(
                f"{repo} could not be uploaded: {' '.join(str(error).split())}; {folder} is "
                "complete: log in with `hf auth login`, then upload it with `hf upload`"
            ) from None
        print(terminal.printable(f"{folder}/{part} -> {commit.commit_url}"), file=sys.stderr)
