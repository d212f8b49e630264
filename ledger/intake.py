"""Taking in: runs, pages and cursors. ``store_page`` is the one transaction that promise 1 hangs on.

Everything a page brings is stored together or not at all: dossiers, steps, quarantine, archive, counters, cursor. So
a process may be killed at any point: on the next start the cursor still stands before the page.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg
from psycopg.errors import CheckViolation, DeadlockDetected, SerializationFailure, UniqueViolation
from sqlalchemy import Engine, text

from ledger import intake_sql, life, ratings
from ledger.archive import pack
from ledger.engine import Cursor, loss_explained, reading, transaction
from ledger.errors import (
    LedgerError,
    PageContended,
    PageRefused,
    RunSuperseded,
    UnknownRun,
    WrongDataKey,
)
from ledger.judging import Verdict
from ledger.locks import session_lock
from ledger.page_store import count, judge_page, only_repeats, write_page
from ledger.quarantine import Broken, broken, clashing, close_redriven, homeless, quarantine, resolve
from ledger.reading import Reading, read
from ledger.sealing import KEY_VARIABLE, Sealer
from ledger.snapshots import told_again
from ledger.types import PageCounts, PageIntake, PullMode
from schemas.identifiers import procedure_stem

_ATTEMPTS = 5


def start_pull(
    engine: Engine,
    *,
    system: str,
    mode: PullMode,
    window: tuple[datetime, datetime] | None,
    started_by: str,
    tells_once: bool = False,
) -> UUID:
    """Open a run, best under ``system_lock``; its counters grow with each page.

    A run of the same window that is still marked as running was killed, and is marked as interrupted.
    ``tells_once``: the system hands out each change only once.
    """
    run_id = uuid4()
    start, end = window or (None, None)
    with transaction(engine) as cursor:
        life.notice(cursor)
        parameters = {"run_id": run_id, "system": system, "mode": mode, "start": start, "end": end}
        cursor.execute(intake_sql.MARK_INTERRUPTED_WINDOW, parameters)
        cursor.execute(intake_sql.START_RUN, parameters | {"started_by": started_by, "tells_once": tells_once})
    return run_id


class Look(NamedTuple):
    """A look under way: the run that it adds to, and how many pages that run has already."""

    run_id: UUID
    pages: int


class NoLook(StrEnum):
    """Why there is nothing to look at."""

    NEVER_READ = "never read"  # a first load is the business of a pull
    FRESH = "fresh"  # somebody has just looked


def start_look(
    engine: Engine, *, system: str, started_by: str, fresh_s: float, tells_once: bool = False
) -> Look | NoLook:
    """Begin one of many small pulls, under ``system_lock``; ``finish_pull`` ends it like any other.

    The looks of one follower add up in one run an hour; after one that failed there is another run. A system that was
    read to the end within ``fresh_s`` seconds, or never, is not looked at.
    """
    with transaction(engine) as cursor:
        life.notice(cursor)
        was_read, is_fresh = cursor.execute(intake_sql.WAS_READ, {"system": system, "fresh_s": fresh_s}).fetchone() or (
            False,
            False,
        )
        if not was_read:
            return NoLook.NEVER_READ
        if is_fresh:
            return NoLook.FRESH
        keys = {"system": system, "started_by": started_by, "tells_once": tells_once}
        again = cursor.execute(intake_sql.LOOK_AGAIN, keys).fetchone()
        if again:
            return Look(*again)
        run_id = uuid4()
        cursor.execute(intake_sql.START_LOOKING, keys | {"run_id": run_id})
        return Look(run_id, 0)


def finish_pull(engine: Engine, run_id: UUID, *, error: str | None) -> None:
    """Close a run as succeeded, or as failed with ``error`` (words for people, no personal data)."""
    with transaction(engine) as cursor:
        cursor.execute(intake_sql.FINISH_RUN, {"run_id": run_id, "error": error})
        if cursor.rowcount == 0:
            raise UnknownRun(run_id)
        if error is None:
            life.catch_up(cursor)


@contextmanager
def system_lock(engine: Engine, system: str, *, wait_s: float = 0.0) -> Iterator[None]:
    """One pull per system at a time; raises ``AlreadyRunning`` when another one takes longer than ``wait_s``.

    Who gets the lock knows that no other pull of this system lives: runs that are still marked as running were
    killed, and are marked as interrupted.
    """
    with loss_explained(), session_lock(engine, "pull of", system, wait_s=wait_s) as connection:
        connection.execute(text(intake_sql.MARK_INTERRUPTED_RUNS), {"system": system})
        yield


def cursor(engine: Engine, system: str) -> str | None:
    """Where the next incremental pull of this system starts; ``None`` before the first."""
    with reading(engine) as connection:
        value: str | None = connection.execute(text(intake_sql.READ_CURSOR), {"system": system}).scalar()
    return value


def last_successes(engine: Engine) -> dict[str, datetime]:
    """When each system was last read to the end."""
    with reading(engine) as connection:
        return {row.system: row.finished_at for row in connection.execute(text(intake_sql.LAST_SUCCESSES))}


def open_source_ids(engine: Engine, system: str) -> list[str]:
    """The system's own ids of its dossiers that are not at their end, sorted."""
    with reading(engine) as connection:
        return list(connection.execute(text(intake_sql.OPEN_SOURCE_IDS), {"system": system}).scalars())


