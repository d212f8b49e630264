"""What was fetched: runs, pages and their bytes, cursors, and what was set aside."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from ledger.tables.parts import ZERO, count, equation, metadata, moment, one_of, only_row, words

# --- the ledger itself -----------------------------------------------------------------------------------------------

ledger_key = Table(
    "ledger_key",
    metadata,
    only_row(),
    Column("fingerprint", LargeBinary, nullable=False),
    moment("since", optional=False, default_now=True),
    comment="Which data key sealed this ledger; a program with another key is refused before it writes.",
)

ledger_cluster = Table(
    "ledger_cluster",
    metadata,
    only_row(),
    Column("system_identifier", BigInteger, nullable=False),
    comment="The PostgreSQL cluster whose transaction numbers dossier.change_no holds.",
)

ledger_life = Table(
    "ledger_life",
    metadata,
    only_row(),
    Column(
        "identity",
        Text,
        nullable=False,
        comment="cluster, timeline, database and table: another one after a restore that PostgreSQL can tell",
    ),
    moment("server_started_at", optional=False),
    moment("since", optional=False, default_now=True),
    Column("after_run", BigInteger, comment="pull_run.seq of the last run that began before; null: no break is known"),
    Column(
        "is_behind",
        Boolean,
        nullable=False,
        comment="a backup was restored: nothing is delivered until everything was read again",
    ),
    Column(
        "caught_up_at",
        DateTime(timezone=True),
        comment="when the last restore was over: what a target was told before is not known for sure",
    ),
    comment="Since when this ledger lives without a break, and whether it may know less than its targets.",
)

# --- pulling ---------------------------------------------------------------------------------------------------------

pull_run = Table(
    "pull_run",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False, unique=True),
    words("system"),
    words("mode"),
    moment("window_start"),
    moment("window_end"),
    words("started_by"),
    words("status"),
    words("error", optional=True),
    moment("started_at", optional=False, default_now=True),
    moment("finished_at"),
    Column(
        "catches_up",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="a first load, a full load or a span of the past: it brings what is no news",
    ),
    Column(
        "tells_once",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="its system hands out each change only once: after a restore reading on does not bring it again",
    ),
    Column("looks", Integer, comment="of a follower's run: how many looks it adds up; null: any other run"),
    count("pages"),
    *equation(),
    Column(
        "repeated_pages",
        BigInteger,
        nullable=False,
        server_default=ZERO,
        comment="pages that only repeated what was kept before: counted here, not kept again",
    ),
    count("repeated"),
    CheckConstraint(
        "repeated_pages <= pages AND repeated <= unchanged + stale + quarantined", name="repeated_is_no_news"
    ),
    one_of("mode", "incremental", "window", "full", "redrive"),
    one_of("status", "running", "succeeded", "failed", "interrupted"),
    Index("pull_run_by_system", "system", "seq"),
    comment="One pull of one system; its counters grow in the transaction of each page.",
)

pull_page = Table(
    "pull_page",
    metadata,
    Column("run_id", Uuid, ForeignKey("pull_run.run_id"), nullable=False),
    Column("number", Integer, nullable=False),
    *equation(),
    words("cursor_before", optional=True),
    words("cursor_after", optional=True),
    words("mapping_version"),
    words("media_type"),
    Column("raw_digest", LargeBinary, nullable=False),
    moment("fetched_at", optional=False),
    moment("stored_at", optional=False, default_now=True),
    Column("change_no", BigInteger, comment="the change number of the dossiers that the page changed"),
    Column(
        "told_at",
        DateTime(timezone=True),
        nullable=False,
        comment="when what it tells could first be seen: by its fetching, or by the call",
    ),
    PrimaryKeyConstraint("run_id", "number"),
    Index("pull_page_by_change", "change_no"),
    comment="One page of a run. Its bytes: page_archive at (stored_at, run_id, number).",
)

page_archive = Table(
    "page_archive",
    metadata,
    moment("stored_at", optional=False),
    Column("run_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("raw_size", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="zstd, then sealed"),
    PrimaryKeyConstraint("stored_at", "run_id", "number"),
    postgresql_partition_by="RANGE (stored_at)",
)

pull_cursor = Table(
    "pull_cursor",
    metadata,
    Column("system", Text, primary_key=True),
    words("value"),
    Column("run_seq", BigInteger, nullable=False, comment="pull_run.seq of the run that moved it last"),
    moment("moved_at", optional=False, default_now=True),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", BigInteger, Identity(always=True), primary_key=True),
    words("system"),
    words("stage"),
    words("field"),
    words("rule"),
    words("message"),
    words("mapping_version"),
    words("record_key", optional=True),
    Column("native", LargeBinary, nullable=False, comment="the native record, sealed"),
    Column("native_digest", LargeBinary, nullable=False, comment="keyed"),
    Column("first_run", Uuid, nullable=False),
    Column("last_run", Uuid, nullable=False),
    moment("fetched_at", optional=False),
    moment("first_seen_at", optional=False, default_now=True),
    moment("last_seen_at", optional=False, default_now=True),
    Column("times_seen", BigInteger, nullable=False),
    words("state"),
    moment("resolved_at"),
    words("resolution", optional=True),
    UniqueConstraint("system", "native_digest"),
    one_of("state", "open", "redriven", "dismissed"),
    Index("quarantine_open", "system", "record_key", postgresql_where=text("state = 'open'")),
)
