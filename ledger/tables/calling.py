"""Those who call us: systems that tell, people and machines that ask, and what people did by hand."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from ledger.tables.parts import count, metadata, moment, one_of, words

# --- systems that call us --------------------------------------------------------------------------------------------

inbox = Table(
    "inbox",
    metadata,
    Column("message_id", BigInteger, Identity(always=True), primary_key=True),
    words("system"),
    words("kind"),
    Column("digest", LargeBinary, nullable=False, comment="keyed, of kind and content: a repeated call is stored once"),
    Column("body", LargeBinary, nullable=False, comment="the call as it came, sealed"),
    words("remote", optional=True),
    moment("received_at", optional=False, default_now=True),
    UniqueConstraint("system", "digest"),
    Index("inbox_in_order", "system", "message_id"),
    Index("inbox_by_age", "system", "received_at"),
    comment="Calls of systems that call us. Those up to the system's cursor are in the ledger and kept for a while.",
)

inbox_tally = Table(
    "inbox_tally",
    metadata,
    words("system"),
    Column("day", Date, nullable=False, comment="in Vietnam"),
    words("outcome"),
    count("calls"),
    PrimaryKeyConstraint("system", "day", "outcome"),
    one_of("outcome", "stored", "repeated", "refused", "no_secret"),
)

announced = Table(
    "announced",
    metadata,
    words("system"),
    Column("code", Text, nullable=False, comment="dossier code"),
    Column("accepted", Boolean, nullable=False),
    moment("tried_at", optional=False, default_now=True),
    PrimaryKeyConstraint("system", "code"),
    comment="Dossiers that a system was told about, so that it calls us when they come further.",
)

# --- those who ask where a dossier stands ----------------------------------------------------------------------------

feed_calls = Table(
    "feed_calls",
    metadata,
    words("caller"),
    moment("minute", optional=False),
    Column("calls", BigInteger, nullable=False),
    PrimaryKeyConstraint("caller", "minute"),
    comment="Who asked how often where dossiers stand; minutes older than a day are dropped.",
)

# --- what people did -------------------------------------------------------------------------------------------------

person_action = Table(
    "person_action",
    metadata,
    Column("action_id", BigInteger, Identity(always=True), primary_key=True),
    moment("at", optional=False, default_now=True),
    words("person"),
    words("action"),
    words("system"),
    Column("details", JSONB, nullable=False, comment="what the person asked for, never personal data"),
    Column("dossiers", BigInteger, comment="how many were touched, where that is known"),
    one_of("action", "resend", "replay", "pause", "resume", "caught_up"),
    Index("person_action_by_time", "at"),
)
