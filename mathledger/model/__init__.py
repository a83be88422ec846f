"""Download base models, render prompts, and launch the processes that use a model."""
