"""Every table of the ledger, as SQLAlchemy Core metadata.

The migrations create them; a test compares the two, so that this file can be trusted as the description. Partitions
(``partitions.py``) are not listed. Rules that hold for all tables:

- Money-counting rules of the five promises stand as CHECK constraints: a wrong sum is refused by the database.
- Personal data stands only in ``bytea`` columns sealed by ``sealing.Sealer``.
- The big append-only tables have no foreign keys: each is written in one place, in the transaction that wrote the
  row it points to, and a check per row would cost a third of the intake speed.
"""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.schema import SchemaItem

metadata = MetaData()

NOW = text("now()")
ZERO = text("0")
EQUATION = "fetched = new_ + changed + unchanged + stale + quarantined"


def _time(name: str, *, optional: bool = True, default_now: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=optional, server_default=NOW if default_now else None)


def _text(name: str, *, optional: bool = False) -> Column[str]:
    return Column(name, Text, nullable=optional)


def _count(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False, server_default=ZERO)


def _one_of(column: str, *values: str) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_is_known")


def _equation() -> list[SchemaItem]:
    counters = [_count(name) for name in ("fetched", "new_", "changed", "unchanged", "stale", "quarantined")]
    return [*counters, CheckConstraint(EQUATION, name="nothing_is_lost")]


def _only_row() -> Column[bool]:
    rule = CheckConstraint("only_row", name="one_row")
    return Column("only_row", Boolean, rule, primary_key=True, server_default=text("true"))


# --- the ledger itself ------------------------------------------------------------------------------------------

ledger_key = Table(
    "ledger_key",
    metadata,
    _only_row(),
    Column("fingerprint", LargeBinary, nullable=False),
    _time("since", optional=False, default_now=True),
    comment="Which data key sealed this ledger; a program with another key is refused before it writes.",
)

ledger_cluster = Table(
    "ledger_cluster",
    metadata,
    _only_row(),
    Column("system_identifier", BigInteger, nullable=False),
    comment="The PostgreSQL cluster whose transaction numbers dossier.change_no holds.",
)

# --- pulling ----------------------------------------------------------------------------------------------------

pull_run = Table(
    "pull_run",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False, unique=True),
    _text("system"),
    _text("mode"),
    _time("window_start"),
    _time("window_end"),
    _text("started_by"),
    _text("status"),
    _text("error", optional=True),
    _time("started_at", optional=False, default_now=True),
    _time("finished_at"),
    Column(
        "catches_up",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="a first load, a full load or a span of the past: it brings what is no news",
    ),
    Column("looks", Integer, comment="of a follower's run: how many looks it adds up; null: any other run"),
    _count("pages"),
    *_equation(),
    Column(
        "repeated_pages",
        BigInteger,
        nullable=False,
        server_default=ZERO,
        comment="pages that only repeated what was kept before: counted here, not kept again",
    ),
    _count("repeated"),
    CheckConstraint(
        "repeated_pages <= pages AND repeated <= unchanged + stale + quarantined", name="repeated_is_no_news"
    ),
    _one_of("mode", "incremental", "window", "full", "redrive"),
    _one_of("status", "running", "succeeded", "failed", "interrupted"),
    Index("pull_run_by_system", "system", "seq"),
    comment="One pull of one system; its counters grow in the transaction of each page.",
)

