"""Following: runs that add up many looks, pages that only repeat, and how old a change was when it arrived."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PULLS = """
ALTER TABLE pull_run ADD COLUMN looks INTEGER;
ALTER TABLE pull_run ADD COLUMN repeated_pages BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE pull_run ADD COLUMN repeated BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE pull_run ADD CONSTRAINT repeated_is_no_news
    CHECK (repeated_pages <= pages AND repeated <= unchanged + stale + quarantined);
COMMENT ON COLUMN pull_run.looks IS 'of a follower''s run: how many looks it adds up; null: any other run';
COMMENT ON COLUMN pull_run.repeated_pages IS
    'pages that only repeated what was kept before: counted here, not kept again';
"""

DELIVERIES = """
ALTER TABLE delivery ADD COLUMN changed_since TIMESTAMPTZ;
COMMENT ON COLUMN delivery.changed_since IS 'when that change was made, by its source''s own word';
ALTER TABLE delivery_attempt ADD COLUMN aged_s REAL;
COMMENT ON COLUMN delivery_attempt.waited_s IS
    'from when the change could be seen to the acknowledgement that completed it';
COMMENT ON COLUMN delivery_attempt.aged_s IS 'the same from the change itself, by its source''s own word';
"""


def upgrade() -> None:
    """Add the columns."""
    for statement in (PULLS, DELIVERIES):
        op.execute(statement)
