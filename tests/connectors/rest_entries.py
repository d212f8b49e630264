"""Catalog entries of REST systems that exist only in tests, and sources made of them."""

import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from entries import AT_ONCE
from loopback import Server

from connectors.catalog import load_entry
from connectors.catalog_models import SourceEntry
from connectors.sources.rest import RestSource

FRAME = {
    "kind": "source",
    "system": "mau",
    "title": {"vi": "Hệ thống mẫu", "en": "Sample system"},
    "owner": {"agency": "H12", "vi": "Cơ quan mẫu", "en": "Sample agency"},
    "protocol": "rest",
    "connection": "mau",
    "contract": "igate/search.schema.json",
    "mapping": "igate",
    "precedence": 20,
    "timeouts": {"connect_s": 2, "read_s": 2, "total_s": 5},
}


def written(folder: Path, pull: dict[str, Any], options: dict[str, Any], **keys: Any) -> Path:
    """A catalog file with these parts."""
    path = folder / "mau.yaml"
    whole = {"page_size": 10, "start": date(2025, 8, 1), **pull}
    path.write_text(yaml.safe_dump({**FRAME, "pull": whole, "options": options, **keys}, allow_unicode=True), "utf-8")
    return path


def rest_entry(folder: Path, pull: dict[str, Any], options: dict[str, Any], **keys: Any) -> SourceEntry:
    """The entry, checked as the catalog checks it."""
    entry = load_entry(written(folder, pull, options, **keys))
    assert isinstance(entry, SourceEntry)
    return entry


def source_of(
    entry: SourceEntry, server: Server, *, monotonic: Callable[[], float] = time.monotonic, **settings: Any
) -> RestSource:
    """A source that reads from a loopback server without waiting between attempts."""
    connection = server.settings(**{"login": "nguoi-dung", "password": "mat-khau", **settings})
    return RestSource(entry, connection, retry=AT_ONCE, monotonic=monotonic)
