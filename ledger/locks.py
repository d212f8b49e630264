"""Session locks: one pull per system, one reconciliation per target, over all workers and machines.

A lock belongs to a database session and ends with it, so that a killed process never leaves one behind. It needs a
direct connection or a pooler in session mode; a pooler in transaction mode would lose it. A lock is no proof: when its
session breaks, another process may begin while this one still runs, so what it guards is fenced by itself too (a run's
number with the cursor, a delivery's token).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import OperationalError

from ledger.engine import loss_explained
from ledger.errors import AlreadyRunning

_TRY = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
_RELEASE = text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))")


_TRY_AGAIN_S = 0.25


@contextmanager
def session_lock(engine: Engine, kind: str, name: str, *, wait_s: float = 0.0) -> Iterator[Connection]:
    """Hold the lock ``kind:name`` on a connection of its own; raises ``AlreadyRunning`` when another holds it for
    longer than ``wait_s``.
    """
    key = {"name": f"hosync {kind}:{name}"}
    # Autocommit: a session that waits inside a transaction would hold back vacuum and the change feed.
    with loss_explained():
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with connection:
        deadline = time.monotonic() + wait_s
        while not connection.execute(_TRY, key).scalar():
            if time.monotonic() >= deadline:
                raise AlreadyRunning(f"{kind} {name}")
            time.sleep(_TRY_AGAIN_S)
        try:
            yield connection
        finally:
            with suppress(OperationalError):  # the session is gone, and its locks with it
                connection.execute(_RELEASE, key)
