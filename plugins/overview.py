"""What the monitor shows, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger.types import BreakKind, BreakStatus
from plugins.words import Speech
from sync.health import Health

Pair = tuple[str, str]
"""Vietnamese and English."""

BREAKS_SHOWN = 50
PARTS = ("new", "changed", "unchanged", "stale", "quarantined")


@dataclass(frozen=True, slots=True, kw_only=True)
class LastPull:
    """The last pull of a source; ``parts`` add up to ``fetched``."""

    at: datetime
    fetched: int
    parts: tuple[tuple[str, int], ...]
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One source."""

    title: Pair
    owner: Pair
    dag_ids: tuple[str, ...]
    health: Health
    dossiers: int
    success_at: datetime | None
    last: LastPull | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LastComparison:
    """The last reconciliation of a target; ``unit`` names what ``ours`` and ``matched`` count."""

    at: datetime
    is_running: bool
    method: str
    unit: str
    ours: int
    matched: int
    in_flight: int
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """One target. ``doubtful`` messages were given up in doubt, ``perhaps_doubled`` ones were sent again in doubt.

    ``breaks`` are the open ones by kind, most first.
    """

    title: Pair
    owner: Pair
    dag_ids: tuple[str, ...]
    health: Health
    delivered: int
    due: int
    doubt: int
    doubtful: int
    perhaps_doubled: int
    rejected: int
    last: LastComparison | None
    breaks: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakLine:
    """One open break."""

    key: str
    target: Pair
    kind: BreakKind
    held_by_us: Mapping[str, Any]
    held_there: Mapping[str, Any]
    first_seen_at: datetime
    status: BreakStatus

    def ours(self, say: Speech) -> str:
        """Our side in words."""
        return _in_words(self.held_by_us, say)

    def theirs(self, say: Speech) -> str:
        """The target's side in words."""
        return _in_words(self.held_there, say)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The whole page. ``open_breaks`` counts all of them, ``breaks`` holds the first."""

    at: datetime
    dossiers: int
    quarantined: int
    open_breaks: int
    sources: Sequence[SourceRow]
    targets: Sequence[TargetRow]
    breaks: Sequence[BreakLine]

    @property
    def is_compared(self) -> bool:
        """Whether any target was ever compared."""
        return any(row.last for row in self.targets)

    @property
    def tiles(self) -> list[tuple[str, int, str]]:
        """The numbers on top: key of the words, number, tone when it is not zero."""
        return [
            ("in_ledger", self.dossiers, ""),
            ("quarantined_open", self.quarantined, "warn"),
            ("due", sum(row.due for row in self.targets), ""),
            ("doubt", sum(row.doubt for row in self.targets), "warn"),
            ("rejected", sum(row.rejected for row in self.targets), "bad"),
            ("breaks", self.open_breaks, "bad"),
        ]


def _in_words(held: Mapping[str, Any], say: Speech) -> str:
    """A break's side: the state by its name, times in local form, the rest with the name of the field."""
    words = []
    for name, value in held.items():
        if name == "state":
            words.append(say.state(value))
        elif name == "reason":
            words.append(str(value))
        elif name != "state_at":  # when the state began says little beside the state itself
            words.append(f"{say.field(name)} {say.value(value)}")
    return ", ".join(words) or say("nothing")
