"""Comparing what a target says it holds with what we hold. Never our own delivery record with itself.

The target's rows are streamed into a temporary table, and one statement on one snapshot puts each dossier into
exactly one class. The sums of the classes are stored with CHECK constraints that hold them against both sides, each
counted by itself. A break is opened when a comparison finds it and closed when a later one, in whose scope it lies,
finds it gone; that a cure was sent closes nothing.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import orjson
import psycopg
from sqlalchemy import Engine, text

from ledger import life, reconcile_sql
from ledger.engine import loss_explained, reading
from ledger.locks import session_lock
from ledger.types import (
    BreakKind,
    BreakRow,
    BreakStatus,
    Comparison,
    CountComparison,
    CountRow,
    HealResult,
    HeldRow,
    Scope,
    StepTotals,
)
from schemas.identifiers import dossier_short, procedure_stem
from schemas.times import with_zone

_INSTANTS = ("received_at", "due_at", "finished_at")
_DOSSIER_KINDS = tuple(kind for kind in BreakKind if kind is not BreakKind.COUNT_MISMATCH)
_TOTALS = ("settled", "in_flight", "doubtful", "doubled")
_PIECE = 10_000


class Reconciliation:
    """One run against one target. Load, compare, heal, finish, in this order; made by ``open_reconcile``."""

    def __init__(
        self, connection: psycopg.Connection, *, target: str, method: str, as_of: datetime, grace_s: float
    ) -> None:
        self.run_id: UUID = uuid4()
        self.target = target
        self.as_of = as_of
        self.finished = False
        self._connection = connection
        self._settled_by = as_of - timedelta(seconds=grace_s)
        life.notice_on(connection)
        connection.execute(reconcile_sql.MARK_INTERRUPTED_RUNS, [target])
        connection.execute(reconcile_sql.START_RUN, [self.run_id, target, method, as_of, math.ceil(grace_s)])
        connection.execute(reconcile_sql.DROP_STAGES)
        connection.execute(reconcile_sql.CREATE_STAGE)

    def load(self, rows: Iterable[HeldRow]) -> int:
        """Take over what the target says; may be called many times. Returns how many rows came."""
        count = 0
        with self._connection.cursor() as cursor, cursor.copy(reconcile_sql.COPY_HELD) as copy:
            for row in rows:
                fields = orjson.dumps(held_fields(row.fields)).decode() if row.fields else "{}"
                copy.write_row((_canonical_code(row.code), row.found, row.state, fields))
                count += 1
        return count

    def compare(self, scope: Scope) -> Comparison:
        """Put each dossier into its class, open and close breaks, keep when each was verified.

        ``Scope.ALL``: the loaded rows are everything the target holds, so what is not among them is missing there.
        ``Scope.ASKED``: only the loaded codes are judged.
        """
        keys = {
            "target": self.target,
            "run_id": self.run_id,
            "as_of": self.as_of,
            "settled_by": self._settled_by,
            "scope": str(scope),
        }
        connection = self._connection
        connection.execute(reconcile_sql.ANALYZE_HELD)
        with connection.transaction():
            connection.execute(reconcile_sql.ONE_SNAPSHOT)
            statement = reconcile_sql.COMPARE_ALL if scope is Scope.ALL else reconcile_sql.COMPARE_ASKED
            connection.execute(statement, keys)
            connection.execute(reconcile_sql.DESCRIBE_BREAKS, keys)
            counted = connection.execute(reconcile_sql.COUNT_CLASSES, keys).fetchone()
        assert counted is not None, "the run's own row is there"
        connection.execute(reconcile_sql.INDEX_COMPARED)
        connection.execute(reconcile_sql.ANALYZE_COMPARED)
        with connection.transaction():
            (opened,) = connection.execute(reconcile_sql.COUNT_OPENED, keys).fetchone() or (0,)
            connection.execute(reconcile_sql.RECORD_BREAKS, keys)
            closed = connection.execute(reconcile_sql.CLOSE_BREAKS, keys).rowcount
            connection.execute(reconcile_sql.KEEP_OPENED_AND_CLOSED, [opened, closed, self.run_id])
        self._keep_verified()
        ours, theirs, matched, in_flight, *breaks = counted
        return Comparison(
            ours=ours,
            theirs=theirs,
            matched=matched,
            in_flight=in_flight,
            breaks=dict(zip(_DOSSIER_KINDS, breaks, strict=True)),
        )

    def heal(self, limit: int, share: float, few: int = 0) -> HealResult:
        """Make what this run found missing, stale or different due again, corrections first.

        At most ``limit`` dossiers and at most ``share`` (0 to 1) of the target's dossiers: when more are broken, the
        cause is likelier a wrong mapping than many accidents; nothing is healed and all of them wait for a person.
        Up to ``few`` are never too many for the share. Of a ledger that has woken up, what a system that was not read
        since has told of waits, and of one that was restored everything: the target may know better (``life.py``).
        """
        with self._connection.transaction():
            is_behind, unread = self._connection.execute(reconcile_sql.FIND_UNREAD).fetchone() or (False, [])
            keys = {"target": self.target, "run_id": self.run_id, "is_behind": is_behind, "unread": unread}
            counted = self._connection.execute(reconcile_sql.COUNT_CURABLE, keys).fetchone()
            curable, waiting, held = counted or (0, 0, 0)
            healed, held_back = 0, 0
            if curable > min(limit, max(few, math.ceil(share * held))):
                held_back = curable
            elif curable:
                healed = self._connection.execute(reconcile_sql.HEAL, keys).rowcount
            self._connection.execute(reconcile_sql.KEEP_HEALED, [healed, held_back, self.run_id])
        return HealResult(healed=healed, held_back=held_back, waiting=waiting)

    def finish(self, error: str | None) -> None:
        """Close the run as succeeded, or as failed with ``error`` (words for people, no personal data)."""
        self._connection.execute(reconcile_sql.FINISH_RUN, {"run_id": self.run_id, "error": error})
        self.finished = True

    def _keep_verified(self) -> None:
        after: int | None = 0
        while after is not None:
            keys = {"target": self.target, "as_of": self.as_of, "after": after, "limit": _PIECE}
            row = self._connection.execute(reconcile_sql.KEEP_VERIFIED, keys).fetchone()
            after = row[0] if row else None

    def _record_buckets(self, rows: Sequence[CountRow]) -> CountComparison:
        wrong = [row for row in rows if not _agrees(row)]
        right = [row.bucket for row in rows if _agrees(row)]
        with self._connection.transaction():
            self._connection.execute(
                reconcile_sql.RECORD_COUNT_BREAKS,
                {
                    "target": self.target,
                    "run_id": self.run_id,
                    "as_of": self.as_of,
                    "keys": [row.bucket for row in wrong],
                    "ours": [orjson.dumps(row.ours).decode() for row in wrong],
                    "theirs": [orjson.dumps({"count": row.theirs}).decode() for row in wrong],
                },
            )
            self._connection.execute(reconcile_sql.CLOSE_COUNT_BREAKS, [self.target, right])
            self._connection.execute(reconcile_sql.KEEP_BUCKETS, [len(right), len(wrong), self.run_id])
        return CountComparison(buckets=len(rows), matched=len(right), mismatched=len(wrong))


@contextmanager
def open_reconcile(
    engine: Engine, target: str, *, method: str, as_of: datetime, grace_s: float
) -> Iterator[Reconciliation]:
    """Start a reconciliation; raises ``AlreadyRunning`` when this target is being reconciled elsewhere.

    ``as_of``: when the target began to answer. What changed or was sent after ``as_of - grace_s`` is in flight. A run
    that ends by an exception, or is never finished, is marked as failed: it is never "no breaks".
    """
    with loss_explained(), session_lock(engine, "reconciliation of", target) as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        run = Reconciliation(raw, target=target, method=method, as_of=as_of, grace_s=grace_s)
        try:
            yield run
        except BaseException as error:
            if not run.finished and not raw.broken:
                run.finish(f"ended by {type(error).__name__}")
            raise
        finally:
            if not raw.broken:
                raw.execute(reconcile_sql.DROP_STAGES)
        if not run.finished:
            run.finish("ended without being finished")


def record_count_breaks(reconciliation: Reconciliation, rows: Sequence[CountRow]) -> CountComparison:
    """Compare numbers per bucket, for targets that only count; opens and closes ``count_mismatch`` breaks.

    A bucket agrees when its number lies between what is surely there and that plus what may be there.
    """
    return reconciliation._record_buckets(rows)


def due_for_lookup(engine: Engine, target: str, limit: int) -> list[str]:
    """Codes to ask the target about: changed since verified, then never verified, then verified longest ago."""
    with reading(engine) as connection:
        parameters = {"target": target, "limit": limit}
        return list(connection.execute(text(reconcile_sql.DUE_FOR_LOOKUP), parameters).scalars())


def step_totals(engine: Engine, target: str) -> dict[int, StepTotals]:
    """How many numbered steps per national state the target must have, may have, may have twice, or never tells."""
    with reading(engine) as connection:
        rows = connection.execute(text(reconcile_sql.STEP_TOTALS), {"target": target}).mappings()
        return {row["state"]: StepTotals(**{name: row[name] for name in _TOTALS}) for row in rows}


def dossier_totals(engine: Engine, target: str) -> StepTotals:
    """How many dossiers the target must know by their steps, may know, or may have been told of in doubt."""
    with reading(engine) as connection:
        row = connection.execute(text(reconcile_sql.DOSSIER_TOTALS), {"target": target}).one()
    return StepTotals(settled=row.settled, in_flight=row.in_flight, doubtful=row.doubtful)


def open_breaks(engine: Engine, target: str | None) -> list[BreakRow]:
    """Breaks that are not closed, oldest first; of all targets when ``target`` is None."""
    with reading(engine) as connection:
        rows = connection.execute(text(reconcile_sql.OPEN_BREAKS), {"target": target}).mappings()
        return [
            BreakRow(**{**row, "kind": BreakKind(row["kind"]), "status": BreakStatus(row["status"])}) for row in rows
        ]


def held_fields(fields: Mapping[str, str]) -> dict[str, str | None]:
    """A target's fields in the form they are compared in: instants in UTC to the second, procedures by their stem.

    What cannot be read stays as it is written, and so differs from ours.
    """
    compared: dict[str, str | None] = {}
    for name, value in fields.items():
        if name in _INSTANTS:
            compared[name] = _instant(value)
        elif name == "procedure_code":
            compared[name] = _or_as_it_is(procedure_stem, value)
    return compared


def _instant(value: str) -> str | None:
    if not value:
        return None
    try:
        moment = with_zone(datetime.fromisoformat(value))
    except ValueError:
        return value
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _canonical_code(code: str) -> str:
    return _or_as_it_is(dossier_short, code)


def _or_as_it_is(convert: Callable[[str], str], value: str) -> str:
    try:
        return convert(value)
    except ValueError:
        return value


def _agrees(row: CountRow) -> bool:
    return row.ours.settled <= row.theirs <= row.ours.most
