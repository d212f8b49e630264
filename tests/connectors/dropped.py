"""A folder that a system drops files into, and catalog entries that read it."""

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.api import Page
from connectors.catalog import FOLDER, load_entry
from connectors.catalog_models import SourceEntry
from connectors.connections import ConnectionSettings
from connectors.options.files import FilesOptions
from connectors.retry import RetryPolicy
from connectors.sources.files import FilesSource

AT_ONCE = RetryPolicy(first_wait_s=0)
NOW = datetime(2026, 7, 1, 5, 0, tzinfo=UTC)
TODAY = "2026-07-01"
CSV = {"kind": "csv", "delimiter": ";"}
COLUMNS = {"ma": "Mã hồ sơ", "ten": "Người nộp", "trang_thai": "Trạng thái"}
HEADER = "Mã hồ sơ;Người nộp;Trạng thái\n"


def entry(
    *, style: str = "queue", page_size: int = 2, cut: tuple[str, ...] = (), limit_mb: int = 8, **options: Any
) -> SourceEntry:
    """An entry for ``*.csv`` with three columns; ``feed`` changes the only feed, the rest are options."""
    feed = {"pattern": "*.csv", "format": CSV, "columns": COLUMNS, **options.pop("feed", {})}
    options = {"feeds": [feed], "ready": {"by": "age", "settle": "60s"}, **options}
    known = load_entry(FOLDER / "giaoduc.yaml")
    assert isinstance(known, SourceEntry)
    given = known.model_dump(mode="json") | {
        "cut": cut,
        "pull": {"style": style, "page_size": page_size, "start": "2025-01-01"},
        "limits": {"max_response_mb": limit_mb},
    }
    read = SourceEntry.model_validate(given)
    return read.model_copy(update={"options": FilesOptions.model_validate(options)})


def source(folder: Path, made: SourceEntry | None = None, **options: Any) -> FilesSource:
    """A source that reads ``folder`` of this machine."""
    settings = ConnectionSettings(conn_id="giaoduc", host="", extra={"path": str(folder)})
    return FilesSource(made or entry(**options), settings, retry=AT_ONCE)


def drop(folder: Path, name: str, content: str | bytes, *, age_s: float = 3600, encoding: str = "utf-8") -> Path:
    """Write a file that was last changed ``age_s`` seconds before ``NOW``."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    set_age(path, age_s)
    return path


def set_age(path: Path, age_s: float) -> None:
    """Say that the file was last changed so many seconds before ``NOW``."""
    moment = (NOW - timedelta(seconds=age_s)).timestamp()
    os.utime(path, (moment, moment))


def with_checksum(path: Path, kind: str = "sha256", *, right: bool = True) -> None:
    """Put the companion beside a file."""
    digest = hashlib.new(kind, path.read_bytes() if right else b"another file").hexdigest()
    path.with_name(f"{path.name}.{kind}").write_text(f"{digest}  {path.name}\n")


def rows(*codes: str) -> str:
    """A file with one row for each code."""
    return HEADER + "".join(f"{code};Nguyễn Văn Mẫu;4\n" for code in codes)


def pull(reading: FilesSource, *, stored: bool = True, **changes: Any) -> list[Page]:
    """All pages of one pull, each stored as it comes."""
    pages = []
    for page in reading.pull(**{"window": None, "cursor": None, "open_codes": (), "now": NOW, **changes}):
        pages.append(page)
        if stored and page.after_store is not None:
            page.after_store()
    return pages


def die(reading: FilesSource) -> None:
    """Let the source's process be gone, without a chance to tidy up."""
    reading._pickup._claimant.end()


def codes(pages: list[Page]) -> list[Any]:
    """The codes that the pages hold, in order."""
    return [record.get("ma") for page in pages for record in page.records]


def tree(folder: Path) -> list[str]:
    """All files below the folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.is_symlink())
