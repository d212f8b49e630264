"""Everything that goes into the ledger and comes out of it, as frozen dataclasses and enums.

Times are aware datetimes. ``code`` is always the canonical dossier code (short agency form).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from schemas.dossier import Dossier, Progress
from schemas.rating import Rating


class PullMode(StrEnum):
    """Why a pull reads what it reads."""

    INCREMENTAL = "incremental"
    WINDOW = "window"
    FULL = "full"
    REDRIVE = "redrive"  # nothing is read: records set aside are mapped again


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A native record that could not become a dossier, or progress of one. ``message`` must hold no personal data.

    ``record_key`` is the source's own id or the dossier code, where it could be read: a later good record with that
    source_id, code or national_code closes the quarantine row.
    """

    index: int
    record_key: str | None
    native: bytes
    stage: Literal["mapping", "schema"]
    field: str
    rule: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageIntake:
    """One fetched page, mapped and validated: ``fetched`` must equal dossiers + ratings + problems.

    ``raw`` is archived as it is. ``number`` names the page within its run: the same number with the same bytes is
    the same page and is stored once. ``cursor`` moves with the page; ``None`` leaves it. ``redriven``: the quarantine
    row that each of the dossiers (or ratings) comes from, closed in the same transaction once it is in the ledger.
    ``natives``: the native record of each of the ``dossiers``, needed where they are progress, which waits in
    quarantine until its dossier is known. ``told_at``: since when what the page tells could be seen, where that is
    before it was fetched (a call that waited in the inbox). ``only_news``: a page that merely repeats what is kept
    already is counted and its cursor moves, but it is not kept again.
    """

    run_id: UUID
    system: str
    precedence: int
    number: int
    raw: bytes = field(repr=False)
    media_type: str
    fetched_at: datetime
    fetched: int
    dossiers: Sequence[Dossier | Progress] = field(repr=False)
    problems: Sequence[Problem] = field(repr=False)
    cursor: str | None
    mapping_version: str
    ratings: Sequence[Rating] = ()
    redriven: Sequence[int] | None = None
    natives: Sequence[bytes] = field(default=(), repr=False)
    told_at: datetime | None = None
    only_news: bool = False

    def __post_init__(self) -> None:
        """Raise ``ValueError`` for progress without its records."""
        if len(self.natives) != len(self.dossiers) and any(isinstance(each, Progress) for each in self.dossiers):
            raise ValueError("progress is stored with its native records: give one of natives for each")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageCounts:
    """The equation of promise 1: ``fetched = new + changed + unchanged + stale + quarantined``."""

    fetched: int
    new: int
    changed: int
    unchanged: int
    stale: int
    quarantined: int


class Phase(StrEnum):
    """The two kinds of message a target gets."""

    DOSSIER = "dossier"
    STEP = "step"


class DeliveryState(StrEnum):
    """Where one dossier stands on its way to one target."""

    IDLE = "idle"  # everything wanted is acknowledged
    DUE = "due"  # something is to be sent, at due_at or later
    LEASED = "leased"  # a worker has it
    DOUBT = "doubt"  # something was sent and nobody knows what became of it
    DEAD = "dead"  # refused for good, or given up after too many failures; a newer version or a person revives it


class Settled(StrEnum):
    """What became of one message, as the worker knows it."""

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    REJECTED = "rejected"
    RETRY = "retry"
    IN_DOUBT = "in_doubt"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """A message that was sent without a known outcome. ``step`` is the last step of that call, 0 for a dossier."""

    phase: Phase
    version: int
    step: int
    since: datetime


@dataclass(slots=True, kw_only=True)  # not frozen: by the thousand a second, that costs three times as much to make
class Claimed:
    """One dossier leased to one worker for one target.

    ``dossier`` is the canonical record with ``version``; ``steps`` are the outgoing steps numbered above
    ``acked_step``, in order (none, where they were not asked for). ``known`` says that the target acknowledged the
    dossier, or was found to hold it when asked, and no reconciliation has found it missing since; ``held_as``, under
    which other code. ``doubt`` set: ask the target before anything is sent.
    ``unsure``: the ledger was restored and nothing was sent since, so the target may have been told of the ``steps``.
    """

    dossier_id: int
    code: str
    token: int
    version: int
    acked_version: int
    acked_step: int
    last_step: int
    acked_fingerprint: bytes | None
    known: bool
    held_as: str | None
    unsure: bool
    attempts: int
    doubt: Doubt | None
    dossier: dict[str, Any] = field(repr=False)
    steps: list[dict[str, Any]] = field(repr=False)


