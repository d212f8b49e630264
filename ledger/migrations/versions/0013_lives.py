"""Which life of the ledger this is: what is known once a backup has been restored."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

LIFE = """
CREATE TABLE ledger_life (
    only_row BOOLEAN DEFAULT true NOT NULL,
    identity TEXT NOT NULL,
    server_started_at TIMESTAMPTZ NOT NULL,
    since TIMESTAMPTZ DEFAULT now() NOT NULL,
    after_run BIGINT,
    is_behind BOOLEAN NOT NULL,
    caught_up_at TIMESTAMPTZ,
    PRIMARY KEY (only_row),
    CONSTRAINT one_row CHECK (only_row)
);
COMMENT ON TABLE ledger_life IS
    'Since when this ledger lives without a break, and whether it may know less than its targets.';
COMMENT ON COLUMN ledger_life.identity IS
    'cluster, timeline, database and table: another one after a restore that PostgreSQL can tell';
COMMENT ON COLUMN ledger_life.after_run IS
    'pull_run.seq of the last run that began before; null: no break is known';
COMMENT ON COLUMN ledger_life.is_behind IS
    'a backup was restored: nothing is delivered until everything was read again';
COMMENT ON COLUMN ledger_life.caught_up_at IS
    'when the last restore was over: what a target was told before is not known for sure';
ALTER TABLE pull_run ADD COLUMN tells_once BOOLEAN DEFAULT false NOT NULL;
COMMENT ON COLUMN pull_run.tells_once IS
    'its system hands out each change only once: after a restore reading on does not bring it again';
ALTER TABLE person_action DROP CONSTRAINT action_is_known;
ALTER TABLE person_action ADD CONSTRAINT action_is_known
    CHECK (action IN ('resend', 'replay', 'pause', 'resume', 'caught_up'));
"""


def upgrade() -> None:
    """Add the table and the columns."""
    op.execute(LIFE)
