"""The Airflow pools that the catalog needs, also for a system that is added while everything runs."""

from __future__ import annotations

from contextlib import suppress

from cli.up.airflow_api import AirflowApi
from connectors.catalog import catalog_files, load_catalog
from connectors.errors import CatalogError


class Pools:
    """Makes the pools again whenever a file of the catalog has changed."""

    def __init__(self, api: AirflowApi) -> None:
        self._api = api
        self._made_for: dict[str, int] = {}

    def keep_up(self) -> None:
        """Look for changed files; cheap when there are none."""
        files = {str(path): path.stat().st_mtime_ns for path in catalog_files()}
        if files == self._made_for:
            return
        with suppress(CatalogError):  # not a single file can be taken: Airflow shows why
            pools = {entry.pool: entry.slots for entry in load_catalog()}
            self._api.sign_in()  # the last one may be days ago
            self._api.ensure_pools(pools)
        self._made_for = files
