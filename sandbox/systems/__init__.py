"""The systems that work on the province's dossiers, and the X-Road security server before two of them.

- ``gplx``: driving licences; sessions in the body, a list by reception day, a look-up per dossier, no paging;
- ``igate``: the one-stop system; OIDC tokens, Spring pages, newest change first;
- ``dkkd``: business registration; SOAP, changes since a moment, seen only through
- ``xroad``: the security server that checks the X-Road headers and passes messages on;
- ``hotich``, ``lltp``: civil status and judicial records at the ministry; they tell how far the dossiers have come that
  they are asked about, and nothing unasked;
- ``btxh``: social protection; changes in a span of time, a key in the body;
- ``gtvt``: road transport; a list by reception day, one key shown three times;
- ``bhxh``: social insurance; SOAP 1.2, signed messages (``wssecurity``), scans attached to the answers;
- ``qldc``: residence; SOAP 1.1, lists made as jobs (``qldc_jobs``).

``register.py`` is what all of them know: which dossiers are theirs, and what time it is. ``controls.py`` holds their
endpoints under ``/_sandbox/``. Begin with ``register.py``, then ``gplx.py``, the smallest dialect.

May import ``schemas``, ``sandbox.http``, ``sandbox.certificates``, ``sandbox.province`` and ``sandbox.targets.passes``.
"""
