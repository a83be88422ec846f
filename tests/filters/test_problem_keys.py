"""What depends on a problem alone does not depend on how often or where its text occurs."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mathledger.filters.problem_keys import by_spelling, canonical_keys
from mathledger.text import canonical, groups

TEXTS = st.lists(
    st.sampled_from(["Find $x$.", "Find x", "Find y.", "é", ""]) | st.text(max_size=20)
)


@given(files=st.lists(TEXTS, min_size=1, max_size=3), row_group_size=st.integers(1, 9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_each_row_has_the_key_of_its_text(
    tmp_path: Path, files: list[list[str]], row_group_size: int
) -> None:
    paths = [tmp_path / f"{number}.parquet" for number in range(len(files))]
    for path, texts in zip(paths, files, strict=True):
        table = pa.table({"problem": pa.array(texts, pa.string())})
        pq.write_table(table, path, row_group_size=row_group_size)
    every = pa.array([text for texts in files for text in texts], pa.string())
    found, rows, number = by_spelling(paths, canonical_keys, 16)
    assert np.array_equal(found.view(np.uint64)[number], canonical.keys(every))
    assert every.take(rows).to_pylist() == [*dict.fromkeys(every.to_pylist())]


@given(texts=st.lists(st.text(st.sampled_from("ab\0é"), max_size=20)))
def test_only_equal_texts_have_equal_spelling_keys(texts: list[str]) -> None:
    """A text's key depends neither on the texts around it nor on zero bytes at its end."""
    keys = groups.spelling_keys(pa.array(texts, pa.string()))
    assert keys.shape == (len(texts), 2)
    assert len(np.unique(keys, axis=0)) == len({*texts})
    for text, key in zip(texts, keys, strict=True):
        assert np.array_equal(groups.spelling_keys(pa.array([text]))[0], key)