@dataclass(slots=True, kw_only=True)  # not frozen: by the thousand a second, that costs three times as much to make
class Settlement:
    """The outcome of one message.

    ``step`` is the last step of that call, 0 for a dossier. ``delay_s`` is how long to wait before the next try
    (retry, in_doubt). ``hold`` keeps the lease after acceptance, for a worker that goes on
    with the steps of the same dossier at once. ``passes``: what the target is never told of this dossier, and so owes
    no acknowledgement of: with a dossier message its last step, with a step its version.
    """

    dossier_id: int
    token: int
    phase: Phase
    outcome: Settled
    version: int
    step: int
    fingerprint: bytes | None = None
    reason: str = ""
    delay_s: float = 0.0
    hold: bool = False
    passes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When a record that fails again and again is given up: after ``strikes`` failures, or the first after
    ``longest_s`` seconds of failing. Only failures while the target takes other records count; where it takes none,
    the first after ``alone_s`` seconds ends it.
    """

    strikes: int = 25
    longest_s: float = 3 * 86400.0
    alone_s: float = 30 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SettleCounts:
    """Messages settled, by outcome; ``lost`` = their lease had gone to another worker and nothing was changed."""

    accepted: int = 0
    unchanged: int = 0
    rejected: int = 0
    retry: int = 0
    in_doubt: int = 0
    given_up: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How many dossiers wait for a target, and when something next becomes possible."""

    due: int
    due_later: int
    leased: int
    doubt: int
    dead: int
    next_due_at: datetime | None


class Scope(StrEnum):
    """What a reconciliation looked at: everything the target holds, or only the dossiers it was asked about."""

    ALL = "all"
    ASKED = "asked"


class BreakKind(StrEnum):
    """How we and a target disagree about one dossier (or one bucket of counts)."""

    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    MISSING_AT_TARGET = "missing_at_target"
    UNKNOWN_TO_US = "unknown_to_us"
    STALE_AT_TARGET = "stale_at_target"
    MISMATCH = "mismatch"
    COUNT_MISMATCH = "count_mismatch"


class BreakStatus(StrEnum):
    """A break closes only when a later comparison finds it gone, never because a cure was sent."""

    OPEN = "open"
    HEALING = "healing"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRow:
    """What a target says of one dossier; ``found=False`` = it was asked and holds nothing.

    ``fields`` may name received_at, due_at, finished_at (ISO 8601 with zone) and procedure_code; only the named ones
    are compared. ``state`` is national; ``None`` = the target's state cannot be read, which is a mismatch.
    """

    code: str
    found: bool
    state: int | None
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One comparison; each dossier is in exactly one class and the sums prove it.

    ``ours`` = matched + in_flight + breaks on our side; ``theirs`` counts the target's rows.
    """

    ours: int
    theirs: int
    matched: int
    in_flight: int
    breaks: Mapping[BreakKind, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealResult:
    """``healed`` deliveries were made due again; ``held_back`` wait for a person because a limit was reached.

    ``waiting``: the ledger has woken up, and what the target shows may be newer than what was read since.
    """

    healed: int
    held_back: int
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTotals:
    """Numbered steps in one national state: surely at the target, on their way, and given up in doubt.

    Steps of a dossier whose delivery was rejected are in none of the three until it is revived. ``doubled``: how many
    more than that may be there, because steps in doubt were sent again.
    """

    settled: int
    in_flight: int
    doubtful: int
    doubled: int = 0

    @property
    def most(self) -> int:
        """How many the target may hold; it must hold ``settled``."""
        return self.settled + self.in_flight + self.doubtful + self.doubled


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRow:
    """One bucket of a count comparison: what we can prove, what may or may not have arrived, and their number."""

    bucket: str
    ours: StepTotals
    theirs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountComparison:
    """How many buckets agree (their number lies between what is settled and what may have arrived)."""

    buckets: int
    matched: int
    mismatched: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakRow:
    """One break as people see it. ``ours`` and ``theirs`` hold states, times and codes, never personal data."""

    break_id: int
    target: str
    kind: BreakKind
    key: str
    code: str | None
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any]
    first_seen_at: datetime
    last_seen_at: datetime
    reopened: int
    status: BreakStatus
    closed_at: datetime | None
