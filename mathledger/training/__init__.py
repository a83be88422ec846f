"""Supervised fine-tuning and GRPO with TRL, with checkpoints that survive a kill."""
