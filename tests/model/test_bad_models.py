"""A model folder that cannot be trained is refused in one line, and runs no code on the way."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mathledger.core.errors import InputError
from mathledger.model import conversations
from mathledger.model.check import check_model
from tests.model.families import CHATML, FAMILIES, edit, make

pytestmark = pytest.mark.slow  # torch takes seconds to import
CODE = "open({!r}, 'w'); from transformers import LlamaConfig as C, LlamaForCausalLM as M\n"
AUTO_MAP = {"auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(FAMILIES[0], tmp_path_factory.mktemp("bad") / "model")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def one_file(folder: Path) -> Path:
    """Store the weights in one file instead of several."""
    from safetensors.numpy import load_file, save_file

    tensors = {}
    for path in sorted(folder.glob("model-*.safetensors")):
        tensors |= load_file(path)
        path.unlink()
    (folder / "model.safetensors.index.json").unlink()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return folder / "model.safetensors"


def change_weights(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    from safetensors.numpy import load_file, save_file

    path = one_file(folder)
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, {"format": "pt"})


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.path),)


def pickled(folder: Path) -> None:
    one_file(folder).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(folder / "PWNED")))


def code(folder: Path, **config: Any) -> None:
    (folder / "evil.py").write_text(CODE.format(str(folder / "PWNED")))
    edit(folder, "config.json", lambda c: c.update(AUTO_MAP, **config))


def tokenizer_code(folder: Path) -> None:
    (folder / "evil.py").write_text(CODE.format(str(folder / "PWNED")))
    auto_map = {"AutoTokenizer": [None, "evil.T"]}
    edit(
        folder,
        "tokenizer_config.json",
        lambda c: c.update(auto_map=auto_map, tokenizer_class="EvilTokenizer"),
    )


def adapter(folder: Path) -> None:
    one_file(folder).unlink()
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "/elsewhere"}')


def adapter_beside(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "/elsewhere"}')


def index(name: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        shutil.copy(next(folder.glob("model-*")), folder.parent / "elsewhere.safetensors")
        edit(
            folder,
            "model.safetensors.index.json",
            lambda c: c["weight_map"].update({next(iter(c["weight_map"])): name}),
        )

    return change


def truncated(folder: Path) -> None:
    path = one_file(folder)
    path.write_bytes(path.read_bytes()[:-100])


def cut_header(folder: Path) -> None:
    path = one_file(folder)
    path.write_bytes(path.read_bytes()[:100])


def template(text: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / "chat_template.jinja").write_text(text)


def config(**values: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder, "config.json", lambda c: c.update(values))


def tokens(**values: Any) -> Callable[[Path], None]:
    return lambda folder: edit(folder, "tokenizer_config.json", lambda c: c.update(values))


def as_type(name: str) -> Callable[[Path], None]:
    def change(tensors: dict[str, Any]) -> None:
        first = next(each for each in tensors if each.endswith("q_proj.weight"))
        tensors[first] = tensors[first].astype(name)

    return lambda folder: change_weights(folder, change)


def infinite(tensors: dict[str, Any]) -> None:
    tensors["model.norm.weight"][0] = float("nan")


def wide(tensors: dict[str, Any]) -> None:
    tensors["model.norm.weight"] = tensors["model.norm.weight"].repeat(2)


def write(name: str, text: str) -> Callable[[Path], Any]:
    return lambda folder: (folder / name).write_text(text)


def more_tokens(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        last = max(token["id"] for token in content["added_tokens"])
        extra = dict(content["added_tokens"][-1], id=last + 1, content="[X]", special=False)
        content["added_tokens"].append(extra)

    edit(folder, "tokenizer.json", change)


def no_digits(folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["normalizer"] = {"type": "Replace", "pattern": {"Regex": "[0-9]"}, "content": "0"}

    edit(folder, "tokenizer.json", change)


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), "config.json is missing"),
    "config is not JSON": (write("config.json", "{"), "config.json is not valid JSON"),
    "config is not an object": (
        write("config.json", "[]"),
        "must hold an object, got list",
    ),
    "config is deep": (write("config.json", "[" * 10**5), "config.json is not valid JSON"),
    "config without type": (write("config.json", "{}"), "has no model_type"),
    "unknown architecture": (config(model_type="mamba9"), r"model_type mamba9\): .*mamba9"),
    "not causal": (config(model_type="vit"), r"model_type vit\): "),
    "wrong value": (config(hidden_size="wide"), r"model_type llama\): "),
    "heads do not divide": (config(num_attention_heads=3), "model_type llama"),
    "other width": (config(hidden_size=32), "model_type llama"),
    "more layers": (config(num_hidden_layers=2), "lacks 9 weights of a LlamaForCausalLM"),
    "quantised": (
        config(quantization_config={"bits": 4}),
        "has a quantization_config",
    ),
    "code": (lambda f: code(f, model_type="evil"), "names code of its own .* never run"),
    "code of a tokenizer": (tokenizer_code, "names code of its own|cannot load a tokenizer"),
    "pickled weights": (pickled, "holds pickled weights"),
    "other weights": (
        lambda f: (
            config(transformers_weights="adapter_model.bin")(f),
            (f / "adapter_model.bin").write_bytes(pickle.dumps(Evil(f / "PWNED"))),
        ),
        "names other weights",
    ),
    "no weights": (lambda f: one_file(f).unlink(), "has neither model.safetensors nor"),
    "truncated weights": (truncated, "model.safetensors is damaged"),
    "cut header": (cut_header, "model.safetensors is damaged"),
    "empty weights": (lambda f: one_file(f).write_bytes(b""), "model.safetensors is damaged"),
    "weights are text": (lambda f: one_file(f).write_text("version: git-lfs"), "is damaged"),
    "int8 weights": (as_type("int8"), "has the type I8"),
    "float8 weights": (as_type("uint8"), "has the type U8"),
    "nan weights": (lambda f: change_weights(f, infinite), "norm.weight has values that are"),
    "wide weights": (lambda f: change_weights(f, wide), "model_type llama"),
    "lost weights": (
        lambda f: change_weights(f, lambda t: t.pop("lm_head.weight")),
        "lacks 1 weig",
    ),
    "lost shard": (lambda f: min(f.glob("model-*")).unlink(), "list every file that"),
    "index leads up": (index("../elsewhere.safetensors"), "names '../elsewhere.safetensors'"),
    "index leads away": (index("/etc/passwd"), "names '/etc/passwd'"),
    "index leads inside": (index("sub/a.safetensors"), "names 'sub/a.safetensors'"),
    "index of Windows": (index("..\\a.safetensors"), "which is not a file of this folder"),
    "index of pickles": (index("pytorch_model.bin"), "pin the model's safetensors files"),
    "index of numbers": (index(3), "names 3, which is not a file"),
    "index without map": (write("model.safetensors.index.json", "{}"), "has no weight_map"),
    "adapter alone": (adapter, "holds an adapter .* merge the adapter"),
    "adapter next to": (adapter_beside, "holds an adapter"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "tokenizer.json is missing"),
    "damaged tokenizer": (write("tokenizer.json", "{}"), "cannot load a tokenizer"),
    "tokenizer loses digits": (no_digits, "keeps digits and signs"),
    "too many tokens": (more_tokens, r"1 tokens without an embedding, such as '\[X\]'"),
    "small embedding": (config(vocab_size=200), "59 tokens without an embedding"),
    "no padding token": (tokens(pad_token=None), "has no padding token"),
    "no end of turn": (tokens(eos_token=None), "has no eos_token"),
    "end of turn elsewhere": (
        lambda f: (tokens(eos_token="<|endoftext|>")(f), (f / "generation_config.json").unlink()),
        r"'<\|endoftext\|>' 0 times",
    ),
    "no template": (lambda f: (f / "chat_template.jinja").unlink(), "has no chat template"),
    "empty template": (template(""), "has no chat template"),
    "template of syntax": (template("{% for m in %}"), "the chat template .* fails"),
    "template of errors": (template("{{ messages[7].content }}"), "the chat template .* fails"),
    "template of types": (template("{{ 1 + 'a' }}"), "the chat template .* fails"),
    "template of memory": (template("{{ 'a' * 10**14 }}"), "the chat template .* fails"),
    "template of copies": (
        template("{% for n in range(10**5) %}{{ 'a' * 10**6 }}{% endfor %}"),
        "the chat template .* fails",
    ),
    "template of loops": (
        template("{% for n in range(10**5) if range(10**5) | sum == 1 %}{% endfor %}" + CHATML),
        "the chat template .* has not ended",
    ),
    "template of powers": (template("{{ 10**(10**10) }}"), "the chat template .* has not ended"),
    "template of late loops": (
        template(
            "{% if thinking %}{% for n in range(10**5) if range(10**5) | sum == 1 %}{% endfor %}"
            "{% endif %}" + CHATML
        ),
        "the chat template .* has not ended",
    ),
    "template of a switch": (
        template("{% if thinking %}{{ raise_exception('no') }}{% endif %}" + CHATML),
        "the chat template .* no",
    ),
    "template of division": (template("{{ 1 / 0 }}"), "the chat template .* fails"),
    "template of recursion": (
        template("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}"),
        "the chat template .* fails",
    ),
    "template of refusals": (template("{{ raise_exception('no') }}"), "the chat template .* no"),
    "template of attacks": (template("{{ ''.__class__.__mro__ }}"), "the chat template .* fails"),
    "template is constant": (template("Hello<|im_end|>"), "leaves out the user's text"),
    "template of users": (
        template(CHATML.replace("{{ m.content }}", "{{ m.content if m.role == 'user' }}")),
        "leaves out a part of the answer",
    ),
    "template without end": (template(CHATML.replace("<|im_end|>", "")), r"'<\|im_end\|>' 0 times"),
    "template with two ends": (template(CHATML + "<|im_end|>"), "renders the prompt differently"),
    "two ends of a turn": (
        template(CHATML.replace("<|im_end|>", "<|im_end|><|im_end|>")),
        r"'<\|im_end\|>' 2 times",
    ),
    "template of chance": (
        template(CHATML + "{{ range(10**5) | random if add_generation_prompt }}"),
        "renders another prompt on another day|renders the prompt differently",
    ),
    "template of the clock": (
        template("{% set f = '%d %H' %}{{ strftime_now(f) }}" + CHATML),
        "renders another prompt on another day",
    ),
    "two beginnings": (
        lambda f: (
            tokens(bos_token="<|endoftext|>")(f),
            template("{{ bos_token }}{{ bos_token }}" + CHATML)(f),
        ),
        "begins a prompt with 2",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_model_is_refused_in_one_line(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is asked whether to run code, and no code is run."""
    change, message = BAD[name]
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    monkeypatch.setattr(conversations, "SECONDS", (0.5, 0.1))
    change(folder)
    with pytest.raises(InputError, match=message) as caught:
        check_model(folder)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 700 and str(folder) in text
    assert not (folder / "PWNED").exists()


