"""What we know: every table, every migration and every SQL statement of the project.

Floor 2: may import ``schemas`` only; knows neither connectors nor mappings. PostgreSQL 15 or newer, nothing else.

Start with ``types.py`` (what goes in and out) and ``tables`` (what is kept). Then follow a record:
``reading.py`` turns a dossier into what is compared and stored, ``judging.py`` decides new, changed, unchanged or
stale, ``intake.py`` stores a page in one transaction, ``feed.py`` hands what changed to each target, ``delivery.py``
leases it to a worker and keeps the outcome, ``reconcile.py`` compares with what the target says it holds, and
``report.py`` shows all of it to people. Decisions are pure functions; statements stand in the ``*_sql.py`` files.
"""