def open_codes(
    engine: Engine, system: str, *, procedures: Sequence[str] = (), homes: Sequence[str] = (), turn: int = 0
) -> list[str]:
    """The codes (short form) of the dossiers that ``system`` may have news of: those that others brought, that are not
    at their end, neither as a whole nor by what ``system`` told of them last.

    ``procedures`` (national codes) and ``homes`` (the systems that brought them) narrow it down; empty: all. Each
    ``turn`` gives another order, in which any of them may be first.
    """
    parameters = {
        "system": system,
        "procedures": [procedure_stem(code) for code in procedures],
        "homes": list(homes),
        "turn": turn,
    }
    with reading(engine) as connection:
        return list(connection.execute(text(intake_sql.OPEN_CODES), parameters).scalars())


def store_page(engine: Engine, sealer: Sealer, page: PageIntake) -> PageCounts:
    """Store one page in one transaction and say what it brought.

    Storing the same page of the same run again (after a lost answer to COMMIT) changes nothing and returns the same
    counts. The cursor moves with the page unless ``page.cursor`` is None. That no older run moves it back is the
    business of ``system_lock``; should that lock be lost with its connection, the older run gets ``RunSuperseded``.

    Raises ``PageRefused``, ``UnknownRun``, ``RunSuperseded``, ``PageContended``, ``WrongDataKey`` or
    ``LedgerUnavailable``; in each case nothing of the page is stored.
    """
    prepared = _prepare(sealer, page)
    for _ in range(_ATTEMPTS):
        try:
            with transaction(engine) as database:
                return _store(database, sealer, page, prepared)
        except (UniqueViolation, DeadlockDetected, SerializationFailure):
            continue  # another page has just created or locked what this one needs: judge again
        except CheckViolation as error:
            raise PageRefused(page.system, page.number, _broken_rule(page, error)) from None
        except psycopg.Error as error:
            # Not chained: PostgreSQL's own message may quote the row.
            raise LedgerError(
                f"Page {page.number} of {page.system} could not be stored: {type(error).__name__}, "
                f"SQLSTATE {error.sqlstate}, table {error.diag.table_name}, constraint {error.diag.constraint_name}."
            ) from None
    raise PageContended(page.system, page.number, _ATTEMPTS)


class _Prepared(NamedTuple):
    """What can be done before the transaction begins."""

    readings: Sequence[Reading]
    problems: Sequence[Broken]
    raw_digest: bytes
    archived: bytes | None  # of a page that may turn out not to be kept, only then


def _prepare(sealer: Sealer, page: PageIntake) -> _Prepared:
    return _Prepared(
        readings=[
            read(dossier, position, page.fetched_at, sealer, mapping_version=page.mapping_version)
            for position, dossier in enumerate(page.dossiers)
        ],
        problems=[broken(problem, sealer) for problem in page.problems],
        raw_digest=sealer.digest(page.raw),
        archived=None if page.only_news else pack(page.raw, sealer),
    )


def _broken_rule(page: PageIntake, error: CheckViolation) -> str:
    if error.diag.constraint_name == "nothing_is_lost":
        given = f"{len(page.dossiers) + len(page.ratings)} records and {len(page.problems)} problems"
        return f"{page.fetched} records were fetched but {given} were handed over, so records would be lost"
    return f"it breaks the rule {error.diag.constraint_name} of table {error.diag.table_name}"


