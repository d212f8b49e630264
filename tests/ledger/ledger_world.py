"""A small world around one test's ledger: makes dossiers, stores pages, plays a worker and a target."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine, text

from ledger.delivery import claim, expand_feed, mark_sending, settle
from ledger.intake import start_pull, store_page
from ledger.sealing import Sealer
from ledger.types import (
    Claimed,
    PageCounts,
    PageIntake,
    Phase,
    Problem,
    PullMode,
    SettleCounts,
    Settled,
    Settlement,
)
from schemas.dossier import Dossier

T0 = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
TABLES = (
    "rating, report, target_gate, feed_calls, sent_again, delivery_lease, "
    "break_, reconcile_run, doubtful_send, delivery_attempt, delivery, target_feed, dossier_step, dossier_alias, "
    "disappeared, dossier_reading, dossier, quarantine, pull_cursor, page_archive, pull_page, pull_run, inbox, "
    "inbox_tally, announced, catalogue_pull, catalogue_entry, ledger_cluster, ledger_key"
)

# Of this database alone: the server is shared with the tests of other workers.
ADVISORY_LOCKS = (
    "FROM pg_locks WHERE locktype = 'advisory' "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


def at(hours: float) -> datetime:
    """A time of the small world: ``hours`` after its beginning."""
    return T0 + timedelta(hours=hours)


def dossier(code: str = "H12.1-0001", state: int = 4, hours: float = 0, **changes: Any) -> Dossier:
    """A dossier that entered ``state`` and was changed at ``at(hours)``."""
    record = {
        "code": code,
        "source_id": f"id of {code}",
        "procedure_code": "1.001612",
        "agency_code": "H12.1",
        "channel": 2,
        "subject_kind": 1,
        "state": state,
        "state_at": at(hours),
        "changed_at": at(hours),
        "applicant": {"name": "Nguyễn Văn Thử", "identity_kind": 1, "identity_number": "001099000001"},
    }
    return Dossier.model_validate(record | changes)


def problem(index: int = 0, key: str | None = "K1", native: bytes = b"<hoSo/>", **changes: Any) -> Problem:
    """A record that its mapping refused."""
    given: dict[str, Any] = {
        "stage": "mapping",
        "field": "state",
        "rule": "known code",
        "message": "code 77 is unknown",
    }
    return Problem(index=index, record_key=key, native=native, **(given | changes))


@dataclass
class World:
    """One empty ledger."""

    engine: Engine
    sealer: Sealer
    owner: UUID = field(default_factory=uuid4)
    _numbers: Any = field(default_factory=count)
    _runs: dict[str, UUID] = field(default_factory=dict)

    def run(self, system: str = "gplx") -> UUID:
        """This world's open run of a system."""
        if system not in self._runs:
            self._runs[system] = self.new_run(system)
        return self._runs[system]

    def new_run(self, system: str = "gplx") -> UUID:
        """Another run of the same system."""
        return start_pull(self.engine, system=system, mode=PullMode.INCREMENTAL, window=None, started_by="test")

    def page(self, *dossiers: Dossier, system: str = "gplx", **changes: Any) -> PageIntake:
        """A page with a number of its own."""
        problems: Sequence[Problem] = changes.get("problems", ())
        number = next(self._numbers)
        given: dict[str, Any] = {
            "run_id": changes.get("run_id") or self.run(system),
            "system": system,
            "precedence": 10,
            "number": number,
            "raw": f"page {number}".encode(),
            "media_type": "application/json",
            "fetched_at": at(1000),
            "fetched": len(dossiers) + len(problems),
            "dossiers": dossiers,
            "problems": problems,
            "cursor": None,
            "mapping_version": "1",
        }
        return PageIntake(**(given | changes))

    def store(self, *dossiers: Dossier, **changes: Any) -> PageCounts:
        """Store a page of these dossiers."""
        return store_page(self.engine, self.sealer, self.page(*dossiers, **changes))

    def rows(self, statement: str, **parameters: Any) -> list[Any]:
        """Rows of a query."""
        with self.engine.connect() as connection:
            return list(connection.execute(text(statement), parameters))

    def value(self, statement: str, **parameters: Any) -> Any:
        """The one value of a query."""
        with self.engine.connect() as connection:
            return connection.execute(text(statement), parameters).scalar_one()

    def execute(self, statement: str, **parameters: Any) -> int:
        """Change the database behind the ledger's back; returns how many rows."""
        with self.engine.begin() as connection:
            return connection.execute(text(statement), parameters).rowcount

    def steps(self, code: str = "H12.1-0001") -> list[tuple[int | None, int]]:
        """(step_no, state) of one dossier in order of time."""
        found = self.rows(
            "SELECT step_no, step.state FROM dossier_step step JOIN dossier ON dossier.id = dossier_id "
            "WHERE code = :code ORDER BY at, step_no",
            code=code,
        )
        return [tuple(row) for row in found]

    # --- a worker ---

    def feed(self, target: str = "npsp") -> int:
        """Expand the feed to its end."""
        made_due = 0
        while more := expand_feed(self.engine, target):
            made_due += more
        return made_due

    def claim(self, target: str = "npsp", limit: int = 1000, lease_s: float = 60, **changes: Any) -> list[Claimed]:
        """Claim as this world's worker, after expanding the feed."""
        self.feed(target)
        owner = changes.get("owner", self.owner)
        return claim(self.engine, self.sealer, target, owner=owner, limit=limit, lease_s=lease_s)

    def mark(self, claimed: Claimed, phase: Phase = Phase.DOSSIER, target: str = "npsp", lease_s: float = 60) -> bool:
        """Write the intent to send; True when it is still ours."""
        message = (claimed.dossier_id, claimed.version, claimed.last_step if phase is Phase.STEP else 0)
        return mark_sending(self.engine, target, owner=self.owner, lease_s=lease_s, phase=phase, messages=[message])

    def settle(self, claimed: Claimed, outcome: Settled, target: str = "npsp", **changes: Any) -> SettleCounts:
        """Settle one message."""
        return settle(self.engine, target, [settlement(claimed, outcome, **changes)], owner=self.owner)

    def deliver(self, target: str = "npsp") -> None:
        """Everything that is due is accepted, dossier and steps."""
        while batch := self.claim(target):
            for phase in Phase:
                told = [settlement(each, Settled.ACCEPTED, phase, hold=phase is Phase.DOSSIER) for each in batch]
                settle(self.engine, target, told, owner=self.owner)

    def delivery(self, code: str = "H12.1-0001", target: str = "npsp") -> Any:
        """The delivery row of one dossier."""
        (row,) = self.rows(
            "SELECT delivery.* FROM delivery JOIN dossier ON dossier.id = dossier_id "
            "WHERE code = :code AND target = :target",
            code=code,
            target=target,
        )
        return row


def settlement(claimed: Claimed, outcome: Settled, phase: Phase = Phase.DOSSIER, **changes: Any) -> Settlement:
    """A settlement of what was claimed: the whole dossier, or all its steps."""
    given: dict[str, Any] = {
        "dossier_id": claimed.dossier_id,
        "token": claimed.token,
        "phase": phase,
        "outcome": outcome,
        "version": claimed.version,
        "step": claimed.last_step if phase is Phase.STEP else 0,
    }
    return Settlement(**(given | changes))
