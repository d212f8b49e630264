"""Other codes of dossiers at targets, found by dossier; what targets publish: their catalogues, with what they were."""

from alembic import op

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None

OTHER_CODES = """
CREATE INDEX dossier_alias_by_dossier ON dossier_alias (dossier_id);
COMMENT ON COLUMN dossier_alias.system IS 'whose own id it is, a target''s too; system national = national code';
"""


def upgrade() -> None:
    """Add the index and the tables."""
    op.execute(OTHER_CODES)
