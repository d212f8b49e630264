"""The engine of protocol ``rest``: small parts that know nothing of any system, put together by ``sources/rest.py``.

=============  ===================================================================================
``calls``      one call: templates filled in, signed, sent, repeated where it may be, its answer read
``answers``    what an answer holds: success, records, what is cut out, what is embedded
``paging``     from one page to the next: pure steps
``listing``    a listing from its first page to its last, and whether it was whole
``asking``     single dossiers: details, refreshes, open lists
``styles``     the pull styles, made of the above
=============  ===================================================================================

May import anything of ``connectors`` but ``sources``, ``targets`` and ``factory``. Start with ``styles``.
"""
