"""Re-driving: when a record set aside was told, and runs that read nothing but map such records again."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

QUARANTINE = """
ALTER TABLE quarantine ADD COLUMN fetched_at TIMESTAMPTZ;
UPDATE quarantine SET fetched_at = last_seen_at;
ALTER TABLE quarantine ALTER COLUMN fetched_at SET NOT NULL;
"""
PULL_RUN = """
ALTER TABLE pull_run DROP CONSTRAINT mode_is_known;
ALTER TABLE pull_run ADD CONSTRAINT mode_is_known CHECK (mode IN ('incremental', 'window', 'full', 'redrive'));
"""


def upgrade() -> None:
    """Add the column and the mode."""
    op.execute(QUARANTINE)
    op.execute(PULL_RUN)
