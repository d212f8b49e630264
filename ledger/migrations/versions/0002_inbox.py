"""The inbox: what systems that call us said, and which dossiers they were told about."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INBOX = """
CREATE TABLE inbox (
    message_id BIGINT GENERATED ALWAYS AS IDENTITY,
    system TEXT NOT NULL,
    kind TEXT NOT NULL,
    digest BYTEA NOT NULL,
    body BYTEA NOT NULL,
    remote TEXT,
    received_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (message_id),
    UNIQUE (system, digest)
);
CREATE INDEX inbox_in_order ON inbox (system, message_id);
CREATE INDEX inbox_by_age ON inbox (system, received_at);
COMMENT ON TABLE inbox IS
    'Calls of systems that call us. Those up to the system''s cursor are in the ledger and kept for a while.';
COMMENT ON COLUMN inbox.digest IS 'keyed, of kind and content: a repeated call is stored once';
COMMENT ON COLUMN inbox.body IS 'the call as it came, sealed';
ALTER TABLE inbox ALTER COLUMN body SET STORAGE EXTERNAL;
"""

INBOX_TALLY = """
CREATE TABLE inbox_tally (
    system TEXT NOT NULL,
    day DATE NOT NULL,
    outcome TEXT NOT NULL,
    calls BIGINT DEFAULT 0 NOT NULL,
    PRIMARY KEY (system, day, outcome),
    CONSTRAINT outcome_is_known CHECK (outcome IN ('stored', 'repeated', 'refused', 'no_secret'))
);
COMMENT ON COLUMN inbox_tally.day IS 'in Vietnam';
"""

ANNOUNCED = """
CREATE TABLE announced (
    system TEXT NOT NULL,
    code TEXT NOT NULL,
    accepted BOOLEAN NOT NULL,
    tried_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (system, code)
);
COMMENT ON TABLE announced IS
    'Dossiers that a system was told about, so that it calls us when they come further.';
COMMENT ON COLUMN announced.code IS 'dossier code';
"""


def upgrade() -> None:
    """Create the tables."""
    for statements in (INBOX, INBOX_TALLY, ANNOUNCED):
        op.execute(statements)
