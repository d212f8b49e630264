"""Messages that were sent again although the first may have arrived: at least once, at targets that cannot tell."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SENT_AGAIN = """
CREATE TABLE sent_again (
    target TEXT NOT NULL,
    dossier_id BIGINT NOT NULL,
    phase TEXT NOT NULL,
    version BIGINT NOT NULL,
    step INTEGER NOT NULL,
    state SMALLINT NOT NULL,
    copies INTEGER NOT NULL,
    doubt_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (target, dossier_id, phase, version, step)
);
COMMENT ON TABLE sent_again IS
    'Messages sent again in doubt to a target that cannot tell a repetition: each may be there copies times too often.';
"""


def upgrade() -> None:
    """Add the table."""
    op.execute(SENT_AGAIN)
