"""What the target says it holds, against what we hold; never our own delivery log against itself.

How depends on what the target offers: its *listing* is streamed and joined whole; *lookup* asks about single
dossiers, the recently changed first, then the longest unverified, up to a limit; *counts* compares totals where a
target shows no more. A target that can't be read makes the run incomplete, never a run without breaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import BaseModel, ConfigDict

import mappings
from connectors.api import Held
from connectors.catalog_models import ReconcileMethod, TargetEntry
from connectors.errors import ConnectorError
from ledger import other_codes
from ledger import reconcile as books
from ledger.types import BreakKind, Comparison, CountComparison, CountRow, HeldRow, Scope
from sync.counting import count_rows
from sync.errors import IncompleteRun, SyncError
from sync.gate import Gate
from sync.pipeline import ahead
from sync.senders import Senders
from sync.woken import Woken, woken

if TYPE_CHECKING:
    from datetime import datetime

    from sync.context import Context

_ASK_AT_ONCE = 500
_DOSSIERS = "dossiers"  # the bucket in which a target counts dossiers instead of steps


class ReconcileReport(BaseModel):
    """One comparison in numbers. ``breaks`` counts by kind; what was healed is compared again by the next run.

    ``waiting`` breaks are not healed yet, because the ledger has ``woken`` up and the target may know better.
    """

    model_config = ConfigDict(frozen=True)

    run_id: UUID
    target: str
    method: str
    ours: int
    theirs: int
    matched: int
    in_flight: int
    breaks: Mapping[str, int]
    healed: int
    held_back: int
    waiting: int = 0
    woken: Woken | None = None

    @property
    def open_breaks(self) -> int:
        """How many breaks this comparison found."""
        return sum(self.breaks.values())


def reconcile(
    context: Context, target: str, *, as_of: datetime, limit: int | None = None, heal: bool = True
) -> ReconcileReport:
    """Compare, book the breaks, and make what can be healed due again.

    Raises ``IncompleteRun`` when the target could not be read to the end (the run's record keeps the reason), and
    ``SyncError`` for a target that cannot be asked at all.
    """
    entry = context.catalog.target(target)
    method = entry.reconcile.method
    if not entry.is_compared:
        raise SyncError(
            f"{target} cannot be asked what it holds, so what was delivered there is never verified.",
            next_step="Set reconcile.method in its catalog entry once it can be asked.",
        )
    with (
        books.open_reconcile(
            context.engine, target, method=method.value, as_of=as_of, grace_s=entry.reconcile.grace_s
        ) as run,
        Gate(context.engine, entry, reads_only=True) as gate,
    ):
        try:
            match method:
                case ReconcileMethod.LISTING:
                    with closing(context.open_target(target, gate)) as connector, ahead(connector.listing()) as held:
                        run.load(_rows(held))
                    comparison = run.compare(Scope.ALL)
                case ReconcileMethod.LOOKUP:
                    run.load(_asked(context, entry, gate, limit))
                    comparison = run.compare(Scope.ASKED)
                case ReconcileMethod.COUNTS:
                    with closing(context.open_target(target, gate)) as connector:
                        theirs = connector.counts()
                    comparison = _compared(books.record_count_breaks(run, _counted(context, entry, theirs)))
        except ConnectorError as error:
            run.finish(error=str(error))
            raise IncompleteRun(
                f"{target}: the comparison is incomplete: {error}",
                next_step=f"Nothing was changed. Run `hosync check {target}`, then `hosync reconcile {target}` again.",
            ) from error
        rules = entry.reconcile
        healing = run.heal(rules.heal_limit, rules.heal_share, rules.heal_few) if heal else None
        run.finish(error=None)
    return ReconcileReport(
        run_id=run.run_id,
        target=target,
        method=method.value,
        ours=comparison.ours,
        theirs=comparison.theirs,
        matched=comparison.matched,
        in_flight=comparison.in_flight,
        breaks=comparison.breaks,
        healed=healing.healed if healing else 0,
        held_back=healing.held_back if healing else 0,
        waiting=healing.waiting if healing else 0,
        woken=woken(context.engine) if healing and healing.waiting else None,
    )


def _rows(held: Iterable[Held]) -> Iterator[HeldRow]:
    return (HeldRow(code=each.code, found=True, state=each.state, fields=each.fields) for each in held)


def _asked(context: Context, entry: TargetEntry, gate: Gate, limit: int | None) -> Iterator[HeldRow]:
    """Ask about every dossier that is due for verification; the first one without an answer ends the run."""
    codes = iter(books.due_for_lookup(context.engine, entry.system, limit or entry.reconcile.limit))
    with Senders(lambda: context.open_target(entry.system, gate), entry.concurrency, gate) as senders:
        while portion := list(islice(codes, _ASK_AT_ONCE)):
            others = other_codes.to_ask(context.engine, entry.system, portion) if entry.other_codes else {}
            found: dict[str, str | None] = {}
            for code, answer in senders.ask(portion, others):
                if isinstance(answer, ConnectorError):
                    raise answer
                if answer is not None and (answer.held_as or code in others):
                    found[code] = answer.held_as
                yield HeldRow(
                    code=code,
                    found=answer is not None,
                    state=answer.state if answer else None,
                    fields=answer.fields if answer else {},
                )
            if entry.other_codes:
                other_codes.keep_by_code(context.engine, entry.system, found)


def _counted(context: Context, entry: TargetEntry, theirs: Mapping[str, int]) -> list[CountRow]:
    rows = count_rows(
        books.step_totals(context.engine, entry.system),
        _buckets(entry),
        {bucket: count for bucket, count in theirs.items() if bucket != _DOSSIERS},
    )
    if _DOSSIERS in theirs:
        known = books.dossier_totals(context.engine, entry.system)
        rows.append(CountRow(bucket=_DOSSIERS, ours=known, theirs=theirs[_DOSSIERS]))
    return rows


def _buckets(entry: TargetEntry) -> Mapping[int, str]:
    """In which of the target's buckets a step in a national state is counted: the mapping's table ``status`` says."""
    table = mappings.load(entry.mapping, mappings.Direction.TARGET).tables["status"]
    return {int(state): f"status:{status}" for state, status in table.items()}


def _compared(counts: CountComparison) -> Comparison:
    """A comparison of buckets in the words of one of dossiers."""
    return Comparison(
        ours=counts.buckets,
        theirs=counts.buckets,
        matched=counts.matched,
        in_flight=0,
        breaks={BreakKind.COUNT_MISMATCH: counts.mismatched},
    )
