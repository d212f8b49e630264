"""The use cases: pull, deliver, reconcile, and what people ask about them.

Floor 3: the only room where connectors, mappings and the ledger meet. DAGs, the command line and the monitoring
pages call these functions and nothing below. Start with ``pull.py`` (source -> ledger), ``deliver.py``
(ledger -> target) and ``reconcile.py`` (target against ledger). ``decisions.py`` holds what is decided, as pure
functions over data; the other files do the talking. ``context.py`` opens what they all need.
"""
