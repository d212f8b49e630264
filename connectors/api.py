"""The contract between connectors and the use cases: pages come in, verdicts come out.

A *source* yields pages of native records and never judges them. A *target* gives exactly one verdict for every item
it was handed, whatever happened on the wire; it never raises for something that concerns single items.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from schemas.report import ReportKind


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time to pull, ``start`` inclusive, ``end`` exclusive; both carry a zone."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a source: the bytes as they came, and the native records found in them.

    ``raw`` and ``media_type`` alone give the records again, long after: see ``connectors.factory.reread``. Where a page
    is made of several answers they are bundled: see ``connectors.archived``.
    ``cursor`` is the position that is safe once this page is stored; ``None`` means that the cursor stays.
    ``after_store`` is called once the page is durable, by the thread that stored it: a queue's acknowledgement, a
    file's way to the archive. It shares no client with the thread that reads. When it raises, the run fails and the
    same records come again, which does no harm.
    ``completes`` on the last page of a snapshot: the pages of this pull together are all that the system holds.
    ``told_at``: when the first of its records reached us, where that was before the page was fetched.
    """

    number: int
    raw: bytes
    media_type: str
    records: Sequence[Mapping[str, Any]]
    fetched_at: datetime
    cursor: str | None
    after_store: Callable[[], None] | None = None
    completes: bool = False
    told_at: datetime | None = None


class Outcome(StrEnum):
    """What became of one item at a target."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"  # the target holds it already; nothing was written
    REJECTED = "rejected"  # refused for good: a person must act
    RETRY = "retry"  # surely not applied: may be sent again
    IN_DOUBT = "in_doubt"  # may or may not have been applied: ask before sending again


@dataclass(slots=True)  # not frozen, as verdicts are not: by the thousand a second, that costs several times as much
class Item:
    """One message to a target. ``key`` names it in verdicts; ``known``: the target once acknowledged the dossier.

    ``held_as``: the code under which the target holds the dossier, or is likely to, where that is not the one that the
    payload carries. ``notice``: of a step, what it is told as to a target on which the dossier was filed.
    """

    key: str
    code: str
    payload: Mapping[str, Any]
    known: bool = False
    held_as: str | None = None
    notice: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Verdict:
    """The outcome of one item, with a reason fit for people: no payload, no personal data.

    ``held_as``, of an accepted dossier: the other code under which it is held there; ``None``: its own.
    """

    key: str
    outcome: Outcome
    reason: str = ""
    retry_after_s: float | None = None
    held_as: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What a target says it holds of one dossier. ``state`` in national codes, ``None`` when it cannot be told.

    ``held_as``: the other code under which it was found; ``None``: the one we send it under.
    """

    code: str
    state: int | None
    fields: Mapping[str, str] = field(default_factory=dict)
    held_as: str | None = None


class Catalogue(StrEnum):
    """What a target may publish: the codes that it knows."""

    PROCEDURE = "procedure"
    AGENCY = "agency"
    FIELD = "field"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One published code, as the target writes it, with its name and what it belongs to."""

    code: str
    name: str
    parent: str | None = None


class CheckStatus(StrEnum):
    """Result of one check of a connector."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line of ``hosync check``: what was tried, how it went, and what to do when it failed."""

    name: str
    status: CheckStatus
    detail: str
    fix: str = ""


class Source(Protocol):
    """A sector system that dossiers are pulled from. Used by one thread."""

    def pull(
        self, *, window: Window | None, cursor: str | None, open_codes: Sequence[str], now: datetime
    ) -> Iterator[Page]:
        """Yield pages in order. ``window=None`` means: what is new since ``cursor``.

        ``open_codes`` are dossiers that we hold and that are not at their end, for systems that must be asked, or told,
        about single ones: the source's own ids of its own (``refresh_open``), or the dossier codes, in short form, of
        what others brought (``open_list``). Raises ``connectors.errors.ConnectorError`` when a page is broken
        or the system can't be reached; pages yielded before stay good.
        """
        ...

    def check(self) -> list[CheckResult]:
        """Try connection, sign-in and one small read; never raises for what it finds."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


class GivesCatalogues(Protocol):
    """What a target offers beside the rest whose catalog entry has ``catalogues``."""

    def catalogue(self, kind: Catalogue) -> list[CatalogueEntry]:
        """Everything of one kind that it publishes. Raises ConnectorError."""
        ...


class TakesReports(Protocol):
    """What a target offers beside the rest whose catalog entry has ``reports``."""

    def send_report(self, kind: ReportKind, report: Item) -> Verdict:
        """Send one report; ``report.known``: it was sent before, and nobody knows whether it arrived."""
        ...


class Target(Protocol):
    """A system that dossiers are pushed to. Used by one thread."""

    def send_dossiers(self, items: Sequence[Item]) -> list[Verdict]:
        """Send dossier records; one verdict per item, in any order."""
        ...

    def send_steps(self, items: Sequence[Item]) -> list[Verdict]:
        """Send processing steps; items of one dossier are in order and stay so."""
        ...

    def lookup(self, code: str, others: Sequence[str] = ()) -> Held | None:
        """What the target holds of one dossier, ``None`` when it holds nothing. Raises ConnectorError.

        ``others``: more codes under which it may be held there; only where the catalog says ``other_codes``.
        """
        ...

    def listing(self) -> Iterator[Held]:
        """Everything the target holds, streamed. Raises ConnectorError: a cut listing is an error, never shorter."""
        ...

    def counts(self) -> Mapping[str, int]:
        """How much the target holds, per bucket. Raises ConnectorError."""
        ...

    def check(self) -> list[CheckResult]:
        """Try connection and sign-in; never raises for what it finds."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...
