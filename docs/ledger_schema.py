"""Write ledger.schema.json, the JSON schema of model_card/ledger.json, from its typed records.

python -m docs.ledger_schema
"""

import json
from pathlib import Path

from mathledger.card import statement

SCHEMA = Path("docs/ledger.schema.json")


def text() -> str:
    """Return the content of ledger.schema.json."""
    return json.dumps(statement.schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(text(), encoding="utf-8")
