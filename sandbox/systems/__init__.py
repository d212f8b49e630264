"""The three sector systems that keep the province's dossiers, and the X-Road security server before one of them.

- ``gplx``: driving licences; sessions in the body, a list by reception day, a look-up per dossier, no paging;
- ``igate``: the one-stop system; OIDC tokens, Spring pages, newest change first;
- ``dkkd``: business registration; SOAP, changes since a moment, seen only through
- ``xroad``: the security server that checks the X-Road headers and passes messages on.

``register.py`` is what all of them know: which dossiers are theirs, and what time it is. ``controls.py`` holds their
endpoints under ``/_sandbox/``. Begin with ``register.py``, then ``gplx.py``, the smallest dialect.

May import ``schemas``, ``sandbox.http``, ``sandbox.province`` and ``sandbox.targets.passes``.
"""
