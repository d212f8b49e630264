"""The ``options`` of source entries, one module per protocol, and the ways of signing in that they share.

Everything here is a pydantic model without behaviour; DAG files read them at every parse, so nothing heavy is imported.
"""
