"""Other codes of dossiers at targets, found by dossier; what targets publish: their catalogues, with what they were."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

OTHER_CODES = """
CREATE INDEX dossier_alias_by_dossier ON dossier_alias (dossier_id);
COMMENT ON COLUMN dossier_alias.system IS 'whose own id it is, a target''s too; system national = national code';
"""
CATALOGUES = """
CREATE TABLE catalogue_pull (
    pull_id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    system TEXT NOT NULL,
    kind TEXT NOT NULL,
    pulled_at TIMESTAMPTZ DEFAULT now() NOT NULL,
    entries BIGINT DEFAULT 0 NOT NULL,
    added BIGINT DEFAULT 0 NOT NULL,
    changed BIGINT DEFAULT 0 NOT NULL,
    gone BIGINT DEFAULT 0 NOT NULL
);
CREATE INDEX catalogue_pull_by_kind ON catalogue_pull (system, kind, pull_id);
COMMENT ON TABLE catalogue_pull IS
    'One pull of one catalogue that a target publishes: procedures, agencies, fields.';
CREATE TABLE catalogue_entry (
    system TEXT NOT NULL,
    kind TEXT NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    parent TEXT,
    valid_from TIMESTAMPTZ DEFAULT now() NOT NULL,
    valid_until TIMESTAMPTZ,
    PRIMARY KEY (system, kind, code, valid_from)
);
CREATE UNIQUE INDEX catalogue_entry_now ON catalogue_entry (system, kind, code) WHERE valid_until IS NULL;
COMMENT ON TABLE catalogue_entry IS 'What a catalogue says of a code, and from when to when it said so.';
COMMENT ON COLUMN catalogue_entry.code IS 'in the form in which codes are compared';
"""


def upgrade() -> None:
    """Add the index and the tables."""
    op.execute(OTHER_CODES)
    op.execute(CATALOGUES)
