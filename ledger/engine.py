"""One door to the database: the engine, and the psycopg cursor under it for COPY and set-based statements."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import psycopg
from sqlalchemy import Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from ledger.errors import LedgerUnavailable

URL_VARIABLE = "HOSYNC_DATABASE_URL"
# Deadlock, failed serialization and lock time-out: the server is well.
_NOT_A_LOSS = frozenset({"40P01", "40001", "55P03"})

Cursor = psycopg.Cursor[tuple[Any, ...]]


_KEPT = 5  # connections that stay open while nobody uses them


def open_engine(url: str | None = None, *, connections: int = 15) -> Engine:
    """Connect to ``url``, by default ``HOSYNC_DATABASE_URL`` (``postgresql+psycopg://user:password@host/database``).

    ``connections``: how many there may be at once; who needs one more waits.

    Raises ``LedgerUnavailable`` when it is missing, malformed, not PostgreSQL, or does not answer.
    """
    given = url or os.environ.get(URL_VARIABLE)
    if not given:
        raise LedgerUnavailable(f"No database is configured: set {URL_VARIABLE} to postgresql+psycopg://…")
    try:
        parsed = make_url(given)
    except ArgumentError:
        # Not chained: the parser's message repeats the URL, and the URL holds the password.
        raise LedgerUnavailable(f"{URL_VARIABLE} is not a database URL: write postgresql+psycopg://…") from None
    if parsed.get_backend_name() != "postgresql":
        raise LedgerUnavailable(f"{URL_VARIABLE} names {parsed.get_backend_name()}: the ledger needs PostgreSQL 15+")
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        hide_parameters=True,  # an error must never print the personal data that was bound
        pool_pre_ping=True,
        pool_size=_KEPT,
        max_overflow=connections - _KEPT,
        json_deserializer=orjson.loads,
        connect_args={"options": "-c timezone=UTC", "application_name": "hosync"},
    )
    try:
        with engine.connect():
            pass
    except SQLAlchemyError as error:
        engine.dispose()
        shown = parsed.render_as_string(hide_password=True)
        raise LedgerUnavailable(
            f"The ledger at {shown} does not answer ({type(error).__name__}): check {URL_VARIABLE} and the server."
        ) from error
    return engine


def cursor_of(connection: Connection) -> Cursor:
    """The psycopg cursor of a SQLAlchemy connection, in the same transaction."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw.cursor()


@contextmanager
def transaction(engine: Engine) -> Iterator[Cursor]:
    """One transaction as a psycopg cursor: committed at the end, rolled back by an exception.

    Raises ``LedgerUnavailable`` when the server cannot be reached or the connection breaks. After a break during
    COMMIT nobody knows whether the transaction got in; every use here may simply be repeated.
    """
    with loss_explained(), engine.begin() as connection, cursor_of(connection) as cursor:
        yield cursor


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for queries, all on one snapshot. Raises ``LedgerUnavailable``."""
    with loss_explained(), engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        yield connection


@contextmanager
def loss_explained() -> Iterator[None]:
    """Turn the loss of the server, wherever it shows, into ``LedgerUnavailable``; other errors pass."""
    try:
        yield
    except (OperationalError, psycopg.OperationalError) as error:
        lost = error if isinstance(error, psycopg.OperationalError) else error.orig
        if isinstance(lost, psycopg.OperationalError) and lost.sqlstate in _NOT_A_LOSS:
            raise
        raise LedgerUnavailable(
            f"The ledger's server went away or refused ({type(lost).__name__}): try again once it answers."
        ) from None
