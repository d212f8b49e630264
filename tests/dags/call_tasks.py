"""Calls the tasks that only decide (no ledger, no network), as a task process does; prints what came of it as JSON.

Run in a process of its own, like inspect_dags.py.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor


def main(folder: Path, calls: list[dict[str, Any]]) -> None:
    """Each call names dag, task, arguments, and the assets that triggered the run."""
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder)
    print("OUTCOMES " + json.dumps([call(bag, **one) for one in calls]))


def call(bag: BundleDagBag, *, dag: str, task: str, report: Any, triggered_by: list[str] | None = None) -> Any:
    """The outcome of one task."""
    operator: Any = bag.dags[dag].task_dict[task]
    pushed: dict[str, Any] = {}
    events: Any = defaultdict(SimpleNamespace)
    names = operator.python_callable.__code__.co_varnames[: operator.python_callable.__code__.co_argcount]
    context = {
        "outlet_events": events,
        "ti": SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value})),
        "triggering_asset_events": TriggeringAssetEventsAccessor.build(
            SimpleNamespace(asset=asset, source_aliases=[], extra={})
            for asset in _assets(bag.dags[dag])
            if asset.name in (triggered_by or ())
        ),
    }
    try:
        operator.python_callable(report, **{name: context[name] for name in names if name in context})
    except AirflowSkipException as skipped:
        return {"outcome": "skipped", "said": str(skipped), "pushed": pushed}
    except Exception as failed:
        return {"outcome": "failed", "said": str(failed), "pushed": pushed}
    return {"outcome": "done", "events": {asset.name: event.extra for asset, event in events.items()}, "pushed": pushed}


def _assets(dag: Any) -> list[Any]:
    condition = getattr(dag.timetable, "asset_condition", None)
    return list(condition.objects) if condition else []


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.stdin.read()))
