"""Save a view in MLflow that shows the scores of all results as columns.

MLflow's table of runs shows no metric until a person selects it. A saved view is a tag of the
experiment; the menu *Views* lists it, and an address opens it. The format is that of MLflow 3; an
older UI ignores the tag.
"""

import base64
import json
import zlib
from collections.abc import Iterable
from typing import Any

from mathledger.run.mlflow_names import MAX_TAG

KEY = "scores"  # as in ...#/experiments/1/runs?viewStateShareKey=scores
TAG = f"mlflow.sharedViewState.{KEY}"
MARK = "deflate;"
FIXED = {
    "searchFilter": "",
    "orderByKey": "attributes.start_time",
    "orderByAsc": False,
    "startTime": "ALL",
    "lifecycleFilter": "Active",
    "datasetsFilter": [],
    "modelVersionFilter": "All Runs",
    "columnOrder": [],
    "columnWidths": {},
    "runsHiddenMode": "FIRST_10_RUNS",
    "viewMaximized": False,
    "runListHidden": False,
    "isAccordionReordered": False,
    "useGroupedValuesInCharts": True,
    "hideEmptyCharts": True,
    "groupBy": None,
    "groupsExpanded": {},
    "globalLineChartConfig": {
        "xAxisKey": "step",
        "lineSmoothness": 0,
        "selectedXAxisMetricKey": "",
    },
}


def metrics_of(tag: str | None) -> list[str]:
    """Return the metrics that a saved view shows; none if the tag is missing or not ours."""
    try:
        state = json.loads(tag or "")["state"].removeprefix(MARK)
        columns = json.loads(zlib.decompress(base64.b64decode(state)))["selectedColumns"]
        return [each.removeprefix("metrics.`").rstrip("`") for each in columns]
    except (ValueError, LookupError, TypeError, AttributeError, zlib.error):
        return []


def saved_view(metrics: Iterable[str], time: int) -> str:
    """Return the tag's value for a view of these metrics; as many as fit into a tag.

    Args:
        time: milliseconds since 1970.
    """
    shown = sorted(set(metrics))
    while True:
        columns = [f"metrics.`{name}`" for name in shown]
        value = json.dumps(_view({**FIXED, "selectedColumns": columns}, time))
        if len(value) <= MAX_TAG:
            return value
        shown = shown[: len(shown) * 9 // 10]


def _view(state: dict[str, Any], time: int) -> dict[str, Any]:
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    return {"name": "Scores", "createdAt": time, "updatedAt": time, "state": f"{MARK}{packed}"}
