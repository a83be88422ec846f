"""Bring the base model and its tokenizer to a plain `from_pretrained` folder at a pinned revision.

Reads   conf: model
Writes  data/model/base/: weights, tokenizer, receipt.json
"""

from mathledger.model import base

if __name__ == "__main__":
    base.main()
