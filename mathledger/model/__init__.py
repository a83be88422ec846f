"""The base model, its prompts and chat template, and how several processes are launched."""
