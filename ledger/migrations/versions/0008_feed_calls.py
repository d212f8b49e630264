"""Calls of those who ask where a dossier stands: how many in each minute, for the rate limit."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FEED_CALLS = """
CREATE TABLE feed_calls (
    caller TEXT NOT NULL,
    minute TIMESTAMPTZ NOT NULL,
    calls BIGINT NOT NULL,
    PRIMARY KEY (caller, minute)
);
COMMENT ON TABLE feed_calls IS 'Who asked how often where dossiers stand; minutes older than a day are dropped.';
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(FEED_CALLS)
