"""What people see inside Airflow: the sync monitor, a page under the API server at ``/hosync``.

Floor 4: reads through ``ledger.report`` and the catalog; changes nothing. Start with ``airflow_plugin.py``, which every
Airflow process imports and which therefore builds nothing; ``web.py`` is the web application behind Airflow's sign-in,
``overview.py`` turns what the ledger reports into what the page shows, ``words.py`` holds its Vietnamese and English.
"""
