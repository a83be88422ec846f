"""Run a public peer on the same input, with the interpreter of bench/peers.txt.

    PEERS/bin/python bench/peers.py versions
    PEERS/bin/python bench/peers.py near TOOL FOLDER OUTPUT
    PEERS/bin/python bench/peers.py pairs PAIRS.jsonl OUTPUT

versions  prints the versions of the installed peers, as JSON
near      reads parquet shards with the columns id (row number, as text) and text in FOLDER; writes
          the row numbers that the tool removes as near duplicates, as a JSON list
pairs     writes for each pair of query and ref whether datatrove's n-gram decontamination drops the
          query, as a JSON list

The benchmarks, which run in another environment, call `available` and `command`.

Every tool gets 128 hashes, token 3-grams and a Jaccard similarity of 0.8. Tools that remove rows
which share a bucket, without a comparison, get suitable bands: 16 bands of 8, or their own.
"""

import importlib.metadata
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

NUM_HASHES = 128
NGRAM_SIZE = 3
JACCARD = 0.8
WORKERS = 2
# Two of the tools need the caller to tokenize.
TOKEN = re.compile(r"\w+|[^\w\s]")


def available(python: Path, names: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return the versions of an environment's peers, and a note on the missing ones."""
    try:
        shown = subprocess.check_output([str(python), __file__, "versions"], text=True)
    except OSError as error:
        raise SystemExit(
            f"error: --peers {python}: {error.strerror}; see bench/README.md"
        ) from None
    found = {name: number for name, number in json.loads(shown).items() if name in names}
    missing = ", ".join(name for name in names if name not in found)
    if missing:
        print(f"not installed, left out: {missing} (bench/peers.txt)", file=sys.stderr)
    return f"; not installed, left out: {missing}" if missing else "", found


def command(python: Path, *arguments: str) -> list[str]:
    return [str(python), __file__, *arguments]


def versions() -> dict[str, str]:
    found = {}
    for name in NEAR:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def rows(folder: Path) -> Iterator[tuple[int, str]]:
    """Yield the row numbers and texts of all shards."""
    import pyarrow.parquet as pq

    for path in sorted(folder.glob("*.parquet")):
        table = pq.read_table(path, columns=["id", "text"])
        yield from zip(map(int, table["id"].to_pylist()), table["text"].to_pylist(), strict=True)


def shingles(text: str) -> list[str]:
    tokens = TOKEN.findall(text.lower())
    return [" ".join(tokens[i : i + NGRAM_SIZE]) for i in range(len(tokens) - NGRAM_SIZE + 1)]


def datatrove(folder: Path) -> list[int]:
    """Run its four MinHash steps with two workers and its default text normalisation."""
    from datatrove.executor import LocalPipelineExecutor  # type: ignore[import-not-found]
    from datatrove.pipeline.dedup import (  # type: ignore[import-not-found]
        MinhashConfig,
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import ParquetReader  # type: ignore[import-not-found]
    from datatrove.pipeline.writers import JsonlWriter  # type: ignore[import-not-found]

    config = MinhashConfig(n_grams=NGRAM_SIZE, num_buckets=16, hashes_per_bucket=8)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        signatures, buckets, clusters, removed = (
            str(scratch / step) for step in ("signatures", "buckets", "clusters", "removed")
        )
        reader = ParquetReader(str(folder), text_key="text", id_key="id")
        writer = JsonlWriter(removed, compression=None)
        steps = (
            ([reader, MinhashDedupSignature(signatures, config)], WORKERS),
            ([MinhashDedupBuckets(signatures, buckets, config=config)], config.num_buckets),
            ([MinhashDedupCluster(buckets, clusters, config=config)], 1),
            ([reader, MinhashDedupFilter(clusters, exclusion_writer=writer)], WORKERS),
        )
        for number, (pipeline, tasks) in enumerate(steps):
            logs = str(scratch / f"logs{number}")
            LocalPipelineExecutor(pipeline, tasks=tasks, workers=WORKERS, logging_dir=logs).run()
        return [
            int(json.loads(line)["id"])
            for path in Path(removed).glob("*.jsonl")
            for line in path.read_text(encoding="utf-8").splitlines()
        ]


def text_dedup(folder: Path) -> list[int]:
    """Run its MinHash command with two processes and its own bands for the threshold."""
    from datasets import load_from_disk

    with tempfile.TemporaryDirectory() as name:
        kept = str(Path(name) / "kept")
        command = [sys.executable, "-m", "text_dedup.minhash", "--path", "parquet"]
        command += ["--data_files", str(folder / "*.parquet"), "--split", "train"]
        command += ["--cache_dir", str(Path(name) / "cache"), "--output", kept, "--column", "text"]
        command += ["--ngram", str(NGRAM_SIZE), "--num_perm", str(NUM_HASHES)]
        command += ["--threshold", str(JACCARD), "--num_proc", str(WORKERS)]
        command += ["--batch_size", "10000"]
        subprocess.run(command, check=True)
        left = {int(number) for number in load_from_disk(kept)["id"]}
    return [number for number, _ in rows(folder) if number not in left]


def datasketch(folder: Path) -> list[int]:
    """Run MinHashLSH with its own bands for the threshold; the first of two matches stays."""
    from datasketch import MinHash, MinHashLSH  # type: ignore[import-not-found]

    index = MinHashLSH(threshold=JACCARD, num_perm=NUM_HASHES)
    removed = []
    for number, text in rows(folder):
        signature = MinHash(num_perm=NUM_HASHES)
        signature.update_batch([shingle.encode() for shingle in shingles(text)])
        if index.query(signature):
            removed.append(number)
        else:
            index.insert(number, signature)
    return removed


def rensa(folder: Path) -> list[int]:
    """Run R-MinHash over all tokens; its deduplicator checks the estimated similarity."""
    from rensa import RMinHashDeduplicator  # type: ignore[import-not-found]

    index = RMinHashDeduplicator(threshold=JACCARD, num_perm=NUM_HASHES, use_lsh=True)
    removed: list[int] = []
    batch: list[tuple[str, list[str]]] = []

    def add() -> None:
        flags = index.add_pairs(batch)
        removed.extend(int(key) for (key, _), kept in zip(batch, flags, strict=True) if not kept)
        batch.clear()

    for number, text in rows(folder):
        batch.append((str(number), shingles(text)))
        if len(batch) == 10_000:
            add()
    add()
    return removed


NEAR: dict[str, Callable[[Path], list[int]]] = {
    "datatrove": datatrove,
    "text-dedup": text_dedup,
    "datasketch": datasketch,
    "rensa": rensa,
}


def datatrove_pairs(path: Path) -> list[bool]:
    """Compare the n-gram indexer's own hashes of ref with those of query as a document.

    find_query_ngrams is on, because the default looks only at answers and would drop nothing here.
    The indexer's constructor needs lighteval, but only for predefined tasks, so its method gets a
    stand-in with the attributes that __init__ would set.
    """
    from datatrove.pipeline.decont.n_grams import (  # type: ignore[import-not-found]
        NGramsDecontConfig,
        NGramsDecontIndexer,
    )
    from datatrove.utils.hashing import create_hash_func  # type: ignore[import-not-found]
    from datatrove.utils.typeshelper import Languages  # type: ignore[import-not-found]
    from datatrove.utils.word_tokenizers import (  # type: ignore[import-not-found]
        load_word_tokenizer,
    )

    config = NGramsDecontConfig(find_query_ngrams=True)
    indexer = SimpleNamespace(
        config=config,
        tokenizer=load_word_tokenizer(Languages.english),
        hash_func=create_hash_func(config.hash_config),
    )
    flagged = []
    for line in path.read_text(encoding="utf-8").splitlines():
        pair = json.loads(line)
        item = NGramsDecontIndexer.compute_hashes(indexer, "", query=pair["ref"])
        document = NGramsDecontIndexer.compute_hashes(indexer, pair["query"])
        flagged.append(not set(item).isdisjoint(document))
    return flagged


def main() -> None:
    match sys.argv[1:]:
        case ["versions"]:
            print(json.dumps(versions()))
        case ["near", tool, folder, output] if tool in NEAR:
            Path(output).write_text(json.dumps(sorted(NEAR[tool](Path(folder)))))
        case ["pairs", pairs, output]:
            Path(output).write_text(json.dumps(datatrove_pairs(Path(pairs))))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
