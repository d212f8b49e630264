"""From changed dossiers to deliveries: what a target has not yet been told.

Each change stamps its dossier with its transaction's number. A lower number may commit later, so a reader that simply
went on from the highest number it saw would miss it. Two ways lead to a number below which nothing can appear any more:

- below the oldest transaction still running, everything is final. It costs nothing, but counts every transaction of
  the whole PostgreSQL cluster, also those of other databases;
- so when changes are visible that this rule holds back, the feed waits for the pages being stored right now: each
  holds a shared lock from before it gets its number until it has committed, and the feed takes the same lock alone,
  for as long as one query takes. What is visible then is final.

A page that hangs therefore holds the feed back (and skips nothing); other databases never do.

Transaction numbers belong to one cluster. After a restore into another one they start again from a low number; the
cluster's own identifier shows it, the stored numbers are then made old and each target's feed starts from zero, which
costs one comparison per dossier and sends nothing that the target has acknowledged.
"""

from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine

from ledger import delivery_sql, life
from ledger.engine import Cursor, transaction


def expand_feed(engine: Engine, target: str, *, limit: int = 20_000, wait_s: float = 2.0) -> int:
    """Turn changes into due deliveries, about ``limit`` dossiers at a time; returns how many were made due.

    Call until it returns 0. Two callers at once take turns. ``wait_s``: how long to wait for pages being stored; what
    they hold back longer comes with a later call.
    """
    while True:
        with transaction(engine) as cursor:
            seen = _position(cursor, target)
            upto = _final_upto(cursor, seen, limit, wait_s)
            if upto is None:
                return 0
            cursor.execute(delivery_sql.EXPAND_FEED, {"target": target, "seen": seen, "upto": upto})
            made_due = cursor.rowcount
            cursor.execute(delivery_sql.MOVE_FEED, [upto, target])
        if made_due:
            return made_due


def _final_upto(cursor: Cursor, seen: int, limit: int, wait_s: float) -> int | None:
    """The end of the next piece of changes that nothing can slip into any more; ``None`` when there is none."""
    keys = {"seen": seen, "limit": limit}
    oldest, visible = cursor.execute(delivery_sql.FEED_HORIZON, keys).fetchone() or (0, None)
    if visible is None:
        return None
    row = cursor.execute(delivery_sql.FEED_UPTO, {**keys, "horizon": oldest}).fetchone()
    if row and row[0] is not None:
        return int(row[0])
    try:
        # Rolled back to give the lock back at once, not at the end of the expansion.
        with cursor.connection.transaction(force_rollback=True):
            cursor.execute(delivery_sql.LIMIT_WAIT, [f"{max(1, round(wait_s * 1000))}ms"])
            cursor.execute(delivery_sql.WAIT_FOR_PAGES)
            row = cursor.execute(delivery_sql.FEED_UPTO, {**keys, "horizon": None}).fetchone()
    except LockNotAvailable:
        return None
    return int(row[0]) if row and row[0] is not None else None


def _position(cursor: Cursor, target: str) -> int:
    life.notice(cursor)
    cluster = _cluster(cursor)
    cursor.execute(delivery_sql.OPEN_FEED, [target, cluster])
    seen, written_in = cursor.execute(delivery_sql.LOCK_FEED, [target]).fetchone() or (0, cluster)
    if written_in == cluster:
        return int(seen)
    cursor.execute(delivery_sql.RESTART_FEED, [cluster, target])
    return 0


def _cluster(cursor: Cursor) -> int:
    """This cluster's identifier; change numbers written in another cluster are made old first."""
    here = _number(cursor, delivery_sql.FIND_CLUSTER)
    cursor.execute(delivery_sql.KEEP_CLUSTER, [here])
    if _number(cursor, delivery_sql.CHANGES_CLUSTER) != here:
        cursor.execute(delivery_sql.ONE_MOVES)
        if _number(cursor, delivery_sql.CHANGES_CLUSTER) != here:  # nobody else did it while we waited
            cursor.execute(delivery_sql.MAKE_CHANGES_OLD)
            cursor.execute(delivery_sql.MOVE_TO_CLUSTER, [here])
    return here


def _number(cursor: Cursor, statement: str) -> int:
    row = cursor.execute(statement).fetchone()
    assert row is not None, "the statement always gives one row"
    return int(row[0])
