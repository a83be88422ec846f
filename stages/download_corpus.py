"""Download one pinned training corpus, byte for byte.

Reads   conf: corpus.<corpus>.source
Writes  data/download_corpus/<corpus>/: the raw files and receipt.json (revision, licence, sha256)
"""

from pathlib import Path

from mathledger.core.errors import InputError
from mathledger.core.files import replacing, write_text
from mathledger.data import formats, hub, local, practice, receipts, sources
from mathledger.run import arguments, params
from mathledger.run.tracking import stage_run

OUT = Path("data/download_corpus")


def download(source: sources.CorpusSource, folder: Path) -> int:
    """Put the corpus's files into the folder and return the number of rows.

    Raises:
        InputError: A file is unavailable or damaged, does not match its pin, or has the wrong
            number of rows.
    """
    match source:
        case practice.PracticeCorpus():
            rows = practice.corpus_rows(source)
            write_text(folder / "train.jsonl", practice.as_lines(rows))
            return len(rows)
        case sources.HubDataset():
            paths = hub.fetch_hub(source, "dataset", folder)
        case sources.Local():
            paths = local.fetch_local(source, folder)
    if not (num_rows := sum(map(formats.count_rows, paths))):
        raise InputError(f"{', '.join(source.files)}: no rows; correct source.files in conf/")
    return num_rows


def main() -> None:
    corpus = arguments.only_item("download_corpus", "corpus", "corpus", __doc__)
    with stage_run("download_corpus", corpus) as run:
        source = params.load(f"corpus.{corpus}.source", sources.CorpusSource)
        with replacing(OUT / corpus) as folder:
            count = download(source, folder)
            receipt = receipts.write_receipt(folder, receipts.identity(source), count)
        run.log_metrics({"num_bytes": sum(file["bytes"] for file in receipt["files"].values())})
        print(
            f"{corpus}: {receipt['name']} at {receipt['revision']}, {len(receipt['files'])} file(s)"
        )


if __name__ == "__main__":
    main()
