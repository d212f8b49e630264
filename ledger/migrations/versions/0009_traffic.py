"""Deliveries with limits: what comes first, who gets a turn, when a record is given up, how long a change took."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PULLS = """
ALTER TABLE pull_run ADD COLUMN catches_up BOOLEAN DEFAULT false NOT NULL;
COMMENT ON COLUMN pull_run.catches_up IS 'a first load, a full load or a span of the past: it brings what is no news';
ALTER TABLE pull_page ADD COLUMN change_no BIGINT;
ALTER TABLE pull_page ADD COLUMN told_at TIMESTAMPTZ;
COMMENT ON COLUMN pull_page.change_no IS 'the change number of the dossiers that the page changed';
COMMENT ON COLUMN pull_page.told_at IS 'when what it tells could first be seen: by its fetching, or by the call';
UPDATE pull_page SET told_at = fetched_at;
ALTER TABLE pull_page ALTER COLUMN told_at SET NOT NULL;
CREATE INDEX pull_page_by_change ON pull_page (change_no);
"""

DELIVERY = """
ALTER TABLE delivery ADD COLUMN bucket SMALLINT DEFAULT 0 NOT NULL;
ALTER TABLE delivery ADD COLUMN wanted_since TIMESTAMPTZ DEFAULT now() NOT NULL;
ALTER TABLE delivery ADD COLUMN strikes INTEGER DEFAULT 0 NOT NULL;
ALTER TABLE delivery ADD COLUMN failing_since TIMESTAMPTZ;
COMMENT ON COLUMN delivery.bucket IS 'of the agency: buckets take turns';
COMMENT ON COLUMN delivery.wanted_since IS 'when the oldest change that is not acknowledged could be seen';
COMMENT ON COLUMN delivery.strikes IS 'failures while the target took other records';
UPDATE delivery SET bucket = hashtextextended(agency_code, 0) & 63 FROM dossier WHERE dossier.id = dossier_id;
DROP INDEX delivery_claimable;
CREATE INDEX delivery_claimable ON delivery (target, priority, bucket, due_at) WHERE state IN ('due', 'doubt');
"""

DELIVERY_ATTEMPT = """
ALTER TABLE delivery_attempt ADD COLUMN waited_s REAL;
COMMENT ON COLUMN delivery_attempt.waited_s IS 'from the change to the acknowledgement that completed it';
CREATE INDEX delivery_attempt_by_time ON delivery_attempt USING brin (at);
"""

TARGET_GATE = """
CREATE TABLE target_gate (
    target TEXT NOT NULL,
    paused_since TIMESTAMPTZ,
    paused_until TIMESTAMPTZ,
    paused_by TEXT,
    failures INTEGER DEFAULT 0 NOT NULL,
    answered_at TIMESTAMPTZ,
    taken_at TIMESTAMPTZ,
    broken_since TIMESTAMPTZ,
    broken_times INTEGER DEFAULT 0 NOT NULL,
    rest_until TIMESTAMPTZ,
    probe UUID,
    probe_until TIMESTAMPTZ,
    asked_until TIMESTAMPTZ,
    pace REAL DEFAULT 1 NOT NULL,
    pace_cut_at TIMESTAMPTZ,
    next_turn_at TIMESTAMPTZ,
    day DATE,
    day_turns BIGINT DEFAULT 0 NOT NULL,
    retry_credit REAL,
    credit_at TIMESTAMPTZ,
    holders JSONB DEFAULT '[]' NOT NULL,
    PRIMARY KEY (target),
    CONSTRAINT pace_is_a_share CHECK (pace > 0 AND pace <= 1)
);
COMMENT ON TABLE target_gate IS 'Who may call a target now, for all processes: one row each, locked for a moment.';
COMMENT ON COLUMN target_gate.failures IS 'calls in a row that the target answered not at all or not properly';
COMMENT ON COLUMN target_gate.taken_at IS 'when it last gave a proper verdict on a message';
COMMENT ON COLUMN target_gate.rest_until IS 'broken: when one process may try';
COMMENT ON COLUMN target_gate.asked_until IS 'the target asked to be left alone (Retry-After)';
COMMENT ON COLUMN target_gate.pace IS 'share of the allowed calls at once that it bears now';
COMMENT ON COLUMN target_gate.holders IS 'processes, their calls at once, and until when these are theirs';
"""


def upgrade() -> None:
    """Create the gate and the new columns."""
    for statement in (PULLS, DELIVERY, DELIVERY_ATTEMPT, TARGET_GATE):
        op.execute(statement)
