"""Alembic's entry point: runs the migrations on the connection that ``ledger.migrate`` hands over."""

from alembic import context

from ledger.migrate import VERSION_TABLE
from ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
