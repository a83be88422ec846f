"""Mathledger: a fine-tuning pipeline in which every benchmark number traces back to its origin."""

__version__ = "0.1.0"
