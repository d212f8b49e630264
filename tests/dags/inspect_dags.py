"""Parses the DAG folder as Airflow's dag-processor does and prints what was found as one line of JSON.

Run in a process of its own: Airflow reads its settings once, when it is imported, and writes them into its home.
Every attempt to open a socket while parsing is refused and reported.
"""

from __future__ import annotations

import json
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import BundleDagBag
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.dag_version_inflation_checker import check_dag_file_stability


def main(folder: Path) -> None:
    """Parse, look, print."""
    touched: list[str] = []

    def refuse(event: str) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "sqlite3.connect"):
            touched.append(event)
            raise PermissionError(f"{event} while DAGs are parsed")

    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, collect_dags=False)
    known = set(sys.modules)
    is_parsing = True
    sys.addaudithook(lambda event, _: refuse(event) if is_parsing else None)
    began = time.perf_counter()
    bag.collect_dags(folder)
    seconds = time.perf_counter() - began
    is_parsing = False
    facts = {
        "import_errors": bag.import_errors,
        "warnings": {name: list(texts) for name, texts in bag.captured_warnings.items()},
        "touched": touched,
        "modules": sorted({name.partition(".")[0] for name in set(sys.modules) - known}),
        "seconds": seconds,
        "unstable": {
            path.name: warnings
            for path in sorted(folder.glob("*.py"))
            if (warnings := check_dag_file_stability(path).format_warnings()) is not None
        },
        "policy": policy().serialize(),
        "decisions": decisions(),
        "dags": {dag_id: describe(dag) for dag_id, dag in sorted(bag.dags.items())},
    }
    print("FACTS " + json.dumps(facts))


def policy() -> Any:
    """The retry rules of the project's DAGs."""
    from hosync_dags import RETRY_RULES  # beside the DAG files, as Airflow finds it

    return RETRY_RULES


def decisions() -> dict[str, str]:
    """What the rules decide for errors as they are raised."""
    from uuid import UUID

    from sqlalchemy.exc import OperationalError

    from connectors import errors as wire
    from ledger import errors as ledger
    from mappings.errors import MappingError
    from sync.errors import IncompleteRun, SyncError

    raised: list[Exception] = [
        *(
            kind("gplx", "no")
            for kind in (
                wire.NotSent,
                wire.Throttled,
                wire.OutcomeUnknown,
                wire.BrokenAnswer,
                wire.Refused,
                wire.SignInFailed,
                wire.ContractBroken,
            )
        ),
        MappingError("no"),
        ledger.AlreadyRunning("gplx"),
        ledger.LedgerUnavailable("no"),
        ledger.PageContended("gplx", 1, 3),
        ledger.WrongDataKey("no"),
        ledger.RunSuperseded("gplx", UUID(int=1)),
        IncompleteRun("no", next_step="wait"),
        SyncError("no", next_step="act"),
        OperationalError("SELECT 1", None, Exception("gone")),
        KeyError("a bug"),
    ]
    return {type(error).__name__: policy().evaluate(error, 1, 3).action.value for error in raised}


def describe(dag: Any) -> dict[str, Any]:
    """One DAG in plain data, read back from its serialized form where that tells more than the object."""
    serialized = DagSerialization.to_dict(dag)
    again = DagSerialization.from_dict(serialized)
    timetable = dag.timetable
    clock = getattr(timetable, "timetable", timetable)
    condition = getattr(timetable, "asset_condition", None)
    return {
        "fingerprint": sha256(json.dumps(serialized, sort_keys=True, default=str).encode()).hexdigest(),
        "scheduler_sees": {task.task_id: sorted(task.downstream_task_ids) for task in again.tasks},
        "timetable": type(timetable).__name__,
        "cron": getattr(clock, "expression", None),
        "zone": str(getattr(clock, "timezone", "")),
        "waits_for": sorted(asset.name for asset in condition.objects) if condition else [],
        "condition": type(condition).__name__,
        "doc": dag.doc_md or "",
        "tags": sorted(dag.tags),
        "owner": dag.owner,
        "catchup": dag.catchup,
        "max_active_runs": dag.max_active_runs,
        "start_date": dag.start_date.isoformat(),
        "run_types": sorted(str(getattr(one, "value", one)) for one in dag.allowed_run_types or []),
        "params": {
            name: {"default": param.value, "title": param.schema.get("title"), "help": param.description}
            for name, param in dag.params._ParamsDict__dict.items()
        },
        "tasks": {task.task_id: _task(task) for task in dag.tasks},
        "file": Path(dag.fileloc).name,
    }


def _task(task: Any) -> dict[str, Any]:
    partial = getattr(task, "partial_kwargs", {})
    policy = partial.get("retry_policy") if partial else task.retry_policy
    return {
        "mapped": task.is_mapped,
        "pool": task.pool,
        "retries": task.retries,
        "timeout_s": task.execution_timeout.total_seconds() if task.execution_timeout else None,
        "outlets": [asset.name for asset in task.outlets],
        "downstream": sorted(task.downstream_task_ids),
        "policy": policy.serialize() if policy else None,
        "label": partial.get("map_index_template") if partial else task.map_index_template,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
