"""Asking a model, keeping its responses, and what they show: statistics and probes."""
