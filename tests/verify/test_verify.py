"""`mathledger verify` accepts what the pipeline wrote and finds every byte changed later."""

import contextlib
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mathledger.card import statement
from mathledger.chain.chain import Chain
from mathledger.cli import main
from mathledger.core.errors import InputError
from mathledger.core.tables import write_rows
from mathledger.evaluation.part_probe import PART
from mathledger.evaluation.samples import SAMPLE
from mathledger.verify import commit, comparing, digests, records, results
from mathledger.verify.options import VerifyOptions
from mathledger.verify.project import Project, digests_of
from tests.conftest import Workspace

VERIFY = ("-m", "mathledger", "verify", "--overrides", "experiment=smoke")


def lines(output: str) -> dict[str, str]:
    """Return the verdict of each link and the text after it."""
    found: dict[str, str] = {}
    name = ""
    for line in output.splitlines():
        if line.startswith(("holds ", "new ", "broken ")):
            verdict, name, rest = line.split(None, 2)
            found[name] = f"{verdict} {rest}"
        elif line.startswith("      ") and name:
            found[name] += "\n" + line.strip()
    return found


def failed(output: str) -> set[str]:
    return {name for name, text in lines(output).items() if text.startswith("broken")}


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Project]:
    """Return the project at a path, as the links see it."""
    with contextlib.chdir(path):
        yield Project(Chain.open(), VerifyOptions(("experiment=smoke",)))


