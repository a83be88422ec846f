"""A number is traced to its responses, also if the lock no longer lists them."""

from pathlib import Path

import pytest

from mathledger.chain.chain import Chain
from mathledger.chain.lock import Stage
from mathledger.core.errors import InputError
from mathledger.trace.predictions import predictions


def test_a_lock_without_the_responses_is_refused_by_name(tmp_path: Path) -> None:
    stage = Stage("evaluate@tuned-sums", "python", {}, {}, {})
    with pytest.raises(InputError, match="lists no data output of evaluate@tuned-sums"):
        predictions(Chain("workspace", None, tmp_path), stage)
