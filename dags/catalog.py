"""Mistakes in the catalog, shown by Airflow as an import error of this file, which gives no DAG.

The DAGs of a system whose file cannot be taken are not there; those of the others go on.
"""

from connectors.catalog import load_catalog

load_catalog().whole()
