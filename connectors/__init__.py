"""How to talk: transports, sign-in, paging, the catalog of systems, and the connectors built from them.

Floor 2: may import ``schemas`` only; knows neither mappings nor the ledger. Start with ``api.py``, the contract that
every connector keeps; ``catalog.py`` says what a catalog entry holds, ``factory.py`` turns an entry into a connector.
"""