def test_enough_bad_models_are_tried() -> None:
    assert len(BAD) >= 50


def test_a_known_model_that_names_code_is_loaded_without_it(folder: Path) -> None:
    """The configs forget the code, so that a tuned model does not ask its users to run it."""
    code(folder)
    told = check_model(folder)
    assert "no longer name code" in told["chat_template"]["changes"][0]
    assert "auto_map" not in json.loads((folder / "config.json").read_text())
    assert not (folder / "PWNED").exists()


SETTINGS = [
    {"temperature": 0.9, "top_p": 0.6},
    {"top_k": 5},
    {"num_beams": 1, "early_stopping": True},
    {"max_new_tokens": -3},
    {"early_stopping": "often"},
    {"cache_implementation": "none such"},
    {"typical_p": 0.5, "eta_cutoff": 0.1},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=json.dumps)
def test_generation_settings_that_cannot_be_saved_are_repaired_or_dropped(
    folder: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    """Training changes the padding token in them, so transformers refuses to save the others."""
    from transformers.trainer_utils import align_special_tokens

    from mathledger.model import prompts
    from mathledger.training import models

    written = json.dumps({"eos_token_id": [258, 257], **settings})
    (folder / "generation_config.json").write_text(written)
    unreadable = settings.keys() & {"early_stopping", "max_new_tokens", "cache_implementation"}
    model = None if unreadable else models.load_model(folder, None, "sdpa")
    told = check_model(folder)
    (change,) = told["chat_template"]["changes"]
    assert change.startswith("generation_config.json")
    for loaded in (model, models.load_model(folder, None, "sdpa")):
        if loaded is not None:
            align_special_tokens(loaded, prompts.load_tokenizer(folder))
            loaded.generation_config.max_length = 7
            loaded.save_pretrained(tmp_path / "saved")


def test_good_generation_settings_stay(folder: Path) -> None:
    settings = {"do_sample": True, "eos_token_id": [258, 256], "temperature": 0.6, "top_p": 0.95}
    text = json.dumps(settings)
    (folder / "generation_config.json").write_text(text)
    assert check_model(folder)["chat_template"]["changes"] == []
    assert (folder / "generation_config.json").read_text() == text


def test_a_pickle_next_to_safetensors_is_never_read(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Evil(folder / "PWNED")))
    check_model(folder)
    assert not (folder / "PWNED").exists()
