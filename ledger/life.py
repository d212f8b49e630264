"""Whether this ledger lives on without a break, or has woken up and may know less than the targets were told.

After a backup is restored the ledger is of yesterday, and what it would say is older than what the targets hold. Two
things show it, without a word from anybody:

- another *identity*: the cluster, its timeline, the database or the table itself is another one than the ledger
  remembers. A backup was restored (or a standby took over): the ledger is *behind*. Nothing is delivered and nothing
  healed until every system has been read again, from the cursors that are of yesterday too;
- the server was started: mostly a plain restart, and sometimes a copy of its files that was put back, which looks the
  same. Deliveries go on. What a comparison finds different is healed once the systems of that dossier have been read.

A system that hands out each change only once (a queue, a file, a call) does not tell again by being read: where one
has told anything, a person says when the ledger has caught up (``confirm``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
from sqlalchemy import Engine, text

from ledger import audit
from ledger.audit import Action
from ledger.engine import Cursor, reading, transaction

_IDENTITY = """
    concat_ws('/',
        (SELECT system_identifier FROM pg_control_system()),
        left(pg_walfile_name(pg_current_wal_lsn()), 8),
        (SELECT oid FROM pg_database WHERE datname = current_database()),
        'ledger_life'::regclass::oid)
"""
IS_BEHIND = f"coalesce((SELECT is_behind OR identity <> {_IDENTITY} FROM ledger_life), false)"
"""An SQL expression: whether a restored ledger has not caught up yet."""

_LIVES_ON = f"""
    SELECT FROM ledger_life WHERE identity = {_IDENTITY} AND server_started_at = pg_postmaster_start_time()
"""
_BEGIN = f"""
    INSERT INTO ledger_life AS life (identity, server_started_at, is_behind)
    VALUES ({_IDENTITY}, pg_postmaster_start_time(), false)
    ON CONFLICT (only_row) DO UPDATE
    SET identity = excluded.identity, server_started_at = excluded.server_started_at, since = now(),
        is_behind = life.is_behind OR life.identity <> excluded.identity,
        after_run = (SELECT coalesce(max(seq), 0) FROM pull_run)
    WHERE life.identity <> excluded.identity OR life.server_started_at <> excluded.server_started_at
"""
# Only a regular pull reads to what is newest: a span of the past, or one part of a full load, does not.
UNREAD = """
    SELECT pull_run.system
    FROM pull_run CROSS JOIN ledger_life life
    WHERE life.after_run IS NOT NULL
    GROUP BY pull_run.system
    HAVING bool_or(fetched > 0)
       AND NOT bool_or(seq > life.after_run AND status = 'succeeded' AND mode = 'incremental')
    ORDER BY pull_run.system
"""
"""The systems that have told something and were not read to the end since the ledger woke up."""

_TELLING_ONCE = "SELECT DISTINCT system FROM pull_run WHERE tells_once AND fetched > 0 ORDER BY system"
_CATCH_UP = f"""
    UPDATE ledger_life SET is_behind = false, caught_up_at = now()
    WHERE is_behind AND NOT EXISTS ({UNREAD}) AND NOT EXISTS ({_TELLING_ONCE})
"""
_CONFIRM = f"""
    UPDATE ledger_life
    SET is_behind = false, after_run = NULL, caught_up_at = CASE WHEN is_behind THEN now() ELSE caught_up_at END
    WHERE is_behind OR EXISTS ({UNREAD})
"""
_STANDING = text(f"SELECT since, {IS_BEHIND} AS is_behind FROM ledger_life")


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A ledger that has woken up: ``since`` when, the systems ``unread`` since then, and whether it ``is_behind``.

    ``telling_once``: systems that do not tell again by themselves what they told since the backup.
    """

    since: datetime
    is_behind: bool
    unread: Sequence[str]
    telling_once: Sequence[str]


def notice(cursor: Cursor) -> None:
    """Look whether the ledger has woken up, and write it down; before anything is pulled, made due or compared."""
    if cursor.execute(_LIVES_ON).fetchone() is None:
        cursor.execute(_BEGIN)


def notice_on(connection: psycopg.Connection) -> None:
    """The same on a connection without a transaction."""
    with connection.transaction(), connection.cursor() as cursor:
        notice(cursor)


def catch_up(cursor: Cursor) -> None:
    """A system was read to its end: perhaps it was the last one that a restored ledger waited for."""
    cursor.execute(_CATCH_UP)


def caught_up_at(cursor: Cursor) -> datetime | None:
    """When the last restore was over; ``None``: there was none."""
    row = cursor.execute("SELECT caught_up_at FROM ledger_life").fetchone()
    return row[0] if row else None


def confirm(engine: Engine, *, by: str) -> bool:
    """A person says that the ledger knows all that was told; False when nothing waited for that."""
    with transaction(engine) as cursor:
        notice(cursor)
        waited = cursor.execute(_CONFIRM).rowcount > 0
        if waited:
            audit.note(cursor, Action.CAUGHT_UP, "ledger", by=by)
        return waited


def standing(engine: Engine) -> Standing | None:
    """What a ledger that has woken up waits for; ``None`` when it waits for nothing."""
    with transaction(engine) as cursor:
        notice(cursor)
    with reading(engine) as connection:
        life = connection.execute(_STANDING).one_or_none()
        if life is None:
            return None
        unread = list(connection.execute(text(UNREAD)).scalars())
        telling_once = list(connection.execute(text(_TELLING_ONCE)).scalars()) if life.is_behind else []
    if not life.is_behind and not unread:
        return None
    return Standing(since=life.since, is_behind=life.is_behind, unread=unread, telling_once=telling_once)
