"""The sources, one module per protocol: they turn a system's answers into pages of native records.

May import anything of ``connectors`` but ``targets`` and ``factory``. A source judges nothing: records are yielded as
they came, and the mapping decides what they mean. Start with ``mapi.py``, the simplest.
"""