pull_page = Table(
    "pull_page",
    metadata,
    Column("run_id", Uuid, ForeignKey("pull_run.run_id"), nullable=False),
    Column("number", Integer, nullable=False),
    *_equation(),
    _text("cursor_before", optional=True),
    _text("cursor_after", optional=True),
    _text("mapping_version"),
    _text("media_type"),
    Column("raw_digest", LargeBinary, nullable=False),
    _time("fetched_at", optional=False),
    _time("stored_at", optional=False, default_now=True),
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
    _time("stored_at", optional=False),
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
    _text("value"),
    Column("run_seq", BigInteger, nullable=False, comment="pull_run.seq of the run that moved it last"),
    _time("moved_at", optional=False, default_now=True),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", BigInteger, Identity(always=True), primary_key=True),
    _text("system"),
    _text("stage"),
    _text("field"),
    _text("rule"),
    _text("message"),
    _text("mapping_version"),
    _text("record_key", optional=True),
    Column("native", LargeBinary, nullable=False, comment="the native record, sealed"),
    Column("native_digest", LargeBinary, nullable=False, comment="keyed"),
    Column("first_run", Uuid, nullable=False),
    Column("last_run", Uuid, nullable=False),
    _time("fetched_at", optional=False),
    _time("first_seen_at", optional=False, default_now=True),
    _time("last_seen_at", optional=False, default_now=True),
    Column("times_seen", BigInteger, nullable=False),
    _text("state"),
    _time("resolved_at"),
    _text("resolution", optional=True),
    UniqueConstraint("system", "native_digest"),
    _one_of("state", "open", "redriven", "dismissed"),
    Index("quarantine_open", "system", "record_key", postgresql_where=text("state = 'open'")),
)

# --- dossiers ---------------------------------------------------------------------------------------------------

