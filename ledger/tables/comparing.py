"""What targets say they hold: comparisons, breaks, and the catalogues that they publish."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ledger.tables.parts import ZERO, count, metadata, moment, one_of, words

# --- reconciling -----------------------------------------------------------------------------------------------------

reconcile_run = Table(
    "reconcile_run",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False, unique=True),
    words("target"),
    words("method"),
    words("scope", optional=True),
    moment("as_of", optional=False),
    Column("grace_s", Integer, nullable=False),
    words("status"),
    words("error", optional=True),
    moment("started_at", optional=False, default_now=True),
    moment("finished_at"),
    *[
        count(name)
        for name in (
            "ours",
            "theirs",
            "matched",
            "in_flight",
            "duplicate",
            "duplicate_ours",
            "duplicate_rows",
            "rejected",
            "missing_at_target",
            "unknown_to_us",
            "stale_at_target",
            "mismatch",
            "ours_not_held",
            "buckets_matched",
            "buckets_mismatched",
            "opened",
            "closed",
            "healed",
            "held_back",
        )
    ],
    one_of("status", "running", "succeeded", "failed", "interrupted"),
    one_of("scope", "all", "asked"),
    CheckConstraint(
        "ours = matched + in_flight + rejected + missing_at_target + stale_at_target + mismatch + duplicate_ours",
        name="ours_is_the_sum_of_its_classes",
    ),
    CheckConstraint(
        "theirs = ours - ours_not_held - duplicate_ours + unknown_to_us + duplicate_rows",
        name="theirs_is_the_sum_of_its_classes",
    ),
    Index("reconcile_run_by_target", "target", "seq"),
)

break_ = Table(
    "break_",
    metadata,
    Column("break_id", BigInteger, Identity(always=True), primary_key=True),
    words("target"),
    words("kind"),
    words("key"),
    Column("dossier_id", BigInteger),
    words("code", optional=True),
    Column("ours", JSONB, nullable=False),
    Column("theirs", JSONB, nullable=False),
    Column("first_run", Uuid, nullable=False),
    Column("last_run", Uuid, nullable=False),
    moment("first_seen_at", optional=False),
    moment("last_seen_at", optional=False),
    Column("reopened", Integer, nullable=False, server_default=ZERO),
    words("status"),
    moment("closed_at"),
    Column("closed_as", Text, comment="matched, or the kind of break that took its place"),
    UniqueConstraint("target", "kind", "key"),
    one_of("status", "open", "healing", "closed"),
    CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name="closed_has_a_time"),
    Index("break_open", "target", "key", postgresql_where=text("status <> 'closed'")),
)

# --- what targets publish --------------------------------------------------------------------------------------------

catalogue_pull = Table(
    "catalogue_pull",
    metadata,
    Column("pull_id", BigInteger, Identity(always=True), primary_key=True),
    words("system"),
    words("kind"),
    moment("pulled_at", optional=False, default_now=True),
    count("entries"),
    count("added"),
    count("changed"),
    count("gone"),
    Index("catalogue_pull_by_kind", "system", "kind", "pull_id"),
    comment="One pull of one catalogue that a target publishes: procedures, agencies, fields.",
)

catalogue_entry = Table(
    "catalogue_entry",
    metadata,
    words("system"),
    words("kind"),
    Column("code", Text, nullable=False, comment="in the form in which codes are compared"),
    words("name"),
    words("parent", optional=True),
    moment("valid_from", optional=False, default_now=True),
    moment("valid_until"),
    PrimaryKeyConstraint("system", "kind", "code", "valid_from"),
    Index("catalogue_entry_now", "system", "kind", "code", unique=True, postgresql_where=text("valid_until IS NULL")),
    comment="What a catalogue says of a code, and from when to when it said so.",
)
