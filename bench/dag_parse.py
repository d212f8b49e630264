"""How long Airflow takes to parse dags/ with many systems in the catalog.

    python bench/dag_parse.py [--systems 200] [--repeat 3] [--json]

Writes a catalog of that many systems into a temporary folder (three sources to one target) and parses the DAG folder
in a fresh process as Airflow's dag-processor does. ``parse_s`` comes on top of importing Airflow itself; ``task_s`` is
what a task process pays, which builds only its own DAG.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CATALOG = ROOT / "connectors" / "catalog"

MEASURE = """
import json, sys, time
from pathlib import Path

from airflow.dag_processing.dagbag import BundleDagBag

folder = Path(sys.argv[1])
bag = BundleDagBag(dag_folder=folder, bundle_path=folder, collect_dags=False)
result = {}
for name in ("pull", "push", "reconcile"):
    began = time.perf_counter()
    bag.process_file(str(folder / (name + ".py")))
    result[name + "_s"] = round(time.perf_counter() - began, 3)
result["parse_s"] = round(sum(result.values()), 3)
print("RESULT " + json.dumps({**result, "dags": len(bag.dags), "errors": len(bag.import_errors)}))
"""


def write_catalog(folder: Path, systems: int) -> None:
    """Fill ``folder`` with that many copies of real entries under other names; every fourth is a target."""
    for number in range(systems):
        original = "npsp" if number % 4 == 3 else "gplx"
        name = f"system_{number:03d}"
        text = (CATALOG / f"{original}.yaml").read_text(encoding="utf-8")
        (folder / f"{name}.yaml").write_text(text.replace(f"system: {original}", f"system: {name}"), encoding="utf-8")


def measure(catalog: Path, home: Path, dag_id: str | None = None) -> dict[str, float]:
    """Parse the DAG folder in a fresh process; only what ``dag_id`` needs when it is given, as a task does."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "HOSYNC"))}
    environment |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "HOSYNC_CATALOG": str(catalog),
        "PYTHONPATH": str(ROOT),
    }
    if dag_id:
        environment["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag_id
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(ROOT / "dags")],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        cwd=home,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found: dict[str, float] = json.loads(line.removeprefix("RESULT "))
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--write-catalog", type=Path, help="only write the catalog there")
    arguments = parser.parse_args()
    if arguments.write_catalog:
        write_catalog(arguments.write_catalog, arguments.systems)
        return
    with tempfile.TemporaryDirectory(prefix="hosync-bench-") as scratch:
        home, catalog = Path(scratch) / "airflow", Path(scratch) / "catalog"
        home.mkdir()
        catalog.mkdir()
        write_catalog(catalog, arguments.systems)
        measure(catalog, home)  # writes airflow.cfg and byte code once
        parses = [measure(catalog, home) for _ in range(arguments.repeat)]
        tasks = [measure(catalog, home, "pull_system_000") for _ in range(arguments.repeat)]
    best = min(parses, key=lambda one: one["parse_s"])
    best["task_s"] = min(one["pull_s"] for one in tasks)
    if arguments.json:
        print(json.dumps({"systems": arguments.systems, **best}))
        return
    for name, value in best.items():
        print(f"{name:12} {value:8}")


if __name__ == "__main__":
    main()
