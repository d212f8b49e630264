"""Dossiers that travel: whether a system says since when its state holds; what is missing from whole snapshots."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

DATED = """
ALTER TABLE dossier ADD COLUMN home_dated BOOLEAN NOT NULL DEFAULT true;
ALTER TABLE dossier ALTER COLUMN home_dated DROP DEFAULT;
ALTER TABLE dossier_reading ADD COLUMN dated BOOLEAN NOT NULL DEFAULT true;
ALTER TABLE dossier_reading ALTER COLUMN dated DROP DEFAULT;
"""
DISAPPEARED = """
CREATE TABLE disappeared (
    system TEXT NOT NULL,
    dossier_id BIGINT NOT NULL,
    run_id UUID NOT NULL,
    since TIMESTAMPTZ DEFAULT now() NOT NULL,
    PRIMARY KEY (system, dossier_id)
);
COMMENT ON TABLE disappeared IS
    'Dossiers not at their end that a whole snapshot of a system that told of them did not hold.';
"""


def upgrade() -> None:
    """Add the columns and the table."""
    op.execute(DATED)
    op.execute(DISAPPEARED)
