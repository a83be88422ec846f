# ruff: noqa: E501, RUF001  the templates and tokens are those of the publishers
"""Tiny random models with the tokens, templates and configs of published families.

The facts are those of the publishers' files: which tokens mark a turn and whether they are flagged
as special, which token is the eos_token and which one ends a turn, what the template does with
dates and thinking, and where tokenizer and embedding differ in size. The texts are ours.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# SmolLM2's bos_token begins every turn, and a system turn is always there.
SMOLLM2 = (
    "{% for m in messages %}{% if loop.first and messages[0].role != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Llama 3.2 writes today's date into a system turn that is always there, and trims every text.
LLAMA = """{{- bos_token }}
{%- if not date_string is defined %}
  {%- if strftime_now is defined %}{%- set date_string = strftime_now("%d %b %Y") %}
  {%- else %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- endif %}
{%- if messages[0].role == 'system' %}
  {%- set system = messages[0].content | trim %}{%- set messages = messages[1:] %}
{%- else %}{%- set system = "" %}{%- endif %}
{{- '<|start_header_id|>system<|end_header_id|>\n\n' }}
{{- 'Cutting Knowledge Date: December 2023\nToday Date: ' + date_string + '\n\n' }}
{{- system + '<|eot_id|>' }}
{%- for m in messages %}
  {{- '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + m.content | trim + '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"""
# Qwen3 rewrites thinking in the last turn, and opens an empty block if thinking is switched off.
QWEN3 = """{%- for m in messages %}
  {%- if m.role != 'assistant' %}
    {{- '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}
  {%- else %}
    {%- set content = m.content %}{%- set thought = '' %}
    {%- if '</think>' in content %}
      {%- set thought = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
      {%- set content = content.split('</think>')[-1].lstrip('\n') %}
    {%- endif %}
    {%- if loop.last %}
      {{- '<|im_start|>assistant\n<think>\n' + thought.strip('\n') + '\n</think>\n\n' }}
      {{- content.lstrip('\n') + '<|im_end|>\n' }}
    {%- else %}{{- '<|im_start|>assistant\n' + content + '<|im_end|>\n' }}{%- endif %}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|im_start|>assistant\n' }}
  {%- if enable_thinking is defined and enable_thinking is false %}
    {{- '<think>\n\n</think>\n\n' }}
  {%- endif %}
{%- endif %}"""
# Gemma 3 has no system turn of its own; the text goes into the first user turn.
GEMMA = """{{ bos_token }}
{%- if messages[0].role == 'system' %}
  {%- set before = messages[0].content + '\n\n' %}{%- set turns = messages[1:] %}
{%- else %}{%- set before = '' %}{%- set turns = messages %}{%- endif %}
{%- for m in turns %}
  {%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}
    {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
  {%- endif %}
  {{- '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\n' }}
  {{- (before if loop.first else '') + m.content | trim + '<end_of_turn>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<start_of_turn>model\n' }}{%- endif %}"""
# DeepSeek-R1: the old template drops the thinking of every answer, the new one opens it as well.
R1 = """{{- bos_token }}{%- for m in messages %}
{%- if m.role == 'system' %}{{- m.content }}
{%- elif m.role == 'user' %}{{- '<｜User｜>' + m.content }}
{%- else %}{{- '<｜Assistant｜>' + m.content.split('</think>')[-1] + '<｜end▁of▁sentence｜>' }}{%- endif %}
{%- endfor %}{%- if add_generation_prompt %}{{- '<｜Assistant｜>' }}{%- endif %}"""
R1_NEW = R1.replace("{{- '<｜Assistant｜>' }}", r"{{- '<｜Assistant｜><think>\n' }}")
PHI4 = """{% for m in messages %}{{- '<|im_start|>' + m.role + '<|im_sep|>' + m.content + '<|im_end|>' }}
{%- endfor %}{% if add_generation_prompt %}{{- '<|im_start|>assistant<|im_sep|>' }}{% endif %}"""
# Phi-4-mini ends a turn with <|end|>, and a conversation with the eos_token as well.
PHI4_MINI = """{% for m in messages %}{{- '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}
{%- if add_generation_prompt %}{{- '<|assistant|>' }}{% else %}{{- eos_token }}{% endif %}"""
MISTRAL = """{{- bos_token }}{% for m in messages %}
{%- if m.role == 'user' %}{{- '[INST] ' + m.content + ' [/INST]' }}
{%- elif m.role == 'assistant' %}{{- ' ' + m.content + eos_token }}
{%- else %}{{- raise_exception('Only user and assistant roles are supported!') }}{% endif %}
{%- endfor %}"""


@dataclass(frozen=True)
class Family:
    name: str
    template: str
    special: list[str]  # flagged as special in the tokenizer
    plain: list[str]  # added to the tokenizer without the flag
    eos: str
    pad: str
    bos: str | None = None
    model_type: str = "llama"
    pieces: bool = False  # SentencePiece's ▁ and bytes instead of byte-level BPE
    ends: list[str] = field(default_factory=list)  # generation_config's eos tokens beyond eos
    beyond: list[str] = field(default_factory=list)  # special tokens without an embedding
    spare: int = 0  # embeddings without a token
    tied: bool = True
    sharded: bool = False
    refused: str | None = None  # what download_model says


THINK = ["<think>", "</think>"]
R1_TOKENS = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"]
R1_TURNS = ["<｜User｜>", "<｜Assistant｜>", *THINK]
FAMILIES = [
    Family("chatml", CHATML, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], [], "<|im_end|>",
           "<|endoftext|>", sharded=True, tied=False),
    Family("smollm2", SMOLLM2, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], [], "<|im_end|>",
           "<|im_end|>", bos="<|im_start|>", spare=2),
    Family("llama3", LLAMA, ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>",
           "<|end_header_id|>", "<|eot_id|>", "<|finetune_right_pad_id|>"], [], "<|eot_id|>",
           "<|finetune_right_pad_id|>", bos="<|begin_of_text|>", ends=["<|end_of_text|>"]),
    Family("qwen3", QWEN3, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
           ["<tool_call>", "</tool_call>", "<|fim_prefix|>", *THINK], "<|im_end|>",
           "<|endoftext|>", model_type="qwen3", ends=["<|endoftext|>"], spare=16),
    Family("gemma3", GEMMA, ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>",
           "<end_of_turn>"], [], "<eos>", "<pad>", bos="<bos>", model_type="gemma3_text",
           pieces=True, ends=["<end_of_turn>"], beyond=["<image_soft_token>"]),
    Family("r1", R1, R1_TOKENS, R1_TURNS, R1_TOKENS[1], R1_TOKENS[1], bos=R1_TOKENS[0],
           model_type="qwen2", spare=5, tied=False),
    Family("r1_new", R1_NEW, R1_TOKENS, R1_TURNS, R1_TOKENS[1], R1_TOKENS[1], bos=R1_TOKENS[0],
           model_type="qwen2", refused="renders the prompt differently when the answer follows"),
    Family("phi4", PHI4, ["<|endoftext|>", "<|im_start|>", "<|im_sep|>", "<|im_end|>",
           "<|dummy_85|>"], [], "<|im_end|>", "<|dummy_85|>", model_type="phi3", spare=3,
           tied=False),
    Family("phi4_mini", PHI4_MINI, ["<|endoftext|>", "<|user|>", "<|assistant|>", "<|system|>",
           "<|end|>"], [], "<|endoftext|>", "<|endoftext|>", model_type="phi3", ends=["<|end|>"]),
    Family("mistral", MISTRAL, ["<unk>", "<s>", "</s>"], [], "</s>", "<unk>", bos="<s>",
           model_type="mistral", pieces=True, tied=False),
]  # fmt: skip


def tokenizer(family: Family) -> Any:
    """Return a tokenizer of bytes, without merges, with the family's control tokens."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    if family.pieces:
        chars = ["▁", *map(chr, range(33, 127)), "\n"]
        texts = [*family.special, *(f"<0x{byte:02X}>" for byte in range(256)), *chars]
        vocabulary = {text: at for at, text in enumerate(texts)}
        backend = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
        backend.normalizer = normalizers.Replace(" ", "▁")
        backend.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
        )
    else:
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        backend = Tokenizer(models.BPE({text: at for at, text in enumerate(alphabet)}, []))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(text, normalized=False) for text in family.special])
    backend.add_tokens([AddedToken(text, normalized=False) for text in family.plain])
    backend.add_special_tokens([AddedToken(text, normalized=False) for text in family.beyond])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=family.eos,
        pad_token=family.pad,
        bos_token=family.bos,
        unk_token="<unk>" if "<unk>" in family.special else None,
        chat_template=family.template,
        model_max_length=512,
    )


def make(family: Family, folder: Path) -> Path:
    """Save a model of the family with about ten thousand random weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    own = tokenizer(family)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "vocab_size": len(own) - len(family.beyond) + family.spare,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "max_position_embeddings": 512,
        "tie_word_embeddings": family.tied,
        "bos_token_id": own.bos_token_id,
        "eos_token_id": own.eos_token_id,
        "pad_token_id": own.pad_token_id,
    }
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family.model_type, **sizes))
    model.save_pretrained(folder, max_shard_size="20KB" if family.sharded else "5GB")
    own.save_pretrained(folder)
    ends = [own.eos_token_id, *own.convert_tokens_to_ids(family.ends)]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    return folder


def edit(folder: Path, name: str, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a JSON file of a folder."""
    content = json.loads((folder / name).read_text())
    change(content)
    (folder / name).write_text(json.dumps(content))
