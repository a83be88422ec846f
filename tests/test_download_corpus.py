"""Corpora arrive byte for byte despite failures; practice corpora contain what their labels say."""

import hashlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

from mathledger.core import configuration
from mathledger.core.errors import InputError
from mathledger.core.hashing import content_id, sha256
from mathledger.data import pins, practice, receipts, sources
from mathledger.data.local import fetch_local
from mathledger.run import params
from stages import download_corpus
from tests.conftest import Workspace, clean_environment
from tests.hub import Hub, commit_of, serve

SOURCE = practice.PracticeCorpus(
    kind="practice",
    schema="openmathinstruct2",
    licence="Apache-2.0",
    seed=100_000,
    tasks={"chain_sum": 20, "gsm_symbolic": 5},
    num_wrong_answers=2,
    leaks={"chain_sum": practice.Leak(seed=900_000, num_items=3)},
    copies=practice.Copies(seed=200_000, num_exact=2, num_near=1),
)


def test_two_downloads_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        download_corpus.download(SOURCE, tmp_path / name)
    assert (tmp_path / "one/train.jsonl").read_bytes() == (
        tmp_path / "two/train.jsonl"
    ).read_bytes()


def test_planted_rows_are_labelled_and_counted() -> None:
    assert Counter(row["problem_source"] for row in practice.corpus_rows(SOURCE)) == {
        "chain_sum": 20,
        "gsm_symbolic": 5,
        "planted_exact_copy": 2,
        "planted_leak": 3,
        "planted_near_copy": 1,
        "planted_wrong_answer": 2,
    }


def test_a_longer_corpus_starts_with_the_shorter_one() -> None:
    assert practice.problems("gsm_symbolic", 7, 9)[:4] == practice.problems("gsm_symbolic", 7, 4)


def test_worked_sums_are_right() -> None:
    for item in practice.problems("chain_sum", 31, 200):
        for line in item.solution.splitlines()[:-1]:
            left, right = line.split(" = ")
            assert eval(left) == int(right)
        assert item.solution.endswith(f"\\boxed{{{item.answer}}}.")


def test_committed_seeds_do_not_overlap() -> None:
    """A held-out item may equal a training problem by chance, never by construction."""
    content = params.read()
    ranges = {}
    for name, corpus in content["corpus"].items():
        source = corpus["source"]
        ranges[name] = (source["seed"], max(source["tasks"].values()))
    for name, benchmark in content["benchmark"].items():
        source = benchmark["source"]
        # Twins use the seed of their items and are checked against the items.
        if source["kind"] == "practice" and "twins_of" not in source:
            ranges[name] = (source["seed"], source["num_items"])
    taken = sorted(ranges.values())
    for (start, size), (following, _) in itertools.pairwise(taken):
        assert start + size <= following


def test_receipt_records_every_file(smoke: Workspace) -> None:
    for folder in sorted((smoke.path / "data/download_corpus").iterdir()):
        receipt = json.loads((folder / "receipt.json").read_text())
        assert receipt["kind"] == "practice" and "seed" in receipt["revision"]
        for name, file in receipt["files"].items():
            data = (folder / name).read_bytes()
            assert file == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        assert receipt["num_rows"] == len((folder / "train.jsonl").read_text().splitlines())


