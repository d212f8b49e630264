"""`hosync pools`: the Airflow pools that the DAGs need, for `airflow pools import`."""

from __future__ import annotations

from cli.errors import ExitCode
from cli.output import Output
from connectors.catalog import load_catalog


def run(output: Output) -> ExitCode:
    """Print the pools of the catalog, one per system, as the document that Airflow imports."""
    output.json(
        {
            entry.pool: {"slots": entry.slots, "description": f"hosync: {entry.title.en}", "include_deferred": False}
            for entry in load_catalog()
        }
    )
    return ExitCode.OK
