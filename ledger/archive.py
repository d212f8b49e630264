"""The raw pages as they came: compressed, sealed, kept by month."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
# The records of a re-drive are those of pages that came before it.
_NEWEST_FIRST = text("""
    SELECT run.seq, run.run_id, page.number, page.fetched, page.mapping_version, page.fetched_at
    FROM pull_run run
    JOIN pull_page page ON page.run_id = run.run_id
    WHERE run.system = :system AND run.mode <> 'redrive'
      AND run.seq <= :seq AND (run.seq < :seq OR page.number < :number)
      AND page.fetched_at >= :since AND (run.finished_at IS NULL OR run.finished_at >= :since)
    ORDER BY run.seq DESC, page.number DESC
    LIMIT :limit
""")
_AT_ONCE = 200
_NO_SEQ = (1 << 63) - 1
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPage:
    """That a page was stored: ``read_page`` opens its bytes by run and number. ``fetched``: its records."""

    run_id: UUID
    number: int
    fetched: int
    mapping_version: str
    fetched_at: datetime


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


def newest_first(engine: Engine, system: str, *, since: datetime | None = None) -> Iterator[StoredPage]:
    """The pages that pulls of a system have stored, from the last page of the last run back.

    ``since``: only what was fetched from then on. No transaction stays open between two pages, and what is stored
    meanwhile is left out.
    """
    seq, number = _NO_SEQ, 0
    while True:
        parameters = {"system": system, "seq": seq, "number": number, "since": since or _EVER, "limit": _AT_ONCE}
        with reading(engine) as connection:
            rows = connection.execute(_NEWEST_FIRST, parameters).all()
        for _, *page in rows:
            yield StoredPage(**dict(zip(StoredPage.__slots__, page, strict=True)))
        if len(rows) < _AT_ONCE:
            return
        seq, number = rows[-1].seq, rows[-1].number