dossier = Table(
    "dossier",
    metadata,
    Column("id", BigInteger, Identity(always=False), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    # The home system's last reading, by which its next one is judged.
    _text("home_system"),
    Column("home_precedence", Integer, nullable=False),
    Column("content_hash", LargeBinary, nullable=False, comment="keyed, over the canonical record"),
    _time("source_at", optional=False),
    _time("observed_at", optional=False),
    Column("home_state", SmallInteger, nullable=False),
    _time("home_event_at", optional=False),
    Column("home_dated", Boolean, nullable=False),
    Column("home_mapping_no", Integer, nullable=False),
    # What that reading says.
    _text("source_id"),
    _text("national_code", optional=True),
    _text("procedure_code"),
    _text("procedure_stem"),
    _text("agency_code"),
    Column("channel", SmallInteger, nullable=False),
    Column("subject_kind", SmallInteger, nullable=False),
    Column("level", SmallInteger),
    _time("submitted_at"),
    _time("received_at"),
    _time("due_at"),
    _time("finished_at"),
    _time("returned_at"),
    Column("result_delivery", SmallInteger, nullable=False),
    Column("online_payment", SmallInteger, nullable=False),
    Column("attributes", JSONB, nullable=False),
    Column("personal", LargeBinary, nullable=False, comment="sealed: applicant, summary, note"),
    Column("identity_digest", LargeBinary, comment="keyed, of the identity number"),
    # The state: the latest event of all systems that know the dossier.
    Column("state", SmallInteger, CheckConstraint("state BETWEEN 1 AND 10", name="state_is_national"), nullable=False),
    _time("state_at", optional=False),
    _text("state_system"),
    Column("last_step", Integer, nullable=False),
    _time("first_step_at", optional=False),
    _time("last_step_at", optional=False),
    Column("illegal_jumps", Integer, nullable=False),
    # Our own count of its changes.
    Column("version", BigInteger, nullable=False),
    Column("change_no", BigInteger, nullable=False, comment="transaction number of the last change"),
    _time("first_seen_at", optional=False, default_now=True),
    _time("changed_at_ledger", optional=False, default_now=True),
    Index("dossier_by_change", "change_no"),
    Index("dossier_open_by_home", "home_system", "source_id", postgresql_where=text("state NOT IN (3, 7, 8, 10)")),
    postgresql_with={"fillfactor": "85"},
)

dossier_reading = Table(
    "dossier_reading",
    metadata,
    Column("dossier_id", BigInteger, ForeignKey("dossier.id"), nullable=False),
    _text("system"),
    Column("precedence", Integer, nullable=False),
    _text("source_id"),
    Column("content_hash", LargeBinary, nullable=False),
    _time("source_at", optional=False),
    _time("observed_at", optional=False),
    Column("state", SmallInteger, nullable=False),
    _time("event_at", optional=False),
    Column("dated", Boolean, nullable=False),
    Column("mapping_no", Integer, nullable=False),
    PrimaryKeyConstraint("dossier_id", "system"),
    Index("dossier_reading_by_system", "system", "source_id"),
    comment="The last reading of each system that knows the dossier and is not its home.",
)

disappeared = Table(
    "disappeared",
    metadata,
    _text("system"),
    Column("dossier_id", BigInteger, nullable=False),
    Column("run_id", Uuid, nullable=False),
    _time("since", optional=False, default_now=True),
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
    _time("at", optional=False),
    Column("state", SmallInteger, nullable=False),
    _text("system"),
    Column("step_no", Integer, comment="null: arrived late, recorded only, never sent"),
    Column("illegal", Boolean, nullable=False),
    _text("unit", optional=True),
    Column("personal", LargeBinary, comment="sealed: officer, content"),
    _time("recorded_at", optional=False, default_now=True),
    PrimaryKeyConstraint("dossier_id", "at", "state", "system"),
    postgresql_partition_by="RANGE (at)",
)

# --- delivering -------------------------------------------------------------------------------------------------

target_feed = Table(
    "target_feed",
    metadata,
    Column("target", Text, primary_key=True),
    Column("seen", BigInteger, nullable=False, comment="change numbers up to here are in delivery"),
    Column("system_identifier", BigInteger, nullable=False),
)

delivery = Table(
    "delivery",
    metadata,
    _text("target"),
    Column("dossier_id", BigInteger, nullable=False),
    _text("state"),
    Column("priority", SmallInteger, nullable=False),
    Column("bucket", SmallInteger, nullable=False, server_default=ZERO, comment="of the agency: buckets take turns"),
    _time("due_at", optional=False),
    Column(
        "wanted_since",
        DateTime(timezone=True),
        nullable=False,
        server_default=NOW,
        comment="when the oldest change that is not acknowledged could be seen",
    ),
    Column(
        "changed_since",
        DateTime(timezone=True),
        comment="when that change was made, by its source's own word",
    ),
    Column("wanted_version", BigInteger, nullable=False),
    Column("wanted_step", Integer, nullable=False),
    Column("acked_version", BigInteger, nullable=False, server_default=ZERO),
    Column("acked_step", Integer, nullable=False, server_default=ZERO),
    Column("acked_fingerprint", LargeBinary),
    Column("known", Boolean, nullable=False, server_default=text("false")),
    Column("attempts", Integer, nullable=False, server_default=ZERO),
    Column(
        "strikes",
        Integer,
        nullable=False,
        server_default=ZERO,
        comment="failures while the target took other records",
    ),
    _time("failing_since"),
    Column("token", BigInteger, nullable=False, server_default=ZERO, comment="fencing: grows with each claim"),
    Column("lease_owner", Uuid),
    _time("lease_until"),
    _text("sending_phase", optional=True),
    Column("sending_version", BigInteger),
    Column("sending_step", Integer),
    _time("sending_at"),
    _text("last_outcome", optional=True),
    _text("last_reason", optional=True),
    _time("last_at"),
    _time("verified_at"),
    Column("verified_state", SmallInteger),
    Column("verified_version", BigInteger),
    PrimaryKeyConstraint("target", "dossier_id"),
    _one_of("state", "idle", "due", "leased", "doubt", "dead"),
    _one_of("sending_phase", "dossier", "step"),
    CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="leased_has_an_end"),
    CheckConstraint("state <> 'doubt' OR sending_phase IS NOT NULL", name="doubt_names_what_was_sent"),
    CheckConstraint(
        "state <> 'idle' OR (acked_version >= wanted_version AND acked_step >= wanted_step)",
        name="idle_owes_nothing",
    ),
    Index(
        "delivery_claimable",
        "target",
        "priority",
        "bucket",
        "due_at",
        postgresql_where=text("state IN ('due', 'doubt')"),
    ),
    Index("delivery_leased", "target", "lease_until", postgresql_where=text("state = 'leased'")),
    Index("delivery_dead", "target", "dossier_id", postgresql_where=text("state = 'dead'")),
    postgresql_with={"fillfactor": "80", "autovacuum_vacuum_scale_factor": "0.02"},
)