def test_a_local_file_with_other_bytes_is_refused(workspace: Workspace) -> None:
    mine = workspace.path / "mine.jsonl"
    mine.write_text('{"problem": "1+1", "solution": "\\\\boxed{2}"}\n')
    config = workspace.path / "conf/corpus/mine.yaml"
    config.write_text(
        "# @package corpus.mine\n"
        f"source: {{kind: local, licence: MIT, files: {{{mine}: '{'0' * 64}'}}}}\n"
        "mapping: {problem: problem, solution: solution, answer: null, source: null, "
        "messages: null}\nmix: {weight: 1.0, max_examples: null}\n"
    )
    workspace.run("git", "add", "conf")
    workspace.python("-m", "stages.params", "experiment=smoke", "corpus=[mine]")
    shown = workspace.repro("download_corpus@mine", ok=False)
    digest = hashlib.sha256(mine.read_bytes()).hexdigest()
    assert f"has sha256 {digest}, expected {'0' * 64}" in shown and "Traceback" not in shown

    config.write_text(config.read_text().replace("0" * 64, digest))
    workspace.python("-m", "stages.params", "experiment=smoke", "corpus=[mine]")
    workspace.repro("prepare@mine")
    kept = json.loads((workspace.path / "metrics/prepare/mine.json").read_text())
    assert kept["num_kept"] == 1

    renamed = mine.rename(mine.with_name("renamed.jsonl"))
    file = workspace.path / "params.yaml"
    file.write_text(file.read_text().replace(str(mine), str(renamed)))
    workspace.python("-m", "stages.download_corpus", "mine")  # Run by hand, so DVC clears nothing.
    receipt = json.loads((workspace.path / "data/download_corpus/mine/receipt.json").read_text())
    assert list(receipt["files"]) == ["renamed.jsonl"]

    workspace.python("-m", "stages.params", "experiment=smoke", "corpus=[mine]")
    shown = workspace.repro("--force", "--single-item", "download_corpus@mine", ok=False)
    assert f"there is no file {mine}" in shown


def test_identity_names_the_pinned_revision() -> None:
    assert receipts.identity(pinned("datasets/org/whole", {}))["revision"] == commit_of(
        "datasets/org/whole"
    )


BIG = "datasets/org/big/train.jsonl"
LINE = json.dumps({"problem": "1 + 1", "solution": "x" * 960}) + "\n"
NUM_LINES = 25_000  # More than two of the chunks that the client writes.


def pinned(
    repo: str, files: dict[str, str | None], num_rows: int = 3, revision: str | None = None
) -> sources.HubDataset:
    """Return a source in the test's hub; repo is datasets/org/name."""
    return sources.HubDataset(
        kind="hub",
        licence="MIT",
        repo=repo.removeprefix("datasets/"),
        revision=revision or commit_of(repo),
        split="train",
        num_rows=num_rows,
        files=files,
    )


# The client reads HF_ENDPOINT when it is imported, and in a test it is already imported.
URL = "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE"
FILE = "/{repo_id}/resolve/{revision}/{filename}"


