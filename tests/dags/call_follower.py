"""Calls the follower's task as a task process does, for the minutes given; prints what it told the comparisons.

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


class Events:
    """What a task adds to its alias."""

    def __init__(self) -> None:
        self.added: dict[str, Any] = {}

    def add(self, asset: Any, extra: Any) -> None:
        """See Airflow's accessor."""
        self.added[asset.name] = extra


def main(folder: Path, minutes: float) -> None:
    """Run it to its end."""
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder)
    operator: Any = bag.dags["follow_ledger"].task_dict["watch"]
    events: dict[Any, Events] = defaultdict(Events)
    operator.python_callable(params={"minutes": minutes}, dag_run=SimpleNamespace(run_id="a run"), outlet_events=events)
    print("TOLD " + json.dumps({alias.name: event.added for alias, event in events.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
