"""Catalog entries of the project, with settings changed for a test."""

from datetime import UTC, datetime
from typing import Any

from connectors.api import Page
from connectors.catalog import FOLDER, load_entry
from connectors.catalog_models import SourceEntry
from connectors.retry import RetryPolicy

AT_ONCE = RetryPolicy(first_wait_s=0)
NOW = datetime(2025, 9, 1, 5, 0, tzinfo=UTC)


def source_entry(name: str, **pull: Any) -> SourceEntry:
    """The project's own entry of a source, with other values under ``pull``."""
    entry = load_entry(FOLDER / f"{name}.yaml")
    assert isinstance(entry, SourceEntry)
    return entry.model_copy(update={"pull": entry.pull.model_copy(update=pull)})


def records(pages: list[Page]) -> list[Any]:
    return [record for page in pages for record in page.records]