def digest_of(hub: Hub, path: str) -> str:
    return hashlib.sha256((hub.folder / path).read_bytes()).hexdigest()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve org/whole: two files with three rows, one large (with a sha256) and one small."""
    root = tmp_path / "hub/datasets/org/whole"
    (root / "data").mkdir(parents=True)
    pq.write_table(pa.table({"problem": ["1 + 1", "2 + 2"]}), root / "data/a.parquet")
    (root / "b.jsonl").write_text('{"problem": "3 + 3"}\n')
    with serve(tmp_path / "hub") as hub:
        monkeypatch.setenv("DVC_ROOT", str(tmp_path))
        monkeypatch.setattr(URL, hub.url + FILE)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr("mathledger.data.hub.WAIT_SECONDS", (0, 0, 0))
        yield hub


LARGE, SMALL = "datasets/org/whole/data/a.parquet", "datasets/org/whole/b.jsonl"


def whole(hub: Hub) -> sources.HubDataset:
    return pinned("datasets/org/whole", {"data/a.parquet": None, "b.jsonl": digest_of(hub, SMALL)})


def test_files_come_whole_under_their_names_and_nothing_else(hub: Hub, tmp_path: Path) -> None:
    assert download_corpus.download(whole(hub), tmp_path / "out") == 3
    found = {path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*.*")}
    assert found == {Path("data/a.parquet"), Path("b.jsonl")}
    for name in found:
        assert sha256(tmp_path / "out" / name) == digest_of(hub, f"datasets/org/whole/{name}")
    assert not list((tmp_path / ".scratch/download").glob("*/*"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"revision": "1" * 40}, "org/whole has no commit 1111"),
        ({"repo": "datasets/org/none"}, "the hub has no dataset org/none, or it is private"),
        ({"files": {"data/z.parquet": None}}, "org/whole has no file data/z.parquet at"),
        ({"files": {"b.jsonl": None}}, "b.jsonl of org/whole .* the hub keeps none for it"),
        ({"files": {"b.jsonl": "0" * 64}}, "b.jsonl of org/whole .* expected 0000"),
        ({"files": {"data/a.parquet": "0" * 64}}, "data/a.parquet of org/whole .* expected 0000"),
        ({"files": {"data/a.parquet": None}}, "org/whole .* has 2 rows, expected 3"),
    ],
)
def test_a_wrong_pin_is_one_error_that_names_it(
    hub: Hub, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    fields = {"repo": "datasets/org/whole", "files": dict(whole(hub).files)} | changes
    with pytest.raises(InputError, match=message) as raised:
        download_corpus.download(pinned(**fields), tmp_path / "out")
    assert "\n" not in str(raised.value) and not (tmp_path / "out").exists()


def test_a_branch_is_not_a_revision() -> None:
    node = {"kind": "hub", "licence": "MIT", "repo": "a/b", "revision": "main", "split": "train"}
    with pytest.raises(InputError, match=r"x\.source\.revision: .* names move: .*got 'main'"):
        configuration.check(
            "corpus.x.source", node | {"num_rows": 1, "files": {}}, sources.CorpusSource
        )


def test_a_changed_large_file_is_refused_before_it_is_downloaded(hub: Hub, tmp_path: Path) -> None:
    source = pinned("datasets/org/whole", {"data/a.parquet": "0" * 64})
    with pytest.raises(InputError, match=f"has sha256 {digest_of(hub, LARGE)}, expected 0000"):
        download_corpus.download(source, tmp_path / "out")
    assert not hub.ranges


def test_wrong_bytes_are_refused_and_the_next_run_starts_afresh(hub: Hub, tmp_path: Path) -> None:
    hub.wrong_bytes.add(LARGE)
    with pytest.raises(InputError, match=r"a\.parquet of org/whole .* not the bytes that were"):
        download_corpus.download(whole(hub), tmp_path / "out")
    hub.wrong_bytes.clear()
    assert download_corpus.download(whole(hub), tmp_path / "out") == 3
    assert [first for name, first in hub.ranges if name == LARGE] == [0, 0]


@pytest.mark.parametrize("name", [LARGE, SMALL])
def test_no_more_bytes_are_kept_than_the_server_announced(
    hub: Hub, tmp_path: Path, name: str
) -> None:
    hub.extra_bytes[name] = 20_000_000
    with pytest.raises(InputError, match=r"of org/whole at .* sends more than the \d+ bytes"):
        download_corpus.download(whole(hub), tmp_path / "out")
    kept = [path.stat().st_size for path in (tmp_path / ".scratch").rglob("*.partial")]
    assert sum(kept) == 0
    hub.extra_bytes.clear()
    assert download_corpus.download(whole(hub), tmp_path / "out") == 3


@pytest.mark.parametrize("name", ["data/a.parquet", "b.jsonl"])
@pytest.mark.parametrize("is_link", [False, True])
def test_a_file_that_is_already_there_is_checked_under_its_own_digest(
    hub: Hub, tmp_path: Path, name: str, is_link: bool
) -> None:
    """It may be from a pin that has changed since, or be damaged."""
    source = whole(hub)
    key = content_id("dataset", source.repo, source.revision, *source.files)
    there = tmp_path / ".scratch/download" / key / name
    there.parent.mkdir(parents=True)
    if is_link:
        there.symlink_to(hub.folder / f"datasets/org/whole/{name}")
    else:
        there.write_bytes(bytes(100))
    assert download_corpus.download(source, tmp_path / "out") == 3
    found = tmp_path / "out" / name
    assert not found.is_symlink() and sha256(found) == digest_of(hub, f"datasets/org/whole/{name}")


def test_a_whole_file_that_is_already_there_is_not_downloaded_again(
    hub: Hub, tmp_path: Path
) -> None:
    wrong = pinned("datasets/org/whole", whole(hub).files, num_rows=4)
    with pytest.raises(InputError, match="has 3 rows, expected 4"):
        download_corpus.download(wrong, tmp_path / "out")
    assert download_corpus.download(whole(hub), tmp_path / "out") == 3
    assert len(hub.ranges) == 2


UNFIT_PATHS = [
    "../a",
    "a/../../b",
    "/etc/passwd",
    "",
    ".",
    "a//b",
    "a/",
    "./a",
    "..",
    "a\\b",
    "C:/a",
]
UNFIT_PATHS += ["a\n.jsonl", "a\x1b[2J", "a/\u202eb", "~/../a"]


@pytest.mark.parametrize("path", UNFIT_PATHS)
def test_a_path_that_leads_out_of_its_folder_is_refused(path: str) -> None:
    hub = {"kind": "hub", "licence": "MIT", "repo": "a/b", "revision": "0" * 40, "split": "train"}
    wheel = {"kind": "wheel", "licence": "MIT", "package": "a", "version": "1", "sha256": "0" * 64}
    for node, into in (
        (hub | {"num_rows": 1, "files": {path: None}}, sources.CorpusSource),
        (hub | {"kind": "hub", "files": {path: None}}, sources.ModelSource),
        (wheel | {"member": path}, sources.BenchmarkSource),
    ):
        if into is sources.ModelSource:
            node = {key: value for key, value in node.items() if key != "split"}
        with pytest.raises(InputError, match="not a relative path of plain names"):
            configuration.check("x.source", node, into)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        *(
            ({"repo": name}, "not a repository's name")
            for name in ("a/../b", "/a", "a/b/c", "-a/b")
        ),
        *(({"repo": name}, "not a repository's name") for name in ("a b/c", "a/b?c", "", "../..")),
    ],
)
def test_a_repository_needs_a_plain_name(change: dict[str, str], message: str) -> None:
    node = {"kind": "hub", "licence": "MIT", "repo": "a/b", "revision": "0" * 40, "files": {}}
    with pytest.raises(InputError, match=message):
        configuration.check("model.source", node | change, sources.ModelSource)


@pytest.mark.parametrize(
    "name", ["--index-url=http://x", "-r", "a b", "a;b", "../a.whl", "a[b]", ""]
)
def test_a_wheel_needs_a_plain_name(name: str) -> None:
    node = {"kind": "wheel", "licence": "MIT", "package": "a", "version": "1", "member": "a/b"}
    node["sha256"] = "0" * 64
    for key in ("package", "version"):
        with pytest.raises(InputError, match="not a package's name or version"):
            configuration.check("x.source", node | {key: name}, sources.BenchmarkSource)


def test_another_commit_than_the_one_asked_for_is_refused(hub: Hub, tmp_path: Path) -> None:
    hub.moved.add("datasets/org/whole")
    with pytest.raises(InputError, match="the server answers for commit"):
        download_corpus.download(whole(hub), tmp_path / "out")


def test_a_gated_repository_wants_a_token(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.gated.add("datasets/org/whole")
    with pytest.raises(InputError, match=r"org/whole is gated: accept its terms .* set HF_TOKEN"):
        download_corpus.download(whole(hub), tmp_path / "out")
    monkeypatch.setenv("HF_TOKEN", "hf_any")
    assert download_corpus.download(whole(hub), tmp_path / "out") == 3


def test_a_fault_of_the_server_that_passes_is_survived(hub: Hub, tmp_path: Path) -> None:
    hub.errors[LARGE] = 3
    assert download_corpus.download(whole(hub), tmp_path / "out") == 3


def test_a_fault_of_the_server_that_stays_is_an_error(hub: Hub, tmp_path: Path) -> None:
    hub.errors[LARGE] = 4
    with pytest.raises(InputError, match=r"could not download data/a\.parquet of .*500 Internal"):
        download_corpus.download(whole(hub), tmp_path / "out")
    assert hub.errors[LARGE] == 0


def test_a_hub_out_of_reach_is_an_error(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(URL, "http://127.0.0.1:9" + FILE)
    with pytest.raises(InputError, match=r"could not download .*check the network, then run again"):
        download_corpus.download(whole(hub), tmp_path / "out")


def test_offline_says_which_switch_to_turn(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set; unset it"):
        download_corpus.download(whole(hub), tmp_path / "out")


@pytest.fixture(scope="module")
def remote(
    start: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Workspace, Hub]]:
    """Return a workspace whose corpus `big` is on a hub, 25 MB in one file."""
    tmp_path = tmp_path_factory.mktemp("remote")
    workspace = start.copy(tmp_path / "project")
    path = tmp_path / "hub" / BIG
    path.parent.mkdir(parents=True)
    path.write_text(LINE * NUM_LINES)
    (workspace.path / "conf/corpus/big.yaml").write_text(
        "# @package corpus.big\n"
        "defaults: [{mapping: numinamath_cot}, _self_]\n"
        "source:\n"
        f"  {{kind: hub, licence: MIT, repo: org/big, revision: '{commit_of('datasets/org/big')}',"
        f" split: train, num_rows: {NUM_LINES}, files: {{train.jsonl: null}}}}\n"
        "mix: {weight: 1.0, max_examples: null}\n"
    )
    workspace.run("git", "add", "conf")
    workspace.python("-m", "stages.params", "experiment=smoke", "corpus=[big]")
    with serve(tmp_path / "hub") as hub:
        yield workspace, hub


STAGE = ("-m", "stages.download_corpus", "big")


@pytest.mark.fault("stage or DVC killed, interrupted or terminated")
def test_a_killed_download_goes_on_where_it_stopped(remote: tuple[Workspace, Hub]) -> None:
    """The first server is slow, and the second drops the connection once."""
    workspace, hub = remote
    hub.seconds_per_piece[BIG] = 0.05
    online = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
    process = workspace.popen("python", *STAGE, forks=True, **online)
    step = 10 * 1024**2  # Size of the chunks that the client writes.
    scratch = workspace.path / ".scratch/download"
    while not any(path.stat().st_size >= step for path in scratch.glob("*/train.jsonl.partial")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not (workspace.path / "data/download_corpus/big").exists()

    hub.cut_after[BIG] = 22 * 1024**2
    del hub.seconds_per_piece[BIG]
    workspace.python(*STAGE, **online)
    starts = [first for _, first in hub.ranges]
    assert starts in ([0, step, 2 * step], [0, 2 * step, 2 * step])
    receipt = json.loads((workspace.path / "data/download_corpus/big/receipt.json").read_text())
    assert receipt["split"] == "train" and receipt["num_rows"] == NUM_LINES
    assert receipt["files"] == {
        "train.jsonl": {"bytes": len(LINE) * NUM_LINES, "sha256": digest_of(hub, BIG)}
    }


@pytest.mark.fault("full disk")
def test_a_full_disk_is_one_line(remote: tuple[Workspace, Hub]) -> None:
    workspace, hub = remote
    folder = content_id("dataset", "org/big", commit_of("datasets/org/big"), "train.jsonl")
    partial = workspace.path / ".scratch/download" / folder / "train.jsonl.partial"
    partial.parent.mkdir(parents=True)
    partial.symlink_to("/dev/full")
    shown = workspace.python(*STAGE, ok=False, HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="0")
    assert "error: download_corpus@big: the disk is full" in shown and "Traceback" not in shown
    partial.unlink()


def test_pins_of_a_path_that_leads_out_of_its_folder_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The listing comes from a server, which may be hostile."""
    from huggingface_hub import RepoFile

    listed = [RepoFile(path="../../a.jsonl", size=1, oid="0" * 40)]
    monkeypatch.setattr("huggingface_hub.HfApi.list_repo_tree", lambda *_, **__: listed)
    with pytest.raises(InputError, match=r"org/whole has a file named '\.\./\.\./a\.jsonl'"):
        [*pins.hub_pins("org/whole", "0" * 40, "dataset", ["*"])]


