"""With which mapping a reading was made: a corrected mapping's reading of the same record counts."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# What is there was read with mappings that nobody has corrected yet.
MAPPING_NUMBER = """
ALTER TABLE dossier ADD COLUMN home_mapping_no INTEGER NOT NULL DEFAULT 1;
ALTER TABLE dossier ALTER COLUMN home_mapping_no DROP DEFAULT;
ALTER TABLE dossier_reading ADD COLUMN mapping_no INTEGER NOT NULL DEFAULT 1;
ALTER TABLE dossier_reading ALTER COLUMN mapping_no DROP DEFAULT;
"""


def upgrade() -> None:
    """Add the columns."""
    op.execute(MAPPING_NUMBER)