def flip(path: Path, at: int, bit: int) -> None:
    """Change one bit of a file; a link to the cache is replaced by a copy first."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.unlink()
    path.write_bytes(data)


def test_all_links_hold_on_what_the_pipeline_wrote(smoke: Workspace) -> None:
    output = smoke.python(*VERIFY, "--deep", "2")
    assert len(lines(output)) == 22 and not failed(output)
    assert "2 of 2 responses" in lines(output)["generation"]
    assert output.endswith("holds: all 22 links hold\n")


def test_a_changed_byte_of_any_file_of_the_lock_is_found_and_named(
    smoke: Workspace, tmp_path: Path
) -> None:
    shutil.copytree(smoke.path, tmp_path / "p", ignore=shutil.ignore_patterns("mlartifacts"))
    chance = random.Random(6)
    with opened(tmp_path / "p") as project:
        outs = [out for stage in project.chain.stages.values() for out in stage.outs.values()]
        deps = [dep for stage in project.chain.stages.values() for dep in stage.deps.values()]
        paths = {file for each in (*outs, *deps) for file in project.files_in(each.path)}
        paths = {path for path in paths if Path(path).stat().st_size}
        assert {"stages/train.py", "metrics/train.json", "model_card/README.md"} <= paths
        assert "data/model/tuned/model.safetensors" in paths
        for path in paths:
            flip(Path(path), chance.randrange(Path(path).stat().st_size), chance.randrange(8))
    with opened(tmp_path / "p") as project:
        found = "\n".join(digests.digests(project))
        # Files that only git holds are in folders whose files no lock lists.
        listed = {path for path in paths if not path.endswith(".gitignore")}
        assert not {path for path in listed if path not in found and "model_card/" not in path}
        assert "model_card" in found


def test_a_changed_bit_anywhere_in_the_lock_is_found(smoke_copy: Workspace) -> None:
    path = smoke_copy.path / "dvc.lock"
    whole = path.read_bytes()
    chance = random.Random(7)
    for _ in range(60):
        at, bit = chance.randrange(len(whole)), chance.randrange(8)
        flip(path, at, bit)
        try:
            with opened(smoke_copy.path) as project:
                assert any(records.lock(project)) or any(digests.digests(project)), (at, bit)
        except InputError:
            pass  # The lock is unreadable, which gives one line.
        path.write_bytes(whole)


@pytest.mark.parametrize("name", ["model_card/ledger.json", "model_card/README.md", "params.yaml"])
def test_a_changed_bit_anywhere_in_ledger_card_and_params_is_found(
    smoke_copy: Workspace, name: str
) -> None:
    path = smoke_copy.path / name
    whole = path.read_bytes()
    chance = random.Random(8)
    with opened(smoke_copy.path) as project:
        again = project.ledger_again  # From the original files.
    links = {
        "model_card/ledger.json": results.ledger,
        "model_card/README.md": results.card,
        "params.yaml": records.params,
    }
    for _ in range(25):
        at, bit = chance.randrange(len(whole)), chance.randrange(8)
        flip(path, at, bit)
        with opened(smoke_copy.path) as project:
            project.__dict__["ledger_again"] = again
            try:
                assert any(links[name](project)), (at, bit)
            except InputError as error:
                assert name in str(error)
        path.write_bytes(whole)


def test_a_tamperer_who_updates_all_digests_is_found_by_recomputing(
    smoke_copy: Workspace,
) -> None:
    """A verdict, a card's number and a training row change, and lock and git are adapted."""
    top = smoke_copy.path
    samples = top / "data/evaluate/tuned-tiny_chain_sum/samples.parquet"
    rows = pq.read_table(samples).to_pylist()
    rows[0]["verdict"], rows[0]["correct"] = "correct", True
    samples.unlink()
    write_rows(samples, rows, SAMPLE)
    answers = top / "data/probe/tuned/parts.parquet"
    asked = pq.read_table(answers).to_pylist()
    asked[0]["verdict"], asked[0]["correct"] = "correct", True
    answers.unlink()
    write_rows(answers, asked, PART)
    kept = top / "data/decontaminate/kept.parquet"
    table = pq.read_table(kept)
    item = pq.read_table(top / "data/download_benchmark/tiny_chain_sum/items.parquet").to_pylist()[
        0
    ]
    leak = table.to_pylist()
    leak[0]["problem"] = item["problem"]
    kept.unlink()
    write_rows(kept, leak, table.schema)
    card = top / "model_card/README.md"
    card.write_text(card.read_text().replace("## Scores", "It reaches 97.3% on AIME.\n\n## Scores"))
    smoke_copy.run("dvc", "commit", "--force")
    smoke_copy.run("git", "add", "--all")
    smoke_copy.run("git", "commit", "--quiet", "--message", "Better results")
    output = smoke_copy.python(*VERIFY, ok=False)
    found = lines(output)
    wrong = {"responses", "metrics", "parts", "ledger", "card", "canaries", "data"}
    assert wrong <= failed(output)
    assert not {"commit", "params", "lock", "digests"} & failed(output)
    assert f"row 0 (item_id {rows[0]['item_id']}): verdict is" in found["responses"]
    assert f"row 0 (id {asked[0]['id']}): correct differs" in found["parts"]
    assert "97.3 is not in the ledger" in found["card"]
    assert "kept.parquet: row" in found["canaries"] and item["id"] in found["canaries"]
    assert "kept.parquet: row 0" in found["data"]
    assert output.splitlines()[-1].startswith("broken: ")


def test_what_is_missing_is_named_with_the_remedy(smoke_copy: Workspace) -> None:
    shutil.rmtree(smoke_copy.path / "data/mix")
    (smoke_copy.path / "lineage/train.json").unlink()
    (smoke_copy.path / "metrics/train.json").unlink()
    with opened(smoke_copy.path) as project:
        found = list(digests.digests(project))
        assert found[0].startswith("data/mix, lineage/train.json, data/mix/validation.parquet are")
        assert found[0].endswith("missing: run `dvc pull`")
        assert "metrics/train.json is missing: run `git checkout metrics/train.json`" in found
        with pytest.raises(InputError, match=r"lineage/train.json is missing: .*`dvc pull`"):
            list(records.lineage(project))


