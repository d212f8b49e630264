"""The raw pages as they came: compressed, sealed, kept by month."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import zstandard
from sqlalchemy import Engine, text

from ledger.engine import reading
from ledger.sealing import Sealer

# Level 3 gives eight tenths of the best ratio on JSON and XML at several hundred MB/s.
_LEVEL = 3
_READ_PAGE = text("""
    SELECT page.media_type, page.mapping_version, page.fetched_at, archived.body
    FROM pull_page page
    JOIN page_archive archived
      ON archived.stored_at = page.stored_at AND archived.run_id = page.run_id AND archived.number = page.number
    WHERE page.run_id = :run_id AND page.number = :number
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedPage:
    """A page as it came from its source."""

    raw: bytes = field(repr=False)
    media_type: str
    mapping_version: str
    fetched_at: datetime


def pack(raw: bytes, sealer: Sealer) -> bytes:
    """What is kept of a page's bytes."""
    return sealer.seal(zstandard.ZstdCompressor(level=_LEVEL).compress(raw))


def read_page(engine: Engine, sealer: Sealer, run_id: UUID, number: int) -> ArchivedPage | None:
    """The bytes of one stored page; ``None`` when its month has been dropped or it never was."""
    with reading(engine) as connection:
        row = connection.execute(_READ_PAGE, {"run_id": run_id, "number": number}).one_or_none()
    if row is None:
        return None
    raw = zstandard.ZstdDecompressor().decompress(sealer.open(row.body))
    return ArchivedPage(
        raw=raw, media_type=row.media_type, mapping_version=row.mapping_version, fetched_at=row.fetched_at
    )
