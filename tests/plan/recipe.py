"""Define the seed recipe as the jobs in jobs/ run it, and the shape of its base model."""

OVERRIDES = [
    "experiment=deepseek_math_7b",
    "train/launch=fsdp2",
    "train.per_device_train_batch_size=4",
    "train.gradient_accumulation_steps=1",
    "evaluate=sampled",
    "train/launch@evaluate.launch=ddp",
]
PIN = ["model.source.revision=" + "0" * 40, "model.source.files={config.json: null}"]  # any
# From the config.json of deepseek-ai/deepseek-math-7b-rl.
SHAPE = {
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 30,
    "num_attention_heads": 32,
    "num_key_value_heads": 32,
    "vocab_size": 102400,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": False,
}