def _store(database: Cursor, sealer: Sealer, page: PageIntake, prepared: _Prepared) -> PageCounts:
    database.execute(intake_sql.ANNOUNCE_CHANGES)
    _require_key(database, sealer)
    run = database.execute(intake_sql.FIND_RUN, {"run_id": page.run_id, "system": page.system}).fetchone()
    if run is None:
        raise UnknownRun(page.run_id, page.system)
    run_seq, change_no, cursor_before = run
    stored = database.execute(intake_sql.FIND_PAGE, [page.run_id, page.number]).fetchone()
    if stored:
        return _already_stored(page, prepared, stored)

    judged = judge_page(database, prepared.readings, system=page.system, precedence=page.precedence)
    write_page(database, judged, system=page.system, sealer=sealer, change_no=change_no)
    resolve(database, page.system, judged, [rating.source_id for rating in page.ratings])
    told_again(database, page.system, [each.known.dossier_id for each in judged.judgements if each.known])
    refused = [clashing(reading, sealer) for reading in judged.clashes]
    refused += [homeless(reading, page.natives[reading.position], sealer) for reading in judged.homeless]
    newly_set_aside = quarantine(database, page, [*prepared.problems, *refused])
    close_redriven(database, page, {reading.position for reading in (*judged.clashes, *judged.homeless)})

    verdicts = count(judged) + ratings.store(database, page)
    counts = PageCounts(
        fetched=page.fetched,
        new=verdicts[Verdict.NEW],
        changed=verdicts[Verdict.CHANGED],
        unchanged=verdicts[Verdict.UNCHANGED],
        stale=verdicts[Verdict.STALE],
        quarantined=len(page.problems) + len(refused),
    )
    known_before = not newly_set_aside and only_repeats(judged, page.system)
    if page.only_news and _is_repeated(database, page, counts, prepared, known_before=known_before):
        database.execute(intake_sql.ADD_PAGE_TO_RUN, [*_numbers(counts), page.run_id])
        database.execute(intake_sql.ADD_REPEATED_TO_RUN, [counts.fetched, page.run_id])
    else:
        _add_page(database, sealer, page, counts, prepared, cursor_before, change_no)
    if page.cursor is not None:
        moved = database.execute(intake_sql.MOVE_CURSOR, [page.system, page.cursor, run_seq]).fetchone()
        if not moved:
            raise RunSuperseded(page.system, page.run_id)
    return counts


def _is_repeated(
    database: Cursor, page: PageIntake, counts: PageCounts, prepared: _Prepared, *, known_before: bool
) -> bool:
    """Whether nothing would be lost if the page were not kept: its records are, or its very bytes, in the same run."""
    if counts.new or counts.changed:
        return False
    if known_before:
        return True
    row = database.execute(intake_sql.IS_KEPT, [page.run_id, prepared.raw_digest]).fetchone()
    return bool(row and row[0])


def _require_key(database: Cursor, sealer: Sealer) -> None:
    held = database.execute(intake_sql.FIND_KEY).fetchone()
    if held is None:
        database.execute(intake_sql.KEEP_KEY, [sealer.fingerprint])
        held = database.execute(intake_sql.FIND_KEY).fetchone()
    if held is None or held[0] != sealer.fingerprint:
        raise WrongDataKey(
            f"This ledger was sealed with another data key: put the former {KEY_VARIABLE} back. Nothing was stored."
        )


def _already_stored(page: PageIntake, prepared: _Prepared, stored: Sequence[Any]) -> PageCounts:
    raw_digest, fetched, new, changed, unchanged, stale, quarantined = stored
    if raw_digest != prepared.raw_digest:
        raise PageRefused(page.system, page.number, "this run has already stored another page with this number")
    return PageCounts(
        fetched=fetched, new=new, changed=changed, unchanged=unchanged, stale=stale, quarantined=quarantined
    )


def _numbers(counts: PageCounts) -> list[int]:
    return [counts.fetched, counts.new, counts.changed, counts.unchanged, counts.stale, counts.quarantined]


def _add_page(
    database: Cursor,
    sealer: Sealer,
    page: PageIntake,
    counts: PageCounts,
    prepared: _Prepared,
    cursor_before: str | None,
    change_no: int,
) -> None:
    numbers = _numbers(counts)
    cursor_after = cursor_before if page.cursor is None else page.cursor
    described = [page.mapping_version, page.media_type, prepared.raw_digest]
    moments = [page.fetched_at, page.told_at or page.fetched_at, change_no]
    database.execute(
        intake_sql.ADD_PAGE, [page.run_id, page.number, *numbers, cursor_before, cursor_after, *described, *moments]
    )
    archived = prepared.archived or pack(page.raw, sealer)
    database.execute(intake_sql.ARCHIVE_PAGE, [page.run_id, page.number, len(page.raw), archived])
    database.execute(intake_sql.ADD_PAGE_TO_RUN, [*numbers, page.run_id])
