"""What people did by hand: who, when, what, to which system, and how many dossiers it touched."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PERSON_ACTION = """
CREATE TABLE person_action (
    action_id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMPTZ DEFAULT now() NOT NULL,
    person TEXT NOT NULL,
    action TEXT NOT NULL,
    system TEXT NOT NULL,
    details JSONB NOT NULL,
    dossiers BIGINT,
    PRIMARY KEY (action_id),
    CONSTRAINT action_is_known CHECK (action IN ('resend', 'replay', 'pause', 'resume'))
);
COMMENT ON COLUMN person_action.details IS 'what the person asked for, never personal data';
COMMENT ON COLUMN person_action.dossiers IS 'how many were touched, where that is known';
CREATE INDEX person_action_by_time ON person_action (at);
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(PERSON_ACTION)
