"""What is known of dossiers: their state, who told what, their other names and their steps."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from ledger.tables.parts import metadata, moment, words

dossier = Table(
    "dossier",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    # The home system's last reading, by which its next one is judged.
    words("home_system"),
    Column("home_precedence", Integer, nullable=False),
    Column("content_hash", LargeBinary, nullable=False, comment="keyed, over the canonical record"),
    moment("source_at", optional=False),
    moment("observed_at", optional=False),
    Column("home_state", SmallInteger, nullable=False),
    moment("home_event_at", optional=False),
    Column("home_dated", Boolean, nullable=False),
    Column("home_mapping_no", Integer, nullable=False),
    # What that reading says.
    words("source_id"),
    words("national_code", optional=True),
    words("procedure_code"),
    words("procedure_stem"),
    words("agency_code"),
    Column("channel", SmallInteger, nullable=False),
    Column("subject_kind", SmallInteger, nullable=False),
    Column("level", SmallInteger),
    moment("submitted_at"),
    moment("received_at"),
    moment("due_at"),
    moment("finished_at"),
    moment("returned_at"),
    Column("result_delivery", SmallInteger, nullable=False),
    Column("online_payment", SmallInteger, nullable=False),
    Column("attributes", JSONB, nullable=False),
    Column("personal", LargeBinary, nullable=False, comment="sealed: applicant, summary, note"),
    Column("identity_digest", LargeBinary, comment="keyed, of the identity number"),
    # The state: the latest event of all systems that know the dossier.
    Column("state", SmallInteger, CheckConstraint("state BETWEEN 1 AND 10", name="state_is_national"), nullable=False),
    moment("state_at", optional=False),
    words("state_system"),
    Column("last_step", Integer, nullable=False),
    moment("first_step_at", optional=False),
    moment("last_step_at", optional=False),
    Column("illegal_jumps", Integer, nullable=False),
    # Our own count of its changes.
    Column("version", BigInteger, nullable=False),
    Column("change_no", BigInteger, nullable=False, comment="transaction number of the last change"),
    moment("first_seen_at", optional=False, default_now=True),
    moment("changed_at_ledger", optional=False, default_now=True),
    Index("dossier_by_change", "change_no"),
    Index("dossier_open_by_home", "home_system", "source_id", postgresql_where=text("state NOT IN (3, 7, 8, 10)")),
    postgresql_with={"fillfactor": "85"},
)

dossier_reading = Table(
    "dossier_reading",
    metadata,
    Column("dossier_id", BigInteger, ForeignKey("dossier.id"), nullable=False),
    words("system"),
    Column("precedence", Integer, nullable=False),
    words("source_id"),
    Column("content_hash", LargeBinary, nullable=False),
    moment("source_at", optional=False),
    moment("observed_at", optional=False),
    Column("state", SmallInteger, nullable=False),
    moment("event_at", optional=False),
    Column("dated", Boolean, nullable=False),
    Column("mapping_no", Integer, nullable=False),
    PrimaryKeyConstraint("dossier_id", "system"),
    Index("dossier_reading_by_system", "system", "source_id"),
    comment="The last reading of each system that knows the dossier and is not its home.",
)

disappeared = Table(
    "disappeared",
    metadata,
    words("system"),
    Column("dossier_id", BigInteger, nullable=False),
    Column("run_id", Uuid, nullable=False),
    moment("since", optional=False, default_now=True),
    PrimaryKeyConstraint("system", "dossier_id"),
    comment="Dossiers not at their end that a whole snapshot of a system that told of them did not hold.",
)

dossier_alias = Table(
    "dossier_alias",
    metadata,
    Column("system", Text, comment="whose own id it is, a target's too; system national = national code"),
    Column("alias", Text),
    Column("dossier_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("system", "alias"),
    Index("dossier_alias_by_dossier", "dossier_id"),
)

dossier_step = Table(
    "dossier_step",
    metadata,
    Column("dossier_id", BigInteger, nullable=False),
    moment("at", optional=False),
    Column("state", SmallInteger, nullable=False),
    words("system"),
    Column("step_no", Integer, comment="null: arrived late, recorded only, never sent"),
    Column("illegal", Boolean, nullable=False),
    words("unit", optional=True),
    Column("personal", LargeBinary, comment="sealed: officer, content"),
    moment("recorded_at", optional=False, default_now=True),
    PrimaryKeyConstraint("dossier_id", "at", "state", "system"),
    postgresql_partition_by="RANGE (at)",
)
