"""From changed dossiers to deliveries: what a target has not yet been told.

Each change stamps its dossier with its transaction's number. A lower number may commit later, so a reader that simply
went on from the highest number it saw would miss it. Only numbers below the oldest transaction still running are
final: nothing can appear among them any more. Any long transaction in the same PostgreSQL cluster therefore holds the
feed back (never breaks it).

Transaction numbers belong to one cluster. After a restore into another one they start again from a low number; the
cluster's own identifier shows it, the stored numbers are then made old and each target's feed starts from zero, which
costs one comparison per dossier and sends nothing that the target has acknowledged.
"""

from sqlalchemy import Engine

from ledger import delivery_sql
from ledger.engine import Cursor, transaction


def expand_feed(engine: Engine, target: str, *, limit: int = 20_000) -> int:
    """Turn changes into due deliveries, about ``limit`` dossiers at a time; returns how many were made due.

    Call until it returns 0. Two callers at once take turns.
    """
    while True:
        with transaction(engine) as cursor:
            seen = _position(cursor, target)
            upto = cursor.execute(delivery_sql.FEED_UPTO, {"seen": seen, "limit": limit}).fetchone()
            if upto is None or upto[0] is None:
                return 0
            cursor.execute(delivery_sql.EXPAND_FEED, {"target": target, "seen": seen, "upto": upto[0]})
            made_due = cursor.rowcount
            cursor.execute(delivery_sql.MOVE_FEED, [upto[0], target])
        if made_due:
            return made_due


def _position(cursor: Cursor, target: str) -> int:
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
