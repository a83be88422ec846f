"""Nothing in the project runs the code or reads the pickles of a model folder."""

import ast
from pathlib import Path

import pytest

LOADERS = {"AutoConfig", "AutoTokenizer", "AutoModelForCausalLM"}
LOADERS_OF_CODE = {*LOADERS, "HFLM", "VLLM", "SentenceTransformer"}


def calls(folder: str) -> list[tuple[str, str, dict[str, ast.expr]]]:
    """Return path, class and keywords of each call that loads a model by its folder."""
    found = []
    for path in sorted(Path(folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if not any(name in text for name in LOADERS_OF_CODE):
            continue  # Parsing every module takes a second.
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call):
                continue
            match node.func:
                case ast.Attribute(value=ast.Name(id=name), attr="from_pretrained"):
                    is_loader = name in LOADERS
                case ast.Name(id=name):
                    is_loader = name in LOADERS_OF_CODE
                case _:
                    continue
            if is_loader:
                keywords = {each.arg: each.value for each in node.keywords if each.arg}
                found.append((f"{path}:{node.lineno}", name, keywords))
    return found


@pytest.mark.parametrize("folder", ["mathledger", "stages"])
def test_every_load_says_that_no_code_is_run(folder: str) -> None:
    for where, _, keywords in calls(folder):
        value = keywords.get("trust_remote_code")
        assert isinstance(value, ast.Constant) and value.value is False, where


def test_every_load_of_weights_says_that_no_pickle_is_read() -> None:
    safe = {"use_safetensors", "gguf_file", "load_format"}
    weights = [
        each for each in calls("mathledger") if each[1] in ("AutoModelForCausalLM", "HFLM", "VLLM")
    ]
    assert len(weights) == 4
    for where, _, keywords in weights:
        assert safe & keywords.keys(), where