delivery_attempt = Table(
    "delivery_attempt",
    metadata,
    _time("at", optional=False),
    _text("target"),
    Column("dossier_id", BigInteger, nullable=False),
    _text("phase"),
    Column("version", BigInteger, nullable=False),
    Column("step", Integer, nullable=False),
    _text("outcome"),
    _text("reason"),
    Column("waited_s", REAL, comment="from when the change could be seen to the acknowledgement that completed it"),
    Column("aged_s", REAL, comment="the same from the change itself, by its source's own word"),
    Index("delivery_attempt_by_dossier", "dossier_id", "at"),
    Index("delivery_attempt_by_time", "at", postgresql_using="brin"),
    postgresql_partition_by="RANGE (at)",
)

doubtful_send = Table(
    "doubtful_send",
    metadata,
    Column("doubtful_id", BigInteger, Identity(always=True), primary_key=True),
    _text("target"),
    Column("dossier_id", BigInteger, nullable=False),
    _text("phase"),
    Column("version", BigInteger, nullable=False),
    Column("step", Integer, nullable=False),
    Column("state", SmallInteger, nullable=False),
    _time("at", optional=False, default_now=True),
    _text("resolution", optional=True),
    UniqueConstraint("target", "dossier_id", "phase", "version", "step"),
    comment="Messages whose outcome will never be known: counted as sent, and shown as doubtful.",
)

target_gate = Table(
    "target_gate",
    metadata,
    Column("target", Text, primary_key=True),
    _time("paused_since"),
    _time("paused_until"),
    _text("paused_by", optional=True),
    Column(
        "failures",
        Integer,
        nullable=False,
        server_default=ZERO,
        comment="calls in a row that the target answered not at all or not properly",
    ),
    _time("answered_at"),
    Column("taken_at", DateTime(timezone=True), comment="when it last gave a proper verdict on a message"),
    _time("broken_since"),
    Column("broken_times", Integer, nullable=False, server_default=ZERO),
    Column("rest_until", DateTime(timezone=True), comment="broken: when one process may try"),
    Column("probe", Uuid),
    _time("probe_until"),
    Column("asked_until", DateTime(timezone=True), comment="the target asked to be left alone (Retry-After)"),
    Column(
        "pace",
        REAL,
        CheckConstraint("pace > 0 AND pace <= 1", name="pace_is_a_share"),
        nullable=False,
        server_default=text("1"),
        comment="share of the allowed calls at once that it bears now",
    ),
    _time("pace_cut_at"),
    _time("next_turn_at"),
    Column("day", Date),
    _count("day_turns"),
    Column("retry_credit", REAL),
    _time("credit_at"),
    Column(
        "holders",
        JSONB,
        nullable=False,
        server_default=text("'[]'"),
        comment="processes, their calls at once, and until when these are theirs",
    ),
    comment="Who may call a target now, for all processes: one row each, locked for a moment.",
)

