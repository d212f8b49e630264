"""Every table of the ledger, as SQLAlchemy Core metadata.

The migrations create them; a test compares the two, so that this file can be trusted as the description. Partitions
(``partitions.py``) are not listed. Rules that hold for all tables:

- Money-counting rules of the five promises stand as CHECK constraints: a wrong sum is refused by the database.
- Personal data stands only in ``bytea`` columns sealed by ``sealing.Sealer``.
- The big append-only tables have no foreign keys: each is written in one place, in the transaction that wrote the
  row it points to, and a check per row would cost a third of the intake speed.
"""

from ledger.tables import calling, comparing, delivering, dossiers, pulling, reporting
from ledger.tables.parts import metadata

__all__ = ["calling", "comparing", "delivering", "dossiers", "metadata", "pulling", "reporting"]
