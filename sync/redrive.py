"""Records set aside are mapped again: after a mapping was mended, or a dossier's home has told of it.

A record that now becomes a dossier enters the ledger as old as it is, by the time at which its system told it, so it
never covers anything newer. One that still cannot be understood stays where it is, with the reason of today.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict

import mappings
from ledger import intake
from ledger.quarantine import UNKNOWN_DOSSIER, SetAside, open_by_mapping, set_aside
from ledger.types import PageIntake, Problem, PullMode
from sync.context import now

if TYPE_CHECKING:
    from datetime import datetime

    from connectors.catalog_models import SourceEntry
    from sync.context import Context

_BATCH = 500


class RedriveReport(BaseModel):
    """What became of the records of one system: ``tried = new + changed + unchanged + stale + still_set_aside``.

    ``reasons`` counts those still set aside by field and rule.
    """

    model_config = ConfigDict(frozen=True)

    system: str
    tried: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    stale: int = 0
    still_set_aside: int = 0
    reasons: Mapping[str, int] = {}


def hopeful(context: Context, *, everything: bool = False) -> list[str]:
    """The systems with records that may be understood by now: their mapping has changed, or they wait for a home.

    ``everything``: all systems with records set aside.
    """
    found = []
    for row in open_by_mapping(context.engine):
        if row.system in found or row.system not in {entry.system for entry in context.catalog.sources}:
            continue
        entry = context.catalog.source(row.system)
        current = mappings.load(entry.mapping, mappings.Direction.SOURCE).version
        if everything or row.mapping_version != current or row.rule == UNKNOWN_DOSSIER:
            found.append(row.system)
    return found


def redrive(
    context: Context, system: str, *, started_by: str, rule: str | None = None, only_known: bool = False
) -> RedriveReport:
    """Map every open record of ``system`` again, of one rule or of all, and store what becomes of it.

    ``only_known``: only those that name a dossier in the ledger.
    Safe to repeat and to interrupt. Raises what a pull raises of the ledger and the mapping, ``AlreadyRunning`` when
    another process does the same.
    """
    entry = context.catalog.source(system)
    mapping = mappings.load(entry.mapping, mappings.Direction.SOURCE)
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with intake.system_lock(context.engine, f"{system} redrive"):
        run_id: UUID | None = None
        pages = enumerate(_pages(context, system, rule, only_known=only_known), start=1)
        try:
            for number, (told_at, rows) in pages:
                run_id = run_id or intake.start_pull(
                    context.engine, system=system, mode=PullMode.REDRIVE, window=None, started_by=started_by
                )
                page, problems = _mapped_again(entry, mapping, run_id, number, told_at, rows)
                stored = intake.store_page(context.engine, context.sealer, page)
                reasons.update(f"{problem.field} {problem.rule}" for problem in problems)
                counts.update(
                    tried=stored.fetched,
                    new=stored.new,
                    changed=stored.changed,
                    unchanged=stored.unchanged,
                    stale=stored.stale,
                    still_set_aside=stored.quarantined,
                )
        except BaseException as error:
            if run_id is not None:
                intake.finish_pull(context.engine, run_id, error=f"stopped by {type(error).__name__}")
            raise
        if run_id is not None:
            intake.finish_pull(context.engine, run_id, error=None)
    return RedriveReport(system=system, reasons=dict(reasons.most_common()), **counts)


def _pages(
    context: Context, system: str, rule: str | None, *, only_known: bool
) -> Iterator[tuple[datetime, Sequence[SetAside]]]:
    """The open records in batches that were told at one moment."""
    after = 0
    while rows := set_aside(
        context.engine, context.sealer, system, limit=_BATCH, after=after, rule=rule, only_known=only_known
    ):
        after = rows[-1].quarantine_id
        for told_at, together in groupby(sorted(rows, key=lambda row: row.fetched_at), lambda row: row.fetched_at):
            yield told_at, list(together)


def _mapped_again(
    entry: SourceEntry,
    mapping: mappings.Mapping,
    run_id: UUID,
    number: int,
    told_at: datetime,
    rows: Sequence[SetAside],
) -> tuple[PageIntake, Sequence[Problem]]:
    records = [orjson.loads(row.native) for row in rows]
    validated = mappings.validate_page(mapping, records)
    problems = [
        Problem(
            index=problem.index,
            record_key=mapping.key_of(records[problem.index]),
            native=rows[problem.index].native,
            stage=problem.stage,
            field=problem.field,
            rule=problem.rule,
            message=problem.message,
        )
        for problem in validated.bad
    ]
    page = PageIntake(
        run_id=run_id,
        system=entry.system,
        precedence=entry.precedence,
        number=number,
        raw=b"[" + b",".join(row.native for row in rows) + b"]",
        media_type="application/json",
        fetched_at=told_at,
        fetched=len(records),
        dossiers=[dossier for _, dossier in validated.dossiers],
        ratings=[rating for _, rating in validated.ratings],
        problems=problems,
        cursor=None,
        mapping_version=mapping.version,
        redriven=[rows[index].quarantine_id for index, _ in validated.good],
        natives=[rows[index].native for index, _ in validated.good],
        told_at=now(),  # only from now on it could be delivered
    )
    return page, problems
