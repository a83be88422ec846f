"""`mathledger publish`: the folders that go to the hub, and their upload when told to.

    FOLDER/model/    the final model's files, the card, the ledger, the signature: a model's
                     repository
    FOLDER/results/  every response with its verdict, a parquet file for each model and benchmark,
                     with a card: a dataset's repository

The command refuses to publish while `verify` fails, while the licence is not known, and if any file
holds a text of a private benchmark. The folder is written aside, then renamed.
"""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mathledger import signing, terminal, verify
from mathledger.card.ledger import Benchmark, Ledger
from mathledger.card.outputs import Outputs
from mathledger.chain.chain import LEDGER, Chain
from mathledger.chain.facts import is_private
from mathledger.core.errors import InputError
from mathledger.verify import options
from mathledger.verify.options import VerifyOptions

MIN_CHARS = 20  # a shorter problem, such as "2 + 2 =", may stand anywhere by chance
TEXTS = (".md", ".json", ".jsonl", ".html", ".csv", ".jinja", ".txt", ".yaml")


def run(arguments: argparse.Namespace) -> int:
    """Verify, write the folder, and upload it if a name is given."""
    asked = VerifyOptions(options.overrides(arguments), signature=options.signature(arguments))
    chain = Chain.open()
    folder: Path = arguments.folder
    if folder.exists():
        raise InputError(f"{folder} exists: name a new folder, or remove it")
    if not folder.parent.is_dir():
        raise InputError(f"there is no folder {folder.parent} to write into")
    if arguments.upload and not re.fullmatch(r"[\w.-]+/[\w.-]+", arguments.upload):
        raise InputError(f"--upload {arguments.upload}: ORG/NAME is wanted")
    refuse_unknown_licence(chain.ledger)
    if not verify.check_aloud(asked).holds:
        raise InputError("what does not verify is not published: see the links above")
    aside = folder.with_name(folder.name + ".partial")
    shutil.rmtree(aside, ignore_errors=True)
    write_model(aside / "model", chain, arguments.signature)
    private = private_benchmarks(chain)
    write_results(aside / "results", chain, private)
    refuse_private_texts(aside, private)
    aside.rename(folder)
    if not arguments.signature:
        print("not signed: `mathledger attest` makes a signature, --signature adds it")
    if not chain.params["model_card"]["url"]:
        print("model_card.url names no repository: the card's links lead nowhere from the hub")
    print(terminal.printable(f"{folder}/model and {folder}/results are ready"))
    if arguments.upload:
        upload(folder, arguments.upload)
    return 0


def refuse_unknown_licence(ledger: Ledger) -> None:
    """Refuse to publish while an input's licence is unknown.

    Raises:
        InputError: an input's licence is not known, so that nothing says what the model's is.
    """
    if ledger.licence is None:
        raise InputError(f"{LEDGER} says nothing of a licence: run `dvc repro model_card`")
    if unknown := ledger.licence.unknown:
        raise InputError(
            f"the licence of {', '.join(unknown)} is not known, so that the model's cannot be "
            "said: name it in conf/ (source.licence), run `dvc repro`, and publish then"
        )


def private_benchmarks(chain: Chain) -> dict[str, list[dict[str, Any]]]:
    """The items of each private benchmark, by its name."""
    outputs = Outputs(chain.at)
    return {
        name: outputs.items(name)
        for name in chain.params["benchmark"]
        if is_private(chain.params, name)
    }


def write_model(folder: Path, chain: Chain, signature: Path | None) -> None:
    """Write the files that `attest` signs, and the signature."""
    with signing.published(chain.params, chain.at) as links:
        shutil.copytree(links, folder)
    if signature:
        shutil.copyfile(signature, folder / "model.sig")


def write_results(folder: Path, chain: Chain, private: dict[str, Any]) -> None:
    """Write the responses to benchmarks that are not private, and their card."""
    ledger, outputs = chain.ledger, Outputs(chain.at)
    folder.mkdir(parents=True, exist_ok=True)
    published = [entry for entry in ledger.benchmarks if entry.benchmark not in private]
    for entry in published:
        (folder / entry.benchmark).mkdir()
        for model in entry.models:
            source = outputs.samples(model, entry.benchmark)
            shutil.copyfile(source, folder / entry.benchmark / f"{model}.parquet")
    card = results_card(ledger, published, sorted(private))
    (folder / "README.md").write_text(card, encoding="utf-8")
    shutil.copyfile(chain.at / LEDGER, folder / "ledger.json")


def results_card(ledger: Ledger, published: list[Benchmark], private: list[str]) -> str:
    """The card of the dataset: where its files are, and what they say.

    Args:
        published: the benchmarks whose responses are in it.
        private: the names of those that are left out.
    """
    import jinja2
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
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("mathledger.publish", ""),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # Markdown
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("results.md.jinja").render(
        front_matter=data.to_yaml(), name=ledger.name, benchmarks=published, private=private
    )
    return str(text)


def refuse_private_texts(folder: Path, private: dict[str, list[dict[str, Any]]]) -> None:
    """Refuse to publish a folder in which a file holds a private item's text.

    Args:
        private: what `private_benchmarks` gives.

    Raises:
        InputError: a file that would be published holds the problem of a private item.
    """
    secrets = {
        " ".join(item["problem"].split()): f"item {item['id']} of {name}"
        for name, items in private.items()
        for item in items
        if len(item["problem"]) >= MIN_CHARS
    }
    for path, text in published_texts(folder):
        for secret, item in secrets.items():
            if secret in text:
                shutil.rmtree(folder)
                raise InputError(
                    f"{path.relative_to(folder)} holds the text of {item}, which is private"
                )


def published_texts(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every text of every file, with runs of white space as one space."""
    from mathledger.core.tables import read_batches

    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        if path.suffix == ".parquet":
            for batch in read_batches(path):
                yield path, " ".join(json.dumps(batch.to_pylist(), ensure_ascii=False).split())
        elif path.suffix in TEXTS and path.name != "tokenizer.json":
            text = path.read_text(encoding="utf-8", errors="replace")
            yield path, " ".join(text.split())
            if path.suffix == ".json":
                yield path, " ".join(_strings(json.loads(text)))


def _strings(node: Any) -> Iterator[str]:
    """Yield the texts in a JSON value, unescaped, with runs of white space as one space."""
    if isinstance(node, dict):
        node = [*node.keys(), *node.values()]
    if isinstance(node, list):
        for each in node:
            yield from _strings(each)
    elif isinstance(node, str):
        yield " ".join(node.split())


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
                f"{repo} could not be uploaded: {' '.join(str(error).split())}; {folder} is whole: "
                "log in with `hf auth login`, and publish it again, or upload it with `hf upload`"
            ) from None
        print(terminal.printable(f"{folder}/{part} -> {commit.commit_url}"), file=sys.stderr)
