"""Monthly partitions of the big append-only tables, and the default partition under them as a net.

A row whose month has no partition lands in ``<table>_default`` and is found like any other; creating the month later
moves it over. So history of any age can be stored without creating a partition for each month of the past.
"""

from datetime import UTC, datetime

from sqlalchemy import Connection, Engine, text

# table -> partition key
PARTITIONED = {
    "page_archive": "stored_at",
    "dossier_step": "at",
    "delivery_attempt": "at",
}
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('ledger.partitions', 0))")
_EXISTING = text("""
    SELECT child.relname
    FROM pg_inherits
    JOIN pg_class child ON child.oid = inhrelid
    WHERE inhparent = CAST(:table AS regclass)
""")


def ensure_partitions(engine: Engine, *, now: datetime | None = None, back: int = 1, ahead: int = 3) -> list[str]:
    """Create the missing months from ``back`` months ago to ``ahead`` months from now; returns their names.

    Cheap when nothing is missing: one catalog query per table. Meant to be run daily.
    """
    this_month = (now or datetime.now(UTC)).astimezone(UTC)
    created = []
    with engine.begin() as connection:
        connection.execute(_LOCK)
        for table, key in PARTITIONED.items():
            existing = set(connection.execute(_EXISTING, {"table": table}).scalars())
            for offset in range(-back, ahead + 1):
                start = _month(this_month, offset)
                name = f"{table}_{start:%Y_%m}"
                if name not in existing:
                    _create(connection, table, key, name, start, _month(start, 1))
                    created.append(name)
    return created


def _month(moment: datetime, offset: int) -> datetime:
    years, month = divmod(moment.month - 1 + offset, 12)
    return datetime(moment.year + years, month + 1, 1, tzinfo=UTC)


def _create(connection: Connection, table: str, key: str, name: str, start: datetime, end: datetime) -> None:
    # Attaching a filled table instead of CREATE ... PARTITION OF: the default partition may already hold rows of
    # that month, and PostgreSQL refuses to create a partition over them.
    span = f"{key} >= '{start.isoformat()}' AND {key} < '{end.isoformat()}'"
    for statement in (
        f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE",
        f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)",
        f"WITH moved AS (DELETE FROM {table}_default WHERE {span} RETURNING *) INSERT INTO {name} SELECT * FROM moved",
        f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')",
    ):
        connection.execute(text(statement.replace(":", r"\:")))
