"""One lease for all that a worker has claimed: what it is sending is written once, and not into each delivery."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

LEASES = """
CREATE TABLE delivery_lease (
    target TEXT NOT NULL,
    owner UUID NOT NULL,
    until TIMESTAMPTZ NOT NULL,
    sending_phase TEXT,
    sending JSON,
    sending_at TIMESTAMPTZ,
    PRIMARY KEY (target, owner),
    CONSTRAINT sending_phase_is_known CHECK (sending_phase IN ('dossier', 'step'))
) WITH (fillfactor = 50);
COMMENT ON TABLE delivery_lease IS 'Until when a worker has what it claimed, and what it is sending just now.';
COMMENT ON COLUMN delivery_lease.sending IS
    '[[dossier, version, last step], ...]: in doubt where nobody says more';
UPDATE delivery
SET state = CASE WHEN sending_phase IS NULL THEN 'due' ELSE 'doubt' END,
    due_at = now(), lease_owner = NULL, lease_until = NULL
WHERE state = 'leased';
DROP INDEX delivery_leased;
ALTER TABLE delivery DROP CONSTRAINT leased_has_an_end;
ALTER TABLE delivery DROP COLUMN lease_until;
ALTER TABLE delivery ADD CONSTRAINT leased_has_an_owner CHECK ((state = 'leased') = (lease_owner IS NOT NULL));
COMMENT ON COLUMN delivery.sending_phase IS 'of the doubt: what was sent without a known outcome';
CREATE INDEX delivery_leased ON delivery (target, lease_owner) WHERE state = 'leased';
"""


def upgrade() -> None:
    """Add the table; what is leased is due again, or in doubt where it was being sent."""
    op.execute(LEASES)
