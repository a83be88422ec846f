"""dvc.lock becomes typed records; a damaged one gives one line that names file and key."""

import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from mathledger.chain.chain import Chain
from mathledger.chain.lock import Out, parse_folder, parse_lock
from mathledger.core.errors import InputError

ENTRY: dict[str, Any] = {
    "cmd": "python -m stages.mix",
    "deps": [
        {"path": "data/decontaminate", "hash": "md5", "md5": "a.dir", "size": 7, "nfiles": 2},
        {"path": "https://example.org/list", "etag": "b"},
    ],
    "params": {"params.yaml": {"mix.seed": 1, "since": datetime.date(2024, 1, 2)}},
    "outs": [{"path": "data/mix", "hash": "md5", "md5": "c.dir", "size": 5, "nfiles": 1}],
}


def test_a_stage_is_read_with_its_files_and_params_and_others_are_not_looked_at() -> None:
    content = {"schema": "2.0", "stages": {"mix": ENTRY, "of_other_params": None}}
    (stage,) = parse_lock(content, ["mix", "train"], "dvc.lock").values()
    assert stage.cmd == ENTRY["cmd"] and stage.params == ENTRY["params"]["params.yaml"]
    assert stage.deps == {"data/decontaminate": Out("data/decontaminate", "a.dir", 7, 2)}
    assert stage.outs == {"data/mix": Out("data/mix", "c.dir", 5, 1)}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "dvc.lock: Input should be a valid dictionary"),
        ({"schema": "2.0"}, "dvc.lock: stages: missing key"),
        ({"stages": {"mix": None}}, "dvc.lock: stages.mix: Input should be"),
        ({"stages": {"mix": {}}}, "dvc.lock: stages.mix: cmd: missing key"),
        ({"stages": {"mix": {**ENTRY, "deps": 3}}}, "dvc.lock: stages.mix: deps: "),
        ({"stages": {"mix": {**ENTRY, "outs": [{}]}}}, "stages.mix: outs.0.path: missing key"),
    ],
)
def test_a_damaged_lock_is_one_line_with_file_and_key(content: Any, problem: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_lock(content, ["mix"], "dvc.lock")
    assert problem in str(refused.value) and "\n" not in str(refused.value)


def test_params_that_name_no_stages_are_one_line_with_file_and_key(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"stages": {}}))
    params = {"corpus": {}, "benchmark": 3, "models": ["base"]}  # Older commits say `models`.
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    with pytest.raises(InputError) as refused:
        _ = Chain("HEAD", None, tmp_path).stages
    assert str(refused.value) == (
        "params.yaml of HEAD: benchmark: Input should be a valid dictionary, got '3'; "
        "params.yaml of HEAD: reinforce: missing key"
    )


def test_a_folder_of_the_cache_is_read_and_a_damaged_one_is_one_line_with_file_and_key() -> None:
    listing = [{"md5": "a", "relpath": "b/c.parquet"}]
    assert parse_folder(listing, "a.dir") == {"b/c.parquet": "a"}
    for content, problem in (
        ([{"md5": "a"}], "a.dir: files.0.relpath: missing key"),
        ({}, "a.dir: files: Input should be a valid array, got '{}'"),
    ):
        with pytest.raises(InputError) as refused:
            parse_folder(content, "a.dir")
        assert str(refused.value) == problem


@pytest.mark.parametrize("md5", ["ab/etc/passwd", "ab../../x", "/x", "", ".dir", "a\n"])
def test_a_digest_names_no_file_outside_the_cache(md5: str) -> None:
    with pytest.raises(InputError, match=r"outs\.0\.md5"):
        parse_lock({"stages": {"mix": {**ENTRY, "outs": [{"path": "x", "md5": md5}]}}}, ["mix"], "")
    with pytest.raises(InputError, match=r"files\.0\.md5"):
        parse_folder([{"md5": md5, "relpath": "x"}], "")


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", ".."])
def test_a_file_of_a_folder_is_in_it(path: str) -> None:
    with pytest.raises(InputError, match=r"files\.0\.relpath: .*leads out of its folder"):
        parse_folder([{"md5": "a", "relpath": path}], "")
    assert parse_folder([{"md5": "a", "relpath": "..a/b..c"}], "") == {"..a/b..c": "a"}