sent_again = Table(
    "sent_again",
    metadata,
    _text("target"),
    Column("dossier_id", BigInteger, nullable=False),
    _text("phase"),
    Column("version", BigInteger, nullable=False),
    Column("step", Integer, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("copies", Integer, nullable=False),
    _time("doubt_at", optional=False),
    PrimaryKeyConstraint("target", "dossier_id", "phase", "version", "step"),
    comment="Messages sent again in doubt to a target that cannot tell a repetition: each may be there copies times "
    "too often.",
)

# --- reconciling ------------------------------------------------------------------------------------------------

reconcile_run = Table(
    "reconcile_run",
    metadata,
    Column("run_id", Uuid, primary_key=True),
    Column("seq", BigInteger, Identity(always=True), nullable=False, unique=True),
    _text("target"),
    _text("method"),
    _text("scope", optional=True),
    _time("as_of", optional=False),
    Column("grace_s", Integer, nullable=False),
    _text("status"),
    _text("error", optional=True),
    _time("started_at", optional=False, default_now=True),
    _time("finished_at"),
    *[
        _count(name)
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
    _one_of("status", "running", "succeeded", "failed", "interrupted"),
    _one_of("scope", "all", "asked"),
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
    _text("target"),
    _text("kind"),
    _text("key"),
    Column("dossier_id", BigInteger),
    _text("code", optional=True),
    Column("ours", JSONB, nullable=False),
    Column("theirs", JSONB, nullable=False),
    Column("first_run", Uuid, nullable=False),
    Column("last_run", Uuid, nullable=False),
    _time("first_seen_at", optional=False),
    _time("last_seen_at", optional=False),
    Column("reopened", Integer, nullable=False, server_default=ZERO),
    _text("status"),
    _time("closed_at"),
    Column("closed_as", Text, comment="matched, or the kind of break that took its place"),
    UniqueConstraint("target", "kind", "key"),
    _one_of("status", "open", "healing", "closed"),
    CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name="closed_has_a_time"),
    Index("break_open", "target", "key", postgresql_where=text("status <> 'closed'")),
)

# --- what targets publish -----------------------------------------------------------------------------------------

catalogue_pull = Table(
    "catalogue_pull",
    metadata,
    Column("pull_id", BigInteger, Identity(always=True), primary_key=True),
    _text("system"),
    _text("kind"),
    _time("pulled_at", optional=False, default_now=True),
    _count("entries"),
    _count("added"),
    _count("changed"),
    _count("gone"),
    Index("catalogue_pull_by_kind", "system", "kind", "pull_id"),
    comment="One pull of one catalogue that a target publishes: procedures, agencies, fields.",
)

catalogue_entry = Table(
    "catalogue_entry",
    metadata,
    _text("system"),
    _text("kind"),
    Column("code", Text, nullable=False, comment="in the form in which codes are compared"),
    _text("name"),
    _text("parent", optional=True),
    _time("valid_from", optional=False, default_now=True),
    _time("valid_until"),
    PrimaryKeyConstraint("system", "kind", "code", "valid_from"),
    Index("catalogue_entry_now", "system", "kind", "code", unique=True, postgresql_where=text("valid_until IS NULL")),
    comment="What a catalogue says of a code, and from when to when it said so.",
)

# --- ratings and reports ------------------------------------------------------------------------------------------

rating = Table(
    "rating",
    metadata,
    Column("code", Text, nullable=False, comment="the dossier's code, in short form; the dossier may be unknown"),
    Column("period", Date, nullable=False, comment="the first day of the month of rated_at in Vietnam"),
    _text("criterion"),
    Column("level", SmallInteger, CheckConstraint("level BETWEEN 1 AND 3", name="level_is_known"), nullable=False),
    _time("rated_at", optional=False),
    Column("agency_code", Text, comment="the agency that was rated, where the source says so"),
    _text("system"),
    _text("source_id"),
    Column(
        "told_at",
        DateTime(timezone=True),
        nullable=False,
        comment="when its source told it: of two for one moment the later counts",
    ),
    _time("first_seen_at", optional=False, default_now=True),
    _time("changed_at", optional=False, default_now=True),
    PrimaryKeyConstraint("code", "period", "criterion"),
    CheckConstraint("extract(day FROM period) = 1", name="period_is_a_month"),
    Index("rating_by_period", "period"),
    comment="What citizens answered: the last answer of a month to each question about a dossier.",
)

report = Table(
    "report",
    metadata,
    _text("target"),
    _text("kind"),
    Column("period", Date, nullable=False),
    _text("agency_code"),
    _text("agency_name", optional=True),
    _text("state"),
    _time("due_at", optional=False, default_now=True),
    Column("wanted", JSONB, nullable=False, comment="the figures as the ledger has them now"),
    Column("acked", JSONB, comment="the figures that the target acknowledged last"),
    _time("acked_at"),
    Column("attempts", Integer, nullable=False, server_default=ZERO),
    Column(
        "copies",
        Integer,
        nullable=False,
        server_default=ZERO,
        comment="how often it was sent again in doubt to a target that would count both",
    ),
    Column("token", BigInteger, nullable=False, server_default=ZERO, comment="fencing: grows with each claim"),
    Column("lease_owner", Uuid),
    _time("lease_until"),
    Column(
        "sending",
        JSONB,
        comment="the figures that were about to be sent, until it is known what became of them",
    ),
    _time("sending_at"),
    _text("last_outcome", optional=True),
    _text("last_reason", optional=True),
    _time("last_at"),
    PrimaryKeyConstraint("target", "kind", "period", "agency_code"),
    _one_of("kind", "satisfaction", "statistics"),
    _one_of("state", "idle", "due", "leased", "doubt", "dead"),
    CheckConstraint("extract(day FROM period) = 1", name="period_is_a_month"),
    CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", name="leased_has_an_end"),
    CheckConstraint("state <> 'doubt' OR sending IS NOT NULL", name="doubt_names_what_was_sent"),
    Index("report_claimable", "target", "due_at", postgresql_where=text("state <> 'idle'")),
    comment="A month's report of an agency to a target: what it says now, and what was acknowledged.",
)

# --- systems that call us -----------------------------------------------------------------------------------------

inbox = Table(
    "inbox",
    metadata,
    Column("message_id", BigInteger, Identity(always=True), primary_key=True),
    _text("system"),
    _text("kind"),
    Column("digest", LargeBinary, nullable=False, comment="keyed, of kind and content: a repeated call is stored once"),
    Column("body", LargeBinary, nullable=False, comment="the call as it came, sealed"),
    _text("remote", optional=True),
    _time("received_at", optional=False, default_now=True),
    UniqueConstraint("system", "digest"),
    Index("inbox_in_order", "system", "message_id"),
    Index("inbox_by_age", "system", "received_at"),
    comment="Calls of systems that call us. Those up to the system's cursor are in the ledger and kept for a while.",
)

inbox_tally = Table(
    "inbox_tally",
    metadata,
    _text("system"),
    Column("day", Date, nullable=False, comment="in Vietnam"),
    _text("outcome"),
    _count("calls"),
    PrimaryKeyConstraint("system", "day", "outcome"),
    _one_of("outcome", "stored", "repeated", "refused", "no_secret"),
)

announced = Table(
    "announced",
    metadata,
    _text("system"),
    Column("code", Text, nullable=False, comment="dossier code"),
    Column("accepted", Boolean, nullable=False),
    _time("tried_at", optional=False, default_now=True),
    PrimaryKeyConstraint("system", "code"),
    comment="Dossiers that a system was told about, so that it calls us when they come further.",
)

# --- those who ask where a dossier stands ---------------------------------------------------------------------------

feed_calls = Table(
    "feed_calls",
    metadata,
    _text("caller"),
    _time("minute", optional=False),
    Column("calls", BigInteger, nullable=False),
    PrimaryKeyConstraint("caller", "minute"),
    comment="Who asked how often where dossiers stand; minutes older than a day are dropped.",
)

# --- what people did ------------------------------------------------------------------------------------------------

person_action = Table(
    "person_action",
    metadata,
    Column("action_id", BigInteger, Identity(always=True), primary_key=True),
    _time("at", optional=False, default_now=True),
    _text("person"),
    _text("action"),
    _text("system"),
    Column("details", JSONB, nullable=False, comment="what the person asked for, never personal data"),
    Column("dossiers", BigInteger, comment="how many were touched, where that is known"),
    _one_of("action", "resend", "replay", "pause", "resume"),
    Index("person_action_by_time", "at"),
)
