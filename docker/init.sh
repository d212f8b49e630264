#!/bin/sh
# Before anything starts: Airflow's tables, the ledger's tables, the first user, the role of those who monitor.
# Safe to run again, at every start and after every update.
set -eu

airflow db migrate

python - <<'PYTHON'
from ledger.engine import open_engine
from ledger.migrate import upgrade

engine = open_engine()
upgrade(engine)
engine.dispose()
PYTHON

# One pool per system of the catalog; a task whose pool is missing would wait for ever.
hosync pools > /tmp/pools.json
airflow pools import /tmp/pools.json

airflow users create --role Admin --username admin --password "$HOSYNC_ADMIN_PASSWORD" \
    --firstname hosync --lastname admin --email admin@localhost

# Airflow's Viewer may see DAGs and runs but not the list of plugins, from which the navigation takes the monitor.
airflow roles create Monitor
airflow roles add-perms Monitor --action can_read --resource Plugins
