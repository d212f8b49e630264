"""A record of a page, reduced to what decides: who says it, how old it is, whether it says anything new.

**Which time orders readings of one system.** ``changed_at``, the source's own last-modified time, because it moves with
every edit. A source without it is ordered by ``state_at``, which moves with every state, and one that gives neither by
the time the page was fetched. Readings with the same source time (sources with whole seconds, edits that keep
``state_at``) are ordered by: the number of the mapping (whoever corrects a mapping counts it up, and what it makes of
the same record then counts), an end state before any other (nothing leaves one without a newer source time), the time
the page was fetched, the content hash. The last only makes the order total, so that any permutation of the same
pages ends the same way.

**Which time orders states of several systems.** The time the state was entered: ``state_at``, else the source time
at which that system first showed this state. The latter is as good as the order in which a system's pages come: an
older page that comes late does not date back a state that a newer one has shown. A reading with neither time of its
own is *undated*: it says what is, and not since when.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel

from ledger.sealing import Sealer
from schemas.dossier import Dossier, Progress
from schemas.states import TERMINAL

# (source time, number of the mapping, is an end state, observed time, content hash)
Order = tuple[datetime, int, bool, datetime, bytes]

TERMINAL_CODES = frozenset(int(state) for state in TERMINAL)
"""The end states as the numbers that readings carry."""


class Reading(NamedTuple):
    """One record of one page. ``position`` is its place among the page's dossiers."""

    position: int
    dossier: Dossier | Progress
    content_hash: bytes
    source_at: datetime
    observed_at: datetime
    state: int
    event_at: datetime
    dated: bool
    mapping_no: int

    @property
    def national_code(self) -> str | None:
        """The national code, where the record tells one; progress may come under it, but then it is the code."""
        return self.dossier.national_code if isinstance(self.dossier, Dossier) else None

    @property
    def order(self) -> Order:
        """The age of this reading among all readings of its system: greater is newer."""
        return order_of(self.source_at, self.mapping_no, self.state, self.observed_at, self.content_hash)


def order_of(source_at: datetime, mapping_no: int, state: int, observed_at: datetime, content_hash: bytes) -> Order:
    """See the module's text for the order and its reasons."""
    return source_at, mapping_no, state in TERMINAL_CODES, observed_at, content_hash


def mapping_number(version: str) -> int:
    """The number that a person counts up, at the beginning of a mapping's version (``3-91fa…``); 0 without one."""
    number = version.partition("-")[0]
    return int(number) if number.isdigit() else 0


def event_rank(event_at: datetime, state: int, precedence: int) -> tuple[datetime, bool, int]:
    """Which of several systems' states is the latest event: greater wins."""
    return event_at, state in TERMINAL_CODES, precedence


def read(
    dossier: Dossier | Progress, position: int, fetched_at: datetime, sealer: Sealer, *, mapping_version: str
) -> Reading:
    """Reduce one record. The hash leaves out ``changed_at``: a touched but equal record is no change."""
    source_at = dossier.changed_at or dossier.state_at or fetched_at
    return Reading(
        position=position,
        dossier=dossier,
        content_hash=sealer.digest(canonical_json(dossier)),
        source_at=source_at,
        observed_at=fetched_at,
        state=int(dossier.state),
        event_at=dossier.state_at or source_at,
        dated=bool(dossier.state_at or dossier.changed_at),
        mapping_no=mapping_number(mapping_version),
    )


def canonical_json(dossier: Dossier | Progress) -> bytes:
    """The record's content as bytes that are equal for equal content.

    Instants are in UTC, so that a source that changes its offset changes nothing. Absent values are left out, so that
    a new optional field in the schema changes no old hash.
    """
    content = _content(dossier)
    content.pop("changed_at", None)
    return orjson.dumps(content, default=_content)


def _content(record: BaseModel) -> dict[str, Any]:
    return {
        name: value.astimezone(UTC) if isinstance(value, datetime) else value
        for name, value in vars(record).items()
        if value is not None
    }