def test_pins_are_printed_as_conf_wants_them(hub: Hub, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mathledger.data.pins"]
    environment = clean_environment() | {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}

    def shown(*arguments: str) -> Any:
        return subprocess.check_output([*command, *arguments], env=environment, text=True)

    assert OmegaConf.create(shown("dataset", "org/whole", "main")) == {
        "repo": "org/whole",
        "revision": commit_of("datasets/org/whole"),
        "files": {"b.jsonl": digest_of(hub, SMALL), "data/a.parquet": digest_of(hub, LARGE)},
    }
    folder = hub.folder / "datasets/org/whole/data"
    assert OmegaConf.create(shown("local", str(folder))) == {
        "files": {str(folder / "a.parquet"): digest_of(hub, LARGE)}
    }


def test_local_files_are_copied_under_their_names(tmp_path: Path) -> None:
    files = {}
    for name in ("one", "two"):
        path = tmp_path / f"{name}.jsonl"
        path.write_text(f'{{"problem": "{name}"}}\n')
        files[str(path)] = sha256(path)
    local = sources.Local(kind="local", licence="MIT", files=files)
    assert download_corpus.download(local, tmp_path / "out") == 2
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"one.jsonl", "two.jsonl"}


def test_a_relative_path_counts_from_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC runs a queued experiment in a folder of its own, and DVC_ROOT names the checkout."""
    (tmp_path / "checkout").mkdir()
    (tmp_path / "worker").mkdir()
    path = tmp_path / "checkout/mine.jsonl"
    path.write_text('{"problem": "1 + 1"}\n')
    monkeypatch.chdir(tmp_path / "worker")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "checkout"))
    for given in ("mine.jsonl", "./mine.jsonl", "../checkout/mine.jsonl", str(path)):
        local = sources.Local(kind="local", licence="MIT", files={given: sha256(path)})
        assert download_corpus.download(local, tmp_path / f"out{len(given)}") == 1
    gone = sources.Local(kind="local", licence="MIT", files={"gone.jsonl": "0" * 64})
    with pytest.raises(InputError, match=f"there is no file {tmp_path}/checkout/gone.jsonl"):
        download_corpus.download(gone, tmp_path / "out")


@pytest.mark.parametrize(
    ("given", "message"),
    [("~no_such_user/a.jsonl", "there is no such user"), ("folder", "there is no file .*folder")],
)
def test_a_path_that_leads_to_no_file_is_one_line(
    given: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "folder").mkdir()
    local = sources.Local(kind="local", licence="MIT", files={given: "0" * 64})
    with pytest.raises(InputError, match=message):
        fetch_local(local, tmp_path / "out")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_a_corpus_without_rows_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name == "a.parquet":
        pq.write_table(pa.table({"problem": pa.array([], pa.string())}), path)
    else:
        path.write_bytes(b"problem\n" if name == "a.csv" else b"\xef\xbb\xbf\n \n")
    local = sources.Local(kind="local", licence="MIT", files={str(path): sha256(path)})
    with pytest.raises(InputError, match=f"{name}: no rows"):
        download_corpus.download(local, tmp_path / "out")


def test_local_files_of_one_name_are_refused(tmp_path: Path) -> None:
    files = {str(tmp_path / name / "a.jsonl"): "0" * 64 for name in ("one", "two")}
    with pytest.raises(InputError, match=r"several files named a\.jsonl; rename them"):
        fetch_local(sources.Local(kind="local", licence="MIT", files=files), tmp_path)


def test_files_without_a_pin_are_refused() -> None:
    for files in (None, {}, {"a.jsonl": None}):
        node = {"kind": "local", "licence": "MIT", "files": files}
        with pytest.raises(InputError, match=r"pins local PATH` prints the lines"):
            configuration.check("corpus.x.source", node, sources.CorpusSource)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("problem\n1 + 1\n")
    local = sources.Local(kind="local", licence="MIT", files={str(path): sha256(path)})
    with pytest.raises(InputError, match=r"a\.txt is neither \.parquet, \.jsonl nor \.csv"):
        download_corpus.download(local, tmp_path / "out")