def test_a_clone_without_data_is_asked_to_pull(
    smoke: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    smoke.run("git", "clone", "--quiet", str(smoke.path), str(tmp_path / "clone"))
    with contextlib.chdir(tmp_path / "clone"):
        assert main(["verify"]) == 2
    error = capsys.readouterr().err
    assert "run `dvc pull`" in error and error.count("\n") == 1


def test_a_file_that_no_stage_made_is_named(smoke_copy: Workspace) -> None:
    (smoke_copy.path / "data/model/tuned/extra.bin").write_bytes(b"x")
    (smoke_copy.path / "stages/extra.py").write_text("")
    with opened(smoke_copy.path) as project:
        assert any("was not made by any stage" in each for each in digests.digests(project))
        assert list(commit.commit(project)) == [
            "stages/extra.py is not in the commit: commit it, or remove it"
        ]


def test_an_uncommitted_change_is_found_though_its_time_and_size_are_the_old(
    smoke_copy: Workspace,
) -> None:
    import os

    path = smoke_copy.path / "Makefile"
    status = path.stat()
    flip(path, 10, 0)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with opened(smoke_copy.path) as project:
        assert list(commit.commit(project)) == [
            "Makefile differs from the commit: see `git diff Makefile`"
        ]


def test_history_that_is_gone_fails_and_a_shallow_clone_says_how_to_get_it(
    smoke_copy: Workspace, tmp_path: Path
) -> None:
    shallow = tmp_path / "shallow"
    smoke_copy.run(
        "git", "clone", "--quiet", "--depth=1", f"file://{smoke_copy.path}", str(shallow)
    )
    for folder in ("data", "lineage", ".dvc"):
        shutil.copytree(smoke_copy.path / folder, shallow / folder, dirs_exist_ok=True)
    with opened(shallow) as project:
        found = list(records.history(project))
        assert found and all("`git fetch --unshallow`" in each for each in found)
    smoke_copy.run("git", "checkout", "--quiet", "--orphan", "new")
    smoke_copy.run("git", "commit", "--quiet", "--message", "history rewritten")
    for name in ("refs/heads/main", "refs/heads/master"):
        smoke_copy.run("git", "update-ref", "-d", name)
    smoke_copy.run("git", "reflog", "expire", "--expire=now", "--all")
    smoke_copy.run("git", "gc", "--quiet", "--prune=now")
    with opened(smoke_copy.path) as project:
        found = list(records.history(project))
        assert found and all("history was rewritten" in each for each in found)


def test_params_that_are_not_confs_are_named(smoke: Workspace) -> None:
    with opened(smoke.path) as project:
        project.options = VerifyOptions()
        (text,) = records.params(project)
        assert "--overrides KEY=VALUE" in text


def test_the_ledgers_digest_is_of_what_it_says_not_of_how_it_is_written() -> None:
    assert statement.digest({"a": 1, "b": [1.0]}) == statement.digest({"b": [1], "a": 1})
    assert statement.digest({"a": 1}) != statement.digest({"a": 2})


def test_two_differences_of_json_are_named_by_their_place() -> None:
    old, new = {"a": [{"b": 1}], "c": 1}, {"a": [{"b": 2}], "d": 1}
    assert list(comparing.differences(old, new)) == [
        ("a.0.b", "1", "2"),
        ("c", "present", "missing"),
        ("d", "missing", "present"),
    ]
    assert list(comparing.differences({"a": 1, "b": 2}, {"b": 2, "a": 1}))
    assert list(comparing.differences([1], [1.0])) == [("0", "1", "1.0")]


def test_digests_are_those_of_hashlib_in_one_reading(tmp_path: Path) -> None:
    import hashlib

    data = random.Random(1).randbytes(3_000_001)
    (tmp_path / "f").write_bytes(data)
    found = digests_of(str(tmp_path / "f"), with_sha256=True)
    assert found.md5 == hashlib.md5(data).hexdigest()
    assert found.sha256 == hashlib.sha256(data).hexdigest()
    assert found.size == len(data)
