"""Alembic's room: the environment and one file per schema change. Run through ``ledger.migrate``, never by hand."""
