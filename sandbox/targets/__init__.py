"""The systems hosync pushes to, as real servers that store what they are told.

- ``npsp``: the National Public Service Portal behind its adapter (one endpoint, sessions in the body);
- ``province``: the provincial processing system (LGSP Document API or OpenCPS publication to write, search to read);
- ``igate``: the same where it is an iGate 2;
- ``emc``: the ministry's event counter (no key, no read-back, a dashboard with counts);
- ``feed``: a receiver of the status feed (signed calls, a listing).

Each is a package of the same shape: pure rules first (what a message must look like, what it means), then the store
(one SQLite file under the server's home), then ``server.py`` with ``build(home, options)``. Shared by all:
``store.py`` (the file, the append-only ledger of writes, streaming), ``passes.py`` (sessions and tokens that expire)
and ``control.py`` (the endpoints under ``/_sandbox/``, which no real system has).

Imports ``schemas``, ``sandbox.http`` and the catalogue of ``sandbox.province``, and nothing of the product besides, so
that a bug in a client cannot hide here. Start with ``store.py`` and then ``npsp/rules.py``.
"""
