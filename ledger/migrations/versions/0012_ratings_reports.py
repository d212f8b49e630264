"""Citizens' ratings, and the periodic reports that targets get."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

RATING = """
CREATE TABLE rating (
    code TEXT NOT NULL,
    period DATE NOT NULL,
    criterion TEXT NOT NULL,
    level SMALLINT NOT NULL,
    rated_at TIMESTAMPTZ NOT NULL,
    agency_code TEXT,
    system TEXT NOT NULL,
    source_id TEXT NOT NULL,
    told_at TIMESTAMPTZ NOT NULL,
    first_seen_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    changed_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (code, period, criterion),
    CONSTRAINT level_is_known CHECK (level BETWEEN 1 AND 3),
    CONSTRAINT period_is_a_month CHECK (extract(day FROM period) = 1)
);
CREATE INDEX rating_by_period ON rating (period);
COMMENT ON TABLE rating IS 'What citizens answered: the last answer of a month to each question about a dossier.';
COMMENT ON COLUMN rating.code IS 'the dossier''s code, in short form; the dossier may be unknown';
COMMENT ON COLUMN rating.period IS 'the first day of the month of rated_at in Vietnam';
COMMENT ON COLUMN rating.agency_code IS 'the agency that was rated, where the source says so';
COMMENT ON COLUMN rating.told_at IS 'when its source told it: of two for one moment the later counts';
"""

REPORT = """
CREATE TABLE report (
    target TEXT NOT NULL,
    kind TEXT NOT NULL,
    period DATE NOT NULL,
    agency_code TEXT NOT NULL,
    agency_name TEXT,
    state TEXT NOT NULL,
    due_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    wanted JSONB NOT NULL,
    acked JSONB,
    acked_at TIMESTAMPTZ,
    attempts INTEGER DEFAULT 0 NOT NULL,
    copies INTEGER DEFAULT 0 NOT NULL,
    token BIGINT DEFAULT 0 NOT NULL,
    lease_owner UUID,
    lease_until TIMESTAMPTZ,
    sending JSONB,
    sending_at TIMESTAMPTZ,
    last_outcome TEXT,
    last_reason TEXT,
    last_at TIMESTAMPTZ,
    PRIMARY KEY (target, kind, period, agency_code),
    CONSTRAINT kind_is_known CHECK (kind IN ('satisfaction', 'statistics')),
    CONSTRAINT state_is_known CHECK (state IN ('idle', 'due', 'leased', 'doubt', 'dead')),
    CONSTRAINT period_is_a_month CHECK (extract(day FROM period) = 1),
    CONSTRAINT leased_has_an_end CHECK ((state = 'leased') = (lease_until IS NOT NULL)),
    CONSTRAINT doubt_names_what_was_sent CHECK (state <> 'doubt' OR sending IS NOT NULL)
);
CREATE INDEX report_claimable ON report (target, due_at) WHERE state <> 'idle';
COMMENT ON TABLE report IS 'A month''s report of an agency to a target: what it says now, and what was acknowledged.';
COMMENT ON COLUMN report.wanted IS 'the figures as the ledger has them now';
COMMENT ON COLUMN report.acked IS 'the figures that the target acknowledged last';
COMMENT ON COLUMN report.copies IS 'how often it was sent again in doubt to a target that would count both';
COMMENT ON COLUMN report.token IS 'fencing: grows with each claim';
COMMENT ON COLUMN report.sending IS 'the figures that were about to be sent, until it is known what became of them';
"""


def upgrade() -> None:
    """Create both tables."""
    for statement in (RATING, REPORT):
        op.execute(statement)
